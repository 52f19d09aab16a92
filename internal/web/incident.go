package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/web/client"
)

// incidentView is the main part of an incident's page: nothing in it needs cleaning any more.
type incidentView struct {
	ID, Short, Severity, State, Title string
	// Where is project and cluster, Sentence how it stands, Next what happens if nobody takes it.
	Where, Sentence, Next string
	Doable, Takeable      bool
	MergedInto            string
	Line                  lineView
	Newest                []lineView
	Description           string
	Facts                 []fact
	Runbooks              []string
	Alerts                []alertView
	Lanes                 *lanesView
	Asker                 asker
	// People can be asked to take it, Others are the open incidents that it can be merged into.
	People []string
	Others []row
	Told   []toldView
	Events []eventView
	// Skipped says how many events are left out, behind the first few.
	Skipped string
}

type fact struct{ Name, Text string }

type lineView struct {
	When          moment
	Service, Text string
}

type alertView struct {
	Summary, Rule, Group, Severity, State, Lines, List string
	Headline, Firing                                   bool
	// Loaded says that its rule has a page.
	Loaded bool
	// Key is its group as it names the alert; Splittable that it can be made an incident of its own.
	Key               string
	Splittable        bool
	First, Last, Over moment
	Newest            []lineView
}

// toldView is one notification. Tone is the class of its state.
type toldView struct {
	When                                     moment
	Who, What, State, Tone, Receipt, Trouble string
}

// eventView is one line of the timeline; Cut says that events were left out before it.
type eventView struct {
	When                     moment
	Kind, Tone, Text, By, Of string
	Lines                    []lineView
	Cut                      bool
}

// How many events a page shows: where it began, and what is new.
const (
	firstEvents = 20
	lastEvents  = 180
)

func incidentOf(d client.Detail, now time.Time) incidentView {
	inc := &d.Incident
	v := incidentView{ID: inc.ID, Short: inc.ID[:min(len(inc.ID), 10)], Severity: inc.Severity.String(), State: string(inc.State),
		Title: clean(inc.Title, titleLength), Sentence: sentence(inc, now), Next: next(inc, now),
		Doable: alive(inc), Takeable: inc.State == incident.Open, MergedInto: inc.MergedInto}
	var where []string
	if inc.Project != "" {
		where = append(where, "project "+clean(inc.Project, titleLength))
	}
	if inc.Cluster != "" {
		where = append(where, "cluster "+clean(inc.Cluster, titleLength))
	}
	v.Where = strings.Join(where, " · ")
	alerts := alertOrder(inc)
	if a := headline(inc); a != nil {
		v.Line = lineOf(a.FirstLine, now)
		v.Newest = linesOf(slices.DeleteFunc(slices.Clone(a.Lines), func(l incident.Line) bool { return l == a.FirstLine }), now)
		if text := a.Annotations["description"]; text != a.Summary() {
			v.Description = cleanLines(text, lineLength)
		}
	}
	v.Facts = facts(inc, alerts, now)
	for _, a := range alerts {
		v.Alerts = append(v.Alerts, alertOf(inc, a, now))
		if url := a.Annotations["runbook_url"]; webAddress(url) && !slices.Contains(v.Runbooks, url) {
			v.Runbooks = append(v.Runbooks, url)
		}
	}
	v.Lanes = lanesOf(inc, d.Notifications, d.Events, now)
	for _, n := range d.Notifications {
		v.Told = append(v.Told, toldOf(n, now))
	}
	events := d.Events
	if skip := len(events) - firstEvents - lastEvents; skip > 0 {
		v.Skipped = number(int64(skip)) + " events are left out here"
		events = slices.Concat(events[:firstEvents], events[firstEvents+skip:])
	}
	for i, e := range events {
		view := eventOf(e, now)
		view.Cut = v.Skipped != "" && i == firstEvents
		v.Events = append(v.Events, view)
	}
	return v
}

// sentence says how an incident stands, for somebody who knows nothing yet.
func sentence(inc *incident.Incident, now time.Time) string {
	since := at(began(inc), now)
	switch inc.State {
	case incident.Resolved:
		by := "over by itself"
		if inc.ResolvedBy != "" {
			by = "resolved by " + clean(inc.ResolvedBy, titleLength)
		}
		text := fmt.Sprintf("Since %s, %s at %s, after %s.", since.Text, by, at(inc.ResolvedAt, now).Text, span(inc.ResolvedAt.Sub(began(inc))))
		if inc.HeldUntil.After(now) {
			text += fmt.Sprintf(" What still fires at %s reopens it.", at(inc.HeldUntil, now).Text)
		}
		return text
	case incident.Merged:
		return fmt.Sprintf("Since %s; it turned out to be part of another incident.", since.Text)
	}
	return fmt.Sprintf("Open since %s, %s; %s.", since.Text, span(now.Sub(began(inc))), who(inc, now))
}

// before says what changed before an incident began, as its first message does: it is the headline's, else the first alert's that knows of any.
func before(inc *incident.Incident) string {
	for _, a := range alertOrder(inc) {
		if text := a.Annotations[incident.BeforeNote]; text != "" {
			return clean(text, 2*titleLength)
		}
	}
	return ""
}

// facts are what a person asks next.
func facts(inc *incident.Incident, alerts []*incident.Alert, now time.Time) []fact {
	var all []fact
	add := func(name, text string) {
		if text != "" {
			all = append(all, fact{name, text})
		}
	}
	first, last := (*incident.Alert)(nil), (*incident.Alert)(nil)
	for _, a := range alerts {
		if first == nil || a.First.Before(first.First) {
			first = a
		}
		if last == nil || a.Last.After(last.Last) {
			last = a
		}
	}
	if first != nil {
		from := ""
		if first.FirstLine.Service != "" {
			from = ", from " + clean(first.FirstLine.Service, titleLength)
		}
		add("First seen", exactly(first.First, now).Text+from)
		add("Last seen", exactly(last.Last, now).Text+", "+exactly(last.Last, now).Ago)
	}
	text := lines(alerts...)
	if names := services(inc); len(names) > 0 {
		text += " from " + list(names, 12)
	}
	add("Lines", text)
	add("Before it", before(inc))
	add("Goes to", clean(strings.Join(inc.Receivers, ", "), titleLength))
	if inc.Policy != "" {
		add("Escalation", clean(inc.Policy, titleLength))
	}
	for _, h := range inc.Holds {
		add("Held", "by "+clean(h.String(), titleLength))
	}
	if ack := inc.Acknowledgement; ack != nil {
		add("Taken", fmt.Sprintf("by %s at %s, at severity %s", clean(ack.By, titleLength), exactly(ack.At, now).Text, ack.Severity))
	}
	if inc.Escalation.News != "" {
		add("Taken back", clean(inc.Escalation.News, titleLength))
	}
	return all
}

func alertOf(inc *incident.Incident, a *incident.Alert, now time.Time) alertView {
	v := alertView{Summary: clean(a.Summary(), titleLength), Rule: clean(a.Rule, titleLength), Severity: a.Severity.String(),
		State: string(a.State), Lines: lines(a), Headline: a.Key == inc.Headline, Firing: a.State == incident.Firing,
		Key: a.Group, Splittable: a.State == incident.Firing && len(inc.Alerts) > 1 && alive(inc),
		First: exactly(a.First, now), Last: exactly(a.Last, now), Over: exactly(a.ResolvedAt, now)}
	var labels []string
	for name, value := range a.Labels {
		labels = append(labels, clean(name+"="+value, 120))
	}
	slices.Sort(labels)
	v.Group = list(labels, 12)
	if len(a.List) > 0 {
		var all []string
		for _, l := range a.List {
			all = append(all, clean(l, 120))
		}
		v.List = list(all, 20)
	}
	if a.Flaps() {
		v.State += fmt.Sprintf(", flapping: %d ends and returns not told", a.Flap.Back)
	}
	if a.Orphaned {
		v.State += ", its rule is gone"
	}
	newest := a.Lines
	if len(newest) == 0 && a.FirstLine.Text != "" {
		newest = []incident.Line{a.FirstLine}
	}
	v.Newest = linesOf(newest, now)
	return v
}

func linesOf(all []incident.Line, now time.Time) []lineView {
	var views []lineView
	for _, l := range all {
		views = append(views, lineOf(l, now))
	}
	return views
}

func lineOf(l incident.Line, now time.Time) lineView {
	return lineView{exactly(l.Time, now), clean(l.Service, titleLength), cleanLines(l.Text, lineLength)}
}
