package sim

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/store"
	"tocsin/rules"
)

// sourceLog is a log that can be read from any place, and its reader.
type sourceLog struct {
	name  string
	lines []line
	// pos is how far this life has read, generation tells its reader from those of lives before.
	pos, generation int
	said            bool // that it has caught up
}

// restart lets a reader begin where the store says.
func (l *sourceLog) restart(w *World) {
	l.generation++
	l.said = false
	if !w.planted(readsOn) {
		w.view(func(tx *store.Tx) error {
			st, err := tx.Source(w.ctx, l.name)
			l.pos = place(st.Cursor)
			return err
		})
	}
	w.agenda.add(w.now.Add(between(w.chance, 0, time.Second)), func() { w.read(l) })
	w.plantSource(l)
}

// place is what a cursor says: how many lines have been read.
func place(c logs.Cursor) int {
	n, _ := strconv.Atoi(string(c)) // the empty cursor is the beginning
	return n
}

// read reads what is there and comes back when there is more.
func (w *World) read(l *sourceLog) {
	generation := l.generation
	again := func(at time.Time) {
		w.agenda.add(at, func() {
			if l.generation == generation {
				w.read(l)
			}
		})
	}
	if w.life == nil || w.now.Before(w.frozen) || w.life.engine.Backlog() > 20 {
		if w.life != nil {
			again(w.now.Add(time.Second))
		}
		return
	}
	if w.mayCrash("reading", w.weather.readerFails) {
		w.say("source %s fails", l.name)
		w.life.engine.Down(l.name)
		l.restart(w)
		return
	}
	there := l.pos
	for there < len(l.lines) && !l.lines[there].received.After(w.now) {
		there++
	}
	n := min(there-l.pos, 1+w.chance.IntN(20))
	if n > 0 || !l.said {
		w.offer(l, n, l.pos+n == there)
	}
	switch {
	case l.generation != generation: // it crashed
	case l.pos < there:
		again(w.now.Add(between(w.chance, 0, 100*time.Millisecond)))
	case l.pos < len(l.lines):
		again(l.lines[l.pos].received.Add(between(w.chance, 10*time.Millisecond, w.weather.readDelay)))
	}
}

// offer hands n lines to the engine, some of those before them once more.
func (w *World) offer(l *sourceLog, n int, caughtUp bool) {
	from := l.pos
	if n > 0 && chanceOf(w.chance, w.weather.readAgain) {
		from = w.overlapping(l)
		w.tally.Again += l.pos - from
	}
	var data strings.Builder
	for i := from; i < l.pos+n; i++ {
		mark := ""
		if w.planted(noLedger) {
			mark = fmt.Sprint(w.tally.Entries + i)
		}
		if w.plantUnread(&l.lines[i]) {
			continue
		}
		data.WriteString(l.lines[i].text(mark))
	}
	if w.s.Trace != nil {
		for i := from; i < l.pos+n; i++ {
			w.say("  %s %d: %s %s %s at %s", l.name, i, l.lines[i].cluster, l.lines[i].service, l.lines[i].what, l.lines[i].at.Sub(w.began))
		}
	}
	l.pos += n
	w.tally.Entries += n
	b := logs.Batch{Source: l.name, Data: []byte(data.String()), Offset: int64(from), Received: w.wall(), CaughtUp: caughtUp}
	if n > 0 {
		b.Cursor = logs.Cursor(strconv.Itoa(l.pos))
		w.say("read %s %d..%d", l.name, from, l.pos)
	}
	l.said = l.said || caughtUp
	w.guarded("reading", func() error { return w.life.engine.Offer(w.ctx, b) })
	if w.life != nil {
		w.plantOffered(l)
		w.wakeEngine()
	}
}

// overlapping is where a reader begins that reads some of what it has read once more: as Cloud Logging's, not further back than the
// overlap behind the newest line, however long ago that was.
func (w *World) overlapping(l *sourceLog) int {
	from := l.pos
	for from > 0 && w.chance.IntN(6) > 0 && l.lines[l.pos-1].received.Sub(l.lines[from-1].received) < rules.Overlap {
		from--
	}
	return from
}

// guarded does something of the service's outside of its loops, in the middle of which the process may end.
func (w *World) guarded(what string, do func() error) {
	died := func() (died bool) {
		defer func() {
			if p := recover(); p == (killed{}) {
				died = true
			} else if p != nil {
				panic(p)
			}
		}()
		if err := do(); err != nil && w.ctx.Err() == nil {
			w.model.refused(w, what, err)
		}
		return false
	}()
	if died {
		w.crash("while " + what)
	}
}

// saveCursor writes a source's cursor by itself, as only planted bugs do.
func (w *World) saveCursor(name string, pos int) {
	w.update(func(ctx context.Context, tx *store.Tx) error {
		st, err := tx.Source(ctx, name)
		if err != nil || place(st.Cursor) >= pos {
			return err
		}
		st.Cursor = logs.Cursor(strconv.Itoa(pos))
		return tx.SaveSource(ctx, st)
	})
}

// update writes to the store behind the product's back, as only planted bugs do.
func (w *World) update(do func(ctx context.Context, tx *store.Tx) error) {
	w.behind = true
	defer func() { w.behind = false }()
	if err := w.db.Update(w.ctx, func(tx *store.Tx) error { return do(w.ctx, tx) }); err != nil {
		w.broken(err)
	}
}
