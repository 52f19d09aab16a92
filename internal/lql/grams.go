package lql

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// grams looks for needles by probing: every stride bytes it takes a gram of a few bytes and asks a bitmap whether any needle
// holds it. Of each needle the grams at stride consecutive places are known, so that one of them stands at a probe.
type grams struct {
	stride int
	mask   uint64 // which of eight bytes are of the gram
	width  int

	few       *[1 << fewBits]byte          // whether a gram's hash is known, a byte each, for a group of few needles
	many      *[1 << (manyBits - 6)]uint64 // the same, two bits of one word each, for one of many
	starts    []uint32                     // where a bucket's entries begin
	slotShift uint
	entries   []gramEntry
	needles   []needle
}

// gramEntry is a gram of a needle. The gram may be one that many needles hold, so that the needle's rarest one is here too and
// is looked at before the needle itself.
type gramEntry struct {
	gram, rarest uint64
	needle       int32
	offset       int16 // where in the needle the gram begins
	away         int16 // how far behind it the rarest does, or before it
}

// hit is a place where something stands: a needle, or, below 0, what may hide one.
type hit struct {
	at     int
	needle int32
}

const (
	caseBits   = 0x2020202020202020
	gramFactor = 0x9E3779B97F4A7C15
	// farthestStride bounds how many grams of a needle are kept, and so the memory of many.
	farthestStride = 24
	manyNeedles    = 256
	// fewBits and manyBits are how many bits of a gram's hash the probes look at. Both tables stay in a core's caches.
	fewBits, manyBits = 14, 21
)

// newGrams groups the needles by length, so that one short needle does not set the stride for all, unless one pass for all
// is cheaper still.
func newGrams(needles []needle) []*grams {
	cuts := []int{shortestNeedle, 9, 15, 20}
	byClass := make([][]int32, len(cuts))
	for i := range needles {
		class := 0
		for class+1 < len(cuts) && len(needles[i].text) >= cuts[class+1] {
			class++
		}
		byClass[class] = append(byClass[class], int32(i))
	}
	var best [][]int32
	cheapest := math.Inf(1)
	// Each bit of split says that a group begins at that class.
	for split := range 1 << (len(cuts) - 1) {
		var groups [][]int32
		var group []int32
		for class := range cuts {
			if class > 0 && split>>(class-1)&1 == 1 && len(group) > 0 {
				groups = append(groups, group)
				group = nil
			}
			group = append(group, byClass[class]...)
		}
		if len(group) > 0 {
			groups = append(groups, group)
		}
		cost := 0.0
		for _, g := range groups {
			width, stride := gramShape(needles, g)
			cost += 1 / float64(stride)
			if width < 8 {
				// Short grams are found often: what looks at them again costs in proportion to the needles.
				cost += float64(len(g)) / 64 * 0.1
			}
		}
		if cost < cheapest {
			best, cheapest = groups, cost
		}
	}
	var out []*grams
	for _, group := range best {
		out = append(out, newGroup(needles, group))
	}
	return out
}

// gramShape is how many bytes a group's grams have and how far its probes may be apart.
func gramShape(needles []needle, group []int32) (width, stride int) {
	shortest := math.MaxInt
	for _, i := range group {
		shortest = min(shortest, len(needles[i].text))
	}
	switch {
	case shortest >= 20 || len(group) > manyNeedles && shortest >= 15:
		width = 8
	case shortest >= 15:
		width = 6
	case len(group) > manyNeedles && shortest >= 9:
		width = 5
	default:
		width = 4
	}
	stride = min(shortest-width+1, farthestStride)
	if len(group) > manyNeedles {
		stride = min(stride, 16)
	}
	return width, stride
}

// newGroup makes the grams of a group of needles.
func newGroup(needles []needle, group []int32) *grams {
	width, stride := gramShape(needles, group)
	g := &grams{stride: stride, width: width, mask: math.MaxUint64 >> (64 - 8*width), needles: needles}
	total := len(group) * stride
	slotBits := min(max(bits.Len(uint(total))+1, 8), 18)
	g.slotShift = uint(64 - slotBits)
	if total <= 1<<fewBits/16 {
		g.few = new([1 << fewBits]byte)
	} else {
		g.many = new([1 << (manyBits - 6)]uint64)
	}
	g.starts = make([]uint32, 1<<slotBits+1)

	common := g.frequencies(group)
	places := make([]int, len(group)) // of each needle where its window begins
	rarest := make([]int, len(group))
	var scores []int
	for i, n := range group {
		scores = g.scores(needles[n].text, common, scores[:0])
		places[i] = g.window(scores)
		rarest[i] = slices.Index(scores, slices.Min(scores))
		for j := range stride {
			h := g.hash(gramOf(needles[n].text[places[i]+j:], width))
			if g.few != nil {
				g.few[h>>(64-fewBits)] = 1
			} else {
				g.many[h>>(64-manyBits+6)] |= 1<<(h>>(64-manyBits)&63) | 1<<(h>>(64-manyBits-6)&63)
			}
			g.starts[h>>g.slotShift+1]++
		}
	}
	for i := 1; i < len(g.starts); i++ {
		g.starts[i] += g.starts[i-1]
	}
	g.entries = make([]gramEntry, total)
	next := slices.Clone(g.starts)
	for i, n := range group {
		for j := range stride {
			gram := gramOf(needles[n].text[places[i]+j:], width)
			slot := g.hash(gram) >> g.slotShift
			g.entries[next[slot]] = gramEntry{gram: gram, rarest: gramOf(needles[n].text[rarest[i]:], width), needle: n,
				offset: int16(places[i] + j), away: int16(rarest[i] - places[i] - j)}
			next[slot]++
		}
	}
	return g
}

// hash is a gram's hash, of which the highest bits are good.
func (g *grams) hash(gram uint64) uint64 { return gram * gramFactor }

// gramOf is the first width bytes of text as probes see them.
func gramOf(text string, width int) uint64 {
	var x uint64
	if len(text) >= 8 {
		x = uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
			uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
	} else {
		for i := range width {
			x |= uint64(text[i]) << (8 * i)
		}
	}
	return (x | caseBits) & (math.MaxUint64 >> (64 - 8*width))
}

// frequencies says about how many of the group's needles hold each gram: what many rules speak of is in many lines too.
func (g *grams) frequencies(group []int32) []uint16 {
	const slots = 1 << 16
	counts := make([]uint16, slots)
	for _, n := range group {
		text := g.needles[n].text
		for i := 0; i+g.width <= len(text); i++ {
			if c := &counts[g.hash(gramOf(text[i:], g.width))>>48]; *c < math.MaxUint16 {
				*c++
			}
		}
	}
	return counts
}

// scores appends how frequent each gram of a needle is thought to be: first by how many needles hold it, then by its letters.
func (g *grams) scores(text string, common []uint16, out []int) []int {
	plain := 0
	for i := range len(text) {
		plain += plainness(text[i])
		if i >= g.width {
			plain -= plainness(text[i-g.width])
		}
		if at := i + 1 - g.width; at >= 0 {
			out = append(out, int(common[g.hash(gramOf(text[at:], g.width))>>48])*16+plain*15/g.width)
		}
	}
	return out
}

// window is where in a needle the stretch of grams begins that are rarest.
func (g *grams) window(scores []int) int {
	best, least := 0, math.MaxInt
	for at := 0; at+g.stride <= len(scores); at++ {
		if worst := slices.Max(scores[at : at+g.stride]); worst < least {
			best, least = at, worst
		}
	}
	return best
}

// plainness is 1 for a character that is likely to stand in any line.
func plainness(c byte) int {
	switch c {
	case 'e', 't', 'a', 'o', 'i', 'n', 's', 'r', 'l', 'c', 'd', '"', '-', ' ', '0', '1':
		return 1
	}
	return 0
}

// findNames is find in a text where names do not stand before their values.
func (g *grams) findNames(text []byte, hits []hit) []hit {
	for p := 0; p < len(text); p += g.stride {
		hits = g.around(text, p, 0, len(text), hits, false)
	}
	return hits
}

// verify appends the needles that really stand around the probe at p.
func (g *grams) verify(data []byte, p, from, to int, hits []hit) []hit {
	return g.around(data, p, from, to, hits, true)
}

func (g *grams) around(data []byte, p, from, to int, hits []hit, values bool) []hit {
	var gram uint64
	if p+8 <= len(data) {
		gram = (binary.LittleEndian.Uint64(data[p:]) | caseBits) & g.mask
	} else {
		var b [8]byte
		copy(b[:], data[p:])
		gram = (binary.LittleEndian.Uint64(b[:]) | caseBits) & g.mask
	}
	slot := g.hash(gram) >> g.slotShift
	for i := g.starts[slot]; i < g.starts[slot+1]; i++ {
		e := &g.entries[i]
		if e.gram != gram {
			continue
		}
		if far := p + int(e.away); far < 0 || far+8 <= len(data) && (binary.LittleEndian.Uint64(data[far:])|caseBits)&g.mask != e.rarest {
			continue
		}
		n := &g.needles[e.needle]
		at := p - int(e.offset)
		if at < from || at+len(n.text) > to || !sameFolded(data[at:at+len(n.text)], n.text) {
			continue
		}
		if values && n.holds != nil && !n.holds.mayHold(data[:to], at+len(n.text)) {
			continue
		}
		hits = append(hits, hit{at: at, needle: e.needle})
	}
	return hits
}

// sameFolded says whether b is text but for the case of ASCII letters; both have the same length.
func sameFolded(b []byte, text string) bool {
	for i, c := range b {
		if lower(c) != text[i] {
			return false
		}
	}
	return true
}
