package detectors

import (
	"encoding/json"
	"fmt"
	"time"

	"tocsin/internal/setting"
)

// Ratio holds when more than a share of the entries of a window match a second filter, or of the sum of their numbers. It is judged at the
// end of each tenth of the window.
type Ratio struct {
	// Match is the second filter: of the entries that the rule's own filter matches, which are counted.
	Match string `yaml:"match"`
	// Sum is the path of a number that each entry stands for, such as a metric's points for so many requests: the share is that of their
	// sums. What is no number above zero is not counted. Left out each entry is one.
	Sum string `yaml:"sum"`
	// Window is the time that the entries lie in.
	Window setting.Duration `yaml:"window"`
	// Above is the share that must be passed, from 0 up to 1: 5 % is 0.05.
	Above float64 `yaml:"above"`
	// Floor is how many entries there must be in the window, or what their sum must be, for the share to mean something.
	Floor int `yaml:"floor"`
	// ClearBelow is the share below which it is over; at `above` or less, if left out.
	ClearBelow *float64 `yaml:"clear_below"`
	// List is a path whose distinct values, in the entries that match, are collected for the message, at most 20.
	List string `yaml:"list"`
}

// Validate says everything that is wrong with the settings.
func (r *Ratio) Validate() []setting.FieldError {
	errs := windowErrors(r.Window)
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if r.Match == "" {
		wrong("match", "missing: write the filter of the entries whose share is compared, such as match: 'httpRequest.status>=500'")
	}
	if !(r.Above > 0 && r.Above < 1) {
		wrong("above", "%v is no share: write a number between 0 and 1, 5 %% is above: 0.05", r.Above)
	}
	if r.Floor < 1 {
		wrong("floor", "missing: say how many entries there must be in the window for their share to mean something, such as floor: 50")
	}
	if c := r.ClearBelow; c != nil && (!(*c > 0) || *c > r.Above) {
		wrong("clear_below", "%v: write a share above 0 and not above %v, at which it fires", *c, r.Above)
	}
	return errs
}

// Filters are the second one.
func (r *Ratio) Filters() map[string]string { return map[string]string{"match": r.Match} }

// Fields are the paths that are set.
func (r *Ratio) Fields() map[string]string {
	f := map[string]string{}
	if r.List != "" {
		f["list"] = r.List
	}
	if r.Sum != "" {
		f["sum"] = r.Sum
	}
	return f
}

// Traits say that time decides, and that what matches the second filter is told.
func (r *Ratio) Traits() Traits {
	return Traits{Window: r.Window.Std(), Evidence: "match", Narrowed: true, Judged: true, Ends: true,
		NoFor: "a ratio has no `for`: its window says over how long the share is taken"}
}

// New makes the detector of one group.
func (r *Ratio) New(state json.RawMessage) (Detector, error) { return restored(&ratio{spec: r}, state) }

type ratio struct {
	spec  *Ratio
	saved struct {
		buckets
		verdict
		Listed []string `json:"listed,omitempty"`
	}
}

func (d *ratio) width() time.Duration { return d.spec.Window.Std() / parts }

func (d *ratio) Observe(m Match) {
	number := 0.0
	if d.spec.Sum != "" {
		var ok bool
		if number, ok = numeric(m.Values["sum"]); !ok || number <= 0 {
			return
		}
	}
	b := d.saved.at(m.Time, d.width())
	if m.Filter == "" {
		b.N, b.Sum = b.N+1, b.Sum+number
		return
	}
	b.M, b.Part = b.M+1, b.Part+number
	d.saved.Listed = listed(d.saved.Listed, m.Values["list"])
}

func (d *ratio) Advance(now time.Time) {
	s := &d.saved
	s.advance(now, d.width(), d.Holds, func(end int64) {
		w := s.of(end)
		part, whole := float64(w.M), float64(w.N)
		if d.spec.Sum != "" {
			part, whole = w.Part, w.Sum
		}
		able := whole >= float64(d.spec.Floor)
		if able {
			s.Number = part / whole
		}
		clear := s.Number <= d.spec.Above
		if d.spec.ClearBelow != nil {
			clear = s.Number < *d.spec.ClearBelow
		}
		s.say(end, able, s.Number > d.spec.Above, clear, parts, d.width())
	})
	if len(s.Buckets) == 0 && !s.Holding {
		s.Listed = nil
	}
}

func (d *ratio) Due() time.Time { return d.saved.due(d.width(), d.saved.Holding) }
func (d *ratio) Holds() bool    { return d.saved.Holding }
func (d *ratio) List() []string { return d.saved.Listed }
func (d *ratio) Value() float64 { return d.saved.Number }
func (d *ratio) Assume()        { d.saved.Holding = true }

func (d *ratio) restore(state json.RawMessage) error { return json.Unmarshal(state, &d.saved) }

func (d *ratio) State() (json.RawMessage, error) { return json.Marshal(d.saved) }
