package detectors

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/setting"
)

// Rate holds when a window has many more entries of a group, or many fewer, than is usual for it: than the median of the windows of its
// own past. It is judged at the end of each fifth of the window, once the group's past has been learned.
type Rate struct {
	// Window is the time whose entries are counted.
	Window setting.Duration `yaml:"window"`
	// Past is how long a past is compared; 1d if left out, at most 300 windows.
	Past setting.Duration `yaml:"past"`
	// Learn is how long a group must have been known before it is judged; the whole past if left out.
	Learn setting.Duration `yaml:"learn"`
	// Spike is how many times the usual a window must have, Drop is less than which share of the usual.
	Spike float64 `yaml:"spike"`
	Drop  float64 `yaml:"drop"`
	// Floor is how many entries there must be for it to mean something: in the window for a spike, usually for a drop.
	Floor int `yaml:"floor"`
}

const (
	// usualPast is how long a past is compared if nobody says.
	usualPast = setting.Duration(24 * time.Hour)
	// fifths is how many stretches make a window, and maxPast how many windows a past at most.
	fifths  = 5
	maxPast = 300
)

// Validate says everything that is wrong with the settings.
func (r *Rate) Validate() []setting.FieldError {
	errs := windowErrors(r.Window)
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if w := r.Window.Std(); w > 0 {
		switch {
		case r.Past.Std() < 4*w:
			wrong("past", "%s is less than four windows of %s: what is usual cannot be told from so few", r.Past, r.Window)
		case r.Past.Std() > maxPast*w:
			wrong("past", "%s is more than %d windows of %s: a group cannot remember that much; take a longer window", r.Past, maxPast, r.Window)
		case r.Learn < 0 || r.Learn > r.Past:
			wrong("learn", "%s is not between 0s and the past, %s", r.Learn, r.Past)
		}
	}
	if r.Spike == 0 && r.Drop == 0 {
		wrong("spike", "missing: say spike, how many times the usual, or drop, less than which share of it, such as spike: 3")
	}
	if r.Spike != 0 && !(r.Spike > 1) {
		wrong("spike", "%v: write how many times the usual, more than 1", r.Spike)
	}
	if r.Drop != 0 && !(r.Drop > 0 && r.Drop < 1) {
		wrong("drop", "%v: write a share of the usual between 0 and 1, half is 0.5", r.Drop)
	}
	if r.Floor < 1 {
		wrong("floor", "missing: say how many entries there must be for it to mean something, such as floor: 20")
	}
	return errs
}

// Filters are none.
func (r *Rate) Filters() map[string]string { return nil }

// Fields are none.
func (r *Rate) Fields() map[string]string { return nil }

// Traits say that time decides.
func (r *Rate) Traits() Traits {
	return Traits{Window: r.Window.Std(), Judged: true, Ends: true, NoFor: "a rate has no `for`: its window says over how long it is taken"}
}

// New makes the detector of one group.
func (r *Rate) New(state json.RawMessage) (Detector, error) {
	if r.Drop > 0 {
		return restored(&dropping{rate{spec: r}}, state)
	}
	return restored(&rate{spec: r}, state)
}

type rate struct {
	spec  *Rate
	saved struct {
		// Start is the number of the stretch of the first of Counts, which are of the entries of each stretch.
		Start  int64   `json:"start,omitempty"`
		Counts []int64 `json:"counts,omitempty"`
		// Born is the stretch of the oldest entry, Judged that at whose beginning it was judged last.
		Born   int64 `json:"born,omitempty"`
		Judged int64 `json:"judged,omitempty"`
		// Seen is the stretch up to which entries may not have been seen.
		Seen int64 `json:"seen,omitempty"`
		verdict
	}
}

// dropping is a rate that may fire for want of entries.
type dropping struct{ rate }

// Unseen lets no window be judged that begins before that time.
func (d *dropping) Unseen(until time.Time) {
	d.saved.Seen = max(d.saved.Seen, number(until, d.width())+1)
}

func (d *rate) width() time.Duration { return d.spec.Window.Std() / fifths }

// kept is how many stretches are remembered: the past, and the window.
func (d *rate) kept() int64 { return (int64(d.spec.Past/d.spec.Window) + 1) * fifths }

func (d *rate) Observe(m Match) {
	s, n := &d.saved, number(m.Time, d.width())
	if len(s.Counts) == 0 {
		s.Start = n
	}
	if s.Born == 0 || n < s.Born {
		s.Born = n
	}
	if n < d.oldest(n+1) {
		return
	}
	if n < s.Start {
		s.Counts = slices.Insert(s.Counts, 0, make([]int64, s.Start-n)...)
		s.Start = n
	}
	d.extend(n + 1)
	s.Counts[n-s.Start]++
}

// oldest is the oldest stretch that is still needed, where there are stretches up to one: to judge the next window, or, where none has been
// judged for long, so many that it has an end.
func (d *rate) oldest(end int64) int64 {
	end = max(end, d.saved.Start+int64(len(d.saved.Counts)))
	return max(d.saved.Judged+1-d.kept(), end-d.kept()-int64(2*time.Hour/d.width()))
}

// extend makes room for the stretches up to one, and forgets what is not needed any more.
func (d *rate) extend(end int64) {
	s := &d.saved
	oldest := d.oldest(end)
	if s.Start+int64(len(s.Counts)) < oldest {
		s.Start, s.Counts = oldest, nil
	}
	if more := end - s.Start - int64(len(s.Counts)); more > 0 {
		s.Counts = append(s.Counts, make([]int64, more)...)
	}
	if over := min(oldest-s.Start, int64(len(s.Counts))); over > 0 {
		s.Counts, s.Start = slices.Delete(s.Counts, 0, int(over)), s.Start+over
	}
}

// of is how many entries the window has that ends at a stretch.
func (d *rate) of(end int64) int64 {
	var n int64
	for i := max(end-fifths, d.saved.Start); i < end && i-d.saved.Start < int64(len(d.saved.Counts)); i++ {
		n += d.saved.Counts[i-d.saved.Start]
	}
	return n
}

// usual is the median of the windows before the one that ends at a stretch, as far as the group has been known; false if it has not been
// for long enough.
func (d *rate) usual(end int64) (float64, bool) {
	s := &d.saved
	learn := d.spec.Learn
	if learn == 0 {
		learn = d.spec.Past
	}
	past := int64(d.spec.Past/d.spec.Window) * fifths
	if s.Born == 0 {
		return 0, false
	}
	known := min(end-fifths-s.Born, past)
	if known < int64(learn/d.spec.Window)*fifths || known < fifths {
		return 0, false
	}
	var counts []int64
	for e := end - fifths; e-fifths >= end-fifths-known; e -= fifths {
		counts = append(counts, d.of(e))
	}
	slices.Sort(counts)
	mid := len(counts) / 2
	if len(counts)%2 == 0 {
		return float64(counts[mid-1]+counts[mid]) / 2, true
	}
	return float64(counts[mid]), true
}

func (d *rate) Advance(now time.Time) {
	s, last := &d.saved, number(now, d.width())
	if s.Judged == 0 { // of before the group was known there is nothing to judge
		s.Judged = last - 1
		if s.Born != 0 {
			s.Judged = min(s.Judged, s.Born)
		}
	}
	s.Judged = max(s.Judged, last-d.kept())
	for ; s.Judged < last; s.Judged++ {
		if s.Born != 0 || s.Holding {
			d.judge(s.Judged + 1)
		}
	}
	if s.Born != 0 && !s.Holding && last-s.Start >= d.kept() {
		d.extend(last)
		if !slices.ContainsFunc(s.Counts, func(n int64) bool { return n > 0 }) { // nothing for a whole past
			s.Start, s.Counts, s.Born, s.Judged = 0, nil, 0, 0
		}
	}
}

func (d *rate) judge(end int64) {
	s := &d.saved
	usual, able := d.usual(end)
	count := float64(d.of(end))
	floor := float64(d.spec.Floor)
	spikes := d.spec.Spike > 0 && count >= floor && count > d.spec.Spike*usual
	drops := d.spec.Drop > 0 && usual >= floor && count < d.spec.Drop*usual
	if d.spec.Drop > 0 && end-fifths < s.Seen {
		able = false
	}
	if able {
		s.Number = count
	}
	s.say(end, able, spikes || drops, !spikes && !drops, fifths, d.width())
}

func (d *rate) Due() time.Time {
	if d.saved.Born == 0 && !d.saved.Holding {
		return time.Time{}
	}
	if d.saved.Judged == 0 {
		return begin(d.saved.Born+1, d.width())
	}
	return begin(d.saved.Judged+1, d.width())
}

func (d *rate) Holds() bool    { return d.saved.Holding }
func (d *rate) List() []string { return nil }
func (d *rate) Value() float64 { return d.saved.Number }
func (d *rate) Assume()        { d.saved.Holding = true }

func (d *rate) restore(state json.RawMessage) error { return json.Unmarshal(state, &d.saved) }

func (d *rate) State() (json.RawMessage, error) { return json.Marshal(d.saved) }
