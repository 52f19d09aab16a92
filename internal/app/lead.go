package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/internal/engine"
	"tocsin/internal/logs"
	"tocsin/internal/store"
)

// engineLease is held by the one process, of those that share a database, that reads the sources, steps the engine, asks the pagers,
// imports schedules, audits and sends heartbeats. Escalation and outbox run in all.
const engineLease = "engine"

// leaseEvery is how often a process that does not have the lease asks for it.
const leaseEvery = time.Second

// lead is a turn at the engine: what was offered to it and not committed is gone with it, and is read again by the next.
type lead struct {
	held    *store.Store
	engine  *engine.Engine
	batches chan logs.Batch
	// ctx ends with the turn, reading already when the service is to stop.
	ctx, reading context.Context
	end          context.CancelFunc
	// began is when the turn did; asked that all pagers have been asked in it what people said.
	began time.Time
	asked atomic.Bool
}

// askFor is how long, from the beginning of a turn, nobody is called again before the pagers have been asked.
const askFor = 10 * time.Second

// unasked is until when it is not known what people said at the pagers; zero if it is, or another process sees to it.
func (a *App) unasked() time.Time {
	if l := a.leading(); l != nil && !l.asked.Load() {
		return l.began.Add(askFor)
	}
	return time.Time{}
}

// leading is this process's turn, nil while another has it.
func (a *App) leading() *lead {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.turn
}

// takeOver begins a turn if the lease is free; nil if it is not. The engine is loaded anew: what an earlier turn knew may be stale.
func (a *App) takeOver(ctx context.Context) (*lead, error) {
	a.oneReload.Lock() // it is made for the configuration in force
	defer a.oneReload.Unlock()
	if a.isStopping() {
		return nil, nil
	}
	held, ok, err := a.store.Acquire(ctx, engineLease)
	if err != nil || !ok {
		return nil, err
	}
	g := a.generationNow()
	l := &lead{held: held, began: time.Now(), batches: make(chan logs.Batch, 16)}
	l.engine, err = engine.New(ctx, held, engine.Options{Program: g.plan.program(g.desk), Failpoint: a.o.Failpoint, Log: a.o.Log})
	if err != nil {
		return nil, fmt.Errorf("load the engine: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn, a.leader = l, ""
	return l, nil
}

// leadLoop has turns at the engine, as long as they last, whenever the lease is free.
func (a *App) leadLoop(ctx context.Context) {
	const name = "lease of the engine"
	defer a.watch.ended(name)
	for ctx.Err() == nil {
		a.watch.stepped(name)
		l := a.leading()
		if l == nil {
			var err error
			if l, err = a.takeOver(ctx); err != nil && ctx.Err() == nil {
				a.stepFailed(ctx, name, err)
			} else {
				a.stepDone(ctx, name)
			}
		}
		if l != nil {
			a.watch.ended(name) // the engine's own loop is watched
			a.haveTurn(ctx, l)
			continue
		}
		a.lookWhoLeads(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(leaseEvery):
		}
	}
}

// lookWhoLeads keeps who has the turn, for the pages.
func (a *App) lookWhoLeads(ctx context.Context) {
	who, _, err := a.store.Holder(ctx, engineLease)
	if err != nil {
		who = "" // the steps say what is wrong with the store
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leader = who
}

// haveTurn reads the sources and steps the engine until ctx ends or the lease is lost.
func (a *App) haveTurn(ctx context.Context, l *lead) {
	var loops sync.WaitGroup
	a.mu.Lock()
	l.ctx, l.end = context.WithCancel(ctx)
	reading, stop := context.WithCancel(l.ctx)
	defer context.AfterFunc(a.reading, stop)()
	l.reading = reading
	a.startSources()
	a.mu.Unlock()
	a.o.Log.Info("this process reads the sources and runs the engine", "epoch", l.held.Epoch())
	loops.Go(func() { a.offer(l) })
	loops.Go(func() { a.engineLoop(l) })
	loops.Go(func() { a.routeLoop(l) })
	loops.Go(func() { a.pollLoop(l) })
	loops.Go(func() { a.importLoop(l.ctx) })
	loops.Go(func() { a.every(l.ctx, "forgetting", newBell(), a.prune(l)) })
	loops.Go(func() { a.every(l.ctx, "charts", newBell(), a.keepSeries(l)) })
	<-l.ctx.Done()
	a.mu.Lock()
	for name, r := range a.readers {
		r.stop()
		delete(a.readers, name)
	}
	a.turn = nil
	a.mu.Unlock()
	loops.Wait()
	a.stepDone(ctx, "engine") // whoever has the next turn has its own troubles
}

// step is the engine's, as long as the lease is this process's. It notices when nothing ran for a while, by the wall clock: a machine
// that sleeps stops the other one.
func (a *App) step(l *lead) func(ctx context.Context, now time.Time) (time.Time, error) {
	var last time.Time
	return func(ctx context.Context, now time.Time) (time.Time, error) {
		wall := now.Round(0)
		if !last.IsZero() {
			if wall.Sub(last.Round(0)) > engine.Nap {
				l.engine.Paused(last.Round(0), wall)
			}
			if by := wall.Sub(last.Round(0)) - now.Sub(last); by.Abs() > engine.Nap {
				l.engine.ClockSet(wall)
			}
		}
		last = now
		next, err := l.engine.Step(ctx, now)
		if errors.Is(err, store.ErrFenced) {
			a.o.Log.Warn("this process runs the engine no longer", "error", err)
			a.fenced.Store(true)
			l.end()
		}
		return next, err
	}
}

// giveBack ends this process's turn so that another's can begin at once.
func (a *App) giveBack(ctx context.Context) {
	a.mu.Lock()
	l := a.turn
	if l == nil || l.end == nil {
		a.mu.Unlock()
		return
	}
	l.end()
	a.mu.Unlock()
	if err := l.held.Release(ctx); err != nil && !errors.Is(err, store.ErrFenced) {
		a.o.Log.Warn("the lease of the engine is not given back: it expires", "error", err)
	}
}

// lifeLoop keeps this process's life going, and begins another when it has expired.
func (a *App) lifeLoop(ctx context.Context) {
	every := a.store.Life() / 3
	var renewed time.Time
	a.every(ctx, "life", newBell(), func(ctx context.Context, now time.Time) (time.Time, error) {
		if fenced := a.fenced.Swap(false); !fenced && time.Since(renewed) < every {
			return renewed.Add(every), nil
		}
		alive, err := a.store.Renew(ctx)
		if err == nil && !alive {
			a.o.Log.Warn("the life of this process had expired, what it had begun is left to others: another life begins", "epoch", a.store.Epoch())
			err = a.store.Anew(ctx)
		}
		if err != nil {
			a.fenced.Store(true)
			return now, err
		}
		renewed = time.Now()
		return renewed.Add(every), nil
	})
}

// alone is a step that only the process takes whose turn it is.
func (a *App) alone(step func(ctx context.Context, now time.Time) (time.Time, error)) func(ctx context.Context, now time.Time) (time.Time, error) {
	return func(ctx context.Context, now time.Time) (time.Time, error) {
		if a.leading() == nil {
			return time.Time{}, nil
		}
		return step(ctx, now)
	}
}
