package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// stopping is a log that stops the service once the text is in it.
type stopping struct {
	at   string
	stop context.CancelFunc
	text bytes.Buffer
}

func (s *stopping) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(s.at)) {
		s.stop()
	}
	return s.text.Write(p)
}

// TestStopWhileTheDatabaseIsAway: who stops a service that waits for its database stops it, and that is no error.
func TestStopWhileTheDatabaseIsAway(t *testing.T) {
	config := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(config, []byte("project: p\nstore: {postgres: {url: 'postgres://u@127.0.0.1:1/d'}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log := &stopping{at: "the database is away", stop: stop}
	c := serveCommand{Config: config, Listen: "127.0.0.1:0"}
	if err := c.Run(ctx, &streams{out: io.Discard, err: log}); err != nil {
		t.Errorf("stopped, it ends with %v\n%s", err, log.text.String())
	}
}
