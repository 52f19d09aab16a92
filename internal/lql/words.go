package lql

import (
	"cmp"
	"slices"
	"sync"

	"tocsin/internal/logs"
)

// manyWords is how many terms that look for a text in the same place are asked one by one of an entry; what is asked for beyond
// that is found in one pass over the entry, all of them at once.
const manyWords = 8

// words are the terms of a set that look for a text in the same place: in one field, or anywhere. What they look for is kept as the
// automaton of Aho and Corasick: each byte of an entry's text is looked at once, whatever is looked for.
type words struct {
	field  *Field // nil for anywhere
	leaves []int  // of the set
	terms  []*constant
	holds  []func(item) bool // of a field's terms, for what is no text

	made  sync.Once
	nodes []wordNode
	root  [256]int32
	edges map[uint64]int32 // by node and byte, but the root's

	byNumber map[float64][]int32
	typed    []int32 // terms that values other than text may hold
}

// wordNode is a text that some terms begin with.
type wordNode struct {
	fail int32  // the longest text that this one ends with and that is a node too
	says int32  // the nearest node from here on along fail, this one first, that is a term's whole text; 0 if none
	more uint64 // the last six bits of the bytes that edges lead on by
	term []int32
}

// wordGroups finds the groups of a set's leaves that are worth words, and each leaf's.
func wordGroups(leaves []*leaf) []*words {
	byPlace := map[string]*words{}
	for i, l := range leaves {
		place, field, term := lookedFor(l.node)
		if term == nil {
			continue
		}
		w := byPlace[place]
		if w == nil {
			w = &words{field: field}
			byPlace[place] = w
		}
		w.leaves, w.terms, w.holds = append(w.leaves, i), append(w.terms, term), append(w.holds, l.holds)
	}
	var out []*words
	for _, w := range byPlace {
		if len(w.leaves) > manyWords {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b *words) int { return cmp.Compare(a.leaves[0], b.leaves[0]) })
	return out
}

// lookedFor is where a term looks for a text, and the text; nil if it does something else.
func lookedFor(n Node) (place string, field *Field, term *constant) {
	switch n := n.(type) {
	case *Global:
		if n.constant.folded != "" {
			return "", nil, n.constant
		}
	case *Compare:
		if f, ok := n.Left.(*Field); ok && n.Op == Has && n.Other == nil && !n.Any && !n.constant.null && n.constant.folded != "" {
			return f.String(), f, n.constant
		}
	}
	return "", nil, nil
}

// build makes the automaton, which most sets never need.
func (w *words) build() {
	w.nodes, w.edges = []wordNode{{}}, map[uint64]int32{}
	w.byNumber = map[float64][]int32{}
	for i, k := range w.terms {
		at := int32(0)
		for j := range len(k.folded) {
			at = w.extend(at, k.folded[j])
		}
		w.nodes[at].term = append(w.nodes[at].term, int32(i))
		if k.isNumber {
			w.byNumber[k.number] = append(w.byNumber[k.number], int32(i))
		}
		if k.isBool || k.null {
			w.typed = append(w.typed, int32(i))
		}
	}
	w.link()
}

// extend is the node behind an edge, a new one if need be.
func (w *words) extend(at int32, c byte) int32 {
	if to, ok := w.child(at, c); ok {
		return to
	}
	to := int32(len(w.nodes))
	w.nodes = append(w.nodes, wordNode{})
	if at == 0 {
		w.root[c] = to
	} else {
		w.edges[uint64(at)<<8|uint64(c)] = to
		w.nodes[at].more |= 1 << (c & 63)
	}
	return to
}

func (w *words) child(at int32, c byte) (int32, bool) {
	if at == 0 {
		return w.root[c], w.root[c] != 0
	}
	if w.nodes[at].more&(1<<(c&63)) == 0 {
		return 0, false
	}
	to, ok := w.edges[uint64(at)<<8|uint64(c)]
	return to, ok
}

// link works out where each node falls back to. A node comes after the one that it extends, but not after all shorter ones: they
// are taken by length.
func (w *words) link() {
	depth := make([]int, len(w.nodes))
	parent := make([]uint64, len(w.nodes))
	for edge, to := range w.edges {
		parent[to] = edge
	}
	order := make([]int32, 0, len(w.nodes))
	for at := 1; at < len(w.nodes); at++ {
		depth[at] = depth[parent[at]>>8] + 1
		order = append(order, int32(at))
	}
	slices.SortFunc(order, func(a, b int32) int { return depth[a] - depth[b] })
	for _, at := range order {
		n := &w.nodes[at]
		if from := int32(parent[at] >> 8); from != 0 {
			n.fail = w.step(w.nodes[from].fail, byte(parent[at]))
		}
		if n.says = w.nodes[n.fail].says; len(n.term) > 0 {
			n.says = at
		}
	}
}

// step is the node behind a byte.
func (w *words) step(at int32, c byte) int32 {
	for at != 0 {
		if to, ok := w.child(at, c); ok {
			return to
		}
		at = w.nodes[at].fail
	}
	return w.root[c]
}

// wordSearch is what one search at a time needs.
type wordSearch struct {
	*words
	// asked is how many of the leaves were asked of the entry of that generation.
	asked      int
	generation uint32

	found []bool // of the terms
	seen  []bool // of the nodes, whether they have said what they say
}

// many says whether another leaf of the group is one too many to be asked by itself.
func (w *wordSearch) many(generation uint32) bool {
	if w.generation != generation {
		w.generation, w.asked = generation, 0
	}
	w.asked++
	return w.asked > manyWords
}

// in finds which terms an entry holds, and calls tell with each leaf and its outcome.
func (w *wordSearch) in(e *logs.Entry, tell func(leaf int, holds bool)) {
	if w.found == nil {
		w.made.Do(w.build)
		w.found, w.seen = make([]bool, len(w.terms)), make([]bool, len(w.nodes))
	}
	clear(w.found)
	clear(w.seen)
	if w.field == nil {
		w.anywhere(e.Root, logs.EntrySchema())
	} else {
		w.field.each(e, func(it item) bool {
			switch {
			case it.typed && it.typ == logs.StringType:
				w.text(it.v.Text())
			case !it.typed && it.v.Kind == logs.String:
				w.text(it.v.Str)
			default:
				for i, holds := range w.holds {
					w.found[i] = w.found[i] || holds(it)
				}
			}
			return false
		})
	}
	for i, leaf := range w.leaves {
		tell(leaf, w.found[i])
	}
}

// anywhere is containsAnywhere for all terms.
func (w *wordSearch) anywhere(v logs.Value, schema *logs.Field) {
	switch v.Kind {
	case logs.Array:
		for i := range v.Items {
			w.anywhere(v.Items[i], schema)
		}
		return
	case logs.Object:
		for i := range v.Members {
			w.anywhere(v.Members[i].Value, child(schema, v.Members[i].Name))
		}
		return
	}
	typed := schema != nil && !free(schema.Type) && schema.Type != logs.MessageType && v.Kind != logs.Null
	switch {
	case typed && schema.Type == logs.StringType:
		w.text(v.Text())
	case !typed && v.Kind == logs.String:
		w.text(v.Str)
	case !typed && v.Kind == logs.Number:
		for _, i := range w.byNumber[jsonNumber(v.Str)] {
			w.found[i] = true
		}
	case !typed:
		for _, i := range w.typed {
			w.found[i] = w.found[i] || containsAnywhere(v, schema, w.terms[i])
		}
	default:
		for i, k := range w.terms {
			w.found[i] = w.found[i] || containsAnywhere(v, schema, k)
		}
	}
}

// text finds the terms in a text.
func (w *wordSearch) text(s string) {
	if !isASCII(s) {
		s = foldText(s)
	}
	at := int32(0)
	for i := range len(s) {
		at = w.step(at, lower(s[i]))
		for n := w.nodes[at].says; n != 0 && !w.seen[n]; n = w.nodes[w.nodes[n].fail].says {
			w.seen[n] = true
			for _, term := range w.nodes[n].term {
				w.found[term] = true
			}
		}
	}
}
