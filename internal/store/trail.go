package store

import (
	"context"
	"fmt"
	"time"
)

// Trace is one line of the audit trail: what somebody did. Lines are numbered from 1 without a gap, and never changed; what Hash is made of
// is the affair of whoever writes them.
type Trace struct {
	ID int64     `json:"id"`
	At time.Time `json:"at"`
	// Who did it, and Way how tocsin knows that: "token ci", "oidc", "pager oncall".
	Who string `json:"who"`
	Way string `json:"way"`
	// Deed is what was done, About to what ("incident 01D...", "silence 12"), Detail what else there is to say.
	Deed   string `json:"deed"`
	About  string `json:"about"`
	Detail string `json:"detail,omitempty"`
	Hash   string `json:"hash"`
}

var traceColumns = columns{"id", "at", "who", "way", "deed", "about", "detail", "hash"}

var (
	selectTraces = "SELECT " + traceColumns.list() + " FROM trail"
	insertTrace  = "INSERT INTO trail (" + traceColumns.list() + ") VALUES (" + traceColumns.values() + ")"
)

func scanTrace(r row, t *Trace) error {
	return r.Scan(&t.ID, stampInto{&t.At}, &t.Who, &t.Way, &t.Deed, &t.About, &t.Detail, &t.Hash)
}

// LastTrace is the newest line of the trail; one without an ID if there is none.
func (tx *Tx) LastTrace(ctx context.Context) (Trace, error) {
	t, _, err := first(ctx, tx, scanTrace, selectTraces+" ORDER BY id DESC LIMIT 1")
	if err != nil {
		return t, fmt.Errorf("read end of audit trail: %w", err)
	}
	return t, nil
}

// AddTrace writes a line of the trail under its ID. One that is there is never rewritten: that is an error.
func (tx *Tx) AddTrace(ctx context.Context, t *Trace) error {
	if _, err := tx.exec(ctx, insertTrace, t.ID, stamp(t.At), t.Who, t.Way, t.Deed, t.About, t.Detail, t.Hash); err != nil {
		return fmt.Errorf("write audit trail: %w", err)
	}
	return nil
}

// Traces are at most so many lines of the trail behind an ID, the oldest first.
func (tx *Tx) Traces(ctx context.Context, after int64, most int) ([]Trace, error) {
	all, err := list(ctx, tx, scanTrace, selectTraces+" WHERE id > $1 ORDER BY id LIMIT $2", after, most)
	if err != nil {
		return nil, fmt.Errorf("read audit trail: %w", err)
	}
	return all, nil
}

// TracesBefore are at most so many lines of the trail before an ID, the newest first.
func (tx *Tx) TracesBefore(ctx context.Context, before int64, most int) ([]Trace, error) {
	all, err := list(ctx, tx, scanTrace, selectTraces+" WHERE id < $1 ORDER BY id DESC LIMIT $2", before, most)
	if err != nil {
		return nil, fmt.Errorf("read audit trail: %w", err)
	}
	return all, nil
}
