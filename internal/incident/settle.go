package incident

import (
	"fmt"
	"slices"
	"time"
)

// Traits are what must be known of a receiver to decide what it gets.
type Traits struct {
	// Pages: what it sends rings until somebody answers.
	Pages bool
	// Edits: its message can be edited and has a thread.
	Edits bool
	// Direct: it is one person's own: what goes there calls them, and stops as a page does.
	Direct bool
}

// Direction is who hears of an incident now: what the routes decide for its labels, less what is held.
type Direction struct {
	Receivers []string
	Policy    string
	// Steps tells the steps of the policy from others under its name.
	Steps string
	// Held are what holds it, each with the receivers and the policy that it keeps out of the above.
	Held []Holder
	// Recheck is when it is to be asked again, because something that holds it ends; zero for never.
	Recheck time.Time
}

// Desk is what Settle asks beyond the incidents themselves.
type Desk struct {
	// Direct routes an incident as it is now.
	Direct func(inc *Incident) (Direction, error)
	// Traits are those of each receiver.
	Traits map[string]Traits
	// Have are the notifications that an incident has.
	Have func(id string) ([]Notification, error)
}

// Changes are what a transaction has to write. Posts are of events, whose ids are known only once they are written.
type Changes struct {
	Incidents []*Incident
	Events    []*Event
	Add       []*Notification
	Save      []*Notification
	Posts     []ThreadPost
}

// ThreadPost is a post in a thread that waits for its event's id, which completes its key; or an acknowledge to a pager, whose key is the
// page's, and of which there is one for each event that acknowledges.
type ThreadPost struct {
	Event        *Event
	Notification *Notification
}

// EditDelay is how long an edit waits for the next change, so that several make one edit.
const EditDelay = time.Second

// ring is a Ringing with the round and the event it became.
type ring struct {
	Ringing
	round int
	event *Event
}

// Settle routes what the transitions changed and works out what everybody must be told, and what is to be taken back. It must
// be called once, after the transitions; what it returns is to be written in one transaction.
func (b *Book) Settle(d Desk) (Changes, error) {
	var out Changes
	for _, c := range b.order {
		have, err := d.Have(c.incident.ID)
		if err != nil {
			return Changes{}, err
		}
		s := settling{b: b, c: c, inc: c.incident, desk: d, have: have, out: &out}
		if err := s.route(); err != nil {
			return Changes{}, err
		}
		s.revise()
		s.messages()
		s.ringAll()
		s.calls()
		s.posts()
		s.warn()
		c.incident.schedule()
		out.Incidents = append(out.Incidents, c.incident)
		out.Events = append(out.Events, c.events...)
	}
	return out, nil
}

// settling is Settle at work on one incident.
type settling struct {
	b    *Book
	c    *change
	inc  *Incident
	desk Desk
	have []Notification
	out  *Changes
	// told are the targets that have or get the incident's message, fresh those of them that get it now: it rings there.
	told, fresh []string
	// released says that something held it until now.
	released bool
}

func (s *settling) over() bool { return s.inc.State == Resolved || s.inc.State == Merged }

// route decides who hears of it, and sets the policy going where it is new or must ring again.
func (s *settling) route() error {
	inc := s.inc
	if s.over() {
		inc.Escalation.Next, inc.Escalation.Recheck, inc.Escalation.Held = time.Time{}, time.Time{}, nil
		inc.Holds = nil // nothing holds the end
		return nil
	}
	if inc.IsStorm() { // its incidents are routed, and escalate; it only carries their pages
		return nil
	}
	d, err := s.desk.Direct(inc)
	if err != nil {
		return err
	}
	inc.Receivers = d.Receivers
	was := inc.Muzzled()
	s.released = s.hold(d.Held)
	other := d.Policy == inc.Policy && inc.Escalation.Steps != "" && d.Steps != inc.Escalation.Steps
	switch changed := d.Policy != inc.Policy || other; {
	case changed || s.c.ring:
		if other {
			s.c.events = append(s.c.events, &Event{Incident: inc.ID, At: s.b.now, Kind: EventRerouted,
				Text: fmt.Sprintf("policy %q has other steps now and begins anew", d.Policy)})
		} else if changed && inc.Policy != "" && !heldPolicy(d.Held) {
			s.c.events = append(s.c.events, &Event{Incident: inc.ID, At: s.b.now, Kind: EventRerouted,
				Text: fmt.Sprintf("policy %q takes over from %q", d.Policy, inc.Policy)})
		}
		left := ""
		if s.c.fell {
			left = inc.Policy
		}
		back := d.Policy == inc.Escalation.Left && inc.rangFor() // it fell from there, and has paged there for what fires
		fell := !s.c.ring && !was && (s.c.fell || back)
		inc.Policy = d.Policy
		inc.Escalation = Escalation{Start: s.b.now, Next: s.b.now, News: s.news(), Fell: fell, Left: left,
			Retaken: inc.Escalation.Retaken, Rang: inc.Escalation.Rang, Heard: inc.Escalation.Heard, Counted: inc.Round}
	}
	inc.Escalation.Steps = d.Steps
	inc.Escalation.Recheck = d.Recheck
	if inc.Policy == "" || inc.State == Acknowledged {
		inc.Escalation.Next, inc.Escalation.Held = time.Time{}, nil
	}
	return nil
}

// news is what a policy that begins says is new: what happened, else that it was held until now.
func (s *settling) news() string {
	if s.c.news != "" || !s.released {
		return s.c.news
	}
	return releasedNews(s.c.events)
}

func (s *settling) revise() {
	if s.c.visible {
		s.inc.Revision++
		s.inc.UpdatedAt = s.b.now
		s.inc.Told = s.inc.Lines()
	}
}

func (s *settling) row(kind NotificationKind, target string) *Notification {
	for i := range s.have {
		if s.have[i].Kind == kind && s.have[i].Target == target {
			return &s.have[i]
		}
	}
	return nil
}

// messages brings the incident's message up to date where it is, and posts it where it has to be.
func (s *settling) messages() {
	targets := slices.Clone(s.inc.Receivers)
	for i := range s.have {
		if s.have[i].Kind == Message && !slices.Contains(targets, s.have[i].Target) {
			targets = append(targets, s.have[i].Target)
		}
	}
	for _, t := range targets {
		if s.desk.Traits[t].Pages {
			continue // a pager is rung by a policy, or not at all
		}
		row := s.row(Message, t)
		switch {
		case row == nil && s.over():
			continue // a resolve goes to those who heard of it
		case row == nil:
			s.addMessage(t, ReasonOpened)
		case s.c.superseded && unsaid(row):
			s.unsay(row, "superseded")
			continue // it has told nobody, and what took it in tells all
		case s.inc.held(t) && unsaid(row):
			s.unsay(row, "held")
			continue // it is said when nothing holds it any more
		case s.desk.Traits[t].Direct && s.uncall(row):
			continue
		case s.inc.held(t) && !s.desk.Traits[t].Edits:
			continue // a revision of it would ring; an edit does not
		case s.c.visible && (s.desk.Traits[t].Edits || s.newsworthy()):
			s.revised(row)
		}
		s.told = append(s.told, t)
	}
	if s.inc.State == Resolved {
		s.endCalled()
	}
}

// endCalled tells the end to those who were called, are no pagers, and have no message that says it.
func (s *settling) endCalled() {
	for i := range s.have {
		n := &s.have[i]
		if t, known := s.desk.Traits[n.Target]; known && !t.Pages && arrived(n) && s.row(Message, n.Target) == nil {
			s.addMessage(n.Target, ReasonResolved)
		}
	}
}

// arrived says whether a call may have come to whom it was for.
func arrived(n *Notification) bool {
	return n.Kind == Call && (n.State == Sent || n.State == InFlight || n.Unclear)
}

func (s *settling) addMessage(target string, reason Reason) {
	n := &Notification{Incident: s.inc.ID, Target: target, Kind: Message, Key: s.inc.ID + "/" + target, Reason: reason, Rings: true,
		Wanted: s.inc.Revision, State: Pending, CreatedAt: s.b.now, Due: s.b.now}
	s.have = append(s.have, *n)
	s.fresh = append(s.fresh, target)
	s.out.Add = append(s.out.Add, n)
}

// revised asks for the newest revision of a message.
func (s *settling) revised(row *Notification) {
	row.Wanted = s.inc.Revision
	row.Reason = ReasonUpdated
	if s.inc.State == Resolved {
		row.Reason = ReasonResolved
	}
	switch {
	case row.State == Sent:
		row.State, row.Due = Pending, s.b.now.Add(EditDelay)
		row.Attempts, row.Unclear = 0, false
	case row.State == Pending && row.Attempts == 0 && row.SentRevision > 0 && row.Due.After(s.b.now.Add(EditDelay)):
		row.Due = s.b.now.Add(EditDelay) // it waited to be said anew
	case row.State == Cancelled && !s.over() && !s.inc.held(row.Target): // what was given up, or told in a digest, has something new to say
		if row.Cause == "held" { // it was not said before: it rings itself
			row.Reason = ReasonOpened
			s.fresh = append(s.fresh, row.Target)
		}
		row.State, row.Cause, row.Due, row.Attempts = Pending, "", s.b.now, 0
	}
	s.out.Save = append(s.out.Save, row)
}

// newsworthy says whether what changed is worth a message of its own, where a message cannot be edited.
func (s *settling) newsworthy() bool {
	return slices.ContainsFunc(s.c.events, func(e *Event) bool { return posted(e) })
}

// ringAll makes the rows of what rings.
func (s *settling) ringAll() {
	for _, r := range s.c.rings {
		for _, t := range r.Targets {
			s.ring(r, t)
		}
		if len(r.Mention) == 0 && !r.Aloud {
			continue
		}
		for _, t := range s.inc.Receivers { // a mention speaks in the incident's threads, whomever else the step tells
			switch traits := s.desk.Traits[t]; {
			case slices.Contains(r.Targets, t) || traits.Pages: // its own ring says it, or it is no channel
			case traits.Edits:
				s.post(r.event, t, r.Reason, true, r.Mention)
			default:
				s.ring(r, t) // no thread: its text names who is meant
			}
		}
	}
}

func (s *settling) ring(r ring, t string) {
	traits := s.desk.Traits[t]
	if traits.Pages && !s.inc.MayPage() {
		r.event.Text += "; " + t + " is not paged: no rule of it may page"
		return
	}
	if traits.Edits {
		row := s.row(Message, t)
		again := row != nil && traits.Direct && row.State == Cancelled && untold(row)
		switch {
		case row == nil:
			s.addMessage(t, r.Reason)
		case again:
			row.State, row.Cause, row.Reason, row.Wanted, row.Attempts = Pending, "", r.Reason, s.inc.Revision, 0
			row.CreatedAt, row.Due, row.RefusedAt = s.b.now, s.b.now, time.Time{}
			s.fresh = append(s.fresh, t)
			s.out.Save = append(s.out.Save, row)
		}
		if row == nil || again {
			s.told = append(s.told, t)
			if r.Kind == EventEscalated && len(r.Mention) == 0 && !r.Aloud {
				return
			}
		}
		s.post(r.event, t, r.Reason, true, r.Mention)
		return
	}
	for i := range s.have { // the new round takes the place of what has not been tried yet
		if n := &s.have[i]; n.Kind == Call && n.Target == t && n.State == Pending && n.Attempts == 0 {
			s.cancel(n, "superseded")
		}
	}
	if traits.Pages {
		s.inc.rings()
	}
	s.out.Add = append(s.out.Add, &Notification{Incident: s.inc.ID, Target: t, Kind: Call, Round: r.round, Key: s.inc.CallKey(r.round),
		Reason: r.Reason, Text: r.Text, Rings: true, State: Pending, CreatedAt: s.b.now, Due: s.b.now})
}

func (s *settling) cancel(n *Notification, cause string) {
	n.State, n.Cause = Cancelled, cause
	s.out.Save = append(s.out.Save, n)
}

// posted says whether an event is told in the threads.
func posted(e *Event) bool {
	switch e.Kind {
	case EventReleased, EventFlapping, EventAlertFired, EventRaised, EventAcknowledged, EventAckTakenBack, EventResolved, EventReopened, EventMerged, EventSplit:
		return true
	}
	return false
}

// urgent says whether an event rings in the threads.
func urgent(e *Event) bool {
	return e.Kind == EventRaised || e.Kind == EventReopened || e.Kind == EventAckTakenBack
}

// posts tells the events in the threads of the messages.
func (s *settling) posts() {
	for _, e := range s.c.events {
		if !posted(e) {
			continue
		}
		reason := ReasonUpdated
		if e.Kind == EventResolved {
			reason = ReasonResolved
		}
		loud := urgent(e) || e.Kind == EventReleased && s.inc.State == Open && !slices.ContainsFunc(s.c.events, urgent)
		for _, t := range s.told {
			if s.desk.Traits[t].Edits && !s.inc.held(t) {
				s.post(e, t, reason, loud && !slices.Contains(s.fresh, t), nil) // a new message rings itself
			}
		}
	}
}

func (s *settling) post(e *Event, target string, reason Reason, rings bool, mention []string) {
	n := &Notification{Incident: s.inc.ID, Target: target, Kind: Post, Key: s.inc.ID + "/" + target + "/", Reason: reason, Text: e.Text, Mention: mention,
		Rings: rings, State: Pending, CreatedAt: s.b.now, Due: s.b.now}
	s.out.Posts = append(s.out.Posts, ThreadPost{Event: e, Notification: n})
}
