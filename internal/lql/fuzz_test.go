package lql

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"tocsin/internal/logs"
)

// FuzzLex holds that tokens are pieces of the text, in its order, at the places that they say; what lies between them is
// white space and comments.
func FuzzLex(f *testing.F) {
	for _, c := range readCases(f) {
		if len(c.Filter) < 1000 {
			f.Add(c.Filter)
		}
	}
	f.Fuzz(func(t *testing.T, src string) {
		tokens, err := lex(src)
		if err != nil {
			if e := new(Error); !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Token == "" || e.Suggestion == "" {
				t.Fatalf("%q: %#v", src, err)
			}
			return
		}
		lines := strings.SplitAfter(src, "\n")
		rest := src
		for _, tok := range tokens {
			if tok.kind == tokenEnd {
				break
			}
			at := skipBlank(rest)
			if !strings.HasPrefix(at, tok.raw) || tok.spaced != (at != rest) {
				t.Fatalf("%q: token %q is not at %q", src, tok.raw, rest)
			}
			if runes := []rune(lines[tok.at.Line-1]); !strings.HasPrefix(tok.raw, string(runes[tok.at.Column-1])) && runes[tok.at.Column-1] != '\uFFFD' {
				t.Fatalf("%q: token %q is said to be at %v", src, tok.raw, tok.at)
			}
			rest = at[len(tok.raw):]
		}
	})
}

// skipBlank is s behind white space and comments.
func skipBlank(s string) string {
	for {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
		if !strings.HasPrefix(s, "--") {
			return s
		}
		_, s, _ = strings.Cut(s, "\n")
	}
}

// FuzzScan asks a filter of a batch of lines at once and one by one.
func FuzzScan(f *testing.F) {
	for i, c := range readCases(f) {
		if i%3 == 0 && len(c.Filter) < 1000 {
			f.Add(c.Filter, string(c.Entry)+"\nplain\n")
		}
	}
	f.Add(`jsonPayload.a.b>5 OR SEARCH("a b")`, `{"jsonPayload":{"a":[{"b":1e400},{"b":"\ud800"}]},"jsonPayload":{"a":1}}`+"\n\xff{\n")
	f.Fuzz(func(t *testing.T, src, data string) {
		filter, err := Parse(src)
		if err != nil {
			return
		}
		b := logs.Batch{Data: []byte(data)}
		filters := []*Filter{filter, nil, filter.Own(), derived(not1(filter))}
		want := map[int64][]int{}
		b.Entries(time.Time{}, func(e *logs.Entry) bool {
			for i, f := range filters {
				if f != nil && f.Match(e) {
					want[e.Offset] = append(want[e.Offset], i)
				}
			}
			return true
		})
		if _, err := Compile(filters).Scan(b, time.Time{}, func(e *logs.Entry, matched []int) {
			if !slices.Equal(matched, want[e.Offset]) {
				t.Fatalf("%q on %q: Scan finds %v, one by one it is %v", src, e.Raw, matched, want[e.Offset])
			}
			delete(want, e.Offset)
		}); err != nil || len(want) > 0 {
			t.Fatalf("%q on %q: Scan misses %v: %v", src, data, want, err)
		}
	})
}

// not1 is what a filter does not match.
func not1(f *Filter) Node {
	if f.Root == nil {
		return &Global{constant: newConstant(Literal{Quoted: true})}
	}
	return &Not{Item: f.Root}
}

// FuzzProtoScan is FuzzScan for the wire.
func FuzzProtoScan(f *testing.F) {
	f.Add(`"x"`, []byte{3, 0x1a, 1, 'x'})
	f.Add(`severity>=ERROR httpRequest.latency<"1s" jsonPayload.a:*`, []byte{9, 0x50, 0xf4, 0x03, 0x32, 4, 0x0a, 2, 0x0a, 0})
	f.Fuzz(func(t *testing.T, src string, data []byte) {
		filter, err := Parse(src)
		if err != nil {
			return
		}
		b := logs.Batch{Form: logs.Proto, Data: data}
		n := 0
		b.Entries(time.Time{}, func(e *logs.Entry) bool {
			if filter.Match(e) {
				n++
			}
			return true
		})
		if _, err := Compile([]*Filter{filter}).Scan(b, time.Time{}, func(*logs.Entry, []int) { n-- }); err != nil || n != 0 {
			t.Fatalf("%q on %x: %d entries more one by one, %v", src, data, n, err)
		}
	})
}
