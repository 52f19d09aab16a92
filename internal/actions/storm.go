package actions

import (
	"context"
	"slices"
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

// release lets the newest of what called for a storm's incident go out by itself, if the storm's page stands for it: a page, or what a
// person is told directly, a message with what was to be said under it. What rang or rings by itself since needs none.
func release(ctx context.Context, tx *store.Tx, now time.Time, storm, inc *incident.Incident) error {
	rows, err := tx.Notifications(ctx, inc.ID)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(n incident.Notification) bool { return n.Target != storm.Labels["receiver"] })
	rolled := func(n *incident.Notification) bool {
		return n.State == incident.Cancelled && n.Cause == incident.StormCause(storm.ID)
	}
	var newest, message *incident.Notification
	for i := range rows {
		n := &rows[i]
		if n.Kind == incident.Message && rolled(n) {
			message = n
		}
		calls := n.Kind == incident.Call || n.Kind == incident.Message || n.Kind == incident.Post && n.Rings
		// They are oldest first, but a message that calls again keeps its place.
		if calls && (newest == nil || newest.Kind != incident.Message || !n.CreatedAt.Before(newest.CreatedAt)) {
			newest = n
		}
	}
	if newest == nil || !rolled(newest) {
		return nil
	}
	if newest.Kind == incident.Post && message != nil {
		newest = message // it is said first
	}
	for i := range rows {
		n := &rows[i]
		if under := newest.Kind == incident.Message && n.Kind == incident.Post && rolled(n); n != newest && !under {
			continue
		}
		n.State, n.Cause, n.Due = incident.Pending, "", now
		if n.Kind == incident.Message {
			n.Wanted = inc.Revision
		}
		if err := tx.SaveNotification(ctx, n); err != nil {
			return err
		}
	}
	return nil
}
