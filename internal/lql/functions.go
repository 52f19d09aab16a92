package lql

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tocsin/internal/logs"
)

// functionNames are the functions, as they are spelled in the tree; a filter may write them in any case.
var functionNames = []string{"log_id", "source", "sample", "ip_in_net", "SEARCH", "cast", "regexp_extract"}

// functionName is the function of that name in any case, or "".
func functionName(text string) string {
	for _, name := range functionNames {
		if strings.EqualFold(name, text) {
			return name
		}
	}
	return ""
}

// call says whether a function's call stands here: a name with a parenthesis right behind it, or, for a name that is a
// function's, after a space too.
func (p *parser) call() bool {
	t, open := p.peek(), p.ahead()
	return t.kind == tokenText && open.kind == tokenOpen && (!open.spaced || functionName(t.text) != "")
}

// function is a call at the beginning of a term.
func (p *parser) function() Node {
	t := p.next()
	open := p.next()
	p.nest(open)
	switch name := functionName(t.text); name {
	case "cast", "regexp_extract":
		left := p.converted(t, name)
		p.close(open)
		if p.peek().kind != tokenOp {
			p.syntax(p.peek(), fmt.Sprintf("%s yields a value: compare it, as in %s(...) = \"text\"", name, name))
		}
		return p.comparison(t, left)
	case "":
		p.syntax(t, unknownFunction(t))
		return nil
	default:
		c := p.boolean(t, name)
		p.close(open)
		if u := p.peek(); u.kind == tokenOp {
			p.syntax(u, fmt.Sprintf("%s matches by itself and is not compared; put NOT before it to exclude", name))
		}
		return c
	}
}

func unknownFunction(t token) string {
	if near := nearest(t.text, functionNames); near != "" {
		return fmt.Sprintf("there is no function %s; did you mean %s?", shorten(t.text), near)
	}
	return fmt.Sprintf("there is no function %s; there are %s", shorten(t.text), strings.Join(functionNames, ", "))
}

// right is a function on the right side of a comparison.
func (p *parser) right(c *Compare) Node {
	t := p.next()
	open := p.next()
	p.nest(open)
	name := functionName(t.text)
	if name != "cast" && name != "regexp_extract" {
		if name == "" {
			p.syntax(t, unknownFunction(t))
		}
		p.syntax(t, "only cast and regexp_extract yield a value to compare with")
	}
	c.Other = p.converted(t, name)
	p.close(open)
	if c.Op == Matches || c.Op == MatchesNot {
		p.report(t, "bad regular expression", "it must be a string in double quotes")
	}
	return c
}

// operandArgument is a function's first argument: a field, or cast or regexp_extract of one.
func (p *parser) operandArgument() Operand {
	t := p.peek()
	if p.call() {
		p.next()
		open := p.next()
		p.nest(open)
		name := functionName(t.text)
		switch name {
		case "cast", "regexp_extract":
			o := p.converted(t, name)
			p.close(open)
			return o
		case "":
			p.syntax(t, unknownFunction(t))
		}
		p.syntax(t, "a field should stand here, or cast or regexp_extract of one")
	}
	if f := p.fieldArgument(); f != nil {
		return f
	}
	return nil
}

// fieldArgument is a path as a function's argument; nil, and reported, if the schema does not have it.
func (p *parser) fieldArgument() *Field {
	if t := p.peek(); t.kind != tokenText && t.kind != tokenString {
		p.syntax(t, "a field should stand here, such as jsonPayload.message")
	}
	f, _ := p.field(p.names())
	return f
}

func (p *parser) comma(what string) {
	if t := p.peek(); t.kind != tokenComma {
		p.syntax(t, "a comma and "+what+" should stand here")
	}
	p.next()
}

// converted is cast or regexp_extract, after its opening parenthesis.
func (p *parser) converted(t token, name string) Operand {
	of := p.operandArgument()
	if name == "regexp_extract" {
		p.comma("a regular expression in double quotes")
		x := &Extract{At: t.at, Of: of}
		pattern := p.quoted("a regular expression in double quotes")
		x.Pattern = pattern.text
		compiled, err := p.compilePattern(pattern.text, true)
		switch {
		case err != nil:
			p.report(pattern, "bad regular expression", err.Error())
		case compiled.re.NumSubexp() != 1:
			p.report(pattern, "bad regular expression", fmt.Sprintf("regexp_extract takes the text of its one group: it has %d; (...) is a group, (?:...) is none", compiled.re.NumSubexp()))
		}
		x.re = compiled
		return x
	}
	p.comma("a type")
	c := &Cast{At: t.at, Of: of}
	typ := p.next()
	c.Type = strings.ToUpper(typ.text)
	if typ.kind != tokenText || !slices.Contains(castTypes, c.Type) {
		p.syntax(typ, "a type should stand here: "+strings.Join(castTypes, ", "))
	}
	if p.peek().kind == tokenComma {
		p.next()
		c.Zone = p.zone()
	}
	to, err := newCaster(c.Type, c.Zone)
	if err != nil {
		p.report(t, "bad time zone", err.Error())
	}
	c.to = to
	return c
}

// zone is TIMEZONE("IANA"), also spelled TIME_ZONE.
func (p *parser) zone() string {
	const want = `TIMEZONE("America/New_York") is the only option of cast`
	t := p.next()
	if t.kind != tokenText || !strings.EqualFold(strings.ReplaceAll(t.text, "_", ""), "timezone") || p.peek().kind != tokenOpen {
		p.syntax(t, want)
	}
	p.next()
	name := p.quoted("the name of a time zone in double quotes")
	if p.peek().kind != tokenClose {
		p.syntax(p.peek(), want)
	}
	p.next()
	return name.text
}

// quoted is a string in double quotes.
func (p *parser) quoted(what string) token {
	if t := p.peek(); t.kind != tokenString {
		p.syntax(t, what+" should stand here")
	}
	return p.next()
}

// text is a string, quoted or not.
func (p *parser) text(what string) token {
	if t := p.peek(); t.kind != tokenString && t.kind != tokenText {
		p.syntax(t, what+" should stand here, in double quotes if it holds other than letters, digits, /, - and _")
	}
	return p.next()
}

// boolean is a function that matches by itself, after its opening parenthesis.
func (p *parser) boolean(t token, name string) Node {
	c := &Call{At: t.at, Name: name}
	switch name {
	case "log_id":
		id := p.text("the id of a log")
		c.Value = Literal{Text: id.text, Quoted: true}
		want := fold(id.text)
		c.match = func(e *logs.Entry) bool { return fold(logID(e.LogName())) == want }
	case "source":
		p.source(c)
	case "sample":
		p.sample(c)
	case "ip_in_net":
		c.Field = p.fieldArgument()
		p.comma("a subnet in double quotes")
		p.subnet(c)
	case "SEARCH":
		p.search(c)
	}
	if u := p.peek(); u.kind != tokenClose {
		if u.kind == tokenComma {
			p.syntax(u, name+" has no further argument")
		}
		p.syntax(u, closingHint(name, u))
	}
	return c
}

// logID is a logName's log id, decoded.
func logID(logName string) string {
	_, id, ok := strings.Cut(logName, "/logs/")
	if !ok {
		return ""
	}
	if decoded, err := url.PathUnescape(id); err == nil {
		return decoded
	}
	return id
}

func (p *parser) source(c *Call) {
	t := p.text("a resource such as projects/my-project")
	c.Value = Literal{Text: t.text, Quoted: true}
	kind, id, _ := strings.Cut(t.text, "/")
	kinds := []string{"projects", "folders", "organizations", "billingAccounts"}
	if !slices.ContainsFunc(kinds, func(k string) bool { return strings.EqualFold(k, kind) }) || id == "" || strings.Contains(id, "/") {
		p.report(t, "bad resource", "source takes projects/ID, folders/ID, organizations/ID or billingAccounts/ID")
	}
	want := fold(t.text)
	c.match = func(e *logs.Entry) bool {
		parent, _, ok := strings.Cut(e.LogName(), "/logs/")
		return ok && fold(parent) == want
	}
}

// sample can be answered here only for fraction 1: the server's hash is not published.
func (p *parser) sample(c *Call) {
	c.Field = p.fieldArgument()
	p.comma("a fraction such as 1")
	t := p.peek()
	lit, ok := p.number()
	if !ok && t.kind == tokenString {
		lit, ok = Literal{Text: p.next().text}, true
	}
	if !ok {
		p.syntax(t, "a fraction above 0 and up to 1 should stand here")
	}
	t.raw = lit.Text
	fraction, err := strconv.ParseFloat(lit.Text, 64)
	switch {
	case err != nil || !(fraction > 0) || fraction > 1:
		p.report(t, "bad fraction", "sample takes a fraction above 0 and up to 1")
	case fraction < 1:
		p.report(t, "bad fraction", "only sample(field, 1) can be evaluated here: which entries a fraction selects is decided by a hash that is not published")
	}
	c.Value = Literal{Text: lit.Text}
	field := c.Field
	c.match = func(e *logs.Entry) bool {
		return field.each(e, func(it item) bool { return it.v.Kind != logs.Null })
	}
}
