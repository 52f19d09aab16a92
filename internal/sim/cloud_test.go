package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/fakes"
	"tocsin/internal/logs"
	"tocsin/internal/scenario"
)

// outcome is what people got of a run.
type outcome struct {
	Incidents []string // ids
	Slack     int      // messages in the channel, threads aside
	Rings     map[string]int
	Doubled   []string
}

// TestCloudLoggingKilledOnTheWay reads ten minutes of the outage, at today's times, through the real client from a Cloud Logging
// server: the first nine minutes are there already, the last comes as it happens. Killed three times with -9 and started again, the
// service tells people the same as when nothing disturbs it.
func TestCloudLoggingKilledOnTheWay(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of real time")
	}
	t.Parallel() // it waits for the most part
	binary := build(t)
	const window, live = 10 * time.Minute, 45 * time.Second
	start := time.Now().Add(live - window).Truncate(time.Second)
	var entries bytes.Buffer
	// From 12:38:15Z of the recorded day on: hook pods crash, the last one goes at 12:47.
	from := 14*time.Hour + 8*time.Minute + 15*time.Second
	if err := scenario.WriteWith(&entries, "outage-2019-01-23", scenario.Options{Seed: 1, From: from, Until: from + window, Start: start}); err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(entries.Bytes()), []byte("\n"))
	calm, killed := make(chan outcome, 1), make(chan outcome, 1)
	go func() { calm <- newStage(t, binary, tailed).play(lines, nil) }()
	go func() {
		killed <- newStage(t, binary, tailed).play(lines, []time.Duration{300 * time.Millisecond, 8 * time.Second, 25 * time.Second})
	}()
	want, got := <-calm, <-killed
	t.Logf("%d entries; undisturbed: %+v", len(lines), want)
	t.Logf("killed three times: %+v", got)
	if len(want.Incidents) != 1 || want.Slack != 1 || len(want.Rings) == 0 || len(want.Doubled) > 0 {
		t.Errorf("undisturbed: %+v, want one incident, one message, a page", want)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what people got differs (-undisturbed +killed):\n%s", diff)
	}
}

// scratch is a directory that is there as long as the tests run.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "tocsin-sim-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch) // what cannot be removed is in a directory for such
	os.Exit(code)
}

// built is the binary, made once for all tests: the linker takes seconds.
var built = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(scratch, "tocsin")
	if out, err := exec.Command("go", "build", "-o", binary, "tocsin/cmd/tocsin").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
})

func build(t *testing.T) string {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// stage is one service with all that it talks to.
type stage struct {
	t      *testing.T
	binary string
	dir    string
	cloud  *fakes.CloudLogging
	pubsub *fakes.CloudPubSub
	slack  *fakes.Slack
	pager  *fakes.PagerDuty
	log    *os.File
	serve  *exec.Cmd
}

// tailed is the source that most stages have.
func tailed(s *stage) string {
	return fmt.Sprintf("{cloud_logging: {resource_names: [projects/k8s-prow], endpoint: %q, every: 1s}}", s.cloud.Addr())
}

// subscribed is a source that reads the stage's subscription, to which all is exported that is logged, with a canary that comes back through it.
func subscribed(s *stage) string {
	s.cloud.Export(s.pubsub)
	return fmt.Sprintf("{pubsub: {subscription: projects/k8s-prow/subscriptions/tocsin, endpoint: %q}}\n"+
		"canary: {sources: [prow-logs], every: 10s, within: 20s, endpoint: %q}", s.pubsub.Addr(), s.cloud.Addr())
}

// newStage sets one up whose source prow-logs is as said.
func newStage(t *testing.T, binary string, source func(s *stage) string) *stage {
	s := &stage{t: t, binary: binary, dir: t.TempDir(), slack: fakes.NewSlack(), pager: fakes.NewPagerDuty()}
	cloud, err := fakes.NewCloudLogging()
	if err != nil {
		t.Error(err)
		return s
	}
	s.cloud = cloud
	t.Cleanup(cloud.Close)
	if s.pubsub, err = fakes.NewCloudPubSub("projects/k8s-prow/subscriptions/tocsin"); err != nil {
		t.Error(err)
		return s
	}
	t.Cleanup(s.pubsub.Close)
	slack, pager := httptest.NewServer(s.slack), httptest.NewServer(s.pager)
	t.Cleanup(slack.Close)
	t.Cleanup(pager.Close)
	s.write("token", "xoxb-stand-in")
	s.write("key", "0123456789abcdef0123456789abcdef")
	s.write("tocsin.yaml", fmt.Sprintf(`
project: k8s-prow
listen: 127.0.0.1:0
sources:
  prow-logs: %s
rules: ["builtin:prow/*.yaml"]
receivers:
  testing-ops: {slack: {channel: "#testing-ops", token_file: token, api_url: %q}}
  oncall: {pagerduty: {routing_key_file: key, token_file: token, url: %q, api_url: %q}}
fallback: testing-ops
route:
  receiver: testing-ops
  routes:
    - {matchers: ['severity="critical"'], escalation: prow-oncall}
escalation:
  prow-oncall: {steps: [{notify: [oncall]}, {after: 10s, notify: [oncall, testing-ops]}]}
`, source(s), slack.URL+"/api/", pager.URL, pager.URL))
	s.log, err = os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Error(err)
	}
	return s
}

func (s *stage) write(name, text string) {
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Error(err)
	}
}

func (s *stage) start() {
	s.serve = exec.Command(s.binary, "serve", "--config", "tocsin.yaml")
	s.serve.Dir, s.serve.Stdout, s.serve.Stderr = s.dir, s.log, s.log
	if err := s.serve.Start(); err != nil {
		s.t.Error(err)
	}
}

// play adds each entry when Cloud Logging would have it, and kills and restarts the service at those times.
func (s *stage) play(lines [][]byte, kills []time.Duration) outcome {
	began := time.Now()
	s.start()
	for len(lines) > 0 {
		n := 0
		for n < len(lines) && !logs.ParseLine(lines[n]).ReceiveTimestamp.After(time.Now()) {
			n++
		}
		if err := s.cloud.Add(lines[:n]...); err != nil {
			s.t.Error(err)
			break
		}
		lines = lines[n:]
		if len(kills) > 0 && time.Since(began) >= kills[0] {
			kills = kills[1:]
			_ = s.serve.Process.Kill()
			_ = s.serve.Wait()
			s.start()
		}
		<-time.After(100 * time.Millisecond)
	}
	<-time.After(5 * time.Second) // the last listing, and what it asks for
	incidents := s.incidents()
	_ = s.serve.Process.Signal(syscall.SIGTERM)
	if err := s.serve.Wait(); err != nil {
		s.t.Errorf("serve ended: %v", err)
	}
	if s.t.Failed() {
		log, _ := os.ReadFile(s.log.Name())
		s.t.Logf("%s", log)
	}
	out := outcome{Incidents: incidents, Rings: map[string]int{}, Doubled: s.slack.Doubled()}
	for key, n := range s.pager.Rings() {
		out.Rings[key] = n
	}
	for _, m := range s.slack.Messages() {
		if m.ThreadTS == "" {
			out.Slack++
		}
	}
	return out
}

// incidents asks the service itself.
func (s *stage) incidents() []string {
	log, err := os.ReadFile(s.log.Name())
	if err != nil {
		s.t.Error(err)
		return nil
	}
	at := bytes.LastIndex(log, []byte("tocsin serves at "))
	if at < 0 {
		s.t.Errorf("it never served: %s", log)
		return nil
	}
	_, url, _ := strings.Cut(string(log[at:]), "serves at ")
	url, _, _ = strings.Cut(url, "\n")
	b, err := exec.Command(s.binary, "incidents", "--all", "--format", "json", "--url", url).Output()
	if err != nil {
		s.t.Errorf("list incidents: %v", err)
		return nil
	}
	var list struct {
		Incidents []struct {
			ID string `json:"id"`
		} `json:"incidents"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		s.t.Error(err)
	}
	var ids []string
	for _, inc := range list.Incidents {
		ids = append(ids, inc.ID)
	}
	slices.Sort(ids)
	return ids
}
