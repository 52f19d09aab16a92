package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/internal/logs"
)

// Retention is how long what is over is kept; 0 is for ever.
type Retention struct {
	// Incidents is for those that are resolved, with all that belongs to them; Timeline for their timelines, Notifications for who was
	// told what. All count from the resolve.
	Incidents, Timeline, Notifications time.Duration
	// States is for what rules that are gone have counted, from when they were first missed, and for when rules fired.
	States time.Duration
	// Troubles is for troubles of tocsin's own and the times in which sources were blind, Silences for silences and overrides that have ended.
	Troubles, Silences time.Duration
}

// Pruned counts the rows that were deleted, by what they were, one of Prunable.
type Pruned map[string]int64

// Prunable are the kinds of what is deleted; series are what charts are drawn of, which are kept for SeriesKept.
var Prunable = []string{"incidents", "timeline", "notifications", "states", "troubles", "silences", "series"}

// ended is an incident i that was over at $1 and of which nothing is left to be done: nothing fires in it, nothing of it waits, it
// stands for nothing and nothing that goes on stands for it.
const ended = `i.state IN ('resolved', 'merged') AND i.resolved_at <= $1 AND (i.held_until IS NULL OR i.held_until <= $1)
	AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.incident = i.id AND a.state = 'firing')
	AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.incident = i.id AND n.state IN ('pending', 'inflight'))
	AND NOT EXISTS (SELECT 1 FROM incidents m WHERE m.id = i.merged_into AND m.state IN ('open', 'acknowledged'))
	AND NOT EXISTS (SELECT 1 FROM storms s JOIN incidents o ON o.id = s.storm WHERE s.incident = i.id AND o.state IN ('open', 'acknowledged'))
	AND NOT EXISTS (SELECT 1 FROM storms s JOIN incidents o ON o.id = s.incident WHERE s.storm = i.id AND o.state IN ('open', 'acknowledged'))`

const (
	pruneEvents = "DELETE FROM events WHERE id IN (SELECT e.id FROM events e JOIN incidents i ON i.id = e.incident WHERE " + ended + " LIMIT $2)"
	// A message that was given up and may still stand as open is kept with its incident: what a provider shows of it is this store's own.
	pruneNotifications = "DELETE FROM notifications WHERE id IN (SELECT r.id FROM notifications r JOIN incidents i ON i.id = r.incident WHERE " + ended +
		" AND NOT (r.state = 'cancelled' AND r.receipt <> '') LIMIT $2)"
	selectEnded    = "SELECT i.id FROM incidents i WHERE " + ended + " ORDER BY i.resolved_at, i.id LIMIT $2"
	pruneShadow    = "DELETE FROM alerts WHERE incident = '' AND (rule, grp) IN (SELECT rule, grp FROM alerts WHERE incident = '' AND state = 'resolved' AND resolved_at <= $1 LIMIT $2)"
	pruneTroubles  = "DELETE FROM troubles WHERE id IN (SELECT id FROM troubles WHERE at <= $1 AND NOT stands AND id < (SELECT newest FROM troubles_head) AND id <= $3 ORDER BY id LIMIT $2)"
	pruneBlind     = "DELETE FROM blind_spans WHERE (source, since_at) IN (SELECT source, since_at FROM blind_spans WHERE until_at <= $1 LIMIT $2)"
	pruneFirings   = "DELETE FROM firings WHERE (rule, at, grp) IN (SELECT rule, at, grp FROM firings WHERE at <= $1 LIMIT $2)"
	pruneSilences  = "DELETE FROM silences WHERE id IN (SELECT id FROM silences WHERE ends <= $1 AND due IS NULL LIMIT $2)"
	pruneProbes    = "DELETE FROM probe_series WHERE (source, at) IN (SELECT source, at FROM probe_series WHERE at <= $1 LIMIT $2)"
	pruneRules     = "DELETE FROM rule_series WHERE (rule, at) IN (SELECT rule, at FROM rule_series WHERE at <= $1 LIMIT $2)"
	pruneOverrides = "DELETE FROM overrides WHERE id IN (SELECT id FROM overrides WHERE to_at <= $1 LIMIT $2)"
	pruneStates    = "DELETE FROM states WHERE rule = $1 AND grp IN (SELECT s.grp FROM states s WHERE s.rule = $1 AND NOT s.firing AND s.due IS NULL AND " +
		"NOT EXISTS (SELECT 1 FROM alerts a WHERE a.rule = s.rule AND a.grp = s.grp AND a.state = 'firing') LIMIT $2)"
)

// Prune deletes of what is over longer than it is to be kept at most so many rows, the alerts of incidents aside, and says how many
// of each; full says that there may be more. What is open, acknowledged, firing, waiting or still to be read is not touched, whatever
// its age. known says of a rule that it is in the configuration. Room that it leaves is given back to the disk bit by bit.
func (s *Store) Prune(ctx context.Context, now time.Time, keep Retention, known func(rule string) bool, most int) (done Pruned, full bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		done = Pruned{}
		p := &pruning{tx: tx, now: now, left: int64(most), done: done}
		if err := p.all(ctx, keep, known); err != nil {
			return err
		}
		full = p.left <= 0
		if len(done) > 0 && s.inFile() {
			_, err := tx.exec(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", most))
			return err
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("forget what is over: %w", err)
	}
	return done, full, nil
}

// Bytes is the size of the database's file with its log; false where it is in none.
func (s *Store) Bytes() (int64, bool) {
	if s.path == "" {
		return 0, false
	}
	return fileSize(s.path), true
}

// pruning is one transaction of it.
type pruning struct {
	tx   *Tx
	now  time.Time
	left int64
	done Pruned
}

func (p *pruning) all(ctx context.Context, keep Retention, known func(rule string) bool) error {
	own, err := p.tx.Source(ctx, logs.OwnSource)
	if err != nil {
		return err
	}
	read := int64(0) // what no rule has been asked of yet is kept
	if own.Cursor != "" {
		if _, err := fmt.Sscan(string(own.Cursor), &read); err != nil {
			return fmt.Errorf("read cursor of %s: %w", own.Name, err)
		}
	}
	for _, each := range []struct {
		what string
		keep time.Duration
		text string
		more []any
	}{
		{"timeline", keep.Timeline, pruneEvents, nil},
		{"notifications", keep.Notifications, pruneNotifications, nil},
		{"timeline", keep.Incidents, pruneEvents, nil},
		{"notifications", keep.Incidents, pruneNotifications, nil},
		{"incidents", keep.Incidents, pruneShadow, nil},
		{"states", keep.States, pruneFirings, nil},
		{"troubles", keep.Troubles, pruneTroubles, []any{read}},
		{"troubles", keep.Troubles, pruneBlind, nil},
		{"silences", keep.Silences, pruneSilences, nil},
		{"silences", keep.Silences, pruneOverrides, nil},
		{"series", SeriesKept, pruneProbes, nil},
		{"series", SeriesKept, pruneRules, nil},
	} {
		if each.keep > 0 {
			if err := p.delete(ctx, each.what, each.text, append([]any{stamp(p.now.Add(-each.keep)), p.left}, each.more...)...); err != nil {
				return err
			}
		}
	}
	if keep.Incidents > 0 {
		if err := p.incidents(ctx, p.now.Add(-keep.Incidents)); err != nil {
			return err
		}
	}
	if keep.States > 0 {
		return p.states(ctx, keep.States, known)
	}
	return nil
}

// delete runs a statement that deletes, unless enough was deleted.
func (p *pruning) delete(ctx context.Context, what, text string, args ...any) error {
	if p.left <= 0 {
		return nil
	}
	n, err := p.tx.exec(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if n > 0 {
		p.done[what] += n
		p.left -= n
	}
	return nil
}

// incidents deletes whole incidents of which the long lists are gone.
func (p *pruning) incidents(ctx context.Context, before time.Time) error {
	if p.left <= 0 {
		return nil
	}
	ids, err := list(ctx, p.tx, scanID, selectEnded, stamp(before), p.left)
	if err != nil {
		return fmt.Errorf("incidents: %w", err)
	}
	for _, id := range ids {
		for _, text := range []string{
			"DELETE FROM alerts WHERE incident = $1", "DELETE FROM storms WHERE incident = $1 OR storm = $1",
			"DELETE FROM events WHERE incident = $1", "DELETE FROM notifications WHERE incident = $1",
		} {
			if _, err := p.tx.exec(ctx, text, id); err != nil {
				return fmt.Errorf("incident %s: %w", id, err)
			}
		}
		if err := p.delete(ctx, "incidents", "DELETE FROM incidents WHERE id = $1", id); err != nil {
			return err
		}
	}
	return nil
}

// goneSince begins the name of the fact that says since when a rule is missed.
const goneSince = "rule_gone_since/"

// states deletes what rules have counted that are gone for long enough: one that comes back soon goes on.
func (p *pruning) states(ctx context.Context, keep time.Duration, known func(rule string) bool) error {
	have, err := list(ctx, p.tx, scanID, "SELECT DISTINCT rule FROM states")
	if err != nil {
		return fmt.Errorf("states: %w", err)
	}
	type fact struct{ name, value string }
	facts, err := list(ctx, p.tx, func(r row, f *fact) error { return r.Scan(&f.name, &f.value) },
		"SELECT name, value FROM facts WHERE name >= $1 AND name < $2", goneSince, goneSince[:len(goneSince)-1]+"0") // 0 comes after /
	if err != nil {
		return fmt.Errorf("states: %w", err)
	}
	missed := map[string]string{}
	for _, f := range facts {
		missed[f.name[len(goneSince):]] = f.value
	}
	for _, rule := range have {
		since, noted := missed[rule]
		delete(missed, rule)
		at, err := time.Parse(time.RFC3339, since)
		switch {
		case known(rule):
			if noted {
				missed[rule] = since // it is back
			}
			continue
		case err != nil:
			if err := p.tx.SetFact(ctx, goneSince+rule, p.now.UTC().Format(time.RFC3339)); err != nil {
				return err
			}
		case p.now.Sub(at) >= keep:
			if err := p.delete(ctx, "states", pruneStates, rule, p.left); err != nil {
				return err
			}
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(missed)) {
		if _, err := p.tx.exec(ctx, "DELETE FROM facts WHERE name = $1", goneSince+rule); err != nil {
			return fmt.Errorf("states: %w", err)
		}
	}
	return nil
}
