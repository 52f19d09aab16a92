package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/rules"
)

// orphanQuiet is how long the alert of a rule that is gone stays after its last entry, if nobody resolves it.
const orphanQuiet = 24 * time.Hour

// settleIn makes the store fit the program: which rules fire, which alerts have lost their rule, which groups must be watched
// though they have never spoken.
func (e *Engine) settleIn(ctx context.Context) error {
	firing := map[string]int{}
	set := e.o.Program.Evaluator.Set
	err := e.store.Update(ctx, func(tx *store.Tx) error {
		clear(firing)
		alerts, err := tx.FiringAlerts(ctx)
		if err != nil {
			return err
		}
		for i := range alerts {
			a := &alerts[i]
			firing[a.Rule]++
			gone := set.Rule(a.Rule) == nil && !a.Declared()
			if gone == a.Orphaned {
				continue
			}
			a.Orphaned = gone
			if err := tx.SaveAlert(ctx, a); err != nil {
				return err
			}
			if gone {
				if err := e.awaitOrphan(ctx, tx, a); err != nil {
					return err
				}
			}
		}
		for _, r := range set.Rules {
			if err := e.expect(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil { // else the program of before stays in force, with what it knows
		e.firing, e.settled, e.aside = firing, false, map[string]bool{}
	}
	return err
}

// firingRules is how many alerts of each rule fire.
func firingRules(ctx context.Context, tx *store.Tx) (map[string]int, error) {
	alerts, err := tx.FiringAlerts(ctx)
	firing := map[string]int{}
	for i := range alerts {
		firing[alerts[i].Rule]++
	}
	return firing, err
}

// ownTroubles reports the rules that were put aside, and ends what was reported of those of another program: this one tries them
// again.
func (e *Engine) ownTroubles(ctx context.Context, tx *store.Tx, aside map[string]rules.Aside, now time.Time) error {
	if e.o.Virtual {
		return nil
	}
	if !e.settled {
		all, err := tx.Standing(ctx)
		if err != nil {
			return err
		}
		for _, t := range all {
			rule := t.Labels["rule"]
			if _, still := aside[rule]; still || t.Kind != "rule_quarantined" && (t.Kind != "template_failed" && t.Kind != "groups_folded" || e.o.Program.Evaluator.Set.Rule(rule) != nil) {
				continue
			}
			if err := tx.Report(ctx, store.Trouble{Kind: t.Kind, Labels: t.Labels, At: now, Over: true, Text: "the rules were loaded anew"}); err != nil {
				return err
			}
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(aside)) {
		if e.aside[rule] {
			continue
		}
		if err := tx.Report(ctx, store.Trouble{Kind: "rule_quarantined", Labels: map[string]string{"rule": rule}, At: now, Text: aside[rule].Why}); err != nil {
			return err
		}
	}
	return nil
}

// awaitOrphan lets the state of an alert whose rule is gone wait for its end.
func (e *Engine) awaitOrphan(ctx context.Context, tx *store.Tx, a *incident.Alert) error {
	row, ok, err := tx.State(ctx, a.Key)
	if err != nil || !ok {
		return err
	}
	row.Due = a.Last.Add(orphanQuiet)
	return tx.SaveState(ctx, row)
}

// endOrphan ends what a rule that is gone has left.
func (e *Engine) endOrphan(ctx context.Context, tx *store.Tx, key incident.Key, now time.Time) error {
	cur, ok, err := tx.FiringAlert(ctx, key)
	if err != nil {
		return err
	}
	if ok && cur.Incident != "" {
		c := rules.Change{Kind: rules.Resolved, Alert: cur, At: now, How: "its rule is gone, and it has been quiet for a day"}
		if err := e.within(ctx, tx, cur, &c, func(b *incident.Book) { b.Clear(cur.Incident, key, c.How) }); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if ok && cur.Incident == "" { // of mode shadow: it is nobody's
		cur.State, cur.ResolvedAt = incident.AlertResolved, now
		if err := tx.SaveAlert(ctx, &cur); err != nil {
			return err
		}
	}
	return tx.DeleteState(ctx, key)
}

// expect makes sure that the groups which a rule lists have a state, so that their silence is noticed.
func (e *Engine) expect(ctx context.Context, tx *store.Tx, r *rules.Rule) error {
	for _, g := range r.Groups() {
		key := incident.Key{Rule: r.Name, Group: g.Text()}
		if _, ok, err := tx.State(ctx, key); err != nil || ok {
			if err != nil {
				return err
			}
			continue
		}
		st := &rules.State{Group: g}
		body, err := st.Encode()
		if err != nil {
			return err
		}
		if err := tx.SaveState(ctx, store.GroupState{Key: key, Hash: r.Hash, Body: body, Due: time.Unix(0, 1).UTC()}); err != nil {
			return err
		}
	}
	return nil
}
