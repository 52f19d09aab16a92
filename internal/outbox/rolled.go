package outbox

import (
	"context"
	"fmt"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// fewPosts is how many posts of one incident may wait for a place in its thread. More are said as one.
const fewPosts = 3

// rolledInto is the cause of a post that another says.
func rolledInto(id int64) string { return fmt.Sprintf("rolled into %d", id) }

// rollUp rolls the quiet posts that wait behind n for the same thread into it, if they are more than a few. It does so before n's first
// attempt only, so that every attempt says the same. What rings stays where it is, and what comes behind it too.
func (c *claimer) rollUp(ctx context.Context, n *incident.Notification) error {
	if n.Kind != incident.Post || n.Rings || n.Attempts > 0 || len(n.Mention) > 0 {
		return nil
	}
	var waiting []*incident.Notification
	for i := range c.rows[n.Incident] { // by id
		other := &c.rows[n.Incident][i]
		if other.ID <= n.ID || other.Kind != incident.Post || other.Target != n.Target || other.State != incident.Pending {
			continue
		}
		if other.Rings || len(other.Mention) > 0 {
			break
		}
		if other.Attempts == 0 {
			waiting = append(waiting, other)
		}
	}
	if len(waiting) <= fewPosts {
		return nil
	}
	for _, other := range waiting {
		other.State, other.Cause = incident.Cancelled, rolledInto(n.ID)
		if err := c.tx.SaveNotification(ctx, other); err != nil {
			return err
		}
	}
	return nil
}

// said is the event that a post tells; one that stands for several says how many, and lists them.
func said(ctx context.Context, tx *store.Tx, n *incident.Notification, rows []incident.Notification) (e incident.Event, rolled bool, err error) {
	if e, err = tx.Event(ctx, n.Event); err != nil {
		return e, false, err
	}
	lines := []incident.Line{{Time: e.At, Text: e.Text}}
	for i := range rows {
		if rows[i].Cause != rolledInto(n.ID) {
			continue
		}
		other, err := tx.Event(ctx, rows[i].Event)
		if err != nil {
			return e, false, err
		}
		lines = append(lines, incident.Line{Time: other.At, Text: other.Text})
	}
	if rolled = len(lines) > 1; rolled {
		e.Text, e.Lines = fmt.Sprintf("%d things happened at once, the last: %s", len(lines), lines[len(lines)-1].Text), lines
	}
	return e, rolled, nil
}
