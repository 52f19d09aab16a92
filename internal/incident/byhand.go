package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// MergeInto lets a person make one of two open incidents: into takes in other, whichever is the older. An acknowledge of whoever does it
// covers both. What rings for other ends with a word where it went; into is paged at the severity of both if it was not.
func (b *Book) MergeInto(into, other *Incident, by string) {
	for _, inc := range []*Incident{into, other} {
		ack := inc.Acknowledgement
		if ack == nil || ack.By != by {
			continue
		}
		wider := *ack
		wider.Covers, wider.Severity = nil, max(into.Severity, other.Severity)
		for _, a := range slices.Concat(into.Alerts, other.Alerts) {
			if a.State == Firing {
				wider.Covers = append(wider.Covers, a.Key)
			}
		}
		inc.Acknowledgement = &wider
	}
	first, split := other.FirstEntry, slices.Clone(into.Apart)
	b.merge(into, other)
	if first.Before(into.FirstEntry) {
		into.FirstEntry = first
	}
	into.Apart = slices.DeleteFunc(into.Apart, func(id string) bool {
		theirs := slices.Contains(other.Apart, id)
		return slices.Contains(split, id) && (theirs || id == other.ID) || theirs && id == into.ID
	})
	for _, inc := range []*Incident{into, other} {
		b.signed(inc, by, EventMerged)
	}
}

// Split makes an incident of its own of an alert that fires in another. The two stay apart, whatever they have in common, until a person
// merges them. Whoever has the one has the other, if that covered the alert; else it is told and escalated from the first step.
func (b *Book) Split(inc *Incident, key Key, by string) *Incident {
	a := *inc.Alert(key)
	ack := inc.Acknowledgement
	covered := ack != nil && inc.covered(&a)
	own := &Incident{ID: NewID(a.First, key, fmt.Sprintf("%s split off from %s at %d", a.Identity, inc.ID, b.now.UnixNano())), Project: inc.Project,
		Cluster: a.Labels["cluster"], State: Open, FirstEntry: a.First, OpenedAt: b.now, UpdatedAt: b.now}
	own.Apart = []string{own.ID}
	a.Incident = own.ID
	own.Alerts = []Alert{a}
	own.refresh()
	b.say(own, EventOpened, "%s", own.Title)
	b.say(own, EventSplit, "split off from %s: %s", inc.ID, inc.Title)
	b.fired(own, &own.Alerts[0], "")
	if covered {
		own.State, own.Acknowledgement = Acknowledged, &Acknowledgement{By: ack.By, At: ack.At, Covers: []Key{key}, Severity: ack.Severity, Asked: ack.Asked}
		b.say(own, EventAcknowledged, "%s has it", ack.By)
	} else {
		b.touch(own).ring = true
	}
	b.signed(own, by, EventOpened, EventSplit)
	inc.Apart = append(slices.Clone(inc.Apart), own.ID) // so that it holds too when either is merged into another
	b.without(inc, key, own, by)
	b.incidents = append(b.incidents, own)
	b.sort()
	return own
}

// without is what remains of an incident that an alert was split off from.
func (b *Book) without(inc *Incident, key Key, own *Incident, by string) {
	severity, headline := inc.Severity, inc.Headline
	inc.Alerts = slices.DeleteFunc(slices.Clone(inc.Alerts), func(a Alert) bool { return a.Key == key })
	if ack := inc.Acknowledgement; ack != nil {
		less := *ack
		less.Covers = slices.DeleteFunc(slices.Clone(ack.Covers), func(k Key) bool { return k == key })
		inc.Acknowledgement = &less
	}
	b.say(inc, EventSplit, "split off into %s: %s", own.ID, own.Title)
	b.signed(inc, by, EventSplit)
	if !inc.firing() {
		inc.refresh()
		b.resolve(inc, "", "what fired in it is "+own.ID+" now", Said{})
		return
	}
	inc.refresh()
	if inc.Headline != headline {
		b.say(inc, EventHeadline, "the cause seems to be: %s", inc.Title)
	}
	if inc.Severity < severity {
		b.say(inc, EventLowered, "lowered to %s", inc.Severity)
		b.touch(inc).fell = true
	}
}

// signed says who has done what events of some kinds tell.
func (b *Book) signed(inc *Incident, by string, kinds ...EventKind) {
	for _, e := range b.touch(inc).events {
		if slices.Contains(kinds, e.Kind) {
			e.By = by
		}
	}
}

// apart says whether a person has split one of two incidents, or what it has taken in, off the other.
func apart(x, y *Incident) bool {
	if slices.Contains(x.Apart, y.ID) || slices.Contains(y.Apart, x.ID) { // before, each kept the other's id
		return true
	}
	return slices.ContainsFunc(x.Apart, func(split string) bool { return slices.Contains(y.Apart, split) })
}

// together are those of the incidents that an alert fits which it may link: of two that a person has split the one that has it as a member,
// else the older.
func (b *Book) together(a *Alert, fits []*Incident) []*Incident {
	slices.SortStableFunc(fits, func(x, y *Incident) int {
		switch mx, my := x.Alert(a.Key) != nil, y.Alert(a.Key) != nil; {
		case mx == my:
			return 0
		case mx:
			return -1
		}
		return 1
	})
	var out []*Incident
	for _, inc := range fits {
		if !slices.ContainsFunc(out, func(o *Incident) bool { return apart(o, inc) }) {
			out = append(out, inc)
		}
	}
	slices.SortFunc(out, func(x, y *Incident) int { return slices.Index(b.incidents, x) - slices.Index(b.incidents, y) })
	return out
}

// AskFor is how long whoever is asked to take an incident over has to acknowledge it; then it is taken back from whoever had it.
const AskFor = 30 * time.Minute

// Asked says who is asked to take an incident over that somebody has.
type Asked struct {
	To []string `json:"to"`
	// By is who asks; empty for tocsin itself, at a change of shift.
	By string `json:"by,omitempty"`
	// At is when, Until when it is taken back from whoever has it unless it is acknowledged anew.
	At    time.Time `json:"at"`
	Until time.Time `json:"until"`
}

// Ask asks people to take an incident, directly at targets, and in the threads of its messages. Of one that somebody has it is theirs until
// it is acknowledged anew, or AskFor has passed. why says it, such as "ana asks for it to be taken over".
func (b *Book) Ask(inc *Incident, people, targets []string, by, why string) {
	text := why
	if ack := inc.Acknowledgement; ack != nil {
		until := b.now.Add(AskFor)
		asked := *ack
		asked.Asked = &Asked{To: people, By: by, At: b.now, Until: until}
		inc.Acknowledgement = &asked
		text += fmt.Sprintf("; it stays %s's until somebody acknowledges it, and calls again if nobody has by %s", ack.By, until.UTC().Format("15:04 UTC"))
	}
	b.Ring(inc, Ringing{Targets: targets, Mention: people, Reason: ReasonEscalated, Kind: EventAsked, Who: strings.Join(people, ", "), Text: text})
	b.signed(inc, by, EventAsked)
	b.touch(inc).visible = true
}

// asked is who is asked to take it over; nil if nobody is.
func (inc *Incident) asked() *Asked {
	if inc.State != Acknowledged || inc.Acknowledgement == nil {
		return nil
	}
	return inc.Acknowledgement.Asked
}

// Asks says whether a row asks somebody to take an incident over: it is of a time at which nothing else rings, and it is of this incident's own
// since the acknowledge holds for it.
func (inc *Incident) Asks(n *Notification) bool {
	asked := inc.asked()
	return asked != nil && !n.CreatedAt.Before(asked.At) && n.CreatedAt.After(inc.Acknowledgement.Joined)
}
