package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
)

const explainedOpen = `
project: p
rules: [rules.yaml]
receivers: {ops: {console: {}}, oncall: {webhook: {url: "https://x/"}}}
fallback: ops
inhibit_rules: [{source_matchers: ['rule="cause"'], target_matchers: ['rule="often"'], equal: [cluster]}]
route: {receiver: ops, routes: [{matchers: ['severity="critical"'], receiver: ops, escalation: call}]}
escalation: {call: {steps: [{notify: [oncall]}]}}
`

const explainedOpenRules = `
rules:
  - {name: often, filter: resource.type="k8s_container" resource.labels.cluster_name="a" resource.labels.namespace_name="n" jsonPayload.level="fatal", group_by: {service: jsonPayload.component}, detect: {threshold: {count: 3, window: 10m}}, severity: high, mode: page, resolves: by_hand, annotations: {summary: it dies often}}
  - {name: once, filter: resource.type="k8s_container" resource.labels.cluster_name="a" resource.labels.namespace_name="n" jsonPayload.level="fatal", group_by: {service: jsonPayload.component}, detect: {threshold: {count: 1, window: 10m}}, severity: critical, mode: page, resolves: by_hand, annotations: {summary: it dies}}
  - {name: gone, filter: jsonPayload.level="fatal", group_by: {service: jsonPayload.component}, detect: {absence: {after: 15m}}, severity: high, annotations: {summary: it is silent}}
  - {name: cause, filter: jsonPayload.level="panic", detect: {threshold: {count: 1, window: 10m}}, severity: high, resolves: by_hand, annotations: {summary: the cause}}
`

// TestExplainWhatIsOpen: with what a service has open, explain says of which incident an entry that comes now would be, and whether anything
// rings there.
func TestExplainWhatIsOpen(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"tocsin.yaml": explainedOpen, "rules.yaml": explainedOpenRules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plan, errs := Load(filepath.Join(dir, "tocsin.yaml"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	now := time.Date(2026, 1, 23, 12, 0, 0, 0, time.UTC)
	e, err := ReadEntry(`{"logName": "projects/p/logs/x", "timestamp": "2026-01-23T12:00:00Z", "resource": {"type": "k8s_container", "labels": {"project_id": "p", "cluster_name": "a", "namespace_name": "n"}}, "jsonPayload": {"level": "fatal", "component": "hook"}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	open := func(rule, service string, change ...func(inc *incident.Incident)) incident.Incident {
		group := incident.Labels{"service": service}
		inc := incident.Incident{ID: "01KTEST", Project: "p", Cluster: "a", State: incident.Open, Severity: incident.High, Title: "T", OpenedAt: now.Add(-time.Hour), FirstEntry: now.Add(-time.Hour),
			Headline: incident.Key{Rule: rule, Group: group.Text()}, PagedSeverity: incident.High, Receivers: []string{"ops"},
			Alerts: []incident.Alert{{Key: incident.Key{Rule: rule, Group: group.Text()}, Incident: "01KTEST", State: incident.Firing, Severity: incident.High, Mode: incident.Page,
				Labels: incident.Labels{"service": service, "project": "p", "cluster": "a"}, First: now.Add(-time.Hour), Last: now.Add(-time.Minute), Count: 7}}}
		inc.Escalation.Rang = []incident.Key{inc.Headline}
		for _, c := range change {
			c(&inc)
		}
		return inc
	}
	acked := func(inc *incident.Incident) {
		inc.State, inc.Acknowledgement = incident.Acknowledged, &incident.Acknowledgement{By: "ana", At: now.Add(-30 * time.Minute), Covers: []incident.Key{inc.Headline}, Severity: inc.Severity}
	}
	resolved := func(ago time.Duration, held time.Time) func(inc *incident.Incident) {
		return func(inc *incident.Incident) {
			inc.State, inc.ResolvedAt, inc.HeldUntil = incident.Resolved, now.Add(-ago), held
			if held.IsZero() {
				inc.Alerts[0].State = incident.AlertResolved
			}
		}
	}
	elsewhere := func(inc *incident.Incident) { inc.Project, inc.Alerts[0].Labels["project"] = "q", "q" }
	for _, c := range []struct {
		name, rule string
		open       []incident.Incident
		gates      map[string]string // how those of a name begin
		verdict    string
	}{
		{"nothing is open", "once", nil, map[string]string{"incident": "yes no incident that is open has a part in it: it opens one"}, "tells ops; tells oncall (webhook) at once"},
		{"one of another project", "once", []incident.Incident{open("once", "tide", elsewhere)}, map[string]string{"incident": "yes no incident that is open has a part in it"}, "tells ops; tells oncall (webhook) at once"},
		{"its alert fires, for which one entry would not be enough", "often", []incident.Incident{open("often", "hook")},
			map[string]string{"detect": "yes threshold", "incident": "no it is counted into incident 01KTEST (open since 2026-01-23T11:00:00Z: T), where this rule's alert of this group fires with 7 lines"},
			"nobody is told anew: it is counted into incident 01KTEST"},
		{"somebody has it", "often", []incident.Incident{open("often", "hook", acked)},
			map[string]string{"incident": "no it is counted into incident 01KTEST (acknowledged by ana since 2026-01-23T11:30:00Z: T)"}, "nobody is told anew: it is counted into incident 01KTEST"},
		{"of another group one entry is not enough", "often", []incident.Incident{open("often", "tide")},
			map[string]string{"detect": "no threshold", "incident": "yes it joins incident 01KTEST"}, "nobody is told: detect says no"},
		{"it raises", "once", []incident.Incident{open("often", "hook")},
			map[string]string{"incident": "yes it joins incident 01KTEST (open since 2026-01-23T11:00:00Z: T), and raises it to critical", "escalation": "yes policy call, until"},
			"joins incident 01KTEST: tells ops; tells oncall (webhook) at once"},
		{"it is beyond what was acknowledged", "once", []incident.Incident{open("often", "hook", acked)},
			map[string]string{"incident": "yes it joins incident 01KTEST (acknowledged by ana since 2026-01-23T11:30:00Z: T), and takes back the acknowledge of ana"},
			"joins incident 01KTEST: tells ops; tells oncall (webhook) at once"},
		{"as severe as what rang", "once", []incident.Incident{open("once", "tide", func(inc *incident.Incident) {
			inc.Severity, inc.Alerts[0].Severity, inc.PagedSeverity, inc.Policy = incident.Critical, incident.Critical, incident.Critical, "call"
		})}, map[string]string{"incident": "yes it joins incident 01KTEST (open since 2026-01-23T11:00:00Z: T): its message tells of it, and nothing rings anew", "escalation": "may policy call stays where it is"},
			"joins incident 01KTEST: tells ops, and nothing rings anew"},
		{"it was over an hour ago", "once", []incident.Incident{open("once", "hook", resolved(time.Hour, time.Time{}))},
			map[string]string{"incident": "yes it reopens incident 01KTEST (resolved since 2026-01-23T11:00:00Z: T)"}, "reopens incident 01KTEST: tells ops; tells oncall (webhook) at once"},
		{"somebody resolved it just now", "once", []incident.Incident{open("once", "hook", resolved(time.Minute, now.Add(9*time.Minute)), func(inc *incident.Incident) { inc.Alerts[0].State = incident.AlertResolved })},
			map[string]string{"incident": "no it is counted into incident 01KTEST (resolved since 2026-01-23T11:59:00Z: T), which is held until 2026-01-23T12:09:00Z: what fires still then reopens it"},
			"nobody is told anew: it is counted into incident 01KTEST"},
		{"an absence is ended, not counted", "gone", []incident.Incident{open("gone", "hook")}, map[string]string{"detect": "no absence"}, "nobody is told: detect says no"},
		{"another incident holds it", "often", []incident.Incident{open("cause", "", func(inc *incident.Incident) { inc.ID, inc.Alerts[0].Incident = "01KCAUSE", "01KCAUSE" })},
			map[string]string{"incident": "yes no incident that is open has a part in it", "hold": "no it is held back, and recorded"}, "nobody is told: detect says no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, err := plan.Explain(e, ExplainOptions{Rule: c.rule, Service: &Serving{Incidents: c.open, Now: now}})
			if err != nil {
				t.Fatal(err)
			}
			r := x.Rules[0]
			if r.Verdict != c.verdict {
				t.Errorf("the verdict is %q, want %q", r.Verdict, c.verdict)
			}
			for name, want := range c.gates {
				found := false
				for _, g := range r.Gates {
					if g.Gate == name {
						found = true
						if got := g.Answer + " " + g.Text; !strings.HasPrefix(got, want) {
							t.Errorf("%s: %q\nwant %q", name, got, want)
						}
					}
				}
				if !found {
					t.Errorf("there is no gate %s", name)
				}
			}
		})
	}
}
