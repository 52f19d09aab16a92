package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/web/client"
	"tocsin/internal/words"
	"tocsin/rules"
)

// Serving is what a running service has, as far as it can concern an entry that comes now.
type Serving struct {
	Silences client.SilenceList
	// Incidents are those that are open, and those resolved within incident.ReopenWithin, with their alerts.
	Incidents []incident.Incident
	Now       time.Time
}

// mostOpen is how many open incidents a service is asked for, mostResolved how many of the newest that are resolved.
const mostOpen, mostResolved = 10_000, 1000

// AskService asks a service what an entry that comes now would meet there.
func AskService(ctx context.Context, c *client.Client, now time.Time) (*Serving, error) {
	s := &Serving{Now: now}
	var err error
	if s.Silences, err = c.Silences(ctx, false); err != nil {
		return nil, err
	}
	open, err := c.Newest(ctx, client.Filter{States: []incident.State{incident.Open, incident.Acknowledged}, Limit: mostOpen})
	if err != nil {
		return nil, err
	}
	over, err := c.Newest(ctx, client.Filter{States: []incident.State{incident.Resolved}, Limit: mostResolved})
	if err != nil {
		return nil, err
	}
	over.Incidents = slices.DeleteFunc(over.Incidents, func(inc incident.Incident) bool { return now.Sub(inc.ResolvedAt) >= incident.ReopenWithin })
	s.Incidents = append(open.Incidents, over.Incidents...)
	return s, nil
}

// place is the incident that an alert would be of.
type place struct {
	gate Gate
	// inc is that incident with the alert in it; nil if it would be one of the alert's own.
	inc *incident.Incident
	// verdict says it in a few words; "" for an incident of its own.
	verdict string
	// rings says that it would ring anew there.
	rings bool
}

// counts finds the alert of a key that fires, and its incident; nil if there is none.
func (s *Serving) counts(key incident.Key) (*incident.Incident, *incident.Alert) {
	if s == nil {
		return nil, nil
	}
	for i := range s.Incidents {
		inc := &s.Incidents[i]
		if a := inc.Alert(key); a != nil && a.State == incident.Firing && inc.State != incident.Merged {
			return inc, a
		}
	}
	return nil, nil
}

// incidentGate says which incident the alert would be of: from the service if it was asked, else by the rule alone.
func (p *Plan) incidentGate(r *rules.Rule, a *incident.Alert, s *Serving) place {
	if s == nil {
		return place{gate: unasked(r, a)}
	}
	if inc, fires := s.counts(a.Key); inc != nil {
		return place{inc: inc, verdict: "it is counted into incident " + inc.ID,
			gate: Gate{Gate: "incident", Answer: No, Text: fmt.Sprintf("it is counted into %s, where this rule's alert of this group fires with %s: nothing rings anew",
				named(inc), words.Lines(fires.Count, fires.About))}}
	}
	before := map[string]incident.Incident{}
	var near []incident.Incident
	for _, inc := range s.Incidents {
		before[inc.ID] = inc
		if inc.Project == a.Labels["project"] && inc.State != incident.Merged {
			inc.Alerts = slices.Clone(inc.Alerts)
			near = append(near, inc)
		}
	}
	book := incident.NewBook(s.Now, near)
	book.Damp(p.desk(nil).Damping)
	inc := book.Fire(*a)
	was, known := before[inc.ID]
	if !known {
		return place{gate: Gate{Gate: "incident", Answer: Yes, Text: "no incident that is open has a part in it: it opens one" + downText(r)}}
	}
	out := place{inc: inc, gate: Gate{Gate: "incident", Answer: Yes}, rings: inc.Escalation.Retaken.Equal(s.Now)}
	switch {
	case inc.State == incident.Resolved:
		out.gate.Answer, out.verdict = No, "it is counted into incident "+inc.ID
		out.gate.Text = fmt.Sprintf("it is counted into %s, which is held until %s: what fires still then reopens it", named(&was), inc.HeldUntil.UTC().Format(time.RFC3339))
		return out
	case was.State == incident.Resolved:
		out.verdict = "reopens incident " + inc.ID
		out.gate.Text = "it reopens " + named(&was)
	default:
		out.verdict = "joins incident " + inc.ID
		out.gate.Text = "it joins " + named(&was)
	}
	switch ack := was.Acknowledgement; {
	case ack != nil && inc.Acknowledgement == nil:
		out.gate.Text += fmt.Sprintf(", and takes back the acknowledge of %s", ack.By)
	case out.rings && was.State != incident.Resolved:
		out.gate.Text += fmt.Sprintf(", and raises it to %s", inc.Severity)
	case !out.rings:
		out.gate.Text += ": its message tells of it, and nothing rings anew"
	}
	out.gate.Text += downText(r)
	return out
}

// named is an incident by its id, with how it stands.
func named(inc *incident.Incident) string {
	state, since := string(inc.State), inc.OpenedAt
	switch {
	case inc.State == incident.Acknowledged && inc.Acknowledgement != nil:
		state, since = "acknowledged by "+inc.Acknowledgement.By, inc.Acknowledgement.At
	case inc.State == incident.Resolved:
		since = inc.ResolvedAt
	}
	return fmt.Sprintf("incident %s (%s since %s: %s)", inc.ID, state, since.UTC().Format(time.RFC3339), clip(inc.Title))
}

// unasked says which incidents the alert could be of.
func unasked(r *rules.Rule, a *incident.Alert) Gate {
	where := "of its project"
	if c := a.Labels["cluster"]; c != "" {
		where = "of cluster " + c
	}
	with := []string{"this rule"}
	if s := a.Service(); s != "" {
		with = append(with, "the service "+s)
	}
	with = append(with, r.SymptomOf...)
	return Gate{Gate: "incident", Answer: Yes, Text: fmt.Sprintf("it joins an open incident %s that has an alert of %s; else it opens one%s", where, either(with), downText(r))}
}

func downText(r *rules.Rule) string {
	if r.Impact != incident.Down {
		return ""
	}
	return "; impact down: no window and no mute time holds it"
}

func either(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// toldOf is the incident as it would be told: the one that the alert is in, or one of its own.
func (l *place) toldOf(a *incident.Alert, at time.Time) *incident.Incident {
	if l.inc != nil {
		return l.inc
	}
	return &incident.Incident{Project: a.Labels["project"], State: incident.Open, Severity: a.Severity, Title: a.Summary(), Headline: a.Key,
		Labels: routing.LabelsOf(a), FirstEntry: a.First, OpenedAt: at, Alerts: []incident.Alert{*a}}
}

// around is what may hold an incident at a time, of what the service has.
func (s *Serving) around(inc *incident.Incident, at time.Time) incident.Around {
	around := incident.Around{At: at}
	if s == nil {
		return around
	}
	for _, silence := range s.Silences.Silences {
		around.Silences = append(around.Silences, silence.Silence)
	}
	around.Told = func() (told []incident.Alert) {
		for _, other := range s.Incidents {
			if other.ID == inc.ID || other.State != incident.Open && other.State != incident.Acknowledged || len(other.Holds) > 0 {
				continue
			}
			for _, a := range other.Alerts {
				if a.State == incident.Firing {
					told = append(told, a)
				}
			}
		}
		return told
	}
	return around
}
