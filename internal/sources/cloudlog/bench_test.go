package cloudlog

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/scenario/corpus"
)

// BenchmarkTail is what an entry of a tail costs from the response's bytes to the outcome of a thousand rules, commit and network aside.
func BenchmarkTail(b *testing.B) {
	var lines bytes.Buffer
	if err := corpus.Write(&lines, 1, 1<<20); err != nil {
		b.Fatal(err)
	}
	var filters []*lql.Filter
	for _, r := range corpus.Rules(1000) {
		f, err := lql.Parse(r.Filter)
		if err != nil {
			b.Fatal(err)
		}
		filters = append(filters, f)
	}
	set := lql.Compile(filters)
	answer := &loggingpb.TailLogEntriesResponse{}
	for line := range bytes.Lines(lines.Bytes()) {
		e := &loggingpb.LogEntry{}
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(line, e); err != nil {
			b.Fatal(err)
		}
		if e.ReceiveTimestamp == nil {
			e.ReceiveTimestamp = timestamppb.Now()
		}
		if answer.Entries = append(answer.Entries, e); len(answer.Entries) == 500 {
			break
		}
	}
	out := make(chan logs.Batch, 1000)
	s := New("x", Defaults(), Options{})
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		b.StopTimer()
		for i, e := range answer.Entries {
			e.InsertId = strconv.Itoa(n*1000 + i)
		}
		wire, err := proto.Marshal(answer)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		r := newReading(s, nil, out, time.Now())
		r.live, r.known = time.Now(), time.Now()
		r.session = &session{}
		got := &loggingpb.TailLogEntriesResponse{}
		if err := (rawEntries{}).Unmarshal(wire, got); err != nil {
			b.Fatal(err)
		}
		r.heard(b.Context(), tailed{session: r.session, answer: got}, time.Now())
		for len(out) > 0 {
			if _, err := set.Scan(<-out, time.Time{}, func(*logs.Entry, []int) {}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*len(answer.Entries)), "ns/entry")
}
