package detectors

import (
	"encoding/json"
	"slices"
	"time"

	"tocsin/internal/setting"
)

// Sequence finds an entry of the rule's filter, the first, and one of a second filter after it; or, with `missing`, a first without
// its second.
type Sequence struct {
	// Then is the filter of the second.
	Then string `yaml:"then"`
	// Within is how much later than the first the second may be.
	Within setting.Duration `yaml:"within"`
	// Missing finds the first without a second, once that cannot come in time any more.
	Missing bool `yaml:"missing"`
	// AnyOrder takes a second that is as much earlier too.
	AnyOrder bool `yaml:"any_order"`
	// By is a path of which both must have the same value: the name of a pod, the id of a job.
	By string `yaml:"by"`
	// List is a path whose distinct values, in what is found, are collected for the message, at most 20.
	List string `yaml:"list"`
}

// Bounds on the firsts, and on the seconds, that a group remembers, and on their evidence in bytes; of more the oldest are forgotten.
const (
	maxOpen      = 500
	maxOpenBytes = 256 << 10
)

// Validate says everything that is wrong with the settings.
func (q *Sequence) Validate() []setting.FieldError {
	var errs []setting.FieldError
	if q.Then == "" {
		errs = append(errs, setting.FieldError{Path: "then", Text: "missing: write the filter of the second entry; the first is that of the rule's own filter"})
	}
	switch {
	case q.Within <= 0:
		errs = append(errs, setting.FieldError{Path: "within", Text: "missing: say how much later the second entry may be, such as within: 10m"})
	case q.Within.Std() > maxWindow:
		errs = append(errs, setting.FieldError{Path: "within", Text: "longer than 7d: a group cannot remember that much"})
	}
	return errs
}

// Filters are that of the second.
func (q *Sequence) Filters() map[string]string { return map[string]string{"then": q.Then} }

// Fields are the path that both agree in, and the listed one.
func (q *Sequence) Fields() map[string]string {
	f := map[string]string{}
	if q.By != "" {
		f["by"] = q.By
	}
	if q.List != "" {
		f["list"] = q.List
	}
	return f
}

// Traits say that it wants its entries in order.
func (q *Sequence) Traits() Traits {
	return Traits{Window: q.Within.Std(), Ordered: true, NoFor: "a sequence has no `for`: its `within` says how long"}
}

// New makes the detector of one group.
func (q *Sequence) New(state json.RawMessage) (Detector, error) {
	d := &sequence{spec: q}
	if q.Missing {
		return restored(&missing{d}, state)
	}
	return restored(d, state)
}

// half is one of the two, that waits for the other.
type half struct {
	At time.Time `json:"at"`
	// Until is when the other comes too late.
	Until    time.Time       `json:"until"`
	By       string          `json:"by,omitempty"`
	List     string          `json:"list,omitempty"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
}

type sequence struct {
	spec  *Sequence
	found []Match
	saved struct {
		// Firsts and Seconds are those that may still find their other, oldest first.
		Firsts  []half   `json:"firsts,omitempty"`
		Seconds []half   `json:"seconds,omitempty"`
		Listed  []string `json:"listed,omitempty"`
		// Newest is the time of what was found last.
		Newest time.Time `json:"newest,omitzero"`
	}
}

// missing is a sequence that fires for want of the second.
type missing struct{ *sequence }

// Unseen lets the time of each first begin anew that could have had its second unseen.
func (d *missing) Unseen(until time.Time) {
	for i := range d.saved.Firsts {
		if f := &d.saved.Firsts[i]; f.At.Before(until) {
			if late := until.Add(d.spec.Within.Std()); late.After(f.Until) {
				f.Until = late
			}
		}
	}
}

func (d *sequence) Observe(m Match) {
	s := &d.saved
	d.expire(m.Time)
	by, ok := m.Values["by"]
	if d.spec.By != "" && !ok {
		return // nothing can be told to be its other
	}
	h := half{At: m.Time, Until: m.Time.Add(d.spec.Within.Std()), By: by, List: m.Values["list"], Evidence: m.Evidence}
	other, own := &s.Seconds, &s.Firsts
	if m.Filter != "" {
		other, own = own, other
	}
	var met []half
	*other = slices.DeleteFunc(*other, func(o half) bool {
		if o.By != h.By || h.At.After(o.Until) {
			return false
		}
		met = append(met, o)
		return m.Filter != "" || !d.spec.Missing // a second answers for all firsts about it
	})
	switch {
	case len(met) > 0:
		if !d.spec.Missing {
			d.take(met[0])
			d.take(h)
		}
		if d.spec.Missing && d.spec.AnyOrder && m.Filter != "" {
			d.wait(own, h)
		}
	case m.Filter == "" || d.spec.AnyOrder:
		d.wait(own, h)
	}
}

// wait keeps one that waits for its other.
func (d *sequence) wait(list *[]half, h half) {
	*list = append(*list, h)
	size := 0
	for _, x := range *list {
		size += len(x.Evidence)
	}
	for len(*list) > maxOpen || size > maxOpenBytes && len(*list) > 1 {
		size -= len((*list)[0].Evidence)
		*list = slices.Delete(*list, 0, 1)
	}
}

// take says that one belongs to what was found.
func (d *sequence) take(h half) {
	d.found = append(d.found, Match{Time: h.At, Evidence: h.Evidence})
	if s := &d.saved; h.At.Sub(s.Newest) > listFor {
		s.Listed = nil
	}
	d.saved.Listed, d.saved.Newest = listed(d.saved.Listed, h.List), h.At
}

// expire drops what can find no other any more: with missing, it is found.
func (d *sequence) expire(now time.Time) {
	s := &d.saved
	s.Seconds = slices.DeleteFunc(s.Seconds, func(h half) bool { return h.Until.Before(now) })
	s.Firsts = slices.DeleteFunc(s.Firsts, func(h half) bool {
		gone := h.Until.Before(now)
		if gone && d.spec.Missing {
			d.take(h)
		}
		return gone
	})
}

func (d *sequence) Advance(now time.Time) { d.expire(now) }

func (d *sequence) Due() time.Time {
	var due time.Time
	for _, list := range [][]half{d.saved.Firsts, d.saved.Seconds} {
		for _, h := range list {
			if due.IsZero() || h.Until.Before(due) {
				due = h.Until
			}
		}
	}
	if due.IsZero() {
		return due
	}
	return due.Add(time.Millisecond)
}

func (d *sequence) Found() []Match {
	found := d.found
	d.found = nil
	return found
}

func (d *sequence) Settled(Match) bool { return false }
func (d *sequence) Holds() bool        { return false }
func (d *sequence) List() []string     { return d.saved.Listed }
func (d *sequence) Value() float64     { return 0 }

func (d *sequence) restore(state json.RawMessage) error { return json.Unmarshal(state, &d.saved) }

func (d *sequence) State() (json.RawMessage, error) { return json.Marshal(d.saved) }
