package app

import (
	"context"
	"testing"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/store"
	"tocsin/rules"
)

// TestForgetting: what is over is looked for a minute after a turn has begun, then once an hour, and at once again while there is more.
func TestForgetting(t *testing.T) {
	ctx := t.Context()
	s, err := store.Open(ctx, ":memory:", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	old := func(id string, n int) {
		t.Helper()
		err := s.Update(ctx, func(tx *store.Tx) error {
			if err := tx.SaveIncident(ctx, &incident.Incident{ID: id, State: incident.Resolved, ResolvedAt: now.AddDate(0, 0, -2)}); err != nil {
				return err
			}
			for range n {
				if err := tx.AppendEvent(ctx, &incident.Event{Incident: id}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	old("A", pruneMost+1)
	a := &App{store: s}
	a.current.plan = &Plan{Rules: rules.NewSet(nil), File: &config.File{Retention: config.Retention{Incidents: setting.Duration(24 * time.Hour), Timeline: setting.Duration(time.Hour)}}}
	held, _, err := s.Acquire(ctx, engineLease)
	if err != nil {
		t.Fatal(err)
	}
	step := a.prune(&lead{held: held})
	check := func(wait time.Duration, incidents, events int64) {
		t.Helper()
		next, err := step(context.Background(), now)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.forgotten(); next.Sub(now) != wait || got["incidents"] != incidents || got["timeline"] != events {
			t.Errorf("deleted %v, next in %s, want %d, %d, in %s", got, next.Sub(now), incidents, events, wait)
		}
		now = next
	}
	check(time.Minute, 0, 0)
	check(prunePauses, 0, pruneMost)
	check(time.Hour, 1, pruneMost+1)
	now = now.Add(-time.Second)
	check(time.Second, 1, pruneMost+1) // not before
	old("B", 1)
	check(time.Hour, 2, pruneMost+2)
	now = now.AddDate(0, -1, 0) // the clock was set back: it does not stop for a month
	check(time.Minute, 2, pruneMost+2)
}
