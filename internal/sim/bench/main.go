//go:build unix

// Command bench measures how fast filters are asked, beside other tools that do the same job or a part of it. It writes a
// corpus, runs every command on it a few times, and prints one table: wall and CPU time (user and system, children included),
// the median of each. All figures of a table are of one run on one machine; only their ratios say something about another.
//
//	go run ./internal/sim/bench -bytes 1000000000
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"tocsin/internal/scenario/corpus"
)

func main() {
	size := flag.Int64("bytes", 1_000_000_000, "how large the corpus is")
	slice := flag.Int64("slice", 50_000_000, "how much of it the slow tools are given, fewer rules than a thousand")
	times := flag.Int("times", 5, "how often each command runs; the table shows medians")
	binary := flag.String("tocsin", "", "the `binary` to measure; built from this module if not given")
	asSet := flag.String("set", "", "ask one set, for the command's own use: the `kind` of rules")
	n := flag.Int("rules", 0, "how many rules the set has")
	flag.Parse()
	var err error
	if *asSet != "" {
		err = askSet(*asSet, *n, flag.Arg(0))
	} else {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = run(ctx, *binary, *size, *slice, *times)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

// run writes the corpus, measures and prints the table.
func run(ctx context.Context, binary string, size, slice int64, times int) error {
	dir, err := os.MkdirTemp("", "tocsin-bench-")
	if err != nil {
		return fmt.Errorf("make a directory for the corpus: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bench{dir: dir, times: times, tocsin: binary}
	if binary == "" {
		b.tocsin = filepath.Join(dir, "tocsin")
		if out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.tocsin, "./cmd/tocsin").CombinedOutput(); err != nil {
			return fmt.Errorf("build tocsin: %w: %s", err, out)
		}
	}
	if b.self, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	for _, f := range []struct {
		file **input
		name string
		size int64
	}{{&b.whole, "corpus.jsonl", size}, {&b.slice, "slice.jsonl", min(slice, size)}, {&b.small, "small.jsonl", min(slice/10, size)}} {
		if *f.file, err = b.write(f.name, f.size); err != nil {
			return err
		}
	}
	if b.wire, err = b.messages("slice.pb", b.slice); err != nil {
		return err
	}
	fmt.Printf("corpus: %d bytes, %d entries; slices of %d and %d entries; medians of %d\n\n", b.whole.bytes, b.whole.entries, b.slice.entries, b.small.entries, times)
	fmt.Printf("%7s %10s %8s %8s %12s %17s %8s  %s\n", "rules", "entries", "wall s", "CPU s", "GB/s of CPU", "entries/s of CPU", "found", "what")
	for _, r := range b.rows() {
		if err := b.measure(ctx, r); err != nil {
			return err
		}
		fmt.Println(r)
	}
	return nil
}

// input is a file to look through.
type input struct {
	path           string
	bytes, entries int64
}

// write writes a corpus and counts what it holds.
func (b *bench) write(name string, size int64) (*input, error) {
	in := &input{path: filepath.Join(b.dir, name)}
	f, err := os.Create(in.path)
	if err != nil {
		return nil, fmt.Errorf("write the corpus: %w", err)
	}
	if err := corpus.Write(f, 1, size); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, fmt.Errorf("read the corpus: %w", err)
	}
	for lines := bufio.NewScanner(f); lines.Scan(); in.entries++ {
		in.bytes += int64(len(lines.Bytes())) + 1
	}
	return in, f.Close()
}
