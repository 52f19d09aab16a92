package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/internal/incident"
)

// The kinds of kills beside the failpoints.
const (
	atRandom = "random"
	midSend  = "mid-send"
	// thawed is for processes that were frozen while a provider held their request, or in the middle of a transaction or a claim, for
	// longer than they count as alive, then woken, and killed a little later.
	thawed = "frozen and woken"
)

// failpoints are the named places where tocsin kills itself.
var failpoints = []string{"engine.scanned", "engine.before_commit", "engine.committed", "escalation.before_commit",
	"outbox.claimed", "outbox.sent", "outbox.marked"}

// kindsOf are all ways to be killed on a store.
func kindsOf(store string) []string {
	kinds := append(slices.Clone(failpoints), atRandom, midSend)
	if store == "postgres" {
		kinds = append(kinds, thawed)
	}
	return kinds
}

const (
	// patience is how long a life may take to come to its failpoint, or to its request that is held; one of several twice as long, and
	// until its turn to lead comes, if the failpoint is the engine's.
	patience = 3 * time.Second
	turn     = 20 * time.Second
	// randomMost is within what time of its start a life ends at random: some end before they serve.
	randomMost = 800 * time.Millisecond
	// passedMost is how often a failpoint is passed at the most before it kills.
	passedMost = 6
	// restartEvery is after how many kills PostgreSQL itself is killed.
	restartEvery = 60
)

// killAll lets tocsin live and be killed n times, each kind its share, in rounds of random order; several replicas each in its own
// time, so that now and then all are dead.
func (w *world) killAll(ctx context.Context, n int) error {
	w.faults.set(true)
	w.traffic.begin()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var slots sync.WaitGroup
	for slot := range w.lives {
		slots.Go(func() {
			for kind := w.draw(n); kind != ""; kind = w.draw(n) {
				hit, err := w.liveAndDie(ctx, slot, kind)
				if err == nil {
					err = w.count(ctx, kind, hit)
				}
				if err != nil {
					stop(err) // the first counts
					return
				}
			}
		})
	}
	slots.Wait()
	return context.Cause(ctx)
}

// draw is the kind of the next kill, "" if there are to be no more.
func (w *world) draw(n int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun >= n {
		return ""
	}
	w.begun++
	if len(w.queue) == 0 {
		w.queue = kindsOf(w.settings.store)
		for i := len(w.queue) - 1; i > 0; i-- {
			j := w.chance.below(i + 1)
			w.queue[i], w.queue[j] = w.queue[j], w.queue[i]
		}
	}
	kind := w.queue[0]
	w.queue = w.queue[1:]
	return kind
}

// count notes a kill. One that did not come to its kind was done from outside: it stands for one at random, and its kind has another
// turn.
func (w *world) count(ctx context.Context, kind string, hit bool) error {
	w.mu.Lock()
	if !hit {
		w.missed++
		w.queue = append(w.queue, kind)
		if i := slices.Index(w.queue, atRandom); i >= 0 {
			w.queue = slices.Delete(w.queue, i, i+1)
		}
		kind = atRandom
	}
	w.tally[kind]++
	killed := 0
	for _, n := range w.tally {
		killed += n
	}
	w.mu.Unlock()
	if killed%100 == 0 {
		fmt.Fprintf(w.settings.out, "%d killed, %d groups, %d lines\n", killed, w.traffic.count(), w.traffic.appended())
	}
	if w.place.server != nil && killed%restartEvery == 0 {
		err := w.place.server.Restart(ctx)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.restarts++
		w.restarted = time.Now()
		return err
	}
	return nil
}

// liveAndDie is one life in a slot that ends in the way that kind says; false if it did not come to that in time and was killed at
// random.
func (w *world) liveAndDie(ctx context.Context, slot int, kind string) (hit bool, err error) {
	failpoint, stopAt := "", ""
	if slices.Contains(failpoints, kind) {
		failpoint = fmt.Sprintf("%s:%d", kind, 1+w.chance.below(passedMost/w.place.replicas))
	}
	if kind == thawed {
		if stopAt = []string{"", "engine.before_commit", "escalation.before_commit", "outbox.claimed", "outbox.sent"}[w.chance.below(5)]; stopAt != "" {
			failpoint = fmt.Sprintf("%s:%d:stop", stopAt, 1+w.chance.below(passedMost/w.place.replicas))
		}
	}
	l, err := w.start(ctx, slot, failpoint)
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
	case thawed:
		hit, err = w.freeze(ctx, l, stopAt)
	default:
		hit = w.reaches(ctx, l, failpoint, l.over)
	}
	l.kill()
	stop()
	<-asked
	if err := errors.Join(err, ctx.Err(), w.traffic.err()); err != nil {
		return hit, err
	}
	if !l.killed() {
		if w.awayAt(ctx, l) {
			return w.liveAndDie(ctx, slot, kind)
		}
		return hit, fmt.Errorf("tocsin ended by itself (%s), to be killed at %s: %s", l.state, kind, w.lastWords(slot))
	}
	return hit, nil
}

// awayAt says whether a life ended because the database was away as it began: so it should, and whoever runs it starts it again.
func (w *world) awayAt(ctx context.Context, l *life) bool {
	if w.place.server == nil || closed(l.up) {
		return false
	}
	end := time.Now().Add(5 * time.Second)
	for time.Now().Before(end) && ctx.Err() == nil { // the restart may be under way
		w.mu.Lock()
		away := w.restarted.After(l.began)
		w.mu.Unlock()
		if away {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// reaches waits until a life has come to its failpoint, as is shows; false if it does not in time.
func (w *world) reaches(ctx context.Context, l *life, failpoint string, is func() bool) bool {
	wait := func(most time.Duration, is func() bool) bool {
		for end := time.Now().Add(most); !is() && !l.over() && time.Now().Before(end); {
			l.ends(ctx, 10*time.Millisecond)
			if ctx.Err() != nil {
				return false
			}
		}
		return is()
	}
	if w.place.replicas == 1 {
		return wait(patience, is)
	}
	if strings.HasPrefix(failpoint, "engine.") {
		wait(turn, func() bool { return is() || closed(l.leads) })
	}
	return wait(2*patience, is)
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

// killMidSend kills a process while a provider holds its request; false if there was none in time.
func (w *world) killMidSend(ctx context.Context, l *life) bool {
	t, caught := w.catch(ctx, l)
	defer w.faults.disarm(t)
	if !caught {
		return false
	}
	if t.mode == deedDone { // its effect first
		l.ends(ctx, 5*time.Millisecond)
	}
	l.kill()
	return true
}

// catch sets traps until a request of that process is caught in one; false if none comes in time.
func (w *world) catch(ctx context.Context, l *life) (*trap, bool) {
	w.trapping.Lock()
	defer w.trapping.Unlock()
	t := w.faults.arm()
	timer := time.NewTimer(patience * time.Duration(w.place.replicas))
	defer timer.Stop()
	for {
		select {
		case <-t.caught:
		case <-timer.C:
			return t, false
		case <-ctx.Done():
			return t, false
		}
		if w.place.replicas == 1 || l.sent(t.from) {
			return t, true
		}
		w.faults.disarm(t)
		t = w.faults.arm()
	}
}

// lastWords are the last lines that the lives in a slot said.
func (w *world) lastWords(slot int) string {
	data, _ := os.ReadFile(w.said(slot)) // the error that this is for is worse
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// drain stops the faults and what begins anew, lets one life of each replica tell all that is left, and stops them as a deployment does.
func (w *world) drain(ctx context.Context, within time.Duration) error {
	w.faults.set(false)
	w.traffic.finish()
	living, stop := context.WithCancel(ctx)
	defer stop()
	for slot := range w.lives {
		l, err := w.start(ctx, slot, "")
		if err != nil {
			return err
		}
		defer func(asked chan struct{}) { stop(); <-asked }(w.askWhile(living, l))
	}
	l := w.lives[0]
	quiet := 0
	for end := time.Now().Add(within); time.Now().Before(end) && quiet < 3 && !l.ends(ctx, 250*time.Millisecond) && ctx.Err() == nil; {
		quiet++
		f, err := l.scrape(ctx)
		if err != nil || f.pending+f.inflight > 0 || !w.traffic.told() || f.entries < w.traffic.appended() || w.traffic.waits() {
			quiet = 0
		}
	}
	w.drained = quiet >= 3
	stop()
	w.traffic.stop()
	if err := errors.Join(ctx.Err(), w.traffic.err()); err != nil {
		return err
	}
	for _, l := range w.lives {
		if l.over() {
			return fmt.Errorf("tocsin ended by itself (%s): %s", l.state, w.lastWords(l.slot))
		}
		if err := l.stop(ctx); err != nil {
			return err
		}
	}
	return nil
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

// waits says that something is still to be acknowledged.
func (t *traffic) waits() bool { return t.wire != nil && t.wire.waiting() > 0 }

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
