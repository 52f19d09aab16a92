package sim

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Many plays worlds of the seeds first, first+1, ... on several goroutines until they have done so many steps in all, or so many
// worlds, whichever comes first (0: no bound), and adds up what happened. done, if set, is called with each world's result, in the
// order of the seeds: so what is said does not depend on which goroutine was faster; false ends it.
func Many(ctx context.Context, first uint64, steps, worlds, workers int, one Settings, done func(seed uint64, r Result) bool) (Tally, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var sum Tally
	early := map[uint64]played{}
	next := first
	for o := range worldsOf(ctx, first, worlds, workers, one) {
		early[o.seed] = o
		for {
			o, ok := early[next]
			if !ok {
				break
			}
			delete(early, next)
			next++
			if o.err != nil {
				return sum, o.err
			}
			sum.add(o.r.Tally)
			if done != nil && !done(o.seed, o.r) || steps > 0 && sum.Steps >= steps {
				return sum, nil
			}
		}
	}
	return sum, ctx.Err()
}

// played is what came of one seed.
type played struct {
	seed uint64
	r    Result
	err  error
}

// worldsOf plays worlds until ctx ends, each as soon as a worker is free.
func worldsOf(ctx context.Context, first uint64, worlds, workers int, one Settings) <-chan played {
	seeds, results := make(chan uint64), make(chan played)
	go func() {
		defer close(seeds)
		for n := 0; worlds == 0 || n < worlds; n++ {
			select {
			case seeds <- first + uint64(n):
			case <-ctx.Done():
				return
			}
		}
	}()
	var pool sync.WaitGroup
	for range max(workers, 1) {
		pool.Go(func() {
			stage, err := NewStage()
			for seed := range seeds {
				o := played{seed: seed, err: err}
				if err == nil {
					s := one
					s.Seed = seed
					o.r, o.err = Run(ctx, stage, s)
					if o.err == nil && seed%compared == 0 {
						o.r.Violation, o.err = compare(ctx, stage, s, o.r)
					}
				}
				select {
				case results <- o:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() {
		pool.Wait()
		close(results)
	}()
	return results
}

// compared is how many worlds there are to one that is held against a calm world.
const compared = 6

// compare holds what a world has detected against what a calm one detects in the same lines: crashes, outages and what is read again
// change nothing of it.
func compare(ctx context.Context, stage *Stage, s Settings, r Result) (*Violation, error) {
	if r.Violation != nil || len(r.Story) == 0 {
		return r.Violation, nil
	}
	s.Calm, s.Plant, s.Trace = true, "", nil
	calm, err := Run(ctx, stage, s)
	if err != nil || calm.Violation != nil {
		return calm.Violation, err
	}
	for _, key := range slices.Sorted(maps.Keys(calm.Story)) {
		if r.Story[key] != calm.Story[key] {
			return &Violation{Seed: s.Seed, Step: r.Steps, Invariant: "I25", Text: key + " was counted " + r.Story[key] + " times, in a calm world " + calm.Story[key]}, nil
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.Story)) {
		if calm.Story[key] == "" {
			return &Violation{Seed: s.Seed, Step: r.Steps, Invariant: "I25", Text: key + " is in no calm world"}, nil
		}
	}
	return nil, nil
}
