package detectors

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
)

// Absence holds when a group has had no entry for `after`. Groups are learned as they are seen, or listed.
type Absence struct {
	// After is how long a group may be silent.
	After setting.Duration `yaml:"after"`
	// Groups are groups that must speak though they never did, each with a value for every label of group_by. With a list,
	// no others are learned.
	Groups []map[string]string `yaml:"groups"`
	// Returns is how many entries within `after` end an absence; 1 if left out. With more, a stray one ends nothing.
	Returns int `yaml:"returns"`
}

// maxReturns bounds Returns: whoever wants more waits longer than anybody looks.
const maxReturns = 1000

// Validate says everything that is wrong with the settings.
func (a *Absence) Validate() []setting.FieldError {
	var errs []setting.FieldError
	if a.After <= 0 {
		errs = append(errs, setting.FieldError{Path: "after", Text: "missing: say how long a group may be silent, such as after: 15m"})
	}
	if a.Returns < 0 || a.Returns > maxReturns {
		errs = append(errs, setting.FieldError{Path: "returns", Text: fmt.Sprintf("must be from 1 to %d: so many entries end an absence", maxReturns)})
	}
	return errs
}

// Filters are none.
func (a *Absence) Filters() map[string]string { return nil }

// Fields are none.
func (a *Absence) Fields() map[string]string { return nil }

// Traits say that it fires for want of entries.
func (a *Absence) Traits() Traits {
	t := Traits{Window: a.After.Std(), Silence: true, NoFor: "an absence has no `for`: its `after` says how long"}
	for _, g := range a.Groups {
		t.Groups = append(t.Groups, incident.Labels(g))
	}
	return t
}

// New makes the detector of one group.
func (a *Absence) New(state json.RawMessage) (Detector, error) {
	d := &absence{spec: a}
	if state == nil {
		return d, nil
	}
	if err := json.Unmarshal(state, &d.saved); err != nil {
		return nil, fmt.Errorf("read absence state: %w", err)
	}
	return d, nil
}

type absence struct {
	spec  *Absence
	saved struct {
		Newest time.Time `json:"newest,omitzero"`
		Absent bool      `json:"absent,omitempty"`
		// Back are the newest times since an absence began, oldest first, at most as many as end it.
		Back []time.Time `json:"back,omitempty"`
	}
}

func (d *absence) Observe(m Match) {
	if !m.Time.After(d.saved.Newest) { // one of before the silence is no sign of life
		return
	}
	if !d.saved.Absent {
		d.saved.Newest = m.Time
		return
	}
	n := max(d.spec.Returns, 1)
	back := append(d.saved.Back, m.Time)
	slices.SortFunc(back, time.Time.Compare)
	back = back[max(0, len(back)-n):]
	d.saved.Back = back
	if newest := back[len(back)-1]; len(back) == n && newest.Sub(back[0]) <= d.spec.After.Std() {
		d.saved.Newest, d.saved.Absent, d.saved.Back = newest, false, nil
	}
}

func (d *absence) Advance(now time.Time) {
	if d.saved.Newest.IsZero() {
		d.saved.Newest = now // a listed group that never spoke: its time begins now
	}
	d.saved.Absent = d.saved.Absent || !now.Before(d.saved.Newest.Add(d.spec.After.Std()))
}

func (d *absence) Due() time.Time {
	if d.saved.Absent || d.saved.Newest.IsZero() {
		return time.Time{}
	}
	return d.saved.Newest.Add(d.spec.After.Std())
}

func (d *absence) Assume()        { d.saved.Absent = true }
func (d *absence) Holds() bool    { return d.saved.Absent }
func (d *absence) List() []string { return nil }
func (d *absence) Value() float64 { return 0 }

func (d *absence) State() (json.RawMessage, error) { return json.Marshal(d.saved) }

// Standing says since when the group is silent.
func (d *absence) Standing() string {
	if d.saved.Newest.IsZero() {
		return "nothing was heard yet"
	}
	return fmt.Sprintf("last heard %s, may be silent for %s", d.saved.Newest.UTC().Format(time.RFC3339), d.spec.After)
}
