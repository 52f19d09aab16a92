package sim

import (
	"errors"
	"fmt"
	"time"

	"tocsin/internal/engine"
	"tocsin/internal/incident"
	"tocsin/internal/outbox"
)

// freeze stops the process for a while, in the middle of what it does: a virtual machine that is moved, a SIGSTOP.
func (w *World) freeze() {
	long := between(w.chance, time.Second, time.Minute)
	if chanceOf(w.chance, 0.3) {
		long = between(w.chance, time.Minute, 10*time.Minute)
	}
	w.tally.Freezes++
	w.say("frozen for %s", long)
	if w.ranUntil.IsZero() {
		w.ranUntil = w.wall()
	}
	w.frozen = later(w.frozen, w.now.Add(long))
	w.pollSoon(long)
}

// thawed tells the engine that the process was stopped or its clock was set, as app does at its first step since.
func (w *World) thawed() {
	now := w.wall()
	if !w.ranUntil.IsZero() {
		if now.Sub(w.ranUntil) > engine.Nap {
			w.life.engine.Paused(w.ranUntil, now)
		}
		w.ranUntil = time.Time{}
	}
	if w.jumped.Abs() > engine.Nap {
		w.life.engine.ClockSet(now)
	}
	w.jumped = 0
}

// jump lets the service's clock step, by seconds or by an hour, forwards or back. It does so while nothing is on its way: a jump within
// the ten seconds of a call whose answer never comes can say a message twice, which nothing that goes by the clock can prevent.
func (w *World) jump() {
	if w.healed {
		return
	}
	if w.onTheWay > 0 {
		w.agenda.add(w.now.Add(3*time.Second), w.jump)
		return
	}
	by := between(w.chance, -5*time.Second, 5*time.Second)
	if chanceOf(w.chance, 0.5) {
		by = []time.Duration{-time.Hour, time.Hour}[w.chance.IntN(2)]
	}
	w.tally.ClockSteps++
	if w.ranUntil.IsZero() {
		w.ranUntil = w.wall()
	}
	w.offset += by
	w.jumped += by
	w.setBack += max(0, -by)
	w.say("the clock steps by %s", by)
	if w.life != nil && by < 0 { // app looks at the clock every few seconds
		w.guarded("setting back what waits", func() error { return w.life.escalation.SetBack(w.ctx, w.wall(), -by) })
	}
	w.settled()
}

// settled begins the time anew within which everything has to have been done.
func (w *World) settled() {
	w.aliveSince = later(w.aliveSince, w.now)
	if w.life == nil {
		return
	}
	for _, l := range w.life.loops { // they sleep a second at the most
		if l.task == nil {
			l.due = w.later(w.now)
		}
	}
}

// reload puts the stage's other configuration in force, or the first one again, as app does: the rules, once what was offered has been
// committed; then the routes and the receivers, once what is being sent has been marked.
func (w *World) reload(to int) {
	if w.life == nil || w.now.Before(w.frozen) || w.plan == to {
		w.plan = to // the next life begins with it
		return
	}
	before := w.plan
	w.plan = to
	w.tally.Reloads++
	w.say("reload: configuration %d", to)
	l := w.life
	steps := w.steps()
	var err error
	w.guarded("reloading", func() error {
		err = l.engine.Swap(w.ctx, steps.Engine, w.wall())
		return err
	})
	switch {
	case w.life != l:
		return
	case err != nil: // the configuration before it stays in force
		w.plan = before
		return
	}
	l.steps = steps
	l.outbox = outbox.New(w.db, w.outboxOptions())
	err = errDisk
	for errors.Is(err, errDisk) { // serve tries again each second
		err = w.stage.plans[to].Reroute(w.ctx, w.db, w.wall())
	}
	if err != nil {
		w.broken(err)
	}
	w.committed()
	w.settled()
}

// disk is what the store meets at each write, at each commit, and when it has committed: the last is an answer that is lost, and the
// product must take it as one.
func (w *World) disk(at string) error {
	if w.life == nil || w.healed || w.behind || !chanceOf(w.chance, w.weather.disk) {
		return nil
	}
	w.tally.DiskErrors++
	w.say("the disk fails at a %s", at)
	return errDisk
}

// silence lets somebody silence a cluster or a service in it for a while.
func (w *World) silence() {
	if w.life == nil || w.now.Before(w.frozen) || w.healed {
		return
	}
	matchers := []string{fmt.Sprintf("cluster=\"c%d\"", w.crowd.IntN(2))}
	if chanceOf(w.crowd, 0.5) {
		matchers = append(matchers, fmt.Sprintf("service=%q", []string{"hook", "deck", "tide"}[w.crowd.IntN(3)]))
	}
	now := w.wall()
	s := incident.Silence{Matchers: matchers, Starts: now, Ends: now.Add(between(w.crowd, 10*time.Minute, 5*time.Hour)), Owner: "ana", Reason: "a try"}
	w.say("ana silences %s until %s", matchers, s.Ends.Sub(w.began))
	w.guarded("silencing", func() error {
		_, _, err := w.life.actions.AddSilence(w.ctx, s, now)
		return err
	})
	w.acted()
}
