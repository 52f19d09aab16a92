package rules

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/incident"
)

// timers are what waits, as a heap: the earliest first, then by rule, then by group.
type timers []Waiting

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].compare(t[j]) < 0 }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }

// Push is for package heap.
func (t *timers) Push(w any) { *t = append(*t, w.(Waiting)) }

// Pop is for package heap.
func (t *timers) Pop() any {
	last := len(*t) - 1
	w := (*t)[last]
	*t = (*t)[:last]
	return w
}

func (w Waiting) compare(o Waiting) int {
	return cmp.Or(w.At.Compare(o.At), cmp.Compare(w.Key.Rule, o.Key.Rule), cmp.Compare(w.Key.Group, o.Key.Group))
}

// set sets the timer of a state that may have changed.
func (s *stepping) set(key incident.Key) {
	r, st := s.Set.byName[key.Rule], s.out.States[key]
	if r == nil || st == nil {
		return
	}
	if at := s.NextDue(r, st); !at.IsZero() && !at.After(s.Watermark) {
		heap.Push(&s.timers, Waiting{Key: key, At: at})
	}
}

// nextTimer is the earliest timer up to the watermark: of the states that were looked at as they are now, of the others as they
// are stored.
func (s *stepping) nextTimer() (first Waiting, ok bool) {
	for len(s.timers) > 0 {
		first = s.timers[0]
		s.rule = first.Key.Rule
		if s.NextDue(s.Set.byName[first.Key.Rule], s.out.States[first.Key]).Equal(first.At) {
			ok = true
			break
		}
		heap.Pop(&s.timers)
	}
	s.rule = ""
	for len(s.Due) > 0 && s.out.States[s.Due[0].Key] != nil {
		s.Due = s.Due[1:]
	}
	if len(s.Due) > 0 && !s.Due[0].At.After(s.Watermark) && (!ok || s.Due[0].compare(first) < 0) {
		return s.Due[0], true
	}
	return first, ok
}

// NextDue is when a state has something due, in the time of clocks; zero for never.
func (e *Evaluator) NextDue(r *Rule, st *State) time.Time {
	var due time.Time
	add := func(t time.Time) {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	add(st.detector.Due())
	if len(st.Held) > 0 {
		add(st.Held[0].Time)
	}
	if st.Alert != nil && r.resolves.kind == onQuiet && !st.QuietPassed {
		add(st.Alert.Last.Add(r.resolves.after))
	}
	switch {
	case len(st.Runs) > 0:
		add(later(st.Runs[0].To.Add(r.window()+Overlap+time.Second), st.Kept))
	case st.Alert == nil && len(st.Seen) > 0: // all that is seen is of before the end, or no evidence
		add(later(later(st.Cleared, st.seenAt(len(st.Seen)-seenSize)).Add(r.window()+Overlap+time.Second), st.Kept))
	}
	if !due.IsZero() {
		due = later(due.Add(e.Lateness), st.Later)
	}
	if clear := st.Clear.Add(e.Lateness); !st.Clear.IsZero() && (due.IsZero() || clear.Before(due)) {
		due = clear // it waits for no source
	}
	if due.IsZero() {
		return due
	}
	return later(due, st.Behind)
}

// ripe is when a timer of a group is, by the clock of its source, and whether that has come to it: else the group waits as much longer.
func (s *stepping) ripe(r *Rule, st *State, at time.Time) (time.Time, bool) {
	st.Behind = time.Time{}
	if s.Ahead == nil {
		return at, true
	}
	ahead := s.Ahead(st.Source)
	due := s.NextDue(r, st)
	if ahead <= 0 || due.IsZero() {
		return at, true
	}
	if due.Add(ahead).After(s.Watermark) {
		st.Behind = due.Add(ahead)
		return at, false
	}
	if there := s.Watermark.Add(-ahead); at.After(there) {
		at = there
	}
	return at, true
}

// Waiting is a state that has something due.
type Waiting struct {
	Key incident.Key
	At  time.Time
}

// SortWaiting brings timers into the order in which they are taken.
func SortWaiting(list []Waiting) { slices.SortFunc(list, Waiting.compare) }

// keptFor is how long to wait before looking again whether a source's clock has moved.
const keptFor = 10 * time.Minute

// forget drops what nothing can need any more: neither what is late, nor what is read again.
func (s *stepping) forget(r *Rule, st *State, at time.Time) error {
	now := at.Add(-s.Lateness)
	clock, err := s.clock(st, now)
	if err != nil {
		return err
	}
	if clock.Before(now) {
		st.Kept = later(at, s.Watermark).Add(keptFor)
	}
	st.forget(clock, r.window())
	return nil
}

// tidy drops old identities now and then where entries never cease, so that no timer does it.
func (s *stepping) tidy(r *Rule, st *State, at time.Time) error {
	if !st.untidy(at, r.window()) {
		return nil
	}
	clock, err := s.clock(st, at)
	if err == nil && st.untidy(clock, r.window()) {
		st.forgetSeen(clock.Add(-r.window() - Overlap))
	}
	return err
}

// clock is now, or the clock of a state's source where that is behind it.
func (s *stepping) clock(st *State, now time.Time) (time.Time, error) {
	if s.Clock == nil {
		return now, nil
	}
	clock, err := s.Clock(st.Source)
	if err != nil {
		return now, fmt.Errorf("read clock of source %s: %w", st.Source, err)
	}
	if clock.IsZero() {
		return now, nil
	}
	return earlier(clock, now), nil
}
