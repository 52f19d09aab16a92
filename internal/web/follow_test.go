package web

import (
	"bufio"
	"net/http"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// TestFollow: a page that follows hears of a change, and the stop of the service ends it.
func TestFollow(t *testing.T) {
	stopping := make(chan struct{})
	server, _, s := serve(t, func(o *Options) { o.Stopping = stopping })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+followPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got := answer.Header.Get("Content-Type"); answer.StatusCode != 200 || got != "text/event-stream" {
		t.Fatalf("%d %q", answer.StatusCode, got)
	}
	lines := bufio.NewScanner(answer.Body)
	next := func(want string) {
		t.Helper()
		for lines.Scan() {
			if text := lines.Text(); text != "" {
				if text != want {
					t.Fatalf("it hears %q, want %q", text, want)
				}
				return
			}
		}
		t.Fatalf("it ends (%v), and has not heard %q", lines.Err(), want)
	}
	next("retry: 3000")
	inc := small("tide", noon, incident.High, incident.Open, "tide is down")
	written := make(chan error, 1)
	go func() { // again and again: the first may be there before the first look
		again := time.NewTicker(100 * time.Millisecond)
		defer again.Stop()
		for {
			inc.Revision++
			err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.SaveIncident(t.Context(), &inc) })
			select {
			case <-stopping:
				written <- err
				return
			case <-again.C:
			}
		}
	}()
	next("event: changed")
	next("data: 1")
	close(stopping)
	for lines.Scan() {
		_ = lines.Text() // what was on its way
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}
