//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/scenario/corpus"
)

// rulesOf are the rules of a kind.
func rulesOf(kind string, n int) ([]corpus.Rule, error) {
	switch kind {
	case "find", "scan", "messages":
		return corpus.Rules(n), nil
	case "unselective":
		return corpus.Unselective(n), nil
	case "mixed": // ten of them without a text that tells a line
		return append(corpus.Rules(n-10), corpus.Unselective(10)...), nil
	}
	return nil, fmt.Errorf("no rules are called %q", kind)
}

// askSet asks a set of every entry of a file, in blocks as a source cuts them, on as many cores as Go may use, and prints how
// many entries some rule matches, how long the set took to build and by how much the heap grew.
func askSet(kind string, n int, path string) error {
	rules, err := rulesOf(kind, n)
	if err != nil {
		return err
	}
	filters := make([]*lql.Filter, len(rules))
	for i, r := range rules {
		if filters[i], err = lql.Parse(r.Filter); err != nil {
			return fmt.Errorf("read %s: %w", r.Filter, err)
		}
	}
	before, begun := heap(), time.Now()
	set := lql.Compile(filters)
	built := time.Since(begun)
	grown := float64(heap()-before) / (1 << 20)
	data, err := load(path)
	if err != nil {
		return err
	}
	ready := cpuTime()
	if kind == "messages" {
		found := 0
		_, _ = set.Scan(logs.Batch{Form: logs.Proto, Data: data}, time.Time{}, func(*logs.Entry, []int) { found++ }) // what is broken is read as text
		told(int64(found), built, grown, ready)
		return nil
	}
	var found, next atomic.Int64
	var wait sync.WaitGroup
	const block = 1 << 20
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for {
				at := int(next.Add(block)) - block
				if at >= len(data) {
					return
				}
				b := logs.Batch{Data: data[lineAt(data, at):lineAt(data, at+block)]}
				if kind == "scan" {
					_, _ = set.Scan(b, time.Time{}, func(*logs.Entry, []int) { found.Add(1) }) // lines are always read
					continue
				}
				set.Find(b, func([]byte, []int) { found.Add(1) })
			}
		})
	}
	wait.Wait()
	told(found.Load(), built, grown, ready)
	return nil
}

// told prints what askSet found, and at what cost.
func told(found int64, built time.Duration, grown float64, ready time.Duration) {
	fmt.Printf("%d (built in %d ms, heap +%.1f MiB; without reading the filters and building: %.3f s of CPU)\n",
		found, built.Milliseconds(), grown, (cpuTime() - ready).Seconds())
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0 // it cannot fail for oneself
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// heap is how much is on the heap that is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// lineAt is where the first line begins at or behind at.
func lineAt(data []byte, at int) int {
	if at == 0 || at >= len(data) {
		return min(at, len(data))
	}
	n := bytes.IndexByte(data[at-1:], '\n')
	if n < 0 {
		return len(data)
	}
	return at + n
}

// load maps a file, which is in the machine's cache, so that what is measured is not reading.
func load(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the corpus: %w", err)
	}
	defer f.Close() // only read from
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open the corpus: %w", err)
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(st.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the corpus: %w", err)
	}
	return data, nil
}
