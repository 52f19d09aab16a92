package incident

import (
	"fmt"
	"strings"
	"time"
)

// Said is where and when a person said something. The zero value is here and now: on tocsin's own page, by a command.
type Said struct {
	// Receiver and Key are what a pager knows, which need not be told of it.
	Receiver, Key string
	// Earlier says that it was said to an earlier life, whose store was lost, of a page whose key was found at the pager: nobody knows more of
	// what that page named than the (rule, group) that it was found by.
	Earlier bool
	// Again says that whoever says that they have it had it before, if by another name of theirs.
	Again bool
	// At is when it was said, if it is heard of only now; zero for now. Timeline is then that of the incident until now, from which it is
	// read what was open at that time.
	At       time.Time
	Timeline []Event
}

// tick is how exactly a pager tells the time: in whole seconds, those that have begun left out.
const tick = time.Second

// covers are the members that an acknowledge covers, and the highest severity among them: what was open when it was given.
func (s Said) covers(inc *Incident) (keys []Key, top Severity) {
	for i := range inc.Alerts {
		if m := &inc.Alerts[i]; s.knew(m) {
			keys, top = append(keys, m.Key), max(top, m.Severity)
		}
	}
	return keys, top
}

// knew says whether who said it knew of a member.
func (s Said) knew(m *Alert) bool {
	switch {
	case s.Earlier:
		return KeyHash(m.Key) == HashOf(s.Key)
	case s.At.IsZero():
		return m.State == Firing
	}
	return m.openAt(s.At.Add(tick), s.Timeline)
}

// openAt says whether a member was open in its incident at a time, by the timeline: it tells when an alert fires and is over, and when
// another incident was taken in with all that fired in it, though not of which alerts. Where it does not tell, the answer is no.
func (a *Alert) openAt(at time.Time, timeline []Event) bool {
	var last, next *Event // what is told of it, up to that time and after
	for i := range timeline {
		e := &timeline[i]
		if e.Alert != a.Key || e.Kind != EventAlertFired && e.Kind != EventAlertOver {
			continue
		}
		if e.At.After(at) {
			next = e
			break
		}
		last = e
	}
	if over := next != nil && next.Kind == EventAlertOver; !over && (next != nil || a.State != Firing) {
		return false // it fired anew, or nobody knows when it ended
	}
	if last != nil && last.Kind == EventAlertFired {
		return true
	}
	var came time.Time // with the newest incident that it may have come with
	for i := range timeline {
		if e := &timeline[i]; e.Kind == EventMerged && (next == nil || !e.At.After(next.At)) && (last == nil || e.At.After(last.At)) {
			came = e.At
		}
	}
	if came.IsZero() {
		came = a.FiredAt
		return last == nil && !came.After(at)
	}
	return !came.After(at)
}

// beyond says what an acknowledge does not hold for: why an alert that fires takes it back, "" if it does not.
func (inc *Incident) beyond(a *Alert) string {
	switch ack := inc.Acknowledgement; {
	case a.Severity > ack.Severity:
		return fmt.Sprintf("raised to %s: %s", a.Severity, a.Summary())
	case a.Severity >= High && !inc.covered(a):
		return "new: " + a.Summary()
	}
	return ""
}

// beyonds are the reasons why what fires takes an acknowledge back that was given before it did; "" if nothing does.
func (inc *Incident) beyonds() string {
	const most = 3
	var all []string
	for i := range inc.Alerts {
		if a := &inc.Alerts[i]; a.State == Firing {
			if why := inc.beyond(a); why != "" {
				all = append(all, why)
			}
		}
	}
	text := strings.Join(all[:min(len(all), most)], "; ")
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}
