package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/store"
	"tocsin/internal/words"
	"tocsin/rules"
)

// Standing is how a rule stands at a time, over recorded entries.
type Standing struct {
	Rule string    `json:"rule"`
	At   string    `json:"position"`
	Time time.Time `json:"time"`
	// Entries is how many were read up to then, Matched how many of them the rule's filters let through.
	Entries int `json:"entries"`
	Matched int `json:"matched"`
	// Gates are those of the rule as a whole.
	Gates []Gate `json:"gates"`
	// Near is, if none matched, the entry that came nearest, with the clauses that said no.
	Near *NearEntry `json:"near,omitempty"`
	// Groups are those that the rule remembers, most recent first; More is how many there are beside.
	Groups []GroupStanding `json:"groups"`
	More   int             `json:"more,omitempty"`
}

// NearEntry is an entry that a filter nearly matched.
type NearEntry struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
	Clauses []Clause  `json:"clauses"`
}

// GroupStanding is how one group of a rule stands.
type GroupStanding struct {
	Group   incident.Labels `json:"group"`
	Gates   []Gate          `json:"gates"`
	Verdict string          `json:"verdict"`
}

// mostGroups is how many groups are shown; nearLooked among how many entries the nearest is looked for.
const (
	mostGroups = 20
	nearLooked = 20_000
)

// Standing plays entries up to a time and says how the rule stands then, gate by gate.
func (p *Plan) Standing(ctx context.Context, next func() (logs.Batch, error), name string, at time.Time) (*Standing, error) {
	r, err := p.rule(name)
	if err != nil {
		return nil, err
	}
	x := &Standing{Rule: r.Name, At: r.Position.String(), Time: at.UTC(), Groups: []GroupStanding{}}
	watch := &watching{x: x, rule: r, set: rules.NewSet([]*rules.Rule{r}), until: at}
	w := newWitness()
	replay := &Replay{Plan: p, Entries: func() (logs.Batch, error) { return watch.next(next) }, Tell: w, Until: at,
		Keep: func(ctx context.Context, db *store.Store) error { return p.groupsAt(ctx, db, r, at, x) }}
	if err := replay.Run(ctx); err != nil {
		return nil, fmt.Errorf("play entries up to %s: %w", at.Format(time.RFC3339), err)
	}
	g := Gate{Gate: "filter", Answer: Yes, Text: fmt.Sprintf("%d of %s matched", x.Matched, plural2(x.Entries, "entry", "entries"))}
	if x.Matched == 0 {
		g.Answer = No
		x.Near = watch.nearest()
	} else if !watch.last.IsZero() {
		g.Text += ", the newest at " + watch.last.UTC().Format(time.RFC3339)
	}
	x.Gates = marked([]Gate{g, {Gate: "detect", Answer: May, Text: detectionOf(r) + forText(r) + "; it resolves " + r.Resolving()}, modeGate(r)})
	return x, nil
}

func forText(r *rules.Rule) string {
	if r.For == 0 {
		return ""
	}
	return ", for " + words.Duration(r.For)
}

func plural2(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// watching counts on the way what a rule's filters let through.
type watching struct {
	x      *Standing
	rule   *rules.Rule
	set    *rules.Set
	until  time.Time
	clock  time.Time
	last   time.Time
	near   *logs.Entry
	clause lql.Clause
}

// next is the next batch, cut off behind the time: what is later has not come yet.
func (w *watching) next(from func() (logs.Batch, error)) (logs.Batch, error) {
	b, err := from()
	if err != nil {
		return b, err
	}
	cut, clock, over := len(b.Data), w.clock, false
	progress := b.Walk(w.clock, func(e *logs.Entry) bool {
		if e.Clock.After(w.until) {
			cut, over = int(e.Offset-b.Offset), true
			return false
		}
		w.x.Entries++
		if w.x.Matched == 0 && w.x.Entries <= nearLooked {
			w.look(e)
		}
		return true
	})
	w.clock = progress.Clock
	b.Data = b.Data[:cut]
	if over && cut == 0 {
		return logs.Batch{}, io.EOF
	}
	hits, _, err := w.set.Scan(b, clock, rules.Firing{})
	if err != nil {
		return b, fmt.Errorf("ask rule %s: %w", w.rule.Name, err)
	}
	for _, h := range hits {
		if !h.Sign() {
			w.x.Matched++
			w.last = later(w.last, h.Entry.Time())
		}
	}
	return b, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// look remembers the entry that comes nearest.
func (w *watching) look(e *logs.Entry) {
	c := w.rule.Filter.Explain(e)
	if w.near == nil || c.Misses < w.clause.Misses {
		w.near, w.clause = e.Own(), c
		w.near.Raw = bytes.Clone(e.Raw) // the batch may be read over
	}
}

// nearest is the entry that came nearest, if any came.
func (w *watching) nearest() *NearEntry {
	if w.near == nil {
		return nil
	}
	n := &NearEntry{Time: w.near.Time().UTC(), Message: clip(w.near.Message())}
	for _, c := range w.clause.Refused() {
		n.Clauses = append(n.Clauses, flatClause(c))
	}
	return n
}

// groupsAt reads how the groups of a rule stand.
func (p *Plan) groupsAt(ctx context.Context, db *store.Store, r *rules.Rule, at time.Time, x *Standing) error {
	return db.View(ctx, func(tx *store.Tx) error {
		all, err := tx.RuleStates(ctx, r.Name)
		if err != nil {
			return err
		}
		type one struct {
			key incident.Key
			st  *rules.State
		}
		var list []one
		for _, row := range all {
			st, err := rules.DecodeState(row.Body)
			if err != nil {
				return err
			}
			if !st.Empty() {
				list = append(list, one{row.Key, st})
			}
		}
		slices.SortStableFunc(list, func(a, b one) int { return newestOf(b.st).Compare(newestOf(a.st)) })
		if len(list) > mostGroups {
			x.More, list = len(list)-mostGroups, list[:mostGroups]
		}
		for _, o := range list {
			g, err := p.groupAt(ctx, tx, r, o.key, o.st, at)
			if err != nil {
				return err
			}
			x.Groups = append(x.Groups, g)
		}
		return nil
	})
}

// newestOf is the time of the newest entry that a state knows of.
func newestOf(st *rules.State) time.Time {
	var t time.Time
	for _, run := range st.Runs {
		t = later(t, run.To)
	}
	if st.Alert != nil {
		t = later(t, st.Alert.Last)
	}
	return t
}
