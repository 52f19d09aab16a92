package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRoutesThatNeverMatch: a typo in a matcher is a warning with its place and what was probably meant.
func TestRoutesThatNeverMatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	text := `project: p
rules: ["builtin:prow/*.yaml"]
receivers: {ops: {console: }}
time_intervals: {night: [{times: [{start_time: "00:00", end_time: "06:00"}]}]}
maintenance: {nodes: {during: [night], matchers: ['clustr="build"'], reason: upgrade}}
inhibit_rules: [{source_matchers: ['rule="a"'], target_matchers: ['severity="hi"']}]
route:
  receiver: ops
  routes:
    - {matchers: ['sevrity="critical"']}
    - {matchers: ['severity="urgent"']}
    - {matchers: ['severity="high"', 'service="hook"', 'team!="x"']}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, errs := Load(path)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var got []string
	for _, w := range plan.Warnings {
		got = append(got, w.Error()[len(path):])
	}
	var names []string
	for _, r := range plan.Rules.Rules {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	want := []string{
		`:10:19: it never matches: no rule gives the label: unknown label "sevrity": did you mean "severity"? known: about, change, check, cluster, host, node, pod, probe, project, receiver, rule, service, severity, source, trouble, upstream, work`,
		`:11:19: it never matches: unknown severity "urgent": known: critical, high, info, warning`,
		`:5:51: it never matches: no rule gives the label: unknown label "clustr": did you mean "cluster"? known: about, change, check, cluster, host, node, pod, probe, project, receiver, rule, service, severity, source, trouble, upstream, work`,
		`:6:36: it never matches: unknown rule "a": known: ` + strings.Join(names, ", "),
		`:6:67: it never matches: unknown severity "hi": known: critical, high, info, warning`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
