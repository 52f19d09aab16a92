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

// Step does what is due first up to now, for one incident or one silence in one transaction. next says when there is more: now, if there is more
// at once; zero if nothing waits.
func (e *Escalation) Step(ctx context.Context, now time.Time) (next time.Time, err error) {
	err = e.store.View(ctx, func(tx *store.Tx) (err error) { // a look does not keep others from writing
		next, err = tx.NextIncidentDue(ctx)
		return err
	})
	if err != nil || next.IsZero() || next.After(now) {
		return next, err
	}
	err = e.store.Update(ctx, func(tx *store.Tx) error {
		due, err := tx.DueIncidents(ctx, now, 1)
		if err != nil {
			return err
		}
		silence, found, err := tx.DueSilence(ctx, now)
		if err != nil {
			return err
		}
		switch {
		case found && (len(due) == 0 || !due[0].Due.Before(silence.Due)):
			if err := e.silence(ctx, tx, silence, now); err != nil {
				return fmt.Errorf("do what is due of silence %d: %w", silence.ID, err)
			}
		case len(due) > 0:
			if err := e.wake(ctx, tx, due[0], now); err != nil {
				return fmt.Errorf("escalate %s: %w", due[0].ID, err)
			}
		}
		if found || len(due) > 0 {
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
	around := []incident.Incident{due}
	if due.State == incident.Resolved { // if it opens again, it may be one with what has been opened since
		related, err := tx.Related(ctx, due.Project, now.Add(-incident.ReopenWithin))
		if err != nil {
			return err
		}
		if slices.ContainsFunc(related, func(inc incident.Incident) bool { return inc.ID == due.ID }) {
			around = related
		}
	}
	book := incident.NewBook(now, around)
	inc := book.Get(due.ID)
	p := e.program()
	if inc.IsStorm() {
		members, err := tx.StormMembers(ctx, inc.ID)
		if err != nil {
			return err
		}
		over := !slices.ContainsFunc(members, func(m store.StormMember) bool { return m.State == incident.Open || m.State == incident.Acknowledged })
		if over {
			err := tx.Report(ctx, store.Trouble{Kind: "storm", At: now, Labels: map[string]string{"receiver": inc.Labels["receiver"]}, Over: true,
				Text: "all of its incidents are over"})
			if err != nil {
				return err
			}
		}
		book.Abate(inc, over)
		return p.Desk.Settle(ctx, tx, now, book)
	}
	if !book.Wake(inc) && inc.State == incident.Open {
		rows, err := tx.Notifications(ctx, inc.ID)
		if err != nil {
			return err
		}
		direct, err := p.Desk.Router(ctx, tx, now)
		if err != nil {
			return err
		}
		d, err := direct(inc)
		if err != nil {
			return err
		}
		c := climbing{ctx: ctx, tx: tx, p: p, book: book, inc: inc, now: now}
		if err := c.climb(d, rows); err != nil {
			return err
		}
	}
	return p.Desk.Settle(ctx, tx, now, book)
}

// The steps of a policy count from the first call of the round before that somebody's provider accepted: who was not rung cannot
// have answered. longestUnheard bounds that, so that a later step with another provider has its turn; lookAgain is how often to look.
const (
	longestUnheard = 5 * time.Minute
	lookAgain      = 5 * time.Second
)

// unheard is an incident's escalation with the time in it that the newest round took to be accepted. held says that none of its
// calls has been yet, so that the next step has to wait. The second path's call counts: it is of the same round.
func unheard(inc *incident.Incident, rows []incident.Notification, now time.Time) (esc incident.Escalation, held bool) {
	esc = inc.Escalation
	var asked, accepted time.Time
	waiting := false
	for i := range rows {
		n := &rows[i]
		if n.Kind != incident.Call || n.Round != inc.Round || esc.Counted == inc.Round {
			continue
		}
		if asked.IsZero() || n.CreatedAt.Before(asked) {
			asked = n.CreatedAt
		}
		switch n.State {
		case incident.Sent:
			if accepted.IsZero() || n.SentAt.Before(accepted) {
				accepted = n.SentAt
			}
		case incident.Pending, incident.InFlight:
			waiting = true
		}
	}
	switch {
	case !accepted.IsZero():
		took := accepted.Sub(asked)
		esc.Start, esc.Counted = esc.Start.Add(took), inc.Round
		if esc.Exhausted && took >= tardy { // what is repeated counts from its Next
			esc.Next = esc.Next.Add(took)
		}
	case waiting && now.Sub(asked) < longestUnheard:
		esc.Next = now.Add(lookAgain)
		return esc, true
	}
	return esc, false
}

// shortly is a duration without the zeros at its end: 1h, 30m, 1h30m.
func shortly(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
