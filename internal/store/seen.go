package store

import (
	"context"
	"fmt"
	"time"
)

// RuleTally is what a rule has come to, in all that is kept.
type RuleTally struct {
	Rule string
	// Firing alerts are open now, of Alerts in all; Last is when an entry matched last that made or fed one, Incident the one of that alert, ""
	// in shadow.
	Firing, Alerts int
	Last           time.Time
	Incident       string
}

const selectRuleTallies = "SELECT s.rule, s.firing, s.alerts, s.last, max(a.incident) FROM " +
	"(SELECT rule, sum(CASE WHEN state = 'firing' THEN 1 ELSE 0 END) AS firing, count(*) AS alerts, max(last) AS last FROM alerts GROUP BY rule) s " +
	"JOIN alerts a ON a.rule = s.rule AND a.last = s.last GROUP BY s.rule, s.firing, s.alerts, s.last"

// RuleTallies are the rules that have ever fired, by name.
func (tx *Tx) RuleTallies(ctx context.Context) (map[string]RuleTally, error) {
	all, err := list(ctx, tx, func(r row, s *RuleTally) error {
		return r.Scan(&s.Rule, &s.Firing, &s.Alerts, stampInto{&s.Last}, &s.Incident)
	}, selectRuleTallies)
	if err != nil {
		return nil, fmt.Errorf("read what rules have come to: %w", err)
	}
	out := make(map[string]RuleTally, len(all))
	for _, s := range all {
		out[s.Rule] = s
	}
	return out, nil
}

const selectMark = "SELECT coalesce((SELECT max(id) FROM events), 0), coalesce((SELECT max(id) FROM notifications), 0), " +
	"(SELECT count(*) FROM notifications WHERE state IN ('pending', 'inflight')), coalesce((SELECT max(id) FROM troubles), 0), " +
	"coalesce((SELECT max(id) FROM trail), 0), coalesce((SELECT sum(revision) FROM incidents WHERE state IN ('open', 'acknowledged')), 0)"

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
