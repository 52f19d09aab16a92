package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/logs"
	"tocsin/internal/store"
)

// configured makes an app of a configuration, which it does not run.
func configured(t *testing.T, text string) *App {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Options{Config: path, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A heartbeat goes out once the service has found itself well, and its planned end is announced by a last one.
func TestServeBeats(t *testing.T) {
	beats := make(chan string, 100)
	outside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		beats <- r.Method + " " + r.URL.Path + "\n" + string(body)
	}))
	defer outside.Close()
	a := configured(t, fmt.Sprintf(`
project: p
sources: {in: {file: {paths: [a.log]}}}
receivers: {screen: {console: {}}}
heartbeat: {url: "%s/ping/x", every: 1h, signals: healthchecks}
`, outside.URL))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	for _, want := range []string{"POST /ping/x\n", "POST /ping/x/start\n"} {
		select {
		case got := <-beats:
			if !strings.HasPrefix(got, want) || !strings.Contains(got, "1 source, 0 rules") {
				t.Errorf("got %q, want %s and a summary", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("no %s; it is held back by %q", want, a.generationNow().beat.Status().Blocked)
		}
		stop()
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A loop that does not go on makes the process unhealthy and holds the heartbeat back.
func TestAStalledLoop(t *testing.T) {
	a := configured(t, "project: p\nreceivers: {screen: {console: {}}}\n")
	defer a.store.Close()
	defer a.listener.Close()
	a.watch.stepped("engine")
	if err := a.healthy(); err != nil {
		t.Errorf("at once: %v", err)
	}
	a.watch.steps["engine"] = time.Now().Add(-2 * stalled)
	if err := a.healthy(); err == nil || !strings.Contains(err.Error(), "engine has not done a step for 2m0s") {
		t.Errorf("healthz says %v", err)
	}
	if got := a.ailments(time.Now()); len(got) != 1 {
		t.Errorf("ailments %q", got)
	}
	a.watch.ended("engine")
	if err := a.healthy(); err != nil {
		t.Errorf("a loop that has ended: %v", err)
	}
}

// A source that cannot be read, or is blind, or stuck, is a trouble within two minutes, and over when it speaks again.
func TestSourcesThatCannotSee(t *testing.T) {
	a := configured(t, `
project: p
sources:
  in: {file: {paths: [a.log]}}
  hook: {http_probe: {url: "http://127.0.0.1:9/", every: 1m}}
receivers: {screen: {console: {}}}
`)
	defer a.store.Close()
	defer a.listener.Close()
	began := time.Now()
	for _, name := range []string{"in", "hook"} {
		a.readers[name] = &reader{began: began}
	}
	speak := func(name string, at time.Duration, blind bool) {
		t.Helper()
		if err := a.leading().engine.Offer(t.Context(), logs.Batch{Source: name, Received: began.Add(at), CaughtUp: !blind, Blind: blind}); err != nil {
			t.Fatal(err)
		}
	}
	look := func(at time.Duration, want ...string) {
		t.Helper()
		var got []string
		for _, one := range a.lookAtSources(began.Add(at)) {
			if !one.Over {
				text, since, ok := strings.Cut(one.Text, " (since ")
				if _, err := time.Parse("15:04:05 UTC)", since); !ok || err != nil {
					t.Errorf("at %s: it does not say since when: %s", at, one.Text)
				}
				got = append(got, one.Labels["source"]+": "+text)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("at %s: -want +got:\n%s", at, diff)
		}
		if len(want) != len(a.ailments(began)) {
			t.Errorf("at %s: the heartbeat is held back by %q", at, a.ailments(began))
		}
	}
	speak("in", 0, false)
	speak("hook", 0, false)
	a.sourceTrouble("in", errors.New("permission denied"))
	a.readers["in"].since = began
	look(blindFor - time.Second)
	look(blindFor, "in: permission denied")
	a.sourceTrouble("in", nil)
	look(blindFor + time.Second)
	speak("hook", blindFor+time.Second, true)
	look(2 * time.Minute)
	look(3*time.Minute, "hook: it is blind: it cannot see what it watches")
	speak("hook", 5*time.Minute, false)
	look(6 * time.Minute)
	look(9 * time.Minute) // two of its minutes and one more have passed: it may be stuck
	look(12*time.Minute, "hook: nothing was heard of it for 7m0s")
	delete(a.readers, "hook")
	look(13 * time.Minute)
}

// A source that ended and is read again is well once it has spoken, though it says nothing of its trouble.
func TestASourceThatIsReadAgain(t *testing.T) {
	a := configured(t, "project: p\nsources: {in: {file: {paths: [a.log]}}}\nreceivers: {screen: {console: {}}}\n")
	defer a.store.Close()
	defer a.listener.Close()
	began := time.Now()
	a.readers["in"] = &reader{began: began, err: errors.New("it ended"), since: began, at: began, down: true}
	if got := a.lookAtSources(began.Add(blindFor)); len(got) != 1 || got[0].Over {
		t.Errorf("%v", got)
	}
	if err := a.leading().engine.Offer(t.Context(), logs.Batch{Source: "in", Received: began.Add(time.Minute), CaughtUp: true}); err != nil {
		t.Fatal(err)
	}
	if got := a.lookAtSources(began.Add(blindFor)); len(got) != 1 || !got[0].Over || a.readers["in"].err != nil {
		t.Errorf("%v", got)
	}
}

// The trouble of a source that a reload removed ends with it.
func TestTroubleOfASourceThatIsGone(t *testing.T) {
	a := configured(t, "project: p\nreceivers: {screen: {console: {}}}\n")
	defer a.store.Close()
	defer a.listener.Close()
	a.report(t.Context(), store.Trouble{Kind: "source_blind", Labels: map[string]string{"source": "gone"}, Text: "x"})
	err := a.store.View(t.Context(), func(tx *store.Tx) error {
		got, err := a.goneSources(t.Context(), tx, time.Now())
		if len(got) != 1 || !got[0].Over || got[0].Labels["source"] != "gone" {
			t.Errorf("%v", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Every metric that is served is in the reference, and none that is not.
func TestMetricsReference(t *testing.T) {
	a := configured(t, `
project: p
sources: {in: {file: {paths: [a.log]}}}
receivers: {screen: {console: {}}}
heartbeat: {url: "http://127.0.0.1:9/x"}
`)
	defer a.store.Close()
	defer a.listener.Close()
	served := map[string]bool{"tocsin_heartbeat_last_sent_seconds": true, "tocsin_source_clock_seconds": true, "tocsin_outbox_pending": true, "tocsin_source_events_total": true, "tocsin_canary_seconds": true, "tocsin_canary_last_returned_seconds": true} // not there at first
	a.watch.stepped("engine")
	a.report(t.Context(), store.Trouble{Kind: "x"})
	if _, err := a.watch.audit.Step(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := a.store.Update(t.Context(), func(tx *store.Tx) error {
		return tx.SaveSource(t.Context(), store.SourceState{Name: "in", CaughtUp: true})
	}); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.server.Handler.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if name, ok := strings.CutPrefix(line, "# TYPE tocsin_"); ok {
			name, _, _ = strings.Cut(name, " ")
			served["tocsin_"+name] = true
		}
	}
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if name, ok := strings.CutPrefix(line, "| `tocsin_"); ok {
			name, _, _ = strings.Cut(name, "`")
			written["tocsin_"+name] = true
		}
	}
	if diff := cmp.Diff(served, written); diff != "" {
		t.Errorf("-served +written:\n%s", diff)
	}
}

// TestTheImportsAreWatched: a loop that stands still is a trouble, also that of the schedules that are kept elsewhere.
func TestTheImportsAreWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		w := &watch{steps: map[string]time.Time{}}
		a := &App{watch: w, current: generation{plan: &Plan{}}}
		watched := func() int {
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.steps)
		}
		go a.importLoop(ctx)
		if watched() != 1 {
			t.Errorf("%d loops are watched, want that of the imports", watched())
		}
		time.Sleep(10 * time.Minute)
		if all := w.stalled(); len(all) != 0 {
			t.Errorf("it goes on, and is said to stand still: %v", all)
		}
		stop()
		if watched() != 0 {
			t.Error("a loop that has ended is watched")
		}
	})
}
