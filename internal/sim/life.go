package sim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"tocsin/internal/actions"
	"tocsin/internal/app"
	"tocsin/internal/engine"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
)

// life is the service from a start to the next crash: all of it that is not in the store.
type life struct {
	engine     *engine.Engine
	escalation *escalation.Escalation
	outbox     *outbox.Outbox
	actions    *actions.Actions
	steps      app.Steps
	loops      []*loop
}

// loop is one of the service's loops: it runs a step whenever it is due, as app's do.
type loop struct {
	name, target string
	// due is when, in the world's time; zero while it sleeps until it is woken.
	due time.Time
	run func(ctx context.Context, now time.Time) (time.Time, error)
	// task is a step that waits in the middle, for an answer.
	task *task
}

// ready is when the loop can go on: not while the process is stopped.
func (l *loop) ready(w *World) time.Time {
	if l.due.Before(w.frozen) {
		return w.frozen
	}
	return l.due
}

// killed is what the end of the process is in the middle of a step: the rest of it never happens.
type killed struct{}

// begin starts the service on what the store holds.
func (w *World) begin() {
	l := &life{}
	l.steps = w.steps()
	w.dead = false
	var err error
	l.engine, err = engine.New(w.ctx, w.db, engine.Options{Program: l.steps.Engine, Failpoint: w.failpoint, Log: slog.New(complaints{w})})
	if err != nil {
		w.broken(err)
		return
	}
	l.escalation = escalation.New(w.db, func() escalation.Program { return l.steps.Escalation }, w.failpoint)
	l.outbox = outbox.New(w.db, w.outboxOptions())
	l.actions = actions.New(w.db, func() *store.Desk { return l.steps.Desk })
	l.loops = []*loop{{name: "engine", run: l.engine.Step}, {name: "escalation", run: l.escalation.Step}}
	if w.planted(staleEscalation) {
		l.loops[1].run = w.staleSteps(l)
	}
	for _, t := range w.targets() {
		l.loops = append(l.loops, &loop{name: "outbox " + t, target: t, run: func(ctx context.Context, now time.Time) (time.Time, error) {
			return l.outbox.StepTarget(ctx, now, t)
		}})
	}
	for _, x := range l.loops {
		x.due = w.now
	}
	if err := w.stage.plans[w.plan].Reroute(w.ctx, w.db, w.wall()); err != nil {
		w.broken(err)
	}
	w.life, w.aliveSince, w.ranUntil, w.jumped = l, w.now, time.Time{}, 0
	w.tally.Commits++
	w.say("start, epoch %d", w.db.Epoch())
	w.model.started(w)
	for _, src := range w.logs {
		src.restart(w)
	}
	w.pollSoon(0)
}

// steps are those of the configuration in force.
func (w *World) steps() app.Steps {
	steps := w.stage.plans[w.plan].Steps(func(_ time.Time, inc *incident.Incident) { w.model.touch(inc.ID) })
	w.plantDesk(steps.Desk)
	return steps
}

// nextLoop is the loop that is ready first; nil if all sleep.
func (w *World) nextLoop() *loop {
	if w.life == nil {
		return nil
	}
	var best *loop
	for _, l := range w.life.loops {
		if !l.due.IsZero() && (best == nil || l.ready(w).Before(best.ready(w))) {
			best = l
		}
	}
	return best
}

// turn lets a loop run its step, or go on with it.
func (w *World) turn(l *loop) {
	if l.task == nil && w.mayCrash("between", w.weather.crashBetween) {
		w.crash("between steps")
		return
	}
	if l.task == nil && l.target != "" && w.now.Before(w.blocked) {
		l.due = w.blocked
		return
	}
	if l.task == nil {
		if l.name == "engine" {
			w.thawed()
		}
		l.task = newTask(w, l)
	}
	t := l.task
	w.current = t
	until, more := t.next()
	w.current = nil
	if more {
		l.due = until
		return
	}
	l.task = nil
	switch {
	case t.panicked != nil:
		w.fail("I24", "%s panicked: %v", l.name, t.panicked)
	case t.killed:
		w.crash("in " + l.name)
	default:
		w.finished(l, t)
	}
}

// finished puts down when a loop has to run again, and wakes those that follow it.
func (w *World) finished(l *loop, t *task) {
	switch {
	case t.err != nil:
		if w.ctx.Err() == nil && !errors.Is(t.err, errDisk) {
			w.fail("I24", "%s: %v", l.name, t.err)
		}
		l.due = w.now.Add(time.Second)
	case t.at.IsZero():
		l.due = time.Time{}
	default:
		l.due = w.later(t.at.Add(-w.offset))
	}
	w.plantStepped(l)
	w.committed()
	if l.name == "engine" {
		w.wake()
	}
}

// later is a time that is not past, a little after which a loop runs.
func (w *World) later(t time.Time) time.Time {
	if t.Before(w.now) {
		t = w.now
	}
	return t.Add(between(w.chance, 0, 20*time.Millisecond))
}

// wake lets the escalation look for work, as after each step of the engine.
func (w *World) wake() {
	if w.life == nil {
		return
	}
	if l := w.life.loops[1]; l.task == nil {
		l.due = w.later(w.now)
	}
}

// wakeFor lets the targets work on rows that have changed when these are due. The product wakes them all at once, and each looks; what
// they find is the same.
func (w *World) wakeFor(rows []incident.Notification) {
	if w.life == nil {
		return
	}
	for i := range rows {
		n := &rows[i]
		switch n.State {
		case incident.Pending:
			w.wakeAt(n.Target, n.Due)
		case incident.InFlight:
			w.wakeAt(n.Target, n.Deadline)
		default:
			continue
		}
		if n.Kind == incident.Call {
			w.wakeAt(fallback, n.CreatedAt.Add(time.Minute))
		}
	}
}

// wakeAt lets a target work at a time of the service's clock.
func (w *World) wakeAt(target string, at time.Time) {
	for _, l := range w.life.loops {
		if l.target == target && l.task == nil {
			if at = w.later(at.Add(-w.offset)); l.due.IsZero() || at.Before(l.due) {
				l.due = at
			}
			return
		}
	}
}

func (w *World) wakeEngine() {
	if l := w.life.loops[0]; l.task == nil {
		l.due = w.later(w.now)
	}
}

// task is one step of a loop, run so that it can wait in the middle while the rest of the world goes on.
type task struct {
	next     func() (time.Time, bool)
	stop     func()
	yield    func(until time.Time) bool
	at       time.Time
	err      error
	killed   bool
	panicked any
}

func newTask(w *World, l *loop) *task {
	t := &task{}
	now := w.wall()
	t.next, t.stop = iter.Pull(func(yield func(time.Time) bool) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case killed{}:
				t.killed = true
			default:
				t.panicked = p
			}
		}()
		t.yield = yield
		t.at, t.err = l.run(w.ctx, now)
	})
	return t
}

// pause waits in the middle of a step. It says no if the process ended meanwhile.
func (w *World) pause(until time.Time) bool {
	t := w.current
	if t == nil || w.dead {
		return !w.dead
	}
	return t.yield(until)
}

// failpoint is called by the product at its named points: there the process may end, or be stopped for a while.
func (w *World) failpoint(name string) {
	if w.dead {
		panic(killed{})
	}
	switch name {
	case "engine.committed":
		w.tally.Commits++
		w.step()
	case "escalation.before_commit", "outbox.claimed", "outbox.marked":
		w.tally.Commits++
		w.step()
	}
	if w.mayCrash(name, w.weather.crashAt) {
		w.say("killed at %s", name)
		panic(killed{})
	}
	if w.current != nil && w.current.yield != nil && (name == "outbox.claimed" || name == "outbox.sent") && chanceOf(w.chance, w.weather.dawdle) {
		if !w.pause(w.now.Add(between(w.chance, 0, 3*time.Second))) {
			panic(killed{})
		}
	}
}

func (w *World) step() { w.tally.Steps++ }

func (w *World) mayCrash(_ string, p float64) bool { return !w.healed && chanceOf(w.chance, p) }

// tearDown ends the life: what waits in the middle of a step never goes on.
func (w *World) tearDown() {
	w.dead = true
	for _, l := range w.life.loops {
		if l.task != nil {
			l.task.stop()
			l.task = nil
		}
	}
	w.life = nil
}

// crash ends the process at once; it is started again a little later, sometimes much later.
func (w *World) crash(where string) {
	w.tally.Crashes++
	w.lastTrouble = w.now
	w.say("crash %s", where)
	w.tearDown()
	w.model.flushed(w)
	down := between(w.chance, 200*time.Millisecond, 5*time.Second)
	switch {
	case chanceOf(w.chance, 0.1):
		down = between(w.chance, time.Minute, 20*time.Minute)
	case chanceOf(w.chance, w.weather.longDown):
		down = between(w.chance, time.Hour, 5*time.Hour)
	}
	w.agenda.add(w.now.Add(down), w.restart)
}

// restart begins the next life on the store.
func (w *World) restart() {
	if w.life != nil {
		return
	}
	if !w.planted(epochSurvives) {
		if err := w.db.Anew(w.ctx); err != nil {
			w.broken(fmt.Errorf("renew the store: %w", err))
			return
		}
	}
	w.plantRestart()
	w.begin()
}

// complaints takes what the engine logs: it logs nothing but states that it cannot read, of which there must be none.
type complaints struct{ w *World }

func (complaints) Enabled(context.Context, slog.Level) bool { return true }
func (c complaints) Handle(_ context.Context, r slog.Record) error {
	c.w.fail("I2", "the engine says: %s", r.Message)
	return nil
}
func (c complaints) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c complaints) WithGroup(string) slog.Handler      { return c }
