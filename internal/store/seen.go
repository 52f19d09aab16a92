package store

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/incident"
)

// RuleTally is what a rule has come to.
type RuleTally struct {
	Rule string
	// Firing alerts are open now; it fired Fired times in all that is kept, Last being the last, of Incident, "" in shadow.
	Firing, Fired int
	Last          time.Time
	Incident      string
}

const (
	selectFired = "SELECT s.rule, s.fired, s.last, max(f.incident) FROM (SELECT rule, count(*) AS fired, max(at) AS last FROM firings GROUP BY rule) s " +
		"JOIN firings f ON f.rule = s.rule AND f.at = s.last GROUP BY s.rule, s.fired, s.last"
	selectFiringNow = "SELECT rule, count(*) FROM alerts WHERE state = 'firing' GROUP BY rule"
)

// RuleTallies are the rules that have ever fired, by name.
func (tx *Tx) RuleTallies(ctx context.Context) (map[string]RuleTally, error) {
	out := map[string]RuleTally{}
	_, err := list(ctx, tx, func(r row, _ *struct{}) error {
		var t RuleTally
		err := r.Scan(&t.Rule, &t.Fired, stampInto{&t.Last}, &t.Incident)
		out[t.Rule] = t
		return err
	}, selectFired)
	if err == nil {
		_, err = list(ctx, tx, func(r row, _ *struct{}) error {
			var rule string
			var n int
			err := r.Scan(&rule, &n)
			t := out[rule]
			t.Rule, t.Firing = rule, n
			out[rule] = t
			return err
		}, selectFiringNow)
	}
	if err != nil {
		return nil, fmt.Errorf("read what rules have come to: %w", err)
	}
	return out, nil
}

// RuleTally is what one rule has come to.
func (tx *Tx) RuleTally(ctx context.Context, rule string) (RuleTally, error) {
	t := RuleTally{Rule: rule}
	_, err := list(ctx, tx, func(r row, _ *struct{}) error { return r.Scan(&t.Fired, stampInto{&t.Last}) },
		"SELECT count(*), max(at) FROM firings WHERE rule = $1", rule)
	if err == nil {
		_, err = list(ctx, tx, func(r row, _ *struct{}) error { return r.Scan(&t.Firing) },
			"SELECT count(*) FROM alerts WHERE rule = $1 AND state = 'firing'", rule)
	}
	if err == nil && t.Fired > 0 {
		_, err = list(ctx, tx, func(r row, _ *struct{}) error { return r.Scan(&t.Incident) },
			"SELECT max(incident) FROM firings WHERE rule = $1 AND at = $2", rule, stamp(t.Last))
	}
	if err != nil {
		return t, fmt.Errorf("read what rule %s has come to: %w", rule, err)
	}
	return t, nil
}

const selectMark = "SELECT coalesce((SELECT max(id) FROM events), 0), coalesce((SELECT max(id) FROM notifications), 0), " +
	"(SELECT count(*) FROM notifications WHERE state IN ('pending', 'inflight')), coalesce((SELECT max(id) FROM troubles), 0), " +
	"coalesce((SELECT max(id) FROM trail), 0), coalesce((SELECT sum(revision + 1) FROM incidents WHERE state IN ('open', 'acknowledged')), 0)"

// Mark is a text that is another once something has changed that people look at. It is cheap to ask for.
func (tx *Tx) Mark(ctx context.Context) (string, error) {
	mark, _, err := first(ctx, tx, func(r row, text *string) error {
		var n [6]int64
		err := r.Scan(&n[0], &n[1], &n[2], &n[3], &n[4], &n[5])
		*text = fmt.Sprint(n)
		return err
	}, selectMark)
	if err != nil {
		return "", fmt.Errorf("look for changes: %w", err)
	}
	return mark, nil
}

// selectOpen reads without the alerts, as selectHeld does.
var selectOpen = selectIncidents + " WHERE state IN ('open', 'acknowledged') ORDER BY opened_at DESC, id DESC"

// OpenIncidents are all that are open or acknowledged, without their alerts, the newest first.
func (tx *Tx) OpenIncidents(ctx context.Context) ([]incident.Incident, error) {
	all, err := list(ctx, tx, scanIncident, selectOpen)
	if err != nil {
		return nil, fmt.Errorf("read open incidents: %w", err)
	}
	return all, nil
}
