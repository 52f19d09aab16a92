package web

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/store/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// crowded fills a store with ten thousand incidents, a thousand of them open, each with its timeline and who was told; with a week of ten
// probes and of two hundred rules; and with fifty silences. It returns the incident whose page is the longest.
func crowded(b *testing.B, s *store.Store) incident.Incident {
	var all []incident.Incident
	var events []incident.Event
	var told []incident.Notification
	for i := range 10_000 {
		state := incident.Resolved
		if i%10 == 0 {
			state = incident.Open
		}
		inc := small(fmt.Sprintf("rule-%d", i%200), noon.Add(-time.Duration(i)*time.Minute), incident.High, state, fmt.Sprintf("it is the %dth time", i))
		all = append(all, inc)
		for j, kind := range []incident.EventKind{incident.EventOpened, incident.EventSent, incident.EventAcknowledged, incident.EventResolved} {
			events = append(events, incident.Event{Incident: inc.ID, At: inc.OpenedAt.Add(time.Duration(j) * time.Minute), Kind: kind, Text: "prow-alerts"})
		}
		for j := range 2 {
			told = append(told, incident.Notification{Incident: inc.ID, Target: fmt.Sprint("receiver-", j), Kind: incident.Message, Key: inc.ID, State: incident.Sent, SentRevision: 1, Wanted: 1, CreatedAt: inc.OpenedAt, SentAt: inc.OpenedAt})
		}
	}
	for i := 0; i < len(all); i += 500 { // a transaction may not take for ever
		fill(b, s, all[i:i+500], events[4*i:4*i+2000], told[2*i:2*i+1000])
	}
	fill(b, s, nil, nil, nil, watched()...)
	update := func(do func(tx *store.Tx) error) {
		if err := s.Update(b.Context(), do); err != nil {
			b.Fatal(err)
		}
	}
	for some := range slices.Chunk(all, 500) {
		update(func(tx *store.Tx) error {
			for i := range some {
				a := &some[i].Alerts[0]
				if err := tx.AddFiring(b.Context(), store.Firing{Key: a.Key, At: a.FiredAt, Mode: a.Mode, Incident: a.Incident}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i := range 2016 {
		update(func(tx *store.Tx) error {
			for probe := range 10 {
				at := noon.Truncate(store.ProbeSpan).Add(-time.Duration(i) * store.ProbeSpan)
				p := store.ProbePoint{Source: fmt.Sprint("probe-", probe), At: at, Newest: at, Probes: 10, Answered: 10, Failed: int64(i % 17), Error: "status 502",
					Phases: store.Phases{Latency: time.Second, DNS: time.Millisecond, Connect: time.Millisecond, TLS: 8 * time.Millisecond, FirstByte: 890 * time.Millisecond, Transfer: 100 * time.Millisecond}}
				if err := tx.AddProbePoint(b.Context(), p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i := range 168 {
		update(func(tx *store.Tx) error {
			for rule := range 200 {
				if err := tx.AddRulePoint(b.Context(), store.RulePoint{Rule: fmt.Sprint("rule-", rule), At: noon.Truncate(time.Hour).Add(-time.Duration(i) * time.Hour), Matches: int64(i), Spent: time.Second}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i := range 50 {
		update(func(tx *store.Tx) error {
			return tx.SaveSilence(b.Context(), &incident.Silence{Matchers: []string{fmt.Sprintf("rule=\"rule-%d\"", i)}, Starts: noon, Ends: noon.Add(time.Hour), Owner: "ana", Reason: "x", UpTo: incident.High, CreatedAt: noon})
		})
	}
	inc, events, told := outage()
	for i := range 400 {
		events = append(events, incident.Event{Incident: inc.ID, At: noon, Kind: incident.EventSent, Text: fmt.Sprint("event ", i)})
	}
	fill(b, s, []incident.Incident{inc}, events, told)
	return inc
}

// BenchmarkPages is each page of a crowded store, on SQLite and on PostgreSQL: none may take 100 ms.
func BenchmarkPages(b *testing.B) {
	for kind, place := range map[string]func() string{"sqlite": func() string { return filepath.Join(b.TempDir(), "tocsin.db") }, "postgres": func() string { return pgtest.Database(b) }} {
		b.Run(kind, func(b *testing.B) {
			s, err := store.Open(b.Context(), place(), store.Options{Life: time.Hour}) // nobody renews it while it is filled
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			inc := crowded(b, s)
			o := options(s)
			o.Rules = func() (rules []Rule) {
				for i := range 200 {
					rules = append(rules, Rule{Name: fmt.Sprintf("rule-%d", i), Severity: "high", Mode: "page", Filter: `severity>=ERROR "it"`})
				}
				return rules
			}
			o.Probes = func() (probes []Probe) {
				for i := range 10 {
					probes = append(probes, Probe{Name: fmt.Sprint("probe-", i), Every: 30 * time.Second, Timeout: time.Second})
				}
				return probes
			}
			h := New(o)
			for _, path := range []string{"/", "/incidents/" + inc.ID, "/declare", "/silences", "/oncall", "/rules", "/rules/rule-7", "/sources", "/probes", "/probes?for=7d", "/status", "/api/v1/status", "/api/v1/incidents"} {
				b.Run(strings.ReplaceAll(path[1:], inc.ID, "ID"), func(b *testing.B) {
					for b.Loop() {
						if answer, text := ask(b, h, "GET", path, ""); answer.StatusCode != 200 {
							b.Fatal(answer.StatusCode, text)
						}
					}
					if took := b.Elapsed() / time.Duration(b.N); took > 100*time.Millisecond {
						b.Errorf("%s takes %s", path, took)
					}
				})
			}
		})
	}
}
