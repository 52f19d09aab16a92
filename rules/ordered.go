package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/detectors"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
)

// Bounds on the entries of a group that wait until nothing older is awaited: beyond, the oldest are taken before their turn.
const (
	maxHeld      = 1000
	maxHeldBytes = 256 << 10
	// maxHeldEntry is how long an entry may be for an annotation to see it whole.
	maxHeldEntry = 16 << 10
)

// held is an entry that waits for its turn.
type held struct {
	Time   time.Time         `json:"time"`
	Filter string            `json:"filter,omitempty"`
	Values map[string]string `json:"values,omitempty"`
	// Evidence is the evidence, as JSON.
	Evidence json.RawMessage `json:"evidence"`
}

// evidence is what is told of an entry that was found.
type evidence struct {
	Line     incident.Line   `json:"line"`
	Identity string          `json:"identity"`
	Labels   incident.Labels `json:"labels,omitempty"`
	// Entry is the whole entry, if the rule's annotations want it.
	Entry json.RawMessage `json:"entry,omitempty"`
}

// hold lets an entry wait for its turn, unless that makes no difference.
func (s *stepping) hold(r *Rule, st *State, h *Hit, m detectors.Match, at time.Time) error {
	d, ok := st.detector.(detectors.Finder)
	if !ok {
		return fmt.Errorf("detector of rule %s finds nothing", r.Name)
	}
	if d.Settled(m) {
		d.Observe(m)
		return nil
	}
	ev := evidence{Line: lineOf(*h, m.Time), Identity: identity(h.Entry), Labels: place(*h)}
	if r.wantsEntry {
		if b := h.Entry.Root.AppendJSON(nil); len(b) <= maxHeldEntry {
			ev.Entry = b
		}
	}
	b, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("keep an entry of rule %s: %w", r.Name, err)
	}
	one := held{Time: m.Time, Filter: m.Filter, Values: m.Values, Evidence: b}
	i, _ := slices.BinarySearchFunc(st.Held, one, held.compare)
	st.Held = slices.Insert(st.Held, i, one)
	size := 0
	for _, x := range st.Held {
		size += len(x.Evidence)
	}
	for len(st.Held) > maxHeld || size > maxHeldBytes && len(st.Held) > 1 {
		size -= len(st.Held[0].Evidence)
		if err := s.observeHeld(r, st, at); err != nil {
			return err
		}
	}
	return nil
}

// compare brings entries into the order in which they are observed, whatever the order they came in.
func (h held) compare(o held) int {
	if n := h.Time.Compare(o.Time); n != 0 {
		return n
	}
	if n := strings.Compare(h.Filter, o.Filter); n != 0 {
		return n
	}
	return strings.Compare(string(h.Evidence), string(o.Evidence))
}

// observeHeld lets the detector observe the first entry that waits.
func (s *stepping) observeHeld(r *Rule, st *State, at time.Time) error {
	h := st.Held[0]
	st.Held = slices.Delete(st.Held, 0, 1)
	st.detector.Observe(detectors.Match{Time: h.Time, Filter: h.Filter, Values: h.Values, Evidence: h.Evidence})
	return s.tellFound(r, st, at)
}

// found lets the detector observe what waits up to now, and tells what it finds.
func (s *stepping) found(r *Rule, st *State, now, at time.Time) error {
	for len(st.Held) > 0 && !st.Held[0].Time.After(now) {
		if err := s.observeHeld(r, st, at); err != nil {
			return err
		}
	}
	return nil
}

// tellFound makes an alert of what a detector has found, or counts it in the one that fires.
func (s *stepping) tellFound(r *Rule, st *State, at time.Time) error {
	d, ok := st.detector.(detectors.Finder)
	if !ok {
		return nil
	}
	found := d.Found()
	if len(found) == 0 {
		return nil
	}
	var told Gathered
	var last evidence
	for _, m := range found {
		last = evidence{}
		if err := json.Unmarshal(m.Evidence, &last); err != nil {
			return fmt.Errorf("read an entry of rule %s that was found: %w", r.Name, err)
		}
		run := st.extend(m.Time, r.window())
		if run.Gathered.add(last.Line) {
			run.Gathered.Identity, run.Gathered.Labels = last.Identity, last.Labels
		}
		told, run.Gathered = told.and(run.Gathered), Gathered{}
	}
	st.Gathered = st.Gathered.and(told)
	var entry *logs.Entry
	if last.Entry != nil {
		entry = logs.ParseLine(last.Entry)
	}
	if st.Alert != nil {
		s.count(r, st, entry, told.Count, at)
		return nil
	}
	st.Gathered = told
	s.fire(r, st, entry, at)
	return nil
}

// judge lets an alert begin or end as the detector says.
func (s *stepping) judge(r *Rule, st *State, now, at time.Time) {
	if !r.traits.Ends {
		return
	}
	switch holds := st.detector.Holds(); {
	case holds && st.Alert == nil && r.For > 0: // its next entry decides
	case holds && st.Alert == nil:
		var told Gathered
		for i := range st.Runs {
			if run := &st.Runs[i]; run.To.After(now.Add(-r.window())) {
				told, run.Gathered = told.and(run.Gathered), Gathered{}
			}
		}
		st.Gathered = told
		s.fire(r, st, nil, at)
	case !holds && st.Alert != nil && r.resolves.kind == onEnd:
		s.resolve(r, st, at, r.ended(st.detector.Value()))
	}
}

// ended says that what the detector compares is well again.
func (r *Rule) ended(value float64) string {
	return fmt.Sprintf("over: it is %.4g now", value)
}

// unseen tells a detector that fires for want of entries what it may not have seen.
func (s *stepping) unseen(r *Rule, st *State, now time.Time) {
	d, ok := st.detector.(detectors.Awaiter)
	if !ok {
		return
	}
	names := r.Sources
	switch {
	case len(names) > 0:
	case len(r.extra) > 0:
		names = []string{""} // what is awaited may come from any
	default:
		names = []string{st.Source}
	}
	s.outside = true
	defer func() { s.outside = false }()
	for _, name := range names {
		since, seen := s.Sight(name)
		if !seen {
			since = now
		}
		if !since.IsZero() {
			d.Unseen(since)
		}
	}
}
