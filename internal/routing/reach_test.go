package routing

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
)

func TestReach(t *testing.T) {
	root := &Route{Receiver: "few", Routes: []*Route{
		{Matchers: []string{`severity="info"`}, Receiver: None},
		{Matchers: []string{`severity=~"critical|high"`, `service="hook"`}, Receiver: "hooks", Escalation: "hook"},
		{Matchers: []string{`severity="critical"`}, Receiver: "ops", Escalation: "urgent", Routes: []*Route{
			{Matchers: []string{`cluster="build"`}, Escalation: "build"},
		}},
		{Receiver: "all", Continue: true},
		{Matchers: []string{`severity!="critical"`}, Receiver: "never"},
	}}
	router, errs := New(root, nil, Known{Receivers: []string{"few", "hooks", "ops", "all", "never"}, Policies: []string{"hook", "urgent", "build"}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for severity, want := range map[incident.Severity][]Reached{
		incident.Info:     {{"routes.0", None, ""}},
		incident.Critical: {{"routes.1", "hooks", "hook"}, {"routes.2.routes.0", "ops", "build"}, {"routes.2", "ops", "urgent"}},
		incident.Warning:  {{"routes.3", "all", ""}, {"routes.4", "never", ""}},
	} {
		if diff := cmp.Diff(want, router.Reach(severity)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", severity, diff)
		}
	}
	if diff := cmp.Diff([]Reached{{"routes.1", "hooks", "hook"}}, router.Users("hook")); diff != "" {
		t.Errorf("users of hook: (-want +got)\n%s", diff)
	}
}
