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
	// Revision names the configuration it is of; see RoutedBy.
	Revision string
	// Unasked, if set, is until when it is not known what people have said at the pagers, as at a start; zero if it is. Until then nobody is
	// called again for what somebody may have taken.
	Unasked func() time.Time
}

// RoutedBy is the fact that names the configuration in force: that of the process which runs the engine, who writes it. Of several processes
// only those that have the same one step; another would route what the first has routed back again, and so the first, and neither would
// come to call anybody. Whoever runs the engine always steps, so that somebody does. While it is not written all do.
const RoutedBy = "routed_by"

// inForce says whether a program is of the configuration in force.
func (p Program) inForce(ctx context.Context, tx *store.Tx) (bool, error) {
	if p.Revision == "" {
		return true, nil
	}
	by, err := tx.Fact(ctx, RoutedBy)
	return by == "" || by == p.Revision, err
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

// Of what is only to be routed anew many are done in a transaction, after all that has a step to take: when something that holds thousands
// ends, a page does not wait for them. What has a step is
// mostly among those that fell due last: latest of them are looked at beside the first.
const (
	rechecks = 50
	latest   = 10
)

// Step does what is due first up to now in one transaction: for one incident or one silence, or for many incidents that are only to be
// routed anew. next says when there is more: now, if there is more at once; zero if nothing waits, or another process sees to it.
func (e *Escalation) Step(ctx context.Context, now time.Time) (next time.Time, err error) {
	p := e.program()
	mine := false
	err = e.store.View(ctx, func(tx *store.Tx) (err error) { // a look does not keep others from writing
		if mine, err = p.inForce(ctx, tx); err != nil || !mine {
			return err
		}
		next, err = tx.NextIncidentDue(ctx)
		return err
	})
	if err != nil || !mine || next.IsZero() || next.After(now) {
		return next, err
	}
	err = e.store.Update(ctx, func(tx *store.Tx) error {
		next = time.Time{}
		if mine, err := p.inForce(ctx, tx); err != nil || !mine {
			return err
		}
		if err := e.first(ctx, tx, p, now); err != nil {
			return err
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

// first does what has its turn.
func (e *Escalation) first(ctx context.Context, tx *store.Tx, p Program, now time.Time) error {
	due, err := tx.DueIncidents(ctx, now, rechecks)
	if err != nil {
		return err
	}
	silence, found, err := tx.DueSilence(ctx, now)
	if err != nil {
		return err
	}
	shift, changes, err := tx.DueShift(ctx, now)
	if err != nil {
		return err
	}
	if changes && (len(due) == 0 || shift.Due.Before(due[0].Due)) && (!found || shift.Due.Before(silence.Due)) {
		if err := e.shift(ctx, tx, p, shift, now); err != nil {
			return fmt.Errorf("look at the shift of %s: %w", shift.Schedule, err)
		}
		e.failpoint("escalation.before_commit")
		return nil
	}
	if found && (len(due) == 0 || !due[0].Due.Before(silence.Due)) {
		if err := e.silence(ctx, tx, p, silence, now); err != nil {
			return fmt.Errorf("do what is due of silence %d: %w", silence.ID, err)
		}
		e.failpoint("escalation.before_commit")
		return nil
	}
	all := due
	if len(due) == rechecks {
		last, err := tx.LastDueIncidents(ctx, now, latest)
		if err != nil {
			return err
		}
		all = slices.Concat(due, last)
	}
	if i := slices.IndexFunc(all, func(inc incident.Incident) bool { return inc.Acts(now) }); i >= 0 {
		due = all[i : i+1]
	}
	for i := range due {
		if err := e.wake(ctx, tx, p, due[i], now); err != nil {
			return fmt.Errorf("escalate %s: %w", due[i].ID, err)
		}
	}
	if len(due) > 0 {
		e.failpoint("escalation.before_commit")
	}
	return nil
}

// wake does what is due in one incident.
func (e *Escalation) wake(ctx context.Context, tx *store.Tx, p Program, due incident.Incident, now time.Time) error {
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
	switch woken := book.Wake(inc); {
	case woken:
	case inc.State == incident.Acknowledged:
		book.Progress(inc, inc.Escalation) // it is routed anew
	case inc.State == incident.Open:
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

// unasked is until when it is not known what people have said at the pagers; zero if it is.
func (c *climbing) unasked() time.Time {
	if c.p.Unasked == nil {
		return time.Time{}
	}
	return c.p.Unasked()
}

// rang says whether somebody may have been rung, and so may have it.
func rang(rows []incident.Notification) bool {
	return slices.ContainsFunc(rows, func(n incident.Notification) bool {
		return n.Kind == incident.Call && (n.State == incident.Sent || n.Unclear || !n.SentAt.IsZero() || strings.HasPrefix(n.Cause, incident.StormCause("")))
	})
}

// put is e with what is due put off by a second, or until a time before that.
func put(e incident.Escalation, now, until time.Time) incident.Escalation {
	if soon := now.Add(time.Second); soon.Before(until) {
		until = soon
	}
	if !e.Next.IsZero() && !e.Next.After(now) { // what is not due keeps its time: once nobody has answered, Next is the hour itself
		e.Next = until
	}
	e.Held = slices.Clone(e.Held)
	for i := range e.Held {
		if !e.Held[i].Look.After(now) {
			e.Held[i].Look = until
		}
	}
	return e
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
