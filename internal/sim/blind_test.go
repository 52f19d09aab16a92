package sim

import (
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

// TestBlindIsTold takes the source's sight from a service that runs, in each way that Cloud Logging and Pub/Sub have, and holds what a person
// gets, and when: one message within two minutes that names the role, the rule, the quota or what else is to be done.
func TestBlindIsTold(t *testing.T) {
	if testing.Short() {
		t.Skip("two minutes of real time")
	}
	t.Parallel() // it waits for the most part
	binary := build(t)
	cases := map[string]struct {
		source func(s *stage) string
		fault  func(s *stage)
		says   []string
	}{
		"access taken": {tailed, func(s *stage) {
			s.cloud.FailTails(1000, codes.PermissionDenied, "caller lacks logging.logEntries.list")
			s.cloud.Fail(1000, codes.PermissionDenied, "caller lacks logging.logEntries.list")
			s.cloud.Break(codes.PermissionDenied, "caller lacks logging.logEntries.list")
		}, []string{"prow-logs", "projects/k8s-prow", "roles/logging.viewer", "roles/logging.viewAccessor"}},
		"a filter refused": {tailed, func(s *stage) {
			s.cloud.SetRefuse(func(filter string) error {
				if strings.Contains(filter, "Error starting config agent.") {
					return errors.New("field not found at line 1, column 7")
				}
				return nil
			})
			s.cloud.Break(codes.Unavailable, "moved")
		}, []string{"prow-logs", "the filter of rule prow-", "field not found at line 1"}},
		"quota used up": {tailed, func(s *stage) {
			s.cloud.FailTails(1000, codes.ResourceExhausted, "Quota exceeded for quota metric 'Log entries tail sessions'")
			s.cloud.Fail(1000, codes.ResourceExhausted, "Quota exceeded for quota metric 'Read requests'")
			s.cloud.Break(codes.ResourceExhausted, "Quota exceeded")
		}, []string{"prow-logs", "the quota is used up", "calls_per_minute"}},
		"no answer": {tailed, func(s *stage) { s.cloud.Hang(true) }, []string{"prow-logs", "no answer", "logging.googleapis.com:443", "DeadlineExceeded"}},
		"access to a subscription taken": {subscribed, func(s *stage) {
			s.pubsub.Refuse(codes.PermissionDenied, "User not authorized to perform this action.")
		}, []string{"prow-logs", "projects/k8s-prow/subscriptions/tocsin", "roles/pubsub.subscriber", "gcloud pubsub subscriptions add-iam-policy-binding tocsin"}},
		"a subscription deleted": {subscribed, func(s *stage) {
			s.pubsub.Refuse(codes.NotFound, "Resource not found (resource=tocsin).")
		}, []string{"prow-logs", "it does not exist", "tocsin provision"}},
		"Pub/Sub away": {subscribed, func(s *stage) {
			s.pubsub.Refuse(codes.Unavailable, "The service was unable to fulfill your request.")
		}, []string{"prow-logs", "no answer", "pubsub.googleapis.com:443", "unable to fulfill"}},
		// It looks like one to which nothing is logged; the canary says that it is not so.
		"a subscription through which nothing comes": {subscribed, func(s *stage) { s.pubsub.Withhold(true) },
			[]string{"What tocsin writes to a log has not come back through prow-logs for 20 seconds"}},
	}
	var all sync.WaitGroup
	for name, c := range cases {
		s := newStage(t, binary, c.source)
		all.Go(func() {
			s.start()
			defer func() {
				_ = s.serve.Process.Signal(syscall.SIGTERM)
				_ = s.serve.Wait()
			}()
			<-time.After(40 * time.Second) // the tail is steady
			began := time.Now()
			if n := len(s.slack.Messages()); n > 0 {
				t.Errorf("%s: %d messages while all was well: %+v", name, n, s.slack.Messages())
			}
			c.fault(s)
			var text string
			messages := 0
			for text == "" && time.Since(began) < 130*time.Second {
				<-time.After(200 * time.Millisecond)
				for _, m := range s.slack.Messages() {
					text += m.Text + string(m.Blocks)
					if m.ThreadTS == "" {
						messages++
					}
				}
			}
			took := time.Since(began)
			t.Logf("%s: after %s: %.600s", name, took.Round(time.Second), text)
			if took > 2*time.Minute {
				t.Errorf("%s: told after %s", name, took)
			}
			for _, part := range c.says {
				if !strings.Contains(text, part) {
					t.Errorf("%s: the message does not say %q", name, part)
				}
			}
			if messages != 1 {
				t.Errorf("%s: %d messages", name, messages)
			}
			if t.Failed() {
				log, _ := os.ReadFile(s.log.Name())
				t.Logf("%s: %s", name, log)
			}
		})
	}
	all.Wait()
}
