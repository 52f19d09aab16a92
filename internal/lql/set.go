package lql

import (
	"bytes"
	"time"

	"tocsin/internal/logs"
)

// Set is a number of filters that are asked together. It does not change and may be used by many goroutines at once.
type Set struct {
	roots  []step
	leaves []Node
	index  *index
}

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
	leaf
	allOf
	anyOf
	not
)

// Compile makes a set. Filters are known by their place in the slice; a nil one matches nothing.
func Compile(filters []*Filter) *Set {
	s := &Set{index: newIndex(filters)}
	shared := map[string]int{}
	for _, f := range filters {
		switch {
		case f == nil:
			s.roots = append(s.roots, step{kind: never})
		case f.Root == nil:
			s.roots = append(s.roots, step{kind: always})
		default:
			s.roots = append(s.roots, s.compile(f.Root, shared))
		}
	}
	return s
}

func (s *Set) compile(n Node, shared map[string]int) step {
	each := func(items []Node) []step {
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
		return step{kind: not, items: each([]Node{n.Item})}
	}
	key := derived(n).src
	i, ok := shared[key]
	if !ok {
		i = len(s.leaves)
		shared[key] = i
		s.leaves = append(s.leaves, n)
	}
	return step{kind: leaf, leaf: i}
}

// Scan yields the entries of the batch that at least one filter matches, in order, each with the filters that match it by
// their place in Compile's slice, ascending. Both may be kept. clock is the source's clock before the batch; the entries carry
// it on as logs.Batch.Entries says, and the progress counts all entries of the batch. An error says that the batch could
// not be read at all.
func (s *Set) Scan(b logs.Batch, clock time.Time, yield func(e *logs.Entry, matched []int)) (logs.Progress, error) {
	known := make([]int8, len(s.leaves))
	var asked []int
	p := b.Walk(clock, func(e *logs.Entry) bool {
		if asked = s.index.candidates(e, asked[:0]); len(asked) == 0 {
			return true
		}
		clear(known)
		var matched []int
		for _, i := range asked {
			if s.holds(&s.roots[i], e, known) {
				matched = append(matched, i)
			}
		}
		if matched != nil {
			kept := e.Own()
			kept.Raw = bytes.Clone(e.Raw)
			yield(kept, matched)
		}
		return true
	})
	return p, nil
}

// holds evaluates a step; known holds what the leaves said of this entry: 1 yes, -1 no, 0 not asked.
func (s *Set) holds(st *step, e *logs.Entry, known []int8) bool {
	switch st.kind {
	case always:
		return true
	case leaf:
		k := known[st.leaf]
		if k == 0 {
			k = -1
			if evaluate(s.leaves[st.leaf], e) {
				k = 1
			}
			known[st.leaf] = k
		}
		return k > 0
	case allOf:
		for i := range st.items {
			if !s.holds(&st.items[i], e, known) {
				return false
			}
		}
		return true
	case anyOf:
		for i := range st.items {
			if s.holds(&st.items[i], e, known) {
				return true
			}
		}
		return false
	case not:
		return !s.holds(&st.items[0], e, known)
	}
	return false
}
