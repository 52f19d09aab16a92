// Package scenario writes days of entries as a Prow deployment on GKE leaves them in Cloud Logging: outages, floods that are not
// ours, and ordinary days on which nobody may be told anything. Tests judge the rules and the whole service by them, and `tocsin
// demo` takes its log lines from here.
//
// The times, lines and signals of the outages are those of the public post-mortems of kubernetes/test-infra; the traffic around them
// is made up. The same name, seed and options always give the same bytes: there is no clock in here. Entries come in the order in which
// Cloud Logging received them, which is nearly but not exactly that of their timestamps.
package scenario

import (
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Scenario is one day or some hours of entries.
type Scenario struct {
	Name string
	// About says in a sentence what happens, and what should come of it.
	About string
	// Start and End bound the timestamps of the entries.
	Start, End time.Time
	// Fault is when something goes wrong, or what only looks so begins; Start where nothing does.
	Fault time.Time

	era     era
	project string
	play    func(*world)
}

// Options say which part of a scenario is written, and for when.
type Options struct {
	// Seed varies what is not on record: pods, paces, remote addresses.
	Seed uint64
	// From and Until cut a window out of the scenario, by timestamp, counted from its Start. Until of zero is its end.
	From, Until time.Duration
	// Start, if set, moves everything so that the window (the scenario, if none is cut out) begins then.
	Start time.Time
}

// Names are the scenarios' names.
func Names() []string {
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return names
}

// Lookup is the scenario of that name; its error lists those there are.
func Lookup(name string) (Scenario, error) {
	i := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, fmt.Errorf("no scenario %q: there are %s", name, strings.Join(Names(), ", "))
	}
	return all[i], nil
}

// Write writes a whole scenario at its own times, one LogEntry as JSON a line.
func Write(w io.Writer, name string, seed uint64) error {
	return WriteWith(w, name, Options{Seed: seed})
}

// WriteWith writes the part of a scenario that the options ask for, one LogEntry as JSON a line.
func WriteWith(w io.Writer, name string, o Options) error {
	s, err := Lookup(name)
	if err != nil {
		return err
	}
	if o.Until == 0 {
		o.Until = s.End.Sub(s.Start)
	}
	if o.From < 0 || o.Until <= o.From {
		return fmt.Errorf("scenario %s from %s until %s: the window is empty", name, o.From, o.Until)
	}
	h := fnv.New64a()
	h.Write([]byte(name)) // a hash takes everything
	world := &world{Scenario: s, rand: rand.New(rand.NewPCG(o.Seed, h.Sum64())), from: s.Start.Add(o.From), until: s.Start.Add(o.Until)}
	if !o.Start.IsZero() {
		world.shift = o.Start.Sub(world.from)
	}
	world.populate()
	s.play(world)
	return world.write(w)
}

// at is a time that is written in this package.
func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err) // a slip of the pen in the table above
	}
	return t
}
