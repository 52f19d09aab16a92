package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
)

// The kinds of kills beside the failpoints.
const (
	atRandom = "random"
	midSend  = "mid-send"
)

// failpoints are the named places where tocsin kills itself.
var failpoints = []string{"engine.scanned", "engine.before_commit", "engine.committed", "escalation.before_commit",
	"outbox.claimed", "outbox.sent", "outbox.marked"}

// kinds are all ways to be killed.
var kinds = append(slices.Clone(failpoints), atRandom, midSend)

const (
	// patience is how long a life may take to come to its failpoint, or to its request that is held.
	patience = 3 * time.Second
	// randomMost is within what time of its start a life ends at random: some end before they serve.
	randomMost = 800 * time.Millisecond
	// passedMost is how often a failpoint is passed at the most before it kills.
	passedMost = 6
)

// killAll lets tocsin live and be killed n times, each kind its share, in rounds of random order.
func (w *world) killAll(ctx context.Context, n int) error {
	w.faults.set(true)
	w.traffic.begin()
	asking, stop := context.WithCancel(ctx)
	defer stop()
	var queue []string
	for killed := 0; killed < n; {
		if len(queue) == 0 {
			queue = slices.Clone(kinds)
			for i := len(queue) - 1; i > 0; i-- {
				j := w.chance.below(i + 1)
				queue[i], queue[j] = queue[j], queue[i]
			}
		}
		kind := queue[0]
		queue = queue[1:]
		hit, err := w.liveAndDie(asking, kind)
		if err != nil {
			return err
		}
		if !hit { // killed from outside: it stands for one at random, and its kind has another turn
			w.missed++
			queue = append(queue, kind)
			if i := slices.Index(queue, atRandom); i >= 0 {
				queue = slices.Delete(queue, i, i+1)
			}
			kind = atRandom
		}
		w.tally[kind]++
		killed++
		if killed%100 == 0 {
			fmt.Fprintf(w.settings.out, "%d killed, %d groups, %d lines\n", killed, w.traffic.count(), w.traffic.appended())
		}
	}
	return nil
}

// liveAndDie is one life that ends in the way that kind says; false if it did not come to that in time and was killed at random.
func (w *world) liveAndDie(ctx context.Context, kind string) (hit bool, err error) {
	failpoint := ""
	if slices.Contains(failpoints, kind) {
		failpoint = fmt.Sprintf("%s:%d", kind, 1+w.chance.below(passedMost))
	}
	l, err := w.start(ctx, failpoint)
	if err != nil {
		return false, err
	}
	living, stop := context.WithCancel(ctx)
	asked := w.askWhile(living, l)
	switch kind {
	case atRandom:
		l.ends(ctx, time.Duration(w.chance.below(int(randomMost))))
		hit = true
	case midSend:
		hit = w.killMidSend(ctx, l)
	default:
		hit = l.ends(ctx, patience)
	}
	l.kill()
	stop()
	<-asked
	if err := errors.Join(ctx.Err(), w.traffic.err()); err != nil {
		return hit, err
	}
	if !l.killed() {
		return hit, fmt.Errorf("tocsin ended by itself (%s), to be killed at %s: %s", l.state, kind, w.lastWords())
	}
	return hit, nil
}

// askWhile runs `tocsin ack` for those who wait for it, as long as the process lives.
func (w *world) askWhile(ctx context.Context, l *life) (over chan struct{}) {
	over = make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-l.up:
		case <-ctx.Done():
			return
		}
		for ctx.Err() == nil {
			w.traffic.acknowledge(ctx, func(ctx context.Context, id string) bool { return w.acknowledge(ctx, l.url, id) })
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return over
}

// killMidSend kills the process while a provider holds its request; false if there was none in time.
func (w *world) killMidSend(ctx context.Context, l *life) bool {
	t := w.faults.arm()
	defer w.faults.disarm(t)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-t.caught:
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
	}
	if t.mode == deedDone { // its effect first
		l.ends(ctx, 5*time.Millisecond)
	}
	l.kill()
	return true
}

// lastWords are the last lines that tocsin said.
func (w *world) lastWords() string {
	data, _ := os.ReadFile(filepath.Join(w.dir, "tocsin.stderr")) // the error that this is for is worse
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// drain stops the faults and what begins anew, lets one life tell all that is left, and stops it as a deployment does.
func (w *world) drain(ctx context.Context, within time.Duration) error {
	w.faults.set(false)
	w.traffic.finish()
	l, err := w.start(ctx, "")
	if err != nil {
		return err
	}
	living, stop := context.WithCancel(ctx)
	asked := w.askWhile(living, l)
	quiet := 0
	for end := time.Now().Add(within); time.Now().Before(end) && quiet < 3 && !l.ends(ctx, 250*time.Millisecond) && ctx.Err() == nil; {
		quiet++
		f, err := l.scrape(ctx)
		if err != nil || f.pending+f.inflight > 0 || !w.traffic.told() || f.entries < w.traffic.appended() {
			quiet = 0
		}
	}
	w.drained = quiet >= 3
	stop()
	<-asked
	w.traffic.stop()
	if err := errors.Join(ctx.Err(), w.traffic.err()); err != nil {
		return err
	}
	select {
	case <-l.done:
		return fmt.Errorf("tocsin ended by itself (%s): %s", l.state, w.lastWords())
	default:
	}
	return l.stop(ctx)
}

func (t *traffic) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.groups)
}

func (t *traffic) appended() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lines
}

// told says whether every group is settled, with all that the policy does, and the pager shows what is so.
func (t *traffic) told() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, g := range t.groups {
		stepping := g.state() == incident.Open && time.Since(g.crossed) < secondStep+2*time.Second // the policy is not through
		if g.phase != settled || stepping || len(g.wrong()) > 0 {
			return false
		}
	}
	return true
}
