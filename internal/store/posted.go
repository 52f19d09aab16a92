package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
)

// Posted is an alert as Alertmanager's API takes it, that somebody else's rules have made. It is read, like everything that is observed, as
// an entry (see PostedBatch).
type Posted struct {
	// Labels say which alert it is; alertname is among them.
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	StartsAt    time.Time         `json:"starts_at"`
	// EndsAt is when it ended, or will end unless it is posted again.
	EndsAt    time.Time `json:"ends_at"`
	Generator string    `json:"generator,omitempty"`
	// Over says that it has ended; Expired that it was not posted again in time.
	Over    bool `json:"over,omitempty"`
	Expired bool `json:"expired,omitempty"`
}

// MostPosted is how many posted alerts may wait to be read.
const MostPosted = 50000

// ErrManyPosted says that so many posted alerts wait to be read that no more are taken.
var ErrManyPosted = errors.New("too many posted alerts wait to be read")

// Fingerprint names the alert by its labels, in 16 letters and digits.
func (p *Posted) Fingerprint() string {
	sum := sha256.Sum256([]byte(incident.Labels(p.Labels).Text()))
	return fmt.Sprintf("%x", sum[:8])
}

// Post keeps alerts for a source to read, in their order, and since when those that fire end by themselves.
func (tx *Tx) Post(ctx context.Context, source string, at time.Time, alerts []Posted) error {
	waiting, _, err := first(ctx, tx, func(r row, n *int) error { return r.Scan(n) }, "SELECT count(*) FROM posted WHERE source = $1", source)
	if err == nil && waiting+len(alerts) > MostPosted {
		err = ErrManyPosted
	}
	for i := range alerts {
		if err == nil {
			err = tx.post(ctx, source, at, &alerts[i])
		}
	}
	if err != nil {
		return fmt.Errorf("keep posted alerts: %w", err)
	}
	return nil
}

func (tx *Tx) post(ctx context.Context, source string, at time.Time, p *Posted) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	id, _, err := first(ctx, tx, func(r row, id *int64) error { return r.Scan(id) }, "UPDATE posted_head SET newest = newest + 1 WHERE id = 1 RETURNING newest")
	if err != nil {
		return err
	}
	if _, err := tx.exec(ctx, "INSERT INTO posted (id, source, at, alert) VALUES ($1, $2, $3, $4)", id, source, stamp(at), string(data)); err != nil {
		return err
	}
	if p.Over {
		_, err = tx.exec(ctx, "DELETE FROM posted_ends WHERE source = $1 AND fingerprint = $2", source, p.Fingerprint())
		return err
	}
	_, err = tx.exec(ctx, "INSERT INTO posted_ends (source, fingerprint, ends_at, alert) VALUES ($1, $2, $3, $4) "+
		"ON CONFLICT (source, fingerprint) DO UPDATE SET ends_at = excluded.ends_at, alert = excluded.alert", source, p.Fingerprint(), stamp(p.EndsAt), string(data))
	return err
}

// scanPosted reads an alert with its id and when it was posted.
func scanPosted(r row, p *postedRow) error {
	var data string
	if err := r.Scan(&p.id, stampInto{&p.at}, &data); err != nil {
		return err
	}
	return json.Unmarshal([]byte(data), &p.alert)
}

type postedRow struct {
	id    int64
	at    time.Time
	alert Posted
}

// expiring are the alerts of a source that were to be posted again by now, at most 200.
func (tx *Tx) expiring(ctx context.Context, source string, now time.Time) ([]postedRow, error) {
	return list(ctx, tx, scanPosted, "SELECT 0, ends_at, alert FROM posted_ends WHERE source = $1 AND ends_at <= $2 ORDER BY ends_at, fingerprint LIMIT 200", source, stamp(now))
}

// PostedEnds ends the alerts of a source that were to be posted again by now, and were not: each is posted as over. It says how many.
func (s *Store) PostedEnds(ctx context.Context, source string, now time.Time) (n int, err error) {
	due := func(tx *Tx) (rows []postedRow, err error) { return tx.expiring(ctx, source, now) }
	var rows []postedRow
	err = s.View(ctx, func(tx *Tx) (err error) {
		rows, err = due(tx)
		return err
	})
	if err == nil && len(rows) > 0 {
		err = s.Update(ctx, func(tx *Tx) error {
			rows, err := due(tx) // one may have been posted again meanwhile
			n = len(rows)
			for i := range rows {
				p := &rows[i].alert
				p.Over, p.Expired = true, true
				err = cmp.Or(err, tx.post(ctx, source, now, p))
			}
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("end posted alerts: %w", err)
	}
	return n, nil
}

// PostedBatch is what was posted for a source after a cursor, at most so many entries; without Data if there is nothing. project is the
// one that is watched. Received is left to the caller.
func (tx *Tx) PostedBatch(ctx context.Context, source string, from logs.Cursor, project string, most int) (logs.Batch, error) {
	after, err := postedID(from)
	if err != nil {
		return logs.Batch{}, err
	}
	rows, err := list(ctx, tx, scanPosted, "SELECT id, at, alert FROM posted WHERE source = $1 AND id > $2 ORDER BY id LIMIT $3", source, after, most)
	if err != nil {
		return logs.Batch{}, fmt.Errorf("read posted alerts: %w", err)
	}
	b := logs.Batch{Source: source, Offset: after, Cursor: from, CaughtUp: len(rows) < most}
	for i := range rows {
		line, err := rows[i].entry(project)
		if err != nil {
			return logs.Batch{}, fmt.Errorf("write entry of posted alert %d: %w", rows[i].id, err)
		}
		b.Data = append(append(b.Data, line...), '\n')
		b.Cursor = logs.Cursor(strconv.FormatInt(rows[i].id, 10))
	}
	return b, nil
}

// ForgetPosted deletes what a source has read up to a cursor.
func (tx *Tx) ForgetPosted(ctx context.Context, source string, upto logs.Cursor) error {
	id, err := postedID(upto)
	if err == nil {
		_, err = tx.exec(ctx, "DELETE FROM posted WHERE source = $1 AND id <= $2", source, id)
	}
	if err != nil {
		return fmt.Errorf("forget posted alerts: %w", err)
	}
	return nil
}

func postedID(c logs.Cursor) (int64, error) {
	if c == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(string(c), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read posted alerts after %q: %w", c, err)
	}
	return id, nil
}

// entry is the alert as a LogEntry in JSON, of the log tocsin/alertmanager.
func (r *postedRow) entry(project string) ([]byte, error) {
	p := &r.alert
	name, status := p.Labels["alertname"], "firing"
	if p.Over {
		status = "resolved"
	}
	message := cmp.Or(p.Annotations["summary"], p.Annotations["message"], p.Annotations["description"], name)
	payload := map[string]any{"alertname": name, "status": status, "fingerprint": p.Fingerprint(), "startsAt": p.StartsAt.UTC().Format(time.RFC3339Nano), "message": message}
	if len(p.Annotations) > 0 {
		payload["annotations"] = p.Annotations
	}
	if p.Over {
		payload["endsAt"] = p.EndsAt.UTC().Format(time.RFC3339Nano)
	}
	if p.Expired {
		payload["expired"] = true
	}
	if p.Generator != "" {
		payload["generatorURL"] = p.Generator
	}
	at := r.at.UTC().Format(time.RFC3339Nano)
	return json.Marshal(map[string]any{
		"logName": "projects/" + project + "/logs/tocsin%2Falertmanager", "timestamp": at, "receiveTimestamp": at, "insertId": fmt.Sprintf("posted-%d", r.id),
		"severity": postedSeverity(p), "labels": p.Labels, "jsonPayload": payload,
		"resource": map[string]any{"type": "alertmanager", "labels": map[string]string{"project_id": project}},
	})
}

// postedSeverity is a LogEntry's severity, by the label severity; INFO for what is over.
func postedSeverity(p *Posted) string {
	if p.Over {
		return "INFO"
	}
	switch strings.ToLower(p.Labels["severity"]) {
	case "critical", "page":
		return "CRITICAL"
	case "warning", "warn":
		return "WARNING"
	case "info", "none":
		return "INFO"
	}
	return "ERROR"
}
