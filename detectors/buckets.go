package detectors

import (
	"slices"
	"time"

	"tocsin/internal/setting"
)

// parts is how many buckets make a window of the kinds that are judged by time.
const parts = 10

// MinJudged is the shortest window of a kind that is judged by time: at the end of each tenth of it.
const MinJudged = 10 * time.Second

// unjudged is how long an alert stays whose group has too few entries to be judged.
const unjudged = 24 * time.Hour

// bucket is what is known of the entries of one stretch of time. It does not depend on their order.
type bucket struct {
	// At is the number of the stretch since 1970.
	At int64 `json:"at"`
	// N is how many entries there were, M how many of them matched more, or had a number.
	N int64 `json:"n,omitempty"`
	M int64 `json:"m,omitempty"`
	// Sum is of their numbers, Part of those that matched more, Bins their sketch.
	Sum  float64       `json:"sum,omitempty"`
	Part float64       `json:"part,omitempty"`
	Bins map[int]int64 `json:"bins,omitempty"`
}

// buckets are the stretches of a window that have entries, oldest first, judged at each stretch's end.
type buckets struct {
	Buckets []bucket `json:"buckets,omitempty"`
	// Judged is the number of the stretch at whose beginning it was judged last.
	Judged int64 `json:"judged,omitempty"`
}

// windowErrors says what is wrong with the window of a kind that is judged by time.
func windowErrors(window setting.Duration) []setting.FieldError {
	switch w := window.Std(); {
	case w == 0:
		return []setting.FieldError{{Path: "window", Text: "missing: say within what time the entries must lie, such as window: 5m"}}
	case w < MinJudged:
		return []setting.FieldError{{Path: "window", Text: window.String() + " is shorter than 10s: it is judged at each tenth of it"}}
	case w > maxWindow:
		return []setting.FieldError{{Path: "window", Text: "longer than 7d: a group cannot remember that much"}}
	}
	return nil
}

// maxWindow is the longest window.
const maxWindow = 7 * 24 * time.Hour

// number is which stretch of that width a time is in.
func number(t time.Time, width time.Duration) int64 { return t.UnixNano() / int64(width) }

// begin is when a stretch begins.
func begin(n int64, width time.Duration) time.Time { return time.Unix(0, n*int64(width)).UTC() }

// at is the bucket of a time.
func (b *buckets) at(t time.Time, width time.Duration) *bucket {
	n := number(t, width)
	i, found := slices.BinarySearchFunc(b.Buckets, n, func(x bucket, n int64) int { return int(x.At - n) })
	if !found {
		b.Buckets = slices.Insert(b.Buckets, i, bucket{At: n})
	}
	return &b.Buckets[i]
}

// of is the sum of the buckets of the window that ends where a stretch begins.
func (b *buckets) of(end int64) bucket {
	total := bucket{}
	for _, x := range b.Buckets {
		if x.At >= end || x.At < end-parts {
			continue
		}
		total.N, total.M, total.Sum, total.Part = total.N+x.N, total.M+x.M, total.Sum+x.Sum, total.Part+x.Part
		for bin, n := range x.Bins {
			if total.Bins == nil {
				total.Bins = map[int]int64{}
			}
			total.Bins[bin] += n
		}
	}
	return total
}

// next is the stretch at whose beginning it is to be judged next; 0 if there is nothing to judge.
func (b *buckets) next(holds bool) int64 {
	switch {
	case len(b.Buckets) > 0:
		if first := b.Buckets[0].At + 1; !holds {
			return max(b.Judged+1, first)
		}
		return b.Judged + 1
	case holds:
		return b.Judged + 1
	}
	return 0
}

// advance judges each window that is complete by now, and forgets the buckets that no window can hold any more.
func (b *buckets) advance(now time.Time, width time.Duration, holds func() bool, judge func(end int64)) {
	last := number(now, width)
	if b.Judged == 0 && len(b.Buckets) == 0 {
		b.Judged = last - 1
	}
	for {
		end := b.next(holds())
		if end == 0 || end > last {
			return
		}
		judge(end)
		b.Judged = end
		n := 0
		for n < len(b.Buckets) && b.Buckets[n].At <= end-parts {
			n++
		}
		b.Buckets = slices.Delete(b.Buckets, 0, n)
	}
}

// due is when it is to be judged next; zero for never.
func (b *buckets) due(width time.Duration, holds bool) time.Time {
	if n := b.next(holds); n != 0 {
		return begin(n, width)
	}
	return time.Time{}
}

// verdict says whether something holds that is judged again and again.
type verdict struct {
	Holding bool `json:"holding,omitempty"`
	// Well is the stretch since which it has been well, Able the one at which it could be judged last; 0 for none.
	Well int64 `json:"well,omitempty"`
	Able int64 `json:"able,omitempty"`
	// Number is what was compared last.
	Number float64 `json:"number,omitempty"`
}

// say takes one judgement, of so many stretches of that width: what holds is over once it has been well for a whole window, or could not be judged for a day.
func (v *verdict) say(end int64, able, bad, well bool, window int64, width time.Duration) {
	switch {
	case !able:
		if v.Able == 0 {
			v.Able = end
		}
		if v.Holding && time.Duration(end-v.Able)*width >= unjudged {
			*v = verdict{Number: v.Number}
		}
		return
	case bad:
		v.Holding, v.Well = true, 0
	case v.Holding && well:
		if v.Well == 0 {
			v.Well = end
		}
		if end-v.Well >= window {
			v.Holding, v.Well = false, 0
		}
	default:
		v.Well = 0
	}
	v.Able = end
}
