package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// attempt is a claimed row with all that its call needs.
type attempt struct {
	// row is as it was claimed.
	row    incident.Notification
	target Target
	notice notifiers.Notice
	// look says that an earlier attempt may have arrived and must be looked for, adopt that an earlier life may have told; stale that a
	// message which did not arrive is left to a digest.
	look, adopt, stale bool
	// over says that it called a person directly and is not to be sent any more: only what has come of it is looked for.
	over bool
	// until is when its time is over by the wall clock.
	until time.Time
	// ask says that nothing is sent: a pager is asked what an earlier life has left open there.
	ask bool
	// revision is the one that a message shows.
	revision int64
}

// claim takes the first due row that can go out, or nil: then the rows that were due wait for others, or are no longer to be
// sent.
func (o *Outbox) claim(ctx context.Context, now time.Time, target string) (*attempt, error) {
	var taken *attempt
	err := o.store.Update(ctx, func(tx *store.Tx) error {
		taken = nil
		if err := o.secondPath(ctx, tx, now, target); err != nil {
			return err
		}
		served, err := o.served(ctx, tx, target)
		if err != nil {
			return err
		}
		c := &claimer{o: o, tx: tx, now: now, incidents: map[string]*incident.Incident{}, rows: map[string][]incident.Notification{},
			holds: map[string]*store.Hold{}}
		for _, t := range served {
			if taken, err = c.first(ctx, t); err != nil || taken != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim notification: %w", err)
	}
	return taken, nil
}

// claimer looks at due rows within one transaction. It reads an incident and its rows once and changes them in place.
type claimer struct {
	o         *Outbox
	tx        *store.Tx
	now       time.Time
	incidents map[string]*incident.Incident
	rows      map[string][]incident.Notification
	holds     map[string]*store.Hold
}

// first claims what is first in turn at a target ("": at that whose row is due first) and can go out. What it leaves is not due at
// now any more, or there is more of it than a batch.
func (c *claimer) first(ctx context.Context, target string) (*attempt, error) {
	t := target
	if t == "" {
		due, err := c.tx.DueNotifications(ctx, c.now, "", 1)
		if err != nil || len(due) == 0 {
			return nil, err
		}
		t = due[0].Target
	}
	if err := c.holdBack(ctx, t); err != nil {
		return nil, err
	}
	due, err := c.tx.DueNotifications(ctx, c.now, t, batch)
	if err != nil {
		return nil, err
	}
	for i := range due {
		if taken, err := c.considerID(ctx, due[i].Incident, due[i].ID); err != nil || taken != nil {
			return taken, err
		}
	}
	return nil, nil
}

func (c *claimer) considerID(ctx context.Context, incidentID string, id int64) (*attempt, error) {
	if err := c.load(ctx, incidentID); err != nil {
		return nil, err
	}
	for i := range c.rows[incidentID] {
		if n := &c.rows[incidentID][i]; n.ID == id {
			return c.consider(ctx, n)
		}
	}
	return nil, fmt.Errorf("notification %d: %w", id, store.ErrNotFound)
}

// load reads an incident and its rows, once.
func (c *claimer) load(ctx context.Context, incidentID string) error {
	if c.incidents[incidentID] != nil {
		return nil
	}
	inc, err := c.tx.Incident(ctx, incidentID)
	if err != nil {
		return err
	}
	if c.rows[incidentID], err = c.tx.Notifications(ctx, incidentID); err != nil {
		return err
	}
	c.incidents[incidentID] = &inc
	return nil
}

// consider claims a row if it is due and may go out now. If not, it is left so that it is not due at now any more.
func (c *claimer) consider(ctx context.Context, n *incident.Notification) (*attempt, error) {
	switch n.State {
	case incident.Pending:
		if n.Due.After(c.now) {
			return nil, nil
		}
	case incident.InFlight:
		if n.Deadline.After(c.now) {
			if living, err := c.tx.Living(ctx, n.Epoch); err != nil || living {
				return nil, err
			}
		}
		n.Unclear = true // nobody will hear its answer any more
	default:
		return nil, nil
	}
	target, known := c.o.o.Targets[n.Target]
	if !known && isRefresh(n, n.Wanted) {
		n.State = incident.Sent
		return nil, c.tx.SaveNotification(ctx, n)
	}
	if !known {
		err := errors.New("there is no receiver of that name in the configuration any more")
		n.Attempts++
		if err := c.o.refused(ctx, c.tx, c.now, n, err); err != nil {
			return nil, err
		}
		return nil, c.tx.SaveNotification(ctx, n)
	}
	if cause := c.moot(n); cause != "" {
		return nil, c.cancel(ctx, n, target, cause)
	}
	if n.State == incident.InFlight && n.Deadline.After(c.now) && target.finder(n) != nil {
		// An earlier life's call may still be on its way: only after its deadline can it be looked for.
		n.Epoch = c.o.store.Epoch()
		n.Deadline = earlier(n.Deadline, c.now.Add(c.o.o.Deadline))
		return nil, c.tx.SaveNotification(ctx, n)
	}
	until, taken, err := c.wait(ctx, n)
	if err != nil || taken != nil || n.State == incident.Cancelled { // what it waited for has taken it along
		return taken, err
	}
	if until.After(c.now) {
		n.State, n.Due = incident.Pending, until
		return nil, c.tx.SaveNotification(ctx, n)
	}
	if c.unasked(n, target) {
		return c.ask(ctx, n, target)
	}
	if done, err := c.otherwise(ctx, n, target); err != nil || done {
		return nil, err
	}
	return c.take(ctx, n, target)
}

// otherwise sees to a row that waits for no other, but is told in another way, or waits for its receiver; done says that it is not to be
// sent now.
func (c *claimer) otherwise(ctx context.Context, n *incident.Notification, target Target) (done bool, err error) {
	if done, err = c.digested(ctx, n, target); err != nil || done {
		return done, err
	}
	if done, err = c.rolled(ctx, n); err != nil || done {
		return done, err
	}
	g, err := c.gate(ctx, n.Target)
	if err != nil {
		return false, err
	}
	if until := g.opens(n); until.After(c.now) {
		n.State, n.Due = incident.Pending, until
		return true, c.tx.SaveNotification(ctx, n)
	}
	if inc := c.incidents[n.Incident]; n.Kind == incident.Call && inc.IsStorm() {
		quiet, err := c.entitle(ctx, inc)
		if err != nil {
			return false, err
		}
		if quiet {
			return true, c.cancel(ctx, n, target, "superseded")
		}
	}
	return false, c.spend(ctx, n)
}

// moot says why a row is not to be sent any more; "" if it is.
func (c *claimer) moot(n *incident.Notification) string {
	inc := c.incidents[n.Incident]
	if c.calls(n) && (!n.Unclear || n.Kind == incident.Call) { // what can be looked for is, first
		if cause := answered(inc, n); cause != "" {
			return cause
		}
	}
	for i := range c.rows[n.Incident] {
		other := &c.rows[n.Incident][i]
		if other.Target != n.Target || other.State == incident.Cancelled {
			continue
		}
		switch {
		case n.Kind == incident.Call && other.Kind == incident.Call && other.Round > n.Round && n.State == incident.Pending:
			return "superseded" // the newer round rings
		case n.Kind == incident.Call && other.Kind == incident.CallResolve && other.Key == n.Key && other.State != incident.Pending:
			return "resolved" // a trigger behind a resolve would open a new alert
		case n.Kind == incident.CallAcknowledge && other.Kind == incident.CallResolve && other.Key == n.Key:
			return "superseded"
		}
	}
	return ""
}

// cancel ends a row. Of a page that may have arrived the pager is told that it is over, or that somebody has it.
func (c *claimer) cancel(ctx context.Context, n *incident.Notification, target Target, cause string) error {
	n.State, n.Cause = incident.Cancelled, cause
	if err := c.tx.SaveNotification(ctx, n); err != nil {
		return err
	}
	if n.Kind != incident.Call || !n.Unclear || !target.Traits.Pages {
		return nil
	}
	kind, reason := incident.CallResolve, incident.ReasonResolved
	if cause == "acknowledged" {
		kind, reason = incident.CallAcknowledge, incident.ReasonUpdated
	}
	_, err := c.tx.AddNotification(ctx, &incident.Notification{Incident: n.Incident, Target: n.Target, Kind: kind, Round: n.Round, Key: n.Key,
		Reason: reason, State: incident.Pending, CreatedAt: c.now, Due: c.now})
	return err
}

// wait is until when a row waits for others of its incident and target; if one of those can go out now, that is taken.
func (c *claimer) wait(ctx context.Context, n *incident.Notification) (until time.Time, taken *attempt, err error) {
	for i := range c.rows[n.Incident] {
		other := &c.rows[n.Incident][i]
		if other.Target != n.Target || c.waitUntil(n, other).IsZero() {
			continue
		}
		if taken, err = c.consider(ctx, other); err != nil || taken != nil {
			return until, taken, err
		}
		// What it waits for is now due later, or is over.
		until = later(until, c.waitUntil(n, other))
	}
	return until, nil, nil
}

// waitUntil is when it is worth asking again whether n still waits for other; zero if it does not wait.
func (c *claimer) waitUntil(n, other *incident.Notification) time.Time {
	under := n.Kind == incident.Post && other.Kind == incident.Message && other.Receipt == ""
	// What rings does not wait for what is not said, only for what would be said just before it.
	sending := other.State == incident.InFlight && other.Deadline.After(c.now) && !other.Unclear // by another replica, or the loop before a reload
	behind := n.Kind == incident.Post && other.Kind == incident.Post && other.ID < n.ID &&
		(other.State == incident.Pending && other.Attempts == 0 && !other.Due.After(c.now) || sending && other.Attempts == 1)
	after := (n.Kind == incident.CallAcknowledge || n.Kind == incident.CallResolve) && other.Kind == incident.Call && other.Key == n.Key
	switch {
	case !under && !after && !behind:
		return time.Time{}
	case other.State == incident.Pending:
		return other.Due
	case sending:
		return earlier(other.Deadline, c.now.Add(lookEvery))
	case other.State == incident.InFlight:
		return other.Deadline
	case after && other.Unclear:
		return other.Deadline.Add(c.o.o.Deadline) // an attempt of it may have been held up on its way
	}
	return time.Time{}
}

// take claims a row that may go out.
func (c *claimer) take(ctx context.Context, n *incident.Notification, target Target) (*attempt, error) {
	if err := c.rollUp(ctx, n); err != nil {
		return nil, err
	}
	inc := c.incidents[n.Incident]
	n.State, n.Epoch = incident.InFlight, c.o.store.Epoch()
	n.Attempts++
	n.Deadline = c.now.Add(c.o.o.Deadline)
	if err := c.tx.SaveNotification(ctx, n); err != nil {
		return nil, err
	}
	a := &attempt{row: *n, target: target, revision: max(inc.Revision, n.Wanted), look: n.Unclear && n.Receipt == "" && target.finder(n) != nil,
		stale: isStale(n, inc, target, c.now),
		over:  n.Kind != incident.Call && c.calls(n) && answered(inc, n) != ""}
	first := n.Kind == incident.Message && n.Receipt == "" && n.SentAt.IsZero()
	_, adopter := target.Notifier.(notifiers.Adopter)
	a.adopt = first && adopter && c.now.Sub(c.o.store.Born()) < young
	a.notice = notifiers.Notice{Notification: *n, Incident: *inc, Now: c.now, Parent: c.parent(n, target)}
	a.notice.Text = late(n, inc, c.rows[n.Incident], c.now)
	if n.Kind == incident.Message {
		a.notice.Rings = a.notice.Parent == ""
	}
	if c.o.o.URL != nil {
		a.notice.URL = c.o.o.URL(n.Incident)
	}
	for _, name := range n.Mention {
		p, known := c.o.o.People[name]
		if !known {
			p = notifiers.Person{Name: name}
		}
		a.notice.People = append(a.notice.People, p)
	}
	if n.Event == 0 {
		return a, nil
	}
	var err error
	var rolled bool
	if a.notice.Event, rolled, err = said(ctx, c.tx, n, c.rows[n.Incident]); rolled {
		a.notice.Text = a.notice.Event.Text
	}
	if a.notice.Event.Kind == incident.EventShift {
		a.notice.Parent = "" // it is of more than this incident, and stands in no thread
	}
	return a, err
}

// parent is the receipt of the incident's message where the row goes, if that can be edited and has a thread.
func (c *claimer) parent(n *incident.Notification, target Target) string {
	if !target.Traits.Edits {
		return ""
	}
	for i := range c.rows[n.Incident] {
		if other := &c.rows[n.Incident][i]; other.Kind == incident.Message && other.Target == n.Target {
			return other.Receipt
		}
	}
	return ""
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
