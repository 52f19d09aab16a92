package lql

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxNesting is how deep parentheses may nest.
const maxNesting = 100

// parser is a recursive descent over the tokens of one filter. A mistake of syntax ends it (by stop); others are collected.
type parser struct {
	tokens []token
	pos    int
	depth  int
	// inValues is set within a list of values, where a minus may be a sign.
	inValues bool
	programs int // how many instructions the regular expressions so far compile to
	texts    int // how many terms so far look for a text
	errs     Errors
}

// stop ends a parse; result turns it into an error.
type stop struct{}

// filter parses a whole filter; nil for an empty one, or where p.errs says why not.
func (p *parser) filter() (root Node) {
	defer p.recoverStop()
	if p.peek().kind == tokenEnd {
		return nil
	}
	root = p.expression()
	if t := p.peek(); t.kind != tokenEnd {
		p.syntax(t, unexpected(t))
	}
	return root
}

func (p *parser) recoverStop() {
	if r := recover(); r != nil {
		if _, ok := r.(stop); !ok {
			panic(r)
		}
	}
}

// result is what is wrong with the filter, or nil.
func (p *parser) result() error {
	switch len(p.errs) {
	case 0:
		return nil
	case 1:
		return p.errs[0]
	}
	slices.SortStableFunc(p.errs, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return p.errs
}

func (p *parser) peek() token { return p.tokens[p.pos] }

func (p *parser) ahead() token { return p.tokens[min(p.pos+1, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if t.kind != tokenEnd {
		p.pos++
	}
	return t
}

// report notes a mistake and goes on.
func (p *parser) report(t token, text, suggestion string) {
	p.errs = append(p.errs, &Error{Line: t.at.Line, Column: t.at.Column, Token: t.raw, Text: text, Suggestion: suggestion})
}

// syntax notes a mistake of syntax and ends the parse.
func (p *parser) syntax(t token, suggestion string) {
	text := "syntax error"
	if t.kind == tokenEnd {
		text = "syntax error: unexpected end of filter"
	}
	p.report(t, text, suggestion)
	panic(stop{})
}

func keyword(t token, word string) bool { return t.kind == tokenText && t.text == word }

func (p *parser) nest(t token) {
	if p.depth++; p.depth > maxNesting {
		p.syntax(t, fmt.Sprintf("parentheses may nest %d deep", maxNesting))
	}
}

// grammar is the boolean grammar over some kind of simple term: NOT, then OR, then juxtaposition and AND.
func (p *parser) grammar(simple func() Node) Node {
	var all []Node
	for {
		t := p.peek()
		if keyword(t, "AND") || keyword(t, "OR") {
			p.syntax(t, t.text+" joins two terms; the one before it is missing")
		}
		all = append(all, p.factor(simple))
		t = p.peek()
		switch {
		case keyword(t, "AND"):
			p.next()
			p.needTerm("AND")
		case t.kind == tokenText, t.kind == tokenString, t.kind == tokenOpen, t.kind == tokenMinus:
		default:
			return and(all)
		}
	}
}

func (p *parser) factor(simple func() Node) Node {
	var either []Node
	for {
		either = append(either, p.term(simple))
		if !keyword(p.peek(), "OR") {
			return or(either)
		}
		p.next()
		p.needTerm("OR")
	}
}

// needTerm fails unless a term follows.
func (p *parser) needTerm(after string) {
	switch t := p.peek(); {
	case t.kind == tokenEnd, t.kind == tokenClose, keyword(t, "AND"), keyword(t, "OR"):
		p.syntax(t, "a term is missing after "+after)
	}
}

func (p *parser) term(simple func() Node) Node {
	t := p.peek()
	if !keyword(t, "NOT") && (t.kind != tokenMinus || p.signed()) {
		return simple()
	}
	p.next()
	p.needTerm(t.text)
	if u := p.peek(); keyword(u, "NOT") || u.kind == tokenMinus && !p.signed() {
		p.syntax(u, "a term may be negated once; use parentheses, as in NOT (NOT a)")
	}
	return &Not{Item: simple()}
}

// signed says whether the minus at hand begins a number in a value list.
func (p *parser) signed() bool {
	return p.inValues && !p.ahead().spaced && p.ahead().kind == tokenText && p.ahead().text[0] >= '0' && p.ahead().text[0] <= '9'
}

func (p *parser) expression() Node { return p.grammar(p.simple) }

// simple is a restriction or an expression in parentheses.
func (p *parser) simple() Node {
	t := p.peek()
	switch t.kind {
	case tokenOpen:
		p.next()
		p.nest(t)
		if c := p.peek(); c.kind == tokenClose {
			p.syntax(c, "the parentheses are empty")
		}
		n := p.expression()
		p.close(t)
		return n
	case tokenText, tokenString:
		return p.restriction()
	case tokenEnd:
		p.syntax(t, "a term is missing")
	case tokenDot, tokenPlus, tokenStar, tokenComma:
		p.syntax(t, fmt.Sprintf("text that holds %s must be in double quotes", t.raw))
	default:
		p.syntax(t, "a field, a value in double quotes or a function should stand here")
	}
	return nil
}

// close takes the parenthesis that closes open.
func (p *parser) close(open token) {
	if t := p.peek(); t.kind != tokenClose {
		if t.kind == tokenEnd {
			p.syntax(t, fmt.Sprintf("the parenthesis opened at line %d, column %d is not closed", open.at.Line, open.at.Column))
		}
		if t.kind == tokenComma {
			p.syntax(t, p.listHint(open))
		}
		p.syntax(t, unexpected(t))
	}
	p.next()
	p.depth--
}

// restriction is a comparison, a function or a value to look for anywhere.
func (p *parser) restriction() Node {
	t := p.peek()
	if p.call() {
		return p.function()
	}
	if lit, ok := p.number(); ok {
		if p.peek().kind != tokenOp {
			return p.global(t, lit)
		}
		p.syntax(t, "a field of the entry should stand here, such as severity or jsonPayload.message")
	}
	names := p.names()
	if p.peek().kind == tokenOp {
		field, ok := p.field(names)
		if !ok {
			p.comparison(t, &Field{At: t.at, Path: []string{"textPayload"}, leaf: textPayload, known: 1}) // to find more mistakes
			return &Global{}
		}
		return p.comparison(t, field)
	}
	if last := names[len(names)-1]; strings.HasSuffix(last.raw, "[") && p.peek().kind == tokenString && !p.peek().spaced {
		p.syntax(last, indexHint(names, p.peek()))
	}
	if len(names) > 1 {
		whole := joined(names)
		p.report(whole, "no comparison", comparisonHint(shorten(whole.raw), p.peek()))
		return &Global{}
	}
	return p.global(t, Literal{Text: t.text, Quoted: t.kind == tokenString})
}

func (p *parser) global(t token, lit Literal) Node {
	p.texts++
	return &Global{At: t.at, Value: lit, constant: newConstant(lit)}
}

// names are the names of a path.
func (p *parser) names() []token {
	names := []token{p.next()}
	for p.peek().kind == tokenDot {
		dot := p.next()
		t := p.peek()
		if dot.spaced || t.spaced || t.kind != tokenText && t.kind != tokenString {
			p.syntax(dot, "a dot joins two names of a path, without a space; other text that holds . must be in double quotes")
		}
		names = append(names, p.next())
	}
	return names
}

var numberPattern = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// number takes a number that the lexer cut at its sign or its dots: -5, 1.5, 1.5e-3. Nothing else is taken.
func (p *parser) number() (Literal, bool) {
	text, i := "", p.pos
	switch t := &p.tokens[i]; t.kind {
	case tokenMinus, tokenPlus, tokenDot:
	default:
		if t.kind != tokenText || t.text[0] < '0' || t.text[0] > '9' {
			return Literal{}, false
		}
	}
	if k := p.tokens[i].kind; k == tokenMinus || k == tokenPlus {
		text = p.tokens[i].raw
		i++
	}
	for first := i; p.tokens[i].kind == tokenText || p.tokens[i].kind == tokenDot; i++ {
		if p.tokens[i].spaced && (i > first || text != "") {
			break
		}
		text += p.tokens[i].raw
	}
	if !numberPattern.MatchString(text) {
		return Literal{}, false
	}
	p.pos = i
	return Literal{Text: text}, true
}

// comparison is what follows the left side: an operator and one or more values.
func (p *parser) comparison(first token, left Operand) Node {
	op := p.next()
	c := Compare{At: first.at, Left: left, Op: Op(op.text)}
	if t := p.peek(); t.kind == tokenOpen {
		p.next()
		p.nest(t)
		if u := p.peek(); u.kind == tokenClose {
			p.syntax(u, "the list of values is empty")
		}
		was := p.inValues
		p.inValues = true
		n := p.values(c)
		p.inValues = was
		p.close(t)
		return n
	}
	n := p.value(c)
	if t := p.peek(); !t.spaced && t.kind != tokenEnd && t.kind != tokenClose && t.kind != tokenComma {
		if t.kind == tokenOpen {
			p.syntax(t, "a space or an operator is missing before the parenthesis")
		}
		if p.tokens[p.pos-1].kind == tokenString {
			p.syntax(t, `between two terms stands a space; a double quote inside a string is written \"`)
		}
		p.syntax(t, fmt.Sprintf("a value that holds %s must be in double quotes", t.raw))
	}
	return n
}

// values is a boolean expression of values; the field and the operator of c are applied to each.
func (p *parser) values(c Compare) Node {
	return p.grammar(func() Node {
		t := p.peek()
		if t.kind != tokenOpen {
			return p.value(c)
		}
		p.next()
		p.nest(t)
		n := p.values(c)
		p.close(t)
		return n
	})
}

// value completes c with one value.
func (p *parser) value(c Compare) Node {
	t := p.peek()
	if lit, ok := p.number(); ok {
		c.Value = lit
		return p.finish(&c, t)
	}
	switch t.kind {
	case tokenString:
		p.next()
		c.Value = Literal{Text: t.text, Quoted: true}
	case tokenStar:
		if c.Op != Has || p.inValues {
			p.syntax(t, "only field:* takes a bare *, to ask whether the field is there; there are no wildcards: use =~ with a regular expression, or : for a part of the text")
		}
		p.next()
		c.Any = true
	case tokenText:
		if keyword(t, "AND") || keyword(t, "OR") || keyword(t, "NOT") {
			p.syntax(t, "a value is missing here; as a value the word must be in double quotes")
		}
		if p.call() {
			return p.right(&c)
		}
		if c.Op == Equal && t.text[0] == '!' {
			p.syntax(t, "the operator is written !=; a value that begins with ! must be in double quotes")
		}
		p.next()
		c.Value = Literal{Text: t.text}
	case tokenEnd, tokenClose:
		p.syntax(t, fmt.Sprintf("a value is missing after %s", c.Op))
	case tokenOp:
		p.syntax(t, operatorHint(c.Op, t))
	default:
		p.syntax(t, fmt.Sprintf("a value that holds %s must be in double quotes", t.raw))
	}
	return p.finish(&c, t)
}

// finish checks a comparison with a constant and prepares it.
func (p *parser) finish(c *Compare, t token) Node {
	c.constant = newConstant(c.Value)
	if c.Op == Has {
		p.texts++
	}
	if c.Op == Matches || c.Op == MatchesNot {
		if !c.Value.Quoted {
			p.report(t, "bad regular expression", "it must be in double quotes")
			return c
		}
		re, err := p.compilePattern(c.Value.Text, false)
		if err != nil {
			p.report(t, "bad regular expression", err.Error())
			return c
		}
		c.constant.re = re
	}
	if why := refuseConstant(c); why != "" {
		p.report(t, "bad value", why)
	}
	return c
}
