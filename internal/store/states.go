package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"tocsin/internal/incident"
)

// GroupState is the state of a detector for one (rule, group).
type GroupState struct {
	Key incident.Key
	// Hash is of the rule's filter, detect, group_by and for: with another one detection starts afresh.
	Hash string
	// Body is the detector's own.
	Body []byte
	// Due is when the detector wants to be asked again without an entry; zero when nothing waits.
	Due time.Time
	// Firing says that its alert fires.
	Firing bool
}

var stateColumns = columns{"rule", "grp", "hash", "body", "due", "firing"}

var (
	selectStates    = "SELECT " + stateColumns.list() + " FROM states"
	selectState     = selectStates + " WHERE rule = $1 AND grp = $2"
	selectDueStates = selectStates + " WHERE due IS NOT NULL AND due <= $1 ORDER BY due, rule, grp LIMIT $2"
	selectNextState = "SELECT due FROM states WHERE due IS NOT NULL ORDER BY due LIMIT 1"
	wakeState       = "UPDATE states SET due = $1 WHERE rule = $2 AND grp = $3 AND (due IS NULL OR due > $1)"
	upsertState     = stateColumns.upsert("states", "rule", "grp")
)

func scanState(r row, s *GroupState) error {
	return r.Scan(&s.Key.Rule, &s.Key.Group, &s.Hash, &s.Body, stampInto{&s.Due}, &s.Firing)
}

// State is the state of that (rule, group); false when there is none.
func (tx *Tx) State(ctx context.Context, key incident.Key) (GroupState, bool, error) {
	s, ok, err := first(ctx, tx, scanState, selectState, key.Rule, key.Group)
	if err != nil {
		return s, false, fmt.Errorf("read state of rule %s: %w", key.Rule, err)
	}
	return s, ok, nil
}

// RuleStates are the states of all groups of a rule, by group.
func (tx *Tx) RuleStates(ctx context.Context, rule string) ([]GroupState, error) {
	all, err := list(ctx, tx, scanState, selectStates+" WHERE rule = $1 ORDER BY grp", rule)
	if err != nil {
		return nil, fmt.Errorf("read states of rule %s: %w", rule, err)
	}
	return all, nil
}

// CountStates is how many groups of a rule have a state.
func (tx *Tx) CountStates(ctx context.Context, rule string) (int, error) {
	n, _, err := first(ctx, tx, func(r row, n *int) error { return r.Scan(n) }, "SELECT COUNT(*) FROM states WHERE rule = $1", rule)
	if err != nil {
		return 0, fmt.Errorf("count states of rule %s: %w", rule, err)
	}
	return n, nil
}

// SaveState writes the state of a (rule, group).
func (tx *Tx) SaveState(ctx context.Context, s GroupState) error {
	if _, err := tx.exec(ctx, upsertState, s.Key.Rule, s.Key.Group, s.Hash, s.Body, stamp(s.Due), s.Firing); err != nil {
		return fmt.Errorf("save state of rule %s: %w", s.Key.Rule, err)
	}
	return nil
}

// WakeState lets the state of a (rule, group) be due at a time, if it is not before. One that is not there is no error.
func (tx *Tx) WakeState(ctx context.Context, key incident.Key, at time.Time) error {
	if _, err := tx.exec(ctx, wakeState, stamp(at), key.Rule, key.Group); err != nil {
		return fmt.Errorf("wake state of rule %s: %w", key.Rule, err)
	}
	return nil
}

// DeleteState forgets the state of a (rule, group). One that is not there is no error.
func (tx *Tx) DeleteState(ctx context.Context, key incident.Key) error {
	if _, err := tx.exec(ctx, "DELETE FROM states WHERE rule = $1 AND grp = $2", key.Rule, key.Group); err != nil {
		return fmt.Errorf("delete state of rule %s: %w", key.Rule, err)
	}
	return nil
}

// DueStates are at most limit states (0: all) that are due at until, the earliest first, then by rule and group.
func (tx *Tx) DueStates(ctx context.Context, until time.Time, limit int) ([]GroupState, error) {
	all, err := list(ctx, tx, scanState, selectDueStates, stamp(until), most(limit))
	if err != nil {
		return nil, fmt.Errorf("read due states: %w", err)
	}
	return all, nil
}

// NextStateDue is when the next state is due; zero when none waits.
func (tx *Tx) NextStateDue(ctx context.Context) (time.Time, error) {
	at, err := tx.least(ctx, selectNextState)
	if err != nil {
		return time.Time{}, fmt.Errorf("read next due state: %w", err)
	}
	return at, nil
}

// most is a LIMIT: 0 and less is no limit.
func most(limit int) int64 {
	if limit <= 0 {
		return math.MaxInt64
	}
	return int64(limit)
}
