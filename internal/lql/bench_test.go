package lql

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protojson"

	"tocsin/internal/logs"
	"tocsin/internal/scenario/corpus"
)

// BenchmarkCorpus asks sets of a few megabytes as a cluster logs them: Find, and Scan, which reads every line for the clock.
func BenchmarkCorpus(b *testing.B) {
	var data bytes.Buffer
	if err := corpus.Write(&data, 1, 16<<20); err != nil {
		b.Fatal(err)
	}
	batch := logs.Batch{Data: data.Bytes()}
	compile := func(rules []corpus.Rule) *Set {
		filters := make([]*Filter, len(rules))
		for i, r := range rules {
			f, err := Parse(r.Filter)
			if err != nil {
				b.Fatal(err)
			}
			filters[i] = f
		}
		return Compile(filters)
	}
	run := func(name string, rules []corpus.Rule) {
		s := compile(rules)
		b.Run("find/"+name, func(b *testing.B) {
			b.SetBytes(int64(data.Len()))
			b.ReportAllocs()
			for b.Loop() {
				s.Find(batch, func([]byte, []int) {})
			}
		})
	}
	for _, n := range []int{1, 3, 10, 100, 1000, 10_000} {
		run(fmt.Sprint(n), corpus.Rules(n))
	}
	run("unselective", corpus.Unselective(10))
	run("mixed", append(corpus.Rules(1000), corpus.Unselective(10)...))
	for name, filter := range map[string]string{"1percent": `jsonPayload.reason="Scheduled"`, "10percent": `resource.type="http_load_balancer"`, "100percent": `resource.labels.project_id="k8s-prow"`} {
		run(name, []corpus.Rule{{Filter: filter}})
	}
	s := compile(corpus.Rules(1000))
	b.Run("scan/1000", func(b *testing.B) {
		b.SetBytes(int64(data.Len()))
		b.ReportAllocs()
		for b.Loop() {
			_, _ = s.Scan(batch, time.Time{}, func(*logs.Entry, []int) {}) // lines are always read
		}
	})
	b.Run("compile/10000", func(b *testing.B) {
		rules := corpus.Rules(10_000)
		b.ReportAllocs()
		for b.Loop() {
			compile(rules)
		}
	})
}

// wireCorpus is a corpus as protocol buffers, and how many entries it has.
func wireCorpus(t testing.TB, size int64) ([]byte, int) {
	var data, wire bytes.Buffer
	if err := corpus.Write(&data, 1, size); err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(data.Bytes()) {
		line = bytes.Replace(line, []byte(`"@type"`), []byte(`"type"`), 1) // protojson has it for an Any only
		var m loggingpb.LogEntry
		if err := protojson.Unmarshal(line, &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if _, err := protodelim.MarshalTo(&wire, &m); err != nil {
			t.Fatal(err)
		}
		n++
	}
	return wire.Bytes(), n
}

// BenchmarkWire asks sets of entries as a tail brings them.
func BenchmarkWire(b *testing.B) {
	data, n := wireCorpus(b, 4<<20)
	for _, rules := range [][]corpus.Rule{corpus.Rules(10), corpus.Rules(10_000), append(corpus.Rules(990), corpus.Unselective(10)...)} {
		filters := make([]*Filter, len(rules))
		for i, r := range rules {
			f, err := Parse(r.Filter)
			if err != nil {
				b.Fatal(err)
			}
			filters[i] = f
		}
		s := Compile(filters)
		b.Run(fmt.Sprint(len(rules)), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.Scan(logs.Batch{Form: logs.Proto, Data: data}, time.Time{}, func(*logs.Entry, []int) {})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
		})
	}
}

// TestFindAllocatesNothing reads lines that match nothing, among them lines that must be parsed to know.
func TestFindAllocatesNothing(t *testing.T) {
	var data bytes.Buffer
	if err := corpus.Write(&data, 1, 1<<20); err != nil {
		t.Fatal(err)
	}
	filters := make([]*Filter, 0, 3)
	for _, src := range []string{`jsonPayload.msg="No line says this."`, `resource.type="http_load_balancer" httpRequest.status=999`, `severity>=EMERGENCY jsonPayload.msg:"x"`} {
		f, err := Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		filters = append(filters, f)
	}
	s := Compile(filters)
	batch := logs.Batch{Data: data.Bytes()}
	find := func() {
		s.Find(batch, func(raw []byte, _ []int) { t.Errorf("found %s", raw) })
	}
	find() // what is used again is made once
	// The race detector, and a collection of garbage, may take the scanner away: about a thousand lines share the few that it costs.
	if n := testing.AllocsPerRun(20, find); n > 20 {
		t.Errorf("%v allocations for a thousand lines that match nothing", n)
	}
	wire, _ := wireCorpus(t, 1<<20)
	batch = logs.Batch{Form: logs.Proto, Data: wire}
	find()
	if n := testing.AllocsPerRun(20, find); n > 20 {
		t.Errorf("%v allocations for a thousand messages that match nothing", n)
	}
}
