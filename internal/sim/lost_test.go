package sim

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/fakes"
	"tocsin/internal/incident"
)

// TestLostStoreTellsNobodyTwice deletes the database in the middle of an incident: what had been told is found again at Slack and
// PagerDuty by the hash of the rule and its group, and taken on; nobody is rung again, and the resolve reaches both.
func TestLostStoreTellsNobodyTwice(t *testing.T) {
	t.Parallel()
	binary := build(t)
	for _, c := range []struct {
		name string
		// forget takes the entries away that the incident began with, so that its id cannot be the same again.
		forget bool
	}{{"the log is still there", false}, {"and so is the log's beginning", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newFileStage(t, binary)
			s.append("broken", 3)
			s.start()
			until(t, "a page and a message", func() bool { return len(s.pager.Rings()) == 1 && s.topLevel() == 1 })
			s.lose()
			if c.forget {
				s.write("log.jsonl", "")
			}
			s.append("broken", 2)
			s.start()
			until(t, "the message to be edited", func() bool { return s.edits() > 0 })
			s.append("fixed", 1)
			until(t, "the resolve at PagerDuty", func() bool { return s.openPages() == 0 })
			until(t, "the resolve in Slack", func() bool { return strings.Contains(s.message(), "Resolved") })
			_ = s.serve.Process.Kill()
			_ = s.serve.Wait()
			rings := 0
			for _, n := range s.pager.Rings() {
				rings += n
			}
			if rings != 1 || s.topLevel() != 1 {
				t.Errorf("%d rings and %d messages, want 1 and 1", rings, s.topLevel())
			}
		})
	}
}

// TestLostStoreAfterLaterRounds deletes the database once three rounds have rung: the next life knows of one, the same incident's. What
// it must ring for next has a key that is not open, each rings once, and in the end all are resolved.
func TestLostStoreAfterLaterRounds(t *testing.T) {
	t.Parallel()
	s := newFileStage(t, build(t))
	text, err := os.ReadFile(filepath.Join(s.dir, "tocsin.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("tocsin.yaml", strings.Replace(string(text), "{notify: [oncall]}]", "{notify: [oncall]}, {after: 2s, notify: [oncall]}, {after: 4s, notify: [oncall]}]", 1))
	s.append("broken", 1)
	s.start()
	until(t, "three pages", func() bool { return len(s.pager.Rings()) == 3 })
	s.lose()
	s.start()
	until(t, "two more", func() bool { return len(s.pager.Rings()) == 5 })
	s.append("fixed", 1)
	until(t, "the resolves at PagerDuty", func() bool { return s.openPages() == 0 })
	_ = s.serve.Process.Kill()
	_ = s.serve.Wait()
	for key, n := range s.pager.Rings() {
		if n != 1 {
			t.Errorf("%s rang %d times", key, n)
		}
	}
}

// TestLostStoreOfAcknowledged deletes the database when somebody has taken the page at PagerDuty: they have it still.
func TestLostStoreOfAcknowledged(t *testing.T) {
	t.Parallel()
	s := newFileStage(t, build(t))
	s.append("broken", 1)
	s.start()
	until(t, "a page and a message", func() bool { return len(s.pager.Rings()) == 1 && s.topLevel() == 1 })
	for key := range s.pager.Rings() {
		s.pager.Acknowledge(key, "alice")
	}
	s.lose()
	s.start()
	until(t, "the acknowledge in Slack", func() bool {
		for _, m := range s.slack.Messages() {
			if m.ThreadTS == "" && m.Metadata.Payload["state"] == string(incident.Acknowledged) {
				return true
			}
		}
		return false
	})
	if n := len(s.pager.Rings()); n != 1 {
		t.Errorf("%d pages, want 1", n)
	}
	_ = s.serve.Process.Kill()
	_ = s.serve.Wait()
}

// lose kills the service and deletes its database.
func (s *stage) lose() {
	s.t.Helper()
	_ = s.serve.Process.Kill()
	_ = s.serve.Wait()
	for _, name := range []string{"tocsin.db", "tocsin.db-wal", "tocsin.db-shm"} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !os.IsNotExist(err) {
			s.t.Fatal(err)
		}
	}
}

// until waits for something that real processes do, for 30 s at the most.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// newFileStage is a stage whose log is a file, with a rule of its own.
func newFileStage(t *testing.T, binary string) *stage {
	s := &stage{t: t, binary: binary, dir: t.TempDir(), slack: fakes.NewSlack(), pager: fakes.NewPagerDuty()}
	slack, pager := httptest.NewServer(s.slack), httptest.NewServer(s.pager)
	t.Cleanup(slack.Close)
	t.Cleanup(pager.Close)
	s.write("token", "xoxb-stand-in")
	s.write("key", "0123456789abcdef0123456789abcdef")
	s.write("rules.yaml", "rules:\n"+oneRule)
	dir := s.dir
	s.write("tocsin.yaml", fmt.Sprintf(`
project: k8s-prow
listen: 127.0.0.1:0
lateness: 1s
sources:
  log: {file: {paths: [%q]}}
rules: [rules.yaml]
receivers:
  testing-ops: {slack: {channel: "#testing-ops", token_file: token, api_url: %q}}
  oncall: {pagerduty: {routing_key_file: key, token_file: token, url: %q, api_url: %q}}
fallback: testing-ops
route: {receiver: testing-ops, escalation: now}
escalation:
  now: {steps: [{notify: [oncall]}]}
`, filepath.Join(dir, "log.jsonl"), slack.URL+"/api/", pager.URL, pager.URL))
	var err error
	if s.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	return s
}

// oneRule is the stage's.
const oneRule = `  - name: hook-broken
    filter: 'resource.labels.cluster_name="prow" resource.labels.namespace_name="default" jsonPayload.msg="broken"'
    group_by: {cluster: resource.labels.cluster_name}
    detect: {threshold: {count: 1, window: 5m}}
    resolves: {on_clear: 'resource.labels.cluster_name="prow" jsonPayload.msg="fixed"'}
    severity: critical
    mode: page
    annotations: {summary: hook is broken}
`

// append writes lines as a component would, now.
func (s *stage) append(msg string, n int) {
	f, err := os.OpenFile(filepath.Join(s.dir, "log.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	for range n {
		now := time.Now().UTC()
		_, err = fmt.Fprintf(f, `{"logName":"projects/k8s-prow/logs/stderr","insertId":"%x","timestamp":%q,"resource":{"type":"k8s_container","labels":{"project_id":"k8s-prow","cluster_name":"prow","namespace_name":"default"}},"jsonPayload":{"msg":%q}}`+"\n",
			now.UnixNano(), now.Format(time.RFC3339Nano), msg)
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// topLevel counts the messages in the channel, threads aside; edits how often they were edited; message is the text of the last.
func (s *stage) topLevel() int {
	n := 0
	for _, m := range s.slack.Messages() {
		if m.ThreadTS == "" {
			n++
		}
	}
	return n
}

// openPages counts the alerts at the pager that are not resolved.
func (s *stage) openPages() int {
	n := 0
	for _, a := range s.pager.Snapshot().Alerts {
		if a.Status != "resolved" {
			n++
		}
	}
	return n
}

func (s *stage) edits() int {
	n := 0
	for _, m := range s.slack.Messages() {
		n += len(m.Edits)
	}
	return n
}

func (s *stage) message() string {
	text := ""
	for _, m := range s.slack.Messages() {
		if m.ThreadTS == "" {
			text = m.Text
		}
	}
	return text
}
