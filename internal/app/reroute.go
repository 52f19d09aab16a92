package app

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/escalation"
	"tocsin/internal/store"
)

// reroute puts the routes of a configuration in force, if another's are: every open incident is routed anew by the escalation's next steps, for who hears
// of it by the new routes must not wait for its next entry. Its schedules are watched for changes of shift. s is the store of the process that runs the engine: no other may.
func reroute(ctx context.Context, s *store.Store, p escalation.Program, now time.Time) error {
	done := false
	look := func(tx *store.Tx) error {
		seen, err := tx.Fact(ctx, escalation.RoutedBy)
		if err != nil {
			return err
		}
		watches, err := escalation.WatchesShifts(ctx, tx, p.Rotas)
		done = seen == p.Revision && watches
		return err
	}
	if err := s.View(ctx, look); err != nil || done {
		return err
	}
	err := s.Update(ctx, func(tx *store.Tx) error {
		if err := look(tx); err != nil || done {
			return err
		}
		if err := escalation.WatchShifts(ctx, tx, p.Rotas, now); err != nil {
			return err
		}
		if err := tx.RecheckOpen(ctx, now); err != nil {
			return err
		}
		return tx.SetFact(ctx, escalation.RoutedBy, p.Revision)
	})
	if err != nil {
		return fmt.Errorf("route open incidents anew: %w", err)
	}
	return nil
}

// routeLoop keeps the routes of this process in force while it runs the engine: it looks each second (backstop), as every loop does that
// names no time; a failure is tried again, for until then nobody is called.
func (a *App) routeLoop(l *lead) {
	a.every(l.ctx, "routing", newBell(), func(ctx context.Context, now time.Time) (time.Time, error) {
		return time.Time{}, reroute(ctx, l.held, a.generationNow().steps, now)
	})
}
