package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
)

// What the audit asks means the same on every database: of four incidents each misses one thing, and one misses nothing.
func TestAuditQueries(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		save := func(id string, change func(inc *incident.Incident, call *incident.Notification) bool) {
			inc := &incident.Incident{ID: id, Project: "p", State: incident.Open, Severity: incident.Critical, OpenedAt: day, Labels: incident.Labels{},
				Receivers: []string{"oncall"}, Policy: "urgent", PagedSeverity: incident.Critical,
				Escalation: incident.Escalation{Start: day, Next: day.Add(time.Hour)}, Due: day.Add(time.Hour)}
			call := &incident.Notification{Incident: id, Target: "oncall", Kind: incident.Call, Round: 1, Key: id, CreatedAt: day, State: incident.Sent, SentAt: day}
			keep := change(inc, call)
			update(t, s, func(ctx context.Context, tx *Tx) error {
				if err := tx.SaveIncident(ctx, inc); err != nil || !keep {
					return err
				}
				_, err := tx.AddNotification(ctx, call)
				return err
			})
		}
		save("WHOLE", func(*incident.Incident, *incident.Notification) bool { return true })
		save("NOSTEP", func(inc *incident.Incident, _ *incident.Notification) bool {
			inc.Escalation.Next = time.Time{}
			return true
		})
		save("NOCALL", func(*incident.Incident, *incident.Notification) bool { return false })
		save("GIVENUP", func(_ *incident.Incident, call *incident.Notification) bool {
			call.State, call.Cause, call.SentAt = incident.Cancelled, "age", time.Time{}
			return true
		})
		save("STORM", func(_ *incident.Incident, call *incident.Notification) bool {
			call.State, call.Cause, call.SentAt = incident.Cancelled, "superseded by storm 01D", time.Time{}
			return true
		})
		save("WAITS", func(_ *incident.Incident, call *incident.Notification) bool {
			call.State, call.SentAt, call.CreatedAt = incident.Pending, time.Time{}, day.Add(time.Minute)
			return true
		})
		save("OVER", func(inc *incident.Incident, _ *incident.Notification) bool {
			inc.State, inc.Escalation.Next, inc.Due = incident.Resolved, time.Time{}, time.Time{}
			return false
		})
		view(t, s, func(ctx context.Context, tx *Tx) error {
			got := map[string][]string{}
			var err error
			for name, ask := range map[string]func() ([]string, error){
				"overdue":  func() ([]string, error) { return tx.Overdue(ctx, day.Add(time.Minute)) },
				"late":     func() ([]string, error) { return tx.Overdue(ctx, day.Add(2*time.Hour)) },
				"uncalled": func() ([]string, error) { return tx.Uncalled(ctx) },
				"misended": func() ([]string, error) { return tx.Misended(ctx) },
			} {
				if got[name], err = ask(); err != nil {
					return err
				}
			}
			untold, err := tx.Untold(ctx)
			if err != nil {
				return err
			}
			for _, n := range untold {
				got["untold"] = append(got["untold"], n.Incident+" "+n.Target)
			}
			pending, err := tx.PendingByTarget(ctx)
			if err != nil {
				return err
			}
			got["pending"] = []string{fmt.Sprint(pending)}
			oldest, err := tx.OldestCall(ctx)
			got["oldest"] = []string{oldest.Sub(day).String()}
			want := map[string][]string{"overdue": {"NOSTEP"}, "late": {"GIVENUP", "NOCALL", "NOSTEP", "STORM", "WAITS", "WHOLE"}, "uncalled": {"NOCALL"},
				"misended": {"3"}, "untold": {"NOCALL oncall"}, "pending": {"map[oncall:1]"}, "oldest": {"1m0s"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			return err
		})
	})
}
