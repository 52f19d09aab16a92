package escalation

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// SetBack is for a clock that was set back by a duration: what waits has its times by the clock before, and would come late by as much.
// Its times are moved back too, all in one transaction. It is for a store that is one process's alone: of several the others' clocks
// go on. now is by the new clock.
func (e *Escalation) SetBack(ctx context.Context, now time.Time, by time.Duration) error {
	const century = 100 * 365 * day
	err := e.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.ShiftNotifications(ctx, -by); err != nil {
			return err
		}
		waiting, err := tx.DueIncidents(ctx, now.Add(century), 1_000_000)
		if err != nil {
			return err
		}
		for _, inc := range waiting {
			book := incident.NewBook(now, []incident.Incident{inc})
			book.Shift(book.Get(inc.ID), -by)
			if err := e.program().Desk.Settle(ctx, tx, now, book); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("set back what waits by %s: %w", by, err)
	}
	return nil
}
