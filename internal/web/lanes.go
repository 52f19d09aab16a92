package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
)

// lanesView is the picture of an incident: a lane for each of its alerts, from its first entry to its end, and one for what people heard and did.
type lanesView struct {
	// Label says in words what the picture shows.
	Label                              string
	Width, Height, Bottom, Left, Right int
	Ticks                              []tick
	Lanes                              []lane
	Dots                               []dot
	DotsAt                             int
	More                               string
}

type tick struct {
	X    int
	Text string
}

// lane is a bar: Y is its middle. Open says that it goes on.
type lane struct {
	Name, Severity, Said string
	Y, X, Length         int
	Open                 bool
}

// dot is one thing that somebody heard or did; Tone is its class.
type dot struct {
	X          int
	Tone, Said string
}

// The measures of the picture, in its own units.
const (
	lanesWidth = 1000
	lanesLeft  = 260
	lanesRight = 985
	laneHeight = 34
	laneName   = 38 // characters
	mostLanes  = 12
	mostDots   = 60
)

// steps are the distances between the times that are written under the picture.
var steps = []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour,
	6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour}

// lanesOf draws an incident; nil if there is nothing to be drawn.
func lanesOf(inc *incident.Incident, told []incident.Notification, events []incident.Event, now time.Time) *lanesView {
	alerts := alertOrder(inc)
	if len(alerts) == 0 {
		return nil
	}
	from, to := began(inc), now
	if !alive(inc) && !inc.ResolvedAt.IsZero() {
		to = inc.ResolvedAt
	}
	for _, a := range alerts {
		if a.First.Before(from) {
			from = a.First
		}
		if a.Last.After(to) {
			to = a.Last
		}
	}
	if to.Sub(from) < time.Minute {
		to = from.Add(time.Minute)
	}
	at := func(t time.Time) int {
		x := lanesLeft + int(float64(lanesRight-lanesLeft)*float64(t.Sub(from))/float64(to.Sub(from)))
		return min(max(x, lanesLeft), lanesRight)
	}
	v := &lanesView{Width: lanesWidth, Left: lanesLeft, Right: lanesRight, Ticks: ticksOf(from, to, at)}
	var said []string
	for i, a := range alerts {
		if i == mostLanes {
			v.More = fmt.Sprintf("and %d more below", len(alerts)-i)
			break
		}
		l := laneOf(a, to, at, now)
		l.Y = 24 + i*laneHeight
		v.Lanes, said = append(v.Lanes, l), append(said, l.Said)
	}
	v.DotsAt = 24 + len(v.Lanes)*laneHeight
	v.Dots = dotsOf(told, events, at, now)
	v.Bottom = v.DotsAt + 22
	v.Height = v.Bottom + 26
	v.Label = fmt.Sprintf("From %s to %s: %s", exactly(from, now).Text, exactly(to, now).Text, strings.Join(said, "; "))
	return v
}

// laneOf is an alert from its first entry to its end, or to the end of the picture.
func laneOf(a *incident.Alert, to time.Time, at func(time.Time) int, now time.Time) lane {
	name := clean(cmp.Or(a.Summary(), a.Rule), titleLength)
	l := lane{Name: name, Severity: a.Severity.String(), X: at(a.First), Open: a.State == incident.Firing}
	if short, cut := clip(name, laneName); cut > 0 {
		l.Name = strings.TrimSpace(short) + "…"
	}
	end, until := a.ResolvedAt, "goes on"
	switch {
	case l.Open:
		end = to
	case end.IsZero():
		end = a.Last
	}
	if !l.Open {
		until = "until " + exactly(end, now).Text
	}
	l.Length = max(at(end)-l.X, 4)
	l.X = min(l.X, lanesRight-l.Length)
	l.Said = fmt.Sprintf("%s, %s, from %s, %s", name, l.Severity, exactly(a.First, now).Text, until)
	return l
}

// ticksOf are at most eight times, on the hour where that can be.
func ticksOf(from, to time.Time, at func(time.Time) int) []tick {
	step := steps[len(steps)-1]
	for _, s := range steps {
		if to.Sub(from)/s < 8 {
			step = s
			break
		}
	}
	layout := "15:04"
	if step >= 24*time.Hour {
		layout = "Jan 2"
	}
	var out []tick
	for t := from.UTC().Truncate(step); !t.After(to) && len(out) < 10; t = t.Add(step) {
		if !t.Before(from) {
			out = append(out, tick{at(t), t.Format(layout)})
		}
	}
	return out
}

// dotsOf are who was told and called, and who took it.
func dotsOf(told []incident.Notification, events []incident.Event, at func(time.Time) int, now time.Time) []dot {
	type when struct {
		dot
		at time.Time
	}
	var all []when
	add := func(t time.Time, tone, said string) { all = append(all, when{dot{Tone: tone, Said: said}, t}) }
	for i := range told {
		switch n := &told[i]; {
		case n.SentAt.IsZero():
		case n.Kind == incident.Message:
			add(n.SentAt, "told", "told "+clean(n.Target, 60))
		case n.Kind == incident.Call:
			add(n.SentAt, "called", "called "+clean(n.Target, 60))
		}
	}
	for i := range events {
		switch e := &events[i]; e.Kind {
		case incident.EventAcknowledged:
			add(e.At, "taken", "taken by "+clean(e.By, 60))
		case incident.EventAckTakenBack:
			add(e.At, "called", "taken back")
		case incident.EventReopened:
			add(e.At, "called", "reopened")
		case incident.EventResolved:
			add(e.At, "taken", "over")
		}
	}
	slices.SortStableFunc(all, func(a, b when) int { return a.at.Compare(b.at) })
	var out []dot
	for _, w := range all[:min(len(all), mostDots)] {
		w.X, w.Said = at(w.at), exactly(w.at, now).Text+" "+w.Said
		out = append(out, w.dot)
	}
	return out
}
