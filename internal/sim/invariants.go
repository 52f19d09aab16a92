package sim

import (
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// The invariants, by their numbers, and where a world checks them. What is not named here needs real processes, real HTTP or people
// with rights, and is proven there.
//
//	I1  no entry at or below a cursor is lost          accounts: what is counted is what was read (judge)
//	I2  a cursor never goes back                       model.cursor
//	I3  an entry opens one incident at most            transition: the id of an alert's first entry
//	I4  one open incident for a (rule, group)          sweep
//	I5  what is open and may page has its page         standing.paged
//	I6  what is sent is in the provider's ledger       transition.sent
//	I7  a page ends as sent or for a reason            transition.ended
//	I8  a page rings once, a message is there once     provider.page, provider.post
//	I9  a key stands for one round                     provider.page, transition.ended
//	I10 no trigger behind a resolve                    provider.page
//	I11 an acknowledge holds for what it covers        model.claimed, transition.acknowledges
//	I12 a forgotten acknowledge is taken back          standing
//	I13 what is open has its next step                 standing
//	I14 epochs rise                                    model.started
//	I16 what people do is in the timeline, once        judge, judged: in the audit trail too; byPersons: what only they end or split
//	I17 a silence ends in time, hides no resolve       standing; judge: what is told of the end
//	I21 nothing fires early: an absence                transition.absences
//	I24 when the faults stop, everything drains        judge, standing: what is stuck
//	I25 what was detected is what a calm world detects Result.Story

// The times within which things happen in a service that runs and whose providers take what comes.
const (
	stuckAfter     = 7 * time.Minute // a permanent refusal is tried again after five
	overdueAfter   = 2 * time.Minute
	secondPathTime = time.Minute
)

// heard checks, some time into an episode, that somebody was rung for it since it began, or had it before: what was logged, against
// what the pagers and the channel heard. Nothing of the product is asked but which incident it became.
func (w *World) heard(e episode) {
	w.heardOnce(incident.Key{Rule: "down", Group: incident.Labels{"cluster": e.cluster, "service": e.service}.Text()}, e.from)
}

// heardOnce checks it of a (rule, group) that has begun to fire at a time, some of it ago.
func (w *World) heardOnce(key incident.Key, from time.Time) {
	if !w.going() || min(w.running(""), w.running("oncall")) < hearing {
		return
	}
	var inc incident.Incident
	w.view(func(tx *store.Tx) error {
		a, fires, err := tx.FiringAlert(w.ctx, key)
		if err == nil && fires {
			inc, err = tx.Incident(w.ctx, a.Incident)
		}
		return err
	})
	if inc.ID == "" {
		if key.Rule == "down" || !w.endedSince(key, from) {
			w.fail("I1", "%s %s goes on since %s, and no alert fires", key.Rule, key.Group, w.now.Sub(from))
		}
		return
	}
	k := w.model.of(inc.ID)
	if k.held || len(inc.Holds) > 0 {
		return // see held
	}
	rang := false
	for _, id := range w.model.order {
		if o := w.model.known[id]; id == inc.ID || o.inc.MergedInto == inc.ID {
			rang = rang || slices.ContainsFunc(o.rang, func(at time.Time) bool { return !at.Before(k.since.Add(-time.Second)) })
		}
	}
	switch {
	case inc.State == incident.Acknowledged, inc.State == incident.Resolved && w.wall().Before(inc.HeldUntil.Add(overdueAfter)), rang:
	case w.hands.busy && w.now.Before(k.since.Add(overdueAfter)): // somebody has split or merged it just now
	case k.over && w.wall().Before(inc.Escalation.Retaken.Add(overdueAfter)):
		// "After a resolve by hand the (rule, group)s that were members are held for ten minutes; still firing then, they reopen it
		// with a page" (design.md): the page of that has just been asked for.
	default:
		w.fail("I5", "%s %s goes on since %s, it is %s %s, and nobody was rung for it", key.Rule, key.Group, w.now.Sub(from), inc.ID, inc.State)
	}
}

// hearing is how long it may take from a line to a ring, if all that is asked takes what comes: a reader that is slow, the lateness, a
// few attempts.
const hearing = 12 * time.Minute

// transition holds an incident against what it was when it was looked at last.
func (w *World) transition(k *known, inc *incident.Incident, rows []incident.Notification) {
	have := map[int64]bool{}
	for i := range rows {
		n := &rows[i]
		have[n.ID] = true
		w.ended(k, inc, n, rows)
		if n.State == incident.Sent && !w.providers[n.Target].has(n) {
			w.fail("I6", "%s is sent, and %s never had it", describe(n), n.Target)
		}
		if before, ok := k.rows[n.ID]; ok && before.Key != n.Key && !w.weather.young {
			w.fail("I9", "the key of row %d was %s and is %s", n.ID, before.Key, n.Key)
		}
		if n.Kind == incident.Call && n.Key != inc.CallKey(n.Round) && !w.weather.young {
			w.fail("I9", "%s is of round %d", describe(n), n.Round)
		}
	}
	for id, n := range k.rows {
		if !have[id] {
			w.fail("I7", "%s is gone", describe(&n))
		}
	}
	w.absences(k, inc)
	w.byPersons(k, inc)
	w.acknowledges(k, inc, rows)
	w.heardOf(k, inc, rows)
	w.stepped(k, inc, rows)
}

// quiet is after what time without a beat the stage's rule "silent" fires.
const quiet = 12 * time.Minute

// lateness is the stage's, eps by how much a timer may be early where the clock was set.
const (
	lateness = 30 * time.Second
	eps      = 10 * time.Second
)

// absences checks that what is missing was missing, also while a source had still to be read.
func (w *World) absences(k *known, inc *incident.Incident) {
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		if a.Rule != "silent" || a.State != incident.Firing || k.inc.Alert(a.Key) != nil && k.inc.Alert(a.Key).FiredAt.Equal(a.FiredAt) {
			continue
		}
		fired := a.FiredAt.Add(-w.offset)
		judged := fired.Add(-lateness) // what came since may not have been read: the rule is asked of the time before
		for _, l := range w.logs {
			for j := range l.lines {
				if b := &l.lines[j]; b.what == "beat" && b.cluster == a.Labels["cluster"] && !b.received.After(fired) && !b.at.After(judged) && judged.Sub(b.at) < quiet-eps {
					w.fail("I21", "nothing beats in %s, it says at %s, and there was a beat at %s", b.cluster, fired.Sub(w.began), b.at.Sub(w.began))
				}
			}
		}
	}
}

// heardOf checks that an answer at a pager is about what rings now: what was said before something new took it back is over.
func (w *World) heardOf(k *known, inc *incident.Incident, rows []incident.Notification) {
	ack := inc.Acknowledgement
	if ack == nil || k.inc.Acknowledgement != nil && k.inc.Acknowledgement.By == ack.By {
		return
	}
	if !ack.Joined.IsZero() {
		return // it was said of another, which this one has taken in, and was looked at there
	}
	s, answered := w.model.said[ack.By]
	if answered && s.incident == inc.ID {
		w.covers(inc, s)
	}
	retaken := k.since
	if !answered || inc.Escalation.Retaken.IsZero() || !s.at.Before(retaken.Truncate(time.Second)) {
		return
	}
	if slices.ContainsFunc(rows, func(n incident.Notification) bool {
		return n.Kind == incident.Call && n.Key == s.key && n.CreatedAt.Before(inc.Escalation.Retaken)
	}) {
		w.fail("I11", "%s has %s by what was said of %s at %s, before it was taken back at %s", ack.By, inc.ID, s.key, s.at.Sub(w.began), retaken.Sub(w.began))
	}
}

// covers checks that an acknowledge which was given at a pager, and heard of later, covers what was open when it was given, and no more:
// "An acknowledge covers the (rule, group)s open when it was given, and their symptoms." The pager tells whole seconds.
func (w *World) covers(inc *incident.Incident, s said) {
	known := &incident.Acknowledgement{Covers: s.firing}
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		if a.State == incident.Firing && a.Severity >= incident.High && a.FiredAt.Add(-w.offset).After(s.at.Add(time.Second)) && !covered(inc, known, a) {
			w.fail("I11", "%s has %s by what was said of %s at %s, and %s %s fires since %s", inc.Acknowledgement.By, inc.ID, s.key, s.at.Sub(w.began), a.Rule, a.Group, a.FiredAt.Sub(w.began))
		}
	}
}

// leastGap is the least time between two steps of the stage's policy "now".
const leastGap = 10 * time.Minute

// tardy is by how much a step may be late without those behind it waiting as long.
const tardy = time.Minute + time.Second

// stepped checks that a step waits until those of before have had their time, from when they were accepted on.
func (w *World) stepped(k *known, inc *incident.Incident, rows []incident.Notification) {
	if !k.seen || inc.Policy != "now" || k.inc.Policy != inc.Policy || !k.inc.Escalation.Retaken.Equal(inc.Escalation.Retaken) {
		return
	}
	for i := range rows {
		n := &rows[i]
		if _, old := k.rows[n.ID]; old || n.Kind != incident.Call || n.Round != inc.Round || n.Target == fallback {
			continue
		}
		first := accepted(rows, n.Round-1)
		if first != nil && !first.SentAt.After(n.CreatedAt) && n.CreatedAt.Sub(first.SentAt) < leastGap-tardy && !k.inc.Escalation.Start.After(first.SentAt) {
			w.fail("I13", "%s was asked for %s after %s was accepted", describe(n), n.CreatedAt.Sub(first.SentAt), describe(first))
		}
	}
}

// accepted is the call of a round that was accepted first, or nil.
func accepted(rows []incident.Notification, round int) *incident.Notification {
	var first *incident.Notification
	for i := range rows {
		if o := &rows[i]; o.Kind == incident.Call && o.Round == round && o.State == incident.Sent && (first == nil || o.SentAt.Before(first.SentAt)) {
			first = o
		}
	}
	return first
}

// ended checks why a row that rings ended.
func (w *World) ended(k *known, inc *incident.Incident, n *incident.Notification, rows []incident.Notification) {
	if n.Kind != incident.Call || n.State != incident.Cancelled {
		return
	}
	holds := false
	switch n.Cause {
	case "acknowledged":
		holds = k.acknowledged || inc.State == incident.Acknowledged || inc.Acknowledgement != nil || inc.Escalation.Retaken.After(n.CreatedAt)
	case "resolved":
		holds = k.over || inc.State == incident.Resolved || inc.Escalation.Retaken.After(n.CreatedAt)
	case "held":
		holds = k.held || len(inc.Holds) > 0
	case "merged":
		holds = inc.State == incident.Merged
	case "superseded":
		holds = inc.State == incident.Merged || slices.ContainsFunc(rows, func(o incident.Notification) bool {
			return o.Kind == incident.Call && o.Target == n.Target && o.Round > n.Round
		})
	default: // a storm's page stands for it
		if storm, is := strings.CutPrefix(n.Cause, incident.StormCause("")); is {
			_, its, _ := w.whole(storm)
			holds = slices.ContainsFunc(its, func(o incident.Notification) bool { return o.Kind == incident.Call && o.Target == n.Target })
		}
	}
	if !holds {
		w.fail("I7", "%s has ended, the incident is %s", describe(n), inc.State)
	}
}

// acknowledges checks that an acknowledge holds as long as it has to, and no longer.
func (w *World) acknowledges(k *known, inc *incident.Incident, rows []incident.Notification) {
	if ack := inc.Acknowledgement; inc.State == incident.Acknowledged {
		for i := range inc.Alerts {
			a := &inc.Alerts[i]
			if a.State == incident.Firing && (a.Severity > ack.Severity || a.Severity >= incident.High && !covered(inc, ack, a)) {
				w.fail("I11", "%s is acknowledged by %s, who did not know of %s %s", inc.ID, ack.By, a.Rule, a.Group)
			}
		}
		for i := range rows {
			n := &rows[i]
			if _, old := k.rows[n.ID]; !old && n.Kind == incident.Call && n.CreatedAt.After(ack.At) {
				w.fail("I11", "%s was made at %s, %s acknowledged at %s", describe(n), n.CreatedAt, ack.By, ack.At)
			}
		}
	}
	if !k.seen || k.inc.State != incident.Acknowledged || inc.State != incident.Open {
		return
	}
	ack := k.inc.Acknowledgement
	due := inc.Escalation.Retaken.Sub(ack.At) >= incident.Rearm
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		due = due || a.State == incident.Firing && (a.Severity > ack.Severity || a.Severity >= incident.High && !covered(&k.inc, ack, a))
	}
	if !due && !inc.Escalation.Retaken.After(ack.At) {
		w.fail("I11", "%s had %s, and has it no more: nobody took it back", ack.By, inc.ID)
	}
}

// covered says whether an acknowledge covers an alert: it fired then, or is a symptom of what did.
func covered(inc *incident.Incident, ack *incident.Acknowledgement, a *incident.Alert) bool {
	return slices.ContainsFunc(ack.Covers, func(key incident.Key) bool {
		cause := inc.Alert(key)
		return key == a.Key || cause != nil && slices.Contains(a.SymptomOf, key.Rule) &&
			(cause.Service() == "" || a.Service() == "" || cause.Service() == a.Service())
	})
}

// running is for how long the service has run and this provider has taken what came; "" asks of the service alone.
func (w *World) running(target string) time.Duration {
	if w.life == nil || w.now.Before(w.frozen) {
		return 0
	}
	since := later(w.aliveSince, w.frozen)
	if p := w.providers[target]; p != nil {
		if p.trouble != "" || w.now.Before(p.hold) {
			return 0
		}
		since = later(since, later(p.well, p.hold))
	}
	return w.now.Sub(since)
}

// standing checks an incident that is open or acknowledged by itself.
func (w *World) standing(inc *incident.Incident, rows []incident.Notification) {
	now, up := w.wall(), w.running("")
	if up < overdueAfter {
		return
	}
	if !inc.Due.IsZero() && now.Sub(inc.Due) > overdueAfter {
		w.fail("I13", "%s is due since %s", inc.ID, now.Sub(inc.Due))
	}
	for _, h := range inc.Holds {
		if !h.Until.IsZero() && now.Sub(h.Until) > overdueAfter {
			w.fail("I17", "%s is held by %s, which has ended %s ago", inc.ID, h.By, now.Sub(h.Until))
		}
	}
	switch {
	case inc.State == incident.Acknowledged:
		if now.Sub(inc.Acknowledgement.At) > incident.Rearm+overdueAfter {
			w.fail("I12", "%s is acknowledged since %s", inc.ID, now.Sub(inc.Acknowledgement.At))
		}
		if asked := inc.Acknowledgement.Asked; asked != nil && now.Sub(asked.Until) > overdueAfter {
			w.fail("I12", "%s is to be taken over by %v since %s, and is not taken back", inc.ID, asked.To, now.Sub(asked.At))
		}
		return
	case inc.Policy != "" && inc.Escalation.Next.Sub(now) > longestStep && w.tally.ClockSteps == 0:
		w.fail("I13", "the next step of %s is in %s", inc.ID, inc.Escalation.Next.Sub(now))
	case inc.Policy != "" && inc.Escalation.Next.IsZero():
		w.fail("I13", "%s is open, its policy %s has no next step", inc.ID, inc.Policy)
	}
	w.paged(inc, rows, now)
	for i := range rows {
		w.waiting(inc, &rows[i], rows, now)
	}
}

// paged checks that somebody is called for what is critical.
func (w *World) paged(inc *incident.Incident, rows []incident.Notification, now time.Time) {
	if inc.Policy != "now" || !inc.MayPage() || len(inc.Holds) > 0 {
		return
	}
	since := later(inc.OpenedAt.Add(-w.setBack), inc.Escalation.Retaken) // the times of its rows are set back with the clock
	if now.Sub(later(since, inc.Escalation.Start)) < overdueAfter || inc.Escalation.Fell {
		return
	}
	for i := range rows {
		n := &rows[i]
		if n.Kind == incident.Call && w.providers[n.Target].traits.Pages && !n.CreatedAt.Before(since) && n.State != incident.Cancelled {
			return
		}
	}
	w.fail("I5", "%s is %s since %s and nobody is called", inc.ID, inc.Severity, now.Sub(since))
}

// waiting checks a row that is on its way.
func (w *World) waiting(inc *incident.Incident, n *incident.Notification, rows []incident.Notification, now time.Time) {
	if n.State != incident.Pending && n.State != incident.InFlight {
		return
	}
	age := now.Sub(n.CreatedAt)
	if n.Kind == incident.Call && min(age, w.running(n.Target)) > stuckAfter {
		w.fail("I24", "%s waits since %s, due %s, although %s takes what comes since %s", describe(n), age, n.Due.Sub(now), n.Target, w.running(n.Target))
	}
	if n.Kind != incident.Call || n.Target == fallback || inc.State != incident.Open || min(age, w.running("")) < secondPathTime+overdueAfter {
		return
	}
	if !slices.ContainsFunc(rows, func(o incident.Notification) bool {
		return o.Kind == incident.Call && o.Target == fallback && o.Round == n.Round
	}) {
		w.fail("I5", "%s is not accepted since %s, and %s was not asked to call", describe(n), age, fallback)
	}
}
