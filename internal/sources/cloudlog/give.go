package cloudlog

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"tocsin/internal/logs"
)

const (
	// goOverEvery is how often what the tail gave is gone over by listing, relistEvery how often what was listed before is listed once
	// more, as far back as again says: what can be listed so late is in time for the engine still, which knows what it has seen.
	goOverEvery = 30 * time.Second
	relistEvery = time.Hour
	again       = 5 * time.Minute
)

// listed takes what a listing came to.
func (r *reading) listed(ctx context.Context, l listing, now time.Time) {
	r.busy = false
	if l.refused != nil {
		r.refused, r.refusal = l.rules, l.refused
	}
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(l.err, errTooMany):
		end := l.until
		if end.IsZero() {
			end = l.began
		}
		r.pass(l.came)
		r.slice = max(shortestSlice, end.Sub(l.since)/2)
		r.listAt = now
		return
	case l.err != nil:
		r.pass(l.came)
		r.listAt = r.fail(ctx, l.err, l.began)
		return
	}
	r.give(ctx, now) // what the tail gave before it goes on before it
	r.recover()
	r.advance(&l)
	if l.over {
		r.compare(&l, now)
	}
	r.send(ctx, l.entries, l.came, l.last, true)
	switch {
	case !l.last:
		r.listAt = now
	case r.steady(now):
		r.listAt = l.began.Add(goOverEvery)
	}
}

// advance moves what is done with. What was received within the overlap may still turn up.
func (r *reading) advance(l *listing) {
	final := l.began.Add(-r.settings.Overlap.Std())
	if !l.until.IsZero() && l.until.Before(final) {
		final = l.until
	}
	if !l.since.After(r.reached) && final.After(r.reached) {
		r.reached = final
	}
	if l.last {
		r.front = time.Time{}
		r.known = later(r.known, l.began)
		if !l.until.IsZero() {
			r.known = later(r.known, l.until)
		}
		return
	}
	r.front = l.until
	r.slice = min(2*r.slice, longestSlice)
	r.known = later(r.known, l.until)
}

// compare looks for entries of a listing that the tail has not given though it should have.
func (r *reading) compare(l *listing, now time.Time) {
	missed := 0
	from := r.covered()
	for _, e := range l.entries {
		if _, ok := r.seen[e.id]; !ok && e.received.After(from) && r.session.filter == l.rules {
			missed++
		}
	}
	if missed == 0 {
		return
	}
	r.count(func(f *Figures) { f.Missed += int64(missed) })
	r.Log.Warn("the tail has not given what was listed: another session is opened", "source", r.name, "entries", missed)
	r.drop(now)
}

// gave is how many entries that were received in a span were handed on.
func (r *reading) gave(since, until time.Time) int {
	n := 0
	for _, received := range r.seen {
		if !received.Before(since) && received.Before(until) {
			n++
		}
	}
	return n
}

// listable is how many entries of a span may be listed: half of the quota goes into going over what the tail gave.
func (r *reading) listable(span time.Duration) int {
	return int(float64(r.settings.PageSize*r.settings.CallsPerMinute) / 2 * span.Minutes())
}

func (r *reading) forget() {
	maps.DeleteFunc(r.seen, func(_ identity, received time.Time) bool { return received.Before(r.reached.Add(-again)) })
}

// send passes on the entries that were not before, by receive time, and, if they were listed, with the last batch the cursor. came is
// how many came for it, caughtUp says that they go up to the present. It says false when ctx ended.
func (r *reading) send(ctx context.Context, entries []piece, came int, caughtUp, listed bool) bool {
	slices.SortStableFunc(entries, func(a, b piece) int { return a.received.Compare(b.received) })
	var data []byte
	old := false
	flush := func() bool {
		b := logs.Batch{Data: data, Backlog: old}
		data = nil
		return len(b.Data) == 0 || r.hand(ctx, b)
	}
	for _, e := range entries {
		if _, ok := r.seen[e.id]; ok {
			continue
		}
		came--
		r.seen[e.id] = e.received
		if was := e.received.Before(r.watching); was != old || len(data)+len(e.wire) > batchBytes {
			if !flush() {
				return false
			}
			old = was
		}
		data = e.append(data)
	}
	r.pass(came)
	now := time.Now()
	if !listed {
		return len(data) == 0 || r.hand(ctx, logs.Batch{Data: data, Backlog: old, CaughtUp: caughtUp})
	}
	r.forget()
	if len(data) == 0 && r.told == caughtUp && now.Sub(r.savedAt) < cursorEvery {
		return true
	}
	last := logs.Batch{Data: data, Backlog: old, CaughtUp: caughtUp}
	cursor, err := json.Marshal(position{Kind: "cloud_logging", Received: r.reached.UTC()})
	if err == nil { // it cannot fail; without it the batch would just not move the cursor
		last.Cursor = logs.Cursor(cursor)
	}
	r.savedAt = now
	return r.hand(ctx, last)
}

// hand sends a batch.
func (r *reading) hand(ctx context.Context, b logs.Batch) bool {
	b.Source, b.Form, b.Offset, b.Received = r.name, logs.Proto, r.offset, time.Now()
	b.Passed, r.passed = r.passed, 0
	select {
	case r.out <- b:
	case <-ctx.Done():
		return false
	}
	r.offset += int64(len(b.Data))
	r.told = b.CaughtUp
	return true
}
