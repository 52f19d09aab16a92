package actions

import (
	"context"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// storm does what was done with a storm to each of its incidents that its page has named and that nobody has; the page of one that it has
// not named yet, or not what is new in it, goes out by itself after all.
func (a *Actions) storm(ctx context.Context, tx *store.Tx, now time.Time, storm *incident.Incident, d deed) error {
	members, err := tx.StormMembers(ctx, storm.ID)
	if err != nil {
		return err
	}
	rows, err := tx.Notifications(ctx, storm.ID)
	if err != nil {
		return err
	}
	named, at := d.said.Named(rows)
	for _, m := range members {
		if m.State != incident.Open {
			continue
		}
		inc, err := tx.Incident(ctx, m.Incident)
		if err != nil {
			return err
		}
		if m.Round > named || inc.Escalation.Retaken.After(at) {
			err = release(ctx, tx, now, storm, &inc)
		} else {
			_, err = a.do(ctx, tx, now, inc, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// release lets the newest page of a storm's incident go out by itself, if the storm's stands for it. What rang or rings by itself since
// needs none.
func release(ctx context.Context, tx *store.Tx, now time.Time, storm, inc *incident.Incident) error {
	rows, err := tx.Notifications(ctx, inc.ID)
	if err != nil {
		return err
	}
	var newest *incident.Notification
	for i := range rows {
		if n := &rows[i]; n.Kind == incident.Call && n.Target == storm.Labels["receiver"] && (newest == nil || n.Round > newest.Round) {
			newest = n
		}
	}
	if newest == nil || newest.State != incident.Cancelled || newest.Cause != incident.StormCause(storm.ID) {
		return nil
	}
	newest.State, newest.Cause, newest.Due = incident.Pending, "", now
	return tx.SaveNotification(ctx, newest)
}
