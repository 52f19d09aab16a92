package detectors

import (
	"encoding/json"
	"time"

	"tocsin/internal/setting"
)

// Change finds an entry whose value of a path is another than the one before it. The first value of a group is learned.
type Change struct {
	// Of is the path; an entry without it changes nothing.
	Of string `yaml:"of"`
	// Forget is after how long without an entry the value is forgotten, and the next one learned; 30d if left out.
	Forget setting.Duration `yaml:"forget"`
}

// eventWindow is the window of the kinds that find single entries: what is doubled is told within it.
const eventWindow = 10 * time.Minute

// listFor is for how long after what was found what is found next stands in one list with it.
const listFor = time.Hour

// maxForget is the longest that a group remembers what it learned.
const maxForget = 366 * 24 * time.Hour

// usualForget is how long it does if nobody says.
const usualForget = setting.Duration(30 * 24 * time.Hour)

// forgetErrors says what is wrong with a time after which something is forgotten.
func forgetErrors(forget setting.Duration) []setting.FieldError {
	if forget.Std() < time.Hour || forget.Std() > maxForget {
		return []setting.FieldError{{Path: "forget", Text: forget.String() + " is not between 1h and 366d: say after how long a value that is not seen any more is forgotten"}}
	}
	return nil
}

// Validate says everything that is wrong with the settings.
func (c *Change) Validate() []setting.FieldError {
	errs := forgetErrors(c.Forget)
	if c.Of == "" {
		errs = append(errs, setting.FieldError{Path: "of", Text: "missing: write the path whose value must stay, such as of: jsonPayload.version"})
	}
	return errs
}

// Filters are none.
func (c *Change) Filters() map[string]string { return nil }

// Fields are the path.
func (c *Change) Fields() map[string]string { return map[string]string{"of": c.Of} }

// Traits say that it wants its entries in order.
func (c *Change) Traits() Traits {
	return Traits{Window: eventWindow, Ordered: true, NoFor: "a change has no `for`: it is there at once"}
}

// New makes the detector of one group.
func (c *Change) New(state json.RawMessage) (Detector, error) {
	return restored(&change{spec: c}, state)
}

type change struct {
	spec  *Change
	found []Match
	saved struct {
		Value string    `json:"value"`
		Seen  time.Time `json:"seen,omitzero"`
		// Listed are the newest changes, oldest first; Changed is when the last was.
		Listed  []string  `json:"listed,omitempty"`
		Changed time.Time `json:"changed,omitzero"`
	}
}

func (d *change) Observe(m Match) {
	s := &d.saved
	v, ok := m.Values["of"]
	if !ok || m.Time.Before(s.Seen) {
		return
	}
	if !s.Seen.IsZero() && v != s.Value {
		d.found = append(d.found, m)
		if m.Time.Sub(s.Changed) > listFor {
			s.Listed = nil
		}
		if len(s.Listed) >= MaxList {
			s.Listed = s.Listed[1:]
		}
		s.Listed, s.Changed = append(s.Listed, short(s.Value)+" → "+short(v)), m.Time
	}
	s.Value, s.Seen = v, m.Time
}

// short bounds a value in a list.
func short(v string) string {
	const most = 100
	if r := []rune(v); len(r) > most {
		return string(r[:most]) + "…"
	}
	return v
}

func (d *change) Advance(now time.Time) {
	s := &d.saved
	if !s.Seen.IsZero() && !now.Before(s.Seen.Add(d.spec.Forget.Std())) {
		s.Value, s.Seen, s.Listed = "", time.Time{}, nil
	}
}

func (d *change) Due() time.Time {
	if d.saved.Seen.IsZero() {
		return time.Time{}
	}
	return d.saved.Seen.Add(d.spec.Forget.Std())
}

func (d *change) Found() []Match {
	found := d.found
	d.found = nil
	return found
}

func (d *change) Settled(Match) bool { return false }
func (d *change) Holds() bool        { return false }
func (d *change) List() []string     { return d.saved.Listed }
func (d *change) Value() float64     { return 0 }

func (d *change) restore(state json.RawMessage) error { return json.Unmarshal(state, &d.saved) }

func (d *change) State() (json.RawMessage, error) { return json.Marshal(d.saved) }
