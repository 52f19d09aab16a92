package lql

import (
	"slices"
	"strings"

	"tocsin/internal/logs"
)

// plan is how a set looks through one form of batches.
type plan struct {
	needles []needle
	grams   []*grams
	pointed []int // the filters that have needles
	logged  []int // those of them whose needles are of a log's name

	rest      []int // those that have none
	restIndex *index

	// What is to be read of an entry: for the filters without needles, for all, and both with the times that move the clock.
	restWant, want, restTimes, times *logs.Want
	// whole says of each filter whether it looks through all of an entry.
	whole     []bool
	restWhole bool
}

// newPlan makes a plan by the needles that needlesOf finds.
func newPlan(filters []*Filter, shared *sharing, needlesOf func(Node) ([]needle, bool)) *plan {
	p := &plan{}
	found := make([][]needle, len(filters))
	every := false // some filter must be asked of every entry
	for i, f := range filters {
		if f == nil {
			continue
		}
		if f.Root != nil {
			found[i], _ = needlesOf(f.Root)
		}
		every = every || found[i] == nil
	}
	rest := make([]*Filter, len(filters))
	byNeedle := map[string]int{}
	for i, f := range filters {
		switch {
		case f == nil:
		case found[i] != nil && (!every || !isCommon(f, found[i])):
			p.point(i, found[i], byNeedle)
		default:
			rest[i] = f
			p.rest = append(p.rest, i)
		}
	}
	p.restIndex = newIndex(rest, shared)
	p.grams = newGrams(p.needles)
	p.wants(filters, rest)
	return p
}

// isCommon says whether a filter's needles are in so many lines that it is cheaper to ask for its values, once all lines are
// read anyway.
func isCommon(f *Filter, found []needle) bool {
	rank := rankOf(found)
	if rank < 0 || rank >= payloadRank {
		return rank < 0
	}
	_, ok := bestGuard(f)
	return ok
}

// point notes the needles of a filter; those that are alike are looked for once.
func (p *plan) point(filter int, found []needle, byNeedle map[string]int) {
	p.pointed = append(p.pointed, filter)
	if slices.ContainsFunc(found, func(n needle) bool { return n.log }) {
		p.logged = append(p.logged, filter)
	}
	for _, n := range found {
		key := n.text
		if n.holds != nil {
			key += "\x00" + derived(n.holds.node).src
		}
		at, ok := byNeedle[key]
		if !ok {
			at = len(p.needles)
			byNeedle[key] = at
			p.needles = append(p.needles, n)
		}
		rules := &p.needles[at].rules
		if !slices.Contains(*rules, int32(filter)) {
			*rules = append(*rules, int32(filter))
		}
	}
}

// wants works out what is to be read of lines.
func (p *plan) wants(filters, rest []*Filter) {
	clock := [][]string{{"timestamp"}, {"receiveTimestamp"}}
	const inAll, inRest = 1, 2
	seen := map[string]int{} // paths, once each: filters ask for the same few
	var all, ofRest [][]string
	p.whole = make([]bool, len(filters))
	for i, f := range filters {
		if f == nil || f.Root == nil {
			continue
		}
		eachPath(f.Root, func(path []string) {
			if path == nil {
				p.whole[i] = true
				p.restWhole = p.restWhole || rest[i] != nil
				return
			}
			key := strings.Join(path, "\x00")
			was := seen[key]
			if was&inAll == 0 {
				all = append(all, path)
				seen[key] |= inAll
			}
			if rest[i] != nil && was&inRest == 0 {
				ofRest = append(ofRest, path)
				seen[key] |= inRest
			}
		})
	}
	p.want, p.restWant = logs.NewWant(all...), logs.NewWant(ofRest...)
	p.times, p.restTimes = logs.NewWant(append(all, clock...)...), logs.NewWant(append(ofRest, clock...)...)
	if p.restWhole {
		p.want, p.restWant, p.times, p.restTimes = everything, everything, everything, everything
	}
}
