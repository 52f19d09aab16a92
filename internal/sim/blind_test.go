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

// TestBlindIsTold takes the source's sight from a service that runs, in each way that Cloud Logging has, and holds what a person gets, and
// when: one message within two minutes that names the role, the rule, the quota or what else is to be done.
func TestBlindIsTold(t *testing.T) {
	if testing.Short() {
		t.Skip("two minutes of real time")
	}
	t.Parallel() // it waits for the most part
	binary := build(t)
	cases := map[string]struct {
		fault func(s *stage)
		says  []string
	}{
		"access taken": {func(s *stage) {
			s.cloud.FailTails(1000, codes.PermissionDenied, "caller lacks logging.logEntries.list")
			s.cloud.Fail(1000, codes.PermissionDenied, "caller lacks logging.logEntries.list")
			s.cloud.Break(codes.PermissionDenied, "caller lacks logging.logEntries.list")
		}, []string{"prow-logs", "projects/k8s-prow", "roles/logging.viewer", "roles/logging.viewAccessor"}},
		"a filter refused": {func(s *stage) {
			s.cloud.SetRefuse(func(filter string) error {
				if strings.Contains(filter, "Error starting config agent.") {
					return errors.New("field not found at line 1, column 7")
				}
				return nil
			})
			s.cloud.Break(codes.Unavailable, "moved")
		}, []string{"prow-logs", "the filter of rule prow-", "field not found at line 1"}},
		"quota used up": {func(s *stage) {
			s.cloud.FailTails(1000, codes.ResourceExhausted, "Quota exceeded for quota metric 'Log entries tail sessions'")
			s.cloud.Fail(1000, codes.ResourceExhausted, "Quota exceeded for quota metric 'Read requests'")
			s.cloud.Break(codes.ResourceExhausted, "Quota exceeded")
		}, []string{"prow-logs", "the quota is used up", "calls_per_minute"}},
		"no answer": {func(s *stage) { s.cloud.Hang(true) }, []string{"prow-logs", "no answer", "logging.googleapis.com:443", "DeadlineExceeded"}},
	}
	var all sync.WaitGroup
	for name, c := range cases {
		s := newStage(t, binary)
		all.Go(func() {
			s.start()
			defer func() {
				_ = s.serve.Process.Signal(syscall.SIGTERM)
				_ = s.serve.Wait()
			}()
			<-time.After(40 * time.Second) // the tail is steady
			began := time.Now()
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
