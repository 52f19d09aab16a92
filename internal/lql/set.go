package lql

import (
	"slices"
	"strings"
	"sync"

	"tocsin/internal/logs"
)

// Set is a number of filters that are asked together. It does not change and may be used by many goroutines at once.
//
// Of most filters it knows a needle, a text that a line must hold for the filter to match: it looks for the needles of all
// filters in the bytes of a whole batch, and reads only the lines that hold one, or that may hide one. The filters without
// a needle are asked of every line. Only what is asked for is taken out of a line.
type Set struct {
	roots  []step
	leaves []*leaf
	index  *index

	needles []needle
	grams   []*grams
	pointed []int // the filters that have needles

	rest      []int // those that have none
	restIndex *index

	// What is to be read of a line: for the filters without needles, for all, and both with the times that move the clock.
	restWant, want, restTimes, times *logs.Want
	// whole says of each filter whether it looks through all of an entry.
	whole     []bool
	restWhole bool

	scanners sync.Pool
}

// everything asks for all of an entry.
var everything = logs.NewWant(nil)

// step is a node of a filter's tree with its leaves shared: equal comparisons of different filters are asked once an entry.
type step struct {
	kind  stepKind
	leaf  int
	items []step
}

type stepKind uint8

const (
	always stepKind = iota
	never
	oneLeaf
	allOf
	anyOf
	not
)

// Compile makes a set. Filters are known by their place in the slice; a nil one matches nothing.
func Compile(filters []*Filter) *Set {
	s := &Set{}
	shared := sharing{byText: map[string]int{}, byNode: map[Node]int{}}
	found := make([][]needle, len(filters))
	every := false // some filter must be asked of every line
	for i, f := range filters {
		if f == nil {
			continue
		}
		if f.Root != nil {
			s.share(f.Root, &shared)
			found[i], _ = needlesOf(f.Root)
		}
		every = every || found[i] == nil
	}
	rest := make([]*Filter, len(filters))
	byNeedle := map[string]int{}
	for i, f := range filters {
		switch {
		case f == nil:
			s.roots = append(s.roots, step{kind: never})
			continue
		case f.Root == nil:
			s.roots = append(s.roots, step{kind: always})
		default:
			s.roots = append(s.roots, s.compile(f.Root, &shared))
			if found[i] != nil && !(every && isCommon(f, found[i])) {
				s.point(i, found[i], byNeedle)
				continue
			}
		}
		rest[i] = f
		s.rest = append(s.rest, i)
	}
	s.index, s.restIndex = newIndex(filters, &shared), newIndex(rest, &shared)
	s.grams = newGrams(s.needles)
	s.wants(filters, rest)
	s.scanners.New = func() any { return newScanner(s) }
	return s
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
func (s *Set) point(filter int, found []needle, byNeedle map[string]int) {
	s.pointed = append(s.pointed, filter)
	for _, n := range found {
		key := n.text
		if n.holds != nil {
			key += "\x00" + derived(n.holds.node).src
		}
		at, ok := byNeedle[key]
		if !ok {
			at = len(s.needles)
			byNeedle[key] = at
			s.needles = append(s.needles, n)
		}
		rules := &s.needles[at].rules
		if !slices.Contains(*rules, int32(filter)) {
			*rules = append(*rules, int32(filter))
		}
	}
}

// wants works out what is to be read of lines.
func (s *Set) wants(filters, rest []*Filter) {
	clock := [][]string{{"timestamp"}, {"receiveTimestamp"}}
	const inAll, inRest = 1, 2
	seen := map[string]int{} // paths, once each: filters ask for the same few
	var all, ofRest [][]string
	s.whole = make([]bool, len(filters))
	for i, f := range filters {
		if f == nil || f.Root == nil {
			continue
		}
		eachPath(f.Root, func(path []string) {
			if path == nil {
				s.whole[i] = true
				s.restWhole = s.restWhole || rest[i] != nil
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
	s.want, s.restWant = logs.NewWant(all...), logs.NewWant(ofRest...)
	s.times, s.restTimes = logs.NewWant(append(all, clock...)...), logs.NewWant(append(ofRest, clock...)...)
	if s.restWhole {
		s.want, s.restWant, s.times, s.restTimes = everything, everything, everything, everything
	}
}

// sharing is which terms of the filters are the same, while a set is compiled.
type sharing struct {
	byText map[string]int
	byNode map[Node]int
	uses   []int
}

// share gives every term of a tree its leaf.
func (s *Set) share(n Node, shared *sharing) {
	var items []Node
	switch n := n.(type) {
	case *And:
		items = n.Items
	case *Or:
		items = n.Items
	case *Not:
		items = []Node{n.Item}
	default:
		text := derived(n).src
		i, ok := shared.byText[text]
		if !ok {
			i = len(s.leaves)
			shared.byText[text] = i
			shared.uses = append(shared.uses, 0)
			s.leaves = append(s.leaves, newLeaf(n))
		}
		shared.byNode[n] = i
		shared.uses[i]++
	}
	for _, item := range items {
		s.share(item, shared)
	}
}

// compile makes the steps of a tree. Of terms that are asked one after the other the cheap ones come first, and those that
// many filters share: their outcome is often known.
func (s *Set) compile(n Node, shared *sharing) step {
	each := func(items []Node) []step {
		items = slices.Clone(items)
		slices.SortStableFunc(items, func(a, b Node) int {
			if c := cost(a) - cost(b); c != 0 {
				return c
			}
			return shared.of(b) - shared.of(a)
		})
		out := make([]step, len(items))
		for i, item := range items {
			out[i] = s.compile(item, shared)
		}
		return out
	}
	switch n := n.(type) {
	case *And:
		return step{kind: allOf, items: each(n.Items)}
	case *Or:
		return step{kind: anyOf, items: each(n.Items)}
	case *Not:
		return step{kind: not, items: []step{s.compile(n.Item, shared)}}
	}
	return step{kind: oneLeaf, leaf: shared.byNode[n]}
}

// of is how often a term is used; 0 for what is no single term.
func (s *sharing) of(n Node) int {
	if i, ok := s.byNode[n]; ok {
		return s.uses[i]
	}
	return 0
}
