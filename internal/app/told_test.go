package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/incident"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// listener is a receiver that remembers what it was told.
type listener struct {
	heard []notifiers.Notice
	err   error
}

func (l *listener) Send(_ context.Context, n notifiers.Notice) (string, error) {
	l.heard = append(l.heard, n)
	return "1", l.err
}

func (l *listener) Preview(n notifiers.Notice) string { return n.Text }

// TestCannotWriteIsToldOnce: while the store refuses for less than half a minute nobody hears; then the fallback does, once, past all
// queues; once all is well its call is taken back, and a trouble of tocsin's own says what was; and again after that. A fallback that does
// not take it is tried again.
func TestCannotWriteIsToldOnce(t *testing.T) {
	l := &listener{}
	db, err := store.Open(t.Context(), ":memory:", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a := &App{o: Options{Log: slog.New(slog.DiscardHandler)}, store: db}
	a.current = generation{plan: &Plan{File: &config.File{Fallback: "ops"}}, targets: map[string]outbox.Target{"ops": {Notifier: l, Traits: notifiers.Traits{Pages: true}}}}
	full := errors.New("disk is full")
	fail := func(ago time.Duration) {
		a.failing.since = map[string]time.Time{"engine": time.Now().Add(-ago)}
		a.stepFailed(t.Context(), "engine", full)
	}
	fail(unwritable - 5*time.Second)
	if len(l.heard) != 0 {
		t.Fatalf("before %s: told %d times", unwritable, len(l.heard))
	}
	if a.ready() == nil {
		t.Error("a step fails, and it is ready")
	}
	fail(unwritable + time.Second)
	fail(unwritable + 2*time.Second)
	if len(l.heard) != 1 || !strings.Contains(l.heard[0].Text, full.Error()) || !l.heard[0].Rings {
		t.Fatalf("told %+v, want one call that says why", l.heard)
	}
	a.stepDone(t.Context(), "engine")
	if err := a.ready(); err != nil {
		t.Errorf("well again: %v", err)
	}
	if len(l.heard) != 2 || l.heard[1].Kind != incident.CallResolve || l.heard[1].Key != l.heard[0].Key {
		t.Errorf("told %+v, want the call's resolve", l.heard[1:])
	}
	if _, rows, standing := sumUp(t, db); rows != 2 || len(standing) > 0 {
		t.Errorf("%d rows of troubles, of which %q stand, want one that is over", rows, standing)
	}
	l.err = errors.New("out of reach")
	fail(unwritable + time.Second)
	fail(unwritable + 2*time.Second)
	if len(l.heard) != 3 {
		t.Errorf("told %d times, want again", len(l.heard))
	}
	l.err = nil
	a.failing.asked = time.Now().Add(-unwritable)
	fail(unwritable + time.Second)
	fail(unwritable + time.Second)
	if len(l.heard) != 4 {
		t.Errorf("told %d times: the fallback that did not take it is tried once more", len(l.heard))
	}
}

// loaded is a configuration with files beside it, read.
func loaded(t *testing.T, text string, beside map[string]string) (*Plan, config.Errors) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range beside {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "tocsin.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

// TestTemplateFiles: a receiver's title uses by name what the users' own template files define; a file that is no template is a
// mistake.
func TestTemplateFiles(t *testing.T) {
	const text = `project: p
templates: ["*.tmpl"]
receivers: {ops: {slack: {channel: "#ops", token_file: token, title: '{{ template "mine" . }}'}}}
route: {receiver: ops}
`
	plan, errs := loaded(t, text, map[string]string{"a.tmpl": `{{ define "mine" }}ours: {{ .Status }}{{ end }}`})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	n, err := plan.Receivers["ops"].New("ops")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	inc := incident.Incident{ID: "i", State: incident.Open, Title: "it", FirstEntry: now, OpenedAt: now,
		Alerts: []incident.Alert{{Key: incident.Key{Rule: "r"}, State: incident.Firing, First: now}}}
	if got := n.Preview(notifiers.Notice{Incident: inc, Now: now, Notification: incident.Notification{Kind: incident.Message}}); !strings.Contains(got, "ours: firing") {
		t.Errorf("says %q, want the template's words", got)
	}
	if _, errs := loaded(t, text, map[string]string{"a.tmpl": `{{ define }}`}); len(errs) == 0 {
		t.Error("a broken template file: no mistake")
	}
}

// TestMuteTimes: within a mute time the receiver is left out until it ends, unless the service is down or it is tocsin's own.
func TestMuteTimes(t *testing.T) {
	plan, errs := loaded(t, `project: p
receivers: {ops: {console: }}
time_intervals: {night: [{times: [{start_time: "00:00", end_time: "06:00"}]}]}
route:
  receiver: ops
  routes: [{matchers: ['severity="warning"'], mute_time_intervals: [night]}]
`, nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	night := time.Date(2026, 3, 3, 3, 0, 0, 0, time.UTC)
	inc := func(labels incident.Labels, impact string) *incident.Incident {
		labels["severity"] = "warning"
		return &incident.Incident{Labels: labels, Alerts: []incident.Alert{{State: incident.Firing, Impact: impact}}}
	}
	if d := plan.direct(inc(incident.Labels{}, ""), night); len(d.Receivers) != 0 || !d.Recheck.Equal(night.Add(3*time.Hour)) {
		t.Errorf("at night: %+v, want nobody until six", d)
	}
	for name, i := range map[string]*incident.Incident{"down": inc(incident.Labels{}, incident.Down), "tocsin's own": inc(incident.Labels{"service": "tocsin"}, "")} {
		if d := plan.direct(i, night); len(d.Receivers) != 1 {
			t.Errorf("%s, at night: %+v, want ops", name, d)
		}
	}
	if d := plan.direct(inc(incident.Labels{}, ""), night.Add(4*time.Hour)); len(d.Receivers) != 1 || !d.Recheck.IsZero() {
		t.Errorf("at seven: %+v, want ops", d)
	}
}

// TestMaintenance: a configuration's windows and inhibitions hold, and a mistake in them has its place.
func TestMaintenance(t *testing.T) {
	const text = `project: p
receivers: {ops: {console: }}
time_intervals: {night: [{times: [{start_time: "00:00", end_time: "06:00"}]}]}
maintenance:
  nodes: {during: [night], matchers: ['cluster="build"'], reason: nodes are replaced}
inhibit_rules:
  - {source_matchers: ['rule="a"'], target_matchers: ['rule="b"'], equal: [cluster]}
route: {receiver: ops}
`
	plan, errs := loaded(t, text, nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	night := time.Date(2026, 3, 3, 3, 0, 0, 0, time.UTC)
	inc := &incident.Incident{Alerts: []incident.Alert{{State: incident.Firing, Labels: incident.Labels{"cluster": "build"}}}}
	held := plan.desk(nil).Held(inc, incident.Around{At: night})
	if len(held.By) != 1 || held.By[0].String() != "maintenance nodes until 2026-03-03 06:00 UTC: nodes are replaced" || !plan.Holding.Inhibits() {
		t.Errorf("held by %v", held.By)
	}
	_, errs = loaded(t, strings.NewReplacer("[night], m", "[nigt], m", `['rule="b"']`, `['rule!="b"']`, "equal", "eqal").Replace(text), nil)
	for _, want := range []string{`:5:20: maintenance.nodes.during.0: unknown time interval "nigt": did you mean "night"?`, `:7:69: unknown key "eqal": did you mean "equal"?`} {
		if !strings.Contains(errs.Error(), want) {
			t.Errorf("no %q in:\n%v", want, errs)
		}
	}
}
