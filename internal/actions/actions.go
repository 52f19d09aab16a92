// Package actions is what a person does to incidents: acknowledge, resolve. Whoever they speak through (the page, a command, a
// pager), it comes here, is checked, and is written in one transaction with all that follows from it.
package actions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// Error is the caller's mistake, with the code by which pages and commands answer it.
type Error struct {
	// Reason is not_found, conflict or invalid.
	Reason string
	Text   string
}

func (e *Error) Error() string { return e.Text }

// Code is the reason.
func (e *Error) Code() string { return e.Reason }

// Actions does what people ask for.
type Actions struct {
	store *store.Store
	desk  func() *store.Desk
}

// New makes Actions. desk is asked each time for what is in force.
func New(s *store.Store, desk func() *store.Desk) *Actions { return &Actions{store: s, desk: desk} }

// Acknowledge records that by has the incident: the pages stop until something new happens. What another has by takes over. id may be a prefix that names one
// incident.
func (a *Actions) Acknowledge(ctx context.Context, id, by string, now time.Time) error {
	return a.act(ctx, id, now, deed{state: incident.Acknowledged, by: by})
}

// Resolve ends the incident. What still fires in ten minutes reopens it.
func (a *Actions) Resolve(ctx context.Context, id, by string, now time.Time) error {
	return a.act(ctx, id, now, deed{state: incident.Resolved, by: by})
}

// deed is what somebody did to an incident: acknowledged or resolved it.
type deed struct {
	state incident.State
	by    string
	said  incident.Said
	// answer is what a pager says of it, always the same; "" if it does not tell when it was.
	answer string
}

// verb is what was done.
func (d *deed) verb() string {
	if d.state == incident.Resolved {
		return "resolve"
	}
	return "acknowledge"
}

// heardAs is where it is kept which answer was taken last.
func (d *deed) heardAs() string { return d.said.Receiver + " " + d.said.Key }

// Answered takes what somebody said at a pager: an acknowledge or a resolve of a key, at a time, by the pager's clock; zero if it does
// not tell. An acknowledge covers what was open then. What is so already, or was said before something new took it back, changes
// nothing, so the same answer may come again and again.
func (a *Actions) Answered(ctx context.Context, receiver, key string, state incident.State, by string, at, now time.Time) error {
	return a.store.Update(ctx, func(tx *store.Tx) error {
		inc, err := ringsBy(ctx, tx, receiver, key)
		if errors.Is(err, store.ErrNotFound) {
			return nil // nothing here rings by that key
		}
		if err != nil {
			return err
		}
		d := deed{state: state, by: by, said: incident.Said{Receiver: receiver, Key: key}}
		if !at.IsZero() {
			d.answer = string(state) + " " + at.UTC().Format(time.RFC3339Nano)
		}
		if d.answer != "" && inc.Escalation.Heard[d.heardAs()] == d.answer {
			return nil
		}
		asked := a.isAsked(&inc, by, at)
		rang, err := isFresh(ctx, tx, &inc, d, at, asked)
		if err != nil || rang == nil {
			return err
		}
		if inc.State != incident.Open && (inc.State != incident.Acknowledged || state != incident.Resolved && !asked && !inc.Asks(rang)) {
			return nil
		}
		if rang.Cause == incident.Adopted {
			if inc.IsStorm() {
				return nil // nobody knows which incidents it was said of
			}
			d.said.Earlier = !at.After(rang.SentAt)
		}
		d.said.At = givenAt(rang, at, now)
		return a.settle(ctx, tx, now, inc, d)
	})
}

// Assigned notes in the timeline that somebody gave a page to others at a pager: by the pager's clock at a time, by which it is known again.
func (a *Actions) Assigned(ctx context.Context, receiver, key string, people []string, by string, at, now time.Time) error {
	return a.store.Update(ctx, func(tx *store.Tx) error {
		inc, err := ringsBy(ctx, tx, receiver, key)
		if errors.Is(err, store.ErrNotFound) || err == nil && !alive(&inc) {
			return nil
		}
		if err != nil {
			return err
		}
		heardAs, said := receiver+" "+key+" assigned", at.UTC().Format(time.RFC3339Nano)
		if before, err := time.Parse(time.RFC3339Nano, inc.Escalation.Heard[heardAs]); err == nil && !at.After(before) {
			return nil
		}
		heard := maps.Clone(inc.Escalation.Heard)
		if heard == nil {
			heard = map[string]string{}
		}
		heard[heardAs], inc.Escalation.Heard = said, heard
		if err := tx.SaveIncident(ctx, &inc); err != nil {
			return err
		}
		return tx.AppendEvent(ctx, &incident.Event{Incident: inc.ID, At: now, Kind: incident.EventNote, By: by,
			Text: fmt.Sprintf("at %s it is given to %s", receiver, strings.Join(people, ", "))})
	})
}

// givenAt is when an answer to a page was given, by our clock; zero for now. The pager's may differ. Nobody answers what has not rung: at
// the earliest it was when the page was made, so that an answer that seems older covers too little rather than too much, and what it
// does not cover rings once more. So it is with one from a time that is well to come: by how much the clocks differ nobody knows.
func givenAt(rang *incident.Notification, at, now time.Time) time.Time {
	const skew = 5 * time.Second // of clocks that are kept
	switch {
	case at.IsZero() || !at.Before(now) && !at.After(now.Add(skew)):
		return time.Time{}
	case at.Before(rang.CreatedAt), at.After(now):
		return rang.CreatedAt
	}
	return at
}

// ringsBy is the incident that a pager rings for under a key: the key is made of its id, or was adopted from an earlier life.
func ringsBy(ctx context.Context, tx *store.Tx, receiver, key string) (incident.Incident, error) {
	id, _, _ := strings.Cut(key, ".")
	inc, err := tx.Incident(ctx, id)
	if !errors.Is(err, store.ErrNotFound) {
		return inc, err
	}
	calls, err := tx.UnsettledCalls(ctx)
	if err != nil {
		return inc, err
	}
	for _, n := range calls {
		if n.Target == receiver && n.Key == key {
			return tx.Incident(ctx, n.Incident)
		}
	}
	return inc, store.ErrNotFound
}

// isAsked says whether who answers, at a time by the pager's clock, is one of those who are asked by then to take over what somebody has.
func (a *Actions) isAsked(inc *incident.Incident, by string, at time.Time) bool {
	const tick = time.Second // of the pager's clock
	if inc.State != incident.Acknowledged || inc.Acknowledgement.Asked == nil {
		return false
	}
	asked, name := inc.Acknowledgement.Asked, escalation.Named(a.desk().People, by)
	return name != "" && slices.Contains(asked.To, name) && at.Add(tick).After(asked.At)
}

// isFresh is the page that an answer is to, if it is one about what rings now: somebody who took an older round has it too. It is not if
// tocsin itself told the pager so under that key, unless it is of one of those who are asked, nor if it was given before something new took it
// back; what rang since is about the new, whatever second the pager gives, or if it gives none.
func isFresh(ctx context.Context, tx *store.Tx, inc *incident.Incident, d deed, at time.Time, asked bool) (*incident.Notification, error) {
	rows, err := tx.Notifications(ctx, inc.ID)
	if err != nil {
		return nil, err
	}
	var rang *incident.Notification
	for i := range rows {
		n := &rows[i]
		if n.Target != d.said.Receiver || n.Key != d.said.Key || n.State == incident.Cancelled {
			continue
		}
		switch n.Kind {
		case incident.Call:
			if at.After(inc.Escalation.Retaken) || n.Cause != incident.Adopted && !n.CreatedAt.Before(inc.Escalation.Retaken) {
				rang = n
			}
		case incident.CallResolve:
			return nil, nil
		case incident.CallAcknowledge:
			if d.state == incident.Acknowledged && !asked {
				return nil, nil
			}
		}
	}
	return rang, nil
}

// find is the incident of an id or of the beginning of one.
func find(ctx context.Context, tx *store.Tx, id string) (incident.Incident, error) {
	inc, err := tx.FindIncident(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return inc, &Error{Reason: "not_found", Text: fmt.Sprintf("no incident %q", id)}
	}
	return inc, err
}

func (a *Actions) act(ctx context.Context, id string, now time.Time, d deed) error {
	if d.by = strings.TrimSpace(d.by); d.by == "" || len(d.by) > 200 {
		return &Error{Reason: "invalid", Text: "say who you are, in at most 200 characters"}
	}
	return a.store.Update(ctx, func(tx *store.Tx) error {
		inc, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		return a.settle(ctx, tx, now, inc, d)
	})
}

// settle does a deed, to a storm and what it stands for alike.
func (a *Actions) settle(ctx context.Context, tx *store.Tx, now time.Time, inc incident.Incident, d deed) error {
	done, err := a.do(ctx, tx, now, inc, d)
	if err != nil {
		return err
	}
	if !done {
		return &Error{Reason: "conflict", Text: fmt.Sprintf("incident %s is %s already", inc.ID, inc.State)}
	}
	trace := access.Deed{Who: d.by, Deed: d.verb(), About: "incident " + inc.ID}
	if d.said.Receiver != "" {
		trace.Way = "pager " + d.said.Receiver
	}
	if err := access.Record(ctx, tx, now, trace); err != nil {
		return err
	}
	if !inc.IsStorm() {
		return nil
	}
	return a.storm(ctx, tx, now, &inc, d)
}

// has says whether one of the configuration's people has an incident, by whatever name.
func (a *Actions) has(inc *incident.Incident, by string) bool {
	people := a.desk().People
	name := escalation.Named(people, by)
	return inc.Acknowledgement != nil && name != "" && escalation.Named(people, inc.Acknowledgement.By) == name
}

// do does a deed to one incident. It says false if there is nothing to be done to it any more.
func (a *Actions) do(ctx context.Context, tx *store.Tx, now time.Time, inc incident.Incident, d deed) (done bool, err error) {
	book := incident.NewBook(now, []incident.Incident{inc})
	book.EndByHand(a.desk().ByHand)
	if !d.said.At.IsZero() {
		if d.said.Timeline, err = tx.Events(ctx, inc.ID); err != nil {
			return false, err
		}
	}
	if d.state == incident.Resolved {
		done = book.Resolve(book.Get(inc.ID), d.by, d.said)
	} else {
		d.said.Again = a.has(&inc, d.by)
		done = book.Acknowledge(book.Get(inc.ID), d.by, d.said)
	}
	if !done {
		return false, nil
	}
	if d.answer != "" {
		e := &book.Get(inc.ID).Escalation
		heard := maps.Clone(e.Heard)
		if heard == nil {
			heard = map[string]string{}
		}
		heard[d.heardAs()], e.Heard = d.answer, heard
	}
	return true, a.desk().Settle(ctx, tx, now, book)
}
