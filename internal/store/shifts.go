package store

import (
	"context"
	"fmt"
	"time"
)

// Shift is who was on call by a schedule when it was looked at last for a change of shift, and when it is looked at next.
type Shift struct {
	Schedule string
	People   []string
	Due      time.Time
}

const selectShifts = "SELECT schedule, people, due FROM shifts"

func scanShift(r row, s *Shift) error {
	return r.Scan(&s.Schedule, nestedInto{&s.People}, stampInto{&s.Due})
}

// Shifts are those of all schedules that are watched, by name.
func (tx *Tx) Shifts(ctx context.Context) ([]Shift, error) {
	all, err := list(ctx, tx, scanShift, selectShifts+" ORDER BY schedule")
	if err != nil {
		return nil, fmt.Errorf("read shifts: %w", err)
	}
	return all, nil
}

// DueShift is the first that is to be looked at by a time; false if none is.
func (tx *Tx) DueShift(ctx context.Context, until time.Time) (Shift, bool, error) {
	s, ok, err := first(ctx, tx, scanShift, selectShifts+" WHERE due <= $1 ORDER BY due, schedule LIMIT 1", stamp(until))
	if err != nil {
		return s, false, fmt.Errorf("read due shift: %w", err)
	}
	return s, ok, nil
}

// SaveShift writes the shift of a schedule in the place of the one before.
func (tx *Tx) SaveShift(ctx context.Context, s Shift) error {
	people, err := nested(s.People, len(s.People) == 0)
	if err == nil {
		_, err = tx.exec(ctx, "INSERT INTO shifts (schedule, people, due) VALUES ($1, $2, $3) "+
			"ON CONFLICT (schedule) DO UPDATE SET people = excluded.people, due = excluded.due", s.Schedule, people, stamp(s.Due))
	}
	if err != nil {
		return fmt.Errorf("save shift of %s: %w", s.Schedule, err)
	}
	tx.left.Steps = true
	return nil
}

// LookAtShift has a schedule looked at for a change of shift by a time, if it is watched and would be later.
func (tx *Tx) LookAtShift(ctx context.Context, schedule string, by time.Time) error {
	if _, err := tx.exec(ctx, "UPDATE shifts SET due = $1 WHERE schedule = $2 AND due > $1", stamp(by), schedule); err != nil {
		return fmt.Errorf("look at shift of %s: %w", schedule, err)
	}
	tx.left.Steps = true
	return nil
}

// ForgetShift forgets a schedule that is watched no more.
func (tx *Tx) ForgetShift(ctx context.Context, schedule string) error {
	if _, err := tx.exec(ctx, "DELETE FROM shifts WHERE schedule = $1", schedule); err != nil {
		return fmt.Errorf("forget shift of %s: %w", schedule, err)
	}
	return nil
}
