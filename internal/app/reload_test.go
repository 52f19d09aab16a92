package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// A reload that comes before the service runs, or while it stops, must neither break it nor be lost.
func TestReloadBeforeRunAndAfter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("project: before\nsources: {in: {file: {paths: [a.log]}}}\nreceivers: {screen: {console: {}}}\n")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	a, err := New(ctx, Options{Config: path, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	write("project: after\nsources: {other: {file: {paths: [b.log]}}}\nreceivers: {screen: {console: {}}}\n")
	reloaded := make(chan error, 1)
	go func() { reloaded <- a.Reload(ctx) }()
	select {
	case err := <-reloaded:
		t.Fatalf("reloaded with %v before it runs", err)
	case <-time.After(20 * time.Millisecond): // it waits, or has not begun: both must come out right
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	if err := <-reloaded; err != nil {
		t.Errorf("reload: %v", err)
	}
	if got := a.generationNow().plan.File.Project; got != "after" {
		t.Errorf("project %q is in force, want after", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := a.Reload(context.Background()); err == nil {
		t.Error("a service that has ended was reloaded")
	}
}

// TestAReloadAndAStopCutNothing: what is being sent then is finished and marked, and sent once; a receiver that is slow holds up no other.
func TestAReloadAndAStopCutNothing(t *testing.T) {
	began, answer := make(chan struct{}, 10), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		began <- struct{}{}
		<-answer
	}))
	defer slow.Close()
	quick := make(chan struct{}, 10)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { quick <- struct{}{} }))
	defer other.Close()
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	text := fmt.Sprintf("project: p\nreceivers: {slow: {webhook: {url: %q}}, quick: {webhook: {url: %q}}}\nroute: {receiver: none}\n", slow.URL, other.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	a, err := New(ctx, Options{Config: path, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	row := func(id, target string) (n incident.Notification) {
		now := time.Now()
		n = incident.Notification{Incident: id, Target: target, Kind: incident.Call, Round: 1, Key: id, Rings: true, CreatedAt: now, Due: now}
		err := a.store.Update(t.Context(), func(tx *store.Tx) error {
			inc := incident.Incident{ID: id, State: incident.Open, Severity: incident.High, FirstEntry: now, OpenedAt: now, Round: 1}
			_, err := tx.AddNotification(t.Context(), &n)
			return errors.Join(err, tx.SaveIncident(t.Context(), &inc))
		})
		if err != nil {
			t.Error(err)
		}
		return n
	}
	first := row("01D1VX0000AAAAAAAABBBBBBBB", "slow")
	<-began
	if err := a.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	row("01D1VX0000AAAAAAAABBBBBBBC", "quick")
	<-quick // while the slow one still is at it
	stop()
	select {
	case err := <-ended:
		t.Fatalf("it ended, with %v, before what was being sent had an answer", err)
	case <-time.After(100 * time.Millisecond): // long enough for a mistake to show; right is right however late
	}
	close(answer)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(began) != 0 {
		t.Errorf("it was sent %d times more", len(began))
	}
	s, err := store.Open(t.Context(), filepath.Join(filepath.Dir(path), "tocsin.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.View(t.Context(), func(tx *store.Tx) error {
		n, err := tx.Notification(t.Context(), first.ID)
		if n.State != incident.Sent || n.Attempts != 1 {
			t.Errorf("it is %s after %d attempts, want sent after one: %s", n.State, n.Attempts, n.LastError)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
