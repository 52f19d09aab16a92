package app

import (
	"context"
	"errors"
	"maps"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/store"
)

// What is over is looked for once an hour, and deleted in transactions of a few rows, with time between them for all that matters.
const (
	pruneFirst  = time.Minute // after a start there is more urgent work
	pruneEvery  = time.Hour
	pruneMost   = 200
	prunePauses = 250 * time.Millisecond
)

// prune is the step that forgets what is over for long enough.
func (a *App) prune(l *lead) func(ctx context.Context, now time.Time) (time.Time, error) {
	var due time.Time
	return func(ctx context.Context, now time.Time) (time.Time, error) {
		if due.IsZero() || due.Sub(now) > pruneEvery { // the clock may have been set back
			due = now.Add(pruneFirst)
		}
		if now.Before(due) {
			return due, nil
		}
		plan := a.generationNow().plan
		done, full, err := l.held.Prune(ctx, now, retention(plan.File.Retention), func(rule string) bool { return plan.Rules.Rule(rule) != nil }, pruneMost)
		if errors.Is(err, store.ErrFenced) { // the turn is over: the next has its own
			due = now.Add(pruneEvery)
			return due, nil
		}
		if err != nil {
			return now, err
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		for what, n := range done {
			if a.pruned == nil {
				a.pruned = store.Pruned{}
			}
			a.pruned[what] += n
		}
		due = now.Add(pruneEvery)
		if full {
			due = now.Add(prunePauses)
		}
		return due, nil
	}
}

// forgotten is what this process has deleted.
func (a *App) forgotten() store.Pruned {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.pruned)
}

func retention(r config.Retention) store.Retention {
	return store.Retention{Incidents: r.Incidents.Std(), Timeline: r.Timeline.Std(), Notifications: r.Notifications.Std(), States: r.States.Std(),
		Troubles: r.Troubles.Std(), Silences: r.Silences.Std()}
}
