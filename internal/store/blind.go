package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// BlindSpan is a time in which a source could not see what it watches. What it read of it later is its backlog.
type BlindSpan struct {
	Source string
	// Until is zero while it goes on.
	Since, Until time.Time
	// Why is what was known of it when it began, in a line.
	Why string
}

// end is when it ended, now if it goes on; a clock that was set back does not make it end before it began.
func (b BlindSpan) end(now time.Time) time.Time {
	switch {
	case !b.Until.IsZero():
		return b.Until
	case now.Before(b.Since):
		return b.Since
	}
	return now
}

const (
	readBlindSpans   = "SELECT source, since_at, until_at, why FROM blind_spans"
	selectOpenBlind  = readBlindSpans + " WHERE until_at IS NULL ORDER BY source, since_at"
	selectBlindSpans = readBlindSpans + " ORDER BY since_at DESC, source DESC LIMIT $1"
	// sumBlind adds up by source, as end has it: $1 is now.
	sumBlind = "SELECT source, CAST(SUM(CASE WHEN until_at IS NOT NULL THEN until_at WHEN since_at > $1 THEN since_at ELSE $1 END - since_at) AS BIGINT)" +
		" FROM blind_spans GROUP BY source"
	// insertBlindSpan adds one, unless one of that beginning is there.
	insertBlindSpan = "INSERT INTO blind_spans (source, since_at, until_at, why) VALUES ($1, $2, NULL, $3) ON CONFLICT (source, since_at) DO NOTHING"
)

func scanBlindSpan(r row, b *BlindSpan) error {
	return r.Scan(&b.Source, stampInto{&b.Since}, stampInto{&b.Until}, &b.Why)
}

// KeepBlind takes down which sources cannot see at now, by name, and since when; of all others what was open ends.
func (tx *Tx) KeepBlind(ctx context.Context, now time.Time, blind map[string]BlindSpan) error {
	open, err := list(ctx, tx, scanBlindSpan, selectOpenBlind)
	if err != nil {
		return fmt.Errorf("read blind spans: %w", err)
	}
	goes := map[string]bool{}
	for _, b := range open {
		if _, goes[b.Source] = blind[b.Source]; goes[b.Source] {
			continue
		}
		if _, err := tx.exec(ctx, "UPDATE blind_spans SET until_at = $1 WHERE source = $2 AND since_at = $3", stamp(b.end(now)), b.Source, stamp(b.Since)); err != nil {
			return fmt.Errorf("end blind span of %s: %w", b.Source, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(blind)) {
		if goes[name] {
			continue
		}
		if _, err := tx.exec(ctx, insertBlindSpan, name, stamp(blind[name].Since), plain(blind[name].Why, maxTroubleText)); err != nil {
			return fmt.Errorf("begin blind span of %s: %w", name, err)
		}
	}
	return nil
}

// BlindSpans are the newest spans of all sources, newest first.
func (tx *Tx) BlindSpans(ctx context.Context, most int) ([]BlindSpan, error) {
	all, err := list(ctx, tx, scanBlindSpan, selectBlindSpans, most)
	if err != nil {
		return nil, fmt.Errorf("read blind spans: %w", err)
	}
	return all, nil
}

// Blindness is for how long each source could not see in all, up to now, as far as spans are kept.
func (tx *Tx) Blindness(ctx context.Context, now time.Time) (map[string]time.Duration, error) {
	out := map[string]time.Duration{}
	_, err := list(ctx, tx, func(r row, _ *struct{}) error {
		var source string
		var sum int64
		err := r.Scan(&source, &sum)
		out[source] = time.Duration(sum)
		return err
	}, sumBlind, stamp(now))
	if err != nil {
		return nil, fmt.Errorf("add up blind spans: %w", err)
	}
	return out, nil
}
