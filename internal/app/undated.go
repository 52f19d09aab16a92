package app

import (
	"bytes"
	"time"

	"tocsin/internal/logs"
)

// undatedClock is when recorded entries come of which none says when: any time would do, as long as it is always the same.
var undatedClock = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// mostAhead is how many bytes are looked through, and held, for the first entry that says when.
const mostAhead = 16 << 20

// recorded is batches as they were recorded, for a clock that goes by what is in them alone. An entry that comes before any
// has told a time would be taken for one of just now; here it gets the time of the first that tells one.
type recorded struct {
	next  func() (logs.Batch, error)
	held  []logs.Batch
	err   error // behind what is held
	begun bool
	// dated says that an entry that tells a time was seen; before that the clock is at.
	dated bool
	at    time.Time
	// ahead says that all of it is of more than a day ahead: then it is the wall clock that does not fit, and is not asked, not one entry's time.
	ahead bool
}

// batch is the next batch; io.EOF behind the last.
func (r *recorded) batch() (logs.Batch, error) {
	if !r.begun {
		r.begun = true
		r.look()
	}
	var b logs.Batch
	var err error
	switch {
	case len(r.held) > 0:
		b, r.held = r.held[0], r.held[1:]
	case r.err != nil:
		return logs.Batch{}, r.err
	default:
		if b, err = r.next(); err != nil {
			return logs.Batch{}, err
		}
	}
	if r.ahead {
		b.Received = time.Time{}
	}
	if r.dated {
		return b, nil
	}
	switch first, _ := firstDated(b); {
	case first == 0:
		r.dated = true
	case first > 0: // what comes before it is a batch of its own
		rest := b
		rest.Data, rest.Offset = b.Data[first:], b.Offset+int64(first)
		r.held = append([]logs.Batch{rest}, r.held...)
		b.Data, b.Received = b.Data[:first:first], r.at
	default:
		b.Received = r.at
	}
	return b, nil
}

// look reads ahead as far as the first entry that tells a time that may be.
func (r *recorded) look() {
	r.at = undatedClock
	var ahead time.Time
	for read := 0; read < mostAhead; {
		b, err := r.next()
		if err != nil {
			r.err = err
			break
		}
		b.Data = bytes.Clone(b.Data) // it may be read over
		r.held = append(r.held, b)
		if first, at := firstDated(b); first >= 0 {
			if read+first < mostAhead { // by bytes, so that it is the same however the batches are cut
				r.at = at
			}
			return
		}
		if ahead.IsZero() {
			b.Received = time.Time{}
			if first, at := firstDated(b); first >= 0 && read+first < mostAhead {
				ahead = at
			}
		}
		read += len(b.Data)
	}
	if !ahead.IsZero() {
		r.at, r.ahead = ahead, true
	}
}

// firstDated is where in the batch the first entry begins that moves the clock, and to when; -1 if there is none.
func firstDated(b logs.Batch) (first int, at time.Time) {
	first = -1
	b.Walk(time.Time{}, func(e *logs.Entry) bool {
		if e.Clock.IsZero() || e.Clock.Equal(b.Received) {
			return true
		}
		first, at = int(e.Offset-b.Offset), e.Clock
		return false
	})
	return first, at
}

// end is when what was recorded ends, given where the clock came to.
func (r *recorded) end(clock time.Time) time.Time {
	if clock.IsZero() {
		return r.at
	}
	return clock
}
