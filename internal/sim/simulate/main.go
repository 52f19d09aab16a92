// Command simulate plays worlds of the simulation (see internal/sim) until they have done so many steps, and says what happened. It
// exits with 1 at the first violation of an invariant, and says how to repeat it.
//
//	go run ./internal/sim/simulate -steps 300000 -seed 1
//
// With -bugs it puts each of the known bugs, or that which -plant names, into worlds of its own, and says how many of them catch it: all
// must be caught.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"tocsin/internal/sim"
)

// settings are those of one run.
type settings struct {
	seed           uint64
	steps          int
	worlds         int
	workers        int
	one            sim.Settings
	bugs, untilOne bool
	out            io.Writer
}

func main() {
	s := settings{out: os.Stdout}
	flag.Uint64Var(&s.seed, "seed", 1, "the `seed` of the first world; those after it follow")
	flag.IntVar(&s.steps, "steps", 300_000, "how many `steps` to play in all: a step is a committed transaction or a call of a provider")
	flag.IntVar(&s.one.Steps, "each", 6000, "after how many `steps` the faults of a world stop at the latest")
	flag.IntVar(&s.worlds, "worlds", 0, "how many worlds to play at the most; 0: as the steps ask for")
	flag.IntVar(&s.workers, "workers", 2, "how many worlds to play at once")
	flag.StringVar(&s.one.Plant, "plant", "", "the `name` of a bug to put in")
	flag.BoolVar(&s.bugs, "bugs", false, "put in each bug, or that of -plant, in -worlds worlds")
	flag.BoolVar(&s.untilOne, "until-caught", false, "with -bugs: go on to the next bug as soon as a world has caught one")
	trace := flag.Bool("trace", false, "print all that happens in the one world of the seed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *trace {
		s.one.Trace, s.workers, s.worlds = os.Stdout, 1, 1
	}
	well, err := run(ctx, s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(2)
	}
	if !well {
		os.Exit(1)
	}
}

// run does one whole run. It says whether all was as it has to be.
func run(ctx context.Context, s settings) (bool, error) {
	if s.bugs {
		return plants(ctx, s)
	}
	began := time.Now()
	well := true
	sum, err := sim.Many(ctx, s.seed, s.steps, s.worlds, s.workers, s.one, func(_ uint64, r sim.Result) bool {
		if r.Violation != nil {
			well = false
			r.Violation.Print(s.out)
			fmt.Fprintf(s.out, "again, with all that happens: go run ./internal/sim/simulate -seed %d -worlds 1 -each %d -trace\n", r.Violation.Seed, s.one.Steps)
		}
		return well
	})
	if err != nil && ctx.Err() == nil {
		return false, err
	}
	wall := time.Since(began)
	sum.Print(s.out)
	fmt.Fprintf(s.out, "violations  %d\n%s, %.0f steps a second\n", btoi(!well), wall.Round(time.Millisecond), float64(sum.Steps)/wall.Seconds())
	return well, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// plants puts each bug into worlds and prints how many of them caught it. It is well if none was missed.
func plants(ctx context.Context, s settings) (bool, error) {
	if s.worlds == 0 {
		s.worlds = 100
	}
	const row = "%-46v %12v %10v %6v  %v\n"
	fmt.Fprintf(s.out, row, "bug", "seeds", "first seed", "step", "invariant")
	well := true
	for _, p := range sim.Plants {
		if s.one.Plant != "" && s.one.Plant != p.Name {
			continue
		}
		one := s.one
		one.Plant = p.Name
		caught, played := 0, 0
		var first *sim.Violation
		_, err := sim.Many(ctx, s.seed, 0, s.worlds, s.workers, one, func(_ uint64, r sim.Result) bool {
			played++
			if r.Violation != nil {
				caught++
				if first == nil {
					first = r.Violation
				}
			}
			return caught == 0 || !s.untilOne
		})
		if err != nil {
			return false, err
		}
		if first == nil {
			well = false
			fmt.Fprintf(s.out, row, p.Name, fmt.Sprintf("0 of %d", played), "", "", "NOT CAUGHT")
			continue
		}
		fmt.Fprintf(s.out, row, p.Name, fmt.Sprintf("%d of %d", caught, played), first.Seed, first.Step, first.Invariant)
	}
	return well, nil
}
