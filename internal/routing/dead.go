package routing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
)

// Dead says which routes can never take an incident: their matchers cannot hold together with those around them, or routes before them
// that do not continue take all that would come to them. The paths begin at the outermost route.
func (r *Router) Dead() []setting.FieldError { return r.root.dead(nil) }

// dead is Dead below n; above are the matchers of n and of all around it.
func (n *node) dead(above labels.Matchers) []setting.FieldError {
	var out []setting.FieldError
	for i, child := range n.routes {
		all := append(slices.Clone(above), child.matchers...)
		if a, b := contradiction(all); a != nil {
			out = append(out, setting.FieldError{Path: child.path, Text: fmt.Sprintf("the route takes nothing: %s and %s never hold together", a, b)})
			continue
		}
		if takers, ok := covering(n.routes[:i], all); ok {
			text := "the route takes nothing: no severity fits all of its matchers and those around it"
			if len(takers) > 0 {
				text = fmt.Sprintf("the route takes nothing: %s before it takes all of that; put this one first, or let that continue", strings.Join(takers, " and "))
			}
			out = append(out, setting.FieldError{Path: child.path, Text: text})
			continue
		}
		out = append(out, child.dead(all)...)
	}
	return out
}

// contradiction finds two matchers that no value satisfies; nil for none. Only what asks for one value can be told.
func contradiction(all labels.Matchers) (a, b *labels.Matcher) {
	for _, a := range all {
		for _, b := range all {
			if a.Type == labels.MatchEqual && a.Name == b.Name && !b.Matches(a.Value) {
				return a, b
			}
		}
	}
	return nil, nil
}

// covering are the routes of those before that take, severity by severity, all that the matchers let through; ok is false if some is left.
func covering(before []*node, all labels.Matchers) (takers []string, ok bool) {
	for s := incident.Info; s <= incident.Critical; s++ {
		if slices.ContainsFunc(all, func(m *labels.Matcher) bool { return m.Name == "severity" && !m.Matches(s.String()) }) {
			continue
		}
		i := slices.IndexFunc(before, func(n *node) bool { return !n.goesOn && n.takesAll(s.String(), all) })
		if i < 0 {
			return nil, false
		}
		if path := before[i].path; !slices.Contains(takers, path) {
			takers = append(takers, path)
		}
	}
	return takers, true
}

// takesAll says whether the route matches whatever is of that severity and fits the matchers.
func (n *node) takesAll(severity string, all labels.Matchers) bool {
	return !slices.ContainsFunc(n.matchers, func(mine *labels.Matcher) bool {
		if mine.Name == "severity" {
			return !mine.Matches(severity)
		}
		return !slices.ContainsFunc(all, func(m *labels.Matcher) bool {
			return m.Name == mine.Name && (m.Type == mine.Type && m.Value == mine.Value || m.Type == labels.MatchEqual && mine.Matches(m.Value))
		})
	})
}

// foreseen is how far Over looks: past the longest gap of any day that comes back, the 29th of February about the year 2100.
const foreseen = 30 * 366 * 24 * time.Hour

// Over says which of the entries hold at no time from t on. The paths are their indexes.
func (s Intervals) Over(t time.Time) []setting.FieldError {
	var out []setting.FieldError
	for i, e := range s.entries {
		if e.ever(t, t.Add(foreseen)) {
			continue
		}
		text := "never comes: there is no such day"
		if e.ever(t.Add(-foreseen), t) {
			text = "is over and does not come again: remove it, or write years that are to come"
		}
		out = append(out, setting.FieldError{Path: fmt.Sprint(i), Text: text})
	}
	return out
}

// ever says whether the entry holds at any time of a stretch. No day is shorter than what it steps by.
func (e entry) ever(from, to time.Time) bool {
	const step = 6 * time.Hour
	for t := from; t.Before(to); t = t.Add(step) {
		if !e.contains(e.day, t) {
			continue
		}
		start := t.Add(-step)
		if start.Before(from) {
			start = from
		}
		if at := e.next(start, t.Add(step)); !at.IsZero() && at.Before(to) {
			return true
		}
	}
	return false
}

// Ever says whether the intervals hold at any time from t on.
func (s Intervals) Ever(t time.Time) bool { return len(s.Over(t)) < len(s.entries) }
