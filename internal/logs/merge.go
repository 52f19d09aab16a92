package logs

import (
	"errors"
	"io"
	"time"
)

// Merged is several files read as one stream, in the order of their clocks.
type Merged struct {
	heads   []*head
	started bool
	err     error // what ended one of the files, after the lines before it
}

// head is where one of the files is.
type head struct {
	r     *Reader
	b     Batch
	clock time.Time // the file's own clock after b
	lines []mark
	done  bool
}

// mark is a line of a batch: where it begins and ends, and its file's clock at it.
type mark struct {
	start, end int
	clock      time.Time
}

// Merge reads several files as one. Every file has its own clock, the running maximum as Batch.Entries has it, and the next
// lines are those of the file whose clock is behind; at the same clock the files are taken in the order of the arguments.
// Lines before a file's first time come first. The result depends on nothing else. A single file is passed through.
func Merge(readers ...*Reader) *Merged {
	m := &Merged{}
	for _, r := range readers {
		m.heads = append(m.heads, &head{r: r})
	}
	return m
}

// Next is the next batch, all of one file; io.EOF behind the last.
func (m *Merged) Next() (Batch, error) {
	if len(m.heads) == 1 {
		return m.heads[0].r.Next()
	}
	if !m.started {
		m.started = true
		for _, h := range m.heads {
			if err := h.load(); err != nil {
				m.err = err
			}
		}
	}
	if m.err != nil {
		return Batch{}, m.err
	}
	first := m.first(nil)
	if first == nil {
		return Batch{}, io.EOF
	}
	b := first.take(m.first(first), m.before)
	if len(first.lines) == 0 {
		m.err = first.load()
	}
	return b, nil
}

// first is the head that is to be read next, except but left out; nil if none is left.
func (m *Merged) first(but *head) *head {
	var first *head
	for _, h := range m.heads {
		if h == but || h.done {
			continue
		}
		if first == nil || h.lines[0].clock.Before(first.lines[0].clock) {
			first = h
		}
	}
	return first
}

// before says whether h is earlier among the arguments than other.
func (m *Merged) before(h, other *head) bool {
	for _, x := range m.heads {
		if x == h || x == other {
			return x == h
		}
	}
	return false
}

// take cuts off the lines that come before those of next.
func (h *head) take(next *head, before func(h, other *head) bool) Batch {
	n := len(h.lines)
	if next != nil {
		limit := next.lines[0].clock
		ties := before(h, next)
		n = 0
		for n < len(h.lines) {
			c := h.lines[n].clock
			if c.After(limit) || c.Equal(limit) && !ties {
				break
			}
			n++
		}
		n = max(n, 1)
	}
	b := h.b
	start, end := h.lines[0].start, h.lines[n-1].end
	b.Data = h.b.Data[start:end:end]
	b.Offset += int64(start)
	h.lines = h.lines[n:]
	return b
}

// load reads the next batch that has lines, and finds them and their clocks.
func (h *head) load() error {
	for {
		b, err := h.r.Next()
		if errors.Is(err, io.EOF) {
			h.done = true
			return nil
		}
		if err != nil {
			h.done = true
			return err
		}
		h.b, h.lines = b, nil
		p := b.walk(h.clock, func(e *Entry, p *Progress) bool {
			start := int(e.Offset - b.Offset)
			end := min(start+len(e.Raw)+1, len(b.Data))
			h.lines = append(h.lines, mark{start: start, end: end, clock: p.Clock})
			return true
		})
		h.clock = p.Clock
		if len(h.lines) > 0 {
			return nil
		}
	}
}
