package lql

import (
	"fmt"
	"strings"
)

// listHint says what is wrong with a comma behind a value or a term in parentheses that open opened.
func (p *parser) listHint(open token) string {
	const most = 5
	start := p.pos
	for start > 0 && p.tokens[start-1].at != open.at {
		start--
	}
	var values []string
	for i := start; i < len(p.tokens) && len(values) < most; i += 2 {
		if k := p.tokens[i].kind; k != tokenString && k != tokenText {
			break
		}
		values = append(values, shorten(p.tokens[i].raw))
		if p.tokens[i+1].kind != tokenComma {
			break
		}
	}
	if len(values) < 2 {
		return "terms and values are joined by AND, OR or a space; text that holds , must be in double quotes"
	}
	list := "(" + strings.Join(values, " OR ") + ")"
	if start >= 3 && strings.EqualFold(p.tokens[start-2].raw, "in") {
		list = p.tokens[start-3].raw + "=" + list
	}
	return fmt.Sprintf("a list of values is written %s; text that holds , must be in double quotes", list)
}

// indexHint says how the path is written whose last name ends in an opening bracket before a string.
func indexHint(names []token, key token) string {
	parts := make([]string, 0, len(names)+1)
	for _, n := range names {
		parts = append(parts, strings.TrimSuffix(n.raw, "["))
	}
	name := key.raw
	if plainName(key.text) {
		name = key.text
	}
	return "a name in a path stands behind a dot: " + shorten(strings.Join(append(parts, name), "."))
}

// plainName says whether a name needs no quotes.
func plainName(s string) bool {
	for _, c := range []byte(s) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != ""
}

// unexpected says why a token cannot follow a complete term.
func unexpected(t token) string {
	switch t.kind {
	case tokenClose:
		return "no parenthesis is open here"
	case tokenDot, tokenStar, tokenPlus:
		return fmt.Sprintf("text that holds %s must be in double quotes", t.raw)
	case tokenComma:
		return "terms are joined by AND or by a space; text that holds , must be in double quotes"
	case tokenOp:
		return fmt.Sprintf("text that holds %s must be in double quotes; between two comparisons write AND or OR", t.raw)
	}
	return ""
}

// joined is a path's tokens as one.
func joined(names []token) token {
	raws := make([]string, len(names))
	for i, n := range names {
		raws[i] = n.raw
	}
	t := names[0]
	t.raw = strings.Join(raws, ".")
	return t
}
