package logs

import (
	"bytes"
	"time"
)

// Progress is what a walk over a batch found out beside the entries themselves.
type Progress struct {
	// Clock is the source's clock after the batch: the running maximum of the entries' receiveTimestamp, else timestamp.
	// Zero while no entry has told a time.
	Clock time.Time
	// Entries is how many entries the batch held, Broken how many of them were kept as text because they were not what their
	// form promises, Future how many were dated more than a day after the batch was received.
	Entries, Broken, Future int
}

// aheadLimit is how far after its arrival an entry may be dated and still move its source's clock.
const aheadLimit = 24 * time.Hour

// Entries yields the batch's entries one by one, in order, until yield says false. clock is the source's clock before the
// batch (Progress.Clock of the batch before it); zero for none yet. Each entry carries the clock as it is at that entry;
// before any entry has told a time that is b.Received. An entry dated more than 24 hours after b.Received is counted and does
// not move the clock (not asked of a batch without Received). Empty lines are skipped. The entries may be kept; their Raw
// shares b.Data.
func (b Batch) Entries(clock time.Time, yield func(*Entry) bool) Progress {
	return b.Walk(clock, func(e *Entry) bool { return yield(e.Own()) })
}

// Walk is Entries for those who keep nothing: e and all that hangs on it are good only until yield returns. Entry.Own makes
// a copy that may be kept.
func (b Batch) Walk(clock time.Time, yield func(e *Entry) bool) Progress {
	return b.walk(clock, func(e *Entry, _ *Progress) bool { return yield(e) })
}

// walk is Walk that shows its progress at each entry.
func (b Batch) walk(clock time.Time, yield func(*Entry, *Progress) bool) Progress {
	p := Progress{Clock: clock}
	var d decoder
	var e Entry
	next := b.nextLine
	if b.Form == Proto {
		next = b.nextMessage
	}
	for at := 0; ; {
		piece, offset, end := next(at)
		if end < 0 {
			return p
		}
		at = end
		if b.Form == Lines && len(bytes.TrimSpace(piece)) == 0 {
			continue
		}
		d.reset()
		e = Entry{Source: b.Source, File: b.File, Offset: b.Offset + int64(offset)}
		if b.Form == Proto {
			d.message(piece, &e)
		} else {
			d.line(piece, &e)
		}
		p.Observe(&e, b.Received)
		if !yield(&e, &p) {
			return p
		}
	}
}

// nextLine is the line that begins at at and where the next one begins; end is -1 behind the last.
func (b Batch) nextLine(at int) (line []byte, offset, end int) {
	if at >= len(b.Data) {
		return nil, at, -1
	}
	n := bytes.IndexByte(b.Data[at:], '\n')
	if n < 0 {
		return b.Data[at:len(b.Data):len(b.Data)], at, len(b.Data)
	}
	return b.Data[at : at+n : at+n], at, at + n + 1
}

// Observe counts the entry, moves the clock by its times and gives it its clock. received is the batch's. It is for those who
// read a batch's lines by themselves.
func (p *Progress) Observe(e *Entry, received time.Time) {
	p.Entries++
	if e.Broken {
		p.Broken++
	}
	t := e.ReceiveTimestamp
	if t.IsZero() {
		t = e.Timestamp
	}
	latest := time.Time{}
	if !received.IsZero() {
		latest = received.Add(aheadLimit)
	}
	ahead := !latest.IsZero() && t.After(latest)
	if ahead || !latest.IsZero() && e.Timestamp.After(latest) {
		p.Future++
	}
	if !ahead && t.After(p.Clock) {
		p.Clock = t
	}
	e.Clock = p.Clock
	if e.Clock.IsZero() {
		e.Clock = received
	}
}

// Own is a copy of the entry that shares no memory with what it was decoded from but Raw.
func (e *Entry) Own() *Entry {
	out := *e
	out.Root = e.Root.own()
	return &out
}

// own copies the value's slices; strings never change and are shared.
func (v Value) own() Value {
	var m memory
	m.count(&v)
	m.members, m.items = make([]Member, m.wantMembers), make([]Value, m.wantItems)
	return m.copy(&v)
}

// memory is what the slices of one entry's values are cut from: it is taken at once, rather than for each object.
type memory struct {
	wantMembers, wantItems int
	members                []Member
	items                  []Value
}

// count adds up what a value needs.
func (m *memory) count(v *Value) {
	m.wantMembers += len(v.Members)
	m.wantItems += len(v.Items)
	for i := range v.Members {
		m.count(&v.Members[i].Value)
	}
	for i := range v.Items {
		m.count(&v.Items[i])
	}
}

// copy is the copy of a value.
func (m *memory) copy(from *Value) Value {
	v := *from
	if n := len(v.Items); n > 0 {
		items := m.items[:n:n]
		m.items = m.items[n:]
		for i := range items {
			items[i] = m.copy(&from.Items[i])
		}
		v.Items = items
	}
	if n := len(v.Members); n > 0 {
		members := m.members[:n:n]
		m.members = m.members[n:]
		for i := range members {
			members[i] = Member{Name: from.Members[i].Name, Value: m.copy(&from.Members[i].Value)}
		}
		v.Members = members
	}
	return v
}
