package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tocsin/internal/logs"
	"tocsin/rules"
)

// inbox is what was scanned beside a step, until whoever has the engine next takes it in: the rules are asked while a transaction waits
// for the disk.
type inbox struct {
	mu      sync.Mutex // taken after the engine's
	scanned []scanned  // in the order in which they were offered
	firing  rules.Firing
}

// scanned is a batch of which the rules were asked.
type scanned struct {
	batch    logs.Batch
	clock    time.Time    // of its source, before it
	firing   rules.Firing // what was said to fire
	hits     []rules.Hit
	progress logs.Progress
	took     time.Duration
}

// lock takes the engine, and in what was scanned meanwhile.
func (e *Engine) lock() {
	e.mu.Lock()
	e.inbox.mu.Lock()
	list := e.inbox.scanned
	e.inbox.scanned = nil
	e.inbox.mu.Unlock()
	for _, s := range list {
		e.take(s)
	}
	if len(list) > 0 {
		e.publish()
	}
}

// publish says to the next scans what may fire now. The engine is locked.
func (e *Engine) publish() {
	firing := e.mayFire()
	e.inbox.mu.Lock()
	defer e.inbox.mu.Unlock()
	e.inbox.firing = firing
}

// asking is what may fire as far as is known outside of a step, what was scanned before included.
func (e *Engine) asking() rules.Firing {
	e.inbox.mu.Lock()
	defer e.inbox.mu.Unlock()
	f := rules.Firing{All: e.inbox.firing.All, Rules: maps.Clone(e.inbox.firing.Rules)}
	for _, s := range e.inbox.scanned {
		waits(f.Rules, s.hits)
	}
	return f
}

// Offer scans a batch and keeps what matched until Step has committed it; the rules are asked beside a Step that is under way. It waits
// while too many batches are on their way.
func (e *Engine) Offer(ctx context.Context, b logs.Batch) error {
	if e.o.Virtual { // whoever drives it steps in between
		return e.scan(ctx, b)
	}
	select {
	case e.room <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := e.scan(ctx, b)
	if err != nil {
		<-e.room
	}
	return err
}

func (e *Engine) scan(ctx context.Context, b logs.Batch) error {
	e.reading.Lock()
	defer e.reading.Unlock()
	clock, known := e.clocks[b.Source]
	if !known {
		var err error
		if clock, err = e.begin(ctx, b.Source); err != nil {
			return err
		}
	}
	s, began := scanned{batch: b, clock: clock, firing: e.asking()}, time.Now()
	var err error
	if s.hits, s.progress, err = e.o.Program.Evaluator.Set.Scan(b, clock, s.firing); err != nil {
		return fmt.Errorf("scan batch of %s: %w", b.Source, err)
	}
	s.took = time.Since(began)
	e.o.Failpoint("engine.scanned")
	e.clocks[b.Source] = later(clock, s.progress.Clock)
	e.inbox.mu.Lock()
	defer e.inbox.mu.Unlock()
	e.inbox.scanned = append(e.inbox.scanned, s)
	return nil
}

// begin looks up what is stored of a source that was not read before, and gives its clock.
func (e *Engine) begin(ctx context.Context, name string) (time.Time, error) {
	e.lock()
	defer e.mu.Unlock()
	src, err := e.source(ctx, name)
	if err != nil {
		return time.Time{}, err
	}
	return src.clock, nil
}

// take queues what was found in a batch. Of what has begun to fire since the batch was asked, it is asked now who is alive.
func (e *Engine) take(s scanned) {
	b := s.batch
	if set, now := e.o.Program.Evaluator.Set, e.mayFire(); !set.Covers(s.firing, now) {
		hits, progress, err := set.Scan(b, s.clock, now)
		if err == nil {
			s.hits, s.progress = hits, progress
		} else { // all is there but signs of life, of which the next batch has more
			e.o.Log.Error("cannot ask who is alive in a batch", "source", b.Source, "error", err)
		}
	}
	src := e.sources[b.Source]
	if src == nil { // forgotten meanwhile
		src = &source{}
	}
	progress := s.progress
	e.tally("", int64(progress.Entries), s.took)
	progress.Entries, progress.Broken = progress.Entries+b.Sifted, progress.Broken+b.SiftedBroken
	src.saw(b, progress)
	e.counts.Entries += progress.Entries
	e.counts.Broken += progress.Broken
	e.counts.Future += progress.Future
	if e.o.Virtual && len(s.hits) == 0 && len(e.offered) == 0 && b.Cursor == "" {
		return // nothing to commit
	}
	o := &offered{batch: b, progress: progress, hits: matches(s.hits)}
	e.offered = append(e.offered, o)
	e.enqueue(s.hits, o)
}

// mayFire says which rules have alerts that fire, or may come to by what was offered before.
func (e *Engine) mayFire() rules.Firing {
	if e.waiting == nil {
		e.waiting = map[string]time.Time{}
		waits(e.waiting, e.queue)
	}
	f := rules.Firing{All: e.unclear, Rules: maps.Clone(e.waiting)}
	for rule, n := range e.firing {
		if n > 0 {
			f.Rules[rule] = time.Time{}
		}
	}
	return f
}

// waits notes that hits wait, of each rule the earliest; the zero time, of one that fires, is before all.
func waits(waiting map[string]time.Time, hits []rules.Hit) {
	var rule *rules.Rule // of the hit before, as in a flood, and its time
	var t time.Time
	for i := range hits {
		at := hits[i].Entry.Time()
		if hits[i].Rule != rule {
			rule = hits[i].Rule
			first, ok := waiting[rule.Name]
			if t = first; !ok {
				t = at
				waiting[rule.Name] = t
			}
		}
		if at.Before(t) {
			t = at
			waiting[rule.Name] = t
		}
	}
}

// enqueue puts the hits of a batch among those that wait, by their clocks: while one source catches up, what another has offered before
// is of later, and time must not go on to that before what is of earlier has been evaluated. A source's own hits keep their order.
func (e *Engine) enqueue(hits []rules.Hit, o *offered) {
	at := len(e.queue)
	for range hits {
		e.owners = append(e.owners, o)
	}
	e.queue = append(e.queue, hits...)
	if e.waiting != nil {
		waits(e.waiting, hits)
	}
	if at == 0 || len(hits) == 0 || !hits[0].Entry.Clock.Before(e.queue[at-1].Entry.Clock) { // most often: the others stay where they are
		if len(hits) > 0 {
			o.end = len(e.queue)
		}
		for i := len(e.offered) - 2; i >= 0; i-- { // a batch is complete when those of its source before it are
			if e.offered[i].batch.Source == o.batch.Source {
				o.end = max(o.end, e.offered[i].end)
				break
			}
		}
		return
	}
	order := make([]int, len(e.queue))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return e.queue[a].Entry.Clock.Compare(e.queue[b].Entry.Clock) })
	queue, owners := make([]rules.Hit, len(order)), make([]*offered, len(order))
	for to, from := range order {
		queue[to], owners[to] = e.queue[from], e.owners[from]
	}
	e.queue, e.owners = queue, owners
	for _, o := range e.offered {
		o.end = 0
	}
	for i, o := range e.owners {
		o.end = i + 1
	}
	ends := map[string]int{}
	for _, o := range e.offered {
		o.end = max(o.end, ends[o.batch.Source])
		ends[o.batch.Source] = o.end
	}
}

// matches counts the hits that are not mere signs of life.
func matches(hits []rules.Hit) int {
	n := 0
	for i := range hits {
		if !hits[i].Sign() {
			n++
		}
	}
	return n
}
