package lql

import (
	"encoding/binary"
	"math/bits"
	"regexp/syntax"
	"slices"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// automaton says whether a text matches a regular expression, in one step a character: it keeps in a table which threads of the
// program are alive after a character, and works out only what the table does not have yet. The regexp package steps every thread
// at every character, which makes one hostile text of 256 KiB cost seconds.
//
// Some programs have more states than a table should hold; for them the regexp package is asked.
type automaton struct {
	prog     *syntax.Prog
	anchored bool // it can only match at the beginning of the text
	words    int  // how many words a set of instructions takes

	// The characters in classes that no instruction tells apart: of ASCII, and of what begins at a bound.
	ascii  [utf8.RuneSelf]uint8
	bounds []rune
	wide   []uint8
	some   []rune     // a character of each class, last -1 for the end of the text
	takes  [][]uint64 // the instructions that take a character of each class
	lines  bool       // it matters whether the character before was a newline
	border bool       // it matters whether it was a letter

	// whole is the table of an automaton that is small enough to be made at once; it does not change. Others have tables that
	// grow, for one text at a time.
	whole    *table
	tables   sync.Pool
	hopeless atomic.Bool
}

const (
	// mostStates is how many states a table holds.
	mostStates = 2000
	// mostWhole is how many a table may have that is made at once, and mostSteps how many instructions may be followed for it: about
	// a millisecond.
	mostWhole = 128
	mostSteps = 100_000
	// mostClasses is how many classes of characters an automaton may need, the end of the text among them.
	mostClasses = 256
	// mostTests is how many tests of a character it may take to find the classes.
	mostTests = 1 << 20
	// worthwhile is how many characters a state must be good for in the long run: less is slower than no table.
	worthwhile = 32
)

// What comes of a step, if it is no state.
const (
	unknownStep int32 = 0
	accepted    int32 = -1
	dead        int32 = -2
)

// newAutomaton makes the automaton of a program; nil if that needs too many classes.
func newAutomaton(prog *syntax.Prog) *automaton {
	a := &automaton{prog: prog, words: (len(prog.Inst) + 63) / 64, anchored: prog.StartCond()&syntax.EmptyBeginText != 0}
	for i := range prog.Inst {
		if in := &prog.Inst[i]; in.Op == syntax.InstEmptyWidth {
			op := syntax.EmptyOp(in.Arg)
			a.lines = a.lines || op&(syntax.EmptyBeginLine|syntax.EmptyEndLine) != 0
			a.border = a.border || op&(syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) != 0
		}
	}
	if !a.classify() {
		return nil
	}
	a.tables.New = func() any { return a.newTable() }
	if t := a.newTable(); a.finish(t) {
		a.whole = t
	}
	return a
}

// finish works out all steps of a table; false if that is too much.
func (a *automaton) finish(t *table) bool {
	for state := len(a.some); state < len(t.next); state += len(a.some) {
		for class := range a.some {
			if a.step(t, int32(state), class); len(t.kinds) > mostWhole || t.followed > mostSteps {
				return false
			}
		}
	}
	return true
}

// classify finds the classes.
func (a *automaton) classify() bool {
	bounds := []rune{0, '\n', '\n' + 1, '0', '9' + 1, 'A', 'Z' + 1, '_', '_' + 1, 'a', 'z' + 1, utf8.RuneSelf}
	sets := map[string]int{} // what an instruction takes, as text, to its place in kinds
	var kinds []*syntax.Inst
	kindOf := make([]int, len(a.prog.Inst))
	for i := range a.prog.Inst {
		in := &a.prog.Inst[i]
		kindOf[i] = -1
		if in.Op < syntax.InstRune {
			continue
		}
		key := string(in.Rune)
		if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
			key += "\x00fold"
		}
		at, ok := sets[key]
		if !ok {
			at = len(kinds)
			sets[key] = at
			kinds = append(kinds, in)
			bounds = appendBounds(bounds, in)
		}
		kindOf[i] = at
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	if len(bounds)*len(kinds) > mostTests {
		return false
	}
	return a.divide(bounds, kinds, kindOf)
}

// divide gives the ranges of characters that begin at the bounds their classes: those that no kind of instruction tells apart get
// one. kindOf is each instruction's kind, -1 for one that takes no character.
func (a *automaton) divide(bounds []rune, kinds []*syntax.Inst, kindOf []int) bool {
	byWhat := map[string]uint8{}
	what := make([]byte, len(kinds)+1)
	for _, r := range bounds {
		for k, in := range kinds {
			what[k] = 0
			if in.MatchRune(r) {
				what[k] = 1
			}
		}
		what[len(kinds)] = a.kind(r)
		class, ok := byWhat[string(what)]
		if !ok {
			if len(a.some) == mostClasses-1 {
				return false
			}
			class = uint8(len(a.some))
			byWhat[string(what)] = class
			a.some = append(a.some, r)
			takes := make([]uint64, a.words)
			for pc, k := range kindOf {
				if k >= 0 && what[k] == 1 {
					takes[pc/64] |= 1 << (pc % 64)
				}
			}
			a.takes = append(a.takes, takes)
		}
		a.bounds, a.wide = append(a.bounds, r), append(a.wide, class)
	}
	for c := range a.ascii {
		a.ascii[c] = a.classOf(rune(c))
	}
	a.some, a.takes = append(a.some, -1), append(a.takes, make([]uint64, a.words))
	return true
}

// appendBounds appends where the ranges of what an instruction takes begin and where they have ended.
func appendBounds(bounds []rune, in *syntax.Inst) []rune {
	if len(in.Rune) == 1 {
		r := in.Rune[0]
		bounds = append(bounds, r, r+1)
		if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
			for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
				bounds = append(bounds, other, other+1)
			}
		}
		return bounds
	}
	for i := 0; i+1 < len(in.Rune); i += 2 {
		bounds = append(bounds, in.Rune[i], in.Rune[i+1]+1)
	}
	return bounds
}

// classOf is a character's class.
func (a *automaton) classOf(r rune) uint8 {
	at, found := slices.BinarySearch(a.bounds, r)
	if !found {
		at--
	}
	return a.wide[at]
}

// What a character is for the assertions beside it.
const (
	atStart uint8 = iota
	plain
	newline
	letter
)

// kind says what a character is to this program.
func (a *automaton) kind(r rune) uint8 {
	switch {
	case a.lines && r == '\n':
		return newline
	case a.border && syntax.IsWordChar(r):
		return letter
	}
	return plain
}

// table is what one text at a time needs: the states that are known.
type table struct {
	// next is the step of each state at each class: a row for every state, which is known by where its row begins. The first row
	// is empty, so that no state is 0.
	next  []int32
	sets  []uint64 // the instructions to go on at of each state
	kinds []uint8  // the kind of the character before each state
	ids   map[string]int32
	steps int // how many characters it has served
	// followed is how many instructions have been followed to make it.
	followed int

	key   []byte
	set   []uint64
	seen  []uint64
	stack []uint32
}

func (a *automaton) newTable() *table {
	t := &table{next: make([]int32, len(a.some)), ids: map[string]int32{}, set: make([]uint64, a.words), seen: make([]uint64, a.words)}
	t.set[a.prog.Start/64] |= 1 << (a.prog.Start % 64)
	a.state(t, atStart)
	return t
}

// state is the state of t.set, a new one if need be; dead if nothing is in it.
func (a *automaton) state(t *table, kind uint8) int32 {
	t.key = append(t.key[:0], kind)
	var any uint64
	for _, w := range t.set {
		t.key = binary.LittleEndian.AppendUint64(t.key, w)
		any |= w
	}
	if any == 0 {
		return dead
	}
	id, ok := t.ids[string(t.key)]
	if !ok {
		t.kinds = append(t.kinds, kind)
		t.sets = append(t.sets, t.set...)
		id = int32(len(t.next))
		t.next = append(t.next, make([]int32, len(a.some))...)
		t.ids[string(t.key)] = id
	}
	return id
}

// step works out where a class leads from a state.
func (a *automaton) step(t *table, from int32, class int) int32 {
	at, number := int(from)+class, int(from)/len(a.some)
	if to := t.next[at]; to != unknownStep {
		return to
	}
	before := [...]rune{atStart: -1, plain: ' ', newline: '\n', letter: 'a'}[t.kinds[number-1]]
	holds := syntax.EmptyOpContext(before, a.some[class])
	clear(t.seen)
	clear(t.set)
	t.stack = t.stack[:0]
	for w, left := range t.sets[(number-1)*a.words : number*a.words] {
		for ; left != 0; left &= left - 1 {
			t.stack = append(t.stack, uint32(w*64+bits.TrailingZeros64(left)))
		}
	}
	to := unknownStep
	for len(t.stack) > 0 && to != accepted {
		pc := t.stack[len(t.stack)-1]
		t.stack = t.stack[:len(t.stack)-1]
		if t.seen[pc/64]&(1<<(pc%64)) != 0 {
			continue
		}
		t.seen[pc/64] |= 1 << (pc % 64)
		t.followed++
		switch in := &a.prog.Inst[pc]; in.Op {
		case syntax.InstMatch:
			to = accepted
		case syntax.InstAlt, syntax.InstAltMatch:
			t.stack = append(t.stack, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			t.stack = append(t.stack, in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^holds == 0 {
				t.stack = append(t.stack, in.Out)
			}
		case syntax.InstFail:
		default:
			if a.takes[class][pc/64]&(1<<(pc%64)) != 0 {
				t.set[in.Out/64] |= 1 << (in.Out % 64)
			}
		}
	}
	if to != accepted {
		if class == len(a.some)-1 {
			to = dead
		} else {
			if !a.anchored {
				t.set[a.prog.Start/64] |= 1 << (a.prog.Start % 64)
			}
			to = a.state(t, a.kind(a.some[class]))
		}
	}
	t.next[at] = to // t.next may be another since
	return to
}

// match says whether the text matches. It says false for known if the regexp package should be asked, because the table would
// hold too many states.
func (a *automaton) match(s string) (matches, known bool) {
	t := a.whole
	if t == nil {
		if a.hopeless.Load() {
			return false, false
		}
		t = a.tables.Get().(*table)
	}
	state, next := a.first(), t.next
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if to := next[int(state)+int(a.ascii[c])]; to > 0 {
				state = to
				i++
				continue
			}
		}
		class, size := int(a.ascii[c%utf8.RuneSelf]), 1
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			class = int(a.classOf(r))
		}
		to := next[int(state)+class]
		if to == unknownStep {
			if len(t.kinds) >= mostStates {
				a.hopeless.Store(t.steps+i < worthwhile*mostStates)
				return false, false // the table is dropped
			}
			to = a.step(t, state, class)
			next = t.next
		}
		i += size
		if to < 0 {
			a.done(t, i)
			return to == accepted, true
		}
		state = to
	}
	to := next[int(state)+len(a.some)-1]
	if to == unknownStep {
		to = a.step(t, state, len(a.some)-1)
	}
	a.done(t, len(s))
	return to == accepted, true
}

// first is the state before any character.
func (a *automaton) first() int32 { return int32(len(a.some)) }

// done gives a table back that has served n characters.
func (a *automaton) done(t *table, n int) {
	if t != a.whole {
		t.steps += n
		a.tables.Put(t)
	}
}
