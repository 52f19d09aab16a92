package cloudpubsub

import (
	"context"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"

	"tocsin/internal/logs"
	"tocsin/internal/sources/google"
)

// badEvery is how often it is said at the most that messages are bad.
const badEvery = time.Minute

// pile is messages that make one batch.
type pile struct {
	data     []byte
	messages []*pubsub.Message
	bytes    int // of the messages' data
	old      bool
	began    time.Time
}

// reading is the state of one Read. Messages are taken by as many goroutines as there are; one hands the piles on.
type reading struct {
	*Source
	way   *way
	out   chan<- logs.Batch
	began time.Time
	wake  chan struct{} // rung when there is a pile
	acks  sync.WaitGroup

	mu    sync.Mutex
	room  sync.Cond // signalled when messages are done with, and at the end
	over  bool      // nothing more is taken
	lines logs.Messages
	// piles are those that are full, filling those that are not: of messages that were published before it was read, and of others.
	piles   []*pile
	filling [2]*pile
	// held are the piles that were handed on and are not committed.
	held            map[*pile]bool
	messages, bytes int       // that were taken and are not done with
	watching        time.Time // since when what comes is seen as it comes
	stale           time.Time // when an old one came last
	badSince        int
	badSaid         time.Time

	// The rest is the one's that hands on.
	offset  int64
	told    *bool // whether it was said last that it has caught up; nil if nothing or that it is blind
	toldAt  time.Time
	isBlind bool
	sight   *google.Sight
}

func newReading(s *Source, w *way, out chan<- logs.Batch, now time.Time) *reading {
	r := &reading{Source: s, sight: google.NewSight(s.name, s.Tell), way: w, out: out, began: now, wake: make(chan struct{}, 1), held: map[*pile]bool{}, watching: now, stale: now}
	r.room.L = &r.mu
	return r
}

// take takes a message, once there is room for it. It gives it back when reading is over.
func (r *reading) take(m *pubsub.Message) {
	r.mu.Lock()
	for !r.over && (r.messages >= r.settings.MaxOutstandingMessages || r.bytes >= r.settings.MaxOutstandingBytes) {
		r.room.Wait()
	}
	if r.over {
		r.mu.Unlock()
		m.Nack()
		r.count(givenBack, 1)
		return
	}
	r.count(messages, 1)
	now := time.Now()
	r.messages, r.bytes = r.messages+1, r.bytes+len(m.Data)
	if m.PublishTime.Before(now.Add(-r.times.fresh)) {
		r.stale = now
	}
	p, ring := r.pile(m.PublishTime.Before(r.watching), now)
	var sound bool
	if p.data, sound = r.lines.Append(p.data, m.Data, m.ID, m.PublishTime); !sound {
		r.complain(m, now)
	}
	p.messages, p.bytes = append(p.messages, m), p.bytes+len(m.Data)
	if len(p.data) >= batchBytes {
		r.piles, r.filling[which(p.old)], ring = append(r.piles, p), nil, true
	}
	r.mu.Unlock()
	if ring {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// which is the place of a pile among those that are filled.
func which(old bool) int {
	if old {
		return 1
	}
	return 0
}

// pile is the one to put a message on; it says whether it is a new one. r.mu is held.
func (r *reading) pile(old bool, now time.Time) (p *pile, isNew bool) {
	if p = r.filling[which(old)]; p != nil {
		return p, false
	}
	p = &pile{old: old, began: now}
	r.filling[which(old)] = p
	return p, true
}

// complain says now and then that messages are bad. r.mu is held.
func (r *reading) complain(m *pubsub.Message, now time.Time) {
	r.count(bad, 1)
	r.badSince++
	if now.Sub(r.badSaid) < badEvery {
		return
	}
	begins := m.Data[:min(len(m.Data), 80)]
	r.Log.Warn("messages are not what they look like (nothing, cut or invalid JSON, invalid UTF-8, too long): they are kept as text", "source", r.name,
		"messages", r.badSince, "the last", m.ID, "bytes", len(m.Data), "it begins", string(begins))
	r.badSaid, r.badSince = now, 0
}

// run hands piles on and says how the source is, until ctx ends; then it settles what is there.
func (r *reading) run(ctx context.Context) {
	defer r.end()
	tick := time.NewTicker(r.times.look)
	defer tick.Stop()
	soon := time.NewTimer(time.Hour)
	defer soon.Stop()
	for ctx.Err() == nil {
		p, wait := r.next(time.Now())
		if p != nil {
			r.hand(ctx, p)
			continue
		}
		if wait > 0 {
			soon.Reset(wait)
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-soon.C:
		case now := <-tick.C:
			r.look(ctx, now)
		}
	}
}

// next is the next pile that is ready; if there is none, when the first will be, 0 for no time that is known.
func (r *reading) next(now time.Time) (p *pile, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.piles) > 0 {
		p, r.piles = r.piles[0], r.piles[1:]
		return p, 0
	}
	for _, old := range []bool{true, false} {
		f := r.filling[which(old)]
		if f == nil {
			continue
		}
		left := f.began.Add(gather).Sub(now)
		if left <= 0 {
			r.filling[which(old)] = nil
			return f, 0
		}
		if wait == 0 || left < wait {
			wait = left
		}
	}
	return nil, wait
}

// hand hands a pile on. One of which nothing came is done with.
func (r *reading) hand(ctx context.Context, p *pile) {
	if len(p.data) == 0 {
		r.done(p, true)
		return
	}
	now := time.Now()
	b := logs.Batch{Source: r.name, Data: p.data, Offset: r.offset, Received: now, CaughtUp: r.caughtUp(now), Backlog: p.old, Committed: func() { r.done(p, true) }}
	r.mu.Lock()
	r.held[p] = true
	r.mu.Unlock()
	select {
	case r.out <- b:
		r.offset += int64(len(b.Data)) // the pile may be committed by now
		r.said(b.CaughtUp, now)
	case <-ctx.Done():
		r.done(p, false)
	}
}

// done acknowledges the messages of a pile, or gives them back. The second time it does nothing.
func (r *reading) done(p *pile, committed bool) {
	r.mu.Lock()
	all := p.messages
	p.messages, p.data = nil, nil
	delete(r.held, p)
	r.messages, r.bytes = r.messages-len(all), r.bytes-p.bytes
	p.bytes = 0
	if len(all) > 0 {
		r.acks.Add(1) // before the end can see that nothing is held any more: it waits for what it knows of
	}
	r.room.Broadcast()
	r.mu.Unlock()
	if len(all) == 0 {
		return
	}
	if !committed {
		defer r.acks.Done()
		for _, m := range all {
			m.Nack()
		}
		r.count(givenBack, len(all))
		return
	}
	results := make([]*pubsub.AckResult, len(all))
	for i, m := range all {
		results[i] = m.AckWithResult()
	}
	go func() {
		defer r.acks.Done()
		r.acknowledged(results)
	}()
}

// acknowledged counts what became of acknowledgements: without exactly-once delivery they are taken for done. What could not be
// acknowledged comes again, and is known then.
func (r *reading) acknowledged(results []*pubsub.AckResult) {
	ctx, cancel := context.WithTimeout(context.Background(), r.settings.MaxExtension.Std())
	defer cancel()
	failed := 0
	for _, a := range results {
		if _, err := a.Get(ctx); err != nil {
			failed++
		}
	}
	r.count(acknowledged, len(results)-failed)
	r.count(unacknowledged, failed)
}

// end waits for the commit of what was handed on and gives all else back.
func (r *reading) end() {
	r.mu.Lock()
	r.over = true
	r.room.Broadcast()
	left := slices.Clone(r.piles)
	for i, p := range r.filling {
		if p != nil {
			left = append(left, p)
		}
		r.filling[i] = nil
	}
	r.piles = nil
	r.mu.Unlock()
	for _, p := range left {
		r.done(p, false)
	}
	late := time.AfterFunc(r.times.settle, func() {
		r.mu.Lock()
		var held []*pile
		for p := range r.held {
			held = append(held, p)
		}
		r.mu.Unlock()
		for _, p := range held {
			r.done(p, false)
		}
	})
	defer late.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.held) > 0 {
		r.room.Wait()
	}
}

// caughtUp says that what comes is what is published.
func (r *reading) caughtUp(now time.Time) bool {
	if since, _ := r.way.lost(now); !since.IsZero() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.piles) == 0 && now.Sub(r.stale) >= r.times.quiet && r.messages < r.settings.MaxOutstandingMessages && r.bytes < r.settings.MaxOutstandingBytes
}

func (r *reading) said(caughtUp bool, now time.Time) {
	r.told, r.toldAt = &caughtUp, now
}

// look says how the source is, if that has changed or was not said for a while.
func (r *reading) look(ctx context.Context, now time.Time) {
	since, why := r.way.lost(now)
	b := logs.Batch{Source: r.name, Offset: r.offset, Received: now}
	switch {
	case since.IsZero():
		r.sight.Speak("", nil)
		r.isBlind = false
		if b.CaughtUp = r.caughtUp(now); r.told != nil && *r.told == b.CaughtUp && now.Sub(r.toldAt) < r.times.speak {
			return
		}
	case now.Sub(since) < r.times.blind:
		return
	default:
		r.sight.Speak("away", r.away(why))
		r.mu.Lock()
		r.watching, r.stale = now, now
		r.mu.Unlock()
		if r.isBlind && now.Sub(r.toldAt) < r.times.speak {
			return
		}
		r.isBlind, b.Blind = true, true
	}
	select {
	case r.out <- b:
		r.said(b.CaughtUp, now)
		if b.Blind {
			r.told = nil
		}
	case <-ctx.Done():
	}
}
