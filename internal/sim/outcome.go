package sim

import (
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// What people's deeds have to come to, by docs/people.md and design.md. Each is looked at when it has just been done, before anything else
// happens; what follows later is held by the invariants.

// whole reads an incident and what is to be told of it.
func (w *World) whole(id string) (inc incident.Incident, rows []incident.Notification, events []incident.Event) {
	w.view(func(tx *store.Tx) (err error) {
		if inc, err = tx.Incident(w.ctx, id); err != nil {
			return err
		}
		if rows, err = tx.Notifications(w.ctx, id); err != nil {
			return err
		}
		events, err = tx.Events(w.ctx, id)
		return err
	})
	return inc, rows, events
}

func isAlive(inc *incident.Incident) bool {
	return inc.State == incident.Open || inc.State == incident.Acknowledged
}

// worst is the highest severity that fires.
func worst(inc *incident.Incident) (top incident.Severity) {
	for i := range inc.Alerts {
		if a := &inc.Alerts[i]; a.State == incident.Firing {
			top = max(top, a.Severity)
		}
	}
	return top
}

// holdsFor says whether acknowledges cover all that fires in incidents and is worth a page.
func holdsFor(acks []*incident.Acknowledgement, all ...*incident.Incident) bool {
	known, top := &incident.Acknowledgement{}, incident.Severity(0)
	whole := &incident.Incident{}
	for _, ack := range acks {
		known.Covers, top = append(known.Covers, ack.Covers...), max(top, ack.Severity)
	}
	for _, inc := range all {
		whole.Alerts = append(whole.Alerts, inc.Alerts...)
	}
	for i := range whole.Alerts {
		a := &whole.Alerts[i]
		if a.State == incident.Firing && (a.Severity > top || a.Severity >= incident.High && !covered(whole, known, a)) {
			return false
		}
	}
	return true
}

// declaredAs: "What a person has found and no rule has becomes an incident. It is routed, told and escalated as any other." "With a service it
// belongs to what is open of that service in the same project and cluster."
func (w *World) declaredAs(d *deed, what incident.Declaration, id string) {
	inc, _, events := w.whole(id)
	a := inc.Alert(what.Key())
	switch {
	case !isAlive(&inc) || a == nil || a.State != incident.Firing:
		w.fail("I5", "%s declared %q, and in %s, which is %s, it does not fire", d.who, what.Title, id, inc.State)
		return
	case inc.State == incident.Acknowledged: // nobody can know of it yet, and it is high at the least
		w.fail("I11", "%s declared %q, and %s is acknowledged by %s", d.who, what.Title, id, inc.Acknowledgement.By)
	case inc.Severity < what.Severity:
		w.fail("I5", "%s declared %q as %s, and %s is %s", d.who, what.Title, what.Severity, id, inc.Severity)
	}
	if !slices.ContainsFunc(events, func(e incident.Event) bool { return e.Kind == incident.EventAlertFired && e.By == d.who }) {
		w.fail("I16", "%s declared %q, and the timeline of %s does not say so", d.who, what.Title, id)
	}
	w.goesOn(d, &inc)
	if what.Severity == incident.Critical {
		key, from := what.Key(), w.now
		w.agenda.add(w.now.Add(hearing+time.Minute), func() { w.heardOnce(key, from) })
	}
}

// goesOn: "Every open unacked incident with steps left has next_escalation_at not null, <= now + delay(step)."
func (w *World) goesOn(d *deed, inc *incident.Incident) {
	if inc.State != incident.Open || inc.Policy == "" || inc.Muzzled() {
		return
	}
	if next := inc.Escalation.Next; next.IsZero() || next.Sub(w.wall()) > longestStep && w.tally.ClockSteps == 0 || inc.Due.IsZero() || inc.Due.After(next) {
		w.fail("I13", "behind what %s did (%s) the next step of %s is at %s, due %s, in %s", d.who, d.name, inc.ID, next, inc.Due, next.Sub(w.wall()))
	}
}

// longestStep is the longest that the stage's policies wait: an hour, once nobody has answered.
const longestStep = time.Hour + time.Second

// mergedByHand: "B takes in A with its alerts, whichever is the older. B is paged at the severity of both if it was not. An acknowledge of B that
// does not cover A's alerts is taken back and pages; whoever merges and has one of the two has both."
func (w *World) mergedByHand(d *deed, from, into *incident.Incident, now time.Time) {
	w.model.did(from.ID, d.who, incident.State(incident.EventMerged))
	w.model.did(into.ID, d.who, incident.State(incident.EventMerged))
	w.model.byHand[from.ID+" "+into.ID] = true
	w.model.putTogether(from.ID, into.ID)
	a, _, _ := w.whole(from.ID)
	b, _, _ := w.whole(into.ID)
	if a.State != incident.Merged || a.MergedInto != b.ID || len(firingOf(&a)) > 0 || !isAlive(&b) {
		w.fail("I4", "%s merged %s into %s: it is %s into %q, with %d alerts that fire, that is %s", d.who, a.ID, b.ID, a.State, a.MergedInto, len(firingOf(&a)), b.State)
		return
	}
	want := map[incident.Key]int64{}
	for _, inc := range []*incident.Incident{from, into} {
		for i := range inc.Alerts {
			want[inc.Alerts[i].Key] += inc.Alerts[i].Count
		}
	}
	for i := range b.Alerts {
		m := &b.Alerts[i]
		fired := slices.Contains(firingOf(from), m.Key) || slices.Contains(firingOf(into), m.Key)
		if m.Count != want[m.Key] || (m.State == incident.Firing) != fired {
			w.fail("I1", "%s merged %s into %s: %s %s counts %d and is %s, it counted %d", d.who, a.ID, b.ID, m.Rule, m.Group, m.Count, m.State, want[m.Key])
		}
		delete(want, m.Key)
	}
	if len(want) > 0 || b.Severity != max(worst(from), worst(into)) {
		w.fail("I5", "%s merged %s into %s: it is %s, and %d alerts are gone", d.who, a.ID, b.ID, b.Severity, len(want))
	}
	w.hasBoth(d, from, into, &b)
	w.goesOn(d, &b)
	same := b.State == incident.Open && into.State == incident.Open && b.Policy == into.Policy && b.Escalation.Retaken.Equal(into.Escalation.Retaken)
	if same && !into.Escalation.Next.IsZero() && b.Escalation.Next.After(into.Escalation.Next) {
		w.fail("I13", "%s merged %s into %s: its next step is put off from %s to %s", d.who, a.ID, b.ID, into.Escalation.Next, b.Escalation.Next)
	}
	if w.called(into) == 0 && b.State == incident.Open && b.Policy == "now" && !b.Muzzled() && b.MayPage() && b.Escalation.Next.After(now) && !b.Escalation.Fell && w.called(&b) == 0 {
		w.fail("I5", "%s merged %s into %s: it is %s, nobody was called for it, and nobody is", d.who, a.ID, b.ID, b.Severity)
	}
}

// hasBoth checks who has what has been merged.
func (w *World) hasBoth(d *deed, from, into, b *incident.Incident) {
	var acks []*incident.Acknowledgement
	had, mine := false, false
	for _, inc := range []*incident.Incident{from, into} {
		if ack := inc.Acknowledgement; ack != nil {
			acks = append(acks, ack)
			mine = mine || ack.By == d.who
			had = had || b.Acknowledgement != nil && b.Acknowledgement.By == ack.By
		}
	}
	covers := len(acks) > 0 && holdsFor(acks, from, into)
	switch {
	case b.State == incident.Acknowledged && (!had || !mine && !covers):
		w.fail("I11", "%s merged %s into %s, which %s has now, who does not have both", d.who, from.ID, b.ID, b.Acknowledgement.By)
	case b.State != incident.Acknowledged && (mine || into.Acknowledgement != nil && holdsFor([]*incident.Acknowledgement{into.Acknowledgement}, from, into)):
		w.fail("I11", "%s merged %s into %s, which nobody has now", d.who, from.ID, b.ID)
	}
}

// called is how many calls of pagers are out or asked for.
func (w *World) called(inc *incident.Incident) (n int) {
	_, rows, _ := w.whole(inc.ID)
	for i := range rows {
		if r := &rows[i]; r.Kind == incident.Call && r.State != incident.Cancelled && !r.CreatedAt.Before(inc.Escalation.Retaken) {
			n++
		}
	}
	return n
}

// splitOff: "an alert that fires in A becomes an incident of its own. Who has A has the new one, if their acknowledge covered the alert; else it is
// told and escalated from its first step. If nothing is left that fires in A, A is over."
func (w *World) splitOff(d *deed, was *incident.Incident, key incident.Key, id string, now time.Time) {
	w.model.did(was.ID, d.who, incident.State(incident.EventSplit))
	w.model.did(id, d.who, incident.State(incident.EventSplit))
	w.model.apart = append(w.model.apart, [2]string{was.ID, id})
	own, _, _ := w.whole(id)
	rest, _, _ := w.whole(was.ID)
	if f := firingOf(&own); len(f) != 1 || f[0] != key || rest.Alert(key) != nil || own.Alert(key).Count != was.Alert(key).Count || !isAlive(&own) {
		w.fail("I4", "%s split %s %s off %s: in %s, %s, there fires %v", d.who, key.Rule, key.Group, was.ID, id, own.State, f)
		return
	}
	left := slices.DeleteFunc(firingOf(was), func(k incident.Key) bool { return k == key })
	ack := was.Acknowledgement
	switch has := own.Acknowledgement; {
	case !slices.Equal(firingOf(&rest), left):
		w.fail("I4", "%s split %s off %s: there fires %v, there has to %v", d.who, key.Rule, was.ID, firingOf(&rest), left)
	case len(left) == 0 && rest.State != incident.Resolved:
		w.fail("I24", "%s split the last that fired off %s, and it is %s", d.who, was.ID, rest.State)
	case len(left) > 0 && (rest.State != was.State || rest.Severity != worst(&rest)):
		w.fail("I11", "%s split %s off %s, which was %s and is %s, %s", d.who, key.Rule, was.ID, was.State, rest.State, rest.Severity)
	case ack != nil && covered(was, ack, was.Alert(key)) && (has == nil || has.By != ack.By || !has.At.Equal(ack.At)):
		w.fail("I11", "%s split %s off %s, which %s has, and nobody has %s", d.who, key.Rule, was.ID, ack.By, id)
	case (ack == nil || !covered(was, ack, was.Alert(key))) && has != nil:
		w.fail("I11", "%s split %s off %s, and %s has %s, who did not have it", d.who, key.Rule, was.ID, has.By, id)
	}
	if own.State == incident.Open && own.Policy == "now" && !own.Muzzled() && own.Escalation.Next.After(now) {
		w.fail("I13", "%s split %s off %s, and %s is escalated at %s only", d.who, key.Rule, was.ID, id, own.Escalation.Next)
	}
	w.goesOn(d, &own)
	w.goesOn(d, &rest)
}

// askedFor: "directly, where a receiver can tell him so, and by a mention in the threads of the incident's messages. While nobody has the incident
// the escalation goes on as it was. Of one that somebody has it is a hand-over: it stays theirs until it is acknowledged anew. If nobody has within 30
// minutes it is open again. Who is asked last counts."
func (w *World) askedFor(d *deed, was *incident.Incident, now time.Time) {
	w.model.did(was.ID, d.who, incident.State(incident.EventAsked))
	inc, rows, _ := w.whole(was.ID)
	told := slices.ContainsFunc(rows, func(n incident.Notification) bool {
		return n.CreatedAt.Equal(now) && (n.State == incident.Pending || n.State == incident.InFlight) && w.providers[n.Target].traits.Direct
	})
	switch {
	case inc.State != was.State || (inc.Acknowledgement == nil) != (was.Acknowledgement == nil):
		w.fail("I11", "%s asked for %s, which was %s and is %s", d.who, inc.ID, was.State, inc.State)
		return
	case !told:
		w.fail("I5", "%s asked for %s, and nobody is told so", d.who, inc.ID)
	}
	if ack := inc.Acknowledgement; ack != nil {
		if ack.By != was.Acknowledgement.By || !ack.At.Equal(was.Acknowledgement.At) || ack.Asked == nil || !ack.Asked.Until.Equal(now.Add(30*time.Minute)) {
			w.fail("I12", "%s asked for %s, which %s had and %s has, asked until %v", d.who, inc.ID, was.Acknowledgement.By, ack.By, ack.Asked)
		}
		return
	}
	if !inc.Escalation.Next.Equal(was.Escalation.Next) {
		w.fail("I13", "%s asked for %s, and its next step is put from %s to %s", d.who, inc.ID, was.Escalation.Next, inc.Escalation.Next)
	}
	w.goesOn(d, &inc)
}

// noted: "It rings nobody", and changes nothing.
func (w *World) noted(d *deed, was *incident.Incident) {
	w.model.did(was.ID, d.who, incident.State(incident.EventNote))
	w.model.touch(was.ID) // a note changes nothing of it, but is told
	inc, _, _ := w.whole(was.ID)
	if inc.State != was.State || inc.Round != was.Round || !inc.Due.Equal(was.Due) || inc.Severity != was.Severity {
		w.fail("I16", "%s wrote a note, and %s was %s, due %s, and is %s, due %s", d.who, inc.ID, was.State, was.Due, inc.State, inc.Due)
	}
}

// endedByHand: what resolves by_hand, and what was declared, is over "when somebody resolves the incident"; what else fires there is held.
func (w *World) endedByHand(d *deed, was *incident.Incident, now time.Time) {
	inc, _, _ := w.whole(was.ID)
	held := false
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		if w.onlyByHand(*a) {
			w.fail("I24", "%s ended %s, and %s %s fires on, which nothing else ends", d.who, inc.ID, a.Rule, a.Group)
		}
		held = held || a.State == incident.Firing
	}
	switch {
	case inc.State != incident.Resolved || inc.ResolvedBy != d.who:
		w.fail("I16", "%s ended %s, it is %s by %q", d.who, inc.ID, inc.State, inc.ResolvedBy)
	case held && (inc.Due.IsZero() || inc.Due.After(now.Add(10*time.Minute))):
		w.fail("I13", "%s ended %s, what fires on there is looked at again at %s", d.who, inc.ID, inc.Due)
	}
}

// byPersons checks that what only a person ends was ended by one, who knew of it; and that what a person has split is put together by none else.
func (w *World) byPersons(k *known, inc *incident.Incident) {
	if inc.State == incident.Merged && k.seen && k.inc.State != incident.Merged {
		w.model.merged(w, inc.ID, inc.MergedInto)
	}
	for i := range inc.Alerts {
		a, before := &inc.Alerts[i], k.inc.Alert(inc.Alerts[i].Key)
		if before == nil || a.State == incident.Firing || !w.onlyByHand(*before) || a.Rule == "drip" && w.tally.Reloads > 0 {
			continue
		}
		if fired := before.FiredAt.Add(-w.offset); !slices.ContainsFunc(w.model.ended[inc.ID], func(at time.Time) bool {
			return w.tally.ClockSteps > 0 || !at.Add(time.Second).Before(fired)
		}) {
			w.fail("I16", "%s %s is over in %s, and nobody who knew of it has said so: it fires since %s, ended at %v", a.Rule, a.Group, inc.ID, fired.Sub(w.began), w.model.ended[inc.ID])
		}
	}
}

// merged takes over, from one incident to that which took it in, from what people have split them.
func (m *model) merged(w *World, id, into string) {
	for i, p := range m.apart {
		if (p == [2]string{id, into} || p == [2]string{into, id}) && !m.byHand[id+" "+into] {
			w.fail("I16", "%s is merged into %s, from which a person has split it", id, into)
		}
		for j := range p {
			if p[j] == id {
				m.apart[i][j] = into
			}
		}
	}
}

// putTogether is for two that a person has merged, who may have been split.
func (m *model) putTogether(id, into string) {
	m.apart = slices.DeleteFunc(m.apart, func(p [2]string) bool {
		return p == [2]string{id, into} || p == [2]string{into, id}
	})
}

// heardLeak checks, some time after a line of what only a person ends, that it fires and that somebody was rung for it or has it; or that a person
// has ended it since.
func (w *World) heardLeak(l leak) {
	if !w.going() || min(w.running(""), w.running("oncall")) < hearing+l.to.Sub(l.from) {
		return
	}
	if w.firing(l.key) != "" || w.heldOver(l.key) {
		w.heardOnce(l.key, l.from)
		return
	}
	if l.key.Rule == "drip" && w.tally.Reloads > 0 || w.tally.ClockSteps > 0 {
		return // it has ended by itself, or came too late by a clock that was ahead
	}
	if !w.endedSince(l.key, l.from) {
		w.fail("I1", "%s %s was logged %s ago, nobody has ended it since, and it does not fire", l.key.Rule, l.key.Group, w.now.Sub(l.from))
	}
}

// heldOver says whether it fires in an incident that was resolved by hand, where it waits for the hold to be over.
func (w *World) heldOver(key incident.Key) (held bool) {
	w.view(func(tx *store.Tx) (err error) {
		_, held, err = tx.FiringAlert(w.ctx, key)
		return err
	})
	return held
}

// endedSince says whether a person has ended an incident that has the (rule, group) since a time.
func (w *World) endedSince(key incident.Key, since time.Time) bool {
	for _, id := range w.model.order {
		if w.model.has(id, key) && slices.ContainsFunc(w.model.ended[id], func(at time.Time) bool { return !at.Add(time.Second).Before(since) }) {
			return true
		}
	}
	return false
}

// has says whether an incident, or that which took it in, has a (rule, group).
func (m *model) has(id string, key incident.Key) bool {
	for k := m.known[id]; k != nil; k = m.known[k.inc.MergedInto] {
		if k.inc.Alert(key) != nil {
			return true
		}
	}
	return false
}
