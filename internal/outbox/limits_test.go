package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// limited is a provider that says what it takes.
type limited struct {
	*provider
	limits notifiers.Limits
}

func (l limited) Limits() notifiers.Limits { return l.limits }

// lane adds a receiver of an account to a world.
func lane(w *world, name string, l notifiers.Limits, traits notifiers.Traits) *provider {
	p := &provider{name: name}
	w.o.Targets[name] = Target{limited{p, l}, traits}
	return p
}

func later429(after time.Duration) error {
	return notifiers.Later{Err: errors.New("asked too often"), After: after}
}

func TestAnAccountIsLeftAloneByAllItsReceivers(t *testing.T) {
	var one, two *provider
	w := newWorld(t, onFile, func(w *world) {
		one = lane(w, "one", notifiers.Limits{Account: "slack"}, notifiers.Traits{})
		two = lane(w, "two", notifiers.Limits{Account: "slack"}, notifiers.Traits{})
	})
	w.incident("a", incident.Open, 1)
	w.incident("b", incident.Open, 1)
	one.before = failing(1, later429(10*time.Minute))
	w.add(message("a", "one", 1))
	w.run(5)
	w.add(message("a", "two", 1), message("a", "hook", 1))
	w.restart() // what was asked for is in a row
	w.run(100)
	w.add(message("b", "two", 1))
	w.run(599)
	w.equal("one", one.triesAt(), "0")
	w.equal("two, before the time is over", two.triesAt(), "")
	w.equal("another account", w.hook.triesAt(), "5")
	w.run(700)
	w.equal("one", one.triesAt(), "0 600")
	w.equal("two", two.triesAt(), "600 600")
}

func TestACallWaitsAMinuteAtTheMost(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.ops.before = failing(1, later429(time.Hour))
	w.add(message("a", "ops", 1))
	w.run(10)
	w.add(page("a", "ops", 1), message("a", "ops2", 1))
	w.run(7200)
	w.equal("tries", w.ops.triesAt(), "0 60 3600")
	w.equal("channel", w.ops.said(), "call:a.1 message:a/ops:1")
	// A page that is itself told to wait is tried again a minute later, until it is taken.
	w.now = at(7200)
	w.oncall.before = failing(3, later429(time.Hour))
	w.incident("b", incident.Open, 1)
	w.add(page("b", "oncall", 1))
	w.run(9000)
	w.equal("pager", w.oncall.triesAt(), "7200 7260 7320 7380")
}

func TestAClockThatWasTurnedBackHoldsNobody(t *testing.T) {
	var one *provider
	w := newWorld(t, func(w *world) {
		one = lane(w, "one", notifiers.Limits{Account: "a", Bucket: "b", Every: time.Second, Burst: 2}, notifiers.Traits{})
	})
	w.incident("a", incident.Open, 1)
	w.now = at(7200)
	one.before = failing(1, later429(time.Hour))
	w.add(message("a", "one", 1))
	w.run(7201)
	w.now = at(3600)
	w.incident("b", incident.Open, 1)
	w.add(message("b", "one", 1))
	w.run(3610)
	w.equal("said", one.said(), "message:b/one:1")
}

// TestABucketIsSharedAndKept: no minute sees more than the burst and what drips into the bucket, whoever spends it, over a restart too.
func TestABucketIsSharedAndKept(t *testing.T) {
	l := notifiers.Limits{Account: "key", Bucket: "key", Every: 3 * time.Second, Burst: 4}
	var one, two *provider
	w := newWorld(t, onFile, func(w *world) {
		one = lane(w, "one", l, notifiers.Traits{})
		two = lane(w, "two", l, notifiers.Traits{})
	})
	for i := range 30 {
		id := fmt.Sprint("i", i)
		w.incident(id, incident.Open, 1)
		w.add(message(id, "one", 1), message(id, "two", 1))
	}
	w.run(30)
	w.restart()
	w.run(600)
	all := append(append([]time.Time(nil), one.tries...), two.tries...)
	if len(one.taken) != 30 || len(two.taken) != 30 {
		t.Errorf("%d and %d of 30 messages arrived", len(one.taken), len(two.taken))
	}
	for _, from := range all {
		n := 0
		for _, at := range all {
			if !at.Before(from) && at.Before(from.Add(time.Minute)) {
				n++
			}
		}
		if n > 24 {
			t.Fatalf("%d requests within the minute from %s", n, from.Sub(day))
		}
	}
	// 4 at once, then one each 3 s: 56 take 168 s.
	if last := later(one.tries[29], two.tries[29]).Sub(day); last < 160*time.Second || last > 170*time.Second {
		t.Errorf("the last went out after %s, want about 168 s", last)
	}
}

// TestWhatCallsGoesFirst: a queue in front of a channel holds up no call, and what is new goes before what is edited.
func TestWhatCallsGoesFirst(t *testing.T) {
	l := notifiers.Limits{Account: "slack", Bucket: "ops", Every: time.Second, Burst: 1}
	var one *provider
	w := newWorld(t, func(w *world) {
		one = lane(w, "one", l, notifiers.Traits{Edits: true})
	})
	w.incident("a", incident.Open, 1)
	w.add(message("a", "one", 1))
	w.run(10)
	w.incident("b", incident.Open, 1)
	w.want("a", "one", 2)
	w.post("a", "one", "quiet")
	w.add(message("b", "one", 1), follow(page("a", "one", 1), incident.CallAcknowledge), page("a", "one", 2))
	w.now = at(11)
	w.add(page("b", "one", 1))
	one.taken, one.tries = nil, nil
	w.run(60)
	var kinds []string
	for _, n := range one.taken {
		kinds = append(kinds, string(n.Kind)+" "+n.Incident.ID)
	}
	w.equal("order", strings.Join(kinds, ", "), "call b, call a, call_acknowledge a, message b, post a, message a")
	w.equal("times", one.triesAt(), "11 12 13 14 15 16")
	// A post that rings is a call too.
	w.now = at(100)
	for i := range 50 {
		w.incident(fmt.Sprint("c", i), incident.Open, 1)
		w.add(message(fmt.Sprint("c", i), "one", 1))
	}
	w.run(102)
	w.ring("b", "one", "nobody has acknowledged")
	one.taken = nil
	w.run(103)
	w.equal("first", string(one.taken[0].Kind)+" "+one.taken[0].Incident.ID, "post b")
}

// ring adds an event and the post that rings with it.
func (w *world) ring(id, target, text string) {
	w.t.Helper()
	e := incident.Event{Incident: id, At: w.now, Kind: incident.EventEscalated, Text: text}
	w.update(func(ctx context.Context, tx *store.Tx) error { return tx.AppendEvent(ctx, &e) })
	w.add(incident.Notification{Incident: id, Target: target, Kind: incident.Post, Key: text, Event: e.ID, Rings: true, Reason: incident.ReasonEscalated})
}
