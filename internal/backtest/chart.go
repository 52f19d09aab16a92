package backtest

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"tocsin/internal/words"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// view is what the page shows.
type view struct {
	Title, Span string
	Sum         []figure
	Chart       template.HTML
	Rows        [][]string
	Idle        string
	Pages       []Told
	More        int
}

type figure struct{ Figure, What, Tone string }

// HTML writes the report as a page of its own: no script, nothing from elsewhere, light and dark, on a telephone too.
func (r *Report) HTML(to io.Writer) error {
	v := view{Title: "Backtest", Span: r.spanned(), Chart: r.chart(), Idle: strings.Join(r.idle(), ", "), Pages: r.Pages[:min(len(r.Pages), mostPages)]}
	v.More = len(r.Pages) - len(v.Pages)
	v.Sum = []figure{{r.Rate(r.Sum.Pages), "pages a day", "critical"}, {r.Rate(r.Sum.PagesAtNight), "pages a night", "critical"},
		{r.Rate(r.Sum.Told), "messages a day", "high"}, {r.Rate(r.Sum.Fired), "alerts a day", ""}}
	for i := range r.Rules {
		if c := &r.Rules[i]; c.Count != (Count{}) {
			v.Rows = append(v.Rows, r.row(c.Name, string(c.Mode), c.Count))
		}
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	_, err := to.Write(b.Bytes())
	return err
}

// Clock is when it was told, for the page.
func (t Told) Clock() string { return clock(t.At) }

// Words are its title, cleaned, for the page.
func (t Told) Words() string { return words.Clean(t.Title, titleLength) }

// The chart: a lane for each of alerts, messages and pages, a bar for each day. It is as wide as its days need and scrolls where that is
// wider than the page: text that shrinks with a picture cannot be read on a telephone.
const (
	bar        = 14
	laneHeight = 64
	laneGap    = 34
	margin     = 40 // for the figures of the axis
)

// chart draws the days.
func (r *Report) chart() template.HTML {
	lanes := []struct {
		name  string
		value func(d *DayCount) int
		night func(d *DayCount) int
		tone  string
	}{
		{"Pages, at night darker", func(d *DayCount) int { return d.Pages }, func(d *DayCount) int { return d.PagesAtNight }, "page"},
		{"Messages", func(d *DayCount) int { return d.Told }, func(*DayCount) int { return 0 }, "told"},
		{"Alerts", func(d *DayCount) int { return d.Fired }, func(*DayCount) int { return 0 }, "fired"},
	}
	slot, label := 40, 1 // how wide a day is, and how many have one date
	if len(r.PerDay) > 7 {
		slot, label = 24, 2
	}
	if len(r.PerDay) > 31 {
		label = 7
	}
	width := max(300, margin+len(r.PerDay)*slot+8)
	height := len(lanes)*(laneHeight+laneGap) + 20
	var b strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	put(`<svg width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="Pages, messages and alerts of each day">`, width, height, width, height)
	for i, lane := range lanes {
		most := 1
		for k := range r.PerDay {
			most = max(most, lane.value(&r.PerDay[k]))
		}
		top := i*(laneHeight+laneGap) + laneGap - 8
		foot := top + laneHeight
		put(`<text class="lane" x="0" y="%d">%s</text>`, top-10, lane.name)
		put(`<text x="%d" y="%d" text-anchor="end">%d</text><text x="%d" y="%d" text-anchor="end">0</text>`, margin-6, top+9, most, margin-6, foot)
		put(`<line x1="%d" x2="%d" y1="%d" y2="%d" class="axis"/><line x1="%d" x2="%d" y1="%d" y2="%d" class="grid"/>`, margin, width, foot, foot, margin, width, top, top)
		for k := range r.PerDay {
			d := &r.PerDay[k]
			x := margin + k*slot + (slot-bar)/2
			all, dark := share(lane.value(d), most, laneHeight), share(lane.night(d), most, laneHeight)
			if all > 0 {
				put(`<rect class="%s" x="%d" y="%d" width="%d" height="%d"><title>%s: %d</title></rect>`, lane.tone, x, foot-all, bar, all, d.Day, lane.value(d))
			}
			if dark > 0 {
				put(`<rect class="%s night" x="%d" y="%d" width="%d" height="%d"><title>%s: %d at night</title></rect>`, lane.tone, x, foot-dark, bar, dark, d.Day, lane.night(d))
			}
		}
	}
	for k := 0; k < len(r.PerDay); k += label {
		put(`<text x="%d" y="%d" text-anchor="middle">%s</text>`, margin+k*slot+slot/2, height-6, r.PerDay[k].Day[5:])
	}
	put(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers and dates of our own: nothing in it is from a log
}
