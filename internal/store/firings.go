package store

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/incident"
)

// Firing is a time that an alert fired, whatever became of it.
type Firing struct {
	incident.Key
	At   time.Time
	Mode incident.Mode
	// Incident is the one that it opened or joined; "" of a rule in mode shadow.
	Incident string
}

var firingColumns = columns{"rule", "at", "grp", "mode", "incident"}

// AddFiring records that an alert fired.
func (tx *Tx) AddFiring(ctx context.Context, f Firing) error {
	_, err := tx.exec(ctx, firingColumns.upsert("firings", "rule", "at", "grp"), f.Rule, bound(f.At, earliest), f.Group, string(f.Mode), f.Incident)
	if err != nil {
		return fmt.Errorf("record that rule %s fired: %w", f.Rule, err)
	}
	return nil
}

// Firings are the newest times that a rule fired, since a time; the newest first, at most limit.
func (tx *Tx) Firings(ctx context.Context, rule string, since time.Time, limit int) ([]Firing, error) {
	all, err := list(ctx, tx, func(r row, f *Firing) error {
		return r.Scan(&f.Rule, stampInto{&f.At}, &f.Group, (*string)(&f.Mode), &f.Incident)
	}, "SELECT "+firingColumns.list()+" FROM firings WHERE rule = $1 AND at >= $2 ORDER BY at DESC, grp LIMIT $3", rule, bound(since, earliest), most(limit))
	if err != nil {
		return nil, fmt.Errorf("read when rule %s fired: %w", rule, err)
	}
	return all, nil
}

// FirstFiring is when any rule fired first, as far as it is on record; zero if none has.
func (tx *Tx) FirstFiring(ctx context.Context) (time.Time, error) {
	at, err := tx.least(ctx, "SELECT at FROM firings ORDER BY at LIMIT 1")
	if err != nil {
		return at, fmt.Errorf("read the first firing: %w", err)
	}
	return at, nil
}
