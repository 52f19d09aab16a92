package store

import (
	"context"
	"fmt"
	"time"
)

// Hold is what is kept under a name of a provider's account, of what its requests are counted by, or of a receiver, so that neither
// a restart nor another replica forgets it. The zero value, but for its name, holds nothing back.
type Hold struct {
	Name string
	// Since is when the provider asked to be left alone, Until for how long, Why what it said.
	Since, Until time.Time
	Why          string
	// Spent says how far a token bucket is used up: until then, if nothing more is taken from it, it fills up.
	Spent time.Time
	// FailingSince is since when a receiver has accepted nothing that was tried; RefusedSince since when it has refused for good.
	FailingSince, RefusedSince time.Time
	// Storm is the id of the storm that a receiver's pages were last rolled into.
	Storm string
}

var (
	holdColumns = columns{"name", "since", "until", "why", "spent", "failing_since", "refused_since", "storm"}
	selectHolds = "SELECT " + holdColumns.list() + " FROM holds"
	selectHold  = selectHolds + " WHERE name = $1"
	upsertHold  = holdColumns.upsert("holds", "name")
)

func scanHold(r row, h *Hold) error {
	return r.Scan(&h.Name, stampInto{&h.Since}, stampInto{&h.Until}, &h.Why, stampInto{&h.Spent}, stampInto{&h.FailingSince},
		stampInto{&h.RefusedSince}, &h.Storm)
}

// Hold is what is kept under a name; the zero value of that name if nothing is.
func (tx *Tx) Hold(ctx context.Context, name string) (Hold, error) {
	h, _, err := first(ctx, tx, scanHold, selectHold, name)
	h.Name = name
	if err != nil {
		return h, fmt.Errorf("read hold %s: %w", name, err)
	}
	return h, nil
}

// Holds are all holds, by name.
func (tx *Tx) Holds(ctx context.Context) ([]Hold, error) {
	all, err := list(ctx, tx, scanHold, selectHolds+" ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	return all, nil
}

// SaveHold writes what is to be kept under h.Name.
func (tx *Tx) SaveHold(ctx context.Context, h Hold) error {
	_, err := tx.exec(ctx, upsertHold, h.Name, stamp(h.Since), stamp(h.Until), h.Why, stamp(h.Spent), stamp(h.FailingSince),
		stamp(h.RefusedSince), h.Storm)
	if err != nil {
		return fmt.Errorf("save hold %s: %w", h.Name, err)
	}
	return nil
}
