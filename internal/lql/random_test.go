package lql

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/logs"
)

// drawn is a filter that was drawn: its text, and its meaning by the plain evaluator.
type drawn struct {
	src   string
	holds func(object) bool
}

var refPaths = []refPath{
	{"textPayload", []string{"textPayload"}, stringType}, {"text_payload", []string{"textPayload"}, stringType},
	{"severity", []string{"severity"}, enumType}, {"SEVERITY", []string{"severity"}, enumType}, {"timestamp", []string{"timestamp"}, timeType},
	{"httpRequest.status", []string{"httpRequest", "status"}, intType}, {"http_request.response_size", []string{"httpRequest", "responseSize"}, intType},
	{"httpRequest.latency", []string{"httpRequest", "latency"}, durType}, {"httpRequest.cacheHit", []string{"httpRequest", "cacheHit"}, boolType},
	{"httpRequest.requestUrl", []string{"httpRequest", "requestUrl"}, stringType}, {"httpRequest.remoteIp", []string{"httpRequest", "remoteIp"}, stringType},
	{"traceSampled", []string{"traceSampled"}, boolType}, {"operation.id", []string{"operation", "id"}, stringType}, {"operation.first", []string{"operation", "first"}, boolType},
	{"resource.type", []string{"resource", "type"}, stringType}, {"insertId", []string{"insertId"}, stringType}, {"trace", []string{"trace"}, stringType},
	{"httpRequest", []string{"httpRequest"}, messageType}, {"operation", []string{"operation"}, messageType},
	{"labels.k", []string{"labels", "k"}, labelType}, {`labels."a.b/c"`, []string{"labels", "a.b/c"}, labelType}, {"resource.labels.K", []string{"resource", "labels", "K"}, labelType},
	{"metadata.systemLabels.a", []string{"metadata", "systemLabels", "a"}, freeType},
	{"jsonPayload", []string{"jsonPayload"}, structType}, {"jsonPayload.a", []string{"jsonPayload", "a"}, freeType}, {"JSONPAYLOAD.b", []string{"jsonPayload", "b"}, freeType},
	{"jsonPayload.a.b", []string{"jsonPayload", "a", "b"}, freeType}, {`jsonPayload."a"."x y"`, []string{"jsonPayload", "a", "x y"}, freeType}, {"jsonPayload.A", []string{"jsonPayload", "A"}, freeType},
	{"jsonPayload.a.b.a", []string{"jsonPayload", "a", "b", "a"}, freeType},
	{"protoPayload.methodName", []string{"protoPayload", "methodName"}, protoType}, {"protoPayload.METHOD_NAME", []string{"protoPayload", "METHOD_NAME"}, protoType},
	{"protoPayload.status.a", []string{"protoPayload", "status", "a"}, protoType}, {"proto_payload.status", []string{"protoPayload", "status"}, protoType},
}

var refLiterals = []string{"a", "A", "ab", "", "5", "5.0", "-1.5", "500", "502", "1e400", "true", "FALSE", "ERROR", "error", "INFO", "SEVERE", "0", "1s", "1500ms", "-0.5s", "2026-01-01",
	"2026-01-01T00:00:00.5Z", "2025-12-31T23:00:00-01:00", "ß", "ss", "ﬁ", "fi", "É", "é", "Ａ", "x\u00ady", "xy", "x y", "x\"y\\z", "tab\there", "K", "\u212a", "*", "NULL_VALUE", "null", "10.0.0.1", "/hook", "５", "k8s_pod", "AND"}

var bareLiteral = regexp.MustCompile(`^[A-Za-z0-9_/éÉßﬁＡ][A-Za-z0-9_/éÉßﬁＡ-]*$|^[+-]?[0-9]+(\.[0-9]+)?(e[0-9]+)?$`)

func drawLiteral(t *rapid.T) (src, text string, quoted bool) {
	text = rapid.SampledFrom(refLiterals).Draw(t, "literal")
	if bareLiteral.MatchString(text) && text != "AND" && rapid.Bool().Draw(t, "bare") {
		return text, text, false
	}
	if rapid.IntRange(0, 9).Draw(t, "octal") == 0 {
		var b strings.Builder
		for _, c := range []byte(text) {
			fmt.Fprintf(&b, `\%03o`, c)
		}
		return `"` + b.String() + `"`, text, true
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`).Replace(text) + `"`, text, true
}

func (p refPath) any(op, lit string, quoted bool) func(object) bool {
	return func(e object) bool {
		return slices.ContainsFunc(p.get(e), func(f found) bool { return refCompare(f, op, lit, quoted) })
	}
}

// drawGrammar draws terms joined as the language joins them, with no more parentheses than are needed.
func drawGrammar(t *rapid.T, depth int, simple func(afterMinus bool) drawn) drawn {
	term := func() drawn {
		neg := rapid.SampledFrom([]string{"", "", "", "NOT ", "-"}).Draw(t, "not")
		var d drawn
		if depth > 0 && rapid.IntRange(0, 3).Draw(t, "nested") == 0 {
			d = drawGrammar(t, depth-1, simple)
			d.src = "(" + d.src + ")"
		} else {
			d = simple(neg == "-")
		}
		if neg == "" {
			return d
		}
		return drawn{neg + d.src, func(e object) bool { return !d.holds(e) }}
	}
	either := func() drawn {
		d := term()
		for rapid.IntRange(0, 3).Draw(t, "or") == 0 {
			left, right := d, term()
			d = drawn{left.src + rapid.SampledFrom([]string{" OR ", "\nOR\n", " OR -- c\n"}).Draw(t, "join") + right.src, func(e object) bool { return left.holds(e) || right.holds(e) }}
		}
		return d
	}
	d := either()
	for rapid.IntRange(0, 2).Draw(t, "and") == 0 {
		left, right := d, either()
		d = drawn{left.src + rapid.SampledFrom([]string{" AND ", " ", "\n"}).Draw(t, "join") + right.src, func(e object) bool { return left.holds(e) && right.holds(e) }}
	}
	return d
}

var ordinaryOps = []string{"=", "!=", "<", "<=", ">", ">=", ":"}

// drawRule draws what most rules are: equalities and parts of text that must all hold.
func drawRule(t *rapid.T) drawn {
	var all []drawn
	for range rapid.IntRange(1, 3).Draw(t, "terms") {
		p := rapid.SampledFrom(rulePaths).Draw(t, "path")
		op := rapid.SampledFrom([]string{"=", "=", "=", ":", ">="}).Draw(t, "op")
		src, text, quoted := drawLiteral(t)
		if rapid.IntRange(0, 4).Draw(t, "list") == 0 {
			src2, text2, quoted2 := drawLiteral(t)
			a, b := p.any(op, text, quoted), p.any(op, text2, quoted2)
			all = append(all, drawn{p.src + op + "(" + src + " OR " + src2 + ")", func(e object) bool { return a(e) || b(e) }})
			continue
		}
		all = append(all, drawn{p.src + op + src, p.any(op, text, quoted)})
	}
	var srcs []string
	for _, d := range all {
		srcs = append(srcs, d.src)
	}
	return drawn{strings.Join(srcs, " "), func(e object) bool { return !slices.ContainsFunc(all, func(d drawn) bool { return !d.holds(e) }) }}
}

// drawFilter draws a filter: a rule, or anything that the grammar has.
func drawFilter(t *rapid.T) drawn {
	if rapid.Bool().Draw(t, "rule") {
		return drawRule(t)
	}
	return drawGrammar(t, 2, func(bool) drawn { return drawSimple(t) })
}

// rulePaths are the fields that rules ask most.
var rulePaths = slices.DeleteFunc(slices.Clone(refPaths), func(p refPath) bool {
	return !slices.Contains([]string{"textPayload", "severity", "jsonPayload.a", "JSONPAYLOAD.b", "jsonPayload.a.b", "resource.type", "labels.k", "httpRequest.status", "httpRequest.requestUrl", "protoPayload.methodName", "protoPayload.status.a", "insertId", "timestamp", "httpRequest.latency", "http_request.response_size"}, p.src)
})

// drawSimple draws a term.
func drawSimple(t *rapid.T) drawn {
	p := rapid.SampledFrom(refPaths).Draw(t, "path")
	space := rapid.SampledFrom([]string{"", " "}).Draw(t, "space")
	switch rapid.IntRange(0, 11).Draw(t, "kind") {
	case 0:
		return drawn{p.src + space + ":" + space + "*", func(e object) bool {
			return slices.ContainsFunc(p.get(e), func(f found) bool {
				o, isObject := f.v.(object)
				return !f.unset && (p.typ != labelType || !isObject || len(o) > 0)
			})
		}}
	case 1:
		src, text, quoted := drawLiteral(t)
		if text == "" {
			return drawn{src, func(object) bool { return true }}
		}
		if strings.HasPrefix(src, "-") || strings.HasPrefix(src, "+") {
			src, quoted = `"`+text+`"`, true
		}
		if foldRef(text) == "" {
			return drawn{src, func(object) bool { return true }}
		}
		return drawn{src, func(e object) bool { return refAnywhere(e, messageType, text, quoted) }}
	case 2:
		op := rapid.SampledFrom([]string{"=~", "!~"}).Draw(t, "op")
		re := rapid.SampledFrom([]string{"a", "^A", "b$", "(?i)ERR", "[0-9]+", "", "^$", `x\.y`, "é|ß"}).Draw(t, "re")
		return drawn{p.src + op + `"` + strings.ReplaceAll(re, `\`, `\\`) + `"`, p.any(op, re, true)}
	case 3:
		op := rapid.SampledFrom(ordinaryOps).Draw(t, "op")
		list := drawGrammar(t, 1, func(afterMinus bool) drawn {
			src, text, quoted := drawLiteral(t)
			if afterMinus && !quoted {
				src, quoted = `"`+text+`"`, true
			}
			return drawn{src, p.any(op, text, quoted)}
		})
		return drawn{p.src + space + op + "(" + list.src + ")", list.holds}
	case 4:
		return drawFunction(t, p)
	default:
		op := rapid.SampledFrom(ordinaryOps).Draw(t, "op")
		src, text, quoted := drawLiteral(t)
		return drawn{p.src + space + op + space + src, p.any(op, text, quoted)}
	}
}

func drawFunction(t *rapid.T, p refPath) drawn {
	switch rapid.IntRange(0, 5).Draw(t, "function") {
	case 0:
		id := rapid.SampledFrom([]string{"stdout", "a/b", "STDOUT"}).Draw(t, "id")
		return drawn{`log_id("` + id + `")`, func(e object) bool { _, got := refLogID(e); return foldRef(got) == foldRef(id) }}
	case 1:
		return drawn{`source(projects/p)`, func(e object) bool { parent, _ := refLogID(e); return parent == "projects/p" }}
	case 2:
		subnet := rapid.SampledFrom([]string{"10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32"}).Draw(t, "subnet")
		return drawn{"ip_in_net(" + p.src + `, "` + subnet + `")`, func(e object) bool {
			return slices.ContainsFunc(p.get(e), func(f found) bool { return !f.unset && refInNet(f.v, subnet) })
		}}
	case 3:
		tokens := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "x", "y", "10", "é", "hook", "1s", "INFO"}), 1, 2).Draw(t, "tokens")
		phrases := rapid.SliceOfN(rapid.SampledFrom([]string{"x y", "10.0", "ab", "/hook"}), 0, 1).Draw(t, "phrases")
		query := strings.Join(tokens, " ")
		for _, phrase := range phrases {
			query += " `" + phrase + "`"
		}
		if rapid.Bool().Draw(t, "whole") {
			return drawn{`search("` + query + `")`, func(e object) bool { return refSearch(refTexts(e, messageType), tokens, phrases) }}
		}
		return drawn{"SEARCH(" + p.src + `, "` + query + `")`, func(e object) bool {
			var texts []string
			for _, f := range p.get(e) {
				texts = append(texts, refTexts(f.v, f.typ)...)
			}
			return refSearch(texts, tokens, phrases)
		}}
	case 4:
		op := rapid.SampledFrom(ordinaryOps).Draw(t, "op")
		src, text, quoted := drawLiteral(t)
		re := regexp.MustCompile(`([a-z0-9]+)`)
		return drawn{"regexp_extract(" + p.src + `, "([a-z0-9]+)")` + op + src, func(e object) bool {
			return slices.ContainsFunc(p.get(e), func(f found) bool {
				s, isText := f.v.(string)
				if !isText || f.typ != freeType && f.typ != protoType && f.typ != labelType && f.typ != stringType {
					return false
				}
				m := re.FindStringSubmatch(s)
				return m != nil && refCompare(found{v: m[1]}, op, text, quoted)
			})
		}}
	default:
		op := rapid.SampledFrom(ordinaryOps).Draw(t, "op")
		src, text, quoted := drawLiteral(t)
		return drawn{"cast(jsonPayload.a, INT64)" + op + src, func(e object) bool {
			return slices.ContainsFunc(refPath{names: []string{"jsonPayload", "a"}}.get(e), func(f found) bool {
				s, isText := f.v.(string)
				n, isNumber := f.v.(number)
				if !isText && !isNumber {
					return false
				}
				i, ok := refInt(s + string(n))
				if !ok {
					// A number with a fraction is rounded half away from zero.
					x, ok := refNumber(s + string(n))
					if !ok || s+string(n) == "1e400" {
						return false
					}
					r, _ := x.Float64()
					i, ok = refInt(fmt.Sprintf("%.0f", r+map[bool]float64{true: 0.01, false: -0.01}[r > 0]))
					if !ok {
						return false
					}
				}
				return refCompare(found{v: number(i.String()), typ: intType}, op, text, quoted)
			})
		}}
	}
}

// TestAgainstReference holds Match and Scan against the plain evaluator on drawn filters and entries: a million pairs, fewer
// with -short and under the race detector.
func TestAgainstReference(t *testing.T) {
	filters, entries := 100, 100
	if testing.Short() || raceEnabled {
		filters, entries = 20, 20
	}
	pairs, matches := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var ds []drawn
		var fs []*Filter
		for range filters {
			d := drawFilter(t)
			f, err := Parse(d.src)
			if err != nil {
				t.Fatalf("Parse(%q): %v", d.src, err)
			}
			again, err := Parse(f.String())
			if err != nil {
				t.Fatalf("%q is written %q: %v", d.src, f, err)
			}
			ds, fs = append(ds, d), append(fs, again)
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var data strings.Builder
		var es []object
		for range entries {
			e := drawEntry(t)
			writeJSON(&data, e, r)
			data.WriteByte('\n')
			es = append(es, e)
		}
		batch := logs.Batch{Data: []byte(data.String())}
		want := map[int64][]int{}
		i := 0
		batch.Entries(time.Time{}, func(e *logs.Entry) bool {
			for j, f := range fs {
				holds := ds[j].holds(es[i])
				if f.Match(e) != holds {
					t.Fatalf("%s\non %s\nMatch says %v, by the rules it is %v", ds[j].src, e.Raw, !holds, holds)
				}
				if holds {
					want[e.Offset] = append(want[e.Offset], j)
					matches++
				}
				pairs++
			}
			i++
			return true
		})
		set := Compile(fs)
		var found [][]int
		set.Find(batch, func(_ []byte, matched []int) { found = append(found, slices.Clone(matched)) })
		var wanted [][]int
		for _, at := range slices.Sorted(maps.Keys(want)) {
			wanted = append(wanted, want[at])
		}
		if !slices.EqualFunc(found, wanted, slices.Equal[[]int]) {
			t.Fatalf("Find finds %v, one by one it is %v", found, wanted)
		}
		if _, err := set.Scan(batch, time.Time{}, func(e *logs.Entry, matched []int) {
			if !slices.Equal(matched, want[e.Offset]) {
				t.Fatalf("%s\nScan finds %v, one by one it is %v", e.Raw, matched, want[e.Offset])
			}
			delete(want, e.Offset)
		}); err != nil || len(want) > 0 {
			t.Fatalf("Scan misses %v: %v", want, err)
		}
	})
	t.Logf("%d pairs, %d of them match", pairs, matches)
}
