package rules

import (
	"fmt"
	"slices"
	"time"

	"tocsin/detectors"
	"tocsin/internal/incident"
)

// Evaluator makes changes of alerts of what matched: hits and states in, changes and states out. It keeps nothing itself.
type Evaluator struct {
	Set *Set
	// Lateness is how much later than its time an entry may come: closing and absence wait so long.
	Lateness time.Duration
}

// ChangeKind says what became of an alert.
type ChangeKind int

// The kinds of changes.
const (
	Fired ChangeKind = iota + 1
	Counted
	Resolved
)

// Change is what became of one alert.
type Change struct {
	Kind ChangeKind
	Rule *Rule
	// Alert is as it is now; with Resolved, as it was last.
	Alert incident.Alert
	// At is the instant: the entry's clock, or when the timer was due.
	At time.Time
	// How says why it resolved.
	How string
	// Spoiled says, with Fired, what is wrong with the rule's annotations; "" if nothing is.
	Spoiled string
	// Added is, with Counted, how many entries came.
	Added int64
	// Doubled says, with Counted, that the count has doubled since it was said last, Recaused that the alert (of the source tocsin) has another cause.
	Doubled, Recaused bool
}

// Slice is the input of one step.
type Slice struct {
	// Hits are what matched, in order; those whose clock is after Until are left for later. Zero Until takes all.
	Hits  []Hit
	Until time.Time
	// Due are the states that have something due up to Watermark, earliest first.
	Due       []Waiting
	Watermark time.Time
	// Load reads a state; nil if there is none.
	Load func(key incident.Key) (*State, error)
	// Sight says since when a source has been seen without a gap, and whether it is seen now; "" asks for all sources.
	Sight func(source string) (since time.Time, ok bool)
	// Gone, if set, says that a source is not read at present: what it has still to tell may be of any time since, so that nothing that
	// it fed is forgotten or ended for want of entries.
	Gone func(source string) bool
	// Ahead, if set, is by how much the watermark is ahead of a source that has caught up, the wall clock being wrong or the source slow:
	// timers of what it fed wait as much longer.
	Ahead func(source string) time.Duration
	// Clock, if set, is a source's clock. What is read again begins an Overlap before it, however long ago that is by the watermark: until
	// it moves, what has been seen must not be forgotten. Zero is for a source that nobody reads any more.
	Clock func(source string) (time.Time, error)
	// Groups, if set, says how many groups of a rule have a state.
	Groups func(rule string) (int, error)
}

// goneFor is how long a source that is not read is waited for.
const goneFor = 24 * time.Hour

// Outcome is what one step came to.
type Outcome struct {
	Changes []Change
	// Used is how many of the hits were consumed, Late how many of them came too late to change anything, by source.
	Used int
	Late map[string]int
	// Afresh says of which groups the state could not be read: they have begun anew.
	Afresh []error
	// Folded says of rules that have more groups than they may which were folded.
	Folded map[string]string
	// States are those that were looked at, to be stored with their Due.
	States map[incident.Key]*State
}

// Step does what hits and timers ask for, in the order of their times, up to and with the first instant at which an alert fires or
// resolves; the rest is left for the next step. Hits come before timers of the same instant. A rule that panics is put aside (see
// Set.Aside): its hits and timers do nothing from then on.
func (e *Evaluator) Step(in Slice) (Outcome, error) {
	for {
		in.Due = slices.DeleteFunc(slices.Clone(in.Due), func(w Waiting) bool { return e.Set.IsAside(w.Key.Rule) })
		run := &stepping{Evaluator: e, Slice: in, out: Outcome{States: map[incident.Key]*State{}, Late: map[string]int{}}, groups: map[string]int{}, folded: map[incident.Key]incident.Key{}, counted: map[incident.Key]int{}}
		culprit, why, err := run.run()
		if culprit == "" {
			return run.out, err
		}
		e.Set.putAside(culprit, why) // and all of it is done again without that rule
	}
}

// run does the step. A panic in a rule's own part of it names the rule.
func (s *stepping) run() (culprit string, why Aside, err error) {
	defer func() {
		if s.rule == "" || s.outside {
			return // a panic of somebody else's
		}
		if p := recover(); p != nil {
			culprit, why = s.rule, caught(p)
		}
	}()
	for {
		at, what := s.next()
		if what == nil || !s.stopped.IsZero() && at.After(s.stopped) {
			return "", why, nil
		}
		if err := what(at); err != nil {
			s.out = Outcome{}
			return "", why, err
		}
		s.rule = ""
	}
}

// stepping is a step on its way.
type stepping struct {
	*Evaluator
	Slice
	out Outcome
	// timers are those of the states that were looked at; of a state that has changed since, the older ones mean nothing.
	timers timers
	// groups are how many groups rules have, as far as that was asked for, folded the keys of groups that were folded.
	groups map[string]int
	folded map[incident.Key]incident.Key
	// counted is where in the changes since the last visible one an alert's count is.
	counted map[incident.Key]int
	// rule is the one that something is being done for, outside says that whoever gave the slice is doing it.
	rule    string
	outside bool
	// stopped is the instant at which something visible happened; zero before.
	stopped time.Time
}

// next is what comes next, and when; nil when nothing does.
func (s *stepping) next() (time.Time, func(at time.Time) error) {
	timer, waiting := s.nextTimer()
	if s.out.Used < len(s.Hits) {
		h := &s.Hits[s.out.Used]
		if (s.Until.IsZero() || !h.Entry.Clock.After(s.Until)) && (!waiting || !timer.At.Before(h.Entry.Clock)) {
			return h.Entry.Clock, func(time.Time) error {
				s.out.Used++
				if s.rule = h.Rule.Name; s.Set.IsAside(s.rule) {
					return nil
				}
				return s.observe(h)
			}
		}
	}
	if !waiting {
		return time.Time{}, nil
	}
	return timer.At, func(at time.Time) error {
		s.rule = timer.Key.Rule
		if err := s.tick(timer.Key, at); err != nil {
			return err
		}
		r, st := s.Set.byName[timer.Key.Rule], s.out.States[timer.Key]
		if next := s.NextDue(r, st); !next.IsZero() && !next.After(at) {
			st.Later = at.Add(time.Second) // what is still due would be due for ever, and nothing else have its turn
		}
		s.set(timer.Key)
		return nil
	}
}

func (r *Rule) window() time.Duration { return r.traits.Window }

// state loads a state, or makes one.
func (s *stepping) state(r *Rule, key incident.Key, group incident.Labels) (*State, error) {
	if st := s.out.States[key]; st != nil {
		return st, nil
	}
	s.outside = true
	st, err := s.Load(key)
	s.outside = false
	if err != nil {
		return nil, fmt.Errorf("load state of %s %s: %w", key.Rule, key.Group, err)
	}
	if st == nil {
		st = &State{Group: group, made: true}
	}
	begins := st.Detector == nil
	if st.detector, err = r.detect.New(st.Detector); err != nil { // one group begins anew rather than that all stop
		begins = true
		s.out.Afresh = append(s.out.Afresh, fmt.Errorf("load state of %s %s: %w", key.Rule, key.Group, err))
		st = &State{Group: st.Group, Source: st.Source, Alert: st.Alert}
		if st.detector, err = r.detect.New(nil); err != nil {
			return nil, fmt.Errorf("begin %s %s: %w", key.Rule, key.Group, err)
		}
	}
	if d, ok := st.detector.(detectors.Ender); ok && begins && st.Alert != nil {
		d.Assume()
	}
	s.out.States[key] = st
	return st, nil
}

func (s *stepping) observe(h *Hit) error {
	if r := h.Rule; r.listed != nil && !r.listed[h.Key.Group] {
		return nil // with a list, no others are learned
	}
	st, key, err := s.stateOf(h)
	if err != nil {
		return err
	}
	err = s.take(h, st)
	s.set(key)
	return err
}

// take lets a group take an entry.
func (s *stepping) take(h *Hit, st *State) error {
	r, e := h.Rule, h.Entry
	t, at := e.Time(), e.Clock
	st.Behind = time.Time{} // the clock may be right again
	switch h.Role {
	case roleAlive:
		if st.Alert != nil && t.After(st.AliveAt) {
			st.AliveAt = t
			s.tryQuiet(r, st, at)
		}
		return nil
	case roleClear:
		if st.Clear.IsZero() || st.Alert != nil && !st.Clear.After(st.Alert.Last) {
			st.Clear, st.ClearText = t, bound(e.Message(), 200)
		}
		s.tryClear(r, st, at)
		return nil
	}
	if t.Before(at.Add(-r.window()-Overlap)) || !r.traits.Silence && !r.traits.Ends && !t.After(st.Cleared) { // a sign of life is one, whenever the silence before it ended
		st.Late++
		s.out.Late[e.Source]++
		return nil
	}
	if err := s.tidy(r, st, at); err != nil {
		return err
	}
	var room [256]byte
	id := appendIdentity(room[:0], e)
	if h.Role != roleMain { // it may match the rule's own filter too
		id = append(append(id, 0), h.Role...)
	}
	if st.seen(id, t) {
		return nil
	}
	st.Source = e.Source
	if r.traits.Judged && t.After(at.Add(aheadAtMost)) {
		t = at
	}
	m := detectors.Match{Time: t, Filter: h.Role, Values: r.values(e)}
	if r.traits.Ordered {
		return s.hold(r, st, h, m, at)
	}
	st.detector.Observe(m)
	if h.Role == r.traits.Evidence {
		s.matched(r, st, *h, t)
	}
	return nil
}

// matched does what an entry of the rule's own filter asks for, once the detector has seen it.
func (s *stepping) matched(r *Rule, st *State, h Hit, t time.Time) {
	var run *Run
	if r.traits.Judged {
		run = st.slot(t, r.window())
	} else {
		run = st.extend(t, r.window())
	}
	silence, at := r.traits.Silence, h.Entry.Clock
	if fires := st.Alert != nil && !silence; fires && run.Gathered.Count == 0 && st.Gathered.Count > 0 && !t.Before(st.Gathered.First) {
		st.Gathered.add(lineOf(h, t)) // as most of a flood: what names the first is not asked for
		s.count(r, st, h.Entry, 1, at)
		return
	}
	run.Gathered.gather(h, t)
	told := run.Gathered // with a run that the entry has joined to what fires, it may be more than the entry
	if st.Alert != nil && !silence {
		st.Gathered, run.Gathered = st.Gathered.and(told), Gathered{}
	}
	switch {
	case silence && st.Alert != nil && !st.detector.Holds():
		s.resolve(r, st, at, "seen again: "+bound(h.Entry.Message(), 200))
	case silence:
	case st.Alert != nil:
		s.count(r, st, h.Entry, told.Count, at)
	case r.traits.Judged:
	case st.detector.Holds() && run.To.Sub(run.From) >= r.For:
		st.Gathered, run.Gathered = told, Gathered{}
		s.fire(r, st, h.Entry, at)
	}
}

// tick does what time asks for in one group. at is when it was due.
func (s *stepping) tick(key incident.Key, at time.Time) error {
	r := s.Set.byName[key.Rule]
	if r == nil {
		return fmt.Errorf("state of %s, a rule that is not there, is due", key.Rule)
	}
	st, err := s.state(r, key, nil)
	if err != nil {
		return err
	}
	at, ripe := s.ripe(r, st, at)
	if !ripe {
		return nil
	}
	now := at.Add(-s.Lateness)
	silence := r.traits.Silence
	s.unseen(r, st, now)
	if silence && st.Alert == nil && st.detector.Holds() {
		return s.forget(r, st, at) // somebody has ended it: the group is silent still, and has to speak first
	}
	if silence && st.Alert == nil {
		s.outside = true
		since, ok := s.Sight(st.Source)
		s.outside = false
		if !ok {
			st.detector.Observe(detectors.Match{Time: later(now, s.Watermark.Add(-s.Lateness))}) // unknown, not absent: its time begins anew
			return s.forget(r, st, at)
		}
		if since.After(now.Add(-r.window())) {
			st.detector.Observe(detectors.Match{Time: since})
		}
	}
	s.tryClear(r, st, at)
	if !silence && s.Gone != nil && s.Gone(st.Source) && at.Before(st.newest().Add(goneFor)) {
		st.Later = later(at, s.Watermark).Add(time.Minute)
		return nil
	}
	st.Later = time.Time{}
	if err := s.found(r, st, now, at); err != nil {
		return err
	}
	st.detector.Advance(now)
	if err := s.tellFound(r, st, at); err != nil {
		return err
	}
	if err := s.forget(r, st, at); err != nil {
		return err
	}
	s.judge(r, st, now, at)
	if silence && st.Alert == nil && st.detector.Holds() {
		s.fire(r, st, nil, at)
	}
	s.tryQuiet(r, st, at)
	return nil
}

// aheadAtMost is how far ahead of its source's clock an entry may be dated to be counted there where time decides: else it counts as of
// now, or one wrong date would be all that is remembered.
const aheadAtMost = time.Hour
