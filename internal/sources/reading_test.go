package sources

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/logs"
)

// tap is a Read that runs, and what it sent.
type tap struct {
	t       *testing.T
	cancel  context.CancelFunc
	ended   chan error
	batches []logs.Batch
	stopped bool
}

// open begins a Read within a synctest bubble.
func open(t *testing.T, s Source, from logs.Cursor) *tap {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := make(chan logs.Batch)
	p := &tap{t: t, cancel: cancel, ended: make(chan error, 1)}
	go func() {
		p.ended <- s.Read(ctx, from, out)
		close(out) // the collector's end; Read itself must not
	}()
	go func() {
		for b := range out {
			p.batches = append(p.batches, b)
		}
	}()
	synctest.Wait()
	return p
}

// wait lets time pass.
func (p *tap) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// stop ends the Read, which must return nil, and returns the cursor to go on from.
func (p *tap) stop() logs.Cursor {
	p.t.Helper()
	if !p.stopped {
		p.stopped = true
		p.cancel()
		if err := <-p.ended; err != nil {
			p.t.Errorf("Read returned %v when its context ended, want nil", err)
		}
		synctest.Wait()
	}
	var c logs.Cursor
	for _, b := range p.batches {
		if b.Cursor != "" {
			c = b.Cursor
		}
	}
	return c
}

// text is all that was read, in order.
func (p *tap) text() string {
	var b strings.Builder
	for _, x := range p.batches {
		b.Write(x.Data)
	}
	return b.String()
}

// caughtUp is what the last batch said.
func (p *tap) caughtUp() bool {
	return len(p.batches) > 0 && p.batches[len(p.batches)-1].CaughtUp
}
