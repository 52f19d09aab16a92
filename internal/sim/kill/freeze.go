package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// thaw is what became of a process that was frozen and woken.
type thaw struct {
	where string
	// writes are the rows that it changed under the life that had expired; anew says that it has begun another.
	writes int
	anew   bool
}

// openMost is how long PostgreSQL leaves a transaction open in which nothing happens: as long as it does, nobody else can write or
// take a lease, so who wakes sooner may end what it began.
const openMost = 4 * time.Second

// freeze freezes a process at a failpoint, or in the middle of a request, for longer than it counts as alive; then wakes it, and looks
// what it changes. It is false if it did not come to it in time.
func (w *world) freeze(ctx context.Context, l *life, stopAt string) (hit bool, err error) {
	if stopAt == "" {
		t, caught := w.catch(ctx, l)
		defer w.faults.disarm(t)
		if !caught {
			return false, nil
		}
		l.signal(syscall.SIGSTOP)
	} else if !w.reaches(ctx, l, stopAt, l.stopped) {
		return false, nil
	}
	l.ends(ctx, max(w.settings.life, openMost)+time.Second+time.Duration(w.chance.below(int(2*time.Second))))
	return true, w.wake(ctx, l, stopAt, time.Duration(w.chance.below(int(2*time.Second))))
}

// wake wakes a process that was frozen for longer than it counts as alive, and looks for so long what it changes.
func (w *world) wake(ctx context.Context, l *life, where string, watch time.Duration) error {
	if where == "" {
		where = midSend
	}
	since := time.Now()
	l.signal(syscall.SIGCONT)
	l.ends(ctx, watch)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.kill() // so that all that it writes is written
	var out thaw
	for end := time.Now().Add(time.Minute); ; { // the database may be coming back itself
		var err error
		if out.writes, out.anew, err = w.place.audit.Stale(ctx, process(l.slot), since); err == nil {
			break
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("look what a frozen process has written: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	out.where = where
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = append(w.frozen, out)
	return nil
}

func (l *life) signal(s syscall.Signal) { _ = l.cmd.Process.Signal(s) } // it may be dead already

// stopped says whether the process is frozen.
func (l *life) stopped() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.cmd.Process.Pid))
	if err != nil {
		return false
	}
	state := text[strings.LastIndexByte(string(text), ')')+2:]
	return state[0] == 'T'
}

// watchStop waits until the process is frozen, or over.
func (l *life) watchStop(ctx context.Context) {
	for !l.stopped() {
		if l.ends(ctx, 2*time.Millisecond) || ctx.Err() != nil {
			return
		}
	}
	l.frozeAt = time.Now()
	close(l.froze)
}

// sent says whether a connection from that address, of this machine, is the process's.
func (l *life) sent(from string) bool {
	_, port, _ := strings.Cut(from, ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		return false
	}
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", l.cmd.Process.Pid))
	if err != nil {
		return false
	}
	ours := fmt.Sprintf("0100007F:%04X", n)
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 9 && f[1] == ours {
			return l.holds("socket:[" + f[9] + "]")
		}
	}
	return false
}

// holds says whether the process has that file open.
func (l *life) holds(file string) bool {
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", l.cmd.Process.Pid))
	for _, fd := range open {
		if to, err := os.Readlink(fd); err == nil && to == file {
			return true
		}
	}
	return false
}

// takeover is how the other replica went on when the one that leads was frozen or killed.
type takeover struct {
	how string
	// page is from then to the page for a line that was written then, step to the next step of what had been paged before, beyond the
	// time when it was due.
	page, step time.Duration
}

// quickest is within what time the other must have gone on.
const quickest = 20 * time.Second

// freezeAll freezes or kills the replica that leads n times, each way its share, and measures how soon the other goes on.
func (w *world) freezeAll(ctx context.Context, n int) error {
	w.traffic.begin()
	ways := []string{"killed", "frozen mid-send", "frozen in a transaction"}
	next := 0
	arm := func(slot int) error { // the way is known when a process starts: it must have its failpoint then
		failpoint := ""
		if ways[next%len(ways)] == "frozen in a transaction" {
			failpoint = fmt.Sprintf("engine.before_commit:%d:stop", 20+w.chance.below(40))
		}
		w.ways[slot] = ways[next%len(ways)]
		next++
		l, err := w.start(ctx, slot, failpoint)
		if err != nil {
			return err
		}
		if failpoint != "" {
			go l.watchStop(ctx)
		}
		if !waited(ctx, l.up, time.Minute) {
			return errors.New("a replica does not serve within a minute")
		}
		return nil
	}
	w.ways = make([]string, len(w.lives))
	for slot := range w.lives {
		if err := arm(slot); err != nil {
			return err
		}
	}
	for i := range n {
		leader := w.lives[i%2]
		if !waited(ctx, leader.leads, time.Minute) {
			return errors.New("the replica that is left does not lead within a minute")
		}
		t, err := w.fell(ctx, leader)
		if err != nil {
			return err
		}
		w.takeovers = append(w.takeovers, t)
		fmt.Fprintf(w.settings.out, "%s: the page after %s, the next step %s late\n", t.how, t.page.Round(time.Millisecond), t.step.Round(time.Millisecond))
		if err := arm(leader.slot); err != nil {
			return err
		}
	}
	for _, l := range w.running() {
		l.kill()
	}
	return nil
}

// fell lets the leader fall and waits until the other has gone on; what was frozen is woken then.
func (w *world) fell(ctx context.Context, leader *life) (takeover, error) {
	out := takeover{how: w.ways[leader.slot]}
	before := w.traffic.probe()
	select {
	case <-before.paged:
	case <-leader.froze: // it did not wait for that
	case <-time.After(time.Minute):
		return out, errors.New("a page does not come within a minute")
	case <-ctx.Done():
		return out, ctx.Err()
	}
	fallen := time.Now
	var t *trap
	switch out.how {
	case "killed":
		leader.ends(ctx, time.Duration(w.chance.below(int(time.Second)))) // now with the page accepted and not marked, now marked
		leader.kill()
	case "frozen mid-send":
		caught := false
		for !caught && ctx.Err() == nil {
			t, caught = w.catch(ctx, leader)
			if !caught {
				w.faults.disarm(t)
			}
		}
		leader.signal(syscall.SIGSTOP)
	default:
		if !waited(ctx, leader.froze, time.Minute) {
			return out, errors.New("the one that leads does not come to its failpoint within a minute")
		}
		fallen = func() time.Time { return leader.frozeAt }
	}
	at := fallen()
	after := w.traffic.probe()
	ok := waited(ctx, after.paged, time.Minute) && waited(ctx, before.second, time.Minute)
	out.page, out.step = w.traffic.rangAfter(after, at), w.traffic.stepAfter(before, at)
	if t != nil {
		w.faults.disarm(t)
	}
	if out.how == "killed" {
		return out, ctx.Err()
	}
	if !ok {
		return out, errors.Join(errors.New("nobody has gone on within a minute"), ctx.Err())
	}
	return out, w.wake(ctx, leader, out.how, 4*time.Second)
}

// waited waits until something is closed; false if it is not in time.
func waited(ctx context.Context, c chan struct{}, most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// printTakeovers tells how soon the other replica went on.
func (r *report) printTakeovers(row func(name string, value any)) {
	by := map[string][2][]time.Duration{}
	for _, t := range r.takeovers {
		for _, how := range []string{t.how, "in all"} {
			both := by[how]
			by[how] = [2][]time.Duration{append(both[0], t.page), append(both[1], t.step)}
		}
	}
	for _, how := range slices.Sorted(maps.Keys(by)) {
		for i, what := range []string{"page for a line that came then", "next step, beyond its time"} {
			took := by[how][i]
			slices.Sort(took)
			at := func(q float64) time.Duration {
				return took[min(int(q*float64(len(took))), len(took)-1)].Round(time.Millisecond)
			}
			row(fmt.Sprintf("%s (%d): %s", how, len(took), what), fmt.Sprintf("p50 %s, p99 %s, longest %s", at(0.5), at(0.99), at(1)))
		}
	}
}
