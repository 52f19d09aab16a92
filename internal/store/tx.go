package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Tx is a transaction, good only within the function that it was given to, and for one goroutine.
type Tx struct {
	s     *Store
	c     *conn
	write bool
}

// conn is a connection that keeps its prepared statements: a transaction then costs no parsing and no reflection.
type conn struct {
	sql        *sql.Conn
	statements map[string]*sql.Stmt
}

// Update runs do in a transaction that may write, one at a time. It is committed when do returns nil; when do returns an error
// or panics, nothing of it remains. The end of ctx ends it before the commit, never in the middle of one. Within do, neither
// Update nor View may be called.
func (s *Store) Update(ctx context.Context, do func(tx *Tx) error) error {
	return s.run(ctx, s.writeDB, s.write, true, do)
}

// View runs do in a transaction that only reads. It sees what was committed when it began reading, and a writer does not
// wait for it (save in memory, where all transactions take turns). Within do, neither Update nor View may be called.
func (s *Store) View(ctx context.Context, do func(tx *Tx) error) error {
	if s.readDB == nil {
		return s.run(ctx, s.writeDB, s.write, false, do)
	}
	return s.run(ctx, s.readDB, s.read, false, do)
}

// run takes a connection from free and gives it back, or nil in its place when it is of no more use.
func (s *Store) run(ctx context.Context, db *sql.DB, free chan *conn, write bool, do func(tx *Tx) error) error {
	var c *conn
	select {
	case c = <-free:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { free <- c }()
	if c == nil {
		raw, err := db.Conn(ctx)
		if err != nil {
			return fmt.Errorf("connect to store: %w", err)
		}
		c = &conn{sql: raw, statements: map[string]*sql.Stmt{}}
	}
	begin := s.dialect.beginRead
	if write {
		begin = s.dialect.beginWrite
	}
	if _, err := c.exec(ctx, begin); err != nil {
		c = s.discard(c)
		return fmt.Errorf("begin transaction: %w", err)
	}
	ended := false
	defer func() {
		if !ended && !s.rollback(ctx, c) {
			c = s.discard(c)
		}
	}()
	tx := &Tx{s: s, c: c, write: write}
	defer func() { tx.c = nil }()
	if err := do(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := c.exec(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	ended = true
	return nil
}

// rollback says whether the connection is fit for a next transaction.
func (s *Store) rollback(ctx context.Context, c *conn) bool {
	_, err := c.exec(context.WithoutCancel(ctx), "ROLLBACK")
	return err == nil || s.dialect.over(err)
}

// discard closes a connection that failed, so that the next transaction opens a new one. In memory it is kept: the data is
// gone with it.
func (s *Store) discard(c *conn) *conn {
	if s.readDB == nil {
		return c
	}
	c.close()
	return nil
}

// close gives the connection up. A connection that has failed has nothing to say about its end.
func (c *conn) close() {
	for _, st := range c.statements {
		st.Close()
	}
	c.sql.Close()
}

// exec runs a statement without rows.
func (c *conn) exec(ctx context.Context, text string, args ...any) (sql.Result, error) {
	st, err := c.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

// prepare is the statement of that text, prepared once per connection.
func (c *conn) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if st := c.statements[text]; st != nil {
		return st, nil
	}
	st, err := c.sql.PrepareContext(context.WithoutCancel(ctx), text)
	if err != nil {
		return nil, err
	}
	c.statements[text] = st
	return st, nil
}

// errEnded is for a Tx that somebody kept.
var errEnded = errors.New("the transaction has ended")

// exec writes, and says how many rows it changed.
func (tx *Tx) exec(ctx context.Context, text string, args ...any) (int64, error) {
	if tx.c == nil {
		return 0, errEnded
	}
	if !tx.write {
		return 0, errors.New("a View only reads: use Update")
	}
	r, err := tx.c.exec(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row is what a row of columns is read from.
type row interface{ Scan(dest ...any) error }

// list reads rows.
func list[T any](ctx context.Context, tx *Tx, scan func(row, *T) error, text string, args ...any) ([]T, error) {
	if tx.c == nil {
		return nil, errEnded
	}
	st, err := tx.c.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		out = append(out, *new(T))
		if err := scan(rows, &out[len(out)-1]); err != nil {
			return nil, err
		}
	}
	return out, rows.Err()
}

// first reads the first row, if there is one.
func first[T any](ctx context.Context, tx *Tx, scan func(row, *T) error, text string, args ...any) (v T, ok bool, err error) {
	all, err := list(ctx, tx, scan, text, args...)
	if err != nil || len(all) == 0 {
		return v, false, err
	}
	return all[0], true, nil
}

// inserted runs an INSERT ... RETURNING id, and gives the id; ok is false if no row was inserted.
func (tx *Tx) inserted(ctx context.Context, text string, args ...any) (id int64, ok bool, err error) {
	if !tx.write {
		return 0, false, errors.New("a View only reads: use Update")
	}
	return first(ctx, tx, func(r row, id *int64) error { return r.Scan(id) }, text, args...)
}

// least is the time in the first row of one column; zero if there is none.
func (tx *Tx) least(ctx context.Context, text string, args ...any) (time.Time, error) {
	t, _, err := first(ctx, tx, func(r row, t *time.Time) error { return r.Scan(stampInto{t}) }, text, args...)
	return t, err
}
