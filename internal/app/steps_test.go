package app

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestOtherStepsUnderTheSameName: a reload gives a policy other steps while an incident climbs it: it begins anew at the first of them, as a
// changed route does, whatever step it had come to. The same steps at other times go on.
func TestOtherStepsUnderTheSameName(t *testing.T) {
	const before = "[{notify: [back]}, {after: 25s, notify: [oncall]}]"
	for name, c := range map[string]struct {
		steps string
		want  []string
	}{
		"fewer":       {"[{after: 10s, notify: [oncall]}]", []string{"12:00:00 call back", "12:00:15 call oncall"}},
		"one before":  {"[{notify: [oncall]}, {after: 1m, notify: [back]}]", []string{"12:00:00 call back", "12:00:05 call oncall"}},
		"other times": {"[{notify: [back]}, {after: 40s, notify: [oncall]}]", []string{"12:00:00 call back", "12:00:40 call oncall"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shift{t: t, path: filepath.Join(t.TempDir(), "tocsin.db")}
				start := time.Date(2019, 1, 22, 12, 0, 0, 0, time.UTC)
				time.Sleep(time.Until(start))
				load := func(steps string) {
					s.plan = planOf(t, steps)
					s.begin()
					if err := s.plan.Reroute(t.Context(), s.db, time.Now()); err != nil {
						t.Fatal(err)
					}
				}
				load(before)
				s.until(start.Format(time.RFC3339), "boom", "error", "hook")
				s.run(start.Add(5 * time.Second))
				if err := s.db.Close(); err != nil {
					t.Fatal(err)
				}
				load(c.steps)
				defer func() { s.db.Close() }()
				for at := 5 * time.Second; at < 55*time.Second; at += time.Second {
					s.run(start.Add(at))
				}
				if diff := cmp.Diff(c.want, callsOf(s.told)); diff != "" {
					t.Errorf("called: (-want +got)\n%s", diff)
				}
			})
		})
	}
}

// planOf is a configuration in which one policy calls for one rule.
func planOf(t *testing.T, steps string) *Plan {
	t.Helper()
	plan, errs := loaded(t, fmt.Sprintf(`project: k8s-prow
sources: {prow-logs: {file: {paths: [in.log]}}}
rules: [rules.yaml]
receivers:
  back:   {pagerduty: {routing_key_file: key}}
  oncall: {pagerduty: {routing_key_file: key}}
  ops:    {console: {}}
fallback: back
route: {receiver: ops, escalation: call}
escalation: {call: {steps: %s}}
`, steps), map[string]string{"rules.yaml": `
rules:
  - name: boom
    filter: resource.labels.cluster_name="prow" resource.labels.namespace_id="default" jsonPayload.msg="boom"
    group_by: {cluster: resource.labels.cluster_name}
    detect: {threshold: {count: 1, window: 1m}}
    resolves: by_hand
    severity: critical
    mode: page
    annotations: {summary: boom}
    cases:
      - {name: one, entries: [{resource: {type: container, labels: {cluster_name: prow, namespace_id: default}}, jsonPayload: {msg: boom}}], fires: [{at: 0s, labels: {cluster: prow}}]}
`})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return plan
}

// callsOf are the pages among what was told, without their keys.
func callsOf(told []string) (calls []string) {
	for _, line := range told {
		var at, kind, target string
		if _, err := fmt.Sscan(line, &at, &kind, &target); err == nil && kind == "call" {
			calls = append(calls, at+" call "+target)
		}
	}
	return calls
}
