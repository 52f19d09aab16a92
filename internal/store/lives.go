package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// ErrFenced is wrapped by an Update that changed nothing because this process may not write any more: its life has ended, or the
// lease that the Update needs is another's. What it had in memory may be stale: Anew begins another life, and whatever was built on
// the lease must be loaded anew.
var ErrFenced = errors.New("fenced off")

// DefaultLife is how long a life lasts after it was last renewed, if Options do not say. Renewed every third of it, a process that is
// killed is known to be gone after 8 to 12 s, and another has taken over 15 s after the kill at the latest.
const DefaultLife = 12 * time.Second

// life is this process's claim on the database, under a number that no other life has.
type life struct {
	epoch atomic.Int64
	// commits is how many transactions it has committed. Whoever has the connection that writes may use it.
	commits int64
	// over says that it is not known what the last commit came to: then nothing more may be written by it.
	over atomic.Bool
}

// alive is a condition on lives; $now stands for the database's clock.
const alive = "lives.expires_at > $now"

// fence counts a transaction for our life: of no row, if it is not to write.
const fence = "UPDATE commits SET count = count + 1 FROM lives WHERE commits.epoch = $1 AND commits.count = $2 AND lives.epoch = commits.epoch AND " +
	alive + " AND ($3 = '' OR EXISTS (SELECT 1 FROM leases WHERE leases.name = $3 AND leases.epoch = $1))"

// guard ends a transaction at its beginning that this life, or the lease of s, does not allow.
func (s *Store) guard(ctx context.Context, c *conn) error {
	epoch := s.life.epoch.Load()
	switch {
	case s.life.over.Load():
		return fmt.Errorf("%w: it is not known whether the last commit took place", ErrFenced)
	case s.lease != "" && s.epoch != epoch:
		return fmt.Errorf("%w: the lease %s was held by an earlier life of this process", ErrFenced, s.lease)
	case !s.dialect.several:
		return nil
	}
	done, err := c.exec(ctx, fence, epoch, s.life.commits, s.lease)
	if err != nil {
		return fmt.Errorf("ask whether this process may write: %w", err)
	}
	n, err := done.RowsAffected()
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: life %d has expired, its lease is another's, or the database has lost what it had committed", ErrFenced, epoch)
	}
	return err
}

// inDoubt is how long it is tried to find out what a commit came to.
const inDoubt = 10 * time.Second

// doubt finds out whether the commit took place whose answer was lost, for the reason given. nil is that it did.
func (s *Store) doubt(ctx context.Context, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inDoubt)
	defer cancel()
	for {
		// The transaction in doubt holds the writers' row as long as it goes on: whoever has that row sees what it came to.
		n, err := s.committed(ctx)
		switch {
		case err == nil && n == s.life.commits+1:
			return nil
		case err == nil:
			return why
		}
		select {
		case <-ctx.Done():
			s.life.over.Store(true)
			return fmt.Errorf("%w: it is not known whether a commit took place: %w", ErrFenced, why)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// committed is how many transactions of this life the database has.
func (s *Store) committed(ctx context.Context) (n int64, err error) {
	c, err := s.begun(ctx, s.writeDB, nil, true)
	if err != nil {
		return 0, err
	}
	defer s.discard(c)
	tx := &Tx{s: s, c: c}
	n, _, err = first(ctx, tx, func(r row, n *int64) error { return r.Scan(n) }, "SELECT count FROM commits WHERE epoch = $1", s.life.epoch.Load())
	return n, err
}

// Anew ends this process's life and begins another, with a higher epoch: so it is at every Open. What the old one had in flight is to
// be settled, its leases are free.
func (s *Store) Anew(ctx context.Context) error {
	c, err := s.take(ctx, s.write)
	if err != nil {
		return err
	}
	defer func() { s.write <- c }()
	c, err = s.begin(ctx, c)
	return err
}

// begin counts a life and enters it. It returns the connection, which is c unless that was of no more use.
func (s *Store) begin(ctx context.Context, c *conn) (*conn, error) {
	c, err := s.begun(ctx, s.writeDB, c, true)
	if err != nil {
		return c, err
	}
	tx := &Tx{s: s, c: c, write: true}
	epoch, err := s.enter(ctx, tx)
	if err == nil {
		if err = s.control(context.WithoutCancel(ctx), c, "COMMIT"); err == nil {
			s.life.epoch.Store(epoch)
			s.life.commits = 0
			s.life.over.Store(false)
			return c, nil
		}
	}
	if !s.rollback(ctx, c) {
		c = s.discard(c)
	}
	return c, fmt.Errorf("count epoch: %w", err)
}

// enter writes a new life.
func (s *Store) enter(ctx context.Context, tx *Tx) (epoch int64, err error) {
	type row1 struct{ epoch, born int64 }
	began, _, err := first(ctx, tx, func(r row, v *row1) error { return r.Scan(&v.epoch, &v.born) }, `INSERT INTO store (id, epoch, born_at) VALUES (1, 1, $1)
		ON CONFLICT (id) DO UPDATE SET epoch = store.epoch + 1 RETURNING epoch, born_at`, s.place.Now().UnixNano())
	if err != nil {
		return 0, err
	}
	s.born = time.Unix(0, began.born).UTC()
	if !s.dialect.several {
		return began.epoch, nil
	}
	for _, q := range []struct {
		text string
		args []any
	}{
		{"UPDATE lives SET expires_at = $now WHERE epoch = $1 AND " + alive, []any{s.life.epoch.Load()}},
		{"DELETE FROM commits WHERE epoch IN (SELECT epoch FROM lives WHERE expires_at < $now - $1)", []any{int64(keepLives)}},
		{"DELETE FROM lives WHERE expires_at < $now - $1", []any{int64(keepLives)}},
		{"INSERT INTO commits (epoch, count) VALUES ($1, 0)", []any{began.epoch}},
		{"INSERT INTO lives (epoch, name, began_at, expires_at) VALUES ($1, $2, $now, $now + $3)", []any{began.epoch, processName(), int64(s.place.Life)}},
	} {
		if _, err := tx.exec(ctx, q.text, q.args...); err != nil {
			return 0, err
		}
	}
	return began.epoch, nil
}

// keepLives is how long lives are kept that are over, for whoever looks what was.
const keepLives = 24 * time.Hour

// processName is what people know a process by.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// Renew lets this process's life last for another Options.Life. It is false once it has expired: then Anew begins another.
func (s *Store) Renew(ctx context.Context) (bool, error) {
	if !s.dialect.several {
		return true, nil
	}
	if s.life.over.Load() {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.place.Life/3)
	defer cancel()
	done, err := s.lifeDB.ExecContext(ctx, s.dialect.text("UPDATE lives SET expires_at = $now + $2 WHERE epoch = $1 AND "+alive),
		s.life.epoch.Load(), int64(s.place.Life))
	if err != nil {
		return false, fmt.Errorf("renew life %d: %w", s.life.epoch.Load(), err)
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// Several says whether other processes may have the database open.
func (s *Store) Several() bool { return s.dialect.several }

// Life is how long this process's life lasts after it was renewed.
func (s *Store) Life() time.Duration { return s.place.Life }

// holder is who has a lease.
type holder struct {
	epoch int64
	name  string
}

const selectHolder = "SELECT lives.epoch, lives.name FROM leases JOIN lives ON lives.epoch = leases.epoch WHERE leases.name = $1 AND " + alive

// Acquire takes a lease, which one living process at a time has. What it returns is this Store, but that its Updates are fenced by
// the lease as well: they change nothing once it is lost, be it by a pause of this process or because it was given back. Where only
// one process can have the database open, it has every lease.
func (s *Store) Acquire(ctx context.Context, name string) (held *Store, ok bool, err error) {
	if !s.dialect.several {
		return &Store{database: s.database, read: s.read, lease: name, epoch: s.life.epoch.Load()}, true, nil
	}
	if at, ok, err := s.holder(ctx, name); err != nil || ok && at.epoch != s.life.epoch.Load() {
		return nil, false, err // the look spares the writers' row
	}
	err = s.Update(ctx, func(tx *Tx) error {
		held = nil
		at, taken, err := first(ctx, tx, func(r row, h *holder) error { return r.Scan(&h.epoch, &h.name) }, selectHolder, name)
		ours := s.life.epoch.Load()
		if err != nil || taken && at.epoch != ours {
			return err
		}
		held = &Store{database: s.database, read: s.read, lease: name, epoch: ours}
		_, err = tx.exec(ctx, "INSERT INTO leases (name, epoch, taken_at) VALUES ($1, $2, $now) ON CONFLICT (name) DO UPDATE SET "+
			"epoch = excluded.epoch, taken_at = excluded.taken_at", name, ours)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("take lease %s: %w", name, err)
	}
	return held, held != nil, nil
}

// Release gives the lease of s back, so that another can take it at once.
func (s *Store) Release(ctx context.Context) error {
	if !s.dialect.several {
		return nil
	}
	err := s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, "DELETE FROM leases WHERE name = $1 AND epoch = $2", s.lease, s.epoch)
		return err
	})
	if err != nil {
		return fmt.Errorf("give lease %s back: %w", s.lease, err)
	}
	return nil
}

// Holder is the process that has a lease, by its host's name and its number, "" if none has; mine says that it is this one.
func (s *Store) Holder(ctx context.Context, name string) (process string, mine bool, err error) {
	if !s.dialect.several {
		return processName(), true, nil
	}
	at, ok, err := s.holder(ctx, name)
	return at.name, ok && at.epoch == s.life.epoch.Load(), err
}

func (s *Store) holder(ctx context.Context, name string) (at holder, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.place.Life/3)
	defer cancel()
	rows, err := s.lifeDB.QueryContext(ctx, s.dialect.text(selectHolder), name)
	if err != nil {
		return at, false, fmt.Errorf("read who has lease %s: %w", name, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&at.epoch, &at.name); err != nil {
			return at, false, fmt.Errorf("read who has lease %s: %w", name, err)
		}
		ok = true
	}
	return at, ok, rows.Err()
}

// Living says whether the process of an epoch may still be at work on what it has in flight: this one, or another whose life lasts.
func (tx *Tx) Living(ctx context.Context, epoch int64) (bool, error) {
	if epoch == tx.s.Epoch() {
		return true, nil
	}
	if !tx.s.dialect.several {
		return false, nil
	}
	_, ok, err := first(ctx, tx, func(r row, n *int64) error { return r.Scan(n) }, "SELECT epoch FROM lives WHERE epoch = $1 AND "+alive, epoch)
	if err != nil {
		return false, fmt.Errorf("read life %d: %w", epoch, err)
	}
	return ok, nil
}
