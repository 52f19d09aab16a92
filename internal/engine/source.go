package engine

import (
	"context"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/store"
)

// source is what is known of a source beyond what is stored.
type source struct {
	// clock, caughtUp and blind are as of the newest batch that was offered; stored is what the store has.
	clock           time.Time
	caughtUp, blind bool
	// low is up to when all has come, where that is before its clock; zero if it is not.
	low    time.Time
	stored store.SourceState
	// since is since when it has been seen without a gap: its clock when it had caught up first, after a start or blindness.
	since time.Time
	// ahead is by how much the wall clock is ahead of its own, as its newest lines tell that were read as they came; see Ahead.
	ahead time.Duration
	// heard says that it has spoken in this life, down that it is being started again; spoke is when it did last.
	heard, down bool
	spoke       time.Time
}

func (e *Engine) source(ctx context.Context, name string) (*source, error) {
	if s := e.sources[name]; s != nil {
		return s, nil
	}
	s := &source{}
	err := e.store.View(ctx, func(tx *store.Tx) (err error) {
		s.stored, err = tx.Source(ctx, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.clock = s.stored.Clock
	e.sources[name] = s
	return s, nil
}

// saw takes a batch into what is known of its source. Lines that were not read as they came, after a pause, may look as if the clock were
// ahead: an absence then counts from when they were read, until the next.
func (s *source) saw(b logs.Batch, p logs.Progress) {
	if s.heard && s.caughtUp && b.CaughtUp && !s.down && !s.blind && !b.Blind && p.Clock.After(s.clock) {
		s.ahead = b.Received.Sub(p.Clock)
	}
	s.heard, s.down, s.spoke = true, false, b.Received
	s.clock = later(s.clock, p.Clock)
	s.caughtUp, s.blind, s.low = b.CaughtUp, b.Blind, b.Watermark
	switch {
	case b.Blind:
		s.since = time.Time{}
	case b.CaughtUp && s.since.IsZero():
		s.since = later(s.clock, b.Received)
	}
}

// Down says that a source ended with an error and is being started again: nobody waits for its clock meanwhile.
func (e *Engine) Down(name string) {
	e.reading.Lock() // a batch of before is taken in before
	defer e.reading.Unlock()
	e.lock()
	defer e.mu.Unlock()
	if s := e.sources[name]; s != nil {
		s.down, s.since = true, time.Time{}
	}
}

// Seen is how well a source is seen.
type Seen struct {
	// Spoke is when its last batch was received, Clock up to when it has been seen, in its own time.
	Spoke, Clock time.Time
	// CaughtUp and Blind are what that batch said; Down says that it ended and is being started again.
	CaughtUp, Blind, Down bool
}

// Seen is how well each source is seen that has spoken in this life, by name.
func (e *Engine) Seen() map[string]Seen {
	e.lock()
	defer e.mu.Unlock()
	out := make(map[string]Seen, len(e.sources))
	for name, s := range e.sources {
		if s.heard {
			out[name] = Seen{Spoke: s.spoke, Clock: s.clock, CaughtUp: s.caughtUp, Blind: s.blind, Down: s.down}
		}
	}
	return out
}

// Forget leaves a source out that the configuration no longer has.
func (e *Engine) Forget(name string) {
	e.reading.Lock()
	defer e.reading.Unlock()
	e.lock()
	defer e.mu.Unlock()
	delete(e.sources, name)
	delete(e.clocks, name)
}

// Nap is for how long the process may not have run without the sources having to be given time again: each second they are read.
const Nap = 10 * time.Second

// afterPause is how long the sources have, after a time in which nothing ran, to read what came meanwhile or to say that it is more.
const afterPause = time.Minute

// pause is a time in which nothing ran: up to from the sources were read, and until they have their time.
type pause struct{ from, until time.Time }

// Paused says that nothing ran since from, though the wall clock went on to now: a process that was stopped, a machine that slept. What
// came meanwhile is at the sources, also at those that had caught up: for a while nothing goes by the time since. now is by the clock
// of Step. One pause soon after another adds no more than it has to, so that steps that are slow for ever hold nothing for ever.
func (e *Engine) Paused(from, now time.Time) {
	e.lock()
	defer e.mu.Unlock()
	left := afterPause
	if from.Before(e.pause.until) {
		from, left = e.pause.from, max(0, e.pause.until.Sub(from)-Nap)
	}
	e.pause = pause{from: from, until: now.Add(left)}
}

// ClockSet says that the wall clock was set, forwards or back, or that the machine slept: now is by the new one. What was learned of it is
// void, and an absence counts from now, as after a start.
func (e *Engine) ClockSet(now time.Time) {
	e.reading.Lock() // a batch of before is taken in before
	defer e.reading.Unlock()
	e.lock()
	defer e.mu.Unlock()
	var wrong time.Duration
	for _, s := range e.sources {
		wrong = max(wrong, s.ahead)
		s.ahead = 0
		if !s.since.IsZero() {
			s.since = now
		}
	}
	if wrong >= wrongClock {
		e.review = later(e.review, now.Add(2*wrong))
	}
	if e.pause.from.After(now) {
		e.pause = pause{}
	}
}

// wrongClock is from when on a wall clock that is ahead of a source's is held to be wrong, rather than the source slow.
const wrongClock = 10 * time.Minute

// ahead is by how much the wall clock is ahead of a source's.
func (e *Engine) ahead(name string) time.Duration {
	if s := e.sources[name]; s != nil && s.ahead >= wrongClock {
		return s.ahead
	}
	return 0
}

// watermark is up to when all entries have come: the least clock of the sources that are up; one that has caught up goes with
// the wall clock, but for a while after a pause.
func (e *Engine) watermark(now time.Time) time.Time {
	mark := now
	if e.o.Virtual {
		return mark
	}
	if now.Before(e.pause.until) && e.pause.from.Before(mark) {
		mark = e.pause.from
	}
	for _, s := range e.sources {
		if !s.heard || s.down || s.blind || s.caughtUp {
			continue
		}
		if s.clock.Before(mark) {
			mark = s.clock
		}
		if !s.low.IsZero() && s.low.Before(mark) {
			mark = s.low
		}
	}
	return mark
}

// sight says since when a source has been seen without a gap, and whether it is now; "" asks for all.
func (e *Engine) sight(name string) (since time.Time, ok bool) {
	if e.o.Virtual {
		return time.Time{}, true
	}
	for n, s := range e.sources {
		if name != "" && n != name {
			continue
		}
		if s.since.IsZero() || s.down || s.blind || !s.caughtUp {
			return time.Time{}, false
		}
		since, ok = later(since, s.since.Add(-e.ahead(n))), true // in its own time
	}
	return since, ok
}

// gone says that a source is not read at present: not heard of since the start, ended, or blind.
func (e *Engine) gone(name string) bool {
	s := e.sources[name]
	return s == nil || !s.heard || s.down || s.blind
}

// clockOf is the clock that is stored of a source, which is behind where it is read: a crash reads on from there. Of one that has not
// spoken since the start it counts for a day; after that it is nobody's any more, and its clock zero.
func (e *Engine) clockOf(ctx context.Context, tx *store.Tx, name string, now time.Time) (time.Time, error) {
	if s := e.sources[name]; s != nil {
		return later(s.stored.Clock, time.Unix(0, 1)), nil // nothing of it may have been stored yet
	}
	st, err := tx.Source(ctx, name)
	if err != nil || st.Clock.Before(now.Add(-orphanQuiet)) {
		return time.Time{}, err
	}
	return st.Clock, nil
}

// Clock is the latest clock of what was offered: in virtual time nothing up to it, itself left out, is still to come.
func (e *Engine) Clock() time.Time {
	e.lock()
	defer e.mu.Unlock()
	return e.clock()
}

func (e *Engine) clock() (clock time.Time) {
	for _, s := range e.sources {
		clock = later(clock, s.clock)
	}
	return clock
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
