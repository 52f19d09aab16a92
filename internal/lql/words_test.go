package lql

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/logs"
)

// TestWords asks sets of many terms that look for texts in the same places, and holds them against the terms asked one by one.
func TestWords(t *testing.T) {
	places := []string{"", "", "textPayload:", "jsonPayload.a:", "jsonPayload.a.b:", "jsonPayload:", "labels.k:", "severity:", "httpRequest:", "httpRequest.requestUrl:", "protoPayload.methodName:", "logName:"}
	values := []string{"a", `"a b"`, "ab", "b", "B", "é", "\"e\u0301\"", "x", "hook", "oo", "5", "1", `"1s"`, "true", "NULL_VALUE", `"NULL_VALUE"`, "ERROR", "err", "200", "K", "ss", "ß", "\"\u212a\"", "kk", `""`, "-1", "1e3", "NaN"}
	matches, asked := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var terms []string
		for range rapid.IntRange(20, 60).Draw(t, "terms") {
			terms = append(terms, rapid.SampledFrom(places).Draw(t, "place")+rapid.SampledFrom(append(values, entryTextsQuoted()...)).Draw(t, "value"))
		}
		filters := []*Filter{parsed(t, strings.Join(terms, " OR "))}
		for _, term := range terms {
			filters = append(filters, parsed(t, "NOT ("+term+")"), parsed(t, term))
		}
		r := rand.New(rand.NewPCG(1, 1))
		set := Compile(filters)
		for range 5 {
			var b strings.Builder
			writeJSON(&b, drawEntry(t), r)
			e := logs.ParseLine([]byte(b.String()))
			found := make([]bool, len(filters))
			if _, err := set.Scan(logs.Batch{Data: []byte(b.String())}, time.Time{}, func(_ *logs.Entry, matched []int) {
				for _, i := range matched {
					found[i] = true
				}
			}); err != nil {
				t.Fatal(err)
			}
			for i, f := range filters {
				want := evaluate(f.Root, e)
				if found[i] != want || f.Match(e) != want {
					t.Fatalf("%s\non %s: in a set %v, Match %v, by itself %v", f, b.String(), found[i], f.Match(e), want)
				}
				if asked++; want {
					matches++
				}
			}
		}
	})
	t.Logf("%d asked, %d match", asked, matches)
}

// entryTextsQuoted are the texts that drawn entries hold, as values.
func entryTextsQuoted() []string {
	var out []string
	for _, s := range entryTexts {
		out = append(out, quote(s))
	}
	return out
}

// TestWordsAreFoundAtOnce counts what is looked at: each byte once, however many words are asked for.
func TestWordsAreFoundAtOnce(t *testing.T) {
	f, err := Parse(hostileFilters()["many words"])
	if err != nil {
		t.Fatal(err)
	}
	groups := wordGroups(Compile([]*Filter{f}).leaves)
	if len(groups) != 1 || len(groups[0].leaves) < 2000 {
		t.Fatalf("%d groups", len(groups))
	}
	w := &wordSearch{words: groups[0]}
	e := logs.ParseLine([]byte(`{"jsonPayload":{"a":["` + strings.Repeat(`q7 xq","`, 1000) + `qq1f"]}}`))
	told, found := 0, 0
	w.in(e, func(_ int, holds bool) {
		if told++; holds {
			found++
		}
	})
	if told != len(groups[0].leaves) || found != 3 { // q7, q1 and q1f
		t.Errorf("told of %d, %d found", told, found)
	}
}
