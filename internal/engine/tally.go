package engine

import (
	"time"

	"tocsin/rules"
)

// Tally is what became of a rule in some time, or, under the name "", of all of them together. It is known to this process only.
type Tally struct {
	// Matches are the entries that matched and were committed; of all together, the entries of which the filters were asked.
	Matches int64
	// Spent is the rule's share of the time that the transactions took in which they were judged, by its part of their matches; of all
	// together, how long it took to ask the filters. Those are one machine: what one of them takes of it is not known.
	Spent time.Duration
}

// Tallies are what became of each rule since this was asked for last. Rules without a match are not among them.
func (e *Engine) Tallies() map[string]Tally {
	e.lock()
	defer e.mu.Unlock()
	out := e.tallies
	e.tallies = nil
	return out
}

// tally adds to what became of a rule. In virtual time nobody asks.
func (e *Engine) tally(rule string, matches int64, spent time.Duration) {
	if e.o.Virtual || matches == 0 {
		return
	}
	if e.tallies == nil {
		e.tallies = map[string]Tally{}
	}
	t := e.tallies[rule]
	t.Matches += matches
	t.Spent += spent
	e.tallies[rule] = t
}

// share divides the time that a transaction took among the rules whose matches it judged.
func (e *Engine) share(judged []rules.Hit, took time.Duration) {
	if e.o.Virtual || len(judged) == 0 {
		return
	}
	matched := map[string]int64{}
	all := int64(0)
	for i := range judged {
		if !judged[i].Sign() {
			matched[judged[i].Rule.Name]++
			all++
		}
	}
	for rule, n := range matched {
		e.tally(rule, n, time.Duration(int64(took)/all*n))
	}
}
