package heartbeat

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/store"
)

func opened(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "tocsin.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func update(t *testing.T, s *store.Store, do func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), func(tx *store.Tx) error { return do(context.Background(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// standing are the audit's troubles that stand, by check.
func standing(t *testing.T, s *store.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := s.View(context.Background(), func(tx *store.Tx) error {
		all, err := tx.Standing(context.Background())
		for _, one := range all {
			out[one.Labels["check"]] = one.Text
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var traits = map[string]incident.Traits{"channel": {Edits: true}, "oncall": {Pages: true}}

// whole is an open incident with all that belongs to it: its message, its call, its next step.
func whole(now time.Time) (*incident.Incident, []*incident.Notification) {
	inc := &incident.Incident{ID: "I1", Project: "p", State: incident.Open, Severity: incident.Critical, OpenedAt: now, UpdatedAt: now, Labels: incident.Labels{},
		Receivers: []string{"channel", "oncall"}, Policy: "urgent", Round: 1, PagedSeverity: incident.Critical,
		Escalation: incident.Escalation{Start: now, Next: now.Add(10 * time.Minute), Step: 1}, Due: now.Add(10 * time.Minute)}
	return inc, []*incident.Notification{
		{Incident: "I1", Target: "channel", Kind: incident.Message, Key: "I1/channel", State: incident.Pending, CreatedAt: now, Due: now},
		{Incident: "I1", Target: "oncall", Kind: incident.Call, Round: 1, Key: "I1", State: incident.Pending, CreatedAt: now, Due: now},
	}
}

// Each check finds what it is for, says it as a trouble with the ids, and says that it is over once it is.
func TestAudit(t *testing.T) {
	source := store.SourceState{Name: "prow", Cursor: "7", Entries: 100}
	for _, test := range []struct {
		name  string
		spoil func(inc *incident.Incident, rows []*incident.Notification, src *store.SourceState) []*incident.Notification
		check string
		id    string
	}{
		{name: "nothing is wrong"},
		{"no next step", func(inc *incident.Incident, rows []*incident.Notification, _ *store.SourceState) []*incident.Notification {
			inc.Escalation.Next, inc.Due = time.Time{}, time.Time{}
			return rows
		}, CheckNextStep, "I1"},
		{"a due time, but not that of a step", func(inc *incident.Incident, rows []*incident.Notification, _ *store.SourceState) []*incident.Notification {
			inc.Escalation.Next = time.Time{}
			return rows
		}, CheckNextStep, "I1"},
		{"a step that is overdue", func(inc *incident.Incident, rows []*incident.Notification, _ *store.SourceState) []*incident.Notification {
			inc.Due = inc.OpenedAt
			return rows
		}, CheckNextStep, "I1"},
		{"acknowledged, without a next step", func(inc *incident.Incident, rows []*incident.Notification, _ *store.SourceState) []*incident.Notification {
			inc.State, inc.Escalation.Next, inc.Due = incident.Acknowledged, time.Time{}, time.Time{}
			return rows
		}, "", ""},
		{"paged, and no page", func(_ *incident.Incident, rows []*incident.Notification, _ *store.SourceState) []*incident.Notification {
			return rows[:1]
		}, CheckPages, "I1"},
		{"a channel that was never told", func(_ *incident.Incident, rows []*incident.Notification, _ *store.SourceState) []*incident.Notification {
			return rows[1:]
		}, CheckMessages, "I1 at channel"},
		{"a page given up", func(_ *incident.Incident, rows []*incident.Notification, _ *store.SourceState) []*incident.Notification {
			rows[1].State, rows[1].Cause = incident.Cancelled, "attempts"
			return rows
		}, CheckEnds, "2"},
		{"a page taken back by an acknowledge", func(_ *incident.Incident, rows []*incident.Notification, _ *store.SourceState) []*incident.Notification {
			rows[1].State, rows[1].Cause = incident.Cancelled, "acknowledged"
			return rows
		}, "", ""},
		{"sent, nobody knows when", func(_ *incident.Incident, rows []*incident.Notification, _ *store.SourceState) []*incident.Notification {
			rows[1].State = incident.Sent
			return rows
		}, CheckEnds, "2"},
		{"a source read backwards", func(_ *incident.Incident, rows []*incident.Notification, src *store.SourceState) []*incident.Notification {
			src.Entries, src.Cursor = 0, ""
			return rows
		}, CheckCursors, "prow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "tocsin.db"), store.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				began := time.Now()
				a := NewAudit(s, AuditOptions{Traits: func() map[string]incident.Traits { return traits }, Since: began})
				update(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.SaveSource(ctx, source) })
				step := func() {
					t.Helper()
					next, err := a.Step(t.Context(), time.Now())
					if err != nil || time.Until(next) != AuditEvery {
						t.Fatalf("next %v, %v", next, err)
					}
				}
				step()
				inc, rows := whole(began)
				src := source
				if test.spoil != nil {
					rows = test.spoil(inc, rows, &src)
				}
				update(t, s, func(ctx context.Context, tx *store.Tx) error {
					if err := tx.SaveIncident(ctx, inc); err != nil {
						return err
					}
					for _, n := range rows {
						if _, err := tx.AddNotification(ctx, n); err != nil {
							return err
						}
					}
					return tx.SaveSource(ctx, src)
				})
				time.Sleep(overdueFor + time.Second)
				step()
				got := standing(t, s)
				if test.check == "" && len(got) > 0 || test.check != "" && (len(got) != 1 || !strings.HasSuffix(got[test.check], ": "+test.id)) {
					t.Errorf("found %q, want %q with %q", got, test.check, test.id)
				}
				if n := len(a.Last().Findings); n != len(got) {
					t.Errorf("%d findings, %d troubles", n, len(got))
				}
				// It is resolved: nothing of it can be wrong any more.
				inc.State, inc.ResolvedAt = incident.Resolved, time.Now()
				update(t, s, func(ctx context.Context, tx *store.Tx) error {
					src.Entries, src.Cursor = 200, logs.Cursor("9")
					if err := tx.SaveSource(ctx, src); err != nil {
						return err
					}
					return tx.SaveIncident(ctx, inc)
				})
				time.Sleep(AuditEvery)
				step()
				if got := standing(t, s); len(got) > 0 {
					t.Errorf("still stands: %q", got)
				}
			})
		})
	}
}

// An audit that cannot be written has not been run.
func TestAnAuditWrites(t *testing.T) {
	s := opened(t)
	a := NewAudit(s, AuditOptions{})
	ended, stop := context.WithCancel(t.Context())
	stop()
	if _, err := a.Step(ended, time.Now()); err == nil || !a.Last().At.IsZero() {
		t.Errorf("err %v, last %v", err, a.Last().At)
	}
	if _, err := a.Step(t.Context(), time.Now()); err != nil || a.Last().At.IsZero() {
		t.Errorf("err %v, last %v", err, a.Last().At)
	}
}

func TestClock(t *testing.T) {
	var c Clock
	day := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	var got []time.Duration
	for _, look := range []struct{ wall, mono time.Duration }{
		{0, 5 * time.Hour}, // nothing to compare with
		{10 * time.Second, 5*time.Hour + 10*time.Second},
		{25 * time.Second, 5*time.Hour + 20*time.Second},               // slewed
		{time.Hour + 35*time.Second, 5*time.Hour + 30*time.Second},     // set ahead
		{time.Hour + 45*time.Second, 5*time.Hour + 40*time.Second},     // and goes on
		{55 * time.Second, 5*time.Hour + 50*time.Second},               // set back
		{65*time.Second + 3*time.Hour, 5*time.Hour + 60*time.Second},   // slept
		{65*time.Second + 4*time.Hour, 5*time.Hour + 3660*time.Second}, // was busy, both clocks went
	} {
		got = append(got, c.Look(day.Add(look.wall), look.mono))
	}
	want := []time.Duration{0, 0, 0, time.Hour, 0, -time.Hour, 3 * time.Hour, 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
