package outbox

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/incident"
)

// The bounds of digests.
const (
	// stale is how long a message must have waited to be told in a digest, if its incident is over.
	stale = 5 * time.Minute
	// digestLines is how many incidents a digest lists.
	digestLines = 20
	// lookedFor is how long a digest waits for what is still being looked for.
	lookedFor = 5 * time.Second
)

// isStale says whether a row is a message that never arrived, as far as is known, of an incident that is over long since, at a place
// where people read: a machine wants each by itself.
func isStale(n *incident.Notification, inc *incident.Incident, target Target, now time.Time) bool {
	return n.Kind == incident.Message && n.Receipt == "" && n.SentAt.IsZero() && inc.State == incident.Resolved && target.Traits.Edits &&
		now.Sub(n.CreatedAt) >= stale
}

// digested says whether a stale message is told in a digest, and makes that of all that there are. While the receiver takes nothing each
// is tried by itself: one of them has to find out. It waits for those that may have arrived, which are looked for first.
func (c *claimer) digested(ctx context.Context, n *incident.Notification, target Target) (bool, error) {
	if n.Unclear || !isStale(n, c.incidents[n.Incident], target, c.now) {
		return false, nil
	}
	h, err := c.hold(ctx, receiverHold(n.Target))
	if err != nil || !h.FailingSince.IsZero() {
		return false, err
	}
	all, err := c.tx.UntoldMessages(ctx, n.Target)
	if err != nil {
		return false, err
	}
	var rows []incident.Notification
	for i := range all {
		switch r := &all[i]; {
		case r.Unclear:
			n.State, n.Due = incident.Pending, c.now.Add(lookedFor)
			return true, c.tx.SaveNotification(ctx, n)
		case c.now.Sub(r.CreatedAt) >= stale:
			rows = append(rows, *r)
		}
	}
	if len(rows) < 2 {
		return false, nil
	}
	return true, c.digest(ctx, rows)
}

// digest tells in one post, at the newest of them, of incidents that opened and were over while their messages, the rows, could not be
// sent.
func (c *claimer) digest(ctx context.Context, rows []incident.Notification) error {
	target := rows[0].Target
	event := &incident.Event{Incident: rows[len(rows)-1].Incident, At: c.now, Kind: incident.EventSent}
	for i := range rows {
		if err := c.load(ctx, rows[i].Incident); err != nil {
			return err
		}
		inc := c.incidents[rows[i].Incident]
		if i < digestLines {
			event.Lines = append(event.Lines, incident.Line{Time: inc.OpenedAt,
				Text: fmt.Sprintf("%s, %s, over after %s", inc.Title, inc.Severity, lasting(inc.ResolvedAt.Sub(inc.OpenedAt)))})
		}
		if err := c.cancelUntold(ctx, &rows[i]); err != nil {
			return err
		}
	}
	event.Text = fmt.Sprintf("%d incidents opened and were over in the last %s, while %s could not be told", len(rows), lasting(c.now.Sub(rows[0].CreatedAt)), target)
	if len(rows) > digestLines {
		event.Text += fmt.Sprintf("; the first %d are listed", digestLines)
	}
	if err := c.tx.AppendEvent(ctx, event); err != nil {
		return err
	}
	_, err := c.tx.AddNotification(ctx, &incident.Notification{Incident: event.Incident, Target: target, Kind: incident.Post, Event: event.ID,
		Key: fmt.Sprintf("%s/%s/%d", event.Incident, target, event.ID), Reason: incident.ReasonResolved, Text: event.Text, CreatedAt: c.now, Due: c.now})
	return err
}

// cancelUntold cancels a message that a digest tells, and what waits to be said under it.
func (c *claimer) cancelUntold(ctx context.Context, message *incident.Notification) error {
	rows := c.rows[message.Incident]
	for i := range rows {
		r := &rows[i]
		if r.ID != message.ID && (r.Kind != incident.Post || r.Target != message.Target || r.State != incident.Pending) {
			continue
		}
		r.State, r.Cause = incident.Cancelled, "digest"
		if err := c.tx.SaveNotification(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
