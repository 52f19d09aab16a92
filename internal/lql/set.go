package lql

import (
	"slices"
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

	// plan is for lines, wire for what came as protocol buffers.
	*plan
	wire func() *plan

	// words are the groups of leaves that look for a text in the same place.
	words    func() []*words
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
	for _, f := range filters {
		if f != nil && f.Root != nil {
			s.share(f.Root, &shared)
		}
	}
	for _, f := range filters {
		switch {
		case f == nil:
			s.roots = append(s.roots, step{kind: never})
		case f.Root == nil:
			s.roots = append(s.roots, step{kind: always})
		default:
			s.roots = append(s.roots, s.compile(f.Root, &shared))
		}
	}
	s.index = newIndex(filters, &shared)
	s.plan = newPlan(filters, &shared, needlesOf)
	s.wire = sync.OnceValue(func() *plan { return newPlan(filters, &shared, wireNeedlesOf) })
	s.words = sync.OnceValue(func() []*words { return wordGroups(s.leaves) })
	s.scanners.New = func() any { return newScanner(s) }
	return s
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
