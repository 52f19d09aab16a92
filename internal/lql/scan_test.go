package lql

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/logs"
)

// The vocabulary is small, so that filters match, and holds what folds, what is escaped and what is cut.
var (
	scanWords = []string{"Error starting config agent.", "error STARTING config", "BackOff", "Back-off restarting", "config", "Kelvin", "masse", "ma\u00dfe",
		"\u212aelvin", "ke\u00adlvin", "\uff42\uff41\uff43\uff4b\uff4f\uff46\uff46", "a/b\"c\\d<e>&f", "back\"off", "502", "5.02e2", "true", "k8s_container", "http_load_balancer", "projects/p", "über alles", "[1,2]",
		"1e400", "\x7fdelete", "caf\u00e9", "cafe\u0301", "NULL_VALUE", "ERROR", "line one\nline two", "tab\there", "", "status", "1500ms", "2026-01-01T01:00:00+01:00", "50200e-2", "long enough to be grouped with the longest of them"}
	scanPaths = []string{"jsonPayload.msg", "jsonPayload.status", "jsonPayload.latency_ms", "jsonPayload.deep.message", "textPayload", "logName", "insertId", "severity", "resource.type",
		"resource.labels.cluster_name", "labels.\"k8s-pod/app\"", "httpRequest.status", "httpRequest.requestUrl", "httpRequest.requestSize", "httpRequest.latency", "httpRequest.cacheHit",
		"timestamp", "operation.producer", "protoPayload.methodName", "protoPayload.status", "jsonPayload", "labels", "httpRequest", "errorGroups.id", "trace", "jsonPayload.reason"}
	scanOps = []string{"=", "=", "=", "!=", ":", ":", "<", ">=", "=~", "!~"}
)

func drawScanTerm(t *rapid.T) string {
	word := rapid.SampledFrom(scanWords).Draw(t, "word")
	switch rapid.IntRange(0, 14).Draw(t, "term") {
	case 0:
		return quote(word)
	case 1:
		return `SEARCH(` + quote(strings.NewReplacer("`", "", "ERROR", "error").Replace(word+" x")) + `)`
	case 2:
		return `SEARCH(` + rapid.SampledFrom(scanPaths).Draw(t, "path") + `, ` + quote("config "+strings.ReplaceAll(word, "`", "")) + `)`
	case 3:
		return `log_id(` + quote(word) + `)`
	case 4:
		return rapid.SampledFrom([]string{"source(projects/p)", "jsonPayload.msg:*", "httpRequest.requestSize:*", "severity>=ERROR", "severity=ERROR", "httpRequest.status>=500", "httpRequest.status=502", "httpRequest.status=0",
			"jsonPayload.latency_ms>100", "httpRequest.latency>\"1s\"", "jsonPayload.reason=NULL_VALUE", "jsonPayload.status=502", "httpRequest.cacheHit=true"}).Draw(t, "special")
	case 5:
		return `regexp_extract(jsonPayload.msg, "(Back.?off|config)")` + rapid.SampledFrom([]string{"=", "!=", ":"}).Draw(t, "op") + quote(word)
	case 6:
		return `jsonPayload.msg=~` + quote(rapid.SampledFrom([]string{"(?i)KELVIN", "^Error (starting|loading) config", "(BackOff|Back-off)", "[0-9]+ms", "(?i)masse", "config agent\\.$", "line one\nline", "a/b\"c", "(conf){1,2}ig ag", "über", "x*"}).Draw(t, "pattern"))
	case 7:
		return `cast(` + rapid.SampledFrom(scanPaths).Draw(t, "path") + `, STRING)=` + quote(word)
	}
	path := rapid.SampledFrom(scanPaths).Draw(t, "path")
	op := rapid.SampledFrom(scanOps).Draw(t, "op")
	if op == "=~" || op == "!~" {
		word = strings.NewReplacer("[", "", "\\", "", ".", "\\.").Replace(word)
	}
	return path + op + quote(word)
}

func drawScanFilter(t *rapid.T) *Filter {
	for {
		var b strings.Builder
		for i := range rapid.IntRange(1, 3).Draw(t, "conjuncts") {
			if i > 0 {
				b.WriteString(" AND ")
			}
			b.WriteByte('(')
			for j := range rapid.IntRange(1, 2).Draw(t, "alternatives") {
				if j > 0 {
					b.WriteString(" OR ")
				}
				if rapid.IntRange(0, 7).Draw(t, "not") == 0 {
					b.WriteString("NOT ")
				}
				b.WriteString(drawScanTerm(t))
			}
			b.WriteByte(')')
		}
		if f, err := Parse(b.String()); err == nil {
			return f
		}
	}
}

// writer writes JSON in the ways that a writer may.
type writer struct {
	t *rapid.T
	strings.Builder
}

func (w *writer) chance(n int) bool { return rapid.IntRange(0, n-1).Draw(w.t, "chance") == 0 }

func (w *writer) space() {
	if w.chance(30) {
		w.WriteString(rapid.SampledFrom([]string{" ", "\t", "  "}).Draw(w.t, "space"))
	}
}

func (w *writer) text(s string) {
	w.space()
	w.WriteByte('"')
	odd := w.chance(6)
	for _, r := range s {
		switch {
		case odd && w.chance(8):
			if r > 0xffff {
				r = 'x'
			}
			fmt.Fprintf(w, `\u%04x`, r)
		case odd && r == '/':
			w.WriteString(`\/`)
		case r == '"' || r == '\\':
			w.WriteByte('\\')
			w.WriteRune(r)
		case r == '\n':
			w.WriteString(`\n`)
		case r == '\t':
			w.WriteString(`\t`)
		case (r == '<' || r == '>' || r == '&') && w.chance(2):
			fmt.Fprintf(w, `\u%04X`, r)
		default:
			w.WriteRune(r)
		}
	}
	if w.chance(60) {
		w.WriteByte(0xff)
	}
	w.WriteByte('"')
	w.space()
}

func (w *writer) value() {
	word := func() string {
		s := rapid.SampledFrom(scanWords).Draw(w.t, "word")
		if w.chance(3) {
			s = rapid.SampledFrom([]string{strings.ToUpper(s), "x" + s, s + "\u0301", s + "y", s + " " + s, "the " + s + " end"}).Draw(w.t, "form")
		}
		return s
	}
	switch rapid.IntRange(0, 12).Draw(w.t, "kind") {
	case 0:
		w.WriteString(rapid.SampledFrom([]string{"502", "502.0", "5.02e2", "0", "1e400", "-1", "true", "false", "null", "500", "1000"}).Draw(w.t, "scalar"))
	case 1:
		w.WriteString("[")
		for i := range rapid.IntRange(0, 2).Draw(w.t, "items") {
			if i > 0 {
				w.WriteByte(',')
			}
			w.value()
		}
		w.WriteString("]")
	case 2:
		w.WriteByte('{')
		w.text(rapid.SampledFrom([]string{"message", "x", "value"}).Draw(w.t, "name"))
		w.WriteByte(':')
		w.value()
		w.WriteByte('}')
	case 3:
		w.text(rapid.SampledFrom([]string{"502", "2s", "0.5s", "1.500s", "ERROR", "2026-01-01T00:00:00Z", "error", "warn", " Fatal", "50", "crit"}).Draw(w.t, "typed"))
	default:
		w.text(word())
	}
}

func (w *writer) object(names []string, most int, value func(name string)) {
	w.WriteByte('{')
	for i := range rapid.IntRange(0, most).Draw(w.t, "members") {
		if i > 0 {
			w.WriteByte(',')
		}
		name := rapid.SampledFrom(names).Draw(w.t, "name")
		w.text(name)
		w.WriteByte(':')
		value(name)
	}
	w.WriteByte('}')
}

func (w *writer) entry() {
	plain := func(string) { w.value() }
	payload := []string{"msg", "status", "latency_ms", "deep", "reason", "level", "severity", "time", "message"}
	if w.chance(8) {
		w.object(payload, 4, plain)
		return
	}
	names := []string{"logName", "log_name", "insertId", "insert_id", "textPayload", "jsonPayload", "jsonPayload", "json_payload", "labels", "resource", "httpRequest", "http_request", "severity", "timestamp",
		"receiveTimestamp", "protoPayload", "operation", "errorGroups", "trace", "somethingNew"}
	w.object(names, 6, func(name string) {
		if w.chance(15) {
			w.value()
			return
		}
		switch name {
		case "logName", "log_name":
			w.text(rapid.SampledFrom([]string{"projects/p/logs/config", "projects/p/logs/Back%4fff", "projects/q/logs/a%2Fb", "PROJECTS/p/logs/x"}).Draw(w.t, "log"))
		case "jsonPayload", "json_payload":
			w.object(payload, 4, plain)
		case "labels":
			w.object([]string{"k8s-pod/app", "x"}, 2, plain)
		case "resource":
			w.object([]string{"type", "labels"}, 2, func(name string) {
				if name == "labels" {
					w.object([]string{"cluster_name", "x"}, 2, plain)
					return
				}
				w.value()
			})
		case "httpRequest", "http_request":
			w.object([]string{"status", "requestUrl", "request_url", "requestSize", "request_size", "latency", "cacheHit", "cache_hit"}, 4, plain)
		case "severity":
			w.text(rapid.SampledFrom([]string{"ERROR", "info", "500", "odd"}).Draw(w.t, "severity"))
		case "timestamp", "receiveTimestamp":
			w.text(rapid.SampledFrom([]string{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-05T00:00:00Z", "ERROR"}).Draw(w.t, "time"))
		case "errorGroups":
			w.WriteByte('[')
			w.object([]string{"id"}, 1, plain)
			w.WriteByte(']')
		default:
			w.value()
		}
	})
}

func drawLine(t *rapid.T) string {
	w := &writer{t: t}
	switch rapid.IntRange(0, 9).Draw(t, "form") {
	case 0:
		w.WriteString(strings.ReplaceAll(rapid.SampledFrom(scanWords).Draw(t, "word"), "\n", " "))
		w.WriteString(rapid.SampledFrom([]string{"", " tail", "\\u0041", "\"", "\xff", "\r"}).Draw(t, "tail"))
	case 1:
		w.entry()
		s := w.String()
		return s[:rapid.IntRange(0, len(s)).Draw(t, "cut")]
	case 2:
		return rapid.SampledFrom([]string{"", " ", "\r", "{", "[]", "null", "\x00", "{}"}).Draw(t, "oddity")
	case 3:
		w.entry()
		w.WriteByte('\r')
	default:
		w.entry()
	}
	return w.String()
}

// TestFindNeedlesOfManyForms would miss the entries if a filter's constant were looked for as it is written, where the entry may
// write it otherwise.
func TestFindNeedlesOfManyForms(t *testing.T) {
	for _, c := range []struct{ filter, line string }{
		{`httpRequest:"1500ms"`, `{"logName":"l","httpRequest":{"latency":"1.500s"}}`},
		{`"1500ms"`, `{"logName":"l","httpRequest":{"latency":"1.500s"}}`},
		{`httpRequest:"50200e-2"`, `{"logName":"l","httpRequest":{"status":502}}`},
		{`insertId:"50200e-2"`, `{"logName":"l","insertId":[502]}`},
		{`"WARNING"`, `{"level":"warn"}`},
		{`"2026-01-01T01:00:00+01:00"`, `{"logName":"l","timestamp":"2026-01-01T00:00:00Z"}`},
	} {
		f, err := Parse(c.filter)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		Compile([]*Filter{f}).Find(logs.Batch{Data: []byte(c.line)}, func([]byte, []int) { found++ })
		if found != 1 {
			t.Errorf("%s is not found in %s", c.filter, c.line)
		}
	}
}

// TestFindRemembersNoBorrowedText would find yesterday's text in a buffer that holds today's.
func TestFindRemembersNoBorrowedText(t *testing.T) {
	f, err := Parse(`textPayload:"needle"`)
	if err != nil {
		t.Fatal(err)
	}
	set := Compile([]*Filter{f})
	find := func(b []byte) (n int) {
		set.Find(logs.Batch{Data: b}, func([]byte, []int) { n++ })
		return n
	}
	line := strings.Repeat("x", longText) + " needle"
	buffer := []byte(line)
	if find(buffer) != 1 {
		t.Fatal("not found")
	}
	for i := range buffer {
		buffer[i] = '-' // another reading fills the buffer
	}
	if find([]byte(line)) != 1 {
		t.Error("not found once the buffer of the first reading had changed")
	}
}

// TestScanAsMatchRandom asks random sets of random lines what Match says of each.
func TestScanAsMatchRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		filters := make([]*Filter, rapid.IntRange(1, 40).Draw(t, "filters"))
		for i := range filters {
			filters[i] = drawScanFilter(t)
		}
		if rapid.IntRange(0, 4).Draw(t, "crowd") == 0 {
			// So many filters with one needle that an index chooses among them.
			for i := range 2 * fewFilters {
				f, err := Parse(fmt.Sprintf(`jsonPayload.msg:"config" (jsonPayload.status=%q OR jsonPayload.reason=%q)`, scanWords[i%len(scanWords)], scanWords[(i+1)%len(scanWords)]))
				if err == nil {
					filters = append(filters, f)
				}
			}
		}
		lines := make([]string, rapid.IntRange(1, 8).Draw(t, "lines"))
		for i := range lines {
			lines[i] = drawLine(t)
		}
		data := strings.Join(lines, "\n")
		if rapid.Bool().Draw(t, "newline") {
			data += "\n"
		}
		checkScan(t, Compile(filters), filters, data)
		one := filters[:1]
		checkScan(t, Compile(one), one, data)
	})
}

func checkScan(t *rapid.T, set *Set, filters []*Filter, data string) {
	type found struct {
		Matched   []int
		Raw, Root string
		Clock     time.Time
	}
	b := logs.Batch{Source: "s", File: "f", Data: []byte(data), Offset: 7, Received: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	start := time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC)
	want, got := map[int64]found{}, map[int64]found{}
	var raws, gotRaws []string
	var ways, gotWays [][]int
	progress := b.Entries(start, func(e *logs.Entry) bool {
		var matched []int
		for i, f := range filters {
			if f.Match(e) {
				matched = append(matched, i)
			}
		}
		if matched != nil {
			want[e.Offset] = found{matched, string(e.Raw), string(e.Root.AppendJSON(nil)), e.Clock}
			raws, ways = append(raws, string(e.Raw)), append(ways, matched)
		}
		return true
	})
	explain := func() string {
		var s strings.Builder
		for i, f := range filters {
			fmt.Fprintf(&s, "%d: %s\n", i, f)
		}
		return s.String() + fmt.Sprintf("%q", data)
	}
	p, err := set.Scan(b, start, func(e *logs.Entry, matched []int) {
		got[e.Offset] = found{matched, string(e.Raw), string(e.Root.AppendJSON(nil)), e.Clock}
	})
	if err != nil || p != progress {
		t.Fatalf("progress %+v, want %+v, error %v\n%s", p, progress, err, explain())
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("Scan found\n%v\nMatch\n%v\n%s", got, want, explain())
	}
	broken := set.Find(b, func(raw []byte, matched []int) {
		gotRaws, gotWays = append(gotRaws, string(raw)), append(gotWays, append([]int(nil), matched...))
	})
	if !reflect.DeepEqual(gotRaws, raws) || !reflect.DeepEqual(gotWays, ways) {
		t.Fatalf("Find found\n%q %v\nMatch\n%q %v\n%s", gotRaws, gotWays, raws, ways, explain())
	}
	if broken > progress.Broken || len(set.rest) > 0 && broken != progress.Broken {
		t.Fatalf("Find counted %d broken entries, there are %d\n%s", broken, progress.Broken, explain())
	}
}
