package app

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"tocsin/internal/logs"
	"tocsin/internal/sources"
	"tocsin/internal/store"
)

// Where several processes share a database, each reads its part of the sources that can be read so (sources.Shared), whether it leads or
// not, sifts it by the rules and hands what they ask for to the one that leads, in a table: see docs/adr.
const (
	// handEvery is how often what was read is handed over, sayEvery how often it is said at the least how far the reading is.
	handEvery = 200 * time.Millisecond
	sayEvery  = 10 * time.Second
	// giveBackAfter is how long a process may be unable to hand over until it gives back what it has read: another may be able to.
	giveBackAfter = 20 * time.Second
	// mostHeld is how many bytes a process holds that it cannot hand over, handAt with how many it does not wait for handEvery.
	mostHeld = 32 << 20
	handAt   = 4 << 20
)

// startTakers starts reading the sources of the current plan that any process reads: those that run with the same settings go on, the
// others end. a.mu is held.
func (a *App) startTakers() {
	if !a.store.Several() || a.stopping {
		return
	}
	plan := a.current.plan
	for name, r := range a.takers {
		if n, ok := plan.File.Sources[name]; !ok || string(n.JSON()) != r.settings {
			r.stop()
			delete(a.takers, name)
		}
	}
	for name, spec := range plan.Sources {
		if _, shared := spec.(sources.Shared); !shared || a.takers[name] != nil {
			continue
		}
		own, stop := context.WithCancel(a.reading)
		r := &reader{settings: string(plan.File.Sources[name].JSON()), stop: stop, done: make(chan struct{}), began: time.Now()}
		a.takers[name] = r
		env := a.env(name)
		env.Trouble = func(err error) { a.takerTrouble(r, name, err) }
		go func() {
			defer close(r.done)
			a.takeAlways(own, r, name, spec, env)
		}()
	}
}

// takerTrouble keeps why this process cannot read a source that others read too.
func (a *App) takerTrouble(r *reader, name string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil && r.err == nil {
		r.since = time.Now()
	}
	r.err, r.at, r.down = err, time.Now(), false
	if err != nil {
		a.o.Log.Warn("source cannot be read by this process", "source", name, "error", err)
	}
}

// takeAlways reads until ctx ends, starting again with backoff.
func (a *App) takeAlways(ctx context.Context, r *reader, name string, spec sources.Spec, env sources.Env) {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = 30 * time.Second
	for ctx.Err() == nil {
		began := time.Now()
		err := a.take(ctx, r, name, spec, env)
		if ctx.Err() != nil {
			return
		}
		wait := time.Second
		if !errors.Is(err, store.ErrOtherRules) { // else it is for the one that leads to load the rules, or for this one
			if time.Since(began) > time.Minute {
				pause.Reset()
			}
			a.takerTrouble(r, name, err)
			a.mu.Lock()
			r.down = true
			a.mu.Unlock()
			wait = pause.NextBackOff()
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// taking is one Read of a source that others read too.
type taking struct {
	*sieve
	a      *App
	reader *reader
	loop   string
	// held are the batches that were read and are not handed over, heldSize their bytes.
	held     []logs.Batch
	heldSize int
	said     store.Reading
	saidAt   time.Time
	lookedAt time.Time
}

// take reads until ctx ends, the source does, or other rules are in force.
func (a *App) take(ctx context.Context, r *reader, name string, spec sources.Spec, env sources.Env) error {
	t := &taking{sieve: &sieve{source: name}, a: a, reader: r, loop: "reading " + name}
	defer a.watch.ended(t.loop)
	defer a.stepDone(context.WithoutCancel(ctx), t.loop) // a store that is still away fails other steps too
	t.use(a.generationNow().plan)
	if err := t.say(ctx); err != nil {
		return err
	}
	src, err := spec.New(name, env)
	if err != nil {
		return err
	}
	a.mu.Lock()
	r.counter, _ = src.(sources.Counter)
	a.mu.Unlock()
	own, stop := context.WithCancel(ctx)
	defer stop()
	batches, ended := make(chan logs.Batch, 16), make(chan error, 1)
	go func() {
		ended <- src.Read(own, "", batches)
		close(batches)
	}()
	err = t.run(ctx, batches)
	stop()
	if err == nil {
		t.last(ctx, batches)
	}
	err = errors.Join(err, <-ended)
	t.end(ctx, err)
	return err
}

// run takes what is read and hands it over, until ctx ends. An error is Read's, or why nothing can be handed over.
func (t *taking) run(ctx context.Context, batches <-chan logs.Batch) error {
	tick := time.NewTicker(handEvery)
	defer tick.Stop()
	var failing time.Time
	for {
		in := batches
		if t.heldSize >= mostHeld {
			in = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case b, more := <-in:
			if !more {
				return nil // Read says why
			}
			t.takeIn(ctx, b)
			if t.rowsSize < handAt && t.heldSize < mostHeld/2 {
				continue
			}
		case <-tick.C:
		}
		t.a.watch.stepped(t.loop)
		switch err := t.handOver(ctx); {
		case err == nil:
			failing = time.Time{}
		case errors.Is(err, store.ErrOtherRules):
			return err
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) >= giveBackAfter:
			return err
		}
	}
}

// takeIn sifts a batch.
func (t *taking) takeIn(ctx context.Context, b logs.Batch) {
	if now := time.Now(); now.Sub(t.lookedAt) >= firingEvery {
		t.lookedAt = now
		if err := t.lookWhatFires(ctx, t.a.store); err != nil && ctx.Err() == nil {
			t.a.o.Log.Warn("it is not known which rules fire: it is gone by what fired before", "source", t.source, "error", err)
		}
	}
	if !b.Blind {
		t.a.mu.Lock()
		if t.reader.down { // it can be read again
			t.reader.err, t.reader.down = nil, false
		}
		t.a.mu.Unlock()
	}
	if len(b.Data) > 0 {
		t.held, t.heldSize = append(t.held, b), t.heldSize+len(b.Data)
	}
	t.sift(b)
}

// handOver hands over what there is, if there is anything, and acknowledges it. With other rules loaded meanwhile it is sifted anew.
func (t *taking) handOver(ctx context.Context) error {
	if plan := t.a.generationNow().plan; plan != t.plan {
		t.anew(plan)
	}
	if len(t.held) == 0 && t.said.CaughtUp == t.reading.CaughtUp && t.said.Why == t.why() && time.Since(t.saidAt) < sayEvery {
		return nil
	}
	t.reading.Why = t.why()
	t.a.o.Failpoint("taking.before_commit")
	err := t.a.store.Update(ctx, func(tx *store.Tx) error {
		return tx.HandOver(ctx, t.source, t.asked, t.rows, t.reading)
	})
	switch {
	case err == nil:
	case errors.Is(err, store.ErrOtherRules) || ctx.Err() != nil:
		return err
	default:
		if errors.Is(err, store.ErrFenced) {
			t.a.fenced.Store(true)
		}
		t.a.stepFailed(ctx, t.loop, err)
		return err
	}
	t.a.o.Failpoint("taking.committed")
	t.a.stepDone(ctx, t.loop)
	for _, b := range t.held {
		if b.Committed != nil {
			b.Committed()
		}
	}
	if len(t.rows) > 0 {
		t.a.wakeHanded.ring()
	}
	t.held, t.heldSize, t.said, t.saidAt = nil, 0, t.reading, time.Now()
	t.forget()
	return nil
}

// anew sifts what is held by the rules of another plan.
func (t *taking) anew(plan *Plan) {
	t.use(plan)
	t.forget()
	said := t.reading
	for _, b := range t.held {
		t.sift(b)
	}
	t.reading.CaughtUp = said.CaughtUp
}

// why is why this process cannot read; "" if it can.
func (t *taking) why() string {
	t.a.mu.Lock()
	defer t.a.mu.Unlock()
	if t.reader.err == nil {
		return ""
	}
	return t.reader.err.Error()
}

// say says that this process begins to read. It is refused while other rules are in force.
func (t *taking) say(ctx context.Context) error {
	t.reading.Why = t.why()
	err := t.a.store.View(ctx, func(tx *store.Tx) error { // the look spares the writers' row
		inForce, err := tx.Asked(ctx, t.source)
		if err == nil && inForce != t.asked {
			err = store.ErrOtherRules
		}
		return err
	})
	if err != nil {
		return err
	}
	return t.a.store.Update(ctx, func(tx *store.Tx) error { return tx.HandOver(ctx, t.source, t.asked, nil, t.reading) })
}

// finishFor is how long what was read may take to be handed over when reading ends: less than the source waits for it.
const finishFor = 5 * time.Second

// last hands over what was read until ctx ended.
func (t *taking) last(ctx context.Context, batches <-chan logs.Batch) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishFor)
	defer cancel()
	for len(batches) > 0 {
		if b, more := <-batches; more {
			t.takeIn(ctx, b)
		}
	}
	if len(t.held) == 0 {
		return
	}
	if err := t.handOver(ctx); err != nil {
		t.a.o.Log.Warn("not all that was read could be handed over; it will be read again", "source", t.source, "error", err)
	}
}

// end says that this process reads no longer, or why it cannot.
func (t *taking) end(ctx context.Context, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishFor)
	defer cancel()
	err := t.a.store.Update(ctx, func(tx *store.Tx) error {
		if why == nil || errors.Is(why, store.ErrOtherRules) {
			return tx.EndReading(ctx, t.source)
		}
		return tx.SaveReading(ctx, t.source, store.Reading{Clock: t.reading.Clock, Why: why.Error()})
	})
	if err != nil {
		t.a.o.Log.Warn("cannot say how far a source is read", "source", t.source, "error", err)
	}
}
