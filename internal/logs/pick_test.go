package logs

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var pickPaths = [][]string{
	{"logName"}, {"timestamp"}, {"receiveTimestamp"}, {"severity"}, {"textPayload"}, {"jsonPayload", "msg"}, {"jsonPayload", "a", "b"},
	{"resource", "labels", "cluster_name"}, {"httpRequest", "requestUrl"}, {"httpRequest"}, {"labels"}, {"protoPayload", "x"}, {"errorGroups", "id"},
	{"jsonPayload"},
}

var pickLines = []string{
	`{"insertId":"a","jsonPayload":{"msg":"Error \"x\" \u0041","level":"error","a":[{"b":1},{"b":[2,{"b":3}]}]},"logName":"projects/p/logs/x","receiveTimestamp":"2026-01-01T00:00:00.5Z","resource":{"labels":{"cluster_name":"prow"},"type":"k8s_container"},"severity":"ERROR","timestamp":"2026-01-01T00:00:00.123456789Z"}`,
	`{ "log_name" : "projects/p/logs/x" , "http_request" : { "request_url" : "u" , "status" : 502 }, "requestUrl":"v", "receive_timestamp":"2026-01-01t00:00:00z" }`,
	`{"logName":"a","logName":"b","jsonPayload":{"msg":1},"jsonPayload":{"msg":2,"msg":3},"httpRequest":{"requestUrl":"u","request_url":"v"}}`,
	`{"level":"fatal","msg":"plain","time":"2026-01-01T00:00:00Z"}`,
	`{"json\u0050ayload":{"\u006dsg":"escaped names"}}`,
	`{"errorGroups":[{"id":"x"},{"id":"y"}],"protoPayload":{"@type":"t","X":{"y":[1e400,-0.5,true,null]}},"textPayload":""}`,
	`plain text`, `{}`, `{"textPayload":{"a":[]},"labels":{},"severity":null}`,
}

// TestPickAsLine reads lines, damaged ones among them, whole and in parts.
func TestPickAsLine(t *testing.T) {
	p := new(Picker)
	rapid.Check(t, func(t *rapid.T) {
		line := []byte(rapid.SampledFrom(pickLines).Draw(t, "line"))
		switch rapid.IntRange(0, 5).Draw(t, "damage") {
		case 0:
			line = line[:rapid.IntRange(0, len(line)).Draw(t, "cut")]
		case 1:
			if len(line) > 0 {
				line[rapid.IntRange(0, len(line)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("\"\\{}[]:,x0\x00\xff \x7fe")).Draw(t, "byte")
			}
		case 2:
			at := rapid.IntRange(0, len(line)).Draw(t, "at")
			line = []byte(string(line[:at]) + rapid.SampledFrom([]string{"\\", "\"", "\\u00e9", "\\u12", "é", "\r", " ", "}", "{", strings.Repeat("[", 210)}).Draw(t, "text") + string(line[at:]))
		}
		paths := append([][]string{{"timestamp"}, {"receiveTimestamp"}}, rapid.SliceOfN(rapid.SampledFrom(pickPaths), 0, 4).Draw(t, "paths")...)
		want := ParseLine([]byte(string(line)))
		got := p.Line(line, NewWant(paths...))
		if got.Broken != want.Broken || !got.Timestamp.Equal(want.Timestamp) || !got.ReceiveTimestamp.Equal(want.ReceiveTimestamp) || string(got.Raw) != string(line) {
			t.Fatalf("%q: broken %v, times %v, %v; whole %v, %v, %v", line, got.Broken, got.Timestamp, got.ReceiveTimestamp, want.Broken, want.Timestamp, want.ReceiveTimestamp)
		}
		for _, path := range paths {
			if a, b := string(at(got.Root, path).AppendJSON(nil)), string(at(want.Root, path).AppendJSON(nil)); a != b {
				t.Fatalf("%q: %v is %s, whole %s", line, path, a, b)
			}
		}
	})
}

// at is what stands at a path, in the elements of arrays too.
func at(v Value, path []string) Value {
	if v.Kind == Array && len(path) > 0 {
		out := Value{Kind: Array}
		for _, item := range v.Items {
			out.Items = append(out.Items, at(item, path))
		}
		return out
	}
	if len(path) == 0 {
		return v
	}
	if v.Get(path[0]).Kind == Missing && len(path) > 1 {
		return Value{}
	}
	return at(v.Get(path[0]), path[1:])
}

func TestPickAllocatesNothing(t *testing.T) {
	p := new(Picker)
	w := NewWant([]string{"timestamp"}, []string{"receiveTimestamp"}, []string{"jsonPayload", "msg"}, []string{"severity"})
	line := []byte(pickLines[0])
	if n := testing.AllocsPerRun(100, func() { p.Line(line, w) }); n != 0 {
		t.Errorf("%v allocations a line", n)
	}
}

func TestParseTimeAsRFC3339(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := []byte(rapid.SampledFrom([]string{"2026-01-01T00:00:00Z", "2024-02-29T23:59:59.123456789Z", "2023-02-29T00:00:00Z", "2026-12-31T12:30:45.5Z",
			"0000-01-01T00:00:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+01:00", "9999-12-31T23:59:60Z"}).Draw(t, "time"))
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			s[rapid.IntRange(0, len(s)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("0123456789TtZz:.-+,")).Draw(t, "byte")
		}
		if got, want := ParseTime(string(s)), parseRFC3339(string(s)); !got.Equal(want) || got.IsZero() != want.IsZero() {
			t.Fatalf("%s: %v, in the rare way %v", s, got, want)
		}
	})
}

func BenchmarkPick(b *testing.B) {
	line := []byte(strings.ReplaceAll(pickLines[0], `\u0041`, strings.Repeat(`","k":"some value of it`, 20)))
	p := new(Picker)
	for name, w := range map[string]*Want{
		"times": NewWant([]string{"timestamp"}, []string{"receiveTimestamp"}),
		"some":  NewWant([]string{"jsonPayload", "msg"}, []string{"severity"}, []string{"resource", "labels", "cluster_name"}),
		"all":   NewWant(nil),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				p.Line(line, w)
			}
		})
	}
}
