package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Acknowledge records that somebody has an incident. It covers what fired when it was said: what is new since, and not a symptom of that,
// takes it back at once. What another has it takes over, and says so. It says false if there is nothing to acknowledge.
func (b *Book) Acknowledge(inc *Incident, by string, said Said) bool {
	if inc.State != Open && inc.State != Acknowledged {
		return false
	}
	ack := &Acknowledgement{By: by, At: b.now}
	ack.Covers, ack.Severity = said.covers(inc)
	if said.At.IsZero() && !said.Earlier {
		ack.Severity = inc.Severity
	}
	text := by + " has it"
	if before := inc.Acknowledgement; before != nil && before.By != by && !said.Again {
		ack.From = before.By
		text += ", taken over from " + before.By
	}
	inc.State, inc.Acknowledgement = Acknowledged, ack
	b.say(inc, EventAcknowledged, "%s", text).By = by
	b.touch(inc).said = said
	if why := inc.beyonds(); why != "" {
		b.takeBack(inc, why)
	}
	return true
}

// Resolve ends an incident by hand, and what fired when it was said and only a person ends. Members that still fire are held for Hold. It says false if it has ended already.
func (b *Book) Resolve(inc *Incident, by string, said Said) bool {
	if inc.State != Open && inc.State != Acknowledged {
		return false
	}
	inc.Acknowledgement = nil
	b.resolve(inc, by, "", said)
	b.touch(inc).said = said
	return true
}

// Escalate lets what a policy does next be done now, because somebody asks for it: of an acknowledged incident the acknowledge is taken back.
// hastened is its escalation with that. It says false if it is over.
func (b *Book) Escalate(inc *Incident, by string, hastened Escalation) bool {
	if inc.State != Open && inc.State != Acknowledged {
		return false
	}
	text := by + " escalates: the next step is taken now"
	if ack := inc.Acknowledgement; ack != nil {
		text = fmt.Sprintf("%s had it; %s", ack.By, text)
		inc.Acknowledgement, inc.State = nil, Open
		b.say(inc, EventAckTakenBack, "%s", text).By = by
	} else {
		b.say(inc, EventEscalated, "%s", text).By = by
	}
	hastened.Retaken, hastened.News = b.now, by+" escalates"
	inc.Escalation = hastened
	return true
}

// Wake does what waited in an incident itself: an alert that flapped and has been over for long is ended, an acknowledge that was
// forgotten is taken back, an incident resolved by hand whose members still fire when the hold ends is reopened. It says whether it did
// anything.
func (b *Book) Wake(inc *Incident) bool {
	if r := inc.Escalation.Recheck; !r.IsZero() && !b.now.Before(r) {
		inc.Escalation.Recheck = time.Time{}
		b.touch(inc)
	}
	if (inc.State == Open || inc.State == Acknowledged) && b.steady(inc) {
		return true
	}
	switch {
	case inc.State == Acknowledged && !b.now.Before(inc.Acknowledgement.At.Add(Rearm)):
		b.takeBack(inc, fmt.Sprintf("still firing, acknowledged %s ago", Rearm))
		return true
	case inc.asked() != nil && !b.now.Before(inc.asked().Until):
		b.takeBack(inc, fmt.Sprintf("%s asked %s ago to take it over, and nobody has", were(inc.asked().To), AskFor))
		return true
	case inc.State == Resolved && !inc.HeldUntil.IsZero() && !b.now.Before(inc.HeldUntil):
		inc.HeldUntil = time.Time{}
		b.touch(inc)
		if inc.firing() {
			by := inc.ResolvedBy
			b.reopen(inc, fmt.Sprintf("still firing %s after %s resolved it", Hold, by))
			inc.refresh()
			b.unite(inc)
		}
		return true
	}
	return false
}

// were is "ben was" or "ben and eva were".
func were(people []string) string {
	if len(people) == 1 {
		return people[0] + " was"
	}
	return strings.Join(people, " and ") + " were"
}

// Ringing is one thing that must ring: a step of a policy, or the word that nobody answered.
type Ringing struct {
	// Targets are the receivers to ring.
	Targets []string
	// Mention holds people to mention in the thread of the incident's message.
	Mention []string
	// Aloud says that it speaks in the threads whomever it rings and mentions.
	Aloud bool
	// Reason is escalated or repeated.
	Reason Reason
	// Kind is EventEscalated, EventNobody, EventGap or EventAsked.
	Kind EventKind
	// Who names whom it rings, for the timeline; Text says why.
	Who, Text string
}

// Ring lets something ring, as a round of its own.
func (b *Book) Ring(inc *Incident, r Ringing) {
	c := b.touch(inc)
	inc.Round++
	e := &Event{Incident: inc.ID, At: b.now, Kind: r.Kind, Text: r.Text}
	switch {
	case r.Text == "":
		e.Text = r.Who + ": called"
	case r.Who != "":
		e.Text = r.Who + ": " + r.Text
	}
	c.events = append(c.events, e)
	c.rings = append(c.rings, ring{Ringing: r, round: inc.Round, event: e})
}

// Progress stores how far a policy is.
func (b *Book) Progress(inc *Incident, e Escalation) {
	b.touch(inc)
	inc.Escalation = e
}

// CallKey is the key of a round's pages: the incident's id, then id.2, id.3, ..., because a pager does not ring again for a key
// that is open.
func (inc *Incident) CallKey(round int) string {
	if round <= 1 {
		return inc.ID
	}
	return fmt.Sprintf("%s.%d", inc.ID, round)
}

// schedule works out when something of the incident is due next.
func (inc *Incident) schedule() {
	inc.Due = time.Time{}
	for _, t := range inc.Waits() {
		inc.Due = earliest(inc.Due, t)
	}
}

// Waits are the times at which something of the incident is due: the next step of its policy while it is open and those that are
// held, the end of an alert that flapped, the end of an acknowledge, the end of a hold.
func (inc *Incident) Waits() []time.Time {
	waits := inc.acts()
	if inc.State == Open || inc.State == Acknowledged {
		waits = append(waits, inc.Escalation.Recheck)
	}
	return waits
}

// Acts says whether something of it is due at now beyond that it is to be routed anew.
func (inc *Incident) Acts(now time.Time) bool {
	return slices.ContainsFunc(inc.acts(), func(t time.Time) bool { return !t.IsZero() && !t.After(now) })
}

// acts are the times at which it does something, and is not only routed anew.
func (inc *Incident) acts() []time.Time {
	if inc.IsStorm() && (inc.State == Open || inc.State == Acknowledged) {
		return nil
	}
	var waits []time.Time
	switch inc.State {
	case Open:
		waits = []time.Time{inc.Escalation.Next}
		for _, h := range inc.Escalation.Held {
			waits = append(waits, h.Look)
		}
	case Acknowledged:
		waits = []time.Time{inc.Acknowledgement.At.Add(Rearm)}
		if asked := inc.asked(); asked != nil {
			waits = append(waits, asked.Until)
		}
	case Resolved:
		return []time.Time{inc.HeldUntil}
	default:
		return nil
	}
	for i := range inc.Alerts {
		waits = append(waits, inc.steadyAt(&inc.Alerts[i]))
	}
	return waits
}

// Services are the distinct services of its alerts, those that its rules collected included.
func (inc *Incident) Services() []string {
	var out []string
	add := func(s string) {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for i := range inc.Alerts {
		add(inc.Alerts[i].Service())
		for _, s := range inc.Alerts[i].List {
			add(s)
		}
	}
	return out
}
