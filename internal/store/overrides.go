package store

import (
	"context"
	"fmt"
	"time"
)

// Override is somebody who was put on call by a command, in place of whom a schedule names.
type Override struct {
	// ID is given by the store, rising: of two that overlap the higher decides.
	ID               int64
	Schedule, Person string
	// From and To are when it begins and ends; the end is not included.
	From, To time.Time
	// By is who made it, Reason why, At when.
	By, Reason string
	At         time.Time
}

var overrideColumns = columns{"id", "schedule", "person", "from_at", "to_at", "made_by", "reason", "made_at"}

var (
	selectOverrides = "SELECT " + overrideColumns.list() + " FROM overrides WHERE schedule = $1 AND to_at > $2 ORDER BY id"
	insertOverride  = "INSERT INTO overrides (schedule, person, from_at, to_at, made_by, reason, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id"
)

// Overrides are those of a schedule that end after a time, in the order they were made.
func (tx *Tx) Overrides(ctx context.Context, schedule string, after time.Time) ([]Override, error) {
	all, err := list(ctx, tx, func(r row, o *Override) error {
		return r.Scan(&o.ID, &o.Schedule, &o.Person, stampInto{&o.From}, stampInto{&o.To}, &o.By, &o.Reason, stampInto{&o.At})
	}, selectOverrides, schedule, stamp(after))
	if err != nil {
		return nil, fmt.Errorf("read overrides of %s: %w", schedule, err)
	}
	return all, nil
}

// AddOverride writes an override, and sets its ID.
func (tx *Tx) AddOverride(ctx context.Context, o *Override) error {
	id, _, err := tx.inserted(ctx, insertOverride, o.Schedule, o.Person, stamp(o.From), stamp(o.To), o.By, o.Reason, stamp(o.At))
	if err != nil {
		return fmt.Errorf("save override of %s: %w", o.Schedule, err)
	}
	o.ID = id
	return nil
}
