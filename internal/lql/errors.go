package lql

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Error is one mistake in a filter.
type Error struct {
	// Line and Column say where the token begins, both from 1; columns are counted in runes.
	Line, Column int
	// Token is what stands there as it is written; empty at the end of the filter.
	Token string
	// Text says what is wrong, Suggestion what would be right ("" if nothing can be said).
	Text, Suggestion string
}

// Error is the mistake as the server words it, with the suggestion behind it: syntax error at line 1, column 58, token ':': ...
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at line %d, column %d", e.Text, e.Line, e.Column)
	if e.Token != "" {
		fmt.Fprintf(&b, ", token '%s'", shorten(e.Token))
	}
	if e.Suggestion != "" {
		b.WriteString(": ")
		b.WriteString(e.Suggestion)
	}
	return visible(b.String())
}

// visible is a text of one line in which control characters are escapes.
func visible(s string) string {
	if !strings.ContainsFunc(s, unicode.IsControl) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Errors is several mistakes in one filter, in the order of their places.
type Errors []*Error

// Error joins the mistakes as the server does.
func (es Errors) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap makes each mistake findable by errors.As.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// shorten bounds a token in a message.
func shorten(s string) string {
	const most = 60
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "..."
}

// operatorHint says what an operator behind an operator should have been.
func operatorHint(op Op, t token) string {
	if op == Equal && t.text == "=" {
		return "equality is written with one ="
	}
	if op == Equal && (t.text == ">" || t.text == "<") {
		return fmt.Sprintf("the operator is written %s=", t.text)
	}
	if op == Less && t.text == ">" {
		return "inequality is written !="
	}
	return fmt.Sprintf("a value should stand here; a value that holds %s must be in double quotes", t.raw)
}

// wordOperators are the operators as other languages call them.
var wordOperators = map[string]Op{"contains": Has, "has": Has, "includes": Has, "is": Equal, "equals": Equal, "eq": Equal, "ne": NotEqual, "matches": Matches,
	"like": Matches, "regexp": Matches, "gt": Greater, "gte": GreaterEqual, "ge": GreaterEqual, "≥": GreaterEqual, "≤": LessEqual, "≠": NotEqual, "lt": Less, "lte": LessEqual, "le": LessEqual}

// comparisonHint says what should have followed a path that next stands behind.
func comparisonHint(path string, next token) string {
	if strings.ContainsAny(path, "≥≤≠") {
		return "the operators are written >=, <= and !="
	}
	op, ok := wordOperators[strings.ToLower(next.text)]
	switch {
	case next.kind == tokenText && ok:
		return fmt.Sprintf("%s is written %s here, as in %s%s\"text\"", next.text, op, path, op)
	case next.kind == tokenText && strings.EqualFold(next.text, "in"):
		return fmt.Sprintf("a list of values is written %s=(\"a\" OR \"b\")", path)
	}
	return fmt.Sprintf("to ask whether the field is there write %s:*; to look for the text anywhere put it in double quotes", path)
}

// closingHint says what is wrong with a token where a function should end.
func closingHint(name string, t token) string {
	switch t.kind {
	case tokenDot, tokenStar, tokenOp, tokenPlus, tokenMinus:
		return fmt.Sprintf("text that holds %s must be in double quotes", t.raw)
	}
	return fmt.Sprintf("the parenthesis of %s should close here", name)
}

// nearest is the candidate that is most like name, or "" if none is much like it.
func nearest(name string, candidates []string) string {
	best, least := "", len(name)/3+2
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c), least); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of letters to add, drop, change or swap with a neighbour to turn a into b; limit or more is not told apart.
func distance(a, b string, limit int) int {
	if len(a) > 64 || len(b) > 64 || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	var before, above []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return min(row[len(b)], limit)
}
