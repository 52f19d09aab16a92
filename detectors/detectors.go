// Package detectors holds the kinds of detection, one a file. A detector decides, for one group of one rule, whether what the
// rule looks for is there; what a rule does with that (its `for`, when it resolves, what it says) is the rules room's affair. It
// uses no clock: time comes in with the entries and with Advance.
package detectors

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
)

// Spec is the settings of one kind of detection, decoded from a rule's `detect`.
type Spec interface {
	// Validate says everything that is wrong with the settings.
	Validate() []setting.FieldError
	// Filters are the filters that the kind needs beside the rule's own, by the name that Match.Filter carries.
	Filters() map[string]string
	// Fields are the paths of an entry that the kind reads, by the name that Match.Values carries.
	Fields() map[string]string
	// Traits say how the kind behaves.
	Traits() Traits
	// New makes the detector of one group, from a state that State returned, or anew from nil.
	New(state json.RawMessage) (Detector, error)
}

// Traits are what the rules room must know of a kind.
type Traits struct {
	// Window is how long an entry matters: identities are remembered that long, and a silence longer than it ends a run.
	Window time.Duration
	// Silence says that the kind fires for want of entries: it is not asked while a source is behind or blind, a match ends
	// its alert, and `for` and `on_quiet` have no meaning.
	Silence bool
	// Groups are groups that exist without having been seen.
	Groups []incident.Labels
	// Evidence names the filter whose entries an alert counts and tells; "" is the rule's own.
	Evidence string
	// Narrowed says that the kind's Filters are asked only of entries that the rule's own matches too.
	Narrowed bool
	// Judged says that Advance decides, not Observe. Ends says that the detector decides the end too: an alert is over once Holds is
	// false, and `resolves` has nothing to say but by_hand. Such a detector is an Ender.
	Judged bool
	Ends   bool
	// Ordered says that the detector is a Finder: entries reach Observe in the order of their times, once none older is awaited, and an
	// alert counts and tells only what is found.
	Ordered bool
	// NoFor says why a rule of the kind takes no `for`; "" if it does.
	NoFor string
}

// Keeps says whether a detector goes on after its alert is over; else it begins anew.
func (t Traits) Keeps() bool { return t.Silence || t.Ends || t.Ordered }

// Match is an entry that a filter of the rule matched, as a detector sees it.
type Match struct {
	// Time is the entry's.
	Time time.Time
	// Filter says which of Spec.Filters matched; "" for the rule's own.
	Filter string
	// Values are the entry's Fields; one that is missing is left out.
	Values map[string]string
	// Evidence is for whoever gives the match: a Finder keeps it with what it waits for and gives it back.
	Evidence json.RawMessage
}

// Detector watches one group. Entries may come in any order within the lateness; the answer does not depend on it.
type Detector interface {
	// Observe takes an entry that was not seen before.
	Observe(m Match)
	// Advance says that no entry older than now is awaited any more.
	Advance(now time.Time)
	// Due is when Advance is wanted next; zero for never.
	Due() time.Time
	// Holds says whether the condition holds now.
	Holds() bool
	// List are the distinct values that were collected, at most MaxList, in the order they came.
	List() []string
	// Value is the number that was compared last, 0 if the kind compares none.
	Value() float64
	// State is what New takes to go on.
	State() (json.RawMessage, error)
}

// Finder is a detector of a kind with Traits.Ordered.
type Finder interface {
	Detector
	// Found are the matches of what was found since it was asked last; an alert is of them.
	Found() []Match
	// Settled says that it makes no difference when the match is observed: it need not wait for its turn.
	Settled(m Match) bool
}

// Ender is a detector that says itself when it is over: of a kind with Traits.Ends, or an absence.
type Ender interface {
	Detector
	// Assume says of a detector that begins anew that an alert of its group fires: it holds until it is seen to be over.
	Assume()
}

// Awaiter is a detector that fires for want of entries too, beside others.
type Awaiter interface {
	Detector
	// Unseen says that what came up to a time may not have been seen: that it is missing means nothing.
	Unseen(until time.Time)
}

// Standing is what a Detector may have beside: how near it is to what it looks for, for people, such as "3 of 5 entries within 10m".
type Standing interface {
	Standing() string
}

// MaxList is how many distinct values a detector collects.
const MaxList = 20

// Kinds are the kinds of detection by the word that the operator types.
var Kinds = map[string]func() Spec{
	"threshold": func() Spec { return &Threshold{Count: 1} },
	"absence":   func() Spec { return new(Absence) },
	"ratio":     func() Spec { return new(Ratio) },
	"rate":      func() Spec { return &Rate{Past: usualPast} },
	"new_value": func() Spec { return &NewValue{Learn: usualLearn, Forget: usualForget} },
	"sequence":  func() Spec { return new(Sequence) },
	"change":    func() Spec { return &Change{Forget: usualForget} },
}

// restored is a detector with the state that it saved; state is nil for none.
func restored[D interface {
	Detector
	restore(state json.RawMessage) error
}](d D, state json.RawMessage) (Detector, error) {
	if state == nil {
		return d, nil
	}
	if err := d.restore(state); err != nil {
		return nil, fmt.Errorf("read state of detection: %w", err)
	}
	return d, nil
}

// listed takes a value into a list of at most MaxList distinct ones.
func listed(list []string, v string) []string {
	if v == "" || len(list) >= MaxList || slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}
