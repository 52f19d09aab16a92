package lql

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"tocsin/internal/logs"
)

// TestScanAsMatch asks all filters of the cases of all entries of the cases, at once and one by one.
func TestScanAsMatch(t *testing.T) {
	var filters []*Filter
	var data strings.Builder
	var entries int
	for _, c := range readCases(t) {
		if f, err := Parse(c.Filter); err == nil {
			filters = append(filters, f)
		}
		data.Write(c.Entry)
		data.WriteString("\n\n")
		entries++
	}
	filters = append(filters, nil)
	data.WriteString("plain text that says hello\n{\"cut\n")
	entries += 2
	b := logs.Batch{Source: "s", Data: []byte(data.String()), Received: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	want := map[int64][]int{}
	b.Entries(time.Time{}, func(e *logs.Entry) bool {
		for i, f := range filters {
			if f != nil && f.Match(e) {
				want[e.Offset] = append(want[e.Offset], i)
			}
		}
		return true
	})
	got := map[int64][]int{}
	roots := map[int64]string{}
	p, err := Compile(filters).Scan(b, time.Time{}, func(e *logs.Entry, matched []int) {
		got[e.Offset] = matched
		roots[e.Offset] = string(e.Root.AppendJSON(nil))
	})
	if err != nil || p.Entries != entries || p.Broken != 1 {
		t.Errorf("progress %+v, error %v", p, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Scan found\n%v\nMatch\n%v", got, want)
	}
	b.Entries(time.Time{}, func(e *logs.Entry) bool {
		if r, ok := roots[e.Offset]; ok && r != string(e.Root.AppendJSON(nil)) {
			t.Errorf("Scan yielded %s for %s", r, e.Raw)
		}
		return true
	})
}

// TestScanKeeps would find the entry changed if it shared the batch's or the decoder's memory.
func TestScanKeeps(t *testing.T) {
	data := []byte(`{"textPayload":"one"}` + "\n" + `{"textPayload":"two"}` + "\n")
	f, err := Parse(`textPayload=("one" OR "two")`)
	if err != nil {
		t.Fatal(err)
	}
	var kept []*logs.Entry
	if _, err := Compile([]*Filter{f}).Scan(logs.Batch{Data: data}, time.Time{}, func(e *logs.Entry, _ []int) { kept = append(kept, e) }); err != nil {
		t.Fatal(err)
	}
	clear(data)
	for i, want := range []string{`{"textPayload":"one"}`, `{"textPayload":"two"}`} {
		if string(kept[i].Raw) != want || string(kept[i].Root.AppendJSON(nil)) != want {
			t.Errorf("entry %d became %q, %s", i, kept[i].Raw, kept[i].Root.AppendJSON(nil))
		}
	}
}

func TestScanClock(t *testing.T) {
	b := logs.Batch{Data: []byte(`{"timestamp":"2019-01-23T12:00:00Z","textPayload":"quiet"}` + "\nmatch\n")}
	f, err := Parse(`textPayload=match`)
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2019, 1, 23, 12, 0, 0, 0, time.UTC)
	p, err := Compile([]*Filter{f}).Scan(b, noon.Add(-time.Hour), func(e *logs.Entry, _ []int) {
		if !e.Clock.Equal(noon) {
			t.Errorf("the clock is %v: entries that do not match move it too", e.Clock)
		}
	})
	if err != nil || !p.Clock.Equal(noon) || p.Entries != 2 {
		t.Errorf("progress %+v, %v", p, err)
	}
}

func benchmarkScan(b *testing.B, filters int) {
	line, err := os.ReadFile("testdata/bench.json")
	if err != nil {
		b.Fatal(err)
	}
	var fs []*Filter
	for i := range filters {
		f, err := Parse(fmt.Sprintf(`resource.labels.cluster_name="prow" jsonPayload.level="error" jsonPayload.msg="Error number %d."`, i))
		if err != nil {
			b.Fatal(err)
		}
		fs = append(fs, f)
	}
	s := Compile(fs)
	batch := logs.Batch{Data: []byte(strings.Repeat(string(line), 256))}
	b.SetBytes(int64(len(batch.Data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Scan(batch, time.Time{}, func(*logs.Entry, []int) { b.Fatal("a match") }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan1(b *testing.B)    { benchmarkScan(b, 1) }
func BenchmarkScan100(b *testing.B)  { benchmarkScan(b, 100) }
func BenchmarkScan1000(b *testing.B) { benchmarkScan(b, 1000) }

func BenchmarkGlobal(b *testing.B) {
	line, err := os.ReadFile("testdata/bench.json")
	if err != nil {
		b.Fatal(err)
	}
	f, err := Parse(`"CrashLoopBackOff" OR textPayload=~"panic: .*nil"`)
	if err != nil {
		b.Fatal(err)
	}
	batch := logs.Batch{Data: []byte(strings.Repeat(string(line), 256))}
	s := Compile([]*Filter{f})
	b.SetBytes(int64(len(batch.Data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Scan(batch, time.Time{}, func(*logs.Entry, []int) {}); err != nil {
			b.Fatal(err)
		}
	}
}
