package lql

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protojson"

	"tocsin/internal/logs"
)

// TestAuditAsJSON asks every filter of testdata/audit/filters.txt, and each of the cases that looks into a protoPayload, of the entries of
// testdata/audit/entries.jsonl, which are as `gcloud logging read --format=json` prints them, and of the same entries on the wire: the
// answers are the same, by themselves and from a set. Every filter of filters.txt says what it finds.
func TestAuditAsJSON(t *testing.T) {
	data, err := os.ReadFile("testdata/audit/entries.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var wire bytes.Buffer
	for line := range bytes.Lines(data) {
		var m loggingpb.LogEntry
		if err := protojson.Unmarshal(line, &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if _, err := protodelim.MarshalTo(&wire, &m); err != nil {
			t.Fatal(err)
		}
	}
	asJSON := logs.Batch{Data: data}
	asProto := logs.Batch{Form: logs.Proto, Data: wire.Bytes()}
	ask := func(f *Filter, b logs.Batch) string {
		var one, set strings.Builder
		b.Entries(time.Time{}, func(e *logs.Entry) bool {
			if f.Match(e) {
				one.WriteString(" " + e.Root.Get("insertId").Text())
			}
			return true
		})
		if _, err := Compile([]*Filter{f}).Scan(b, time.Time{}, func(e *logs.Entry, _ []int) { set.WriteString(" " + e.Root.Get("insertId").Text()) }); err != nil {
			t.Fatal(err)
		}
		if one.String() != set.String() {
			t.Errorf("%s\nby itself finds%s, in a set%s", f.Source(), &one, &set)
		}
		return strings.TrimSpace(one.String())
	}
	// hold asks a filter of both forms, and says what it finds.
	hold := func(src string) string {
		f, err := Parse(src)
		if err != nil {
			return err.Error()
		}
		a, b := ask(f, asJSON), ask(f, asProto)
		if a != b {
			t.Errorf("%s\nas JSON finds %s\non the wire   %s", src, a, b)
		}
		return a
	}
	text, err := os.ReadFile("testdata/audit/filters.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		src, want, ok := strings.Cut(strings.TrimSpace(line), " => ")
		if !ok {
			t.Errorf("no => in %q", line)
		}
		want = strings.TrimSpace(want)
		if want == "none" {
			want = ""
		}
		if got := hold(src); got != want {
			t.Errorf("%s\nfinds %s\nwant  %s", src, got, want)
		}
		n++
	}
	if n < 50 {
		t.Errorf("only %d filters", n)
	}
	for _, c := range readCases(t) {
		hold(c.Filter)
	}
}
