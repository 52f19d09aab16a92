package lql

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// maxProgram is how many instructions a regular expression may compile to. Matching takes time in proportion to them times
// the length of the text: without a limit one pattern of a few kilobytes stalls on one long entry.
const maxProgram = 1000

// maxPrograms is how many instructions all regular expressions of a filter may compile to, for the same reason.
const maxPrograms = 3000

// compileRegexp compiles a regular expression of RE2's syntax that is not too large, by itself and with those that the
// parser compiled before. Its error is fit for a person.
func (p *parser) compileRegexp(pattern string) (*regexp.Regexp, error) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
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
	return regexp.Compile(pattern)
}

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
