package incident

import (
	"cmp"
	"slices"
	"time"
)

// openOnes are the incidents that are open or acknowledged, oldest first.
func (b *Book) openOnes() []*Incident {
	return slices.DeleteFunc(slices.Clone(b.incidents), func(inc *Incident) bool { return inc.State != Open && inc.State != Acknowledged })
}

// fitting are the open incidents that an alert belongs to, oldest first. More than one means that it links them.
func (b *Book) fitting(a *Alert) []*Incident {
	var fits []*Incident
	for _, inc := range b.openOnes() {
		if inc.Alert(a.Key) != nil {
			fits = append(fits, inc) // it is a member already
			continue
		}
		if a.Labels["cluster"] != "" && inc.Cluster != a.Labels["cluster"] {
			continue
		}
		if inc.Project == a.Labels["project"] && slices.ContainsFunc(inc.Alerts, func(m Alert) bool { return belong(a, &m) }) {
			fits = append(fits, inc)
		}
	}
	if a.Labels["cluster"] == "" {
		if len(fits) != 1 {
			return slices.DeleteFunc(fits, func(inc *Incident) bool { return inc.Alert(a.Key) == nil })
		}
		return fits
	}
	return b.withSameStart(a, fits)
}

// belong says whether two alerts of one place are about one thing: they share the rule or the service, or one is a symptom of
// the other and the cause is fresh. That both were declared by persons says nothing.
func belong(a, m *Alert) bool {
	if m.State != Firing {
		return false
	}
	if a.Rule == m.Rule && !a.Declared() || a.Service() != "" && a.Service() == m.Service() {
		return true
	}
	return symptom(a, m) || symptom(m, a)
}

func symptom(s, cause *Alert) bool {
	return explains(cause, s) && s.Last.Sub(cause.Last) <= CauseAge
}

// explains says whether one alert's rule is named as a cause by the other's, and both are about one service: deck's panic does not
// explain hook's 502. A cause without a service, such as a configuration that does not load, concerns everybody.
func explains(cause, s *Alert) bool {
	return slices.Contains(s.SymptomOf, cause.Rule) && (cause.Service() == "" || s.Service() == "" || cause.Service() == s.Service())
}

// withSameStart adds the incidents of a cluster that an alert makes one with, because three or more services at high or above
// failed first within two minutes.
func (b *Book) withSameStart(a *Alert, fits []*Incident) []*Incident {
	if a.Severity < High || a.Service() == "" {
		return fits
	}
	var best map[*Incident]bool
	most := SameStartServices - 1
	for _, from := range b.starts(a) { // the two minutes that begin with one of them, and hold the alert
		services := map[string]bool{a.Service(): true}
		found := map[*Incident]bool{}
		b.beginners(a, func(inc *Incident, m *Alert) {
			if !m.First.Before(from) && m.First.Sub(from) <= SameStart {
				services[m.Service()], found[inc] = true, true
			}
		})
		if len(services) > most {
			best, most = found, len(services)
		}
	}
	if best == nil {
		return fits
	}
	return slices.DeleteFunc(b.openOnes(), func(inc *Incident) bool { return !best[inc] && !slices.Contains(fits, inc) })
}

// beginners calls do with each alert that may have begun with a: it fires in a's cluster, at high or above, about a service.
func (b *Book) beginners(a *Alert, do func(inc *Incident, m *Alert)) {
	for _, inc := range b.openOnes() {
		if inc.Project != a.Labels["project"] || inc.Cluster != a.Labels["cluster"] {
			continue
		}
		for i := range inc.Alerts {
			if m := &inc.Alerts[i]; m.State == Firing && m.Severity >= High && m.Service() != "" {
				do(inc, m)
			}
		}
	}
}

// starts are the times at which a stretch of SameStart that holds a's beginning can begin.
func (b *Book) starts(a *Alert) []time.Time {
	starts := []time.Time{a.First}
	b.beginners(a, func(_ *Incident, m *Alert) {
		if ago := a.First.Sub(m.First); ago > 0 && ago <= SameStart {
			starts = append(starts, m.First)
		}
	})
	return starts
}

// homeOf is the one open incident with a cluster that an incident without one belongs to, or nil.
func (b *Book) homeOf(lone *Incident) *Incident {
	if lone.Cluster != "" {
		return nil
	}
	var home *Incident
	for _, inc := range b.openOnes() {
		if inc.Cluster == "" || inc.Project != lone.Project || apart(lone, inc) || !linked(lone, inc) {
			continue
		}
		if home != nil {
			return nil
		}
		home = inc
	}
	return home
}

func linked(x, y *Incident) bool {
	return slices.ContainsFunc(x.Alerts, func(a Alert) bool {
		return a.State == Firing && slices.ContainsFunc(y.Alerts, func(m Alert) bool { return belong(&a, &m) })
	})
}

// takeIn merges the incidents without cluster whose one home main has become.
func (b *Book) takeIn(main *Incident) {
	for _, other := range b.openOnes() {
		if other == main || main.State == Merged || b.homeOf(other) != main {
			continue
		}
		older, younger := b.elder(main, other)
		b.merge(older, younger)
		main = older
	}
}

// unite makes one of an incident that is open again and of what was opened meanwhile and belongs to it.
func (b *Book) unite(inc *Incident) {
	for _, a := range slices.Clone(inc.Alerts) {
		if a.State != Firing {
			continue
		}
		for _, fit := range b.fitting(&a) {
			if inc = b.standing(inc); fit != inc && !apart(fit, inc) {
				b.merge(b.elder(inc, fit))
			}
		}
	}
	b.takeIn(b.standing(inc))
}

// merge lets the older of two open incidents take in the younger: the union of the alerts, the highest severity, an acknowledge
// only if it covers both, and a page at that severity if the older has none.
func (b *Book) merge(older, younger *Incident) {
	if older == younger || younger.State == Merged {
		return
	}
	before, severity, mayPage := older.Headline, older.Severity, older.MayPage()
	ack := jointAcknowledgement(older, younger)
	for _, a := range younger.Alerts {
		a.Incident = older.ID
		if m := older.Alert(a.Key); m != nil {
			*m = a.and(*m)
			continue
		}
		older.Alerts = append(older.Alerts, a)
	}
	if older.Cluster == "" {
		older.Cluster = younger.Cluster
	}
	older.Apart = append(older.Apart, younger.Apart...)
	lost := older.Acknowledgement != nil && ack == nil
	older.refresh()
	b.say(older, EventMerged, "took in %s: %s", younger.ID, younger.Title)
	if older.Headline != before {
		b.say(older, EventHeadline, "the cause seems to be: %s", older.Title)
	}
	c := b.touch(older)
	if lost {
		b.takeBack(older, "joined by: "+younger.Title)
	} else if ack != nil {
		if older.Acknowledgement == nil {
			ack.Joined = b.now // it is older than what was called for here meanwhile
		}
		older.State, older.Acknowledgement = Acknowledged, ack
	} else if worse := older.Severity > severity || older.MayPage() && !mayPage; worse && !older.rangFor() {
		older.Escalation.Retaken = b.now                   // an acknowledge that is not heard of yet was of less
		c.ring, c.news = true, "joined by: "+younger.Title // else its policy runs already, and must not begin anew
	}
	b.say(younger, EventMerged, "taken in by %s: %s", older.ID, older.Title)
	younger.State, younger.MergedInto, younger.ResolvedAt = Merged, older.ID, b.now
	younger.Acknowledgement = nil
	younger.Alerts = nil
	b.touch(younger).superseded = true
}

// and is a as one with older, the same (rule, group) in the incident that takes a's in: as the one that fires, the younger if both or
// neither do, with the first line of both and all that either has counted.
func (a Alert) and(older Alert) Alert {
	if a.Flap == nil {
		a.Flap = older.Flap
	}
	one, other := a, older
	if older.State == Firing && a.State != Firing {
		one, other = older, a
	}
	one.Count += other.Count
	one.About = one.About || other.About
	if other.First.Before(one.First) {
		one.First, one.FirstLine, one.Identity = other.First, other.FirstLine, other.Identity
	}
	if other.Last.After(one.Last) {
		one.Last = other.Last
	}
	return one
}

// jointAcknowledgement is an acknowledge of either or of both, if it covers all that fires in either, else nil.
func jointAcknowledgement(older, younger *Incident) *Acknowledgement {
	var joint *Acknowledgement
	for _, inc := range []*Incident{older, younger} {
		ack := inc.Acknowledgement
		switch {
		case ack == nil:
		case joint == nil:
			joint = &Acknowledgement{By: ack.By, At: ack.At, Joined: ack.Joined, Covers: slices.Clone(ack.Covers), Severity: ack.Severity, Asked: ack.Asked}
		default:
			joint.Covers, joint.Severity = append(joint.Covers, ack.Covers...), max(joint.Severity, ack.Severity)
			joint.Asked = cmp.Or(joint.Asked, ack.Asked)
		}
	}
	if joint == nil {
		return nil
	}
	probe := Incident{Acknowledgement: joint, Alerts: slices.Concat(older.Alerts, younger.Alerts)}
	for _, inc := range []*Incident{older, younger} {
		for i := range inc.Alerts {
			a := &inc.Alerts[i]
			// What would not take it back as an alert that joins does not as one that is taken in.
			if a.State == Firing && (a.Severity > joint.Severity || a.Severity >= High && !probe.covered(a)) {
				return nil
			}
		}
	}
	return joint
}
