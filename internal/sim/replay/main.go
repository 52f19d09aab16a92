//go:build unix

// Command replay measures `tocsin replay` on one core: entries through a thousand rules, from the file to the last step. It writes a
// corpus, replays it under configurations of which a thousandth and a hundredth of the entries match, and prints a table: entries a second
// of wall and of CPU time, and the most that was on the heap. On a machine that others use the CPU time is what says something.
//
//	go run ./internal/sim/replay -entries 1000000
//
// Where the time goes of a line of 1,043 bytes that nothing matches, in nanoseconds, the least of many runs (AMD EPYC, Go 1.26):
//
//	 95  finding the lines in what was read, and whether one opens a document; reading the file itself comes on top
//	175  looking for the needles of a thousand rules, 30 of it for what may hide one; 80 more where one of them is short
//	 25  finding the lines again
//	135  marking where its quotes are
//	200  seeing that it is whole, and reading its two times
//
// A match costs as much as some sixty such lines: it is read twice and kept, and with each thousand of them the states of their groups are read and
// written.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"
)

// settings are those of one run.
type settings struct {
	entries, rules, row int
	profile             string
}

func main() {
	var s settings
	flag.IntVar(&s.entries, "entries", 1_000_000, "how many entries the corpus has, of 1,043 bytes in the mean")
	flag.IntVar(&s.rules, "rules", 1000, "how many rules are loaded")
	flag.IntVar(&s.row, "row", 0, "measure only this row of the table, from 1; 0 is all")
	flag.StringVar(&s.profile, "cpuprofile", "", "write a profile of all rows into this `file`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	runtime.GOMAXPROCS(1)
	dir, err := os.MkdirTemp("", "tocsin-replay-")
	if err != nil {
		return fmt.Errorf("make a directory for the corpus: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "corpus.jsonl")
	if err := write(path, s.entries); err != nil {
		return err
	}
	if s.profile != "" {
		f, err := os.Create(s.profile)
		if err != nil {
			return fmt.Errorf("write the profile: %w", err)
		}
		defer f.Close() // what is missing of a profile shows in it
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("write the profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	fmt.Printf("%d entries, %d rules, one core\n\n", s.entries, s.rules)
	fmt.Printf("%8s %10s %12s %17s %10s %10s  %s\n", "wall s", "CPU s", "entries/s", "entries/s of CPU", "heap MiB", "alerts", "what")
	for i, c := range cases {
		if s.row != 0 && s.row != i+1 {
			continue
		}
		if err := c.measure(ctx, dir, path, s); err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
	}
	return nil
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0 // it cannot fail for oneself
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
