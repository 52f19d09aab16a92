package sim

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRestoredStoreTellsNobodyTwice takes a backup while lines pour in, goes on, is killed, and goes on from the backup: what was told
// after it is found again, what was never told is told, and each end reaches whom the beginning reached.
func TestRestoredStoreTellsNobodyTwice(t *testing.T) {
	t.Parallel()
	binary := build(t)
	for _, c := range []struct {
		name string
		// early takes the backup before anything has fired.
		early bool
	}{{"of an incident, another came after it", false}, {"of nothing, both came after it", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newFileStage(t, binary)
			s.write("rules.yaml", twoRules)
			s.append("well", 1)
			s.start()
			until(t, "the service", s.serving)
			if !c.early {
				s.append("broken", 3)
				until(t, "a page and a message", func() bool { return len(s.pager.Rings()) == 1 && s.topLevel() == 1 })
			}
			backup := filepath.Join(s.dir, "backup.db")
			said := s.whilePouring("backup", "--config", "tocsin.yaml", backup)
			if open := strings.Contains(said, "1 open"); open == c.early {
				t.Errorf("the backup holds\n%s", said)
			}
			s.age(backup)
			if c.early {
				s.append("broken", 3)
			}
			s.append("tide broken", 3)
			until(t, "both pages and both messages", func() bool { return len(s.pager.Rings()) == 2 && s.topLevel() == 2 })
			_ = s.serve.Process.Kill()
			_ = s.serve.Wait()
			s.append("deck broken", 2) // nobody hears of it before the restore
			s.command("restore", "--config", "tocsin.yaml", "--yes", backup)
			s.start()
			until(t, "the page of what came meanwhile", func() bool { return len(s.pager.Rings()) == 3 && s.topLevel() == 3 })
			for _, msg := range []string{"fixed", "tide fixed", "deck fixed"} {
				s.append(msg, 1)
			}
			until(t, "the resolves at PagerDuty", func() bool { return s.openPages() == 0 })
			until(t, "the resolves in Slack", func() bool { return s.resolved() == 3 })
			_ = s.serve.Process.Kill()
			_ = s.serve.Wait()
			for key, n := range s.pager.Rings() {
				if n != 1 {
					t.Errorf("%s rang %d times", key, n)
				}
			}
			if len(s.pager.Rings()) != 3 || s.topLevel() != 3 {
				t.Errorf("%d pages and %d messages, want 3 and 3", len(s.pager.Rings()), s.topLevel())
			}
		})
	}
}

const twoRules = `
rules:
` + oneRule + `
  - name: tide-broken
    filter: 'resource.labels.cluster_name="prow" resource.labels.namespace_name="default" jsonPayload.msg="tide broken"'
    group_by: {cluster: resource.labels.cluster_name}
    detect: {threshold: {count: 1, window: 5m}}
    resolves: {on_clear: 'resource.labels.cluster_name="prow" jsonPayload.msg="tide fixed"'}
    severity: critical
    mode: page
    annotations: {summary: tide is broken}
  - name: deck-broken
    filter: 'resource.labels.cluster_name="prow" resource.labels.namespace_name="default" jsonPayload.msg="deck broken"'
    group_by: {cluster: resource.labels.cluster_name}
    detect: {threshold: {count: 1, window: 5m}}
    resolves: {on_clear: 'resource.labels.cluster_name="prow" jsonPayload.msg="deck fixed"'}
    severity: critical
    mode: page
    annotations: {summary: deck is broken}
`

// whilePouring runs a command while lines come that concern nobody.
func (s *stage) whilePouring(args ...string) string {
	s.t.Helper()
	done := make(chan struct{})
	var pouring sync.WaitGroup
	defer pouring.Wait()
	defer close(done)
	pouring.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				s.append("well", 20)
			}
		}
	})
	return s.command(args...)
}

// age makes a database one that was born long ago: such a one looks for nothing that an earlier life has told.
func (s *stage) age(path string) {
	s.t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE store SET born_at = $1", time.Now().AddDate(0, -1, 0).UnixNano()); err != nil {
		s.t.Fatal(err)
	}
}

// serving says whether the service has begun.
func (s *stage) serving() bool {
	said, _ := os.ReadFile(s.log.Name())
	return strings.Contains(string(said), "tocsin serves at")
}

// command runs another command of the binary beside the service, and returns what it says.
func (s *stage) command(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(s.binary, args...)
	cmd.Dir = s.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

// resolved counts the messages in the channel that say that it is over.
func (s *stage) resolved() int {
	n := 0
	for _, m := range s.slack.Messages() {
		if m.ThreadTS == "" && strings.Contains(m.Text, "Resolved") {
			n++
		}
	}
	return n
}
