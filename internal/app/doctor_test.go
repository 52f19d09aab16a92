package app

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metricpb "google.golang.org/genproto/googleapis/api/metric"
	"google.golang.org/grpc/codes"

	"tocsin/internal/fakes"
	"tocsin/internal/setting"
)

const examined = `
project: prow
sources:
  logs: {cloud_logging: {resource_names: [projects/prow], endpoint: "LOGGING"}}
  rate: {cloud_monitoring: {filter: 'metric.type="m"', endpoint: "METRICS"}}
  hook: {http_probe: {url: "WEB/hook"}}
  old:  {file: {paths: [gone.log]}}
rules: [rules.yaml]
receivers: {ops: {slack: {channel: C0123456789, token_file: token, api_url: "WEB/slack/"}}}
fallback: ops
heartbeat: {url: "https://example.com/x"}
`

const examinedRules = `
rules:
  - {name: pods, filter: 'resource.type="k8s_container" resource.labels.cluster_name="prow" severity>=ERROR', detect: {threshold: {count: 1, window: 1m}}, severity: warning, resolves: by_hand, annotations: {summary: a}}
  - {name: balancer, filter: 'resource.type="http_load_balancer" httpRequest.status>=500', detect: {threshold: {count: 1, window: 1m}}, severity: warning, resolves: by_hand, annotations: {summary: a}}
`

// surgery is what a doctor looks at: stand-ins of everything, with nothing wrong.
type surgery struct {
	logging  *fakes.CloudLogging
	metrics  *fakes.CloudMonitoring
	cloud    *fakes.CloudProject
	slack    *fakes.Slack
	hook     int    // what the probe gets
	backends string // of the project's load balancers, as JSON
	clock    time.Duration
	rules    string
	config   func(text string) string
}

func newSurgery(t *testing.T) *surgery {
	t.Helper()
	s := &surgery{slack: fakes.NewSlack(), hook: 200, rules: examinedRules, config: func(text string) string { return text },
		backends: `[{"name":"hook","protocol":"HTTP","logConfig":{"enable":true,"sampleRate":1}},{"name":"tcp","protocol":"TCP"}]`}
	s.slack.Scopes = "chat:write,channels:history,channels:read"
	var errs [3]error
	s.logging, errs[0] = fakes.NewCloudLogging()
	s.cloud, errs[1] = fakes.NewCloudProject()
	s.metrics, errs[2] = fakes.NewCloudMonitoring()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.logging.Close)
	t.Cleanup(s.cloud.Close)
	t.Cleanup(s.metrics.Close)
	s.metrics.Describe(&metricpb.MetricDescriptor{Type: "m", MetricKind: metricpb.MetricDescriptor_DELTA, ValueType: metricpb.MetricDescriptor_INT64})
	s.metrics.Add("projects/prow", fakes.Series("m", "global", fakes.Int(time.Now().Add(-71*time.Minute), time.Now().Add(-70*time.Minute), 1),
		fakes.Int(time.Now().Add(-10*time.Minute), time.Now().Add(-9*time.Minute), 1)), time.Time{})
	nowhere := httptest.NewServer(http.NotFoundHandler()) // a machine that is in no cluster
	t.Cleanup(nowhere.Close)
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(nowhere.URL, "http://"))
	for _, kind := range []string{"k8s_container", "http_load_balancer"} {
		entry := fmt.Sprintf(`{"logName":"projects/prow/logs/x","timestamp":%q,"resource":{"type":%q,"labels":{"project_id":"prow"}},"textPayload":"a"}`, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339), kind)
		if err := s.logging.Add([]byte(entry)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// look examines, and returns the findings that are not fine, as lines.
func (s *surgery) look(t *testing.T) string {
	t.Helper()
	found := s.examine(t)
	var lines []string
	fine := 0
	for _, f := range found {
		if f.Level == setting.Fine {
			fine++
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s -> %s", f.Level, f.About, f.Text, f.Mend))
	}
	if len(lines) == 0 && fine < 12 {
		t.Errorf("only %d things were looked at: %+v", fine, found)
	}
	return strings.Join(lines, "\n")
}

// examine returns all findings, without the folder of the test's own.
func (s *surgery) examine(t *testing.T) []setting.Finding {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/slack/", http.StripPrefix("/slack", s.slack))
	mux.HandleFunc("/hook", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(s.hook) })
	mux.HandleFunc("/compute/v1/projects/prow/aggregated/backendServices", func(w http.ResponseWriter, _ *http.Request) {
		if s.backends == "" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"error":{"code":403,"message":"Required 'compute.backendServices.list' permission for 'projects/prow'"}}`)
			return
		}
		fmt.Fprintf(w, `{"items":{"global":{"backendServices":%s},"regions/x":{"warning":{}}}}`, s.backends)
	})
	web := httptest.NewServer(mux)
	defer web.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{"tocsin.yaml": s.config(strings.NewReplacer("LOGGING", s.logging.Addr(), "METRICS", s.metrics.Addr(), "WEB", web.URL).Replace(examined)), "rules.yaml": s.rules, "token": "xoxb-1", "gone.log": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Doctor(t.Context(), Examining{Config: filepath.Join(dir, "tocsin.yaml"), Endpoint: s.cloud.Addr(), Compute: web.URL, Time: web.URL}, func() time.Time { return time.Now().Add(s.clock) })
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i].Text = strings.ReplaceAll(found[i].Text, dir, "DIR")
	}
	return found
}

func TestDoctorFindsNothingWrong(t *testing.T) {
	if got := newSurgery(t).look(t); got != "" {
		t.Errorf("of what is well it says:\n%s", got)
	}
}

// TestDoctorFinds breaks one thing at a time, and only that is to be found, with its mend.
func TestDoctorFinds(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(s *surgery)
		want []string
	}{
		{"no role", func(s *surgery) { s.logging.Fail(1, codes.PermissionDenied, "Permission denied for all log views") },
			[]string{"fail source logs: projects/prow cannot be read: Permission denied for all log views -> grant roles/logging.viewer on projects/prow to the account that tocsin runs as: tocsin provision --apply --member MEMBER"}},
		{"no quota", func(s *surgery) { s.logging.Fail(1, codes.ResourceExhausted, "Quota exceeded") },
			[]string{"fail source logs: projects/prow: the quota is used up: Quota exceeded -> wait a minute"}},
		{"quota nearly used", func(s *surgery) { s.cloud.Quota("logging.googleapis.com/read_requests", 40, 60) },
			[]string{"warn quota: prow: 40 of the 60 a minute of logging.googleapis.com/read_requests were used in one of the last ten minutes -> lower calls_per_minute"}},
		{"quota cannot be seen", func(s *surgery) { s.cloud.Refuse("ListTimeSeries", codes.PermissionDenied, "no") },
			[]string{"warn quota: what is left of the quotas of prow cannot be looked at: no -> grant roles/monitoring.viewer on projects/prow"}},
		{"no role for metrics", func(s *surgery) { s.metrics.Fail(1, codes.PermissionDenied, "denied") },
			[]string{"fail source rate: the metrics of projects/prow cannot be read: denied -> grant roles/monitoring.viewer on projects/prow to the account that tocsin runs as: tocsin provision --apply --member MEMBER"}},
		{"no such metric", func(s *surgery) {
			s.config = func(text string) string { return strings.Replace(text, `"m"`, `"n"`, 1) }
		}, []string{`fail source rate: Cloud Monitoring refuses the filter: Cannot find metric(s) that match type = "n". If a metric`}},
		{"nothing measured", func(s *surgery) {
			s.config = func(text string) string {
				return strings.Replace(text, `metric.type="m"`, `metric.type="m" resource.type="x"`, 1)
			}
		}, []string{`warn source rate: projects/prow can be read, and nothing was measured in the last hour that the filter takes: metric.type="m" resource.type="x" -> `}},
		{"sources share the quota", func(s *surgery) {
			s.config = func(text string) string {
				return strings.Replace(text, "resource_names", "calls_per_minute: 90, resource_names", 1)
			}
		}, []string{"warn quota: the sources may make 90 lists a minute together, and the quota is 60 unless it was raised -> give each its part"}},
		{"more tails than a project has", func(s *surgery) {
			s.config = func(text string) string {
				text = strings.Replace(text, "{cloud_logging: {", "{cloud_logging: {calls_per_minute: 6, ", 1)
				begin, end := strings.Index(text, "  logs:"), strings.Index(text, "  rate:")
				for n := range 9 {
					text = text[:end] + strings.Replace(text[begin:end], "logs:", fmt.Sprintf("l%d:", n), 1) + text[end:]
				}
				return text
			}
		}, []string{"warn quota: the sources take 10 tail sessions, and one more while one takes over from another; the quota is 10: "}},
		{"a filter is refused", func(s *surgery) {
			s.logging.SetRefuse(func(filter string) error {
				if strings.Contains(filter, "httpRequest.status>=500") {
					return errors.New("field httpRequest.status")
				}
				return nil
			})
		}, []string{"fail source logs: Cloud Logging refuses the filter of rule balancer: "}},
		{"its own filter is refused", func(s *surgery) {
			s.config = func(text string) string {
				return strings.Replace(text, "resource_names", "filter: severity>=NOTICE, resource_names", 1)
			}
			s.logging.SetRefuse(func(filter string) error {
				if strings.Contains(filter, "severity>=NOTICE") {
					return errors.New("severity NOTICE")
				}
				return nil
			})
		}, []string{"fail source logs: Cloud Logging refuses the source's own filter: "}},
		{"more is asked than a request holds", func(s *surgery) {
			s.rules = examinedRules + "  - {name: long, filter: '" + strings.Repeat(`textPayload:"a" OR `, 1040) + `textPayload:"a"` + "', detect: {threshold: {count: 1, window: 1m}}, severity: warning, resolves: by_hand, annotations: {summary: a}}\n"
		}, []string{"warn source logs: the rules ask for everything, or for too much to be said in one request: the whole log is read -> give the source fewer rules"}},
		{"two rules ask for a type that is not seen", func(s *surgery) {
			s.rules = strings.Replace(examinedRules, `"k8s_container"`, `"k8s_node"`, 1) + "  - {name: nodes, filter: 'resource.type=\"k8s_node\" severity=ERROR', detect: {threshold: {count: 1, window: 1m}}, severity: warning, resolves: by_hand, annotations: {summary: a}}\n"
		}, []string{"warn source logs: 2 rules can only match resources of type k8s_node, of which nothing was logged for 7 days: pods, nodes -> is the log of these on"}},
		{"a type is not seen", func(s *surgery) {
			s.rules = strings.Replace(examinedRules, `"k8s_container"`, `("k8s_pod" OR "k8s_node")`, 1)
		}, []string{"warn source logs: rule pods can only match resources of type k8s_node, k8s_pod, of which nothing was logged for 7 days -> is the log of these on"}},
		{"one of two types is seen", func(s *surgery) {
			s.rules = strings.Replace(examinedRules, `"k8s_container"`, `("container" OR "k8s_container")`, 1)
		}, nil},
		{"an exclusion", func(s *surgery) { s.cloud.Exclude("projects/prow", "cheap", "severity<ERROR") },
			[]string{"warn log: projects/prow: the exclusion cheap keeps out: severity<ERROR -> look whether a rule needs it"}},
		{"a balancer without a log", func(s *surgery) { s.backends = `[{"name":"hook","protocol":"HTTPS"}]` },
			[]string{"warn load balancer: the backend hook of prow logs no requests, and rules ask for them -> gcloud compute backend-services update hook --global --enable-logging --logging-sample-rate=1"}},
		{"a balancer that logs a part", func(s *surgery) {
			s.backends = `[{"name":"hook","protocol":"HTTP2","logConfig":{"enable":true,"sampleRate":0.1}}]`
		}, []string{"warn load balancer: the backend hook of prow logs 10 % of its requests: counts are that part -> "}},
		{"balancers cannot be seen", func(s *surgery) { s.backends = "" },
			[]string{"warn load balancer: whether the load balancers of prow log cannot be looked at: Required 'compute.backendServices.list' permission"}},
		{"balancers that no rule asks for", func(s *surgery) {
			s.backends, s.rules = "", examinedRules[:strings.Index(examinedRules, "  - {name: balancer")]
		}, nil},
		{"the clock is off", func(s *surgery) { s.clock = 10 * time.Second },
			[]string{"warn clock: the clock is off by "}},
		{"the clock is far off", func(s *surgery) { s.clock = -time.Hour },
			[]string{"fail clock: the clock is off by -"}},
		{"the probe fails", func(s *surgery) { s.hook = 502 },
			[]string{"warn source hook: the probe fails now: "}},
		{"no file", func(s *surgery) {
			s.config = func(text string) string { return strings.Replace(text, "gone.log", "nothing.log", 1) }
		}, []string{"warn source old: no file matches DIR/nothing.log -> "}},
		{"Slack", func(s *surgery) { s.slack.Token = "another" },
			[]string{"fail receiver ops: Slack does not take the token: invalid_auth -> "}},
		{"no heartbeat", func(s *surgery) {
			s.config = func(text string) string { return text[:strings.Index(text, "heartbeat:")] }
		}, []string{"warn when tocsin is gone: nobody outside is known to notice: no heartbeat is configured, and no alert policy of tocsin provision is in projects/prow -> configure heartbeat, or: tocsin provision"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSurgery(t)
			c.harm(s)
			got := s.look(t)
			lines := strings.Split(got, "\n")
			if got == "" {
				lines = nil
			}
			if len(lines) != len(c.want) {
				t.Fatalf("got %d findings, want %d:\n%s", len(lines), len(c.want), got)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("got  %s\nwant %s", lines[i], want)
				}
			}
		})
	}
}

// TestDoctorKnowsWhereItIs: in the watched cluster it says so, in another, of the same project too, it does not.
func TestDoctorKnowsWhereItIs(t *testing.T) {
	for cluster, want := range map[string]string{"prow": "warn place: it runs in the cluster prow of prow, which it watches: what takes that down takes tocsin down too -> run it in another cluster", "ops": ""} {
		metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			switch r.URL.Path {
			case "/computeMetadata/v1/instance/attributes/cluster-name":
				fmt.Fprint(w, cluster)
			case "/computeMetadata/v1/project/project-id":
				fmt.Fprint(w, "prow")
			}
		}))
		s := newSurgery(t)
		t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(metadata.URL, "http://"))
		got := s.look(t)
		if (want == "") != (got == "") || !strings.HasPrefix(got, want) {
			t.Errorf("in %s: %s", cluster, got)
		}
		metadata.Close()
	}
}
