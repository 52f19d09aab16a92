package app

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/cenkalti/backoff/v5"

	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/sources"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// bell wakes a loop; rung twice before it is heard, it wakes once.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// backstop is how long a loop sleeps at the most: a bell that was missed costs no more.
const backstop = time.Second

// every runs a step whenever it is due, or something was written that it waits for. An error waits a little and is tried again: what is
// due stays due.
func (a *App) every(ctx context.Context, name string, wake bell, step func(ctx context.Context, now time.Time) (time.Time, error)) {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = 5 * time.Second
	defer a.watch.ended(name)
	for ctx.Err() == nil {
		a.watch.stepped(name)
		now := time.Now()
		next, err := step(ctx, now)
		wait := backstop
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if errors.Is(err, store.ErrFenced) {
				a.fenced.Store(true)
			}
			a.stepFailed(ctx, name, err)
			wait = pause.NextBackOff()
		default:
			a.stepDone(ctx, name)
			pause.Reset()
			if !next.IsZero() {
				wait = min(wait, time.Until(next))
			}
		}
		if wait <= 0 {
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// offer hands what the sources read to the engine.
func (a *App) offer(l *lead) {
	ctx := l.ctx
	const name = "taking in what was read"
	defer a.watch.ended(name)
	tick := time.NewTicker(backstop)
	defer tick.Stop()
	for {
		a.watch.stepped(name)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case b := <-l.batches:
			for l.engine.Offer(ctx, b) != nil && ctx.Err() == nil {
				a.o.Log.Error("cannot take a batch: trying again", "source", b.Source)
				time.Sleep(time.Second)
			}
			a.wakeEngine.ring()
			a.series.probed(a.generationNow().plan, b)
		}
	}
}

func (a *App) engineLoop(l *lead) {
	a.every(l.ctx, "engine", a.wakeEngine, a.step(l))
}

func (a *App) escalationLoop(ctx context.Context) {
	a.every(ctx, "escalation", a.wakeSteps, a.escalation.Step)
}

// wakeFor wakes the loops that a commit has left something to do, and no others: with a hundred receivers each look of a loop that finds
// nothing is work that a page waits for.
func (a *App) wakeFor(left store.Left) {
	if left.Steps {
		a.wakeSteps.ring()
	}
	if len(left.Targets) == 0 {
		return
	}
	bells := a.generationNow().wake
	for target := range left.Targets {
		if b, known := bells[target]; known {
			b.ring()
		}
	}
}

func (a *App) wakeTargets() {
	for _, b := range a.generationNow().wake {
		b.ring()
	}
}

// startOutbox starts a loop for each target, so that a slow one holds up nobody else. a.mu is held.
func (a *App) startOutbox(ctx context.Context) {
	g := &a.current
	loops, stop := context.WithCancel(ctx)
	g.stop = stop
	box, beat, canary, points := g.outbox, g.beat, g.canary, g.points // a reload replaces those in g while the loops run
	for name, wake := range g.wake {
		g.loops.Go(func() {
			a.every(loops, "outbox of "+name, wake, func(ctx context.Context, now time.Time) (time.Time, error) {
				return box.StepTarget(ctx, now, name)
			})
		})
	}
	a.lines = linesOf(ears(g.targets), a.lines)
	for name, l := range a.lines {
		ear := g.targets[name].Notifier.(notifiers.Hearing)
		g.loops.Go(func() { a.listenTo(loops, name, ear, l) })
	}
	if beat != nil {
		g.loops.Go(func() { a.every(loops, "heartbeat", newBell(), a.alone(beat.Step)) })
	}
	if canary != nil {
		g.loops.Go(func() {
			defer canary.Close()
			a.every(loops, "canary", newBell(), a.alone(canary.Step))
		})
	}
	if points != nil {
		g.loops.Go(func() {
			defer points.Close()
			a.every(loops, "own metrics", newBell(), a.alone(points.Step))
		})
	}
}

// presentEvery is how often it is looked whether the database is still where it was.
const presentEvery = 10 * time.Second

// presentLoop notices a database that was deleted under the service: a trouble like that of a store that cannot be written.
func (a *App) presentLoop(ctx context.Context) {
	a.every(ctx, "database", newBell(), func(_ context.Context, now time.Time) (time.Time, error) {
		return now.Add(presentEvery), a.store.Present()
	})
}

// reader is a source at work.
type reader struct {
	settings string
	stop     context.CancelFunc
	done     chan struct{}
	err      error // why it cannot be read at present
	counter  sources.Counter
	// since is since when, at when it was said last; down says that it ended with it: what is read after that shows that it is over.
	since, at, began time.Time
	down             bool
}

// startSources starts the sources of the current plan, if this process is to read them: those that run with the same settings go on,
// the others end. a.mu is held.
func (a *App) startSources() {
	plan, l := a.current.plan, a.turn
	if l == nil || l.reading == nil {
		return
	}
	specs := maps.Clone(plan.Sources)
	specs[logs.OwnSource] = ownTroubles{a}
	for name, spec := range plan.Sources {
		if _, shared := spec.(sources.Shared); shared && a.store.Several() {
			specs[name] = handedOver{a}
		}
	}
	for name, r := range a.readers {
		if name == logs.OwnSource {
			continue
		}
		if n, ok := plan.File.Sources[name]; ok && string(n.JSON()) == r.settings {
			continue
		}
		r.stop()
		delete(a.readers, name)
		l.engine.Forget(name)
	}
	for name, spec := range specs {
		if a.readers[name] != nil {
			continue
		}
		own, stop := context.WithCancel(l.reading)
		r := &reader{settings: string(plan.File.Sources[name].JSON()), stop: stop, done: make(chan struct{}), began: time.Now()}
		a.readers[name] = r
		env := a.env(name)
		go func() {
			defer close(r.done)
			a.read(own, l, name, spec, env)
		}()
	}
}

// read runs one source until ctx ends, starting it again with backoff from where the last commit left it.
func (a *App) read(ctx context.Context, l *lead, name string, spec sources.Spec, env sources.Env) {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = 30 * time.Second
	for ctx.Err() == nil {
		began := time.Now()
		err := a.readOnce(ctx, l, name, spec, env)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			pause.Reset()
		}
		l.engine.Down(name)
		a.sourceTrouble(name, err)
		a.mu.Lock()
		if r := a.readers[name]; r != nil {
			r.down = true
		}
		a.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(pause.NextBackOff()):
		}
	}
}

func (a *App) readOnce(ctx context.Context, l *lead, name string, spec sources.Spec, env sources.Env) error {
	src, err := spec.New(name, env)
	if err != nil {
		return err
	}
	var from logs.Cursor
	err = a.store.View(ctx, func(tx *store.Tx) error {
		st, err := tx.Source(ctx, name)
		from = st.Cursor
		return err
	})
	if err != nil {
		return err
	}
	a.mu.Lock()
	if r := a.readers[name]; r != nil {
		r.counter, _ = src.(sources.Counter)
	}
	a.mu.Unlock()
	return src.Read(ctx, from, l.batches)
}

// sourceTrouble keeps why a source cannot be read, for the pages and the log; nil is that it can again.
func (a *App) sourceTrouble(name string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.readers[name]; r != nil {
		if r.err == nil {
			r.since = time.Now()
		}
		r.err, r.at, r.down = err, time.Now(), false
	}
	if err != nil {
		a.o.Log.Warn("source cannot be read", "source", name, "error", err)
	}
}

// pushdown is the filter of all rules for a source whose server filters, in at most that many characters.
func (a *App) pushdown(source string, most int) string {
	return lql.Cover(a.generationNow().plan.Rules.Filters(source, a.firing()), most)
}

// asked are the filters that pushdown covers, by rule.
func (a *App) asked(source string) []sources.Asked {
	var out []sources.Asked
	for _, r := range a.generationNow().plan.Rules.Asked(source, a.firing()) {
		out = append(out, sources.Asked{Rule: r.Rule, Filter: r.Filter.String()})
	}
	return out
}

// firing says of which rules alerts fire.
func (a *App) firing() func(rule string) bool {
	if l := a.leading(); l != nil {
		return l.engine.Firing
	}
	return func(string) bool { return false }
}
