// Command latency measures how long it takes from an entry's arrival to the page that a pager has accepted: it runs the real `tocsin
// serve` with thousands of incidents open, pipes entries into it at a steady rate, some of which open an incident that pages, and
// looks at the clock when a stand-in of PagerDuty rings. With -flood it measures what a flood of matching lines costs instead.
//
//	go run ./internal/sim/latency -open 10000 -rate 1000 -for 2m
//	go run ./internal/sim/latency -flood 100000 -for 1m
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"tocsin/internal/sim/binary"
	"tocsin/internal/store/pgtest"
)

// settings are those of one run.
type settings struct {
	// open is how many incidents are open before it is measured, rate how many entries come in a second, pages how many of them page.
	open, rate, pages int
	// flood, if not zero, is how many lines that all match come in a second, in the place of the others.
	flood int
	run   time.Duration
	// store is where tocsin keeps its data: sqlite, in a directory of its own, postgres, a server of its own, or the URL of a database.
	store  string
	binary string
}

func main() {
	var s settings
	flag.IntVar(&s.open, "open", 10000, "how many incidents are open before it is measured")
	flag.IntVar(&s.rate, "rate", 1000, "entries a second")
	flag.IntVar(&s.pages, "pages", 4, "how many of them open an incident that pages")
	flag.IntVar(&s.flood, "flood", 0, "lines of one incident a second, instead of all that")
	flag.DurationVar(&s.run, "for", 2*time.Minute, "how long it is measured")
	flag.StringVar(&s.store, "store", "sqlite", "sqlite, postgres (a server is started for it), or the `URL` of a PostgreSQL database")
	flag.StringVar(&s.binary, "tocsin", "", "the `binary` to run; built from this module if not given")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) (err error) {
	dir, err := os.MkdirTemp("", "tocsin-latency-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(dir)
			return
		}
		err = fmt.Errorf("%w; what tocsin said is in %s", err, filepath.Join(dir, "tocsin.stderr"))
	}()
	if s.binary == "" {
		s.binary = filepath.Join(dir, "tocsin")
		if err := binary.Build(ctx, s.binary, false); err != nil {
			return err
		}
	}
	switch s.store {
	case "sqlite":
		s.store = filepath.Join(dir, "tocsin.db")
	case "postgres":
		server, err := pgtest.Start()
		if err != nil {
			return err
		}
		defer server.Stop()
		name, err := server.Create(ctx)
		if err != nil {
			return err
		}
		s.store = server.URL(name)
	}
	w, err := newWorld(ctx, dir, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if s.flood > 0 {
		return w.flood(ctx)
	}
	return w.measure(ctx)
}

// measure opens the incidents that are to be open, then pages at a steady rate.
func (w *world) measure(ctx context.Context) error {
	began := time.Now()
	for i := range w.s.open {
		w.line(time.Now(), "standing", fmt.Sprintf("standing-%d", i), 0)
		if i%1000 == 999 {
			if err := w.settled(ctx, i+1); err != nil {
				return err
			}
		}
	}
	if err := w.settled(ctx, w.s.open); err != nil {
		return err
	}
	fmt.Printf("%d incidents open after %s\n", w.s.open, time.Since(began).Round(time.Second))
	tick := time.NewTicker(time.Second / 100)
	defer tick.Stop()
	start := time.Now()
	sent, paged := 0, 0
	for time.Since(start) < w.s.run {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		for want := int(time.Since(start).Seconds() * float64(w.s.rate)); sent < want; sent++ {
			if due := int(time.Since(start).Seconds() * float64(w.s.pages)); paged < due {
				w.page(paged)
				paged++
				continue
			}
			w.line(time.Now(), "well", "prow", sent)
		}
	}
	took := w.rung(ctx, paged, 30*time.Second)
	if len(took) < paged {
		return fmt.Errorf("%d of %d pages came within 30 s of the end", len(took), paged)
	}
	slices.Sort(took)
	at := func(q float64) time.Duration {
		return took[min(int(q*float64(len(took))), len(took)-1)].Round(100 * time.Microsecond)
	}
	fmt.Printf("%d entries a second for %s, %d pages, %d incidents open before: from arrival to the accepted page p50 %s, p90 %s, p99 %s, longest %s\n",
		w.s.rate, w.s.run, paged, w.s.open, at(0.5), at(0.9), at(0.99), at(1))
	return w.footprint()
}

// flood lets lines of one incident come as fast as asked.
func (w *world) flood(ctx context.Context) error {
	start := time.Now()
	sent, longest := 0, time.Duration(0)
	tick := time.NewTicker(time.Second / 100)
	defer tick.Stop()
	for time.Since(start) < w.s.run {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		for want := int(time.Since(start).Seconds() * float64(w.s.flood)); sent < want; sent++ {
			if sent == 0 {
				w.page(0)
				continue
			}
			w.line(time.Now(), "down", "down-0", sent)
		}
		longest = max(longest, time.Since(start)-time.Duration(float64(sent)/float64(w.s.flood)*float64(time.Second)))
	}
	wrote := time.Since(start)
	took := w.rung(ctx, 1, 30*time.Second)
	if len(took) == 0 {
		return errors.New("nothing rang")
	}
	if err := w.read(ctx, sent); err != nil {
		return err
	}
	text, err := w.get(ctx, "/metrics")
	if err != nil {
		return err
	}
	fmt.Printf("%d lines written, %s read, %s matched, %s left out as late (recorded)\n", sent, value(text, "entries"), value(text, "matches"), value(text, "late"))
	fmt.Printf("%d lines that match in %s, %.0f a second (asked for %d a second; behind by %s at the most), all read %s after the last: it rang %d time(s), first after %s; %s\n",
		sent, wrote.Round(time.Millisecond), float64(sent)/wrote.Seconds(), w.s.flood, longest.Round(time.Millisecond), (time.Since(start) - wrote).Round(time.Millisecond), w.rings(),
		took[0].Round(100*time.Microsecond), w.counted(ctx))
	return w.footprint()
}
