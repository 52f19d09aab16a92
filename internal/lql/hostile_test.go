package lql

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tocsin/internal/logs"
)

// hostileSize is how long hostile entries are; the longest that Cloud Logging takes has four times as much.
const hostileSize = 16 << 10

// hostileEntries are entries that are made to be slow.
func hostileEntries() map[string]string {
	size := hostileSize
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	var names, strs, list strings.Builder
	for i := range size / 16 {
		fmt.Fprintf(&names, `"K_%d":%d,`, i, i%10)
		fmt.Fprintf(&strs, `"é%d ABC x",`, i%1000)
		fmt.Fprintf(&list, `{"b":%d},`, i%10)
	}
	return map[string]string{
		"a's":           `{"textPayload":"` + fill("a") + `"}`,
		"folding":       `{"textPayload":"` + fill("É") + `"}`,
		"ligatures":     `{"textPayload":"` + fill("ﷺ") + `"}`,
		"marks":         `{"textPayload":"` + fill("\u0323\u0307") + `"}`,
		"one-byte runs": `{"textPayload":"` + fill("a.") + `"}`,
		"escapes":       `{"textPayload":"` + fill(`\u0041`) + `"}`,
		"surrogates":    `{"textPayload":"` + fill(`\ud800`) + `"}`,
		"percent":       `{"textPayload":"` + fill("%25") + `"}`,
		"names":         `{"jsonPayload":{` + names.String() + `"z":1}}`,
		"proto names":   `{"protoPayload":{"@type":"t",` + names.String() + `"z":1}}`,
		"http names":    `{"httpRequest":{` + names.String() + `"z":1}}`,
		"same name":     `{"jsonPayload":{` + fill(`"a":1,`) + `"z":1}}`,
		"texts":         `{"jsonPayload":{"a":[` + strs.String() + `""]}}`,
		"messages":      `{"jsonPayload":{"a":[` + list.String() + `{}]}}`,
		"numbers":       `{"jsonPayload":{"a":[` + fill("1e400,") + `1]}}`,
		"long number":   `{"jsonPayload":{"a":` + fill("9") + `}}`,
		"exponent":      `{"jsonPayload":{"a":1e` + fill("9") + `}}`,
		"deep":          `{"jsonPayload":{"a":` + strings.Repeat("[", 190) + strings.Repeat("]", 190) + `}}`,
		"too deep":      `{"jsonPayload":{"a":` + fill("["),
		"flat arrays":   `{"jsonPayload":{"a":[` + fill("[],") + `[]]}}`,
		"any in any":    `{"protoPayload":` + strings.Repeat(`{"@type":"t","value":`, 180) + `{}` + strings.Repeat("}", 180) + `}`,
		"latency":       `{"httpRequest":{"latency":"` + fill("9") + `s"}}`,
		"timestamp":     `{"timestamp":"` + fill("2026-01-01T00:00:00Z") + `"}`,
		"severity":      `{"severity":"` + fill("é") + `"}`,
		"log name":      `{"logName":"projects/p/logs/` + fill("%2F") + `"}`,
		"not UTF-8":     `{"textPayload":"` + fill("\xff\xfe") + `"}`,
		"text":          fill("GET /x?a=b&c=d HTTP/1.1 502 "),
		"zero bytes":    fill("\x00"),
	}
}

// hostileFilters are filters that are made to be slow, many of them as long as a filter may be.
func hostileFilters() map[string]string {
	most := func(term func(i int) string) string {
		var b strings.Builder
		for i := 0; ; i++ {
			s := term(i)
			if utf8.RuneCountInString(s)+b.Len() > MaxLength {
				return strings.TrimSuffix(b.String(), " OR ")
			}
			b.WriteString(s)
		}
	}
	return map[string]string{
		"a long literal":         `textPayload:"` + strings.Repeat("a", MaxLength-20) + `b"`,
		"a long literal, global": `"` + strings.Repeat("a", MaxLength-20) + `b"`,
		"long equality":          `textPayload="` + strings.Repeat("a", MaxLength-20) + `b"`,
		"many words":             most(func(i int) string { return fmt.Sprintf("q%x OR ", i) }),
		"many numbers":           most(func(i int) string { return fmt.Sprintf("%d OR ", 1000+i) }),
		"many literals":          most(func(i int) string { return fmt.Sprintf(`textPayload:"q%x" OR `, i) }),
		"many accents":           most(func(i int) string { return fmt.Sprintf(`textPayload:"é%x" OR `, i) }),
		"many equalities":        most(func(i int) string { return fmt.Sprintf(`textPayload="é%x" OR `, i) }),
		"many orders":            most(func(i int) string { return fmt.Sprintf(`textPayload>"～%x" OR `, i) }),
		"many fields":            most(func(i int) string { return fmt.Sprintf(`protoPayload.k_x%x:* OR `, i) }),
		"many payload fields":    most(func(i int) string { return fmt.Sprintf(`jsonPayload.a.b=%d OR `, 1000+i) }),
		"many log ids":           most(func(i int) string { return fmt.Sprintf(`log_id("q%x") OR `, i) }),
		"a search of many words": `SEARCH("` + most(func(i int) string { return fmt.Sprintf("q%x ", i) })[:MaxLength-50] + `")`,
		"a search for phrases":   `SEARCH("` + most(func(i int) string { return fmt.Sprintf("`a.%05x` ", i) })[:10*1990] + `")`,
		"a long phrase":          "SEARCH(\"`" + strings.Repeat("a.", 9000) + "b`\")",
		"many searches":          most(func(i int) string { return fmt.Sprintf(`SEARCH("q%x") OR `, i) }),
		"not not":                strings.Repeat("NOT (", 99) + `textPayload:"q"` + strings.Repeat(")", 99),
		"a pattern at the limit": `textPayload=~"(?:a?){490}b$"`,
		"a pattern of classes":   `textPayload=~"(?:[a-q][^u-z]){13}x|(?:.|\\n){200}[^a]y$"`,
		"many patterns":          most(func(i int) string { return fmt.Sprintf(`textPayload=~"(x+x+)+%x" OR `, i) }),
		"many large patterns":    most(func(i int) string { return fmt.Sprintf(`textPayload=~"(?:a?){470}%x$" OR `, i) }),
		"many extracts":          most(func(i int) string { return fmt.Sprintf(`regexp_extract(textPayload, "(a*)%x$")="x" OR `, i) }),
		"casts":                  most(func(i int) string { return fmt.Sprintf(`cast(jsonPayload.a, FLOAT64)=%d OR `, i) }),
		"cast against cast":      `cast(jsonPayload.a.b, STRING)=cast(jsonPayload.a.b, FLOAT64)`,
		"field against field":    `jsonPayload.a.b>cast(jsonPayload.a.b, FLOAT64)`,
	}
}

// TestHostile asks every hostile filter of every hostile entry: each pair has its answer soon, from Match and from a set.
func TestHostile(t *testing.T) {
	limit := 5 * time.Second
	if raceEnabled || testing.Short() {
		t.Skip("takes a while")
	}
	for name, src := range hostileFilters() {
		start := time.Now()
		f, err := Parse(src)
		if took := time.Since(start); took > limit {
			t.Errorf("parsing %s took %v", name, took)
		}
		if err != nil {
			t.Logf("%s is refused: %.200s", name, err)
			continue
		}
		f.Lints()
		_ = f.String()
		set := Compile([]*Filter{f, f})
		if took := time.Since(start); took > limit {
			t.Errorf("parsing and compiling %s took %v", name, took)
		}
		for entry, line := range hostileEntries() {
			start := time.Now()
			e := logs.ParseLine([]byte(line))
			if took := time.Since(start); took > limit {
				t.Errorf("reading %s took %v", entry, took)
			}
			start = time.Now()
			matches := f.Match(e)
			if took := time.Since(start); took > limit/6 {
				t.Logf("SLOW %s on %s took %v", name, entry, took)
			}
			start = time.Now()
			scanned := false
			if _, err := set.Scan(logs.Batch{Data: []byte(line)}, time.Time{}, func(*logs.Entry, []int) { scanned = true }); err != nil || scanned != matches {
				t.Errorf("%s on %s: a set says %v, Match %v: %v", name, entry, scanned, matches, err)
			}
			if took := time.Since(start); took > limit {
				t.Errorf("%s on %s in a set took %v", name, entry, took)
			}
		}
	}
}
