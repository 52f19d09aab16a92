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

// climbing is what is due in the policy of one open incident, within one transaction.
type climbing struct {
	ctx  context.Context
	tx   *store.Tx
	p    Program
	book *incident.Book
	inc  *incident.Incident
	now  time.Time
	plan *Plan
}

// askFor is how long a step waits for the pagers to be asked what people have said there, however often the process is started again
// meanwhile: who dies each few seconds has to call somebody all the same. askAnew is after what time it is another wait.
const (
	askFor  = 10 * time.Second
	askAnew = time.Minute
)

// climb takes the next step of the policy, or one that was held, if it is due.
func (c *climbing) climb(d incident.Direction, rows []incident.Notification) error {
	inc, now := c.inc, c.now
	if d.Policy != inc.Policy || inc.Escalation.Steps != "" && d.Steps != inc.Escalation.Steps { // something holds it now, or the route has changed: settling sees to it
		c.book.Progress(inc, inc.Escalation)
		return nil
	}
	if c.plan = c.p.Plans[inc.Policy]; c.plan == nil { // the policy is gone: routing anew finds another, or none
		esc := inc.Escalation
		esc.Next, esc.Held = time.Time{}, nil
		c.book.Progress(inc, esc)
		return nil
	}
	inc.Receivers = d.Receivers // settling sees to that too, behind the step
	if until := c.unasked(); now.Before(until) && inc.Escalation.News == "" && rang(rows) {
		esc := inc.Escalation
		if esc.Asking.IsZero() || now.Sub(esc.Asking) > askAnew {
			esc.Asking = now
		}
		if now.Before(esc.Asking.Add(askFor)) {
			c.book.Progress(inc, put(esc, now, until))
			return nil
		}
	}
	inc.Escalation.Asking = time.Time{}
	esc, held := unheard(inc, rows, now)
	if held {
		c.book.Progress(inc, esc)
		return nil
	}
	inc.Escalation = esc
	for _, h := range esc.Held {
		if !h.Look.After(now) {
			return c.release(h)
		}
	}
	due := c.plan.Due(inc.Escalation)
	switch {
	case due.At.IsZero() || due.At.After(now):
		c.book.Progress(inc, c.plan.Aim(inc.Escalation))
		return nil
	case due.Fallback && len(esc.Held) > 0: // nobody was called yet by the steps that are held
		esc.Next = firstLook(esc.Held)
		c.book.Progress(inc, esc)
		return nil
	}
	return c.take(due)
}

func firstLook(held []incident.HeldStep) time.Time {
	least := held[0].Look
	for _, h := range held {
		if h.Look.Before(least) {
			least = h.Look
		}
	}
	return least
}

// take does what is due.
func (c *climbing) take(due Due) error {
	inc := c.inc
	next := c.plan.Advance(delayed(inc.Escalation, due, c.now), c.now)
	if due.Fallback {
		if c.p.Fallback != "" {
			c.book.Ring(inc, c.nobody(due))
		}
		c.book.Progress(inc, next)
		return nil
	}
	r := incident.Ringing{Reason: incident.ReasonEscalated, Kind: incident.EventEscalated}
	why := c.why()
	if inc.Escalation.News != "" {
		why = inc.Escalation.News
	}
	var calls called
	for at := c.plan.Due(delayed(inc.Escalation, due, c.now)).At; ; { // steps of one time are one call: none has to wait for an answer to another
		if due.Pass > 0 || due.Again {
			r.Reason = incident.ReasonRepeated
		}
		step, err := c.calls(due.Index, all)
		if err != nil {
			return err
		}
		next.Held = c.hold(next.Held, due.Index, due.Pass, step.gaps)
		calls.join(step)
		if due = c.plan.Due(next); due.Fallback || due.Again || !due.At.Equal(at) {
			break
		}
		next = c.plan.Advance(next, c.now)
	}
	c.ring(r, why, calls)
	c.book.Progress(inc, next)
	return nil
}

// tardy is by how much a step must be late for those behind it to count from it.
const tardy = time.Minute

// delayed is e with the time in it by which its due step is late because nothing ran: whoever it rings has as long to answer as they
// would have had, before somebody else is rung.
func delayed(e incident.Escalation, due Due, now time.Time) incident.Escalation {
	if late := now.Sub(due.At); late >= tardy && !due.Fallback && !due.Again {
		e.Start, e.Next = e.Start.Add(late), e.Next.Add(late)
	}
	return e
}

// release looks at a step that was held: if somebody is there to call now, it is taken.
func (c *climbing) release(h incident.HeldStep) error {
	esc := c.inc.Escalation
	esc.Held = slices.DeleteFunc(slices.Clone(esc.Held), func(other incident.HeldStep) bool { return other == h })
	if h.Step >= len(c.plan.policy.Steps) { // another policy of the same name has no such step
		c.book.Progress(c.inc, esc)
		return nil
	}
	part := all
	if h.Schedule != "" {
		part = h.Schedule
	}
	calls, err := c.calls(h.Step, part)
	if err != nil {
		return err
	}
	if len(calls.gaps) > 0 && calls.empty() && calls.gaps[0].schedule == h.Schedule {
		switch g := &calls.gaps[0]; {
		case g.hold && g.schedule != "" && g.next.IsZero() && c.now.Sub(h.Since) >= longestUnknown:
			g.hold = false // it was said that it is not known for how long; this is long enough
		case g.hold || g.schedule == "":
			h.Look = look(c.now, *g)
			esc.Held = append(esc.Held, h)
			c.book.Progress(c.inc, esc)
			return nil
		}
	}
	esc.Held = c.hold(esc.Held, h.Step, h.Pass, calls.gaps)
	esc.Grace = c.now.Add(patience)
	c.ring(incident.Ringing{Reason: incident.ReasonEscalated, Kind: incident.EventEscalated}, c.why(), calls)
	c.book.Progress(c.inc, c.plan.Aim(esc))
	return nil
}

// why is the ordinary reason of a call.
func (c *climbing) why() string {
	if waited := c.waited(); waited > 0 {
		return "nobody has acknowledged for " + shortly(waited)
	}
	return ""
}

func (c *climbing) waited() time.Duration {
	return c.now.Sub(c.inc.Escalation.Start).Round(time.Second)
}

// nobody is the word that nobody answered.
func (c *climbing) nobody(due Due) incident.Ringing {
	r := incident.Ringing{Reason: incident.ReasonEscalated, Kind: incident.EventNobody, Targets: []string{c.p.Fallback}}
	r.Text = fmt.Sprintf("nobody answered: all steps of %s have been taken, %s after its start", c.inc.Policy, shortly(c.waited()))
	if c.plan.Escalates() == ByPager {
		r.Text = fmt.Sprintf("nobody answered: the page was sent, and nobody has acknowledged it %s after the start of %s", shortly(c.waited()), c.inc.Policy)
	}
	if due.Again {
		r.Reason = incident.ReasonRepeated
	}
	return r
}

// ring rings what a step calls, and says what it cannot call.
func (c *climbing) ring(r incident.Ringing, why string, calls called) {
	var notes []string
	for _, g := range calls.gaps {
		if g.known {
			continue
		}
		notes = append(notes, g.text(c.p.Fallback))
		r.Aloud = true
		if !g.hold {
			calls.add(c.p.Fallback)
		}
	}
	if (r.Aloud || len(calls.mention) > 0) && !c.channel() {
		calls.add(c.p.Fallback)
	}
	if calls.empty() && len(notes) == 0 {
		return
	}
	r.Targets, r.Mention = calls.targets, calls.mention
	r.Who = strings.Join(append(slices.Clone(r.Targets), r.Mention...), ", ")
	switch {
	case calls.empty():
		r.Kind, r.Text = incident.EventGap, strings.Join(notes, "; ")
	case why != "":
		r.Text = strings.Join(append([]string{why}, notes...), "; ")
	default:
		r.Text = strings.Join(notes, "; ")
	}
	c.book.Ring(c.inc, r)
}

// channel says whether there is one to say something in: a pager only rings.
func (c *climbing) channel() bool {
	return slices.ContainsFunc(c.inc.Receivers, func(name string) bool { return !c.p.Desk.Traits[name].Pages })
}

// hold adds to the steps that wait one for each gap that is to be waited for, and marks those of which it was said before.
func (c *climbing) hold(held []incident.HeldStep, step, pass int, gaps []gap) []incident.HeldStep {
	held = slices.Clone(held)
	for i := range gaps {
		g := &gaps[i]
		same := slices.ContainsFunc(held, func(h incident.HeldStep) bool { return h.Step == step && h.Schedule == g.schedule })
		if g.known = same; same || !g.hold && g.schedule != "" {
			continue
		}
		held = append(held, incident.HeldStep{Step: step, Pass: pass, Schedule: g.schedule, Since: c.now, Look: look(c.now, *g)})
	}
	return held
}
