package actions

import (
	"context"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// storm does what was done with a storm to each of its incidents that its page has named and that nobody has; the page of one that it has
// not named yet goes out by itself after all.
func (a *Actions) storm(ctx context.Context, tx *store.Tx, now time.Time, id string, d deed) error {
	members, err := tx.StormMembers(ctx, id)
	if err != nil {
		return err
	}
	rows, err := tx.Notifications(ctx, id)
	if err != nil {
		return err
	}
	named := d.said.Named(rows)
	for _, m := range members {
		switch {
		case m.State != incident.Open:
			continue
		case m.Round > named:
			err = release(ctx, tx, now, id, m)
		default:
			err = a.within(ctx, tx, now, m.Incident, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// within does a deed to one incident of a storm.
func (a *Actions) within(ctx context.Context, tx *store.Tx, now time.Time, id string, d deed) error {
	inc, err := tx.Incident(ctx, id)
	if err == nil {
		_, err = a.do(ctx, tx, now, inc, d)
	}
	return err
}

// release lets the page of a storm's incident go out by itself.
func release(ctx context.Context, tx *store.Tx, now time.Time, storm string, m store.StormMember) error {
	n, err := tx.Notification(ctx, m.Notification)
	if err != nil || n.State != incident.Cancelled || n.Cause != incident.StormCause(storm) {
		return err
	}
	n.State, n.Cause, n.Due = incident.Pending, "", now
	return tx.SaveNotification(ctx, &n)
}
