package store

import (
	"context"
	"fmt"
)

// Renew begins another life on a database that stays open: what closing and opening it would do, for one in memory, which would be
// gone. The epoch rises; nobody may work with the Store meanwhile.
func (s *Store) Renew(ctx context.Context) error {
	err := s.Update(ctx, func(tx *Tx) error {
		epoch, _, err := first(ctx, tx, func(r row, n *int64) error { return r.Scan(n) },
			"UPDATE store SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch")
		if err == nil {
			s.epoch = epoch
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("begin another life: %w", err)
	}
	return nil
}
