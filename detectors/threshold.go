package detectors

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/setting"
)

// Threshold holds when `count` entries of a group lie within `window` of each other. It fires at the entry that completes
// them; late entries count as if they had come in time. With `sum` or `percentile` it compares a number of the entries instead, and
// is judged at the end of each tenth of the window.
type Threshold struct {
	// Count is how many entries are needed; 1 if left out.
	Count int `yaml:"count"`
	// Window is the time they must lie in.
	Window setting.Duration `yaml:"window"`
	// Distinct is a path: `count` different values of it are needed instead of `count` entries.
	Distinct string `yaml:"distinct"`
	// List is a path whose distinct values are collected for the message, at most 20.
	List string `yaml:"list"`
	// Sum is a path whose numbers are added up over the window.
	Sum string `yaml:"sum"`
	// Percentile is a path, and which percentile of its numbers in the window is compared.
	Percentile *Percentile `yaml:"percentile"`
	// Above and Below are what a sum or percentile must be above, or below.
	Above *float64 `yaml:"above"`
	Below *float64 `yaml:"below"`
	// Floor is how many numbers there must be in the window for a sum or percentile to be judged; 1 if left out.
	Floor int `yaml:"floor"`
	// ClearBelow is below what it must fall to be over: a number of entries for `count`, what is compared for `above`. ClearAbove is
	// above what it must rise, for `below`.
	ClearBelow *float64 `yaml:"clear_below"`
	ClearAbove *float64 `yaml:"clear_above"`
}

// Percentile is which percentile of what is compared.
type Percentile struct {
	// Of is the path of a number, or of a duration such as 0.25s, which counts in seconds.
	Of string `yaml:"of"`
	// P is from 0, the least, to 100, the greatest.
	P float64 `yaml:"p"`
}

// MaxCount bounds Count: a group remembers about so many times.
const MaxCount = 10000

// measured says that a number is compared.
func (t *Threshold) measured() bool { return t.Sum != "" || t.Percentile != nil }

// Validate says everything that is wrong with the settings.
func (t *Threshold) Validate() []setting.FieldError {
	if t.measured() {
		return t.measureErrors()
	}
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if t.Count < 1 || t.Count > MaxCount {
		wrong("count", "%d entries: write a number from 1 to %d", t.Count, MaxCount)
	}
	switch {
	case t.Window < 0:
		wrong("window", "%s is negative: say within what time the entries must lie, such as window: 5m", t.Window)
	case t.Window == 0:
		wrong("window", "missing: say within what time the entries must lie, such as window: 5m")
	case t.Window.Std() > maxWindow:
		wrong("window", "longer than 7d: a group cannot remember that much")
	}
	for path, set := range map[string]bool{"above": t.Above != nil, "below": t.Below != nil, "clear_above": t.ClearAbove != nil, "floor": t.Floor != 0} {
		if set {
			wrong(path, "it goes with sum or percentile; a number of entries is compared with count")
		}
	}
	switch c := t.ClearBelow; {
	case c == nil:
	case t.Distinct != "":
		wrong("clear_below", "it does not go with distinct: leave it out, and say in resolves when it is over")
	case *c < 1 || *c > float64(t.Count):
		wrong("clear_below", "%v entries: write a number from 1 to the count, %d", *c, t.Count)
	case t.Window > 0 && t.Window.Std() < MinJudged:
		errs = append(errs, windowErrors(t.Window)...)
	}
	return errs
}

// Filters are none.
func (t *Threshold) Filters() map[string]string { return nil }

// Fields are the paths of what is listed, told apart, or compared.
func (t *Threshold) Fields() map[string]string {
	f := map[string]string{}
	if t.List != "" {
		f["list"] = t.List
	}
	if t.Distinct != "" {
		f["distinct"] = t.Distinct
	}
	if t.Sum != "" {
		f["sum"] = t.Sum
	}
	if t.Percentile != nil {
		f["percentile.of"] = t.Percentile.Of
	}
	return f
}

// Traits are the window, and whether it says itself when it is over.
func (t *Threshold) Traits() Traits {
	traits := Traits{Window: t.Window.Std(), Judged: t.measured(), Ends: t.measured() || t.ClearBelow != nil}
	if t.measured() {
		traits.NoFor = "a threshold of a sum or percentile has no `for`: its window says over how long it is taken"
	}
	return traits
}

// New makes the detector of one group.
func (t *Threshold) New(state json.RawMessage) (Detector, error) {
	switch {
	case t.measured():
		return restored(&measure{spec: t}, state)
	case t.ClearBelow != nil:
		return restored(&clearing{spec: t}, state)
	}
	d := &threshold{spec: t}
	if state == nil {
		return d, nil
	}
	if err := json.Unmarshal(state, &d.saved); err != nil {
		return nil, fmt.Errorf("read threshold state: %w", err)
	}
	return d, nil
}

// threshold remembers the times of the entries of the last window, oldest first, until there are enough.
type threshold struct {
	spec  *Threshold
	saved struct {
		Times   []time.Time `json:"times,omitempty"`
		Values  []string    `json:"values,omitempty"` // beside Times, where distinct values count
		Listed  []string    `json:"listed,omitempty"`
		Reached bool        `json:"reached,omitempty"`
		Newest  time.Time   `json:"newest,omitzero"`
	}
}

func (d *threshold) Observe(m Match) {
	s := &d.saved
	if m.Time.Sub(s.Newest) > d.spec.Window.Std() {
		s.Reached, s.Listed = false, nil // a new run, whether or not the watermark has shown it yet
	}
	if v, ok := m.Values["list"]; ok && len(s.Listed) < MaxList && !slices.Contains(s.Listed, v) {
		s.Listed = append(s.Listed, v)
	}
	if m.Time.After(s.Newest) {
		s.Newest = m.Time
	}
	if s.Reached {
		return
	}
	if d.spec.Count == 1 && d.spec.Distinct == "" {
		s.Reached = true
		return
	}
	value, ok := m.Values["distinct"]
	if d.spec.Distinct != "" && !ok {
		return // an entry without the value shows no new one
	}
	d.trim(s.Newest.Add(-2*d.spec.Window.Std() - lateAtMost))
	i, _ := slices.BinarySearchFunc(s.Times, m.Time, func(a, b time.Time) int {
		if a.After(b) {
			return 1
		}
		return -1
	})
	s.Times = slices.Insert(s.Times, i, m.Time)
	if d.spec.Distinct != "" {
		s.Values = slices.Insert(s.Values, i, value)
	}
	if d.spec.Distinct != "" {
		switch gone := d.redundant(s.Values[i]); {
		case gone == i:
			return
		case gone >= 0 && gone < i:
			i--
		}
	}
	if d.complete(i) {
		s.Reached, s.Times, s.Values = true, nil, nil
	}
}

// lateAtMost is how much older than a window an entry may be and still come.
const lateAtMost = 5 * time.Minute

// redundant removes the middle one of three entries with a value within a window, if there are such three, and says which it was: a
// window that holds it holds one of the others. -1 is none.
func (d *threshold) redundant(value string) int {
	s := &d.saved
	var same []int
	for k := range s.Times {
		if s.Values[k] == value {
			same = append(same, k)
		}
	}
	for k := 1; k+1 < len(same); k++ {
		if at := same[k]; s.Times[same[k+1]].Sub(s.Times[same[k-1]]) <= d.spec.Window.Std() {
			s.Times, s.Values = slices.Delete(s.Times, at, at+1), slices.Delete(s.Values, at, at+1)
			return at
		}
	}
	return -1
}

// complete says whether some window that holds the entry at i holds enough.
func (d *threshold) complete(i int) bool {
	times := d.saved.Times
	for from := i; from >= 0 && times[i].Sub(times[from]) <= d.spec.Window.Std(); from-- {
		if d.spec.Distinct != "" {
			if d.distinctFrom(from) >= d.spec.Count {
				return true
			}
			continue
		}
		to := from + d.spec.Count - 1
		if to < len(times) && to >= i && times[to].Sub(times[from]) <= d.spec.Window.Std() {
			return true
		}
	}
	return false
}

// distinctFrom counts the different values in the window that begins at from.
func (d *threshold) distinctFrom(from int) int {
	seen := map[string]struct{}{}
	for k := from; k < len(d.saved.Times) && d.saved.Times[k].Sub(d.saved.Times[from]) <= d.spec.Window.Std(); k++ {
		seen[d.saved.Values[k]] = struct{}{}
	}
	return len(seen)
}

// trim forgets the entries of before old.
func (d *threshold) trim(old time.Time) {
	s, n := &d.saved, 0
	for n < len(s.Times) && s.Times[n].Before(old) {
		n++
	}
	s.Times = slices.Delete(s.Times, 0, n)
	if d.spec.Distinct != "" {
		s.Values = slices.Delete(s.Values, 0, n)
	}
}

// Advance forgets what no window can hold any more.
func (d *threshold) Advance(now time.Time) {
	s := &d.saved
	d.trim(now.Add(-d.spec.Window.Std()))
	if s.Newest.Before(now.Add(-d.spec.Window.Std())) {
		s.Reached, s.Listed = false, nil
	}
}

// Due is when the newest entry leaves the window, so that the group can be forgotten.
func (d *threshold) Due() time.Time {
	if d.saved.Newest.IsZero() || !d.saved.Reached && len(d.saved.Times) == 0 {
		return time.Time{}
	}
	return d.saved.Newest.Add(d.spec.Window.Std() + time.Nanosecond)
}

func (d *threshold) Holds() bool    { return d.saved.Reached }
func (d *threshold) List() []string { return d.saved.Listed }
func (d *threshold) Value() float64 { return 0 }

func (d *threshold) State() (json.RawMessage, error) { return json.Marshal(d.saved) }

// Standing says how many of the entries, or values, are there.
func (d *threshold) Standing() string {
	what, have := "entries", 0
	if d.spec.Distinct != "" {
		what = "values of " + d.spec.Distinct
	}
	if d.saved.Reached {
		return fmt.Sprintf("%d of %d %s within %s", d.spec.Count, d.spec.Count, what, d.spec.Window)
	}
	for to := range d.saved.Times {
		n := 0
		for from := to; from >= 0 && d.saved.Times[to].Sub(d.saved.Times[from]) <= d.spec.Window.Std(); from-- {
			n++
			if d.spec.Distinct != "" {
				n = d.distinctFrom(from)
			}
		}
		have = max(have, n)
	}
	return fmt.Sprintf("%d of %d %s within %s", have, d.spec.Count, what, d.spec.Window)
}
