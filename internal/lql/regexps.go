package lql

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"sync"
)

// maxProgram is how many instructions a regular expression may compile to. Most are matched in one step a character, however
// large they are (see automaton). Of those that are not, because they have too many states, maxAlive is how many instructions
// hostile text may keep waiting at once: each takes time at every character. The worst takes about a quarter of a second for a text of
// 256 KiB, in regexp_extract, which has to keep what it captures, a second: a commit's hash or a container's id must be fit to be extracted.
const (
	maxProgram = 1000
	maxAlive   = 100
)

// maxPrograms is how many instructions all regular expressions of a filter may compile to, for the same reason.
const maxPrograms = 3000

// pattern is a regular expression that is asked of texts.
type pattern struct {
	re *regexp.Regexp
	// auto makes the automaton when it is first needed; it is nil if there is none.
	auto func() *automaton
}

// match says whether the text matches.
func (p *pattern) match(s string) bool {
	if a := p.auto(); a != nil && (a.whole != nil || len(s) > shortText) {
		if matches, known := a.match(s); known {
			return matches
		}
	}
	return p.re.MatchString(s)
}

// shortText is how many bytes of text the regexp package reads fast enough, where a table would have to be made first.
const shortText = 128

// compilePattern compiles a regular expression of RE2's syntax that is not too costly, by itself and with those that the
// parser compiled before. captures says that it is regexp_extract's. Its error is fit for a person.
func (p *parser) compilePattern(text string, captures bool) (*pattern, error) {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, errors.New(regexpHint(err))
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, errors.New(regexpHint(err))
	}
	if len(prog.Inst) > maxProgram {
		return nil, fmt.Errorf("it compiles to %d steps, %d are allowed; large counts such as {1,500} are what costs most", len(prog.Inst), maxProgram)
	}
	if p.programs += len(prog.Inst); p.programs > maxPrograms {
		return nil, fmt.Errorf("with those before it, it makes %d steps, %d are allowed in a filter: join patterns as a|b, or split the filter into several", p.programs, maxPrograms)
	}
	auto := sync.OnceValue(func() *automaton { return newAutomaton(prog) })
	if alive := hardest(prog, auto, captures); alive > maxAlive {
		return nil, fmt.Errorf("hostile text keeps %d of its steps waiting at once, %d are allowed: write smaller counts, or * for a large one", alive, maxAlive)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, errors.New(regexpHint(err))
	}
	return &pattern{re: re, auto: auto}, nil
}

// hardest is how many instructions hostile text keeps waiting at every character; 0 if no character takes more than one step.
func hardest(prog *syntax.Prog, auto func() *automaton, captures bool) int {
	if len(prog.Inst) <= maxAlive {
		return 0
	}
	a := auto()
	if a == nil {
		return len(prog.Inst)
	}
	_, alive, branches := a.walk(walkLength)
	if !branches && !captures {
		return 0
	}
	return alive
}

// walkLength is how many characters a walk has at most: enough to keep every thread of a program alive.
const walkLength = 2 * maxProgram

// regexpHint says what is wrong with a pattern and, where it is known, what to write instead.
func regexpHint(err error) string {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	what := string(e.Code)
	if e.Expr != "" {
		what += ": " + shorten(e.Expr)
	}
	switch e.Code {
	case syntax.ErrInvalidPerlOp:
		return what + "; RE2 has no look-ahead, look-behind or possessive groups: use a second comparison with NOT or !~"
	case syntax.ErrInvalidEscape:
		return what + "; RE2 has no backreferences"
	case syntax.ErrMissingRepeatArgument:
		return what + "; to match the character itself put a backslash before it"
	}
	return what
}
