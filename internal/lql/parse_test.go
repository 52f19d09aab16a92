package lql

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/logs"
)

func TestErrors(t *testing.T) {
	data, err := os.ReadFile("testdata/errors.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(data), "\n\n")[1:] {
		filter, want, _ := strings.Cut(strings.TrimSpace(block), "\n")
		filter = strings.ReplaceAll(filter, `\n`, "\n")
		want = strings.ReplaceAll("\n"+want, "\n\t", "\n")[1:]
		_, err := Parse(filter)
		if err == nil {
			t.Errorf("%s\ngave no error, want\n%s", filter, want)
			continue
		}
		var one *Error
		if !errors.As(err, &one) {
			t.Errorf("%s: %T is no *Error", filter, err)
		}
		got := err.Error()
		if several := (Errors)(nil); errors.As(err, &several) {
			var lines []string
			for _, e := range several {
				lines = append(lines, e.Error())
			}
			got = strings.Join(lines, "\n")
		}
		if got != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", filter, got, want)
		}
	}
}

// TestTypos shows what a person sees who pasted a filter with a mistake: the message, the line and a caret at its place. The
// golden file is read by people; it is written by hand.
func TestTypos(t *testing.T) {
	data, err := os.ReadFile("testdata/typos.txt")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(strings.TrimSpace(string(data)), "\n\n")[1:]
	for _, block := range blocks {
		filter, want, _ := strings.Cut(block, "\n")
		filter = strings.NewReplacer(`\n`, "\n", `\u200b`, "\u200b", `\ufeff`, "\ufeff").Replace(filter)
		_, err := Parse(filter)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s gave no error: %v", filter, err)
			continue
		}
		line := strings.Split(filter, "\n")[e.Line-1]
		if !strings.HasPrefix(string([]rune(line)[e.Column-1:]), e.Token) {
			t.Errorf("%s: the token %q is not at line %d, column %d", filter, e.Token, e.Line, e.Column)
		}
		got := "\t" + e.Error() + "\n\t" + line + "\n\t" + strings.Repeat(" ", e.Column-1) + "^"
		if got != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", filter, got, want)
		}
	}
	if len(blocks) < 10 {
		t.Errorf("only %d mistakes", len(blocks))
	}
}

func TestLimits(t *testing.T) {
	longest := `textPayload="` + strings.Repeat("é", MaxLength-14) + `"`
	if _, err := Parse(longest); err != nil {
		t.Errorf("a filter of %d runes: %v", MaxLength, err)
	}
	for name, filter := range map[string]string{
		"one rune too many":        longest + " ",
		"nested too deep":          strings.Repeat("(", 101) + "a" + strings.Repeat(")", 101),
		"open brackets":            strings.Repeat("(", MaxLength),
		"nested value lists":       "textPayload:" + strings.Repeat("(", 5000),
		"nested casts":             strings.Repeat("cast(", 4000),
		"many optional groups":     `textPayload=~"` + strings.Repeat("(a?)", 2000) + `"`,
		"counted":                  `textPayload=~"((a{0,30}){0,30}){0,30}"`,
		"counted in extract":       `regexp_extract(textPayload, "((?:a{0,30}){0,30})")="a"`,
		"an endless string":        `"` + strings.Repeat("\\", 19000),
		"many words nobody ended":  strings.Repeat("a OR ", 3999),
		"nothing but minus":        strings.Repeat("- ", 9999),
		"nothing but dots":         strings.Repeat(".", 20000),
		"names far from any other": strings.Repeat("x", 19000) + "=1",
	} {
		start := time.Now()
		if _, err := Parse(filter); err == nil {
			t.Errorf("%s: no error", name)
		} else if len(err.Error()) > 1000 {
			t.Errorf("%s: the error is %d bytes long", name, len(err.Error()))
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s: took %v", name, d)
		}
	}
}

// shape is a tree without its places and what is prepared for matching.
func shape(n Node) any {
	list := func(kind string, items []Node) any {
		out := []any{kind}
		for _, i := range items {
			out = append(out, shape(i))
		}
		return out
	}
	switch n := n.(type) {
	case *And:
		return list("and", n.Items)
	case *Or:
		return list("or", n.Items)
	case *Not:
		return list("not", []Node{n.Item})
	case *Compare:
		return []any{"compare", operandShape(n.Left), n.Op, n.Value, n.Any, operandShape(n.Other)}
	case *Global:
		return []any{"global", n.Value}
	case *Call:
		if n.Field == nil {
			return []any{"call", n.Name, n.Value}
		}
		return []any{"call", n.Name, n.Value, n.Field.Path}
	}
	return nil
}

func operandShape(o Operand) any {
	switch o := o.(type) {
	case *Field:
		return o.Path
	case *Extract:
		return []any{"extract", operandShape(o.Of), o.Pattern}
	case *Cast:
		return []any{"cast", operandShape(o.Of), o.Type, o.Zone}
	}
	return nil
}

func checkRoundTrip(t interface{ Fatalf(string, ...any) }, src string) {
	f, err := Parse(src)
	if err != nil {
		return
	}
	again, err := Parse(f.String())
	if err != nil {
		var e *Error
		if errors.As(err, &e) && e.Text == "filter too long" {
			return // lists of values are written out
		}
		t.Fatalf("%q becomes %q: %v", src, f, err)
	}
	if !reflect.DeepEqual(shape(f.Root), shape(again.Root)) {
		t.Fatalf("%q becomes %q, another tree\n%v\n%v", src, f, shape(f.Root), shape(again.Root))
	}
	if again.String() != f.String() {
		t.Fatalf("%q becomes %q becomes %q", src, f, again)
	}
}

// genFilter draws filters that are mostly right.
func genFilter(depth int) *rapid.Generator[string] {
	text := rapid.StringOf(rapid.SampledFrom([]rune("ab\"\\ \t\n.é-:*\x00")))
	return rapid.Custom(func(t *rapid.T) string {
		quoted := func() string { return quote(text.Draw(t, "text")) }
		path := func() string {
			return rapid.SampledFrom([]string{"textPayload", "jsonPayload.a", "JSONPAYLOAD.a.b", "labels." + quoted(), "resource.labels.x", "http_request.STATUS",
				"severity", "timestamp", "jsonPayload.AND." + quoted(), "protoPayload.x.@type", "regexp_extract(jsonPayload.a, \"(a+)\")",
				"cast(timestamp, string, TIME_ZONE(\"UTC\"))", "CAST(regexp_extract(labels.a, \"\\.(b)\"), Int64)"}).Draw(t, "path")
		}
		value := func() string {
			return rapid.SampledFrom([]string{quoted(), "5", "-5", "+1.5e-3", "true", "NULL_VALUE", "a-b/c", "'x'", "a!b", "2026-01-01"}).Draw(t, "value")
		}
		pick := 5
		if depth > 0 {
			pick = 10
		}
		sub := func() string { return genFilter(depth-1).Draw(t, "sub") }
		switch rapid.IntRange(0, pick).Draw(t, "kind") {
		case 0:
			return quoted()
		case 1:
			return path() + ":*"
		case 2:
			return path() + rapid.SampledFrom([]string{" =~ ", "!~"}).Draw(t, "op") + `"a\.b"`
		case 3:
			return rapid.SampledFrom([]string{"log_id(\"a\\\"b\")", "LOG_ID(x)", "source(projects/p)", "sample(insertId, 1.0)", "ip_in_net(jsonPayload.ip, \"1:2::/48\")",
				"search(\"`a b` c\")", "SEARCH(jsonPayload.a, \"x\")", "word", "-1.5"}).Draw(t, "call")
		case 4:
			return path() + rapid.SampledFrom([]string{"=", "!=", "<", " <=", "> ", ">=", ":"}).Draw(t, "op") + "(" + value() + rapid.SampledFrom([]string{" OR ", " AND ", " ", " NOT "}).Draw(t, "join") + value() + ")"
		case 5:
			return path() + rapid.SampledFrom([]string{"=", "!=", "<", " <=", "> ", ">=", ":"}).Draw(t, "op") + value()
		case 6:
			return "NOT (" + sub() + ")"
		case 7:
			return "-(" + sub() + ")"
		default:
			return "(" + sub() + ")" + rapid.SampledFrom([]string{" OR ", " AND ", " ", "\n-- x\n"}).Draw(t, "join") + sub()
		}
	})
}

func TestRoundTrip(t *testing.T) {
	parsed := 0
	rapid.Check(t, func(t *rapid.T) {
		src := genFilter(3).Draw(t, "filter")
		if _, err := Parse(src); err == nil {
			parsed++
		}
		checkRoundTrip(t, src)
	})
	if parsed < 50 {
		t.Errorf("only %d of the filters could be parsed", parsed)
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range readCases(f) {
		f.Add(c.Filter)
	}
	entries := []*logs.Entry{
		logs.ParseLine([]byte(`{"logName":"projects/p/logs/a%2Fb","severity":"ERROR","timestamp":"2026-01-01T00:00:00Z","jsonPayload":{"a":[1,"x",null,{"b":true}]},"labels":{"k":"v"}}`)),
		logs.ParseLine([]byte("some text")),
	}
	f.Fuzz(func(t *testing.T, src string) {
		filter, err := Parse(src)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without text")
			}
			return
		}
		checkRoundTrip(t, src)
		for _, l := range filter.Lints() {
			if _, err := Parse(l.Mend); err != nil && len(l.Mend) < MaxLength || l.At.Line < 1 || l.Text == "" {
				t.Fatalf("%q: lint %+v: %v", src, l, err)
			}
		}
		own := filter.Own()
		for _, e := range entries {
			if filter.Match(e) && !own.Match(e) {
				t.Fatalf("%q matches %s, its own terms %q do not", src, e.Raw, own)
			}
		}
	})
}
