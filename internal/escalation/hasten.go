package escalation

import (
	"time"

	"tocsin/internal/incident"
)

// Hasten is e with its next step due at now: those behind it count from there. It is false where nothing can be hastened: there is no step,
// or the pager escalates by itself. A step that is held until a time interval opens waits for that all the same: Next says until when.
func (p *Plan) Hasten(e incident.Escalation, now time.Time) (incident.Escalation, bool) {
	if len(p.policy.Steps) == 0 || p.policy.Escalates == ByPager {
		return e, false
	}
	if e.Start.IsZero() {
		e.Start = now
	}
	if e.Next.IsZero() || e.Exhausted {
		e.Next = now
	}
	due, _ := p.next(e)
	if e.Exhausted || !due.At.After(now) {
		return e, true
	}
	at := due.At // when it would be if no interval held it
	if !due.Fallback {
		at = e.Start.Add(time.Duration(due.Pass)*p.policy.Every.Std() + due.Step.After.Std())
	}
	if at.After(now) {
		e.Start = e.Start.Add(now.Sub(at))
	}
	e.Step, e.Pass, e.Next = due.Index, due.Pass, now
	due, _ = p.next(e)
	e.Next = due.At
	return e, true
}
