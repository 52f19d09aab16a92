package lql

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"
)

// pattern is a regular expression that is only asked whether it matches. Text of ASCII only is asked of an automaton, which looks
// once at each byte, if the pattern has one that is small.
type pattern struct {
	*regexp.Regexp
	once sync.Once
	auto *automaton
}

// MatchString says what the Regexp would.
func (p *pattern) MatchString(s string) bool {
	p.once.Do(func() { p.auto = newAutomaton(p.String()) })
	if p.auto != nil {
		if matched, ok := p.auto.match(s); ok {
			return matched
		}
	}
	return p.Regexp.MatchString(s)
}

const (
	// maxStates is how many states an automaton may have; with more the Regexp itself is asked.
	maxStates = 128
	// maxFollowed is how many steps of the program may be followed to make one: about a millisecond.
	maxFollowed = 100_000
)

// automaton is a deterministic one over ASCII.
type automaton struct {
	class   [128]uint8
	classes int
	next    []uint8 // by state and class; certain for a match
	atEnd   [maxStates]bool
}

// certain is the state in which it is certain that the text matches.
const certain = 255

// match says whether the text matches; ok is false if it is not all ASCII and no match stands before what is not.
func (a *automaton) match(s string) (matched, ok bool) {
	state := 0
	for i := range len(s) {
		c := s[i]
		if c >= 128 {
			return false, false
		}
		if state = int(a.next[state*a.classes+int(a.class[c])]); state == certain {
			return true, true
		}
	}
	return a.atEnd[state], true
}

// maker makes an automaton by following a program from all places at once.
type maker struct {
	prog     *syntax.Prog
	looks    bool // the program asks what stands beside a place
	followed int
	seen     []bool
	places   []uint32
	states   map[string]int
	keys     []state
}

// state is where in the program a match may go on, and what kind of byte came before: that byte or one for all that are alike, -1
// for none.
type state struct {
	places []uint32
	before rune
}

// newAutomaton is nil if the pattern needs too many states.
func newAutomaton(text string) *automaton {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil
	}
	m := &maker{prog: prog, seen: make([]bool, len(prog.Inst)), states: map[string]int{}}
	for i := range prog.Inst {
		m.looks = m.looks || prog.Inst[i].Op == syntax.InstEmptyWidth
	}
	a := &automaton{}
	of := m.classify(a)
	if of == nil {
		return nil
	}
	m.state([]uint32{uint32(prog.Start)}, -1)
	for i := 0; i < len(m.keys); i++ {
		from := m.keys[i]
		for _, c := range of {
			to := m.step(from, c)
			if to < 0 {
				return nil
			}
			a.next = append(a.next, uint8(to))
		}
		a.atEnd[i] = m.follow(from, -1)
	}
	return a
}

// classify gives bytes that no instruction tells apart one class, and returns a byte of each.
func (m *maker) classify(a *automaton) []rune {
	kinds := map[[2]uint8]uint8{}
	split := func(of func(c rune) uint8) {
		clear(kinds)
		for c := range rune(128) {
			key := [2]uint8{a.class[c], of(c)}
			if _, ok := kinds[key]; !ok {
				kinds[key] = uint8(len(kinds))
			}
			a.class[c] = kinds[key]
		}
		a.classes = len(kinds)
	}
	split(func(c rune) uint8 {
		switch {
		case !m.looks:
			return 0
		case c == '\n':
			return 1
		case syntax.IsWordChar(c):
			return 2
		}
		return 0
	})
	for i := range m.prog.Inst {
		switch inst := &m.prog.Inst[i]; inst.Op {
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if m.followed += 128; m.followed > maxFollowed {
				return nil
			}
			split(func(c rune) uint8 {
				if inst.MatchRune(c) {
					return 1
				}
				return 0
			})
		}
	}
	of := make([]rune, a.classes)
	for c := rune(127); c >= 0; c-- {
		of[a.class[c]] = c
	}
	return of
}

// state is the number of a state, -1 if there are too many.
func (m *maker) state(places []uint32, before rune) int {
	slices.Sort(places)
	places = slices.Compact(places)
	switch {
	case before < 0:
	case !m.looks:
		before = 0
	case syntax.IsWordChar(before):
		before = 'a'
	case before != '\n':
		before = ' '
	}
	key := make([]byte, 0, 4*len(places)+1)
	for _, p := range places {
		key = append(key, byte(p), byte(p>>8), byte(p>>16))
	}
	key = append(key, byte(before))
	n, ok := m.states[string(key)]
	if !ok {
		if n = len(m.keys); n == maxStates {
			return -1
		}
		m.states[string(key)] = n
		m.keys = append(m.keys, state{places: places, before: before})
	}
	return n
}

// step is the state behind the byte c, certain, or -1 if the automaton grows too large.
func (m *maker) step(from state, c rune) int {
	if m.follow(from, c) {
		return certain
	}
	if m.followed > maxFollowed {
		return -1
	}
	next := []uint32{uint32(m.prog.Start)} // a match may begin at each place
	for _, p := range m.places {
		if inst := &m.prog.Inst[p]; inst.MatchRune(c) {
			next = append(next, inst.Out)
		}
	}
	return m.state(next, c)
}

// follow leaves in places the instructions of a state that take a byte, with c behind it (-1 for the end), and says whether it
// matches here.
func (m *maker) follow(from state, c rune) bool {
	looks := syntax.EmptyOpContext(from.before, c)
	clear(m.seen)
	m.places = m.places[:0]
	todo := slices.Clone(from.places)
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if m.seen[p] {
			continue
		}
		m.seen[p] = true
		m.followed++
		switch inst := &m.prog.Inst[p]; inst.Op {
		case syntax.InstMatch:
			return true
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, inst.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&^looks == 0 {
				todo = append(todo, inst.Out)
			}
		case syntax.InstFail:
		default:
			m.places = append(m.places, p)
		}
	}
	return false
}
