package sources

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"gopkg.in/yaml.v3"

	"tocsin/internal/setting"
	"tocsin/internal/sources/cloudlog"
	"tocsin/internal/sources/probe"
)

func TestMain(m *testing.M) {
	// The statistics of Pub/Sub's client have a goroutine from the beginning to the end of a process.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

// Every kind's settings are read under the names that operators write, over the defaults.
func TestKinds(t *testing.T) {
	tests := map[string]struct {
		text string
		want Spec
	}{
		"file":  {"paths: [/var/log/a.log]", &File{Paths: []string{"/var/log/a.log"}, Follow: true}},
		"stdin": {"{}", &Stdin{}},
		"http_probe": {
			"{url: https://prow.k8s.io/hook, method: POST, every: 1m, timeout: 5s, healthy: [200, 405], control: https://www.gstatic.com/generate_204, headers: {A: b}, user_agent: me, " +
				"body_contains: x, body_matches: y, header_matches: {C: d}, ping: {secret_file: /s, organization: o, repository: o/r}}",
			&HTTPProbe{URL: "https://prow.k8s.io/hook", Method: "POST", Every: setting.Duration(time.Minute), Timeout: setting.Duration(5 * time.Second), Healthy: []int{200, 405},
				Control: "https://www.gstatic.com/generate_204", Headers: map[string]string{"A": "b"}, UserAgent: "me", BodyContains: "x", BodyMatches: "y",
				HeaderMatches: map[string]string{"C": "d"}, Ping: &probe.Ping{SecretFile: "/s", Organization: "o", Repository: "o/r"}},
		},
		"cloud_logging": {
			"{resource_names: [projects/p, folders/1, projects/p/locations/global/buckets/b/views/_AllLogs], filter: severity>=ERROR, endpoint: 127.0.0.1:1}",
			func() Spec {
				s := CloudLogging(cloudlog.Defaults())
				s.ResourceNames = []string{"projects/p", "folders/1", "projects/p/locations/global/buckets/b/views/_AllLogs"}
				s.Filter, s.Endpoint = "severity>=ERROR", "127.0.0.1:1"
				return &s
			}(),
		},
		"alertmanager": {"{}", &Alertmanager{}},
		"pubsub": {
			"{subscription: projects/p/subscriptions/s, max_outstanding_messages: 100, max_outstanding_bytes: 2000000, max_extension: 5m, streams: 2, endpoint: 127.0.0.1:1}",
			&PubSub{Subscription: "projects/p/subscriptions/s", MaxOutstandingMessages: 100, MaxOutstandingBytes: 2000000, MaxExtension: setting.Duration(5 * time.Minute),
				Streams: 2, Endpoint: "127.0.0.1:1"},
		},
	}
	tests["cloud_monitoring"] = struct {
		text string
		want Spec
	}{
		`{resource_name: projects/p, filter: 'metric.type="m"', period: 5m, aligner: ALIGN_RATE, reducer: REDUCE_SUM, group_by: [metric.labels.response_code_class, metadata.system_labels.top_level_controller_name], delay: 3m, overlap: 20m, every: 1m, start: 1h, endpoint: 127.0.0.1:1}`,
		&CloudMonitoring{ResourceName: "projects/p", Filter: `metric.type="m"`, Period: setting.Duration(5 * time.Minute), Aligner: "ALIGN_RATE", Reducer: "REDUCE_SUM",
			GroupBy: []string{"metric.labels.response_code_class", "metadata.system_labels.top_level_controller_name"}, Delay: setting.Duration(3 * time.Minute), Overlap: setting.Duration(20 * time.Minute),
			Every: setting.Duration(time.Minute), Start: setting.Duration(time.Hour), Endpoint: "127.0.0.1:1"},
	}
	for kind := range Kinds {
		if _, ok := tests[kind]; !ok {
			t.Errorf("kind %s has no settings here", kind)
		}
	}
	for kind, tt := range tests {
		t.Run(kind, func(t *testing.T) {
			spec := Kinds[kind]()
			decoder := yaml.NewDecoder(strings.NewReader(tt.text))
			decoder.KnownFields(true)
			if err := decoder.Decode(spec); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, spec, cmpopts.IgnoreUnexported(Stdin{})); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if errs := spec.Validate(); errs != nil {
				t.Errorf("not valid: %v", errs)
			}
			s, err := spec.New("name", Env{Project: "p"})
			if err != nil || s == nil {
				t.Errorf("New: %v, %v", s, err)
			}
			if kind == "http_probe" || kind == "cloud_monitoring" {
				if s, err := spec.New("name", Env{}); err == nil || s != nil {
					t.Errorf("New without a project: %v, %v", s, err)
				}
			}
		})
	}
}

func TestPubSubValidate(t *testing.T) {
	bad := &PubSub{Subscription: "projects/p/topics/t", MaxOutstandingMessages: 0, MaxOutstandingBytes: 1000, MaxExtension: 1, Streams: 17, Endpoint: "https://pubsub.googleapis.com"}
	var got []string
	for _, e := range bad.Validate() {
		got = append(got, e.Path)
	}
	want := []string{"subscription", "max_outstanding_messages", "max_outstanding_bytes", "max_extension", "streams", "endpoint"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	for name, text := range map[string]string{
		"":                    "no subscription: name what to read, such as projects/k8s-infra-prow/subscriptions/tocsin",
		"projects/p/topics/t": `"projects/p/topics/t" is a topic: name a subscription of it, projects/P/subscriptions/S`,
		"tocsin":              `"tocsin" is no subscription: write projects/P/subscriptions/S`,
		"//pubsub.googleapis.com/projects/p/subscriptions/s": `"//pubsub.googleapis.com/projects/p/subscriptions/s" is a full resource name: write projects/p/subscriptions/s`,
	} {
		s := newPubSub()
		s.Subscription = name
		if errs := s.Validate(); len(errs) != 1 || errs[0].Text != text {
			t.Errorf("%q: %v", name, errs)
		}
	}
}

func TestCloudLoggingValidate(t *testing.T) {
	bad := &CloudLogging{ResourceNames: []string{"p", "projects/", "projects/p/logs/x", "projects/a b"}, Every: 1, Overlap: 0, Late: 0, Start: -1, PageSize: 1001, CallsPerMinute: 1,
		Endpoint: "https://logging.googleapis.com", Filter: strings.Repeat("x", 20000)}
	var got []string
	for _, e := range bad.Validate() {
		got = append(got, e.Path)
	}
	want := []string{"resource_names.0", "resource_names.1", "resource_names.2", "resource_names.3", "every", "overlap", "late", "start", "page_size", "calls_per_minute", "endpoint", "filter"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	if errs := newCloudLogging().Validate(); len(errs) != 1 || errs[0].Text != "no resource: name what to read, such as [projects/k8s-infra-prow]" {
		t.Errorf("the defaults alone: %v", errs)
	}
}
