package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Holder is what keeps an incident from being told for a while: a silence, a maintenance window, a mute time of a route, another
// incident that explains it. It holds back telling, never recording, and never the end.
type Holder struct {
	// By names it, alike for as long as it is the same one: "silence 12", "maintenance upgrade", "mute time nights",
	// "incident 01D1V7GZ...".
	By string `json:"by"`
	// Of is the person whom it belongs to, if one; Why is the reason given.
	Of  string `json:"of,omitempty"`
	Why string `json:"why,omitempty"`
	// Until is when it ends, or is to be looked at again; zero for the end of the incident that By names.
	Until time.Time `json:"until,omitzero"`
	// Receivers are who does not hear now and Policy what does not run now, of all that the routes name.
	Receivers []string `json:"receivers,omitempty"`
	Policy    string   `json:"policy,omitempty"`
}

// String is the hold in words: "silence 12 of ana until 14:00 UTC: the disk is being replaced". What day it is is left out: whoever
// must know it says the time by itself.
func (h Holder) String() string {
	text := h.By
	if h.Of != "" {
		text += " of " + h.Of
	}
	if !h.Until.IsZero() {
		text += " until " + h.Until.UTC().Format("2006-01-02 15:04 UTC")
	}
	if h.Why != "" {
		text += ": " + h.Why
	}
	return text
}

// Around is what must be known of the present to say what holds an incident.
type Around struct {
	At time.Time
	// Silences are those in force.
	Silences []Silence
	// Told, if set, gives the alerts that fire in incidents that are open and that nothing holds.
	Told func() []Alert
}

// Held is what holds an incident whole: By with neither receivers nor policy named. Recheck is when something that does not hold it now
// may begin to; zero for never.
type Held struct {
	By      []Holder
	Recheck time.Time
}

// Hold keeps back, beside what is held already, all that the routes name.
func (d Direction) Hold(held Held) Direction {
	d.Recheck = earliest(d.Recheck, held.Recheck)
	if len(held.By) == 0 {
		return d
	}
	receivers, policy := slices.Clone(d.Receivers), d.Policy
	for _, h := range d.Held {
		for _, r := range h.Receivers {
			if !slices.Contains(receivers, r) {
				receivers = append(receivers, r)
			}
		}
		policy = cmp.Or(policy, h.Policy)
	}
	out := Direction{Held: slices.Clone(d.Held), Recheck: d.Recheck}
	for _, h := range held.By {
		h.Receivers, h.Policy = receivers, policy
		out.Held = append(out.Held, h)
		out.Recheck = earliest(out.Recheck, h.Until)
	}
	return out
}

// earliest is the earlier of two times, of which zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Silence keeps alerts from being told for a bounded time. It is made by a person, who owns it, for a reason.
type Silence struct {
	// ID is given by the store, rising.
	ID int64 `json:"id"`
	// Matchers are Alertmanager's, on the labels of an alert, its rule and its severity; all of them must hold.
	Matchers []string  `json:"matchers"`
	Starts   time.Time `json:"starts"`
	Ends     time.Time `json:"ends"`
	Owner    string    `json:"owner"`
	Reason   string    `json:"reason"`
	// UpTo is the highest severity that it was made for: what is higher breaks it.
	UpTo      Severity  `json:"up_to"`
	CreatedAt time.Time `json:"created_at"`
	// EndedBy is who ended it before its time, by setting Ends to then.
	EndedBy string `json:"ended_by,omitempty"`
	// WarnedAt is when it was told that it ends soon, or found that nothing it hides fires.
	WarnedAt time.Time `json:"warned_at,omitzero"`
	// Due is when something of it waits to be done: its beginning, the word before its end; zero for nothing.
	Due time.Time `json:"due,omitzero"`
}

// ActiveAt says whether the silence is in force at a time, the end not included.
func (s *Silence) ActiveAt(at time.Time) bool { return !at.Before(s.Starts) && at.Before(s.Ends) }

// The word that a silence is about to end goes out warnBefore its end, or after three quarters of it if it is shorter.
const warnBefore = 15 * time.Minute

// Warn is when it is to be said that the silence is about to end.
func (s *Silence) Warn() time.Time {
	return s.Ends.Add(-min(warnBefore, s.Ends.Sub(s.Starts)/4))
}

// Schedule works out when something of the silence is due next.
func (s *Silence) Schedule(now time.Time) {
	switch {
	case !now.Before(s.Ends):
		s.Due = time.Time{}
	case now.Before(s.Starts):
		s.Due = s.Starts
	case s.WarnedAt.IsZero():
		s.Due = s.Warn()
	default:
		s.Due = time.Time{}
	}
}

// HeldBy are the receivers that the holder of that name keeps from hearing, and whether it holds the incident at all.
func (inc *Incident) HeldBy(name string) (receivers []string, held bool) {
	for _, h := range inc.Holds {
		if h.By == name {
			return h.Receivers, true
		}
	}
	return nil, false
}

// RecheckAt asks for the incident to be routed again at a time, or before.
func (inc *Incident) RecheckAt(at time.Time) {
	inc.Escalation.Recheck = earliest(inc.Escalation.Recheck, at)
	inc.schedule()
}

// Recheck asks for all incidents of the book to be routed again, because what may hold them has changed: by somebody, or by the
// time that has come, if by is empty.
func (b *Book) Recheck(by string) {
	for _, inc := range b.incidents {
		b.touch(inc).by = by
	}
}

// Warn tells the receivers, held or not, that what holds an incident is about to end. People are mentioned by name.
func (b *Book) Warn(inc *Incident, receivers, people []string, text string) {
	c := b.touch(inc)
	e := &Event{Incident: inc.ID, At: b.now, Kind: EventHoldEnds, Text: text}
	c.events = append(c.events, e)
	c.warnings = append(c.warnings, warning{event: e, receivers: receivers, people: people})
}

// HandOver tells a receiver, at a change of shift, in a message of its own what is open: lines, of which inc is the worst. People are
// mentioned by name.
func (b *Book) HandOver(inc *Incident, receiver string, people []string, text string, lines []Line) {
	c := b.touch(inc)
	e := &Event{Incident: inc.ID, At: b.now, Kind: EventShift, Text: text, Lines: lines}
	c.events = append(c.events, e)
	c.warnings = append(c.warnings, warning{event: e, receivers: []string{receiver}, people: people})
}

// warning is the word that a hold is about to end, or of a change of shift.
type warning struct {
	event             *Event
	receivers, people []string
}

// hold takes over what holds the incident now. It says whether something that held it before does so no longer.
func (s *settling) hold(now []Holder) (released bool) {
	inc := s.inc
	known := func(list []Holder, h Holder) bool {
		return slices.ContainsFunc(list, func(o Holder) bool { return o.By == h.By })
	}
	for _, h := range now {
		if !known(inc.Holds, h) {
			s.b.say(inc, EventHeld, "held by %s (%s)", h, h.what()).By = s.c.by
		}
	}
	var gone []string
	for _, h := range inc.Holds {
		if known(now, h) {
			continue
		}
		released = true
		switch over := !h.Until.IsZero() && !s.b.now.Before(h.Until); {
		case over:
			gone = append(gone, h.By+" is over")
		case s.c.by != "":
			gone = append(gone, h.By+" was ended by "+s.c.by)
		default:
			gone = append(gone, h.By+" holds it no longer")
		}
	}
	inc.Holds = now
	if !released {
		return false
	}
	text := strings.Join(gone, ", ")
	if len(now) > 0 {
		text += ", still held by " + now[0].String()
	}
	s.b.say(inc, EventReleased, "%s", text).By = s.c.by
	return true
}

// what says what is held back.
func (h Holder) what() string {
	parts := slices.Clone(h.Receivers)
	if h.Policy != "" {
		parts = append(parts, "escalation "+h.Policy)
	}
	if len(parts) == 0 {
		return "nothing is to be told"
	}
	return "not told: " + strings.Join(parts, ", ")
}

// held says whether a receiver is held back now. Nobody is from hearing the end.
func (inc *Incident) held(receiver string) bool {
	return slices.ContainsFunc(inc.Holds, func(h Holder) bool { return slices.Contains(h.Receivers, receiver) })
}

// Muzzled says whether its policy is held: what it would ring, or has not rung yet, is not to ring.
func (inc *Incident) Muzzled() bool { return heldPolicy(inc.Holds) }

// heldPolicy says whether a policy would run now if it were not held.
func heldPolicy(holds []Holder) bool {
	return slices.ContainsFunc(holds, func(h Holder) bool { return h.Policy != "" })
}

// news is what is said to those who hear only now.
func releasedNews(events []*Event) string {
	for _, e := range events {
		if e.Kind == EventReleased {
			return fmt.Sprintf("it still fires: %s", e.Text)
		}
	}
	return ""
}

// warn says in the channels that what holds it is about to end.
func (s *settling) warn() {
	for _, w := range s.c.warnings {
		for _, t := range w.receivers {
			if traits, known := s.desk.Traits[t]; known && !traits.Pages {
				s.post(w.event, t, ReasonUpdated, w.event.Kind != EventShift, w.people)
			}
		}
	}
}
