package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/actions"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// noon is the time of every request in these tests: half an hour into the crash loop of 2019-01-23.
var noon = time.Date(2019, 1, 23, 12, 5, 0, 0, time.UTC)

func clock(day, hour, minute, second int) time.Time {
	return time.Date(2019, 1, day, hour, minute, second, 0, time.UTC)
}

// fault is an error as the actions give it.
type fault struct{ code, text string }

func (f fault) Error() string { return f.text }
func (f fault) Code() string  { return f.code }

// hands are actions that do the least that is right, in a real store.
type hands struct{ store *store.Store }

func (h hands) change(ctx context.Context, id string, do func(*incident.Incident) error) error {
	return h.store.Update(ctx, func(tx *store.Tx) error {
		inc, err := tx.Incident(ctx, id)
		if err != nil {
			return err
		}
		if inc.State != incident.Open && inc.State != incident.Acknowledged {
			return fmt.Errorf("change incident: %w", fault{client.Conflict, "it is " + string(inc.State) + " already"})
		}
		if err := do(&inc); err != nil {
			return err
		}
		return tx.SaveIncident(ctx, &inc)
	})
}

func (h hands) Acknowledge(ctx context.Context, id, by string, now time.Time) error {
	return h.change(ctx, id, func(inc *incident.Incident) error {
		if by == "broken" {
			return fmt.Errorf("dial tcp: secret-of-the-database")
		}
		inc.State, inc.Acknowledgement = incident.Acknowledged, &incident.Acknowledgement{By: by, At: now, Severity: inc.Severity}
		return nil
	})
}

func (h hands) Resolve(ctx context.Context, id, by string, now time.Time) error {
	return h.change(ctx, id, func(inc *incident.Incident) error {
		inc.State, inc.ResolvedAt, inc.ResolvedBy = incident.Resolved, now, by
		return nil
	})
}

func (h hands) Note(ctx context.Context, id, by, text string, now time.Time) error {
	if text == "" {
		return fault{client.Invalid, "write a note"}
	}
	return h.store.Update(ctx, func(tx *store.Tx) error {
		return tx.AppendEvent(ctx, &incident.Event{Incident: id, At: now, Kind: incident.EventNote, Text: text, By: by})
	})
}

// real are the actions themselves, where nobody hears of anything.
func (h hands) real() *actions.Actions {
	desk := &store.Desk{Project: "k8s-infra-prow", People: map[string][]string{"ben": nil}, Traits: map[string]incident.Traits{"person:ben": {Direct: true}}, Direct: func(*incident.Incident, time.Time) incident.Direction { return incident.Direction{} }}
	return actions.New(h.store, func() *store.Desk { return desk })
}

func (h hands) Merge(ctx context.Context, id, into, by string, now time.Time) error {
	return h.real().Merge(ctx, id, into, by, now)
}

func (h hands) Split(ctx context.Context, id string, key incident.Key, by string, now time.Time) (string, error) {
	return h.real().Split(ctx, id, key, by, now)
}

func (h hands) Ask(ctx context.Context, id, person, by string, now time.Time) error {
	return h.real().Ask(ctx, id, person, by, now)
}

func (h hands) Declare(ctx context.Context, d incident.Declaration, now time.Time) (string, error) {
	return h.real().Declare(ctx, d, now)
}

func (h hands) PreviewSilence(_ context.Context, s incident.Silence, now time.Time) (incident.Silence, []actions.Affected, error) {
	if len(s.Matchers) == 0 {
		return s, nil, fault{client.Invalid, "say what it is to hide"}
	}
	s.Starts, s.Ends, s.UpTo, s.CreatedAt = now, now.Add(time.Hour), incident.High, now
	return s, []actions.Affected{{Incident: incident.Incident{ID: "01D1VX0000AAAAAAAABBBBBBBB", State: incident.Open, Title: "it"}, Why: "it is critical"}}, nil
}

func (h hands) AddSilence(ctx context.Context, s incident.Silence, now time.Time) (incident.Silence, []actions.Affected, error) {
	s, affected, err := h.PreviewSilence(ctx, s, now)
	if err == nil {
		err = h.store.Update(ctx, func(tx *store.Tx) error { return tx.SaveSilence(ctx, &s) })
	}
	return s, affected, err
}

func (h hands) EndSilence(ctx context.Context, id int64, by string, now time.Time) (s incident.Silence, err error) {
	err = h.store.Update(ctx, func(tx *store.Tx) error {
		if s, err = tx.Silence(ctx, id); err != nil {
			return err
		}
		s.Ends, s.EndedBy = now, by
		return tx.SaveSilence(ctx, &s)
	})
	return s, err
}

// openStore makes an empty store in a file.
func openStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "tocsin.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// options are those of a service that is well.
func options(s *store.Store) Options {
	return Options{
		Store: s, Actions: hands{s}, People: func() []string { return []string{"ana", "ben"} }, Oncall: duties(s), Version: "v0-test", Now: func() time.Time { return noon },
		Registry: prometheus.NewRegistry(), Hosts: []string{"tocsin.example.com"}, Log: slog.New(slog.DiscardHandler),
		Rules: loadedRules, Probes: setUp,
		Status: func() Status {
			return Status{StartedAt: clock(22, 8, 0, 0), Rules: 12, Config: client.Configuration{File: "tocsin.yaml", Revision: "5f1c2e", LoadedAt: clock(22, 8, 0, 0)},
				Sources: []client.Source{{Name: "prow-logs", Kind: "cloud_logging"}, {Name: "hook", Kind: "http_probe"}},
				Audit:   &client.Audit{At: noon.Add(-8 * time.Second)}, Heartbeat: &client.Heartbeat{SentAt: noon.Add(-40 * time.Second)}}
		},
	}
}

// serve starts a service on loopback, with its store, and a client for it.
func serve(t testing.TB, change func(*Options)) (*httptest.Server, *client.Client, *store.Store) {
	t.Helper()
	s := openStore(t)
	o := options(s)
	if change != nil {
		change(&o)
	}
	server := httptest.NewServer(New(o))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return server, c, s
}

// fill writes into a store what fixtures make.
func fill(t testing.TB, s *store.Store, incidents []incident.Incident, events []incident.Event, told []incident.Notification, sources ...store.SourceState) {
	t.Helper()
	ctx := t.Context()
	err := s.Update(ctx, func(tx *store.Tx) error {
		for i := range incidents {
			if err := tx.SaveIncident(ctx, &incidents[i]); err != nil {
				return err
			}
		}
		for i := range events {
			if err := tx.AppendEvent(ctx, &events[i]); err != nil {
				return err
			}
		}
		for i := range told {
			if _, err := tx.AddNotification(ctx, &told[i]); err != nil {
				return err
			}
		}
		for _, src := range sources {
			if err := tx.SaveSource(ctx, src); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

const configLine = `{"component":"hook","error":"duplicated preset label : preset-aws-credential","level":"error","msg":"Error loading config."}`

func key(rule, group string) incident.Key { return incident.Key{Rule: rule, Group: group} }

// outage is the incident of 2019-01-22 as it stood the next noon: taken back, since hook died of it.
func outage() (incident.Incident, []incident.Event, []incident.Notification) {
	config, crash := key("prow-config-load-error", `{"cluster":"prow"}`), key("prow-crash-loop", `{"service":"hook"}`)
	id := incident.NewID(clock(22, 23, 28, 49), config, "a")
	alert := func(k incident.Key, severity incident.Severity, service, summary, line string, first, last time.Time, count int64, list ...string) incident.Alert {
		labels := incident.Labels{"cluster": "prow", "project": "k8s-infra-prow"}
		if service != "" {
			labels["service"] = service
		}
		return incident.Alert{Key: k, Incident: id, State: incident.Firing, Labels: labels, Severity: severity, Mode: incident.Page,
			Annotations: map[string]string{"summary": summary, "runbook_url": "https://prow.example.com/runbooks/" + k.Rule},
			First:       first, Last: last, FiredAt: first.Add(time.Second), Count: count, List: list, Identity: "a",
			FirstLine: incident.Line{Time: first, Text: line, Service: "hook"},
			Lines:     []incident.Line{{Time: last.Add(-time.Minute), Text: line, Service: "hook"}, {Time: last, Text: line, Service: "deck"}}}
	}
	inc := incident.Incident{ID: id, Project: "k8s-infra-prow", Cluster: "prow", State: incident.Open, Severity: incident.Critical,
		Title:    "Prow keeps its old configuration, the new one does not load: duplicated preset label : preset-aws-credential",
		Headline: config, Labels: incident.Labels{"cluster": "prow", "severity": "critical"},
		FirstEntry: clock(22, 23, 28, 49), OpenedAt: clock(22, 23, 28, 51), UpdatedAt: clock(23, 11, 50, 4), Revision: 3,
		Receivers: []string{"testing-ops"}, Policy: "prow-oncall", Round: 2,
		Escalation: incident.Escalation{Start: clock(23, 11, 50, 4), Step: 1, Next: clock(23, 12, 13, 0), News: "hook crash-loops, critical"},
		Alerts: []incident.Alert{
			alert(config, incident.High, "", "Prow keeps its old configuration, the new one does not load", configLine, clock(22, 23, 28, 49), clock(23, 12, 4, 31), 9689,
				"hook", "deck", "tide", "plank", "sinker", "crier", "horologium", "statusreconciler"),
			alert(crash, incident.Critical, "hook", "hook crash-loops", "Back-off restarting failed container", clock(23, 11, 50, 2), clock(23, 12, 4, 40), 57),
			alert(key("prow-webhook-502-probe", `{"service":"hook"}`), incident.Critical, "hook", "GitHub's webhooks get 502 from hook", "GET https://prow.k8s.io/hook 502 failed_to_connect_to_backend", clock(23, 11, 56, 0), clock(23, 12, 4, 30), 18),
		}}
	inc.Alerts[2].About = true
	inc.Alerts[0].Annotations[incident.BeforeNote] = "configuration changed: job-config (config-updater), 0m earlier (23:28 UTC); rollout of hook: v20190122-1a2b3c, 5h12m earlier (18:16 UTC)"
	events := []incident.Event{
		{At: clock(22, 23, 28, 51), Kind: incident.EventOpened, Text: "the new configuration does not load", Alert: config, Lines: inc.Alerts[0].Lines[:1]},
		{At: clock(22, 23, 28, 53), Kind: incident.EventSent, Text: "testing-ops"},
		{At: clock(23, 0, 33, 40), Kind: incident.EventAcknowledged, By: "first", Text: "for high on prow"},
		{At: clock(23, 11, 50, 4), Kind: incident.EventAlertFired, Text: "hook crash-loops", Alert: crash, Lines: inc.Alerts[1].Lines},
		{At: clock(23, 11, 50, 4), Kind: incident.EventAckTakenBack, Text: "critical is new, and so is hook"},
		{At: clock(23, 11, 50, 5), Kind: incident.EventEscalated, Text: "step 1 of prow-oncall calls oncall"},
	}
	told := []incident.Notification{
		{Target: "testing-ops", Kind: incident.Message, Key: "m", Reason: incident.ReasonOpened, Rings: true, Wanted: 3, SentRevision: 3, State: incident.Sent,
			CreatedAt: clock(22, 23, 28, 51), Due: clock(22, 23, 28, 51), SentAt: clock(22, 23, 28, 53), Attempts: 1, Receipt: "C042/1548199748.000100"},
		{Target: "oncall", Kind: incident.Call, Round: 1, Key: id, Reason: incident.ReasonEscalated, Text: "nobody acknowledged for 60m", State: incident.Sent,
			CreatedAt: clock(23, 0, 29, 8), Due: clock(23, 0, 29, 8), SentAt: clock(23, 0, 29, 9), Attempts: 2, Receipt: id},
		{Target: "oncall", Kind: incident.Call, Round: 2, Key: id + ".2", Reason: incident.ReasonEscalated, Text: "raised to critical, hook is new", State: incident.Pending,
			CreatedAt: clock(23, 12, 4, 40), Due: clock(23, 12, 5, 10), Attempts: 2, Unclear: true, LastError: "pagerduty answered 503"},
	}
	for i := range events {
		events[i].Incident = id
	}
	for i := range told {
		told[i].Incident = id
	}
	return inc, events, told
}

// small is an incident of one alert.
func small(rule string, first time.Time, severity incident.Severity, state incident.State, title string) incident.Incident {
	k := key(rule, `{"service":"tide"}`)
	id := incident.NewID(first, k, title)
	inc := incident.Incident{ID: id, Project: "k8s-infra-prow", Cluster: "prow", State: state, Severity: severity, Title: title, Headline: k,
		FirstEntry: first, OpenedAt: first.Add(2 * time.Second), UpdatedAt: first, Receivers: []string{"prow-alerts"},
		Alerts: []incident.Alert{{Key: k, Incident: id, State: incident.Firing, Severity: severity, Mode: incident.Tell, Labels: incident.Labels{"service": "tide"},
			Annotations: map[string]string{"summary": title}, First: first, Last: first.Add(time.Minute), FiredAt: first, Count: 1, Identity: "x",
			FirstLine: incident.Line{Time: first, Text: "error: " + title, Service: "tide"}}}}
	if state == incident.Resolved {
		inc.ResolvedAt = first.Add(25 * time.Minute)
		inc.Alerts[0].State, inc.Alerts[0].ResolvedAt = incident.AlertResolved, inc.ResolvedAt
	}
	return inc
}

// watched are the states of the two sources.
func watched() []store.SourceState {
	return []store.SourceState{
		{Name: "prow-logs", Cursor: logs.Cursor("c"), Clock: noon.Add(-time.Second), CaughtUp: true, ReceivedAt: noon, Entries: 1_204_331, Matches: 9764, Broken: 3, Late: 1},
		{Name: "hook", Clock: noon.Add(-12 * time.Second), CaughtUp: true, ReceivedAt: noon.Add(-12 * time.Second), Entries: 1440, Matches: 18},
	}
}
