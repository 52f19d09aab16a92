package store

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/logs"
)

// SourceState is how far a source has been read and judged: it is written in the transaction that holds the outcome.
type SourceState struct {
	Name string
	// Cursor is where to go on.
	Cursor logs.Cursor
	// Clock is the source's clock and watermark, the running maximum of its entries' times.
	Clock time.Time
	// CaughtUp and Blind are what the source's last batch said.
	CaughtUp, Blind bool
	// ReceivedAt is when the last batch came.
	ReceivedAt time.Time
	// Entries, Matches, Broken and Late count since the database was made.
	Entries, Matches, Broken, Late int64
	// Backlog are those of Entries that are of a time that was not watched as it happened; Passed came beside them and were left out,
	// because they had come before or were to come again.
	Backlog, Passed int64
}

var sourceColumns = columns{"name", "position", "clock", "caught_up", "blind", "received_at", "entries", "matches", "broken", "late", "backlog", "passed"}

var (
	selectSources = "SELECT " + sourceColumns.list() + " FROM sources"
	selectSource  = selectSources + " WHERE name = $1"
	upsertSource  = sourceColumns.upsert("sources", "name")
)

func scanSource(r row, s *SourceState) error {
	return r.Scan(&s.Name, (*string)(&s.Cursor), stampInto{&s.Clock}, &s.CaughtUp, &s.Blind, stampInto{&s.ReceivedAt},
		&s.Entries, &s.Matches, &s.Broken, &s.Late, &s.Backlog, &s.Passed)
}

// Source is the state of the source of that name; one that was never saved has the name and nothing else.
func (tx *Tx) Source(ctx context.Context, name string) (SourceState, error) {
	s, ok, err := first(ctx, tx, scanSource, selectSource, name)
	if err != nil {
		return s, fmt.Errorf("read source %s: %w", name, err)
	}
	if !ok {
		s.Name = name
	}
	return s, nil
}

// Sources are the states of all sources, by name.
func (tx *Tx) Sources(ctx context.Context) ([]SourceState, error) {
	all, err := list(ctx, tx, scanSource, selectSources+" ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	return all, nil
}

// SaveSource writes the state of a source.
func (tx *Tx) SaveSource(ctx context.Context, s SourceState) error {
	_, err := tx.exec(ctx, upsertSource, s.Name, string(s.Cursor), stamp(s.Clock), s.CaughtUp, s.Blind, stamp(s.ReceivedAt),
		s.Entries, s.Matches, s.Broken, s.Late, s.Backlog, s.Passed)
	if err != nil {
		return fmt.Errorf("save source %s: %w", s.Name, err)
	}
	return nil
}

// Fact is a small thing worth remembering by its name; "" when there is none.
func (tx *Tx) Fact(ctx context.Context, name string) (string, error) {
	value, _, err := first(ctx, tx, func(r row, v *string) error { return r.Scan(v) }, "SELECT value FROM facts WHERE name = $1", name)
	if err != nil {
		return "", fmt.Errorf("read fact %s: %w", name, err)
	}
	return value, nil
}

// SetFact remembers a value by its name, in place of the one before.
func (tx *Tx) SetFact(ctx context.Context, name, value string) error {
	_, err := tx.exec(ctx, "INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
		name, value)
	if err != nil {
		return fmt.Errorf("save fact %s: %w", name, err)
	}
	return nil
}
