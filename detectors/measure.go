package detectors

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/setting"
)

// measureErrors says what is wrong with a threshold of a sum or percentile.
func (t *Threshold) measureErrors() []setting.FieldError {
	errs := windowErrors(t.Window)
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if t.Sum != "" && t.Percentile != nil {
		wrong("percentile", "sum and percentile exclude each other: keep one")
	}
	if p := t.Percentile; p != nil {
		if p.Of == "" {
			wrong("percentile.of", "missing: write the path of a number, such as of: httpRequest.latency")
		}
		if !(p.P >= 0 && p.P <= 100) {
			wrong("percentile.p", "%v is no percentile: write a number from 0 to 100, such as p: 99", p.P)
		}
	}
	if t.Count != 1 {
		wrong("count", "it does not go with sum or percentile: write floor for how many numbers there must be")
	}
	if t.Distinct != "" {
		wrong("distinct", "it does not go with sum or percentile: keep one")
	}
	if t.Floor < 0 {
		wrong("floor", "%d is negative: say how many numbers there must be", t.Floor)
	}
	switch {
	case t.Above == nil && t.Below == nil:
		wrong("above", "missing: say above, or below, what number it fires, such as above: 100")
	case t.Above != nil && t.Below != nil:
		wrong("below", "above and below exclude each other: keep one")
	case t.Above != nil && t.ClearAbove != nil:
		wrong("clear_above", "it goes with below; with above it is clear_below")
	case t.Below != nil && t.ClearBelow != nil:
		wrong("clear_below", "it goes with above; with below it is clear_above")
	case t.ClearBelow != nil && *t.ClearBelow > *t.Above:
		wrong("clear_below", "%v is more than above, %v: it would be over while it holds", *t.ClearBelow, *t.Above)
	case t.ClearAbove != nil && *t.ClearAbove < *t.Below:
		wrong("clear_above", "%v is less than below, %v: it would be over while it holds", *t.ClearAbove, *t.Below)
	}
	return errs
}

// measure compares the sum or a percentile of the numbers of a window, at the end of each tenth of it.
type measure struct {
	spec  *Threshold
	saved struct {
		buckets
		verdict
		Listed []string `json:"listed,omitempty"`
	}
}

func (d *measure) width() time.Duration { return d.spec.Window.Std() / parts }

func (d *measure) Observe(m Match) {
	s := &d.saved
	s.Listed = listed(s.Listed, m.Values["list"])
	text := m.Values["sum"]
	if d.spec.Percentile != nil {
		text = m.Values["percentile.of"]
	}
	v, ok := numeric(text)
	if !ok {
		return
	}
	b := s.at(m.Time, d.width())
	b.M++
	if d.spec.Percentile == nil {
		b.Sum += v
		return
	}
	if b.Bins == nil {
		b.Bins = map[int]int64{}
	}
	b.Bins[bin(v)]++
}

func (d *measure) Advance(now time.Time) {
	s := &d.saved
	s.advance(now, d.width(), d.Holds, func(end int64) {
		w := s.of(end)
		able := w.M >= int64(max(d.spec.Floor, 1))
		if able {
			s.Number = d.number(w)
		}
		bad, well := d.compare(s.Number)
		s.say(end, able, bad, well, parts, d.width())
	})
	if len(s.Buckets) == 0 && !s.Holding {
		s.Listed = nil
	}
}

// compare says whether a number is bad, and whether it is well.
func (d *measure) compare(v float64) (bad, well bool) {
	if over := d.spec.Above; over != nil {
		if clear := d.spec.ClearBelow; clear != nil {
			return v > *over, v < *clear
		}
		return v > *over, v <= *over
	}
	if clear := d.spec.ClearAbove; clear != nil {
		return v < *d.spec.Below, v > *clear
	}
	return v < *d.spec.Below, v >= *d.spec.Below
}

// number is what is compared, of a window's entries.
func (d *measure) number(w bucket) float64 {
	if d.spec.Percentile == nil {
		return w.Sum
	}
	rank := max(1, int64(math.Ceil(d.spec.Percentile.P/100*float64(w.M))))
	bins := make([]int, 0, len(w.Bins))
	for n := range w.Bins {
		bins = append(bins, n)
	}
	slices.Sort(bins)
	for _, n := range bins {
		if rank -= w.Bins[n]; rank <= 0 {
			return middle(n)
		}
	}
	return 0
}

func (d *measure) Due() time.Time                      { return d.saved.due(d.width(), d.saved.Holding) }
func (d *measure) Holds() bool                         { return d.saved.Holding }
func (d *measure) List() []string                      { return d.saved.Listed }
func (d *measure) Value() float64                      { return d.saved.Number }
func (d *measure) Assume()                             { d.saved.Holding = true }
func (d *measure) restore(state json.RawMessage) error { return json.Unmarshal(state, &d.saved) }

func (d *measure) State() (json.RawMessage, error) { return json.Marshal(d.saved) }

// mostNumber bounds what is added up: no sum of such numbers is beyond what a state can hold.
const mostNumber = 1e200

// numeric reads a number, or a duration in seconds. What is beyond any measure, or none, is no number.
func numeric(text string) (float64, bool) {
	text = strings.TrimSpace(text)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		d, err := time.ParseDuration(text)
		return d.Seconds(), err == nil
	}
	return v, math.Abs(v) <= mostNumber // false of what is no number, too
}

// The sketch of numbers is that of DDSketch (Masson, Rim, Lee 2019): numbers are counted in bins whose bounds grow by one ratio, so
// that a percentile is right within 2.5 %, however many numbers there are and in whatever order they came. What is nearer to zero than
// 1e-9 counts as zero, what is greater than 1e15 as that: so there are 2,300 bins at the most.
const (
	ratioOfBins = 1.025 / 0.975
	leastBin    = -415
	greatestBin = 691
	binOffset   = 1 - leastBin
)

// bin is the bin of a number: rising with it, 0 for zero.
func bin(v float64) int {
	if math.Abs(v) < 1e-9 {
		return 0
	}
	n := int(math.Ceil(math.Log(math.Abs(v)) / math.Log(ratioOfBins)))
	n = min(max(n, leastBin), greatestBin) + binOffset
	if v < 0 {
		return -n
	}
	return n
}

// middle is the number that a bin stands for.
func middle(n int) float64 {
	switch {
	case n == 0:
		return 0
	case n < 0:
		return -middle(-n)
	}
	return 2 * math.Pow(ratioOfBins, float64(n-binOffset)) / (ratioOfBins + 1)
}
