package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The ways in which tocsin goes away and comes back as it is run day by day.
const (
	calm      = "nothing happens"
	restarted = "stopped and started"
	crashed   = "killed and started"
	upgraded  = "another binary"
	drained   = "stopped, another goes on"
	lost      = "killed, another goes on"
)

// blindWays are those of a store: one process that is started again, or two of which one goes on.
func blindWays(replicas int) []string {
	if replicas == 1 {
		return []string{calm, restarted, crashed, upgraded}
	}
	return []string{calm, drained, upgraded, lost}
}

// blindAll lets tocsin go away n times, each way its share, and measures how long after that the page rings for a line that is written at
// that moment. An upgrade replaces the binary by a copy of itself: of several processes the new one serves before the old one is stopped,
// as a Deployment does it, one alone is stopped first.
func (w *world) blindAll(ctx context.Context, n int) error {
	w.traffic.begin()
	next, err := copied(w.binary, w.dir)
	if err != nil {
		return err
	}
	for slot := range w.lives {
		if err := w.begin(ctx, slot); err != nil {
			return err
		}
	}
	ways := blindWays(w.place.replicas)
	for i := range n {
		how := ways[i%len(ways)]
		leader, err := w.leading(ctx)
		if err != nil {
			return err
		}
		if how == upgraded {
			w.binary, next = next, w.binary
		}
		t, err := w.away(ctx, leader, how)
		if err != nil {
			return fmt.Errorf("%s: %w", how, err)
		}
		w.takeovers = append(w.takeovers, t)
		fmt.Fprintf(w.settings.out, "%s: the page after %s, the next step %s late\n", t.how, t.page.Round(time.Millisecond), t.step.Round(time.Millisecond))
	}
	for _, l := range w.running() {
		l.kill()
	}
	return nil
}

// copied is another file with the same binary.
func copied(binary, dir string) (string, error) {
	data, err := os.ReadFile(binary)
	to := filepath.Join(dir, "tocsin-next")
	if err == nil {
		err = os.WriteFile(to, data, 0o700) //nolint:gosec // it is run
	}
	return to, err
}

// begin starts a process in a slot and waits until it serves.
func (w *world) begin(ctx context.Context, slot int) error {
	l, err := w.start(ctx, slot, "")
	if err != nil {
		return err
	}
	if !waited(ctx, l.up, time.Minute) {
		return fmt.Errorf("it does not serve within a minute: %s", w.lastWords(slot))
	}
	return nil
}

// leading is the process that reads the sources.
func (w *world) leading(ctx context.Context) (*life, error) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		for _, l := range w.running() {
			if closed(l.leads) {
				return l, nil
			}
		}
	}
	return nil, errors.Join(errors.New("nobody leads within a minute"), ctx.Err())
}

// away lets the leader go away in one of the ways, as a line is written, and says when its page rang, and how late the second step of what
// was paged before.
func (w *world) away(ctx context.Context, leader *life, how string) (takeover, error) {
	out := takeover{how: how}
	before := w.traffic.probe()
	if !waited(ctx, before.paged, time.Minute) {
		return out, errors.New("a page does not come within a minute")
	}
	leader.ends(ctx, time.Duration(w.chance.below(int(time.Second))))
	if how == upgraded && w.place.replicas > 1 {
		if err := w.begin(ctx, leader.slot); err != nil {
			return out, err
		}
	}
	at := time.Now()
	ended := make(chan error, 1)
	switch how {
	case calm:
		ended <- nil
	case crashed, lost:
		leader.kill()
		ended <- nil
	default:
		go func() { ended <- leader.stop(ctx) }()
	}
	after := w.traffic.probe()
	if err := <-ended; err != nil {
		return out, err
	}
	if how == restarted || how == crashed || how == upgraded && w.place.replicas == 1 {
		if err := w.begin(ctx, leader.slot); err != nil {
			return out, err
		}
	}
	if !waited(ctx, after.paged, time.Minute) || !waited(ctx, before.second, time.Minute) {
		return out, errors.Join(errors.New("nobody has gone on within a minute"), ctx.Err())
	}
	out.page, out.step = w.traffic.rangAfter(after, at), w.traffic.stepAfter(before, at)
	if how == drained || how == lost {
		return out, w.begin(ctx, leader.slot)
	}
	return out, nil
}
