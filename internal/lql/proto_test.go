package lql

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protojson"
	"pgregory.net/rapid"

	"tocsin/internal/logs"
)

// TestProtoAsJSON draws entries, writes each as JSON and, through Google's own library, on the wire, and asks drawn filters of
// both: the answers are the same.
func TestProtoAsJSON(t *testing.T) {
	entries, pairs, matches := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(1, 1))
		var lines, wire bytes.Buffer
		for range 40 {
			o := drawEntry(t)
			sameInProto(o)
			var b strings.Builder
			writeJSON(&b, o, r)
			var m loggingpb.LogEntry
			if err := protojson.Unmarshal([]byte(b.String()), &m); err != nil {
				t.Fatalf("%s: %v", b.String(), err)
			}
			lines.WriteString(b.String() + "\n")
			if _, err := protodelim.MarshalTo(&wire, &m); err != nil {
				t.Fatal(err)
			}
			entries++
		}
		var asJSON, asProto []*logs.Entry
		logs.Batch{Data: lines.Bytes()}.Entries(time.Time{}, func(e *logs.Entry) bool { asJSON = append(asJSON, e); return true })
		logs.Batch{Form: logs.Proto, Data: wire.Bytes()}.Entries(time.Time{}, func(e *logs.Entry) bool { asProto = append(asProto, e); return true })
		if len(asJSON) != len(asProto) {
			t.Fatalf("%d entries as JSON, %d on the wire", len(asJSON), len(asProto))
		}
		var filters []*Filter
		for range 40 {
			filters = append(filters, parsed(t, drawFilter(t).src))
		}
		n := 0
		if _, err := Compile(filters).Scan(logs.Batch{Form: logs.Proto, Data: wire.Bytes()}, time.Time{}, func(_ *logs.Entry, matched []int) { n += len(matched) }); err != nil {
			t.Fatal(err)
		}
		for _, f := range filters[:10] {
			found, want := 0, 0
			alone := Compile([]*Filter{f}) // so that it need not be asked of all entries because of others
			alone.Find(logs.Batch{Form: logs.Proto, Data: wire.Bytes()}, func([]byte, []int) { found++ })
			for _, e := range asProto {
				if f.Match(e) {
					want++
				}
			}
			if found != want {
				t.Fatalf("%s: Find finds %d on the wire, Match %d", f.Source(), found, want)
			}
		}
		for i := range asJSON {
			for _, f := range filters {
				a, b := f.Match(asJSON[i]), f.Match(asProto[i])
				if a != b {
					t.Fatalf("%s\nas JSON   %v: %s\non a wire %v: %s", f.Source(), a, asJSON[i].Raw, b, asProto[i].Root.AppendJSON(nil))
				}
				if a {
					n--
					matches++
				}
				pairs++
			}
		}
		if n != 0 {
			t.Fatalf("the set finds %d more on the wire than Match does", n)
		}
	})
	t.Logf("%d entries, %d pairs, %d of them match", entries, pairs, matches)
}

// sameInProto takes out of an entry what protojson refuses or a protocol buffer cannot hold: a name that is no severity, a
// double that is none, a payload of a type that is not known here.
func sameInProto(o object) {
	if o["severity"] == "ODD" {
		delete(o, "severity")
	}
	delete(o, "protoPayload")
	delete(o, "metadata") // not in the published proto any more
	for k, v := range o {
		o[k] = finite(v)
	}
	if text, ok := o["textPayload"]; ok && text == nil {
		delete(o, "textPayload")
	}
}

func finite(v any) any {
	switch v := v.(type) {
	case number:
		if v == "1e400" || v == "9007199254740993" {
			return number("1e300")
		}
	case []any:
		for i := range v {
			v[i] = finite(v[i])
		}
	case object:
		for k := range v {
			v[k] = finite(v[k])
		}
	}
	return v
}

func parsed(t *rapid.T, src string) *Filter {
	f, err := Parse(src)
	if err != nil {
		t.Fatalf("Parse(%q): %v", src, err)
	}
	return f
}
