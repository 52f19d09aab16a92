package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/store"
)

// reloading is what became of the last try to load another configuration.
type reloading struct {
	failure  string
	failedAt time.Time
}

// Reload reads the configuration again and puts it in force. Everything that can fail comes first: with an error the last good
// one stays in force, and the pages and the log say so.
func (a *App) Reload(ctx context.Context) error {
	err := a.tryReload(ctx)
	text := ""
	if err != nil {
		text = err.Error()
	}
	if !a.isStopping() {
		a.report(ctx, store.Trouble{Kind: "reload_failed", Text: text, Over: err == nil})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.reload = reloading{failure: err.Error(), failedAt: time.Now()}
		a.o.Log.Error("reload refused: the configuration before it stays in force", "error", err)
		return err
	}
	a.reload = reloading{}
	a.o.Log.Info("reloaded", "revision", a.current.plan.revision(), "rules", len(a.current.plan.configured()))
	return nil
}

func (a *App) isStopping() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopping
}

func (a *App) tryReload(ctx context.Context) error {
	select {
	case <-a.begun:
	case <-ctx.Done():
		return ctx.Err()
	}
	a.oneReload.Lock()
	defer a.oneReload.Unlock()
	if a.isStopping() {
		return errors.New("the service is stopping")
	}
	plan, errs := LoadTimed(a.o.Config)
	if len(errs) > 0 {
		return errs
	}
	next, err := a.generation(plan)
	if err != nil {
		return err
	}
	if l := a.leading(); l != nil {
		err := l.engine.Swap(ctx, plan.program(next.desk), time.Now())
		if err != nil && !errors.Is(err, store.ErrFenced) { // then whoever has the next turn loads them
			return fmt.Errorf("put the rules in force: %w", err)
		}
	}
	a.warn(plan)
	a.mu.Lock()
	before := a.current
	a.current = next
	a.mu.Unlock()
	before.stop()
	// What is being sent is finished and marked; the new loops leave it alone meanwhile, as another replica's would. None waits for it: a
	// provider that is slow to answer holds up no page to another.
	next.loops.Go(before.loops.Wait)
	if l := a.leading(); l != nil {
		if err := reroute(ctx, l.held, next.steps, time.Now()); err != nil {
			a.o.Log.Error("open incidents are not routed anew yet: trying again", "error", err)
		}
	}
	a.wakeSteps.ring()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.startOutbox(a.work)
	a.startSources()
	a.startTakers()
	return nil
}
