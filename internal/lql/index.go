package lql

import (
	"slices"
	"strings"

	"tocsin/internal/logs"
)

// index finds the filters of a set that may match an entry, by a comparison for equality that each of them needs, or else by
// a term that some of them share. What it leaves out cannot match; what it yields must still be asked.
type index struct {
	paths  []*pathIndex
	groups []group
	always []int // filters without either
}

// group is the filters that need a term to hold.
type group struct {
	leaf    int
	filters []int
}

// pathIndex is the filters that need one field to have one of some values.
type pathIndex struct {
	field *Field
	// byValue holds filters by the folded value that they need.
	byValue map[string][]int
	all     []int
}

// guard is what a filter needs: the field equal to one of the values, folded.
type guard struct {
	field  *Field
	values []string
}

func newIndex(filters []*Filter, shared *sharing) *index {
	x := &index{}
	byPath := map[string]*pathIndex{}
	var rest []int
	for i, f := range filters {
		if f == nil {
			continue
		}
		g, ok := bestGuard(f)
		if !ok {
			rest = append(rest, i)
			continue
		}
		path := strings.Join(g.field.Path, "\x00")
		p := byPath[path]
		if p == nil {
			p = &pathIndex{field: g.field, byValue: map[string][]int{}}
			byPath[path] = p
			x.paths = append(x.paths, p)
		}
		for _, v := range g.values {
			p.byValue[v] = append(p.byValue[v], i)
		}
		p.all = append(p.all, i)
	}
	x.group(filters, rest, shared)
	return x
}

// group groups filters by the term that most of them need.
func (x *index) group(filters []*Filter, rest []int, shared *sharing) {
	byLeaf := map[int][]int{}
	for _, i := range rest {
		for _, n := range filters[i].Conjuncts() {
			if leaf, ok := shared.byNode[n]; ok {
				byLeaf[leaf] = append(byLeaf[leaf], i)
			}
		}
	}
	at := map[int]int{}
	for _, i := range rest {
		best := -1
		for _, n := range filters[i].Conjuncts() {
			if leaf, ok := shared.byNode[n]; ok && (best < 0 || len(byLeaf[leaf]) > len(byLeaf[best])) {
				best = leaf
			}
		}
		if best < 0 || len(byLeaf[best]) < 2 {
			x.always = append(x.always, i)
			continue
		}
		if _, ok := at[best]; !ok {
			at[best] = len(x.groups)
			x.groups = append(x.groups, group{leaf: best})
		}
		g := &x.groups[at[best]]
		g.filters = append(g.filters, i)
	}
}

// bestGuard is the guard of a filter that promises to be rarest: a payload's own text before a resource's labels, and the
// longest text.
func bestGuard(f *Filter) (best guard, found bool) {
	most := -1
	for _, n := range f.Conjuncts() {
		g, ok := guardOf(n)
		if !ok {
			continue
		}
		shortest := len(slices.MinFunc(g.values, func(a, b string) int { return len(a) - len(b) }))
		rank := min(shortest, 63)
		switch g.field.Path[0] {
		case "jsonPayload", "textPayload", "protoPayload":
			rank += 64
		}
		if rank > most {
			best, most, found = g, rank, true
		}
	}
	return best, found
}

// guardOf is the guard that a term is: an equality with text, or several of them on one field joined by OR.
func guardOf(n Node) (guard, bool) {
	switch n := n.(type) {
	case *Compare:
		f, ok := n.Left.(*Field)
		// A typed field that is no string, and a proto's, may equal what is written otherwise.
		if !ok || n.Op != Equal || n.Any || n.Other != nil || n.constant.null || f.leaf.Type == logs.AnyType ||
			f.known == len(f.Path) && f.leaf.Type != logs.StringType {
			return guard{}, false
		}
		return guard{field: f, values: []string{n.constant.folded}}, true
	case *Or:
		var all guard
		for _, item := range n.Items {
			g, ok := guardOf(item)
			if !ok || all.field != nil && !slices.Equal(all.field.Path, g.field.Path) {
				return guard{}, false
			}
			all.field = g.field
			for _, v := range g.values {
				if !slices.Contains(all.values, v) {
					all.values = append(all.values, v)
				}
			}
		}
		return all, all.field != nil && len(all.values) <= 64
	}
	return guard{}, false
}

// candidates appends the filters that may match the scanner's entry, ascending and each once, to out.
func (x *index) candidates(sc *scanner, e *logs.Entry, out []int) []int {
	out = append(out, x.always...)
	for i := range x.groups {
		if g := &x.groups[i]; sc.leafHolds(g.leaf, e) {
			out = append(out, g.filters...)
		}
	}
	for _, p := range x.paths {
		whole := p.field.each(e, func(it item) bool {
			if it.v.Kind != logs.String && it.v.Kind != logs.Missing {
				return true // a number may equal "5" and "5.0": ask them all
			}
			var buf [64]byte
			if low, ok := lowerInto(buf[:0], it.v.Str); ok {
				out = append(out, p.byValue[string(low)]...)
			} else {
				out = append(out, p.byValue[fold(it.v.Str)]...)
			}
			return false
		})
		if whole {
			out = append(out, p.all...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// lowerInto appends s in lower case to b; false if s is not short ASCII.
func lowerInto(b []byte, s string) ([]byte, bool) {
	if len(s) > cap(b) {
		return nil, false
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			return nil, false
		}
		b = append(b, lower(s[i]))
	}
	return b, true
}
