package lql

import (
	"slices"
	"strings"

	"tocsin/internal/logs"
)

// delimiters are what separates tokens beside single characters: the escaped forms that BigQuery's LOG_ANALYZER knows. They
// are tried before %, the longest first.
var delimiters = []string{"%2526", "%2520", "%21", "%26", "%3B", "%3b", "%7C", "%7c", "%20", "%2B", "%2b", "%3D", "%3d", "%5D",
	"%5d", "%5B", "%5b", "%3A", "%3a", "%0A", "%0a", "%2C", "%2c", "%28", "%29"}

const delimiterBytes = "[]<>(){}|!;,'\"*&?+/:=@.-$%\\_\n\r \t"

// delimits says of each byte whether it is in delimiterBytes.
var delimits = func() (is [256]bool) {
	for _, c := range []byte(delimiterBytes) {
		is[c] = true
	}
	return is
}()

// delimiter is the length of the delimiter that s begins with, or 0.
func delimiter(s string) int {
	if !delimits[s[0]] {
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
	wanted, field := newSearch(terms), c.Field
	c.match = func(e *logs.Entry) bool { return wanted.in(e, field) }
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

// search is what one SEARCH looks for, each thing once.
type search struct {
	tokens  []string
	phrases []string
	// index is where in tokens each one is.
	index map[string]int
}

func newSearch(terms []searchTerm) *search {
	q := &search{index: map[string]int{}}
	for _, t := range terms {
		if t.phrase {
			if !slices.Contains(q.phrases, t.text) {
				q.phrases = append(q.phrases, t.text)
			}
		} else if _, again := q.index[t.text]; !again {
			q.index[t.text] = len(q.tokens)
			q.tokens = append(q.tokens, t.text)
		}
	}
	return q
}

// in says whether everything is found: in the field, or anywhere in the entry's text.
func (q *search) in(e *logs.Entry, field *Field) bool {
	h := hunt{search: q, left: len(q.tokens) + len(q.phrases)}
	h.found = h.few[:]
	if h.left > len(h.few) {
		h.found = make([]bool, h.left)
	}
	if field == nil {
		return eachText(e.Root, logs.EntrySchema(), h.look)
	}
	return field.each(e, func(it item) bool {
		if it.typed && it.typ != logs.StringType {
			return false
		}
		return eachText(it.v, it.schema, h.look)
	})
}

// hunt is one search in one entry.
type hunt struct {
	*search
	found []bool // the tokens, then the phrases
	few   [16]bool
	left  int
}

// look looks through one text and says whether nothing is left to be found.
func (h *hunt) look(s string) bool {
	low := lowerASCII(s)
	if h.mayHold(low) {
		// The delimiters %2B and %2b are told apart, so that tokens are cut from the text as it is.
		eachToken(s, func(start, end int) bool {
			if i, ok := h.index[low[start:end]]; ok && !h.found[i] {
				h.found[i] = true
				h.left--
			}
			return h.left > 0
		})
	}
	var bounds []bool
	for i, phrase := range h.phrases {
		if h.found[len(h.tokens)+i] || !strings.Contains(low, phrase) {
			continue
		}
		if bounds == nil {
			bounds = boundaries(s)
		}
		if phraseIn(low, phrase, bounds) {
			h.found[len(h.tokens)+i] = true
			h.left--
		}
	}
	return h.left == 0
}

// mayHold says whether it is worth to cut the text into tokens. For a few tokens it is cheaper to ask first.
func (h *hunt) mayHold(low string) bool {
	if len(h.tokens) > 4 {
		return true
	}
	for i, t := range h.tokens {
		if !h.found[i] && strings.Contains(low, t) {
			return true
		}
	}
	return false
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
			if eachText(m.Value, child(schema, m.Name), f) {
				return true
			}
		}
	}
	return false
}

// boundaries says where in s a phrase may begin or end: at either side of a delimiter, and at the ends.
func boundaries(s string) []bool {
	out := make([]bool, len(s)+1)
	out[0], out[len(s)] = true, true
	for i := 0; i < len(s); {
		n := delimiter(s[i:])
		if n == 0 {
			i++
			continue
		}
		out[i], out[i+n] = true, true
		i += n
	}
	return out
}

// phraseIn says whether phrase stands in the text between boundaries. A phrase that itself begins or ends with a delimiter
// needs none there.
func phraseIn(low, phrase string, bounds []bool) bool {
	for at := 0; at+len(phrase) <= len(low); at++ {
		if bounds[at] && bounds[at+len(phrase)] && low[at:at+len(phrase)] == phrase {
			return true
		}
	}
	return false
}
