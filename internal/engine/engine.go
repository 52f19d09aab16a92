// Package engine is the first of the three steps: batches are scanned by the rules, what matched changes alerts, alerts make
// incidents, and incidents the rows of the outbox, all in one transaction with the state of detection and the source's cursor. A
// crash before the commit reads the batch again; after it, never.
package engine

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/store"
	"tocsin/rules"
)

// Program is what the engine works by; a reload swaps it whole.
type Program struct {
	// Rules and how late their entries may come.
	Evaluator *rules.Evaluator
	// Desk routes incidents and writes what they ask for.
	Desk *store.Desk
	// Project is that of entries that name none.
	Project string
}

// Options are what an Engine is made of beside its store.
type Options struct {
	Program Program
	// Virtual says that time goes by the entries: what a match causes is stamped with its clock, and nothing but entries moves
	// time. Replay and simulation set it.
	Virtual bool
	// Changed, if set, is called within the transaction with each alert that fires or resolves.
	Changed func(c rules.Change, incident string)
	// Failpoint, if set, is called at "engine.scanned", "engine.before_commit" and "engine.committed".
	Failpoint func(name string)
	Log       *slog.Logger
}

// Engine holds what was offered and not yet committed. All of its waiting is in the store.
type Engine struct {
	store *store.Store
	o     Options

	reading sync.Mutex           // held while a batch is scanned; taken before mu
	clocks  map[string]time.Time // of each source, as of the newest batch that was scanned
	inbox   inbox

	mu      sync.Mutex           // taken by lock
	queue   []rules.Hit          // of all offered batches, by their clocks
	waiting map[string]time.Time // of each rule that has some in it, the time of the earliest; nil if that must be looked up anew
	owners  []*offered           // whose each hit is
	offered []*offered
	sources map[string]*source
	firing  map[string]int  // rules with alerts that fire
	unclear bool            // whether the last slice was committed, and so what fires
	settled bool            // the program's own troubles of before have been ended
	aside   map[string]bool // rules that were put aside and reported
	counts  Counts
	tallies map[string]Tally
	pause   pause
	// review is up to when what waits is looked at anew, because the clock by which it was put off was wrong; zero for nothing.
	review time.Time
	room   chan struct{} // one token for each batch that may wait
}

// offered is a batch on its way: complete once the hits up to end have been committed.
type offered struct {
	batch    logs.Batch
	progress logs.Progress
	hits     int
	end      int // in the queue
}

// maxOffered is how many batches may wait for their commit.
const maxOffered = 32

// maxSlice is how many hits one transaction takes.
const maxSlice = 2000

// New makes an engine. It looks up which rules have alerts that fire, and marks those whose rule is gone.
func New(ctx context.Context, s *store.Store, o Options) (*Engine, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Failpoint == nil {
		o.Failpoint = func(string) {}
	}
	e := &Engine{store: s, o: o, sources: map[string]*source{}, clocks: map[string]time.Time{}, room: make(chan struct{}, maxOffered)}
	if err := e.settleIn(ctx); err != nil {
		return nil, err
	}
	e.publish()
	return e, nil
}

// Step does what is due up to now in one transaction. next says when there is more: now, if there is more at once; zero if
// nothing waits but what may be offered.
func (e *Engine) Step(ctx context.Context, now time.Time) (next time.Time, err error) {
	e.lock()
	defer e.mu.Unlock()
	defer e.publish()
	var done slice
	firing, began := e.firing, time.Now()
	err = e.store.Update(ctx, func(tx *store.Tx) (err error) {
		if e.unclear {
			if firing, err = firingRules(ctx, tx); err != nil {
				return err
			}
		}
		done, err = e.slice(ctx, tx, now)
		if err == nil {
			e.o.Failpoint("engine.before_commit")
		}
		return err
	})
	if e.unclear = err != nil; e.unclear {
		return now, fmt.Errorf("commit a slice: %w", err)
	}
	e.firing, e.review = firing, time.Time{}
	e.o.Failpoint("engine.committed")
	e.share(e.queue[:done.used], time.Since(began))
	e.queue, e.owners, e.waiting = e.queue[done.used:], e.owners[done.used:], nil
	for _, o := range e.offered {
		o.end -= done.used
	}
	e.offered = slices.DeleteFunc(e.offered, func(o *offered) bool { return slices.Contains(done.complete, o) })
	for _, o := range done.complete {
		if !e.o.Virtual {
			<-e.room
		}
		if o.batch.Committed != nil {
			o.batch.Committed()
		}
	}
	e.counts.Late += done.late
	e.settled = true
	for rule, why := range done.aside {
		if !e.aside[rule] {
			e.o.Log.Error("a rule panicked and is put aside", "rule", rule, "panic", why.Why, "stack", why.Stack)
			e.aside[rule] = true
		}
	}
	for name, st := range done.sources {
		e.sources[name].stored = st
	}
	if len(e.queue) == 0 {
		e.queue, e.owners = nil, nil
	}
	for rule, n := range done.fired {
		e.firing[rule] += n
	}
	return e.next(now, done), nil
}

// next is when there is more to do after a slice.
func (e *Engine) next(now time.Time, done slice) time.Time {
	if len(e.queue) > 0 {
		if !e.o.Virtual {
			return now
		}
		at := e.queue[0].Entry.Clock
		if !done.due.IsZero() && done.due.Before(at) {
			return done.due
		}
		return at
	}
	if done.due.IsZero() || e.o.Virtual || done.due.After(now) {
		return done.due
	}
	if !done.due.After(e.watermark(now)) {
		return now
	}
	return now.Add(time.Second) // held back by a source that is behind
}

// Swap puts another program in force, once all that was offered has been committed by the one before.
func (e *Engine) Swap(ctx context.Context, p Program, now time.Time) error {
	e.reading.Lock()
	defer e.reading.Unlock()
	for {
		e.lock()
		if len(e.queue) == 0 {
			break
		}
		e.mu.Unlock()
		if _, err := e.Step(ctx, now); err != nil {
			return fmt.Errorf("put off the new rules: %w", err)
		}
	}
	defer e.mu.Unlock()
	defer e.publish()
	before := e.o.Program
	e.o.Program = p
	if err := e.settleIn(ctx); err != nil {
		e.o.Program = before
		return err
	}
	return nil
}

// Counts are what an engine has read since it was made.
type Counts struct {
	// Entries were read; Broken of them were not what their form promises and were taken as text, Future were dated more than a
	// day ahead.
	Entries, Broken, Future int
	// Late are matches that came too late to change anything.
	Late int
}

// Counts are what was read so far.
func (e *Engine) Counts() Counts {
	e.lock()
	defer e.mu.Unlock()
	return e.counts
}

// Firing says whether a rule has alerts that fire.
func (e *Engine) Firing(rule string) bool {
	e.lock()
	defer e.mu.Unlock()
	return e.firing[rule] > 0
}

// Aside are the rules that were put aside because they panicked, by name.
func (e *Engine) Aside() []string {
	e.lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.o.Program.Evaluator.Set.Aside()))
}

// Waiting is how many matches wait to be judged, and for how long, by the clock of the entries, the first of them does.
func (e *Engine) Waiting() (matches int, age time.Duration) {
	e.lock()
	defer e.mu.Unlock()
	if len(e.queue) == 0 {
		return 0, 0
	}
	return len(e.queue), e.clock().Sub(e.queue[0].Entry.Clock)
}

// Backlog is how many batches wait for their commit. It waits for the one that is being scanned, which is among them.
func (e *Engine) Backlog() int {
	e.reading.Lock()
	defer e.reading.Unlock()
	e.lock()
	defer e.mu.Unlock()
	return len(e.offered)
}

// Next is when there is something to do, in virtual time: the clock of the next match or the next timer; zero for nothing.
func (e *Engine) Next(ctx context.Context) (time.Time, error) {
	e.lock()
	defer e.mu.Unlock()
	var due time.Time
	err := e.store.View(ctx, func(tx *store.Tx) (err error) {
		due, err = tx.NextStateDue(ctx)
		return err
	})
	if len(e.queue) > 0 {
		if at := e.queue[0].Entry.Clock; due.IsZero() || at.Before(due) {
			due = at
		}
	}
	return due, err
}
