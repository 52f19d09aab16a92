package incident

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// The times of an incident's life.
const (
	// CauseAge is how old a cause's newest entry may be, counted from its symptom's, for the two to belong together.
	CauseAge = 30 * time.Minute
	// SameStart is within what time alerts of SameStartServices services must begin to be one incident.
	SameStart         = 2 * time.Minute
	SameStartServices = 3
	// Hold is how long, after a resolve by hand, members that still fire do not reopen an incident.
	Hold = 10 * time.Minute
	// ReopenWithin is how long after a resolve a member that fires reopens the incident instead of opening a new one.
	ReopenWithin = 2 * time.Hour
	// Rearm is after what time a forgotten acknowledge is taken back.
	Rearm = 4 * time.Hour
)

// Book is the incidents of one project while something happens to them: those that are open, and those resolved within
// ReopenWithin. Its methods are the transitions; what they changed is then settled (see Settle).
type Book struct {
	now       time.Time
	damping   Damping
	byHand    func(rule string) bool
	incidents []*Incident
	changed   map[string]*change
	order     []*change
}

// change is what happened to one incident.
type change struct {
	incident *Incident
	events   []*Event
	// ring asks for a new round: the policy starts at its first step, saying news.
	ring bool
	news string
	// fell says that the severity fell: what the new policy would do at once is left out.
	fell bool
	// visible says that a person would see it: the message is brought up to date.
	visible bool
	// rings are what rings at once.
	rings []ring
	// superseded says that another incident took this one in.
	superseded bool
	// warnings say that what holds it is about to end.
	warnings []warning
	// by is who changed what holds it, if somebody did.
	by string
	// said is where an acknowledge or a resolve was said: there it need not be told.
	said Said
}

// NewBook takes the incidents of a project that are open, or were resolved within ReopenWithin of now. The book owns them.
func NewBook(now time.Time, incidents []Incident) *Book {
	b := &Book{now: now, changed: map[string]*change{}}
	for i := range incidents {
		b.incidents = append(b.incidents, &incidents[i])
	}
	b.sort()
	return b
}

func (b *Book) sort() {
	slices.SortFunc(b.incidents, func(a, c *Incident) int {
		return cmp.Or(a.FirstEntry.Compare(c.FirstEntry), cmp.Compare(a.ID, c.ID))
	})
}

// Get is the incident of that id, or nil.
func (b *Book) Get(id string) *Incident {
	for _, inc := range b.incidents {
		if inc.ID == id {
			return inc
		}
	}
	return nil
}

// Changed lists the incidents that the transitions touched, in the order they were touched first.
func (b *Book) Changed() []*Incident {
	var out []*Incident
	for _, c := range b.order {
		out = append(out, c.incident)
	}
	return out
}

func (b *Book) touch(inc *Incident) *change {
	c := b.changed[inc.ID]
	if c == nil {
		c = &change{incident: inc}
		b.changed[inc.ID] = c
		b.order = append(b.order, c)
	}
	return c
}

func (b *Book) say(inc *Incident, kind EventKind, format string, args ...any) *Event {
	c := b.touch(inc)
	c.visible = true
	e := &Event{Incident: inc.ID, At: b.now, Kind: kind, Text: fmt.Sprintf(format, args...)}
	c.events = append(c.events, e)
	return e
}

// Fire takes an alert that begins to fire: it joins what it belongs to, links what belongs together through it, reopens what
// ended lately, or opens an incident of its own. It returns the incident.
func (b *Book) Fire(a Alert) *Incident {
	a.State = Firing
	fits := b.fitting(&a)
	if len(fits) == 0 {
		if inc := b.lately(a.Key); inc != nil {
			return b.refire(inc, a)
		}
		return b.open(a)
	}
	fits = b.together(&a, fits)
	main := fits[0]
	if b.damped(main, &a) {
		return main
	}
	b.join(main, a)
	for _, other := range fits[1:] {
		b.merge(main, other)
	}
	if b.takeIn(main); main.State == Merged {
		return b.standing(main) // what the alert asks for, the merge has done
	}
	b.after(main, a)
	return main
}

// open makes a new incident of an alert.
func (b *Book) open(a Alert) *Incident {
	inc := &Incident{
		ID: NewID(a.First, a.Key, a.Identity), Project: a.Labels["project"], Cluster: a.Labels["cluster"], State: Open,
		FirstEntry: a.First, OpenedAt: b.now, UpdatedAt: b.now,
	}
	a.Incident = inc.ID
	inc.Alerts = []Alert{a}
	b.incidents = append(b.incidents, inc)
	b.sort()
	inc.refresh()
	b.say(inc, EventOpened, "%s", inc.Title)
	b.fired(inc, &inc.Alerts[0], "")
	b.refired(inc, &inc.Alerts[0], nil)
	b.touch(inc).ring = true
	b.takeIn(inc) // an incident without cluster may find its place now
	return b.standing(inc)
}

// standing is inc, or the incident that took it in.
func (b *Book) standing(inc *Incident) *Incident {
	for inc.State == Merged {
		inc = b.Get(inc.MergedInto)
	}
	return inc
}

func (b *Book) elder(x, y *Incident) (older, younger *Incident) {
	if slices.Index(b.incidents, x) < slices.Index(b.incidents, y) {
		return x, y
	}
	return y, x
}

// fired writes an alert's evidence into the timeline.
func (b *Book) fired(inc *Incident, a *Alert, again string) {
	e := b.say(inc, EventAlertFired, "%s%s", a.Summary(), again)
	e.Alert = a.Key
	e.Lines = []Line{a.FirstLine}
	if len(a.Lines) > 0 && a.Lines[len(a.Lines)-1] != a.FirstLine {
		e.Lines = append(e.Lines, a.Lines[len(a.Lines)-1])
	}
}

// join adds an alert to an open incident, or lets the member it already is fire again.
func (b *Book) join(inc *Incident, a Alert) {
	a.Incident = inc.ID
	before := inc.Headline
	if m := inc.Alert(a.Key); m != nil {
		a.follows(m)
		before := m.Flap
		*m = a
		b.fired(inc, m, " (again)")
		b.refired(inc, m, before)
	} else {
		inc.Alerts = append(inc.Alerts, a)
		if a.First.Before(inc.FirstEntry) {
			inc.FirstEntry = a.First
		}
		b.fired(inc, &a, "")
		b.refired(inc, &inc.Alerts[len(inc.Alerts)-1], nil)
	}
	if inc.Cluster == "" {
		inc.Cluster = a.Labels["cluster"]
	}
	inc.refresh()
	if inc.Headline != before {
		b.say(inc, EventHeadline, "the cause seems to be: %s", inc.Title)
	}
}

// after does what a new or newly firing member asks for beyond being there: a raise rings, an acknowledge that does not cover
// it is taken back.
func (b *Book) after(inc *Incident, a Alert) {
	c := b.touch(inc)
	switch ack := inc.Acknowledgement; {
	case ack != nil:
		if why := inc.beyond(&a); why != "" {
			b.takeBack(inc, why)
		}
	case ack == nil && a.Severity == inc.Severity && !inc.rangFor() && !inc.heard(&a):
		why := fmt.Sprintf("raised to %s: %s", inc.Severity, a.Summary())
		if inc.beside(a, Tell) {
			why = fmt.Sprintf("%s, and it may page: %s", inc.Severity, a.Summary())
		}
		b.say(inc, EventRaised, "%s", why)
		inc.Escalation.Retaken = b.now // an acknowledge that is not heard of yet was of less
		c.ring, c.news = true, why
	}
}

// heard says whether another firing member has already set going all that this one can: it is as severe, and may page if this one
// may.
func (inc *Incident) heard(a *Alert) bool { return inc.beside(*a, a.Mode) }

// beside says whether another firing member is as severe, and may page if mode does.
func (inc *Incident) beside(a Alert, mode Mode) bool {
	return slices.ContainsFunc(inc.Alerts, func(m Alert) bool {
		return m.Key != a.Key && m.State == Firing && m.Severity >= a.Severity && (m.Mode == Page || mode != Page)
	})
}

func (b *Book) takeBack(inc *Incident, why string) {
	b.say(inc, EventAckTakenBack, "%s had it; %s", inc.Acknowledgement.By, why)
	inc.Acknowledgement, inc.State = nil, Open
	inc.Escalation.Retaken = b.now
	c := b.touch(inc)
	c.ring, c.news = true, why
}

// lately is the newest incident that was resolved within ReopenWithin and has the key as a member.
func (b *Book) lately(key Key) *Incident {
	var found *Incident
	for _, inc := range b.incidents {
		if inc.State == Resolved && b.now.Sub(inc.ResolvedAt) < ReopenWithin && inc.Alert(key) != nil &&
			(found == nil || inc.ResolvedAt.After(found.ResolvedAt)) {
			found = inc
		}
	}
	return found
}

// refire lets a member of a resolved incident fire again: held, it only counts; otherwise it reopens the incident.
func (b *Book) refire(inc *Incident, a Alert) *Incident {
	if b.now.Before(inc.HeldUntil) && !a.Declared() {
		m := inc.Alert(a.Key)
		a.Incident = inc.ID
		a.follows(m)
		*m = a
		b.touch(inc)
		return inc
	}
	b.reopen(inc, "fires again: "+a.Summary())
	b.join(inc, a)
	return inc
}

func (b *Book) reopen(inc *Incident, why string) {
	inc.State, inc.ResolvedAt, inc.ResolvedBy, inc.HeldUntil, inc.Acknowledgement = Open, time.Time{}, "", time.Time{}, nil
	inc.PagedSeverity, inc.Escalation.Rang = 0, nil
	inc.Escalation.Retaken = b.now
	b.say(inc, EventReopened, "%s", why)
	c := b.touch(inc)
	c.ring, c.news = true, "reopened, "+why
}

// follows lets an alert that fires again go on from what it was before. A trouble of tocsin's own shows the line of its newest cause, as its
// summary does.
func (a *Alert) follows(m *Alert) {
	a.First, a.Identity = m.First, m.Identity
	if a.Service() != "tocsin" {
		a.FirstLine = m.FirstLine
	}
	a.Count += m.Count
}

// Count takes the newest counts and lines of a firing alert, and its words if it has another cause now. Seen says that the message should tell
// of them.
func (b *Book) Count(a Alert, seen bool) {
	for _, inc := range b.incidents {
		m := inc.Alert(a.Key)
		if inc.ID != a.Incident || m == nil {
			continue
		}
		m.First, m.FirstLine, m.Last, m.Count, m.About, m.Lines, m.List = a.First, a.FirstLine, a.Last, a.Count, a.About, a.Lines, a.List
		c := b.touch(inc)
		c.visible = c.visible || seen
		if m.Summary() == a.Summary() {
			continue
		}
		m.Annotations = a.Annotations
		if inc.State != Resolved && inc.State != Merged {
			inc.refresh()
		}
		e := b.say(inc, EventHeadline, "the cause is now: %s", a.Summary())
		e.Alert, e.Lines = a.Key, []Line{a.FirstLine}
	}
}

// Clear takes an alert that is over. The incident is resolved with its last one.
func (b *Book) Clear(incidentID string, key Key, how string) {
	inc := b.Get(incidentID)
	if inc == nil {
		return
	}
	m := inc.Alert(key)
	if m == nil || m.State != Firing || b.heldOpen(inc, m) {
		return
	}
	m.State, m.ResolvedAt = AlertResolved, b.now
	if inc.State == Resolved || inc.State == Merged {
		b.touch(inc)
		return
	}
	before := inc.Severity
	e := b.say(inc, EventAlertOver, "%s: %s", m.Summary(), how)
	e.Alert = key
	if !inc.firing() {
		b.resolve(inc, "", how, Said{})
		return
	}
	inc.refresh()
	if inc.Severity < before {
		b.say(inc, EventLowered, "lowered to %s", inc.Severity)
		b.touch(inc).fell = true
	}
}

func (b *Book) resolve(inc *Incident, by, how string, said Said) {
	inc.State, inc.ResolvedAt, inc.ResolvedBy = Resolved, b.now, by
	if by == "" {
		b.say(inc, EventResolved, "resolved after %s: %s", b.now.Sub(inc.OpenedAt).Round(time.Second), how)
		return
	}
	b.endDeclared(inc, said)
	for i := range inc.Alerts { // somebody says that it is over: so is what only flapped
		if a := &inc.Alerts[i]; !inc.steadyAt(a).IsZero() {
			a.State, a.ResolvedAt, a.Flap = AlertResolved, b.now, nil
		}
	}
	e := b.say(inc, EventResolved, "resolved by %s after %s", by, b.now.Sub(inc.OpenedAt).Round(time.Second))
	e.By = by
	if inc.firing() {
		inc.HeldUntil = b.now.Add(Hold)
	}
	b.endByHand(inc, said) // what comes of it within the hold is held all the same
}
