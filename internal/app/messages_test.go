package app

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metricpb "google.golang.org/genproto/googleapis/api/metric"
	"google.golang.org/grpc/codes"
)

// requestCounts is the metric that the messages' source reads.
var requestCounts = &metricpb.MetricDescriptor{Type: "loadbalancing.googleapis.com/https/request_count", MetricKind: metricpb.MetricDescriptor_DELTA, ValueType: metricpb.MetricDescriptor_INT64}

var update = flag.Bool("update", false, "write what is")

const messagesVigil = `
project: prow
sources:
  logs: {cloud_logging: {resource_names: [projects/prow], endpoint: "logging:1"}}
  requests: {cloud_monitoring: {filter: 'metric.type="loadbalancing.googleapis.com/https/request_count"', aligner: ALIGN_DELTA, delay: 2m, endpoint: "metrics:1"}}
canary: {sources: [logs], endpoint: "logging:1"}
rules: [rules.yaml]
receivers: {ops: {slack: {channel: "#ops", token_file: t}}}
fallback: ops
route: {receiver: ops}
`

// What a person is told when a source cannot be read as it should, and after how many seconds: all of it is in testdata/messages.txt, for
// people to judge. Each but the canary's comes within two minutes.
func TestMessagesOfTrouble(t *testing.T) {
	var all strings.Builder
	for _, tt := range []struct {
		name, what string
		most       time.Duration
		harm       func(v *vigil)
	}{
		{"the role is taken away", "PERMISSION_DENIED for lists and tails", 2 * time.Minute, func(v *vigil) {
			refuse(v, codes.PermissionDenied, "Permission 'logging.logEntries.list' denied on resource (or it may not exist).")
		}},
		{"the filter of a rule is refused", "INVALID_ARGUMENT for whatever holds one rule's filter", 2 * time.Minute, func(v *vigil) {
			v.logging.SetRefuse(func(filter string) error {
				if strings.Contains(filter, "oh no") {
					return errors.New("field resource.labels.zone is not supported")
				}
				return nil
			})
			v.logging.Break(codes.Unavailable, "the session is broken off")
		}},
		{"the quota is used up", "RESOURCE_EXHAUSTED for lists and tails", 2 * time.Minute, func(v *vigil) {
			refuse(v, codes.ResourceExhausted, "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute' of service 'logging.googleapis.com' for consumer 'project_number:7'.")
		}},
		{"silence: the API answers nothing", "each call hangs", 2 * time.Minute, func(v *vigil) {
			v.logging.Break(codes.Unavailable, "the session is broken off")
			v.logging.Hang(true)
		}},
		{"silence: a source that says that all is well reads nothing", "what is written is kept nowhere", 4 * time.Minute, func(v *vigil) { v.logging.LoseWrites(true) }},
		{"the canary cannot be written", "PERMISSION_DENIED for writes", 2 * time.Minute, func(v *vigil) {
			v.logging.RefuseWrites(codes.PermissionDenied, "Permission 'logging.logEntries.create' denied on resource (or it may not exist).")
		}},
		{"the role for metrics is taken away", "PERMISSION_DENIED for time series", 2 * time.Minute, func(v *vigil) {
			v.metrics.Fail(100000, codes.PermissionDenied, "Permission monitoring.timeSeries.list denied (or the resource may not exist).")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keepVigil(t, messagesVigil, func(v *vigil) {
				v.pass(3*time.Minute + 7*time.Second)
				if said := v.heard(); said != "" {
					t.Fatalf("all is well, and it says:\n%s", said)
				}
				v.began = time.Now()
				tt.harm(v)
				for range 24 {
					if v.pass(10 * time.Second); v.heard() != "" {
						break
					}
				}
				v.pass(30 * time.Second)
				v.mu.Lock()
				defer v.mu.Unlock()
				if len(v.told) == 0 {
					t.Fatal("nobody was told")
				}
				first := v.told[0]
				after := first.at.Sub(v.began)
				if after > tt.most {
					t.Errorf("told after %s, want within %s", after, tt.most)
				}
				for _, more := range v.told[1:] {
					if more.notice.Rings {
						t.Errorf("it rings once more, with %s", more.text)
					}
				}
				text := strings.TrimSpace(first.text)
				for _, differs := range []struct{ in, what string }{{`\{.*"canary":.*\}`, "{the last line that came back}"}, {`[0-9A-Z]{26}`, "ID"}, {`[0-9]{2}:[0-9]{2}:[0-9]{2}`, "HH:MM:SS"},
					{`DeadlineExceeded: .* \(since`, "DeadlineExceeded: ... (since"}} {
					text = regexp.MustCompile(differs.in).ReplaceAllString(text, differs.what)
				}
				t.Logf("told after %s", after)
				fmt.Fprintf(&all, "== %s (%s)\nwithin %s\n%s\n\n", tt.name, tt.what, after.Truncate(time.Minute)+time.Minute, text)
			})
		})
	}
	const path = "testdata/messages.txt"
	if *update {
		if err := os.WriteFile(path, []byte(all.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), all.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// refuse lets every list and tail fail.
func refuse(v *vigil, code codes.Code, message string) {
	v.logging.Fail(100000, code, message)
	v.logging.FailTails(100000, code, message)
	v.logging.Break(code, message)
}
