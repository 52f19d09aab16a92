package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/store"
	"tocsin/rules"
)

const (
	// rowBytes is about how many bytes of lines one row of what is handed over has.
	rowBytes = 512 << 10
	// firingEvery is how often it is looked which rules fire: they are asked who is alive.
	firingEvery = time.Second
)

// sieve takes out of what one process has read of a source that several read what a rule asks for.
type sieve struct {
	source string
	plan   *Plan // whose rules are asked
	set    *rules.Set
	asked  string
	firing map[string]bool
	aside  int // how many of the set's rules are put aside

	clock    time.Time
	rows     []store.Handed
	reading  store.Reading
	rowsSize int
}

// asks names what the rules of a plan ask of a source: it changes with any filter.
func (p *Plan) asks(source string) string {
	h := sha256.New()
	for _, a := range p.Rules.Asked(source, func(string) bool { return true }) {
		fmt.Fprintf(h, "%q %q\n", a.Rule, a.Filter.String())
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// use sifts by the rules of a plan from now on. The set is its own: the engine's is not for two at once.
func (s *sieve) use(p *Plan) {
	if s.plan != p {
		s.plan, s.set, s.asked, s.aside = p, rules.NewSet(p.Rules.Rules), p.asks(s.source), 0
	}
}

// mayFire says which rules fire, as it was looked up last. What matched since is judged by another process: it may fire by now.
func (s *sieve) mayFire() rules.Firing {
	f := rules.Firing{Rules: make(map[string]time.Time, len(s.firing)), Elsewhere: true}
	for rule, fires := range s.firing {
		if fires {
			f.Rules[rule] = time.Time{}
		}
	}
	return f
}

// sift adds a batch to what is to be handed over. One on which a rule panicked, so that it is asked no more, goes whole: the one that leads
// meets the same, and says so.
func (s *sieve) sift(b logs.Batch) {
	s.reading.CaughtUp = b.CaughtUp && !b.Blind
	if len(b.Data) == 0 {
		return
	}
	hits, progress, err := s.set.Scan(b, s.clock, s.mayFire())
	if n := len(s.rows); n == 0 || s.rows[n-1].Backlog != b.Backlog || len(s.rows[n-1].Lines) >= rowBytes {
		s.rows = append(s.rows, store.Handed{Backlog: b.Backlog})
	}
	row := &s.rows[len(s.rows)-1]
	row.Passed += int64(b.Passed)
	if n := len(s.set.Aside()); err != nil || n > s.aside {
		s.aside = n
		row.Lines = append(row.Lines, b.Data...)
		s.rowsSize += len(b.Data)
		return
	}
	s.clock = progress.Clock
	s.reading.Clock = s.clock
	row.Sifted += int64(progress.Entries)
	row.Broken += int64(progress.Broken)
	for _, e := range askedFor(hits) {
		row.Lines = append(append(row.Lines, e.Raw...), '\n')
		s.rowsSize += len(e.Raw) + 1
		row.Sifted--
		if e.Broken {
			row.Broken--
		}
	}
}

// askedFor are the entries that a rule asks for, in order. Of those that are only a sign of life the last of each group will do: it is
// most of a log.
func askedFor(hits []rules.Hit) []*logs.Entry {
	last := map[incident.Key]*logs.Entry{}
	for i := range hits {
		if hits[i].Sign() {
			last[hits[i].Key] = hits[i].Entry
		}
	}
	var out []*logs.Entry
	for i := range hits {
		h := &hits[i]
		if h.Sign() && last[h.Key] != h.Entry || len(out) > 0 && out[len(out)-1] == h.Entry {
			continue
		}
		out = append(out, h.Entry)
	}
	return out
}

// forget empties what was handed over.
func (s *sieve) forget() { s.rows, s.rowsSize = nil, 0 }

// lookWhatFires reads which rules fire.
func (s *sieve) lookWhatFires(ctx context.Context, from *store.Store) error {
	return from.View(ctx, func(tx *store.Tx) error {
		firing, err := tx.FiringRules(ctx)
		if err == nil {
			s.firing = firing
		}
		return err
	})
}
