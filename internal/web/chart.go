package web

import (
	"fmt"
	"strings"
	"time"
)

// The measures of a chart, in its own units: the drawing lies between chartLeft and chartRight, and chartTop and chartTop + chartHigh.
const (
	chartWidth = 1000
	chartLeft  = 4
	chartRight = 912 // the values stand behind it: on a phone one sees the newest
	chartTop   = 8
	chartHigh  = 120
	stripHigh  = 14 // a strip of states under it
)

// chart is the frame of a picture over time: its times below, its measure at the side. What is in it is said in words by Label.
type chart struct {
	Label                      string
	Width, Left, Right, Bottom int
	Height, TicksAt            int
	Ticks                      []tick
	Levels                     []level
	from, to                   time.Time
	most                       float64 // what the top stands for
	bins                       int
}

// level is a line across, at a value.
type level struct {
	Y    int
	Text string
}

// newChart makes the frame for so many bins between two times and values up to most; unit words a value. strips are how many strips of
// states lie under it.
func newChart(from, to time.Time, bins int, most float64, unit func(float64) string, strips int) chart {
	c := chart{Width: chartWidth, Left: chartLeft, Right: chartRight, Bottom: chartTop + chartHigh, from: from, to: to, bins: bins}
	step := niceStep(most / 3)
	c.most = max(most, step)
	for v := 0.0; v <= c.most*1.001; v += step {
		c.Levels = append(c.Levels, level{c.y(v), unit(v)})
	}
	c.TicksAt = c.Bottom + strips*(stripHigh+4)
	c.Height = c.TicksAt + 26
	c.Ticks = ticksOf(from, to, c.x)
	return c
}

// x is where a time is.
func (c *chart) x(t time.Time) int {
	at := chartLeft + float64(chartRight-chartLeft)*float64(t.Sub(c.from))/float64(c.to.Sub(c.from))
	return int(min(max(at, chartLeft), chartRight))
}

// y is where a value is.
func (c *chart) y(v float64) int {
	return chartTop + chartHigh - int(chartHigh*min(max(v/c.most, 0), 1)+.5)
}

// bin is which bin a time belongs to; false if none.
func (c *chart) bin(t time.Time) (int, bool) {
	if t.Before(c.from) || !t.Before(c.to) {
		return 0, false
	}
	return int(int64(t.Sub(c.from)) * int64(c.bins) / int64(c.to.Sub(c.from))), true
}

// start is when a bin begins.
func (c *chart) start(bin int) time.Time {
	return c.from.Add(c.to.Sub(c.from) / time.Duration(c.bins) * time.Duration(bin))
}

// bars is a path of bars, one a bin, from below to above; a bin without height has none.
func (c *chart) bars(span func(bin int) (below, above float64)) string {
	var b strings.Builder
	wide := float64(chartRight-chartLeft) / float64(c.bins)
	gap := 0.0
	if wide > 8 {
		gap = 1
	}
	for i := range c.bins {
		below, above := span(i)
		if above <= below {
			continue
		}
		low, high := c.y(below), c.y(above)
		if low == high && below == 0 {
			high-- // little is not nothing
		}
		if low == high {
			continue
		}
		fmt.Fprintf(&b, "M%.1f %dV%dh%.1fV%dz", chartLeft+wide*float64(i), low, high, wide-gap, low)
	}
	return b.String()
}

// niceStep is the least of 1, 2 and 5 times a power of ten that is at least v.
func niceStep(v float64) float64 {
	step := 1.0
	for step < v {
		switch {
		case step*2 >= v:
			return step * 2
		case step*5 >= v:
			return step * 5
		}
		step *= 10
	}
	return step
}

// milliseconds words a length of time in milliseconds.
func milliseconds(ms float64) string {
	switch {
	case ms >= 10_000:
		return fmt.Sprintf("%.0f s", ms/1000)
	case ms >= 1000:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", ms/1000), ".0") + " s"
	case ms > 0 && ms < 10:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", ms), ".0") + " ms"
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// inMilliseconds is a length of time as a number of them.
func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// backwards is for how long back a chart is drawn, and how long a bin of it is.
type backwards struct {
	name, text string
	long, bin  time.Duration
}

// ranges are those that can be asked for.
var ranges = []backwards{{"3h", "3 hours", 3 * time.Hour, 5 * time.Minute}, {"24h", "24 hours", 24 * time.Hour, 10 * time.Minute}, {"7d", "7 days", 7 * 24 * time.Hour, time.Hour}}
