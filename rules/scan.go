package rules

import (
	"errors"
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
)

// skew is how far ahead of a batch's clock the entries in it may be dated to count as signs of life of what fires in that batch itself.
const skew = 2 * time.Minute

// lively is what is asked of every entry, and who is alive of some rules. It is not changed.
type lively struct {
	of       *inForce
	rules    []*Rule
	watch    *lql.Set
	watchers []asked
}

// Hit is an entry that a filter of a rule matched.
type Hit struct {
	Rule  *Rule
	Role  string
	Entry *logs.Entry
	// Group are the labels of the group it belongs to, Key the rule and that group.
	Group incident.Labels
	Key   incident.Key
}

// Sign says that the entry is only a sign of life, asked for because the rule fires.
func (h *Hit) Sign() bool { return h.Role == roleAlive }

// Firing says which rules have alerts that fire, or may come to by what matched before. The zero Firing says that of none.
type Firing struct {
	// All says that any may.
	All bool
	// Rules are, by name, those that have such alerts, with the zero time, and those that have only matches which wait to be judged,
	// with the time of the earliest.
	Rules map[string]time.Time
	// Elsewhere says that another process judges what matches, and what of it waits there is not known here.
	Elsewhere bool
}

// Covers says whether a scan with was said to fire has asked for all that one with now would.
func (s *Set) Covers(was, now Firing) bool {
	if was.All {
		return true
	}
	for rule, at := range now.Rules {
		if r := s.byName[rule]; r == nil || r.resolves.alive == nil {
			continue
		}
		since, ok := was.Rules[rule]
		if !ok || !since.IsZero() && at.Before(since) { // the zero time is before all others
			return false
		}
	}
	return !now.All && (was.Elsewhere || !now.Elsewhere)
}

// Scan asks all rules once of a batch. clock is the source's clock before it. Only rules that have, or in this batch may come to have, alerts
// that fire are asked who is alive, and of those that only may, nothing that is too early to count. Hits come in the order of the entries,
// then of the rules. A rule that makes the scan panic is put aside (see Aside), and the others are asked again. It may run beside
// another, and beside an Evaluator's Step.
func (s *Set) Scan(b logs.Batch, clock time.Time, firing Firing) ([]Hit, logs.Progress, error) {
	for {
		before := s.inForce.Load()
		hits, progress, err := s.scan(b, clock, firing)
		if p := (*panicked)(nil); !errors.As(err, &p) || s.blame(b, clock) == 0 && s.inForce.Load() == before {
			return hits, progress, err
		}
	}
}

func (s *Set) scan(b logs.Batch, clock time.Time, firing Firing) ([]Hit, logs.Progress, error) {
	in := s.inForce.Load()
	hits, progress, err := s.ask(b, clock, in.watch, in.watchers)
	if err != nil {
		return nil, progress, err
	}
	first := map[*Rule]time.Time{} // the earliest match of each rule that may come to fire in here
	for _, h := range hits {
		if t, ok := first[h.Rule]; !ok || h.Entry.Time().Before(t) {
			first[h.Rule] = h.Entry.Time()
		}
	}
	living := s.alive(&firing, first, progress.Clock)
	if len(living) == 0 {
		return hits, progress, nil
	}
	l := s.lively.Load()
	if l == nil || l.of != in || !slices.Equal(living, l.rules) {
		l = in.with(living)
		s.lively.Store(l)
	}
	return s.ask(b, clock, l.watch, l.watchers)
}

// with asks also who is alive of some rules.
func (in *inForce) with(living []*Rule) *lively {
	filters, watchers := slices.Clone(in.filters), slices.Clone(in.watchers)
	for _, r := range living {
		filters = append(filters, r.resolves.alive)
		watchers = append(watchers, asked{rule: r, role: roleAlive})
	}
	return &lively{of: in, rules: living, watch: lql.Compile(filters), watchers: watchers}
}

// alive are the rules that are asked who is alive in a batch in which rules matched first at such times, and that brings the clock to a time.
func (s *Set) alive(firing *Firing, first map[*Rule]time.Time, clock time.Time) (living []*Rule) {
	asks := map[*Rule]bool{}
	consider := func(r *Rule) {
		if r != nil && r.resolves.alive != nil && !s.IsAside(r.Name) && r.asksAlive(firing, first, clock) {
			asks[r] = true
		}
	}
	for name := range firing.Rules {
		consider(s.byName[name])
	}
	for r := range first {
		consider(r)
	}
	if len(asks) == 0 && !firing.All {
		return nil // most often; the rules are many
	}
	for _, r := range s.Rules {
		if firing.All {
			consider(r)
		}
		if asks[r] {
			living = append(living, r)
		}
	}
	return living
}

// asksAlive says whether what shows a rule's groups alive can count, in a batch that brings the clock to a time. An alert that is still to
// fire is quiet for long enough only `after` behind its newest match, and who was seen alive more than AliveWithin before that does not count.
func (r *Rule) asksAlive(firing *Firing, first map[*Rule]time.Time, clock time.Time) bool {
	since, fires := firing.Rules[r.Name]
	if firing.All || fires && since.IsZero() {
		return true
	}
	t, matched := first[r]
	if matched && firing.Elsewhere {
		return true
	}
	if matched && (since.IsZero() || t.Before(since)) {
		since = t
	}
	return (fires || matched) && !clock.Add(skew).Before(since.Add(r.resolves.after-AliveWithin))
}

// ask scans a batch with one compiled set. A panic comes back as an error.
func (s *Set) ask(b logs.Batch, clock time.Time, set *lql.Set, watchers []asked) (hits []Hit, progress logs.Progress, err error) {
	defer func() {
		if p := recover(); p != nil {
			hits, err = nil, &panicked{caught(p)}
		}
	}()
	progress, err = set.Scan(b, clock, func(e *logs.Entry, matched []int) {
		for _, i := range matched {
			w := watchers[i]
			if !w.rule.from(b.Source) {
				continue
			}
			h := Hit{Rule: w.rule, Role: w.role, Entry: e}
			if n := len(hits); n > 0 && hits[n-1].Rule == h.Rule && h.Rule.within(hits[n-1].Group, e) { // as in a flood
				h.Group, h.Key = hits[n-1].Group, hits[n-1].Key
			} else {
				h.Group = h.Rule.group(e)
				h.Key = incident.Key{Rule: h.Rule.Name, Group: h.Group.Text()}
			}
			hits = append(hits, h)
		}
	})
	return hits, progress, err
}
