package lql

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printNode writes a tree as text that parses to it.
func printNode(b *strings.Builder, n Node) {
	switch n := n.(type) {
	case *And:
		printItems(b, n.Items, " AND ")
	case *Or:
		printItems(b, n.Items, " OR ")
	case *Not:
		b.WriteString("NOT ")
		if _, twice := n.Item.(*Not); twice {
			printInside(b, n.Item)
		} else {
			printItem(b, n.Item)
		}
	case *Compare:
		printOperand(b, n.Left)
		b.WriteString(string(n.Op))
		switch {
		case n.Any:
			b.WriteByte('*')
		case n.Other != nil:
			printOperand(b, n.Other)
		default:
			printLiteral(b, n.Value)
		}
	case *Global:
		printLiteral(b, n.Value)
	case *Call:
		b.WriteString(n.Name)
		b.WriteByte('(')
		if n.Field != nil {
			printOperand(b, n.Field)
			b.WriteString(", ")
		}
		printLiteral(b, n.Value)
		b.WriteByte(')')
	}
}

func printItems(b *strings.Builder, items []Node, between string) {
	for i, n := range items {
		if i > 0 {
			b.WriteString(between)
		}
		printItem(b, n)
	}
}

// printItem writes a node as a part of another, in parentheses if it joins parts itself.
func printItem(b *strings.Builder, n Node) {
	switch n.(type) {
	case *And, *Or:
		printInside(b, n)
	default:
		printNode(b, n)
	}
}

func printInside(b *strings.Builder, n Node) {
	b.WriteByte('(')
	printNode(b, n)
	b.WriteByte(')')
}

func printOperand(b *strings.Builder, o Operand) {
	switch o := o.(type) {
	case *Field:
		b.WriteString(o.String())
	case *Extract:
		b.WriteString("regexp_extract(")
		printOperand(b, o.Of)
		b.WriteString(", ")
		b.WriteString(quote(o.Pattern))
		b.WriteByte(')')
	case *Cast:
		b.WriteString("cast(")
		printOperand(b, o.Of)
		b.WriteString(", ")
		b.WriteString(o.Type)
		if o.Zone != "" {
			b.WriteString(", TIMEZONE(")
			b.WriteString(quote(o.Zone))
			b.WriteByte(')')
		}
		b.WriteByte(')')
	}
}

// String is the path as it may be written in a filter: names joined by dots, in double quotes where they must be.
func (f *Field) String() string {
	var b strings.Builder
	for i, name := range f.Path {
		if i > 0 {
			b.WriteByte('.')
		}
		if plainText(name) {
			b.WriteString(name)
		} else {
			b.WriteString(quote(name))
		}
	}
	return b.String()
}

func printLiteral(b *strings.Builder, l Literal) {
	if l.Quoted {
		b.WriteString(quote(l.Text))
		return
	}
	b.WriteString(l.Text)
}

// plainText says whether s may stand without quotes as one name.
func plainText(s string) bool {
	plain := true
	for i := range len(s) {
		c := s[i]
		plain = plain && (c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_')
	}
	if plain {
		return s != "" && s != "AND" && s != "OR" && s != "NOT"
	}
	if s == "" || s == "AND" || s == "OR" || s == "NOT" || s[0] == '-' || s[0] == '+' || strings.Contains(s, "--") ||
		strings.ContainsAny(s, "~=():><,.*\"\\!") || !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) < 0
}

// quote writes s in double quotes so that unquote gives it back.
func quote(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == '"' || r == '\\' || r == 0x7f || r == utf8.RuneError }) {
		return `"` + s + `"`
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(s[i])
		case r == '\t':
			b.WriteString(`\t`)
		case r == utf8.RuneError && size == 1, r < 0x20, r == 0x7f:
			fmt.Fprintf(&b, `\%03o`, s[i])
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}
