package lql

import (
	"strings"

	"tocsin/internal/logs"
)

// delimiters are what separates tokens beside single characters: the escaped forms that BigQuery's LOG_ANALYZER knows. They
// are tried before %, the longest first.
var delimiters = []string{"%2526", "%2520", "%21", "%26", "%3B", "%3b", "%7C", "%7c", "%20", "%2B", "%2b", "%3D", "%3d", "%5D",
	"%5d", "%5B", "%5b", "%3A", "%3a", "%0A", "%0a", "%2C", "%2c", "%28", "%29"}

const delimiterBytes = "[]<>(){}|!;,'\"*&?+/:=@.-$%\\_\n\r \t"

// delimiter is the length of the delimiter that s begins with, or 0.
func delimiter(s string) int {
	if strings.IndexByte(delimiterBytes, s[0]) < 0 {
		return 0
	}
	if s[0] == '%' {
		for _, d := range delimiters {
			if strings.HasPrefix(s, d) {
				return len(d)
			}
		}
	}
	return 1
}

// eachToken calls f with every token of s and whereabouts it stands, until f says false.
func eachToken(s string, f func(start, end int) bool) {
	start := -1
	for i := 0; i < len(s); {
		n := delimiter(s[i:])
		if n == 0 {
			if start < 0 {
				start = i
			}
			i++
			continue
		}
		if start >= 0 && !f(start, i) {
			return
		}
		start = -1
		i += n
	}
	if start >= 0 {
		f(start, len(s))
	}
}

// searchTerm is one thing that SEARCH looks for: a token, or a phrase that stands in backticks.
type searchTerm struct {
	text   string // ASCII letters in lower case
	phrase bool
}

// search is SEARCH's arguments.
func (p *parser) search(c *Call) {
	const want = "the text to search for, in double quotes,"
	t := p.peek()
	if t.kind == tokenString && p.ahead().kind == tokenClose {
		p.next()
	} else {
		c.Field = p.fieldArgument()
		if p.peek().kind != tokenComma {
			p.syntax(p.peek(), want+" is missing")
		}
		p.next()
		t = p.quoted(want)
	}
	c.Value = Literal{Text: t.text, Quoted: true}
	terms, why := searchTerms(t.text)
	if why != "" {
		p.report(t, "bad search", why)
		return
	}
	field := c.Field
	c.match = func(e *logs.Entry) bool { return searchIn(e, field, terms) }
}

// searchTerms cuts a query into what it looks for.
func searchTerms(query string) (terms []searchTerm, why string) {
	for i, part := range strings.Split(query, "`") {
		if i%2 == 1 {
			if part != "" {
				terms = append(terms, searchTerm{text: lowerASCII(part), phrase: true})
			}
			continue
		}
		eachToken(part, func(start, end int) bool {
			word := part[start:end]
			if word == "AND" || word == "OR" || word == "NOT" {
				why = word + " inside the text is an operator in BigQuery's SEARCH and a word in Logging's: write it outside, as in SEARCH(\"a\") " + word + " SEARCH(\"b\"), or in lower case if the word is meant"
			}
			terms = append(terms, searchTerm{text: lowerASCII(word)})
			return true
		})
	}
	switch {
	case why != "":
		return nil, why
	case strings.Count(query, "`")%2 == 1:
		return nil, "a backtick has no partner: a phrase stands between two"
	case len(terms) == 0:
		return nil, "it holds no word to search for"
	}
	return terms, ""
}

func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				b[i] = lower(b[i])
			}
			return string(b)
		}
	}
	return s
}

// searchIn says whether all terms are found: in the field, or anywhere in the entry's text.
func searchIn(e *logs.Entry, field *Field, terms []searchTerm) bool {
	found := make([]bool, len(terms))
	left := len(terms)
	look := func(s string) bool {
		for i, t := range terms {
			if !found[i] && t.in(s) {
				found[i] = true
				left--
			}
		}
		return left == 0
	}
	if field == nil {
		return eachText(e.Root, logs.EntrySchema(), look)
	}
	return field.each(e, func(it item) bool {
		if it.typed && it.typ != logs.StringType {
			return false
		}
		return eachText(it.v, nil, look)
	})
}

// eachText calls f with all strings in v until f says true; what has another type by the schema is no text.
func eachText(v logs.Value, schema *logs.Field, f func(string) bool) bool {
	switch v.Kind {
	case logs.String:
		return (schema == nil || schema.Type == logs.StringType || free(schema.Type)) && f(v.Str)
	case logs.Array:
		for i := range v.Items {
			if eachText(v.Items[i], schema, f) {
				return true
			}
		}
	case logs.Object:
		for i := range v.Members {
			m := &v.Members[i]
			var next *logs.Field
			if schema != nil && schema.Type == logs.MessageType {
				next = schema.Field(m.Name)
			}
			if eachText(m.Value, next, f) {
				return true
			}
		}
	}
	return false
}

// in says whether the text holds the term.
func (t searchTerm) in(s string) bool {
	if len(t.text) > len(s) {
		return false
	}
	low := lowerASCII(s)
	if t.phrase {
		return phraseIn(s, low, t.text)
	}
	if !strings.Contains(low, t.text) {
		return false
	}
	found := false
	// The delimiters %2B and %2b are told apart, so that tokens are cut from the text as it is.
	eachToken(s, func(start, end int) bool {
		found = low[start:end] == t.text
		return !found
	})
	return found
}

// phraseIn says whether phrase stands in the text between delimiters or its ends. A phrase that itself begins or ends with a
// delimiter needs none there.
func phraseIn(s, low, phrase string) bool {
	starts, ends := map[int]bool{0: true}, map[int]bool{len(s): true}
	for i := 0; i < len(s); {
		n := delimiter(s[i:])
		if n == 0 {
			i++
			continue
		}
		ends[i] = true
		starts[i] = true
		starts[i+n] = true
		ends[i+n] = true
		i += n
	}
	for at := 0; ; at++ {
		n := strings.Index(low[at:], phrase)
		if n < 0 {
			return false
		}
		at += n
		if starts[at] && ends[at+len(phrase)] {
			return true
		}
	}
}
