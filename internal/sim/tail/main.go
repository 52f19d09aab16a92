// Command tail measures what the tail of Cloud Logging costs: the real `tocsin serve` reads from a stand-in through the real client, with
// many rules, first as much as a project's quota lets through, then as fast as it can.
//
//	go run ./internal/sim/tail -rules 1000 -rate 1000 -for 30s -burst 200000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// settings are those of one run.
type settings struct {
	// rules is how many are loaded, rate how many entries a second come while it is measured, burst how many come at once after that.
	rules, rate, burst int
	warm, run          time.Duration
	binary             string
}

func main() {
	var s settings
	flag.IntVar(&s.rules, "rules", 1000, "how many rules are loaded; three of them match 0.6 % of the entries")
	flag.IntVar(&s.rate, "rate", 1000, "entries a second: a project's quota is 1,000")
	flag.IntVar(&s.burst, "burst", 200000, "entries that come as fast as they are read after that")
	flag.DurationVar(&s.warm, "warm", time.Minute, "how long before it is measured: a young tail is listed too")
	flag.DurationVar(&s.run, "for", 30*time.Second, "how long it is measured")
	flag.StringVar(&s.binary, "tocsin", "", "the `binary` to run; built from this module if not given")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "tail:", err)
		os.Exit(1)
	}
}

// chunk is how many entries of a burst come at once: less than the stand-in keeps for one who does not read.
const chunk = 20000

func run(ctx context.Context, s settings) (err error) {
	dir, err := os.MkdirTemp("", "tocsin-tail-")
	if err != nil {
		return err
	}
	w, err := newWorld(ctx, dir, s)
	if err != nil {
		return fmt.Errorf("%w; what there was is in %s", err, dir)
	}
	defer func() {
		w.close()
		if err == nil {
			err = os.RemoveAll(dir)
		}
	}()
	if err := w.flow(ctx, s.warm); err != nil {
		return err
	}
	before, start := w.cpu(), time.Now()
	if err := w.flow(ctx, s.run); err != nil {
		return err
	}
	wall, cpu := time.Since(start), w.cpu()-before
	fmt.Printf("%d rules, %d entries a second for %s: %.1f %% of a core, %s an entry; %s\n", s.rules, s.rate, wall.Round(time.Second),
		100*cpu.Seconds()/wall.Seconds(), cpu/time.Duration(max(1, int(wall.Seconds()*float64(s.rate)))), w.memory())
	if err := w.committed(ctx, w.n); err != nil {
		return err
	}
	before, start = w.cpu(), time.Now()
	for first := w.n; w.n < first+s.burst; {
		w.add(min(chunk, first+s.burst-w.n))
		if err := w.committed(ctx, w.n-2*chunk); err != nil {
			return err
		}
	}
	if err := w.committed(ctx, w.n); err != nil {
		return err
	}
	wall, cpu = time.Since(start), w.cpu()-before
	fmt.Printf("%d rules, %d entries as fast as it can: %.0f entries a second, the stand-in on the same machine; %.0f a second of a core; %s\n", s.rules, s.burst,
		float64(s.burst)/wall.Seconds(), float64(s.burst)/cpu.Seconds(), w.memory())
	return nil
}
