// Command kill proves that nothing is lost and nothing is said twice when tocsin dies suddenly. It runs the real `tocsin serve`
// against stand-ins of Slack and PagerDuty that survive it, appends lines to the log that it follows all the while, and kills it
// (SIGKILL) again and again: at the named failpoints, at random moments, and while a provider holds its request. What must have
// been told follows from the lines; what was told stands in the stand-ins' ledgers.
//
//	go run ./internal/sim/kill -n 1000 -seed 7
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// settings are those of one run.
type settings struct {
	kills int
	// freezes, if not zero, is how often the one that leads is frozen or killed, in the place of kills.
	freezes int
	// blinds, if not zero, is how often it goes away and comes back as it is run day by day, in the place of kills.
	blinds int
	// store is sqlite or postgres, life how long a process of several counts as alive; 0 is as in production.
	store string
	life  time.Duration
	// source is where the lines come from: file, cloud_logging, whose tail breaks off and leaves entries out all the while, or pubsub, whose
	// messages come twice and in any order.
	source string
	seed   uint64
	// binary is the tocsin to run; built if empty.
	binary string
	// race lets the binary that is built watch for data races.
	race bool
	// keep leaves the directory there though all is well.
	keep bool
	// drain bounds the time until all has been told once the faults have stopped.
	drain time.Duration
	out   io.Writer
}

func main() {
	s := settings{out: os.Stdout}
	flag.IntVar(&s.kills, "n", 100, "how often to kill it")
	flag.IntVar(&s.freezes, "freeze", 0, "freeze or kill the replica that leads so often, in the place of all that")
	flag.IntVar(&s.blinds, "blind", 0, "let it go away and come back so often as it is run day by day, in the place of all that")
	flag.StringVar(&s.store, "store", "sqlite", "sqlite, or postgres with two replicas")
	flag.StringVar(&s.source, "source", "file", "file, cloud_logging or pubsub")
	flag.Uint64Var(&s.seed, "seed", rand.Uint64N(1e9), "the seed of what is left to chance")
	flag.StringVar(&s.binary, "tocsin", "", "the `binary` to kill; built from this module if not given")
	flag.BoolVar(&s.race, "race", false, "build the binary with the race detector")
	flag.BoolVar(&s.keep, "keep", false, "leave its directory (store, log, ledgers) there in any case")
	flag.DurationVar(&s.drain, "drain", 3*time.Minute, "how long the last life may take to tell what is left")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if s.store == "postgres" && s.blinds == 0 {
		s.life = shortLife
	}
	if s.freezes > 0 {
		s.store, s.life = "postgres", 0
	}
	r, err := run(ctx, s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kill:", err)
		os.Exit(2)
	}
	if !r.well() {
		os.Exit(1)
	}
}

// shortLife is how long a replica counts as alive that is killed over and over.
const shortLife = 3 * time.Second

// run does one whole run and prints its table. An error says that it could not be done, or that tocsin ended by itself.
func run(ctx context.Context, s settings) (report, error) {
	dir, err := os.MkdirTemp("", "tocsin-kill-")
	if err != nil {
		return report{}, err
	}
	if s.freezes+s.blinds > 0 {
		s.kills = 0
	}
	fmt.Fprintf(s.out, "seed %d, %d kills, in %s\n", s.seed, s.kills+s.freezes+s.blinds, dir)
	w, err := newWorld(ctx, dir, s)
	if err != nil {
		return report{}, err
	}
	defer w.close()
	began := time.Now()
	var r report
	trouble := func() error { return w.killAll(ctx, s.kills) }
	if s.freezes > 0 {
		trouble = func() error { return w.freezeAll(ctx, s.freezes) }
	}
	if s.blinds > 0 {
		trouble = func() error { return w.blindAll(ctx, s.blinds) }
	}
	if err = trouble(); err == nil {
		killing := time.Since(began)
		if err = w.drain(ctx, s.drain); err == nil {
			r, err = w.judge(ctx)
			r.killing, r.wall = killing, time.Since(began)
		}
	}
	if err != nil {
		return report{}, errors.Join(err, w.saveLedgers(), fmt.Errorf("what there was is in %s, what tocsin said in %s", dir, w.said(0)))
	}
	r.print(s.out)
	if r.well() && !s.keep {
		return r, os.RemoveAll(dir)
	}
	fmt.Fprintf(s.out, "store, log and ledgers are in %s\n", dir)
	return r, w.saveLedgers()
}
