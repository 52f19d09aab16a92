// Package actions is what a person does to incidents: acknowledge, resolve. Whoever they speak through (the page, a command, a
// pager), it comes here, is checked, and is written in one transaction with all that follows from it.
package actions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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

// Acknowledge records that by has the incident: the pages stop until something new happens. id may be a prefix that names one
// incident.
func (a *Actions) Acknowledge(ctx context.Context, id, by string, now time.Time) error {
	return a.act(ctx, id, by, now, func(b *incident.Book, inc *incident.Incident) bool { return b.Acknowledge(inc, by, incident.Said{}) })
}

// Resolve ends the incident. What still fires in ten minutes reopens it.
func (a *Actions) Resolve(ctx context.Context, id, by string, now time.Time) error {
	return a.act(ctx, id, by, now, func(b *incident.Book, inc *incident.Incident) bool { return b.Resolve(inc, by, incident.Said{}) })
}

// Answered takes what somebody said at a pager: an acknowledge or a resolve of a key, at a time. What is so already, or was said
// before something new took it back, changes nothing, so the same answer may come again and again.
func (a *Actions) Answered(ctx context.Context, receiver, key string, state incident.State, by string, at, now time.Time) error {
	return a.store.Update(ctx, func(tx *store.Tx) error {
		inc, err := ringsBy(ctx, tx, receiver, key)
		if errors.Is(err, store.ErrNotFound) {
			return nil // nothing here rings by that key
		}
		if err != nil {
			return err
		}
		fresh, err := isFresh(ctx, tx, &inc, receiver, key, state, at)
		if err != nil || !fresh {
			return err
		}
		if inc.State != incident.Open && (inc.State != incident.Acknowledged || state != incident.Resolved) {
			return nil
		}
		return a.settle(ctx, tx, now, inc, func(b *incident.Book, inc *incident.Incident) bool {
			if state == incident.Resolved {
				return b.Resolve(inc, by, incident.Said{Receiver: receiver, Key: key})
			}
			return b.Acknowledge(inc, by, incident.Said{Receiver: receiver, Key: key})
		})
	})
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

// isFresh says whether an answer is one, about what rings now: somebody who took an older round has it too. It is not if tocsin itself
// told the pager so under that key, nor if it was given before something new took it back; what rang since is about the new, whatever
// second the pager gives, or if it gives none.
func isFresh(ctx context.Context, tx *store.Tx, inc *incident.Incident, receiver, key string, state incident.State, at time.Time) (bool, error) {
	rows, err := tx.Notifications(ctx, inc.ID)
	if err != nil {
		return false, err
	}
	fresh := false
	for i := range rows {
		n := &rows[i]
		if n.Target != receiver || n.Key != key || n.State == incident.Cancelled {
			continue
		}
		switch n.Kind {
		case incident.Call:
			fresh = at.After(inc.Escalation.Retaken) || !n.CreatedAt.Before(inc.Escalation.Retaken)
		case incident.CallResolve:
			return false, nil
		case incident.CallAcknowledge:
			if state == incident.Acknowledged {
				return false, nil
			}
		}
	}
	return fresh, nil
}

func (a *Actions) act(ctx context.Context, id, by string, now time.Time, do func(b *incident.Book, inc *incident.Incident) bool) error {
	if by = strings.TrimSpace(by); by == "" || len(by) > 200 {
		return &Error{Reason: "invalid", Text: "say who you are, in at most 200 characters"}
	}
	return a.store.Update(ctx, func(tx *store.Tx) error {
		inc, err := tx.FindIncident(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return &Error{Reason: "not_found", Text: fmt.Sprintf("no incident %q", id)}
		}
		if err != nil {
			return err
		}
		return a.settle(ctx, tx, now, inc, do)
	})
}

func (a *Actions) settle(ctx context.Context, tx *store.Tx, now time.Time, inc incident.Incident, do func(b *incident.Book, inc *incident.Incident) bool) error {
	book := incident.NewBook(now, []incident.Incident{inc})
	if !do(book, book.Get(inc.ID)) {
		return &Error{Reason: "conflict", Text: fmt.Sprintf("incident %s is %s already", inc.ID, inc.State)}
	}
	if err := a.desk().Settle(ctx, tx, now, book); err != nil || !inc.IsStorm() {
		return err
	}
	return a.storm(ctx, tx, now, inc.ID, do)
}
