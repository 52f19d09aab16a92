package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
)

// TestOverrides: those that have not ended come back as they were made, in that order.
func TestOverrides(t *testing.T) { onEachOpened(t, overrides) }

func overrides(t *testing.T, s *Store) {
	made := []Override{
		{Schedule: "prow", Person: "ana", From: day, To: day.Add(time.Hour), By: "ben", Reason: nasty, At: day.Add(-time.Hour)},
		{Schedule: "prow", Person: "ben", From: day, To: day.Add(2 * time.Hour), By: "ana", Reason: "swapped", At: day},
		{Schedule: "other", Person: "ana", From: day, To: day.Add(2 * time.Hour), By: "ana", Reason: "x", At: day},
	}
	update(t, s, func(ctx context.Context, tx *Tx) error {
		var errs []error
		for i := range made {
			errs = append(errs, tx.AddOverride(ctx, &made[i]))
		}
		return errors.Join(errs...)
	})
	for _, test := range []struct {
		after time.Time
		want  []Override
	}{{day, made[:2]}, {day.Add(time.Hour), made[1:2]}, {day.Add(2 * time.Hour), nil}} {
		view(t, s, func(ctx context.Context, tx *Tx) error {
			got, err := tx.Overrides(ctx, "prow", test.after)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("after %s: %s", test.after, diff)
			}
			return err
		})
	}
}

// TestShiftNotifications: what waits and what belongs to incidents that are not over moves, none of it for what is.
func TestShiftNotifications(t *testing.T) { onEachOpened(t, shifted) }

func shifted(t *testing.T, s *Store) {
	rows := map[string]*incident.Notification{}
	update(t, s, func(ctx context.Context, tx *Tx) error {
		for id, state := range map[string]incident.State{"open": incident.Open, "over": incident.Resolved} {
			inc := fullIncident(id)
			inc.State = state
			if err := tx.SaveIncident(ctx, &inc); err != nil {
				return err
			}
			for _, n := range []incident.Notification{
				{Target: "a", State: incident.Sent, SentAt: day.Add(time.Second)},
				{Target: "b", State: incident.Pending},
				{Target: "c", State: incident.InFlight, Deadline: day.Add(10 * time.Second)},
			} {
				n.Incident, n.Kind, n.CreatedAt, n.Due = id, incident.Call, day, day.Add(time.Minute)
				if _, err := tx.AddNotification(ctx, &n); err != nil {
					return err
				}
				rows[id+" "+n.Target] = &n
			}
		}
		return tx.ShiftNotifications(ctx, -time.Hour)
	})
	rows["over a"].ID *= -1 // the one that stays
	for name, before := range rows {
		by := -time.Hour
		if before.ID < 0 {
			before.ID, by = -before.ID, 0
		}
		view(t, s, func(ctx context.Context, tx *Tx) error {
			got, err := tx.Notification(ctx, before.ID)
			for what, pair := range map[string][2]time.Time{"created": {before.CreatedAt, got.CreatedAt}, "due": {before.Due, got.Due}, "sent": {before.SentAt, got.SentAt}, "deadline": {before.Deadline, got.Deadline}} {
				if pair[0].IsZero() != pair[1].IsZero() || !pair[0].IsZero() && pair[1].Sub(pair[0]) != by {
					t.Errorf("%s: %s moved from %s to %s, want by %s", name, what, pair[0], pair[1], by)
				}
			}
			return err
		})
	}
}
