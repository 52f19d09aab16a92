package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
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
