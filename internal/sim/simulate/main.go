// Command simulate plays worlds of the simulation (see internal/sim) until they have done so many steps, and says what happened. It
// exits with 1 at the first violation of an invariant, and says how to repeat it.
//
//	go run ./internal/sim/simulate -steps 300000 -seed 1
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"tocsin/internal/sim"
)

func main() {
	seed := flag.Uint64("seed", 1, "the seed of the first world; those after it follow")
	steps := flag.Int("steps", 300_000, "how many steps to play in all: a step is a committed transaction or a call of a provider")
	each := flag.Int("each", 6000, "after how many steps the faults of a world stop at the latest")
	worlds := flag.Int("worlds", 0, "how many worlds to play at the most; 0: as the steps ask for")
	workers := flag.Int("workers", 2, "how many worlds to play at once")
	trace := flag.Bool("trace", false, "print all that happens")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	one := sim.Settings{Steps: *each}
	if *trace {
		one.Trace, *workers, *worlds = os.Stdout, 1, 1
	}
	began := time.Now()
	failed := false
	sum, err := sim.Many(ctx, *seed, *steps, *worlds, *workers, one, func(seed uint64, r sim.Result) bool {
		if v := r.Violation; v != nil {
			failed = true
			for _, line := range v.Last {
				fmt.Println("  " + line)
			}
			fmt.Printf("seed %d, step %d: %s: %s\nrepeat it with: go run ./internal/sim/simulate -seed %d -worlds 1 -each %d -trace\n", v.Seed, v.Step, v.Invariant, v.Text, v.Seed, *each)
			return false
		}
		return true
	})
	wall := time.Since(began)
	fmt.Printf("%+v\nin %s, %.0f steps a second\n", sum, wall.Round(time.Millisecond), float64(sum.Steps)/wall.Seconds())
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(2)
	}
	if failed {
		os.Exit(1)
	}
}
