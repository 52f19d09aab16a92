package cloudsetup

import (
	"strings"
	"testing"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"

	"tocsin/internal/setting"
)

// lines are findings as LEVEL TEXT -> MEND.
func lines(found []setting.Finding) string {
	var out []string
	for _, f := range found {
		out = append(out, strings.TrimSuffix(string(f.Level)+" "+f.Text+" -> "+f.Mend, " -> "))
	}
	return strings.Join(out, "\n")
}

func TestSubscribed(t *testing.T) {
	c, cloud := dialed(t)
	same(t, "nothing there", "fail "+sub+" is not there -> tocsin provision --apply", lines(c.Subscribed(t.Context(), sub)))
	c.Apply(t.Context(), wanted())
	same(t, "well", "ok entries can be taken from "+sub, lines(c.Subscribed(t.Context(), sub)))
	cloud.Deny("pubsub.subscriptions.consume")
	same(t, "no role", "fail "+sub+" is there, and this account may not take entries from it -> grant roles/pubsub.subscriber on it to the account that tocsin runs as: tocsin provision --apply --member MEMBER", lines(c.Subscribed(t.Context(), sub)))
	cloud.Refuse("TestIamPermissions", codes.Unavailable, "away")
	if got := c.Subscribed(t.Context(), "projects/ops/subscriptions/other"); got[0].Level != setting.Broken || got[0].Mend == "" {
		t.Errorf("away: %+v", got)
	}
}

func TestExclusions(t *testing.T) {
	c, cloud := dialed(t)
	const project = "projects/prow"
	look := func() string { return lines(c.Exclusions(t.Context(), project)) }
	same(t, "nothing", "ok projects/prow: nothing is kept out of the log", look())
	if _, err := c.config.CreateSink(t.Context(), &loggingpb.CreateSinkRequest{Parent: project, Sink: &loggingpb.LogSink{Name: "_Default"}}); err != nil {
		t.Fatal(err)
	}
	cloud.Sink(project+"/sinks/_Default", func(s *loggingpb.LogSink) {
		s.Disabled = true
		s.Exclusions = []*loggingpb.LogExclusion{{Name: "cheap", Filter: "severity<\n  ERROR"}, {Name: "off", Filter: "x", Disabled: true}}
	})
	cloud.Exclude(project, "cheap", "severity<ERROR") // the same, told twice by the API
	same(t, "a sink that is off and leaves out", "warn projects/prow: the sink _Default is disabled: what no other sink takes is kept nowhere -> gcloud logging sinks update _Default --no-disabled\n"+
		"warn projects/prow: the exclusion cheap keeps out: severity< ERROR -> look whether a rule needs it; gcloud logging sinks update _Default --remove-exclusions=cheap", look())
	cloud.Refuse("GetSink", codes.PermissionDenied, "no")
	same(t, "no role", "warn projects/prow: what is kept out of the log cannot be looked at: no -> grant roles/logging.viewer on projects/prow", look())
}
