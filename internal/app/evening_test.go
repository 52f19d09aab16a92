package app

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/actions"
	"tocsin/internal/engine"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// shift is Prow's own configuration at work in virtual time on a store on disk: the three steps as serve runs them, with notifiers that
// accept everything.
type shift struct {
	t       *testing.T
	plan    *Plan
	path    string
	db      *store.Store
	driver  driver
	actions *actions.Actions
	told    []string
	lines   int
}

// begin opens the store and everything on it; again after end, as a restart does.
func (s *shift) begin() {
	ctx := s.t.Context()
	db, err := store.Open(ctx, s.path, store.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	desk := s.plan.desk(nil)
	eng, err := engine.New(ctx, db, engine.Options{Program: s.plan.program(desk)})
	if err != nil {
		s.t.Fatal(err)
	}
	targets, err := s.plan.targets()
	if err != nil {
		s.t.Fatal(err)
	}
	for name, target := range targets {
		target.Notifier = recorder{target.Notifier}
		targets[name] = target
	}
	box := outbox.New(db, outbox.Options{Targets: targets, People: s.plan.People, Fallback: s.plan.File.Fallback,
		Told: func(at time.Time, n notifiers.Notice, _ string) {
			if n.Kind != incident.Message || n.Rings {
				s.told = append(s.told, fmt.Sprintf("%s %s %s %s", at.UTC().Format("15:04:05"), n.Kind, n.Target, strings.TrimPrefix(n.Key, n.Incident.ID)))
			}
		}})
	esc := escalation.New(db, func() escalation.Program { return s.plan.escalation(desk) }, nil)
	s.db, s.driver = db, driver{store: db, engine: eng, escalation: esc, outbox: box}
	s.actions = actions.New(db, func() *store.Desk { return desk })
}

// until lets time go by to a moment, with a line of a component every five minutes, and restarts everything once an hour.
func (s *shift) until(clock string, msg, level, container string) {
	s.t.Helper()
	to, err := time.Parse(time.RFC3339, clock)
	if err != nil {
		s.t.Fatal(err)
	}
	for next := time.Now(); !next.After(to); next = next.Add(5 * time.Minute) {
		s.run(next)
		s.lines++
		text := fmt.Sprintf(`{"timestamp": %q, "receiveTimestamp": %q, "insertId": "%d", "severity": "ERROR", "logName": "projects/k8s-prow/logs/%s", "resource": {"type": "container",`+
			`"labels": {"project_id": "k8s-prow", "cluster_name": "prow", "namespace_id": "default", "pod_id": "%[4]s-0", "container_name": %[4]q}},`+
			`"jsonPayload": {"component": %[4]q, "error": "duplicated preset label", "level": %[6]q, "msg": %[5]q}}`+"\n",
			next.UTC().Format(time.RFC3339Nano), next.UTC().Format(time.RFC3339Nano), s.lines, container, msg, level)
		err := s.driver.engine.Offer(s.t.Context(), logs.Batch{Source: "prow-logs", Data: []byte(text), Offset: int64(s.lines), Cursor: logs.Cursor(fmt.Sprint(s.lines)), Received: next, CaughtUp: true})
		if err != nil {
			s.t.Fatal(err)
		}
		s.run(next)
		if s.lines%12 == 0 {
			if err := s.db.Close(); err != nil {
				s.t.Fatal(err)
			}
			s.begin()
		}
	}
	s.run(to)
}

// run does what is due up to a moment, each when it is.
func (s *shift) run(to time.Time) {
	s.t.Helper()
	time.Sleep(time.Until(to))
	if err := s.driver.run(s.t.Context(), to); err != nil {
		s.t.Fatal(err)
	}
}

// acknowledge takes the one incident that there is.
func (s *shift) acknowledge(by string) {
	s.t.Helper()
	if err := s.actions.Acknowledge(s.t.Context(), s.incident().ID, by, time.Now()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shift) incident() (inc incident.Incident) {
	s.t.Helper()
	err := s.db.View(s.t.Context(), func(tx *store.Tx) error {
		all, err := tx.Incidents(context.WithoutCancel(s.t.Context()), store.IncidentFilter{})
		if err == nil && len(all) != 1 {
			s.t.Fatalf("there are %d incidents, want the one of the configuration", len(all))
		}
		inc = all[0]
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return inc
}

// rung are the pages so far.
func (s *shift) rung() []string {
	var out []string
	for _, line := range s.told {
		if strings.Contains(line, " call ") {
			out = append(out, line)
		}
	}
	return out
}

// withoutCanary is a copy of a configuration without its canary, which nobody writes here.
func withoutCanary(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const line = "\ncanary: {sources: [prow-logs]}\n"
	if !bytes.Contains(data, []byte(line)) {
		t.Fatalf("%s has no canary to be left out", path)
	}
	path = filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(path, bytes.Replace(data, []byte(line), []byte("\n"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEveningToNoon: on the evening of 2019-01-22 the configuration does not load, which is high, and ana has it. She takes it again each
// time that four hours have passed. While she has it nobody is called, all night. When at ten to noon hook dies of the configuration it is
// critical: what she has is not that, and oncall is paged at once, with the ten minutes and the half hours of the policy; until ana has
// that too. The service is restarted once an hour all the while.
func TestEveningToNoon(t *testing.T) {
	const loads, fatal = "Error loading config.", "Error starting config agent."
	synctest.Test(t, func(t *testing.T) {
		plan, errs := Load(withoutCanary(t, "../../deploy/prow/tocsin.yaml"))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		time.Sleep(time.Until(time.Date(2019, 1, 22, 23, 28, 49, 0, time.UTC)))
		s := &shift{t: t, plan: plan, path: filepath.Join(t.TempDir(), "tocsin.db")}
		s.begin()
		defer func() { s.db.Close() }()
		s.until("2019-01-22T23:40:00Z", loads, "error", "tide")
		if diff := cmp.Diff([]string{"23:28:49 message testing-ops /testing-ops"}, ringing(s.told)); diff != "" {
			t.Fatalf("told so far: (-want +got)\n%s", diff)
		}
		s.acknowledge("ana")
		for _, clock := range []string{"2019-01-23T03:45:00Z", "2019-01-23T07:50:00Z"} {
			s.until(clock, loads, "error", "tide")
			if got := s.incident(); got.State != incident.Open {
				t.Fatalf("at %s it is %s: an acknowledge that is four hours old must have been taken back", clock, got.State)
			}
			s.acknowledge("ana")
		}
		s.until("2019-01-23T11:49:00Z", loads, "error", "tide")
		if got := s.incident(); got.State != incident.Acknowledged || got.Severity != incident.High || len(s.rung()) > 0 {
			t.Fatalf("before noon it is %s, %s, and %q was rung; want it acknowledged as high, and nobody rung", got.State, got.Severity, s.rung())
		}
		s.run(time.Date(2019, 1, 23, 11, 50, 2, 0, time.UTC))
		s.until("2019-01-23T12:35:00Z", fatal, "fatal", "hook")
		want := []string{"11:50:02 call oncall .N", "12:00:02 call oncall .N", "12:20:02 call oncall .N", "12:30:02 call oncall .N"}
		if diff := cmp.Diff(want, rounds(s.rung())); diff != "" {
			t.Errorf("paged at noon: (-want +got)\n%s", diff)
		}
		if got := s.incident(); got.Severity != incident.Critical || got.Acknowledgement != nil {
			t.Errorf("it is %s, acknowledged %v; want critical, and nobody has it", got.Severity, got.Acknowledgement)
		}
		s.acknowledge("ana")
		s.until("2019-01-23T15:00:00Z", fatal, "fatal", "hook")
		if diff := cmp.Diff(want, rounds(s.rung())); diff != "" {
			t.Errorf("paged after ana has that too: (-want +got)\n%s", diff)
		}
	})
}

// ringing are the messages and pages among what was told.
func ringing(told []string) []string {
	var out []string
	for _, line := range told {
		if !strings.Contains(line, " post ") {
			out = append(out, line)
		}
	}
	return out
}

// rounds are pages without the numbers of their rounds, which must all differ.
func rounds(rung []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, line := range rung {
		head, round, _ := strings.Cut(line, ".")
		again := ""
		if seen[round] {
			again = " (again)"
		}
		seen[round] = true
		out = append(out, head+".N"+again)
	}
	return out
}
