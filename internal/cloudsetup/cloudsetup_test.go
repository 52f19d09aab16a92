package cloudsetup

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"tocsin/internal/fakes"
)

var update = flag.Bool("update", false, "write what is")

const (
	member = "principal://iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/ops.svc.id.goog/subject/ns/tocsin/sa/tocsin"
	topic  = "projects/ops/topics/tocsin"
	sub    = "projects/ops/subscriptions/tocsin"
	writer = "serviceAccount:service-projects-prow@gcp-sa-logging.iam.gserviceaccount.com"
)

// wanted is an installation of every kind of thing.
func wanted() Wanted {
	return Wanted{Project: "ops", Member: member,
		Subscriptions: []Subscription{{Name: sub, Topic: topic, Sinks: []Sink{
			{Parent: "projects/prow", Name: "tocsin", Filter: `severity>=ERROR AND jsonPayload.msg="a ${b}"`}, {Parent: "folders/42", Name: "tocsin"}}}},
		Grants: []Grant{{Resource: "projects/prow", Role: "roles/logging.viewer"}, {Resource: "folders/42", Role: "roles/logging.viewer"},
			{Resource: "organizations/1", Role: "roles/logging.viewer"},
			{Resource: "projects/prow", Role: "roles/logging.viewAccessor", View: "projects/prow/locations/global/buckets/b/views/v"}},
		Silent: Silent{Query: "absent_over_time(up[2m])", Channels: []string{"projects/ops/notificationChannels/1"}}}
}

func dialed(t *testing.T) (*Clients, *fakes.CloudProject) {
	t.Helper()
	cloud, err := fakes.NewCloudProject()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	c, err := Dial(t.Context(), cloud.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, cloud
}

// told are steps as lines.
func told(steps []Step) []string {
	var out []string
	for _, s := range steps {
		line := fmt.Sprintf("%s %s %s", s.Action, s.Thing, s.Name)
		if s.Done {
			line += " done"
		}
		out = append(out, line)
	}
	return out
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

func TestPlanChangesNothingAndApplyIsDoneOnce(t *testing.T) {
	c, cloud := dialed(t)
	cloud.Bind("projects/prow", "roles/owner", "user:somebody@example.com")
	plan := c.Plan(t.Context(), wanted())
	same(t, "plan of an empty project", []string{
		"create topic " + topic, "create subscription " + sub,
		"create sink projects/prow/sinks/tocsin", "later publisher " + topic, "create sink folders/42/sinks/tocsin", "later publisher " + topic,
		"later role " + sub, "create role projects/prow", "create role folders/42", "create role organizations/1", "create role projects/prow",
		"create alert policy projects/ops: tocsin is silent",
	}, told(plan))
	if w := cloud.Writes(); len(w) > 0 || Clean(plan) {
		t.Fatalf("the plan wrote %v, or says that nothing is to be done", w)
	}
	first := c.Apply(t.Context(), wanted())
	for _, s := range first {
		if s.Action != Create || !s.Done {
			t.Errorf("apply: %+v", s)
		}
	}
	if len(cloud.Writes()) != 12 || !Clean(first) {
		t.Errorf("apply wrote %d times: %v", len(cloud.Writes()), cloud.Writes())
	}
	same(t, "who may read projects/prow", []string{
		"roles/logging.viewAccessor " + member + ` if resource.name.endsWith("locations/global/buckets/b/views/v")`,
		"roles/logging.viewer " + member, "roles/owner user:somebody@example.com"}, cloud.Policy("projects/prow"))
	same(t, "who may write to the topic", []string{"roles/pubsub.publisher serviceAccount:service-folders-42@gcp-sa-logging.iam.gserviceaccount.com", "roles/pubsub.publisher " + writer}, cloud.Policy(topic))
	same(t, "who may read the subscription", []string{"roles/pubsub.subscriber " + member}, cloud.Policy(sub))
	sink := cloud.Sink("folders/42/sinks/tocsin")
	if !sink.GetIncludeChildren() || sink.GetDestination() != "pubsub.googleapis.com/"+topic {
		t.Errorf("sink of the folder: %v", sink)
	}
	if s := cloud.Subscription(sub); s.GetMessageRetentionDuration().AsDuration() != kept || s.GetExpirationPolicy() == nil || s.GetExpirationPolicy().GetTtl() != nil {
		t.Errorf("subscription: %v", s)
	}
	for _, again := range [][]Step{c.Plan(t.Context(), wanted()), c.Apply(t.Context(), wanted())} {
		for _, s := range again {
			if s.Action != Exists || s.Done {
				t.Errorf("again: %+v", s)
			}
		}
	}
	if n := len(cloud.Writes()); n != 12 {
		t.Errorf("a second apply wrote: %v", cloud.Writes()[12:])
	}
}

func TestDriftIsSeenAndMended(t *testing.T) {
	c, cloud := dialed(t)
	c.Apply(t.Context(), wanted())
	cloud.Sink("projects/prow/sinks/tocsin", func(s *loggingpb.LogSink) {
		s.Filter, s.Disabled = "severity>=ALERT", true
		s.Exclusions = []*loggingpb.LogExclusion{{Name: "cheap", Filter: "severity<ALERT"}}
	})
	cloud.Subscription(sub, func(s *pubsubpb.Subscription) {
		s.MessageRetentionDuration, s.ExpirationPolicy = durationpb.New(600e9), &pubsubpb.ExpirationPolicy{Ttl: durationpb.New(24 * 3600e9)}
	})
	cloud.Alerts(func(p *monitoringpb.AlertPolicy) { p.Enabled, p.NotificationChannels = wrapperspb.Bool(false), nil })
	var changes []string
	for _, s := range c.Plan(t.Context(), wanted()) {
		if s.Action != Exists {
			changes = append(changes, s.Action+" "+s.Thing+": "+s.Detail)
		}
	}
	same(t, "plan", []string{
		"change subscription: keeps what was not taken for less than 7 days; expires when nobody asks, is to be there for ever",
		`change sink: takes severity>=ALERT, the rules want severity>=ERROR AND jsonPayload.msg="a ${b}"; is disabled; leaves out severity<ALERT (exclusion cheap)`,
		"change alert policy: is disabled; tells [], is to tell [projects/ops/notificationChannels/1]",
	}, changes)
	if !Clean(c.Apply(t.Context(), wanted())) {
		t.Error("it could not be mended")
	}
	for _, s := range c.Plan(t.Context(), wanted()) {
		if s.Action != Exists {
			t.Errorf("after it: %+v", s)
		}
	}
}

// What is somebody else's is left alone.
func TestOthersThings(t *testing.T) {
	c, cloud := dialed(t)
	c.Apply(t.Context(), wanted())
	n := len(cloud.Writes())
	cloud.Sink("projects/prow/sinks/tocsin", func(s *loggingpb.LogSink) { s.Destination = "bigquery.googleapis.com/projects/x/datasets/y" })
	cloud.Subscription(sub, func(s *pubsubpb.Subscription) { s.Topic = "projects/ops/topics/other" })
	var failed []string
	for _, s := range c.Apply(t.Context(), wanted()) {
		if s.Action == Failed {
			failed = append(failed, s.Detail)
		}
	}
	same(t, "failures", []string{
		"it is on the topic projects/ops/topics/other, not on " + topic + ": give tocsin a subscription of its own, or name that topic with --topic",
		"it goes to bigquery.googleapis.com/projects/x/datasets/y, not to pubsub.googleapis.com/" + topic + ": it is not tocsin's; give another name with --name",
	}, failed)
	if w := cloud.Writes()[n:]; len(w) > 0 {
		t.Errorf("wrote %v", w)
	}
}

func TestRefusedStepsNameTheRoleAndTheRestIsDone(t *testing.T) {
	c, cloud := dialed(t)
	cloud.Refuse("CreateSink", codes.PermissionDenied, "Permission 'logging.sinks.create' denied")
	cloud.Refuse("ListAlertPolicies", codes.Unauthenticated, "no credentials")
	var failed []string
	steps := c.Apply(t.Context(), wanted())
	for _, s := range steps {
		if s.Action == Failed {
			failed = append(failed, s.Thing+": "+s.Detail)
		}
	}
	refused := "sink: you may not: Permission 'logging.sinks.create' denied. You need roles/logging.configWriter there for this, or somebody who has it runs this command"
	same(t, "failures", []string{refused, refused, "alert policy: you are not signed in: no credentials. Run `gcloud auth application-default login`"}, failed)
	if Clean(steps) {
		t.Error("what failed counts as done")
	}
	cloud.Refuse("CreateSink", codes.OK, "")
	cloud.Refuse("ListAlertPolicies", codes.OK, "")
	if !Clean(c.Apply(t.Context(), wanted())) {
		t.Error("the second apply did not finish what the first began")
	}
}

// Somebody who changes a policy at the same time loses nothing, and is not waited for for ever.
func TestRacedPolicies(t *testing.T) {
	w := Wanted{Project: "ops", Member: member, Grants: []Grant{{Resource: "projects/prow", Role: "roles/logging.viewer"}}}
	c, cloud := dialed(t)
	cloud.Race(attempts - 1)
	if got := c.Apply(t.Context(), w)[0]; !got.Done {
		t.Errorf("raced twice: %+v", got)
	}
	c, cloud = dialed(t)
	cloud.Race(100)
	if got := c.Apply(t.Context(), w)[0]; got.Action != Failed || !strings.Contains(got.Detail, "concurrent") {
		t.Errorf("raced for ever: %+v", got)
	}
}

func TestTerraform(t *testing.T) {
	got := Terraform(wanted())
	if *update {
		if err := os.WriteFile("testdata/wanted.tf", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/wanted.tf")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "terraform", string(want), got)
	// What one resource names of another is there.
	var defined []string
	for _, m := range regexp.MustCompile(`resource "(\w+)" "([\w-]+)"`).FindAllStringSubmatch(got, -1) {
		if name := m[1] + "." + m[2]; slices.Contains(defined, name) {
			t.Errorf("%s is there twice", name)
		} else {
			defined = append(defined, name)
		}
	}
	if len(defined) != 12 {
		t.Errorf("%d resources, and apply makes 12 things", len(defined))
	}
	for _, m := range regexp.MustCompile(`\b(google_\w+\.[\w-]+)\.(id|name|project|writer_identity)\b`).FindAllStringSubmatch(got, -1) {
		if !slices.Contains(defined, m[1]) {
			t.Errorf("%s is named and nowhere", m[1])
		}
	}
}

// Whoever is not signed in hears it once, with the mend.
func TestNobodyIsSignedIn(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", t.TempDir()+"/gone.json")
	_, err := Dial(t.Context(), "")
	if err == nil || !strings.Contains(err.Error(), "gcloud auth application-default login") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}
