package detectors

import (
	"encoding/json"
	"slices"
	"time"
)

// clearing is a threshold of a count with `clear_below`: it fires as a threshold does, and is over at the end of the first tenth of
// a window at which the window holds fewer entries than that. Then it begins anew, with the entries of after that.
type clearing struct {
	spec  *Threshold
	inner *threshold
	saved struct {
		buckets
		Inner   json.RawMessage `json:"inner,omitempty"`
		Holding bool            `json:"holding,omitempty"`
		// Newest are the newest times while it holds, at most as many as are needed, oldest first.
		Newest []time.Time `json:"newest,omitempty"`
		Listed []string    `json:"listed,omitempty"`
		Number float64     `json:"number,omitempty"`
	}
}

func (d *clearing) width() time.Duration { return d.spec.Window.Std() / parts }

// counting is the threshold that counts until it holds.
func (d *clearing) counting() *threshold {
	if d.inner == nil {
		d.inner = &threshold{spec: d.spec}
	}
	return d.inner
}

func (d *clearing) Observe(m Match) {
	s := &d.saved
	s.Listed = listed(s.Listed, m.Values["list"])
	s.at(m.Time, d.width()).N++
	if s.Holding {
		d.remember(m.Time)
		return
	}
	inner := d.counting()
	inner.Observe(Match{Time: m.Time})
	if s.Number = float64(len(inner.saved.Times)); inner.Holds() {
		d.hold(inner.saved.Newest)
	}
	d.drop(number(inner.saved.Newest.Add(-2*d.spec.Window.Std()-lateAtMost), d.width()))
}

// hold lets it hold since an entry: it cannot be over before that.
func (d *clearing) hold(since time.Time) {
	s := &d.saved
	s.Holding, s.Number, d.inner = true, float64(d.spec.Count), nil
	s.Judged = max(s.Judged, number(since, d.width()))
	s.Newest = append(s.Newest[:0], since)
}

// remember keeps a time that may be of after the end.
func (d *clearing) remember(t time.Time) {
	s := &d.saved
	i, _ := slices.BinarySearchFunc(s.Newest, t, time.Time.Compare)
	if s.Newest = slices.Insert(s.Newest, i, t); len(s.Newest) > d.spec.Count {
		s.Newest = slices.Delete(s.Newest, 0, 1)
	}
}

// drop forgets the buckets of before a stretch.
func (d *clearing) drop(before int64) {
	s := &d.saved
	s.Buckets = slices.DeleteFunc(s.Buckets, func(b bucket) bool { return b.At < before })
}

func (d *clearing) Advance(now time.Time) {
	s := &d.saved
	if !s.Holding {
		inner := d.counting()
		inner.Advance(now)
		d.drop(number(now.Add(-d.spec.Window.Std()), d.width()))
		if len(s.Buckets) == 0 {
			s.Listed = nil
		}
		return
	}
	last := number(now, d.width())
	if s.Judged == 0 { // it was assumed to hold
		s.Judged = last - 1
	}
	for ; s.Holding && s.Judged < last; s.Judged++ {
		end := s.Judged + 1
		if n := s.of(end).N; float64(n) < *d.spec.ClearBelow {
			s.Number = float64(n)
			d.over(end)
		}
	}
	d.drop(s.Judged - parts)
}

// over ends it at the beginning of a stretch. What came since may let it hold again at once.
func (d *clearing) over(end int64) {
	s := &d.saved
	newest := s.Newest
	s.Holding, s.Newest, s.Listed, d.inner = false, nil, nil, nil
	for _, t := range newest {
		if t.Before(begin(end, d.width())) {
			continue
		}
		if inner := d.counting(); !s.Holding {
			if inner.Observe(Match{Time: t}); inner.Holds() {
				d.hold(t)
			}
		} else {
			d.remember(t)
		}
	}
}

func (d *clearing) Due() time.Time {
	if d.saved.Holding {
		return begin(d.saved.Judged+1, d.width())
	}
	return d.counting().Due()
}

func (d *clearing) Holds() bool    { return d.saved.Holding }
func (d *clearing) List() []string { return d.saved.Listed }
func (d *clearing) Value() float64 { return d.saved.Number }
func (d *clearing) Assume()        { d.saved.Holding = true }

func (d *clearing) restore(state json.RawMessage) error {
	if err := json.Unmarshal(state, &d.saved); err != nil {
		return err
	}
	if d.saved.Inner == nil {
		return nil
	}
	return json.Unmarshal(d.saved.Inner, &d.counting().saved)
}

func (d *clearing) State() (json.RawMessage, error) {
	d.saved.Inner = nil
	if d.inner != nil {
		inner, err := d.inner.State()
		if err != nil {
			return nil, err
		}
		d.saved.Inner = inner
	}
	return json.Marshal(d.saved)
}
