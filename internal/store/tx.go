package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Tx is a transaction, good only within the function that it was given to, and for one goroutine.
type Tx struct {
	s     *Store
	c     *conn
	write bool
	// wrote says that there is something to commit, left what that leaves to be done.
	wrote bool
	left  Left
}

// conn is a connection that keeps its prepared statements: a transaction then costs no parsing and no reflection.
type conn struct {
	sql        *sql.Conn
	statements map[string]*sql.Stmt
	dialect    *dialect
	// until is when the transaction on it has taken too long; zero for never.
	until time.Time
}

// limit bounds a statement by the end of its transaction.
func (c *conn) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.until.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, c.until)
}

// values are arguments as the database takes them; args itself is changed.
func (c *conn) values(args []any) []any {
	if c.dialect.value != nil {
		for i := range args {
			args[i] = c.dialect.value(args[i])
		}
	}
	return args
}

// tries is how often an Update is run that the database asks to be tried again.
const tries = 5

// Update runs do in a transaction that may write, one at a time among all processes. It is committed when do returns nil; when do
// returns an error or panics, nothing of it remains. The end of ctx ends it before the commit, never in the middle of one. Where the
// database asks for it do is run again: what it does beside the transaction counts only once Update has returned nil. Within do,
// neither Update nor View may be called.
func (s *Store) Update(ctx context.Context, do func(tx *Tx) error) error {
	for try := 1; ; try++ {
		var left Left
		err := s.run(ctx, s.writeDB, s.write, true, func(tx *Tx) error {
			defer func() { left = tx.left }()
			if err := tx.hear(ctx); err != nil {
				return err
			}
			return do(tx)
		})
		if err == nil && s.place.Left != nil && (left.Steps || len(left.Targets) > 0) {
			s.place.Left(left)
		}
		if err != nil && s.reservePath() != "" && sqliteIsFull(err) && s.giveReserve() {
			continue // there is room now for what must still be told
		}
		if err == nil || try == tries || !s.dialect.again(err) {
			return err
		}
		select {
		case <-time.After(time.Duration(try) * 10 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
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
	c, err := s.take(ctx, free)
	if err != nil {
		return err
	}
	defer func() { free <- c }()
	if c, err = s.begun(ctx, db, c, write); err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended && !s.rollback(ctx, c) {
			c = s.discard(c)
		}
	}()
	if write {
		if err := s.guard(ctx, c); err != nil {
			return err
		}
	}
	tx := &Tx{s: s, c: c, write: write}
	defer func() { tx.c = nil }()
	if err := do(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.dialect.several && !tx.wrote {
		return nil // there is nothing to be kept
	}
	if s.dialect.sound != nil {
		if err := s.dialect.sound(c); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
	if write {
		if err := s.fault("commit"); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
	if err := s.control(context.WithoutCancel(ctx), c, "COMMIT"); err != nil {
		err = fmt.Errorf("commit: %w", err)
		if !s.dialect.several || s.dialect.refused(err) {
			return err
		}
		ended = true
		c = s.discard(c)
		if err := s.doubt(ctx, err); err != nil {
			return err
		}
	}
	ended = true
	if write {
		s.life.commits++
		return s.fault("committed")
	}
	return nil
}

// waits keeps that something waits at a target.
func (tx *Tx) waits(target string) {
	if tx.left.Targets == nil {
		tx.left.Targets = map[string]bool{}
	}
	tx.left.Targets[target] = true
}

// fault is an error where a test wants one.
func (s *Store) fault(at string) error {
	if s.place.Fault == nil {
		return nil
	}
	return s.place.Fault(at)
}

// take waits for a connection, nil for one that is to be opened.
func (s *Store) take(ctx context.Context, free chan *conn) (*conn, error) {
	select {
	case c := <-free:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begun is a connection with a transaction on it: c, or another where there is none or the server has ended it meanwhile. With an
// error it is what is left to be kept.
func (s *Store) begun(ctx context.Context, db *sql.DB, c *conn, write bool) (*conn, error) {
	text := s.dialect.beginRead
	if write {
		text = s.dialect.beginWrite
	}
	for {
		kept := c != nil
		if !kept {
			raw, err := db.Conn(ctx)
			if err != nil {
				return nil, fmt.Errorf("connect to store: %w", err)
			}
			c = &conn{sql: raw, statements: map[string]*sql.Stmt{}, dialect: s.dialect}
		}
		if s.dialect.longest > 0 {
			c.until = time.Now().Add(s.dialect.longest)
		}
		err := s.control(ctx, c, text)
		if err == nil {
			return c, nil
		}
		if c = s.discard(c); !kept || c != nil || ctx.Err() != nil || !s.dialect.lost(err) {
			return c, fmt.Errorf("begin transaction: %w", err)
		}
	}
}

// control begins or ends a transaction.
func (s *Store) control(ctx context.Context, c *conn, text string) error {
	ctx, cancel := c.limit(ctx)
	defer cancel()
	return s.dialect.control(ctx, c, text)
}

// rollback says whether the connection is fit for a next transaction.
func (s *Store) rollback(ctx context.Context, c *conn) bool {
	err := s.control(context.WithoutCancel(ctx), c, "ROLLBACK")
	return err == nil || s.dialect.over(err)
}

// discard closes a connection that failed, so that the next transaction opens a new one. In memory it is kept: the data is
// gone with it.
func (s *Store) discard(c *conn) *conn {
	if s.readDB == nil {
		return c
	}
	if s.dialect.drop != nil {
		s.dialect.drop(c)
	}
	c.close()
	return nil
}

// close gives the connection up. A connection that has failed has nothing to say about its end.
func (c *conn) close() {
	for _, st := range c.statements { // SQLite's cannot be closed once their connection is
		st.Close()
	}
	c.sql.Close()
}

// exec runs a statement without rows.
func (c *conn) exec(ctx context.Context, text string, args ...any) (sql.Result, error) {
	ctx, cancel := c.limit(ctx)
	defer cancel()
	st, err := c.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, c.values(args)...)
}

// prepare is the statement of that text, prepared once per connection.
func (c *conn) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if st := c.statements[text]; st != nil {
		return st, nil
	}
	ctx, cancel := c.limit(context.WithoutCancel(ctx))
	defer cancel()
	st, err := c.sql.PrepareContext(ctx, c.dialect.text(text))
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
	tx.wrote = true
	if err := tx.s.fault("write"); err != nil {
		return 0, err
	}
	r, err := tx.c.exec(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row is what a row of columns is read from.
type row interface{ Scan(dest ...any) error }

// rowsOf are rows whose columns are read as the dialect has written them.
type rowsOf struct {
	*sql.Rows
	dest func(v any) any
}

// Scan reads the columns of a row; dest itself is changed.
func (r rowsOf) Scan(dest ...any) error {
	if r.dest != nil {
		for i := range dest {
			dest[i] = r.dest(dest[i])
		}
	}
	return r.Rows.Scan(dest...)
}

// list reads rows.
func list[T any](ctx context.Context, tx *Tx, scan func(row, *T) error, text string, args ...any) ([]T, error) {
	if tx.c == nil {
		return nil, errEnded
	}
	tx.wrote = tx.wrote || !strings.HasPrefix(text, "SELECT")
	ctx, cancel := tx.c.limit(ctx)
	defer cancel()
	st, err := tx.c.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	found, err := st.QueryContext(ctx, tx.c.values(args)...) //nolint:rowserrcheck // rows, made of it, are asked
	if err != nil {
		return nil, err
	}
	defer found.Close()
	rows := rowsOf{found, tx.c.dialect.dest}
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
