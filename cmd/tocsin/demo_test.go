package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// spoken is an output that a test can wait on.
type spoken struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// wait waits until the output has what re finds, and returns that.
func (s *spoken) wait(t *testing.T, re string) string {
	t.Helper()
	late := time.After(time.Minute)
	for {
		if found := regexp.MustCompile(re).FindString(s.String()); found != "" {
			return found
		}
		select {
		case <-s.more:
		case <-late:
			t.Fatalf("%q was not said within a minute:\n%s", re, s)
		}
	}
}

// startDemo runs the demo until ctx ends, with its files in a directory of the test's.
func startDemo(ctx context.Context, t *testing.T, args ...string) (out *spoken, code <-chan int, files string) {
	t.Helper()
	files = t.TempDir()
	t.Setenv("TMPDIR", files)
	out = &spoken{more: make(chan struct{}, 1)}
	ended := make(chan int, 1)
	go func() {
		ended <- runWith(ctx, &streams{in: strings.NewReader(""), out: out, err: out}, append([]string{"demo"}, args...))
	}()
	return out, ended, files
}

func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the demo left %v behind (%v)", left, err)
	}
}

// The story that the README promises, with the real service: one incident, its message edited in place, one page, an acknowledge
// that stops the escalation, and the recovery that resolves it.
func TestDemoTellsItsStory(t *testing.T) {
	t.Run("from a file", func(t *testing.T) { tellsItsStory(t) })
	t.Run("from Cloud Logging", func(t *testing.T) { tellsItsStory(t, "--cloud") })
}

func tellsItsStory(t *testing.T, args ...string) {
	out, code, files := startDemo(t.Context(), t, append(args, "--once", "--speed", "4")...)
	out.wait(t, "acknowledged by the demo's oncall")
	page := readPage(t, out.wait(t, `http://127\.0\.0\.1:\d+/incidents/[0-9A-Z]{26}`))
	for _, want := range []string{"duplicated preset label", "prow-config-load-error", "prow-config-agent-fatal"} {
		if !strings.Contains(page, want) {
			t.Errorf("the incident's page does not say %q", want)
		}
	}
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
	nothingLeft(t, files)
	story := out.String()
	if strings.Contains(story, "\x1b") {
		t.Error("colours without a terminal")
	}
	rest := story
	for _, want := range []string{
		`the page   http://127\.0\.0\.1:\d+\n`,
		`(?s)a message in #testing-ops:\n[^\n]*🟠 Prow keeps its old.*High · cluster prow · nobody has it yet`,
		`PagerDuty   RINGS whoever is on call:\n.*Prow keeps its old configuration`,
		`It rings again in 5 seconds`,
		`PagerDuty   acknowledged by the demo's oncall\n`,
		`Now the second call would have gone out: somebody has it`,
		`hook        starts`,
		`the message is edited:\n.*✅ Resolved: Prow keeps its old configuration`,
		`Demo over: 1 incident, over after .*Slack: 1 message, [1-9]\d* edits, [1-9]\d* posts in its thread\. Pages: 1 rang, 1 acknowledged\.\n$`,
	} {
		at := regexp.MustCompile(want).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("the story does not go on with %q:\n%s", want, story)
		}
		rest = rest[at[1]:]
	}
	for what, want := range map[string]int{"a message in #": 1, "RINGS": 1, "PagerDuty   acknowledged": 1, "PagerDuty   resolved": 1} {
		if got := strings.Count(story, what); got != want {
			t.Errorf("%q stands %d times in the story, want %d:\n%s", what, got, want, story)
		}
	}
	for _, folded := range []string{"Prow does not take webhooks:", "hook crash-loops:", "acknowledged by the demo's oncall at "} {
		if !strings.Contains(story, folded) {
			t.Errorf("the story does not tell of %q", folded)
		}
	}
}

// ^C ends the demo at any time, soon, and nothing is left.
func TestDemoStops(t *testing.T) {
	for _, c := range []struct {
		name, when string
		args       []string
		code       int
	}{
		{"at once", "the page", nil, 0},
		{"in the middle", "RINGS", nil, 0},
		{"in the middle of what a script runs", "a message in", []string{"--once"}, exitError},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			out, code, files := startDemo(ctx, t, append(c.args, "--speed", "10")...)
			out.wait(t, c.when)
			interrupt()
			select {
			case got := <-code:
				if got != c.code {
					t.Errorf("exit code %d, want %d:\n%s", got, c.code, out)
				}
			case <-time.After(5 * time.Second): // two, and what a busy machine adds
				t.Fatalf("still running:\n%s", out)
			}
			nothingLeft(t, files)
		})
	}
}

func readPage(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s (%v)", url, answer.Status, err)
	}
	return string(body)
}
