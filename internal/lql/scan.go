package lql

import (
	"bytes"
	"slices"
	"time"

	"tocsin/internal/logs"
)

// Scan yields the entries of the batch that at least one filter matches, in order, each with the filters that match it by
// their place in Compile's slice, ascending. Both may be kept. clock is the source's clock before the batch; the entries carry
// it on as logs.Batch.Entries says, and the progress counts all entries of the batch. An error says that the batch could
// not be read at all.
//
// For the clock and the counts every line is read, if only its times; Find does not do that.
func (s *Set) Scan(b logs.Batch, clock time.Time, yield func(e *logs.Entry, matched []int)) (logs.Progress, error) {
	sc := s.scanners.Get().(*scanner)
	p := logs.Progress{Clock: clock}
	if b.Form == logs.Proto {
		sc.messages(b, func(message []byte, offset int, e *logs.Entry) {
			p.Observe(e, b.Received)
			at := e.Clock
			if sc.judge(e, sc.asked); len(sc.matched) > 0 {
				kept := sc.picker.KeepMessage(message)
				kept.Source, kept.File, kept.Offset, kept.Clock = b.Source, b.File, b.Offset+int64(offset), at
				yield(kept, slices.Clone(sc.matched))
			}
		})
		s.scanners.Put(sc) // not if yield panics: it may be in the middle of something
		return p, nil
	}
	sc.lines(b.Data, true, func(start, end int, hits []hit) {
		line := b.Data[start:end:end]
		e := sc.read(line, hits, true)
		p.Observe(e, b.Received)
		at := e.Clock
		if sc.judge(e, sc.asked); len(sc.matched) > 0 {
			kept := sc.picker.Keep(line)
			kept.Source, kept.File, kept.Offset, kept.Clock = b.Source, b.File, b.Offset+int64(start), at
			yield(kept, slices.Clone(sc.matched))
		}
	})
	s.scanners.Put(sc)
	return p, nil
}

// Find yields the entries of the batch that at least one filter matches, in order, as they came, each with the filters that
// match it as Scan does. raw is part of b.Data; matched is good until yield returns. It is faster than Scan, because what
// cannot match is not read at all. It returns how many of the entries that it did read were broken.
func (s *Set) Find(b logs.Batch, yield func(raw []byte, matched []int)) (broken int) {
	sc := s.scanners.Get().(*scanner)
	if b.Form == logs.Proto {
		sc.messages(b, func(message []byte, _ int, e *logs.Entry) {
			if e.Broken {
				broken++
			}
			if sc.judge(e, sc.asked); len(sc.matched) > 0 {
				yield(message, sc.matched)
			}
		})
		s.scanners.Put(sc)
		return broken
	}
	sc.lines(b.Data, len(s.rest) > 0, func(start, end int, hits []hit) {
		line := b.Data[start:end:end]
		e := sc.read(line, hits, false)
		if e.Broken {
			broken++
		}
		if sc.judge(e, sc.asked); len(sc.matched) > 0 {
			yield(line, sc.matched)
		}
	})
	s.scanners.Put(sc)
	return broken
}

// scanner is what one scan at a time needs beside the set.
type scanner struct {
	*Set
	*plan   // the one for the batch's form
	picker  logs.Picker
	hits    []hit
	asked   []int // the filters that may match the line
	maybe   []int
	matched []int
	text    []byte
	// known holds what the leaves said of the entry: twice the generation for no, one more for yes.
	known      []uint32
	generation uint32
	words      []*wordSearch // of each leaf that looks for a text in a place that many do
	isAsked    []bool        // of each filter, whether it is in asked already
}

func newScanner(s *Set) *scanner {
	sc := &scanner{Set: s, plan: s.plan, known: make([]uint32, len(s.leaves)), isAsked: make([]bool, len(s.roots)), words: make([]*wordSearch, len(s.leaves))}
	for _, w := range s.words() {
		search := &wordSearch{words: w}
		for _, leaf := range w.leaves {
			sc.words[leaf] = search
		}
	}
	return sc
}

const (
	// block is about how much is looked through at a time: little enough to stay in a core's cache until it is read.
	block = 64 << 10
	// fewFilters is how many filters are simply asked, rather than found out which may match.
	fewFilters = 24
)

// lines calls f with the lines that are to be read, or with all, and with the hits in each; blank ones are left out.
func (sc *scanner) lines(data []byte, all bool, f func(start, end int, hits []hit)) {
	for from := 0; from < len(data); {
		to := len(data)
		if from+block < to {
			if n := bytes.IndexByte(data[from+block:], '\n'); n >= 0 {
				to = from + block + n + 1
			}
		}
		sc.look(data, from, to)
		hits := sc.hits
		for at := from; at < to; {
			if !all {
				if len(hits) == 0 {
					break
				}
				// Where hits are dense the next line is the one, and that is told faster than its start is found.
				if bytes.IndexByte(data[at:hits[0].at], '\n') >= 0 {
					at = lineStart(data, at, hits[0].at)
				}
			}
			end := to
			if n := bytes.IndexByte(data[at:to], '\n'); n >= 0 {
				end = at + n
			}
			n := 0
			for n < len(hits) && hits[n].at < end {
				n++
			}
			if len(bytes.TrimSpace(data[at:end])) > 0 {
				f(at, end, hits[:n])
			}
			hits = hits[n:]
			at = end + 1
		}
		from = to
	}
}

// look finds the hits of data[from:to], in order.
func (sc *scanner) look(data []byte, from, to int) {
	sc.hits = sc.hits[:0]
	if len(sc.grams) == 0 {
		return
	}
	sc.hits = hazards(data, from, to, sc.hits)
	if len(sc.logged) > 0 {
		sc.hits = oddLogs(data, from, to, sc.hits)
	}
	for _, g := range sc.grams {
		sc.hits = g.find(data, from, to, sc.hits)
	}
	slices.SortFunc(sc.hits, func(a, b hit) int { return a.at - b.at })
}

// read reads of a line what the filters that may match it ask for, and leaves those in asked.
func (sc *scanner) read(line []byte, hits []hit, times bool) *logs.Entry {
	sc.asked = sc.asked[:0]
	hidden := false
	for _, h := range hits {
		switch h.needle {
		case hiding:
			hidden = true
		case oddLog:
			sc.askLogged()
		default:
			sc.ask(h.needle)
		}
	}
	if hidden && len(sc.pointed) <= fewFilters {
		for _, i := range sc.pointed {
			sc.askFilter(i)
		}
		hidden = false
	}
	want := sc.restWant
	switch {
	case hidden:
		want = nil
	case len(sc.asked) > 0 && times:
		want = sc.times
	case len(sc.asked) > 0:
		want = sc.want
	case times:
		want = sc.restTimes
	}
	if want != nil && slices.ContainsFunc(sc.asked, func(i int) bool { return sc.whole[i] }) {
		want = nil
	}
	if want == nil {
		want = everything
	}
	e := sc.picker.Line(line, want)
	sc.begin()
	if hidden {
		sc.askHidden(e)
	}
	sc.settle(e)
	return e
}

// settle leaves in asked, ascending, the filters that are to be asked of the entry: of those whose needles were found the ones that
// may match, and of the others too.
func (sc *scanner) settle(e *logs.Entry) {
	for _, i := range sc.asked {
		sc.isAsked[i] = false
	}
	if len(sc.asked) > fewFilters {
		slices.Sort(sc.asked)
		sc.maybe = sc.index.candidates(sc, e, sc.maybe[:0])
		sc.asked = both(sc.asked, sc.maybe)
	}
	if len(sc.rest) > 0 {
		sc.asked = sc.restIndex.candidates(sc, e, sc.asked)
	} else {
		slices.Sort(sc.asked)
	}
}

// askHidden asks the filters whose needles stand in the entry's decoded texts.
func (sc *scanner) askHidden(e *logs.Entry) {
	sc.text = appendText(sc.text[:0], e.Root)
	start := len(sc.hits)
	for _, g := range sc.grams {
		sc.hits = g.findNames(sc.text, sc.hits)
	}
	for _, h := range sc.hits[start:] {
		sc.ask(h.needle)
	}
	sc.hits = sc.hits[:start]
	sc.askLogged()
}

// askLogged asks the filters that ask for a log, however its name is written.
func (sc *scanner) askLogged() {
	for _, i := range sc.logged {
		sc.askFilter(i)
	}
}

func (sc *scanner) ask(needle int32) {
	for _, i := range sc.needles[needle].rules {
		sc.askFilter(int(i))
	}
}

func (sc *scanner) askFilter(i int) {
	if !sc.isAsked[i] {
		sc.isAsked[i] = true
		sc.asked = append(sc.asked, i)
	}
}

// both keeps of list what is in other too; both are in ascending order.
func both(list, other []int) []int {
	out := list[:0]
	for _, i := range list {
		for len(other) > 0 && other[0] < i {
			other = other[1:]
		}
		if len(other) > 0 && other[0] == i {
			out = append(out, i)
		}
	}
	return out
}

// appendText appends all names and values of v as needles would be found in them: decoded, those that are not ASCII folded
// too.
func appendText(b []byte, v logs.Value) []byte {
	switch v.Kind {
	case logs.String:
		b = append(append(append(b, '"'), v.Str...), '"', '\n')
		if !isASCII(v.Str) {
			b = append(append(append(b, '"'), fold(v.Str)...), '"', '\n')
		}
	case logs.Number, logs.Bool:
		b = append(append(b, v.Text()...), '\n')
	case logs.Array:
		for i := range v.Items {
			b = appendText(b, v.Items[i])
		}
	case logs.Object:
		for i := range v.Members {
			b = append(append(append(b, '"'), v.Members[i].Name...), '"', '\n')
			b = appendText(b, v.Members[i].Value)
		}
	}
	return b
}

// begin forgets what the leaves said of the entry before.
func (sc *scanner) begin() {
	if sc.generation++; sc.generation == 1<<31 {
		clear(sc.known)
		sc.generation = 1
	}
}

// judge leaves in matched which of the asked filters match the entry.
func (sc *scanner) judge(e *logs.Entry, asked []int) {
	sc.matched = sc.matched[:0]
	for _, i := range asked {
		if sc.holds(&sc.roots[i], e) {
			sc.matched = append(sc.matched, i)
		}
	}
}

// leafHolds says whether a leaf holds for the entry, and asks it once.
func (sc *scanner) leafHolds(leaf int, e *logs.Entry) bool {
	k := sc.known[leaf]
	if k>>1 == sc.generation {
		return k&1 == 1
	}
	if w := sc.words[leaf]; w != nil && w.many(sc.generation) {
		w.in(e, sc.learn)
		return sc.known[leaf]&1 == 1
	}
	holds := sc.leaves[leaf].match(e)
	sc.learn(leaf, holds)
	return holds
}

// matches says whether the first filter matches the entry.
func (s *Set) matches(e *logs.Entry) bool {
	sc := s.scanners.Get().(*scanner)
	defer s.scanners.Put(sc)
	sc.begin()
	return sc.holds(&s.roots[0], e)
}

// learn keeps what a leaf said of the entry.
func (sc *scanner) learn(leaf int, holds bool) {
	sc.known[leaf] = sc.generation << 1
	if holds {
		sc.known[leaf] |= 1
	}
}

// holds evaluates a step.
func (sc *scanner) holds(st *step, e *logs.Entry) bool {
	switch st.kind {
	case always:
		return true
	case oneLeaf:
		return sc.leafHolds(st.leaf, e)
	case allOf:
		for i := range st.items {
			if !sc.holds(&st.items[i], e) {
				return false
			}
		}
		return true
	case anyOf:
		for i := range st.items {
			if sc.holds(&st.items[i], e) {
				return true
			}
		}
		return false
	case not:
		return !sc.holds(&st.items[0], e)
	}
	return false
}
