package store

import (
	"context"
	"fmt"
	"time"
)

// Session is somebody who has signed in with a browser, until it ends.
type Session struct {
	// ID is the hash of what the browser holds.
	ID     string
	Name   string
	Groups []string
	Ends   time.Time
}

// AddSession writes a session, and deletes those that ended before now.
func (tx *Tx) AddSession(ctx context.Context, s *Session, now time.Time) error {
	groups, err := nested(s.Groups, len(s.Groups) == 0)
	if err == nil {
		_, err = tx.exec(ctx, "INSERT INTO sessions (id, name, groups_, ends_at) VALUES ($1, $2, $3, $4)", s.ID, s.Name, groups, stamp(s.Ends))
	}
	if err == nil {
		_, err = tx.exec(ctx, "DELETE FROM sessions WHERE ends_at <= $1", stamp(now))
	}
	if err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	return nil
}

// Session is the session of that ID, if it has not ended; false if there is none.
func (tx *Tx) Session(ctx context.Context, id string, now time.Time) (Session, bool, error) {
	s, ok, err := first(ctx, tx, func(r row, s *Session) error {
		return r.Scan(&s.ID, &s.Name, nestedInto{&s.Groups}, stampInto{&s.Ends})
	}, "SELECT id, name, groups_, ends_at FROM sessions WHERE id = $1 AND ends_at > $2", id, stamp(now))
	if err != nil {
		return s, false, fmt.Errorf("read session: %w", err)
	}
	return s, ok, nil
}

// EndSession deletes a session.
func (tx *Tx) EndSession(ctx context.Context, id string) error {
	if _, err := tx.exec(ctx, "DELETE FROM sessions WHERE id = $1", id); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}
