package store

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/incident"
)

var silenceColumns = columns{"matchers", "starts", "ends", "owner", "reason", "up_to", "created_at", "ended_by", "warned_at", "due"}

var (
	selectSilences = "SELECT id, " + silenceColumns.list() + " FROM silences"
	// The newest first: whoever looks wants to see what is in force, or was last.
	selectSilencesSince  = selectSilences + " WHERE ends > $1 ORDER BY ends DESC, id DESC"
	selectSilencesActive = selectSilences + " WHERE ends > $1 AND starts <= $1 ORDER BY id"
	selectSilence        = selectSilences + " WHERE id = $1"
	selectDueSilences    = selectSilences + " WHERE due IS NOT NULL AND due <= $1 ORDER BY due, id LIMIT 1"
	selectNextSilence    = "SELECT due FROM silences WHERE due IS NOT NULL ORDER BY due LIMIT 1"
	insertSilence        = "INSERT INTO silences (" + silenceColumns.list() + ") VALUES (" + silenceColumns.values() + ") RETURNING id"
	updateSilence        = "UPDATE silences SET " + silenceColumns.assign(0, func(_ string, n int) string { return fmt.Sprintf("$%d", n) }) +
		fmt.Sprintf(" WHERE id = $%d", len(silenceColumns)+1)
)

func scanSilence(r row, s *incident.Silence) error {
	return r.Scan(&s.ID, nestedInto{&s.Matchers}, stampInto{&s.Starts}, stampInto{&s.Ends}, &s.Owner, &s.Reason, severityInto{&s.UpTo},
		stampInto{&s.CreatedAt}, &s.EndedBy, stampInto{&s.WarnedAt}, stampInto{&s.Due})
}

// SaveSilence writes a silence; a new one, whose ID is 0, is given its own.
func (tx *Tx) SaveSilence(ctx context.Context, s *incident.Silence) error {
	matchers, err := nested(s.Matchers, len(s.Matchers) == 0)
	if err != nil {
		return fmt.Errorf("save silence %d: %w", s.ID, err)
	}
	values := []any{matchers, stamp(s.Starts), stamp(s.Ends), s.Owner, s.Reason, s.UpTo.String(), stamp(s.CreatedAt), s.EndedBy,
		stamp(s.WarnedAt), stamp(s.Due)}
	if s.ID == 0 {
		s.ID, _, err = tx.inserted(ctx, insertSilence, values...)
	} else {
		_, err = tx.exec(ctx, updateSilence, append(values, s.ID)...)
	}
	if err != nil {
		return fmt.Errorf("save silence %d: %w", s.ID, err)
	}
	tx.left.Steps = tx.left.Steps || !s.Due.IsZero()
	return nil
}

// Silence is the silence of that id.
func (tx *Tx) Silence(ctx context.Context, id int64) (incident.Silence, error) {
	s, ok, err := first(ctx, tx, scanSilence, selectSilence, id)
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return s, fmt.Errorf("silence %d: %w", id, err)
	}
	return s, nil
}

// ActiveSilences are those in force at a time, the oldest first.
func (tx *Tx) ActiveSilences(ctx context.Context, at time.Time) ([]incident.Silence, error) {
	all, err := list(ctx, tx, scanSilence, selectSilencesActive, stamp(at))
	if err != nil {
		return nil, fmt.Errorf("read silences in force: %w", err)
	}
	return all, nil
}

// SilencesSince are those that end, or have ended, after a time, the last to end first.
func (tx *Tx) SilencesSince(ctx context.Context, at time.Time) ([]incident.Silence, error) {
	all, err := list(ctx, tx, scanSilence, selectSilencesSince, bound(at, earliest))
	if err != nil {
		return nil, fmt.Errorf("read silences: %w", err)
	}
	return all, nil
}

// selectHeld reads without the alerts: whoever asks wants to name them.
var selectHeld = selectIncidents + " WHERE state IN ('open', 'acknowledged') AND holds <> '' ORDER BY id"

// HeldIncidents are the open incidents that something holds, without their alerts, by id.
func (tx *Tx) HeldIncidents(ctx context.Context) ([]incident.Incident, error) {
	all, err := list(ctx, tx, scanIncident, selectHeld)
	if err != nil {
		return nil, fmt.Errorf("read incidents that are held: %w", err)
	}
	return all, nil
}

// DueSilence is the first silence of which something is due at until; false if there is none.
func (tx *Tx) DueSilence(ctx context.Context, until time.Time) (incident.Silence, bool, error) {
	s, ok, err := first(ctx, tx, scanSilence, selectDueSilences, stamp(until))
	if err != nil {
		return s, false, fmt.Errorf("read due silence: %w", err)
	}
	return s, ok, nil
}
