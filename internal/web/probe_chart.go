package web

import (
	"fmt"
	"slices"
	"time"

	"tocsin/internal/store"
)

// probeChart is the picture of a probe: how long its answers took, and a strip that says how it was.
type probeChart struct {
	chart
	StripAt, StripHigh int
	Strip              []stretch
	Phases             []phaseView
	// Cut says that some bars are higher than is drawn; "" if none is.
	Cut string
}

// stretch is a time in which a probe was the same.
type stretch struct {
	X, Length  int
	Tone, Said string
}

// phaseView is a part of the time that answers took: Path are its bars, Mean its length in words.
type phaseView struct {
	Class, Name, Mean, Path string
	mean                    time.Duration
}

// phaseNames are the phases in the order in which they follow each other.
var phaseNames = []struct {
	class, name string
	of          func(store.Phases) time.Duration
}{
	{"dns", "DNS", func(p store.Phases) time.Duration { return p.DNS }},
	{"connect", "connect", func(p store.Phases) time.Duration { return p.Connect }},
	{"tls", "TLS", func(p store.Phases) time.Duration { return p.TLS }},
	{"first-byte", "first byte", func(p store.Phases) time.Duration { return p.FirstByte }},
	{"body", "body", func(p store.Phases) time.Duration { return p.Transfer }},
}

// chartOf draws a probe; nil if nothing is known of it.
func chartOf(name string, points []store.ProbePoint, from, to time.Time, bin time.Duration, now time.Time) *probeChart {
	if len(points) == 0 {
		return nil
	}
	bins := int(to.Sub(from) / bin)
	sums := make([]store.ProbePoint, bins)
	frame := chart{from: from, to: to, bins: bins}
	var all store.ProbePoint
	var means []float64
	for _, p := range points {
		i, ok := frame.bin(p.At)
		if !ok {
			continue
		}
		sums[i].Add(p)
		all.Add(p)
	}
	for i := range sums {
		if sums[i].Answered > 0 {
			means = append(means, inMilliseconds(sums[i].Latency)/float64(sums[i].Answered))
		}
	}
	top, highest := topOf(means)
	c := &probeChart{chart: newChart(from, to, bins, top, milliseconds, 1), StripHigh: stripHigh}
	if highest > c.most {
		c.Cut = fmt.Sprintf("cut at %s, the highest is %s", milliseconds(c.most), milliseconds(highest))
	}
	c.StripAt = c.Bottom + 4
	below := make([]float64, bins)
	for _, phase := range phaseNames {
		view := phaseView{Class: phase.class, Name: phase.name}
		if all.Answered > 0 {
			view.mean = phase.of(all.Phases) / time.Duration(all.Answered)
		}
		view.Mean = milliseconds(inMilliseconds(view.mean))
		view.Path = c.bars(func(i int) (float64, float64) {
			low := below[i]
			if sums[i].Answered > 0 {
				below[i] += inMilliseconds(phase.of(sums[i].Phases)) / float64(sums[i].Answered)
			}
			return low, below[i]
		})
		if view.mean > 0 {
			c.Phases = append(c.Phases, view)
		}
	}
	c.Strip = c.stretches(sums, now)
	c.Label = fmt.Sprintf("How long %s took to answer from %s to %s, by phase: %s", name, at(from, now).Text, at(to, now).Text, healthOf(points, now))
	return c
}

// topOf is what a chart of values is drawn up to, and the highest of them: a few that stand out far must not make the rest a line.
func topOf(values []float64) (top, highest float64) {
	if len(values) == 0 {
		return 1, 0
	}
	slices.Sort(values)
	highest = values[len(values)-1]
	return min(highest, 3*values[len(values)*9/10]), highest
}

// stretches are the times in which a probe was the same, from bin to bin.
func (c *probeChart) stretches(sums []store.ProbePoint, now time.Time) []stretch {
	var out []stretch
	var last string
	var began int
	end := func(i int) {
		if last != "" && i > began {
			x := c.x(c.start(began))
			out = append(out, stretch{x, max(c.x(c.start(i))-x, 1), last, fmt.Sprintf("%s from %s to %s", stateWords[last], at(c.start(began), now).Text, at(c.start(i), now).Text)})
		}
	}
	for i := range sums {
		if state := stateOf(&sums[i]); state != last {
			end(i)
			last, began = state, i
		}
	}
	end(len(sums))
	return out
}

// stateWords are the states of the strip in words, by their classes.
var stateWords = map[string]string{"well": "well", "some": "failed now and then", "down": "failed", "unseen": "could not see"}

// stateOf is the class of a bin's state; "" without a request.
func stateOf(p *store.ProbePoint) string {
	switch {
	case p.Probes == 0:
		return ""
	case p.Failed == 0 && p.Blind > 0:
		return "unseen"
	case p.Failed == 0:
		return "well"
	case p.Failed+p.Blind == p.Probes:
		return "down"
	}
	return "some"
}
