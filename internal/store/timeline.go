package store

import (
	"context"
	"fmt"

	"tocsin/internal/incident"
)

var eventColumns = columns{"incident", "at", "kind", "text", "actor", "alert_rule", "alert_grp", "lines"}

var (
	selectEvents = "SELECT id, " + eventColumns.list() + " FROM events"
	insertEvent  = "INSERT INTO events (" + eventColumns.list() + ") VALUES (" + eventColumns.values() + ") RETURNING id"
)

func scanEvent(r row, e *incident.Event) error {
	return r.Scan(&e.ID, &e.Incident, stampInto{&e.At}, (*string)(&e.Kind), &e.Text, &e.By, &e.Alert.Rule, &e.Alert.Group,
		nestedInto{&e.Lines})
}

// AppendEvent adds a line to an incident's timeline and sets its ID, which is higher than all before.
func (tx *Tx) AppendEvent(ctx context.Context, e *incident.Event) error {
	lines, err := nested(e.Lines, len(e.Lines) == 0)
	if err == nil {
		e.ID, _, err = tx.inserted(ctx, insertEvent, e.Incident, stamp(e.At), string(e.Kind), e.Text, e.By, e.Alert.Rule, e.Alert.Group, lines)
	}
	if err != nil {
		return fmt.Errorf("append event to incident %s: %w", e.Incident, err)
	}
	return nil
}

// Events is the timeline of an incident, oldest first.
func (tx *Tx) Events(ctx context.Context, incidentID string) ([]incident.Event, error) {
	all, err := list(ctx, tx, scanEvent, selectEvents+" WHERE incident = $1 ORDER BY id", incidentID)
	if err != nil {
		return nil, fmt.Errorf("read timeline of incident %s: %w", incidentID, err)
	}
	return all, nil
}

// Event is the event of that id.
func (tx *Tx) Event(ctx context.Context, id int64) (incident.Event, error) {
	e, ok, err := first(ctx, tx, scanEvent, selectEvents+" WHERE id = $1", id)
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return e, fmt.Errorf("event %d: %w", id, err)
	}
	return e, nil
}
