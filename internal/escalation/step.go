package escalation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// Program is what an Escalation works by; a reload swaps it whole.
type Program struct {
	// Plans are the policies by name, Rotas the schedules.
	Plans map[string]*Plan
	Rotas map[string]*Rota
	// Fallback is the receiver that hears when nobody answered.
	Fallback string
	Desk     *store.Desk
}

// Escalation is the second of the three steps: what waits in incidents and is due becomes rows of the outbox.
type Escalation struct {
	store     *store.Store
	program   func() Program
	failpoint func(name string)
}

// New makes the step. program is asked at each step for what is in force. failpoint may be nil; it is called at
// "escalation.before_commit".
func New(s *store.Store, program func() Program, failpoint func(name string)) *Escalation {
	if failpoint == nil {
		failpoint = func(string) {}
	}
	return &Escalation{store: s, program: program, failpoint: failpoint}
}

// Step does what is due first up to now, for one incident in one transaction. next says when there is more: now, if there is more
// at once; zero if nothing waits.
func (e *Escalation) Step(ctx context.Context, now time.Time) (next time.Time, err error) {
	err = e.store.Update(ctx, func(tx *store.Tx) error {
		due, err := tx.DueIncidents(ctx, now, 1)
		if err != nil {
			return err
		}
		if len(due) > 0 {
			if err := e.wake(ctx, tx, due[0], now); err != nil {
				return fmt.Errorf("escalate %s: %w", due[0].ID, err)
			}
			e.failpoint("escalation.before_commit")
		}
		next, err = tx.NextIncidentDue(ctx)
		return err
	})
	if err != nil {
		return now, err
	}
	if !next.IsZero() && next.Before(now) {
		next = now
	}
	return next, nil
}

// wake does what is due in one incident.
func (e *Escalation) wake(ctx context.Context, tx *store.Tx, due incident.Incident, now time.Time) error {
	book := incident.NewBook(now, []incident.Incident{due})
	inc := book.Get(due.ID)
	p := e.program()
	if !book.Wake(inc) && inc.State == incident.Open {
		e.climb(book, inc, p, now)
	}
	return p.Desk.Settle(ctx, tx, now, book)
}

// climb takes the next step of an open incident's policy, if it is due.
func (e *Escalation) climb(book *incident.Book, inc *incident.Incident, p Program, now time.Time) {
	plan := p.Plans[inc.Policy]
	if plan == nil { // the policy is gone: routing anew finds another, or none
		esc := inc.Escalation
		esc.Next = time.Time{}
		book.Progress(inc, esc)
		return
	}
	due := plan.Due(inc.Escalation)
	if due.At.IsZero() || due.At.After(now) {
		book.Progress(inc, plan.Aim(inc.Escalation))
		return
	}
	if r, ok := ringing(inc, due, p, now); ok {
		book.Ring(inc, r)
	}
	book.Progress(inc, plan.Advance(inc.Escalation, now))
}

// ringing is what a step rings, and the words for it.
func ringing(inc *incident.Incident, due Due, p Program, now time.Time) (incident.Ringing, bool) {
	r := incident.Ringing{Reason: incident.ReasonEscalated, Kind: incident.EventEscalated}
	waited := now.Sub(inc.Escalation.Start).Round(time.Second)
	if due.Fallback {
		r.Kind = incident.EventNobody
		r.Text = fmt.Sprintf("nobody answered: all steps of %s have been taken, %s after its start", inc.Policy, waited)
		if p.Fallback == "" {
			return r, false
		}
		r.Targets = []string{p.Fallback}
		return r, true
	}
	if due.Pass > 0 || due.Again {
		r.Reason = incident.ReasonRepeated
	}
	r.Targets = slices.Clone(due.Step.Notify)
	if rota := p.Rotas[due.Step.Mention]; rota != nil {
		r.Mention = rota.OnCall(now)
	}
	who := strings.Join(append(slices.Clone(r.Targets), r.Mention...), ", ")
	switch {
	case inc.Escalation.News != "":
		r.Text = fmt.Sprintf("%s: %s", who, inc.Escalation.News)
	case waited == 0:
		r.Text = who + ": " + inc.Title
	default:
		r.Text = fmt.Sprintf("%s: nobody has acknowledged for %s", who, waited)
	}
	return r, true
}
