// Package detectors holds the kinds of detection, one a file. A detector decides, for one group of one rule, whether what the
// rule looks for is there; what a rule does with that (its `for`, when it resolves, what it says) is the rules room's affair. It
// uses no clock: time comes in with the entries and with Advance.
package detectors

import (
	"encoding/json"
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
}

// Match is an entry that a filter of the rule matched, as a detector sees it.
type Match struct {
	// Time is the entry's.
	Time time.Time
	// Filter says which of Spec.Filters matched; "" for the rule's own.
	Filter string
	// Values are the entry's Fields; one that is missing is left out.
	Values map[string]string
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
	// State is what New takes to go on.
	State() (json.RawMessage, error)
}

// MaxList is how many distinct values a detector collects.
const MaxList = 20

// Kinds are the kinds of detection by the word that the operator types.
var Kinds = map[string]func() Spec{
	"threshold": func() Spec { return &Threshold{Count: 1} },
	"absence":   func() Spec { return new(Absence) },
}
