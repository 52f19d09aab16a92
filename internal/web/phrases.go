package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
)

// began is since when an incident lasts: its first entry, else when it was opened.
func began(inc *incident.Incident) time.Time {
	if inc.FirstEntry.IsZero() {
		return inc.OpenedAt
	}
	return inc.FirstEntry
}

// alive says whether something can still be done about an incident.
func alive(inc *incident.Incident) bool {
	return inc.State == incident.Open || inc.State == incident.Acknowledged
}

// headline is the alert that the incident is named by, else its first; nil if it has none.
func headline(inc *incident.Incident) *incident.Alert {
	for i := range inc.Alerts {
		if inc.Alerts[i].Key == inc.Headline {
			return &inc.Alerts[i]
		}
	}
	if len(inc.Alerts) > 0 {
		return &inc.Alerts[0]
	}
	return nil
}

// alertOrder is the headline first, then in the order of their first entries.
func alertOrder(inc *incident.Incident) []*incident.Alert {
	all := make([]*incident.Alert, len(inc.Alerts))
	for i := range inc.Alerts {
		all[i] = &inc.Alerts[i]
	}
	slices.SortStableFunc(all, func(a, b *incident.Alert) int {
		return cmp.Or(
			cmp.Compare(oneIf(b.Key == inc.Headline), oneIf(a.Key == inc.Headline)),
			a.First.Compare(b.First), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Group, b.Group))
	})
	return all
}

// services are the components that the incident is about, in the order in which they came: those of its alerts and of their
// lines. What a rule collects is added where it is a list of services, which shows by a line's own service being in it.
func services(inc *incident.Incident) []string {
	var names []string
	seen := map[string]bool{"": true}
	add := func(all ...string) {
		for _, name := range all {
			if name = clean(name, 60); !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	for _, a := range alertOrder(inc) {
		spoke := []string{a.FirstLine.Service}
		for _, line := range a.Lines {
			spoke = append(spoke, line.Service)
		}
		add(a.Service())
		add(spoke...)
		if slices.ContainsFunc(a.List, func(l string) bool { return l != "" && slices.Contains(spoke, l) }) {
			add(a.List...)
		}
	}
	return names
}

// lines is how many lines belong to some alerts: "about 9,689 lines".
func lines(alerts ...*incident.Alert) string {
	var n int64
	about := ""
	for _, a := range alerts {
		n += a.Count
		if a.About {
			about = "about "
		}
	}
	return about + plural(n, "line")
}

// who says who has an incident.
func who(inc *incident.Incident, now time.Time) string {
	switch {
	case inc.State == incident.Acknowledged && inc.Acknowledgement != nil:
		return cmp.Or(clean(inc.Acknowledgement.By, titleLength), "somebody") + " has had it since " + at(inc.Acknowledgement.At, now).Text + takenOver(inc.Acknowledgement)
	case inc.State == incident.Acknowledged:
		return "somebody has it"
	case inc.State == incident.Open:
		return "nobody has it"
	}
	return ""
}

// takenOver says from whom an incident was taken over; "" if from nobody.
func takenOver(ack *incident.Acknowledgement) string {
	if ack.From == "" {
		return ""
	}
	return ", taken over from " + clean(ack.From, titleLength)
}

// next says what happens to an open incident if nobody takes it.
func next(inc *incident.Incident, now time.Time) string {
	step := inc.Escalation.Next
	switch {
	case inc.State != incident.Open:
		return ""
	case inc.Escalation.Exhausted && step.IsZero():
		return "nobody answered, and nobody is left to call"
	case len(inc.Holds) > 0 && inc.Policy == "":
		text := "held by " + clean(inc.Holds[0].By, titleLength)
		if until := inc.Holds[0].Until; !until.IsZero() {
			text += " until " + at(until, now).Text
		}
		return text
	case step.IsZero() && inc.Policy == "":
		return "calls nobody"
	case step.IsZero():
		return ""
	case inc.Escalation.Exhausted:
		return fmt.Sprintf("nobody answered; calls again at %s, %s", at(step, now).Text, at(step, now).Ago)
	case step.After(now):
		return fmt.Sprintf("escalates at %s, %s, unless somebody acknowledges", at(step, now).Text, at(step, now).Ago)
	}
	return "escalates now"
}

// toldWhom says who knows of an incident.
func toldWhom(all []incident.Notification) string {
	var told, called, toCall, toTell []string
	add := func(names *[]string, name string) {
		if name = clean(name, 60); !slices.Contains(*names, name) {
			*names = append(*names, name)
		}
	}
	for _, n := range all {
		arrived := n.State == incident.Sent || !n.SentAt.IsZero() || n.SentRevision > 0
		switch {
		case n.Kind == incident.Call && arrived:
			add(&called, n.Target)
		case n.Kind == incident.Message && arrived:
			add(&told, n.Target)
		case n.Kind == incident.Call && n.State != incident.Cancelled:
			add(&toCall, n.Target)
		case n.Kind == incident.Message && n.State != incident.Cancelled:
			add(&toTell, n.Target)
		}
	}
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{{"told ", told}, {"called ", called}, {"still to tell ", toTell}, {"still to call ", toCall}} {
		if len(p.names) > 0 {
			parts = append(parts, p.what+list(p.names, 4))
		}
	}
	if len(parts) == 0 {
		return "nobody is told"
	}
	return strings.Join(parts, " · ")
}

// cardOf is an open incident on the overview.
func cardOf(inc *incident.Incident, told []incident.Notification, now time.Time) card {
	c := card{ID: inc.ID, Severity: inc.Severity.String(), Title: clean(inc.Title, cardTitle), Since: at(began(inc), now), Lasts: span(now.Sub(began(inc))),
		Told: toldWhom(told), Who: who(inc, now), Next: next(inc, now), Taken: inc.State == incident.Acknowledged,
		Urgent: inc.State == incident.Open && inc.Severity >= incident.High}
	alerts := alertOrder(inc)
	if a := headline(inc); a != nil {
		c.Line = cleanLines(a.FirstLine.Text, cardLength)
	}
	c.Before = clean(before(inc), cardTitle)
	c.Lines = lines(alerts...)
	if names := services(inc); len(names) > 0 {
		c.Lines += " from " + list(names, 4)
	}
	for _, a := range alerts {
		if a.Key != inc.Headline && len(c.Folded) < 4 {
			c.Folded = append(c.Folded, folded{clean(a.Summary(), cardTitle), lines(a), a.Severity.String()})
		}
	}
	if rest := len(alerts) - 1 - len(c.Folded); rest > 0 {
		c.MoreFolded = fmt.Sprintf("and %d more", rest)
	}
	return c
}
