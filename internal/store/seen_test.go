package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
)

// TestMark: whatever people look at changes it, and nothing else does.
func TestMark(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		mark := func() (m string) {
			view(t, s, func(ctx context.Context, tx *Tx) (err error) {
				m, err = tx.Mark(ctx)
				return err
			})
			return m
		}
		inc := &incident.Incident{ID: "01D", Project: "p", State: incident.Open, Severity: incident.High, OpenedAt: day, Labels: incident.Labels{}}
		n := &incident.Notification{Incident: "01D", Target: "ops", Kind: incident.Message, Key: "k", CreatedAt: day, Due: day, State: incident.Pending}
		for _, step := range []struct {
			what    string
			do      func(ctx context.Context, tx *Tx) error
			changes bool
		}{
			{"an incident", func(ctx context.Context, tx *Tx) error { return tx.SaveIncident(ctx, inc) }, true},
			{"another revision", func(ctx context.Context, tx *Tx) error {
				inc.Revision++
				return tx.SaveIncident(ctx, inc)
			}, true},
			{"a line of its timeline", func(ctx context.Context, tx *Tx) error {
				return tx.AppendEvent(ctx, &incident.Event{Incident: "01D", At: day, Kind: incident.EventNote, Text: "x"})
			}, true},
			{"a notification", func(ctx context.Context, tx *Tx) error {
				_, err := tx.AddNotification(ctx, n)
				return err
			}, true},
			{"its end", func(ctx context.Context, tx *Tx) error {
				inc.State, inc.ResolvedAt = incident.Resolved, day.Add(time.Minute)
				return tx.SaveIncident(ctx, inc)
			}, true},
			{"a source that is read on", func(ctx context.Context, tx *Tx) error {
				return tx.SaveSource(ctx, SourceState{Name: "logs", Clock: day})
			}, false},
		} {
			before := mark()
			update(t, s, step.do)
			if changed := mark() != before; changed != step.changes {
				t.Errorf("%s changes it: %t", step.what, changed)
			}
		}
	})
}

// TestRuleTallies: how often each rule has fired, in which incident last, and how many of its alerts fire now.
func TestRuleTallies(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		update(t, s, func(ctx context.Context, tx *Tx) error {
			for i, id := range []string{"01A", "01B", "01C"} {
				key := incident.Key{Rule: "r", Group: "{}"}
				inc := &incident.Incident{ID: id, Project: "p", State: incident.Open, Severity: incident.High, OpenedAt: day, Labels: incident.Labels{}}
				inc.Alerts = []incident.Alert{{Key: key, Incident: id, State: incident.Firing, Severity: incident.High, Mode: incident.Tell, First: day, Last: day}}
				if i == 0 {
					inc.Alerts[0].State = incident.AlertResolved
				}
				if err := tx.SaveIncident(ctx, inc); err != nil {
					return err
				}
				if err := tx.AddFiring(ctx, Firing{Key: key, At: day.Add(time.Duration(i*i) % 3 * time.Hour), Mode: incident.Tell, Incident: id}); err != nil {
					return err
				}
			}
			return tx.AddFiring(ctx, Firing{Key: incident.Key{Rule: "shadow", Group: "{}"}, At: day, Mode: incident.Shadow})
		})
		view(t, s, func(ctx context.Context, tx *Tx) error {
			got, err := tx.RuleTallies(ctx)
			want := map[string]RuleTally{"r": {Rule: "r", Firing: 2, Fired: 2, Last: day.Add(time.Hour), Incident: "01C"}, "shadow": {Rule: "shadow", Fired: 1, Last: day}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			return err
		})
	})
}
