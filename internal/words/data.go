package words

import (
	"fmt"
	htmltemplate "html/template"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"

	amtemplate "github.com/prometheus/alertmanager/template"

	"tocsin/internal/incident"
)

// Bounds on what one value of Data may hold.
const (
	maxLabel = 512
	maxNote  = 2000
	maxLine  = 2000
)

// Data is an incident as Alertmanager's templates and webhooks know it: its alerts, headline first, with their labels (and
// alertname, the rule; severity) and annotations (and line, the first line of evidence). groupLabels are what the incident is
// routed on. Of a drill each summary says so. Every text is cleaned and redacted; escape, if not nil, is applied to it for where it goes.
func Data(inc *incident.Incident, receiver, url string, reason incident.Reason, escape func(string) string) *amtemplate.Data {
	if escape == nil {
		escape = func(s string) string { return s }
	}
	d := &amtemplate.Data{
		Receiver: receiver, Status: status(inc.State == incident.Resolved || inc.State == incident.Merged), Alerts: amtemplate.Alerts{},
		NotificationReason: string(reason), GroupLabels: values(inc.Labels, escape), RouteLabels: amtemplate.KV{}, ExternalURL: url,
	}
	for _, a := range ordered(inc) {
		labels := values(a.Labels, escape)
		labels["alertname"], labels["severity"] = escape(Clean(a.Rule, maxLabel)), a.Severity.String()
		notes := amtemplate.KV{}
		for name, text := range a.Annotations {
			notes[Clean(name, maxLabel)] = escape(Block(text, maxNote))
		}
		if inc.Drill() { // whoever reads this has no title of the incident's
			notes["summary"] = escape("DRILL: " + Clean(a.Summary(), maxNote))
		}
		if _, taken := notes["line"]; !taken && a.FirstLine.Text != "" {
			notes["line"] = escape(Block(a.FirstLine.Text, maxLine))
		}
		d.Alerts = append(d.Alerts, amtemplate.Alert{
			Status: status(a.State == incident.AlertResolved), Labels: labels, Annotations: notes,
			StartsAt: a.First, EndsAt: a.ResolvedAt, GeneratorURL: url, Fingerprint: incident.KeyHash(a.Key),
		})
	}
	d.CommonLabels, d.CommonAnnotations = amtemplate.KV{}, amtemplate.KV{}
	if len(d.Alerts) > 0 {
		d.CommonLabels, d.CommonAnnotations = maps.Clone(d.Alerts[0].Labels), maps.Clone(d.Alerts[0].Annotations)
	}
	for _, a := range d.Alerts {
		keepCommon(d.CommonLabels, a.Labels)
		keepCommon(d.CommonAnnotations, a.Annotations)
	}
	return d
}

func status(over bool) string {
	if over {
		return "resolved"
	}
	return "firing"
}

func values(labels map[string]string, escape func(string) string) amtemplate.KV {
	kv := amtemplate.KV{}
	for name, value := range labels {
		kv[Clean(name, maxLabel)] = escape(Clean(value, maxLabel))
	}
	return kv
}

func keepCommon(common, other amtemplate.KV) {
	for name, value := range common {
		if v, ok := other[name]; !ok || v != value {
			delete(common, name)
		}
	}
}

// ordered is an incident's alerts, the headline first, then firing ones before those that are over, each by time.
func ordered(inc *incident.Incident) []incident.Alert {
	alerts := slices.Clone(inc.Alerts)
	rank := func(a incident.Alert) int {
		switch {
		case a.Key == inc.Headline:
			return 0
		case a.State == incident.Firing:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(alerts, func(a, b incident.Alert) int {
		if n := rank(a) - rank(b); n != 0 {
			return n
		}
		if n := a.First.Compare(b.First); n != 0 {
			return n
		}
		return strings.Compare(a.Rule+a.Group, b.Rule+b.Group)
	})
	return alerts
}

// Template is a user's template of what a receiver says, over Alertmanager's data, functions and default templates. It is
// safe to render from several goroutines.
type Template struct {
	source string
	parsed *template.Template
}

// NewTemplate parses a template; others hold templates that it may use by name, as files of them would. An error is a
// *TemplateError, in others with the number of the file before its text.
func NewTemplate(source string, others ...string) (*Template, error) {
	var root *template.Template
	_, err := amtemplate.FromGlobs(nil, func(text *template.Template, _ *htmltemplate.Template) { root = text })
	if err != nil {
		return nil, fmt.Errorf("parse Alertmanager's default templates: %w", err)
	}
	root = root.Funcs(functions(&budget{}))
	for i, other := range others {
		if len(other) > maxSource {
			return nil, tooLong(other)
		}
		if _, err := root.New(fmt.Sprintf("file %d", i+1)).Parse(other); err != nil {
			m := mistake(other, err)
			m.Text = fmt.Sprintf("in template file %d: %s", i+1, m.Text)
			return nil, m
		}
	}
	if len(source) > maxSource {
		return nil, tooLong(source)
	}
	t, err := root.New("template").Option("missingkey=zero").Parse(source)
	if err != nil {
		return nil, mistake(source, err)
	}
	guard(t)
	return &Template{source: source, parsed: t}, nil
}

func tooLong(source string) error {
	return &TemplateError{1, 1, fmt.Sprintf("the template has %d bytes, at most %d are read", len(source), maxSource)}
}

// Render is what the template says of d at the time now: at most 16 KiB. escape is what d's texts were escaped with, for what
// functions decode. The caller words an error's place plainly: a template that fails must never keep a notification back.
func (t *Template) Render(d *amtemplate.Data, now time.Time, escape func(string) string) (string, error) {
	out, err := run(t.parsed, d, &budget{now: now, escape: escape})
	if err != nil {
		return "", fmt.Errorf("render template: %w", mistake(t.source, err))
	}
	return strings.ToValidUTF8(out, ""), nil
}

// RenderSlack renders for Slack's mrkdwn: the data of inc is escaped, and only mentions that the template itself writes
// survive.
func (t *Template) RenderSlack(inc *incident.Incident, receiver, url string, reason incident.Reason, now time.Time) (string, error) {
	out, err := t.Render(Data(inc, receiver, url, reason, Slack), now, Slack)
	return slackEmbedded(out, t.source), err
}
