package cloudpubsub

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"

	"tocsin/internal/engine"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/scenario/corpus"
	"tocsin/internal/store"
	"tocsin/rules"
)

// BenchmarkMessages is what a message of a sink costs from its bytes to the commit of what a thousand rules, of which a thousandth of the
// entries match one, have made of it: all but the network and the client library.
func BenchmarkMessages(b *testing.B) {
	var text strings.Builder
	text.WriteString("rules:\n")
	var filters []*lql.Filter
	for i, r := range corpus.Rules(1000) {
		fmt.Fprintf(&text, "  - {name: rule-%d, filter: %q, group_by: {cluster: resource.labels.cluster_name}, detect: {threshold: {count: 10, window: 10m}}, resolves: by_hand, severity: info}\n", i, r.Filter)
		f, err := lql.Parse(r.Filter)
		if err != nil {
			b.Fatal(err)
		}
		filters = append(filters, f)
	}
	list, errs := rules.Read("bench.yaml", []byte(text.String()))
	if len(errs) > 0 {
		b.Fatal(errs)
	}
	all, matching, size := sunk(b, lql.Compile(filters))
	db, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "tocsin.db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	e, err := engine.New(b.Context(), db, engine.Options{Program: engine.Program{Evaluator: &rules.Evaluator{Set: rules.NewSet(list), Lateness: time.Minute}, Desk: &store.Desk{}, Project: "p"}})
	if err != nil {
		b.Fatal(err)
	}
	out := make(chan logs.Batch, 1)
	s := New("logs", Defaults(), Options{})
	r := newReading(s, &way{source: s, listening: map[*watched]time.Time{}}, out, time.Now())
	most := uint64(0)
	b.ReportAllocs()
	before := used(b)
	for n := 0; b.Loop(); n++ {
		for i := range 1000 {
			m := &all[(n*1000+i)%len(all)]
			r.take(&pubsub.Message{ID: strconv.Itoa(n*1000 + i), Data: m.Data, PublishTime: time.Now()})
		}
		for {
			p, _ := r.next(time.Now().Add(gather))
			if p == nil {
				break
			}
			r.hand(b.Context(), p)
			if err := e.Offer(b.Context(), <-out); err != nil {
				b.Fatal(err)
			}
			for next := time.Now(); !next.IsZero() && !next.After(time.Now()); {
				if next, err = e.Step(b.Context(), time.Now()); err != nil {
					b.Fatal(err)
				}
			}
		}
		if n%100 == 0 {
			var mem runtime.MemStats
			runtime.ReadMemStats(&mem)
			most = max(most, mem.HeapInuse)
		}
	}
	r.acks.Wait()
	perSecond := float64(b.N) * 1000 / (used(b) - before).Seconds()
	b.ReportMetric(perSecond, "entries/s/core")
	b.ReportMetric(perSecond*size/1e6, "MB/s/core")
	b.ReportMetric(100*matching, "%matching")
	b.ReportMetric(float64(most)/1e6, "MB-heap")
	if got := s.Counts()[acknowledged]; got != int64(b.N)*1000 || e.Counts().Entries != b.N*1000 {
		b.Errorf("%d acknowledged and %d evaluated of %d", got, e.Counts().Entries, b.N*1000)
	}
}

// used is what this process has had of the processor: others may be at work on the same machine.
func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sunk are messages of which a thousandth match a filter, with the part that does, and how large one is.
func sunk(b *testing.B, set *lql.Set) (all []pubsub.Message, matching, size float64) {
	var lines bytes.Buffer
	if err := corpus.Write(&lines, 1, 20<<20); err != nil {
		b.Fatal(err)
	}
	found, kept, total := 0, 0, 0
	for line := range bytes.Lines(lines.Bytes()) {
		line = bytes.TrimSpace(line)
		matches := false
		set.Find(logs.Batch{Data: line}, func([]byte, []int) { matches = true })
		if matches {
			if found++; found%6 != 0 {
				continue
			}
			kept++
		}
		all, total = append(all, pubsub.Message{Data: line}), total+len(line)
	}
	return all, float64(kept) / float64(len(all)), float64(total) / float64(len(all))
}
