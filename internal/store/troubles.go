package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
)

// Trouble is something wrong with tocsin itself. It is reported in the transaction that notices it and read, like everything that
// is observed, as an entry (see TroubleBatch), which the rules builtin:tocsin/*.yaml judge.
type Trouble struct {
	// ID is given by the store, rising.
	ID int64
	// Kind is one word in snake_case: source_blind, reload_failed, ... Together with Labels it says which trouble it is.
	Kind   string
	Labels map[string]string
	// At is when it was noticed; it must be given.
	At time.Time
	// Severity is a LogEntry's; left out, ERROR, and NOTICE where it is over.
	Severity string
	// Text says it in a line. It may hold a provider's words: it is bounded and made UTF-8, and nothing more.
	Text string
	// Over says that the trouble of this Kind and Labels has ended.
	Over bool
	// Count is how many reports it stands for: itself, and those since the row before it that made none. Report sets it.
	Count int64
}

// The bounds of what is reported.
const (
	// reportEvery is how often a trouble that goes on makes a row: reports in between are counted.
	reportEvery = time.Minute
	// maxTroubleText and maxTroubleLabel are in bytes.
	maxTroubleText, maxTroubleLabel = 1000, 200
	// maxStanding is how many different troubles may stand; what is reported beyond is one trouble of its own, so that one about
	// telling troubles cannot multiply.
	maxStanding = 200
)

// TooManyTroubles is the kind of the trouble that stands for all beyond maxStanding.
const TooManyTroubles = "too_many_troubles"

var troubleColumns = columns{"id", "at", "kind", "labels", "severity", "text", "over", "stands", "count", "again"}

const readTroubles = "SELECT id, at, kind, labels, severity, text, over, count FROM troubles"

var (
	selectTroubles  = readTroubles + " WHERE id > $1 ORDER BY id LIMIT $2"
	selectStanding  = readTroubles + " WHERE stands ORDER BY id"
	selectTroubleOf = readTroubles + " WHERE kind = $1 AND labels = $2 ORDER BY id DESC LIMIT 1"
	insertTrouble   = "INSERT INTO troubles (" + troubleColumns.list() + ") VALUES (" + troubleColumns.values() + ")"
)

func scanTrouble(r row, t *Trouble) error {
	return r.Scan(&t.ID, stampInto{&t.At}, &t.Kind, nestedInto{&t.Labels}, &t.Severity, &t.Text, &t.Over, &t.Count)
}

// Report keeps a trouble of tocsin's own with the rest of the transaction. The same one (by Kind and Labels) that goes on makes a
// row a minute at the most; the end of one that does not stand makes none, so that it may be said at every success.
func (tx *Tx) Report(ctx context.Context, t Trouble) error {
	if err := tx.report(ctx, t); err != nil {
		return fmt.Errorf("report trouble %s: %w", t.Kind, err)
	}
	return nil
}

func (tx *Tx) report(ctx context.Context, t Trouble) error {
	labels := maps.Clone(t.Labels)
	for name, v := range labels {
		labels[name] = plain(v, maxTroubleLabel)
	}
	t.Text = plain(t.Text, maxTroubleText)
	if t.Severity == "" {
		t.Severity = "ERROR"
		if t.Over {
			t.Severity = "NOTICE"
		}
	}
	before, ok, err := first(ctx, tx, scanTrouble, selectTroubleOf, t.Kind, incident.Labels(labels).Text())
	if err != nil {
		return err
	}
	stands := ok && !before.Over
	switch age := t.At.Sub(before.At); {
	case t.Over && !stands:
		return nil
	case !t.Over && stands && age < reportEvery && age > -reportEvery:
		_, err := tx.exec(ctx, "UPDATE troubles SET again = again + 1 WHERE id = $1", before.ID)
		return err
	}
	if !t.Over && !stands && t.Kind != TooManyTroubles {
		n, _, err := first(ctx, tx, func(r row, n *int) error { return r.Scan(n) }, "SELECT count(*) FROM troubles WHERE stands")
		if err != nil {
			return err
		}
		if n >= maxStanding {
			return tx.report(ctx, Trouble{Kind: TooManyTroubles, At: t.At, Text: fmt.Sprintf("%d troubles stand, this one is not kept: %s: %s", n, t.Kind, t.Text)})
		}
	}
	return tx.addTrouble(ctx, t, incident.Labels(labels).Text(), before)
}

// addTrouble writes the row that follows before, which is zero if there is none.
func (tx *Tx) addTrouble(ctx context.Context, t Trouble, labels string, before Trouble) error {
	id, _, err := first(ctx, tx, func(r row, id *int64) error { return r.Scan(id) }, "UPDATE troubles_head SET newest = newest + 1 WHERE id = 1 RETURNING newest")
	if err != nil {
		return err
	}
	newest, err := tx.least(ctx, "SELECT at FROM troubles WHERE id = $1", id-1)
	if err != nil {
		return err
	}
	if !t.At.After(newest) && newest.Sub(t.At) < 24*time.Hour { // a clock was set back: its entry must not come too late to count
		t.At = newest.Add(1)
	}
	t.Count = 1
	if before.ID != 0 {
		var again int64
		if again, _, err = first(ctx, tx, func(r row, n *int64) error { return r.Scan(n) }, "SELECT again FROM troubles WHERE id = $1", before.ID); err != nil {
			return err
		}
		t.Count += again
		if _, err := tx.exec(ctx, "UPDATE troubles SET stands = $1 WHERE id = $2", false, before.ID); err != nil {
			return err
		}
	}
	_, err = tx.exec(ctx, insertTrouble, id, stamp(t.At), t.Kind, labels, t.Severity, t.Text, t.Over, !t.Over, t.Count, 0)
	return err
}

// plain is text as a row may hold it: bounded, UTF-8, without NUL.
func plain(text string, most int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most-len("…")], "") + "…"
	}
	return text
}

// Standing are the troubles that are not over, oldest first, each as it was reported last.
func (tx *Tx) Standing(ctx context.Context) ([]Trouble, error) {
	all, err := list(ctx, tx, scanTrouble, selectStanding)
	if err != nil {
		return nil, fmt.Errorf("read troubles: %w", err)
	}
	return all, nil
}

// TroubleBatch is what was reported after a cursor, at most so many entries, as a batch of logs.OwnSource; without Data if
// there is nothing. project is the one that is watched. Received is left to the caller.
func (tx *Tx) TroubleBatch(ctx context.Context, from logs.Cursor, project string, most int) (logs.Batch, error) {
	var after int64
	if from != "" {
		var err error
		if after, err = strconv.ParseInt(string(from), 10, 64); err != nil {
			return logs.Batch{}, fmt.Errorf("read troubles after %q: %w", from, err)
		}
	}
	all, err := list(ctx, tx, scanTrouble, selectTroubles, after, most)
	if err != nil {
		return logs.Batch{}, fmt.Errorf("read troubles: %w", err)
	}
	b := logs.Batch{Source: logs.OwnSource, Offset: after, Cursor: from, CaughtUp: len(all) < most}
	for i := range all {
		line, err := all[i].entry(project)
		if err != nil {
			return logs.Batch{}, err
		}
		b.Data = append(append(b.Data, line...), '\n')
		b.Cursor = logs.Cursor(strconv.FormatInt(all[i].ID, 10))
	}
	return b, nil
}

// entry is the trouble as a LogEntry in JSON, of the log tocsin/self.
func (t *Trouble) entry(project string) ([]byte, error) {
	payload := map[string]any{}
	for name, v := range t.Labels {
		payload[name] = v
	}
	payload["trouble"], payload["message"], payload["over"] = t.Kind, t.Text, t.Over
	if t.Count > 1 {
		payload["count"] = t.Count
	}
	at := t.At.UTC().Format(time.RFC3339Nano)
	return json.Marshal(map[string]any{
		"logName": "projects/" + project + "/logs/tocsin%2Fself", "timestamp": at, "receiveTimestamp": at, "insertId": fmt.Sprintf("trouble-%d", t.ID),
		"severity": t.Severity, "jsonPayload": payload,
		"resource": map[string]any{"type": "global", "labels": map[string]string{"project_id": project}},
	})
}
