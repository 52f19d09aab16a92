package lql

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

var entryTexts = []string{"a", "A b", "ab", "", "5", "5.0", "1000", "true", "error", "ß", "SS", "oﬃce", "ﬁ", "fi", "é", "É", "ａ", "x\u00ady", "x y", "x.y", "x\"y\\z", "tab\there", "k", "NULL_VALUE", "*",
	"10.0.0.1", "10.1.0.0/16", "10.0.0.0/7", "10.0.0.1:80", "2001:db8::5", "https://h/hook?a=x%20y", "1s", "2026-01-01", "k8s_pod", "and", "line\nx"}

func drawValue(t *rapid.T, depth int) any {
	most := 5
	if depth > 0 {
		most = 8
	}
	switch rapid.IntRange(0, most).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2, 3:
		return number(rapid.SampledFrom([]string{"5", "-1.5", "0", "500", "1e400", "4.5e0", "9007199254740993"}).Draw(t, "number"))
	case 4, 5:
		return rapid.SampledFrom(entryTexts).Draw(t, "text")
	case 6:
		var out []any
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			out = append(out, drawValue(t, depth-1))
		}
		return out
	default:
		out := object{}
		for range rapid.IntRange(0, 3).Draw(t, "members") {
			out[rapid.SampledFrom([]string{"a", "b", "A", "x y"}).Draw(t, "name")] = drawValue(t, depth-1)
		}
		return out
	}
}

// drawEntry draws a LogEntry.
func drawEntry(t *rapid.T) object {
	e := object{}
	set := func(o object, name string, values ...any) {
		if i := rapid.IntRange(-2, len(values)-1).Draw(t, name); i >= 0 {
			o[name] = values[i]
		}
	}
	text := func(o object, name string) {
		if rapid.IntRange(0, 2).Draw(t, name) > 0 {
			o[name] = rapid.SampledFrom(entryTexts).Draw(t, name)
		}
	}
	set(e, "severity", "ERROR", "INFO", "DEFAULT", number("500"), number("550"), "ODD")
	set(e, "timestamp", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500Z", "2026-01-01T01:00:00+01:00", "2025-01-01T00:00:00.000000001Z")
	set(e, "logName", "projects/p/logs/stdout", "projects/p/logs/a%2Fb", "folders/f/logs/stdout")
	set(e, "traceSampled", true, false)
	text(e, "insertId")
	text(e, "trace")
	if rapid.Bool().Draw(t, "http") {
		h := object{}
		set(h, "status", number("500"), number("502"), number("5"), number("0"))
		set(h, "responseSize", "5", "500", "9007199254740993", "0")
		set(h, "latency", "1s", "1.500s", "0s", "-0.5s")
		set(h, "cacheHit", true, false)
		text(h, "requestUrl")
		text(h, "remoteIp")
		e["httpRequest"] = h
	}
	if rapid.Bool().Draw(t, "operation") {
		o := object{}
		text(o, "id")
		set(o, "first", true)
		e["operation"] = o
	}
	if rapid.Bool().Draw(t, "labels") {
		l := object{}
		text(l, "k")
		text(l, "a.b/c")
		e["labels"] = l
		r := object{}
		text(r, "K")
		e["resource"] = object{"labels": r, "type": rapid.SampledFrom(entryTexts).Draw(t, "type")}
		e["metadata"] = object{"systemLabels": object{"a": drawValue(t, 1)}}
	}
	switch rapid.IntRange(0, 5).Draw(t, "payload") {
	case 0:
		text(e, "textPayload")
	case 1:
		status := object{"a": drawValue(t, 1)}
		if rapid.Bool().Draw(t, "any") {
			status = object{"@type": "t", "value": status}
		}
		e["protoPayload"] = object{"@type": "t", rapid.SampledFrom([]string{"methodName", "METHODNAME", "method_name"}).Draw(t, "spelling"): rapid.SampledFrom(entryTexts).Draw(t, "method"), "status": status}
	default:
		p := object{}
		for _, name := range []string{"a", "b", "A"} {
			if rapid.IntRange(0, 3).Draw(t, name) > 0 {
				p[name] = drawValue(t, 2)
			}
		}
		e["jsonPayload"] = p
	}
	return e
}

// writeJSON writes an entry, its names in any order and some characters escaped.
func writeJSON(b *strings.Builder, v any, r *rand.Rand) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		fmt.Fprint(b, v)
	case number:
		b.WriteString(string(v))
	case string:
		b.WriteByte('"')
		for _, c := range v {
			if c < 0x20 || c == '"' || c == '\\' || r.IntN(20) == 0 {
				fmt.Fprintf(b, `\u%04x`, c)
			} else {
				b.WriteRune(c)
			}
		}
		b.WriteByte('"')
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, item, r)
		}
		b.WriteByte(']')
	case object:
		b.WriteByte('{')
		names := slices.Sorted(maps.Keys(v))
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for i, k := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, k, r)
			b.WriteByte(':')
			writeJSON(b, v[k], r)
		}
		b.WriteByte('}')
	}
}
