package incident

import "time"

// Shift moves all that waits in an incident by a duration, with the times that it is counted from: the clock was set by that much.
// What goes by the clock on the wall, such as the end of a mute time, is asked anew.
func (b *Book) Shift(inc *Incident, by time.Duration) {
	b.touch(inc)
	e := &inc.Escalation
	move := func(t *time.Time) {
		if !t.IsZero() {
			*t = t.Add(by)
		}
	}
	for _, t := range []*time.Time{&e.Start, &e.Next, &e.Grace, &e.Retaken, &inc.HeldUntil} {
		move(t)
	}
	for i := range e.Held {
		move(&e.Held[i].Since)
		move(&e.Held[i].Look)
	}
	if inc.Acknowledgement != nil {
		move(&inc.Acknowledgement.At)
		move(&inc.Acknowledgement.Joined)
		if asked := inc.Acknowledgement.Asked; asked != nil {
			move(&asked.At)
			move(&asked.Until)
		}
	}
	if !e.Recheck.IsZero() {
		e.Recheck = b.now
	}
}
