package lql

import "strings"

// HostileSize is how many bytes a Trial's text has: the longest that an entry may be.
const HostileSize = 256 << 10

// Trial is a regular expression and a text made to be hard for it. Whoever has a clock finds out by Run what the pattern costs
// at worst.
type Trial struct {
	// At is where the pattern's comparison or function begins in the filter.
	At Position
	// Pattern is the regular expression as it is written, without its quotes and with its escapes resolved.
	Pattern string

	of       *pattern
	captures bool
	piece    string
}

// Run asks the pattern once of its text, of HostileSize bytes.
func (t Trial) Run() {
	text := strings.Repeat(t.piece, HostileSize/len(t.piece))
	if t.captures {
		t.of.re.FindStringSubmatchIndex(text)
		return
	}
	t.of.match(text)
}

// Trials are those of the filter's regular expressions: none for one that takes a single step for each character of any text,
// as most do.
func (f *Filter) Trials() []Trial {
	var out []Trial
	if f.Root != nil {
		eachPattern(f.Root, func(at Position, text string, p *pattern, captures bool) {
			out = append(out, trialsOf(at, text, p, captures)...)
		})
	}
	return out
}

// Trials are those of a path's regular expressions, as of a filter's.
func (p Path) Trials() []Trial {
	var out []Trial
	operandPatterns(p.operand, func(at Position, text string, p *pattern, captures bool) {
		out = append(out, trialsOf(at, text, p, captures)...)
	})
	return out
}

// trialsOf tries a pattern with texts of several shapes.
func trialsOf(at Position, text string, p *pattern, captures bool) []Trial {
	a := p.auto()
	if a != nil && a.whole != nil && !captures {
		return nil
	}
	pieces := []string{"a", text}
	if a != nil {
		long, _, _ := a.walk(walkLength)
		short, _, _ := a.walk(walkLength / 32)
		pieces = []string{long, short}
	}
	var out []Trial
	for _, piece := range pieces {
		if piece != "" {
			out = append(out, Trial{At: at, Pattern: text, of: p, captures: captures, piece: piece})
		}
	}
	return out
}

// eachPattern calls f with every regular expression of a tree.
func eachPattern(n Node, f func(at Position, text string, p *pattern, captures bool)) {
	eachTerm(n, func(term Node) {
		c, ok := term.(*Compare)
		if !ok {
			return
		}
		if c.constant != nil && c.constant.re != nil {
			f(c.At, c.Value.Text, c.constant.re, false)
		}
		operandPatterns(c.Left, f)
		operandPatterns(c.Other, f)
	})
}

func operandPatterns(o Operand, f func(at Position, text string, p *pattern, captures bool)) {
	switch o := o.(type) {
	case *Cast:
		operandPatterns(o.Of, f)
	case *Extract:
		f(o.At, o.Pattern, o.re, true)
		operandPatterns(o.Of, f)
	}
}
