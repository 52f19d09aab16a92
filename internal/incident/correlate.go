package incident

import (
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
// the other and the cause is fresh.
func belong(a, m *Alert) bool {
	if m.State != Firing {
		return false
	}
	if a.Rule == m.Rule || a.Service() != "" && a.Service() == m.Service() {
		return true
	}
	return symptom(a, m) || symptom(m, a)
}

func symptom(s, cause *Alert) bool {
	return slices.Contains(s.SymptomOf, cause.Rule) && s.Last.Sub(cause.Last) <= CauseAge
}

// withSameStart adds the incidents of a cluster that an alert makes one with, because three or more services at high or above
// failed first within two minutes.
func (b *Book) withSameStart(a *Alert, fits []*Incident) []*Incident {
	if a.Severity < High || a.Service() == "" {
		return fits
	}
	services := map[string]bool{a.Service(): true}
	var linked []*Incident
	for _, inc := range b.openOnes() {
		if inc.Project != a.Labels["project"] || inc.Cluster != a.Labels["cluster"] {
			continue
		}
		found := false
		for i := range inc.Alerts {
			m := &inc.Alerts[i]
			if m.State == Firing && m.Severity >= High && m.Service() != "" && apart(m.First, a.First) <= SameStart {
				services[m.Service()], found = true, true
			}
		}
		if found || slices.Contains(fits, inc) {
			linked = append(linked, inc)
		}
	}
	if len(services) < SameStartServices {
		return fits
	}
	return linked
}

func apart(a, b time.Time) time.Duration { return a.Sub(b).Abs() }

// homeOf is the one open incident with a cluster that an incident without one belongs to, or nil.
func (b *Book) homeOf(lone *Incident) *Incident {
	if lone.Cluster != "" {
		return nil
	}
	var home *Incident
	for _, inc := range b.openOnes() {
		if inc.Cluster == "" || inc.Project != lone.Project || !linked(lone, inc) {
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

// merge lets the older of two open incidents take in the younger: the union of the alerts, the highest severity, an acknowledge
// only if it covers both, and a page at that severity if the older has none.
func (b *Book) merge(older, younger *Incident) {
	if older == younger || younger.State == Merged {
		return
	}
	before := older.Headline
	ack := jointAcknowledgement(older, younger)
	for _, a := range younger.Alerts {
		a.Incident = older.ID
		if m := older.Alert(a.Key); m != nil {
			if m.State == Firing && a.State != Firing {
				continue
			}
			a.Count += m.Count
			*m = a
			continue
		}
		older.Alerts = append(older.Alerts, a)
	}
	if older.Cluster == "" {
		older.Cluster = younger.Cluster
	}
	lost := older.Acknowledgement != nil && ack == nil
	older.refresh()
	b.say(older, EventMerged, "took in %s: %s", younger.ID, younger.Title)
	if older.Headline != before {
		b.say(older, EventHeadline, "the cause seems to be: %s", older.Title)
	}
	c := b.touch(older)
	if lost {
		b.takeBack(older, "joined by: "+younger.Title)
	} else if older.Acknowledgement = ack; ack == nil && older.Severity > older.PagedSeverity {
		c.ring, c.news = true, "joined by: "+younger.Title
	}
	b.say(younger, EventMerged, "taken in by %s: %s", older.ID, older.Title)
	younger.State, younger.MergedInto, younger.ResolvedAt = Merged, older.ID, b.now
	younger.Acknowledgement = nil
	younger.Alerts = nil
	b.touch(younger).superseded = true
}

// jointAcknowledgement is the older's acknowledge if it or both cover all that fires in either, else nil.
func jointAcknowledgement(older, younger *Incident) *Acknowledgement {
	if older.Acknowledgement == nil {
		return nil
	}
	covers := slices.Clone(older.Acknowledgement.Covers)
	severity := older.Acknowledgement.Severity
	if younger.Acknowledgement != nil {
		covers = append(covers, younger.Acknowledgement.Covers...)
		severity = max(severity, younger.Acknowledgement.Severity)
	}
	joint := &Acknowledgement{By: older.Acknowledgement.By, At: older.Acknowledgement.At, Covers: covers, Severity: severity}
	probe := Incident{Acknowledgement: joint}
	for i := range younger.Alerts {
		a := &younger.Alerts[i]
		if a.State == Firing && (a.Severity > severity || !probe.covered(a)) {
			return nil
		}
	}
	return joint
}
