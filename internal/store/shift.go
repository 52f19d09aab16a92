package store

import (
	"context"
	"fmt"
	"time"
)

const shiftNotifications = "UPDATE notifications SET created_at = created_at + $1, due = due + $1, deadline = deadline + $1, sent_at = sent_at + $1, " +
	"refused_at = refused_at + $1 WHERE state IN ('pending', 'inflight') OR incident IN (SELECT id FROM incidents WHERE state IN ('open', 'acknowledged'))"

// ShiftNotifications moves the times of all notifications that wait or are on their way, and of all those of incidents that are not over,
// by a duration: the clock was set by that much.
func (tx *Tx) ShiftNotifications(ctx context.Context, by time.Duration) error {
	if _, err := tx.exec(ctx, shiftNotifications, int64(by)); err != nil {
		return fmt.Errorf("shift notifications by %s: %w", by, err)
	}
	return nil
}
