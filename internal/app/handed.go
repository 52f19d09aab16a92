package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/setting"
	"tocsin/internal/sources"
	"tocsin/internal/store"
)

// handedOver is, for the process that leads, the source that several read: what all of them have handed over.
type handedOver struct{ a *App }

// Validate finds nothing: its settings are those of the source that is read.
func (handedOver) Validate() []setting.FieldError { return nil }

// New makes the source of that name.
func (h handedOver) New(name string, env sources.Env) (sources.Source, error) {
	return &handedReader{a: h.a, name: name, tell: env.Trouble}, nil
}

const (
	// handedEvery is how often it is looked for what others have handed over, handedSpeak how often it is said at the least how the source is.
	handedEvery = 200 * time.Millisecond
	handedSpeak = 20 * time.Second
	// handedMost is how many rows are read at a time, handedBytes how many bytes of lines about make a batch.
	handedMost  = 20
	handedBytes = 1 << 20
	// forgetEvery is how often rows are deleted that are committed.
	forgetEvery = time.Second
	// nobodyFor is how long there may be nobody who reads, after a start: each process begins by itself.
	nobodyFor = 15 * time.Second
)

// handedReader reads what was handed over of one source.
type handedReader struct {
	a    *App
	name string
	tell func(error)

	began     time.Time
	plan      *Plan // what its rules ask is in force
	after     int64 // the row that was read last
	committed atomic.Int64
	forgotten int64
	forgotAt  time.Time
	told      logs.Batch // what was said last of how the source is
	toldAt    time.Time
	trouble   string
}

// Read sends what was handed over after a cursor, which is a row's number.
func (r *handedReader) Read(ctx context.Context, from logs.Cursor, out chan<- logs.Batch) error {
	r.began = time.Now()
	r.after, _ = strconv.ParseInt(string(from), 10, 64) // the cursor of another kind of source is none
	tick := time.NewTicker(handedEvery)
	defer tick.Stop()
	for {
		b, more, err := r.next(ctx, time.Now())
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if r.worth(b) {
			select {
			case out <- b:
				r.told, r.toldAt = b, time.Now()
			case <-ctx.Done():
				return nil
			}
		}
		if more {
			continue
		}
		select {
		case <-tick.C:
		case <-r.a.wakeHanded:
		case <-ctx.Done():
			return nil
		}
	}
}

// worth says that there is something to say.
func (r *handedReader) worth(b logs.Batch) bool {
	return b.Cursor != "" || b.CaughtUp != r.told.CaughtUp || b.Blind != r.told.Blind || !b.Watermark.Equal(r.told.Watermark) || time.Since(r.toldAt) >= handedSpeak
}

// next is what was handed over next, and how the source is. more says that there is more at once.
func (r *handedReader) next(ctx context.Context, now time.Time) (b logs.Batch, more bool, err error) {
	if err := r.keep(ctx, now); err != nil {
		return b, false, err
	}
	var rows []store.Handed
	var readings []store.Reading
	err = r.a.store.View(ctx, func(tx *store.Tx) (err error) {
		if rows, err = tx.Handed(ctx, r.name, r.after, handedMost); err == nil {
			readings, err = tx.Readings(ctx, r.name)
		}
		return err
	})
	if err != nil {
		return b, false, err
	}
	b = logs.Batch{Source: r.name, Received: now}
	took := r.merge(&b, rows)
	more = took < len(rows) || len(rows) == handedMost
	r.judge(&b, readings, now)
	b.CaughtUp = b.CaughtUp && !more
	return b, more, nil
}

// merge makes a batch of the first rows that go together, and says of how many.
func (r *handedReader) merge(b *logs.Batch, rows []store.Handed) int {
	for i, h := range rows {
		if i > 0 && (h.Backlog != b.Backlog || len(b.Data)+len(h.Lines) > handedBytes) {
			return i
		}
		b.Data, b.Backlog = append(b.Data, h.Lines...), h.Backlog
		b.Sifted, b.SiftedBroken, b.Passed = b.Sifted+int(h.Sifted), b.SiftedBroken+int(h.Broken), b.Passed+int(h.Passed)
		r.after = h.ID
		b.Offset, b.Cursor = h.ID, logs.Cursor(strconv.FormatInt(h.ID, 10))
		b.Committed = func() { r.committed.Store(h.ID) }
	}
	return len(rows)
}

// judge says how the source is, by how far its readers are: it has caught up when all have, and all has come up to the least of their
// clocks. It is blind while none can read.
func (r *handedReader) judge(b *logs.Batch, readings []store.Reading, now time.Time) {
	var see int
	var why []string
	b.CaughtUp = true
	for _, v := range readings {
		switch {
		case v.Lives && v.Why != "":
			why = append(why, v.Process+": "+v.Why)
			continue
		case v.Lives:
			see++
		}
		if v.Lives && v.CaughtUp {
			continue
		}
		b.CaughtUp = false
		if !v.Clock.IsZero() && (b.Watermark.IsZero() || v.Clock.Before(b.Watermark)) {
			b.Watermark = v.Clock
		}
	}
	b.CaughtUp = b.CaughtUp && see > 0
	text := ""
	switch {
	case see > 0:
	case len(why) > 0:
		text = strings.Join(why, "; ")
	case now.Sub(r.began) >= nobodyFor:
		text = "no process reads it"
	default:
		return
	}
	b.Blind = text != ""
	if text != r.trouble && r.tell != nil {
		r.trouble = text
		if text == "" {
			r.tell(nil)
		} else {
			r.tell(errors.New(text))
		}
	}
}

// keep puts in force what the rules ask of the source, and deletes what is committed.
func (r *handedReader) keep(ctx context.Context, now time.Time) error {
	l := r.a.leading()
	if l == nil {
		return errors.New("another process leads")
	}
	plan, committed := r.a.generationNow().plan, r.committed.Load()
	forget := committed > r.forgotten && now.Sub(r.forgotAt) >= forgetEvery
	if plan == r.plan && !forget {
		return nil
	}
	err := l.held.Update(ctx, func(tx *store.Tx) error {
		if plan != r.plan {
			if err := tx.SetAsked(ctx, r.name, plan.asks(r.name)); err != nil {
				return err
			}
		}
		return tx.ForgetHanded(ctx, r.name, committed)
	})
	if err != nil {
		return fmt.Errorf("keep what was handed over: %w", err)
	}
	r.plan, r.forgotten, r.forgotAt = plan, committed, now
	return nil
}
