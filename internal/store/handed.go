package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Handed is what one of several processes that read a source side by side hands to the one that leads.
type Handed struct {
	// ID is given by the store, rising in the order of the commits.
	ID int64
	// Lines are the entries that a rule asks for, as they came.
	Lines []byte
	// Sifted is how many more were read, that no rule asks for; Broken of these were broken, Passed had come before.
	Sifted, Broken, Passed int64
	// Backlog says that they are of a time that was not watched as it happened.
	Backlog bool
}

// Reading is how far a process is that reads a source beside others.
type Reading struct {
	// Clock is the newest that it has read, in the source's time; CaughtUp says that nothing older waits for it.
	Clock    time.Time
	CaughtUp bool
	// Why is why it cannot read at present; "" if it can.
	Why string
	// Process is what people know it by. Lives says that its life lasts and that it has said so within staleReading; one that does not
	// any more is here for as long as what it had taken may still be waited for.
	Process string
	Lives   bool
}

const (
	// staleReading is when a process that lives and has not said how far it is counts as one that does not.
	staleReading = time.Minute
	// lateReading is how long after the end of a process it is waited for what it had taken: a lease of Pub/Sub lasts 20 s at the most.
	lateReading = 40 * time.Second
)

// ErrOtherRules is wrapped by HandOver where entries were sifted by other rules than those in force.
var ErrOtherRules = errors.New("sifted by other rules than those in force")

// askedFact is the fact that holds what the rules in force ask of a source.
func askedFact(source string) string { return "asked." + source }

// Asked names what the rules in force ask of a source: what else is sifted by is not taken. "" before anybody has said.
func (tx *Tx) Asked(ctx context.Context, source string) (string, error) {
	return tx.Fact(ctx, askedFact(source))
}

// SetAsked puts in force what the rules ask of a source.
func (tx *Tx) SetAsked(ctx context.Context, source, asked string) error {
	return tx.SetFact(ctx, askedFact(source), asked)
}

// HandOver hands on what this process has read of a source and sifted by what was asked, and says how far it is. It changes nothing,
// with ErrOtherRules, if something else is asked by now.
func (tx *Tx) HandOver(ctx context.Context, source, asked string, rows []Handed, r Reading) error {
	inForce, err := tx.Asked(ctx, source)
	if err != nil {
		return err
	}
	if inForce != asked {
		return fmt.Errorf("hand over entries of %s: %w", source, ErrOtherRules)
	}
	for _, h := range rows {
		if _, err := tx.exec(ctx, "INSERT INTO handed (source, lines, sifted, broken, passed, backlog) VALUES ($1, $2, $3, $4, $5, $6)",
			source, h.Lines, h.Sifted, h.Broken, h.Passed, h.Backlog); err != nil {
			return fmt.Errorf("hand over entries of %s: %w", source, err)
		}
	}
	return tx.SaveReading(ctx, source, r)
}

// SaveReading says how far this process is with a source that others read too.
func (tx *Tx) SaveReading(ctx context.Context, source string, r Reading) error {
	_, err := tx.exec(ctx, "INSERT INTO readings (source, epoch, clock, caught_up, why, said_at) VALUES ($1, $2, $3, $4, $5, $now) ON CONFLICT (source, epoch) "+
		"DO UPDATE SET clock = excluded.clock, caught_up = excluded.caught_up, why = excluded.why, said_at = excluded.said_at",
		source, tx.s.Epoch(), stamp(r.Clock), r.CaughtUp, plain(r.Why, maxTroubleText))
	if err != nil {
		return fmt.Errorf("save how far %s is read: %w", source, err)
	}
	return nil
}

// EndReading says that this process reads a source no longer, and has given back what it had not handed over.
func (tx *Tx) EndReading(ctx context.Context, source string) error {
	if _, err := tx.exec(ctx, "DELETE FROM readings WHERE source = $1 AND epoch = $2", source, tx.s.Epoch()); err != nil {
		return fmt.Errorf("end reading %s: %w", source, err)
	}
	return nil
}

const (
	selectHanded   = "SELECT id, lines, sifted, broken, passed, backlog FROM handed WHERE source = $1 AND id > $2 ORDER BY id LIMIT $3"
	selectReadings = "SELECT readings.clock, readings.caught_up, readings.why, lives.name, lives.expires_at > $now AND readings.said_at > $now - $2 " +
		"FROM readings JOIN lives ON lives.epoch = readings.epoch WHERE readings.source = $1 AND lives.expires_at > $now - $3 ORDER BY readings.epoch"
)

// Handed is what was handed over of a source after a row, in order, at most so many.
func (tx *Tx) Handed(ctx context.Context, source string, after int64, most int) ([]Handed, error) {
	all, err := list(ctx, tx, func(r row, h *Handed) error {
		return r.Scan(&h.ID, &h.Lines, &h.Sifted, &h.Broken, &h.Passed, &h.Backlog)
	}, selectHanded, source, after, most)
	if err != nil {
		return nil, fmt.Errorf("read what was handed over of %s: %w", source, err)
	}
	return all, nil
}

// ForgetHanded deletes what was handed over of a source up to a row, and what lives that are long over have said of it.
func (tx *Tx) ForgetHanded(ctx context.Context, source string, upTo int64) error {
	_, err := tx.exec(ctx, "DELETE FROM handed WHERE source = $1 AND id <= $2", source, upTo)
	if err == nil {
		_, err = tx.exec(ctx, "DELETE FROM readings WHERE source = $1 AND epoch NOT IN (SELECT epoch FROM lives)", source)
	}
	if err != nil {
		return fmt.Errorf("forget what was handed over of %s: %w", source, err)
	}
	return nil
}

// Readings are how far the processes are that read a source side by side.
func (tx *Tx) Readings(ctx context.Context, source string) ([]Reading, error) {
	all, err := list(ctx, tx, func(r row, v *Reading) error {
		return r.Scan(stampInto{&v.Clock}, &v.CaughtUp, &v.Why, &v.Process, &v.Lives)
	}, selectReadings, source, int64(staleReading), int64(lateReading))
	if err != nil {
		return nil, fmt.Errorf("read how far %s is read: %w", source, err)
	}
	return all, nil
}

// FiringRules are the names of the rules that have alerts that fire.
func (tx *Tx) FiringRules(ctx context.Context) (map[string]bool, error) {
	all, err := list(ctx, tx, func(r row, name *string) error { return r.Scan(name) }, "SELECT DISTINCT rule FROM alerts WHERE state = 'firing'")
	if err != nil {
		return nil, fmt.Errorf("read which rules fire: %w", err)
	}
	out := make(map[string]bool, len(all))
	for _, name := range all {
		out[name] = true
	}
	return out, nil
}
