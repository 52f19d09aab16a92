package sources

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
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
	stopped bool

	mu   sync.Mutex
	sent []logs.Batch
}

// batches are what was sent so far.
func (p *tap) batches() []logs.Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

// last is the batch that was sent last.
func (p *tap) last() logs.Batch {
	if b := p.batches(); len(b) > 0 {
		return b[len(b)-1]
	}
	return logs.Batch{}
}

// ear is what a source told of.
type ear struct {
	mu   sync.Mutex
	said []string
}

func (e *ear) hear(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.said = append(e.said, fmt.Sprint(err))
}

func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.said)
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
			p.mu.Lock()
			p.sent = append(p.sent, b)
			p.mu.Unlock()
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
	for _, b := range p.batches() {
		if b.Cursor != "" {
			c = b.Cursor
		}
	}
	return c
}

// text is all that was read, in order.
func (p *tap) text() string {
	var b strings.Builder
	for _, x := range p.batches() {
		b.Write(x.Data)
	}
	return b.String()
}

// caughtUp is what the last batch said.
func (p *tap) caughtUp() bool {
	return p.last().CaughtUp
}

func (e *ear) last() string {
	all := e.all()
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}
