package app

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/internal/config"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/setting"
	"tocsin/rules"
)

// values are all that a label can be, by the rules that are loaded; false where entries decide.
func values(label string, list []*rules.Rule) ([]string, bool) {
	var out []string
	for _, r := range list {
		v, open := valueOf(r, label)
		if open {
			return nil, false
		}
		out = append(out, v)
	}
	slices.Sort(out)
	return slices.Compact(out), true
}

// valueOf is the label that all alerts of a rule have; open says that their entries decide.
func valueOf(r *rules.Rule, label string) (value string, open bool) {
	switch label {
	case "rule":
		return r.Name, false
	case "severity":
		return r.Severity.String(), false
	case "project", "cluster":
		return "", true
	}
	return r.Labels[label], r.Varies(label)
}

// together warns of a list of matchers that no alert of the rules can match. Each by itself has been looked at.
func (l *loading) together(n config.Node, list []*rules.Rule, nobody string) {
	var all labels.Matchers
	for _, item := range n.Items() {
		text, _ := item.Scalar()
		m, err := labels.ParseMatcher(text)
		if err != nil || l.warned(item) {
			return // it has been said
		}
		all = append(all, m)
	}
	own := nobody == nothingHeld && slices.ContainsFunc(all, func(m *labels.Matcher) bool {
		return m.Type == labels.MatchEqual && m.Name == "service" && m.Value == routing.Own
	})
	if len(all) == 0 || len(list) == 0 || !own && slices.ContainsFunc(list, func(r *rules.Rule) bool { return mayMatch(r, all) }) {
		return
	}
	l.warn(n, nobody)
}

func mayMatch(r *rules.Rule, all labels.Matchers) bool {
	return !slices.ContainsFunc(all, func(m *labels.Matcher) bool {
		value, open := valueOf(r, m.Name)
		return !open && !m.Matches(value)
	})
}

// warned says whether there is a warning at the place of n.
func (l *loading) warned(n config.Node) bool {
	return slices.ContainsFunc(l.plan.Warnings, func(w config.Error) bool { return w.Position == n.Position() })
}

// holdable are the rules whose alerts a maintenance window, or another incident, may hold.
func holdable(list []*rules.Rule) []*rules.Rule {
	return slices.DeleteFunc(slices.Clone(list), func(r *rules.Rule) bool {
		return r.Impact == incident.Down || r.Labels["service"] == routing.Own
	})
}

const nothingHeld = "together they match nothing that can be held: no alert of a rule has all of these, those of impact down and tocsin's own aside"

// equals warns of labels that inhibition compares and no rule gives: it would say nothing.
func (l *loading) equals(n config.Node, known []string) {
	for _, item := range n.Items() {
		if name, _ := item.Scalar(); name != "" && !slices.Contains(known, name) {
			l.warn(item, "it says nothing: no rule gives the label, so it is missing, and equal, on both sides: "+setting.Unknown("label", name, known))
		}
	}
}

// deadRoutes warns of routes that no incident can take. What is wrong with one matcher by itself has been said.
func (l *loading) deadRoutes() {
	if l.plan.Router == nil {
		return
	}
	for _, dead := range l.plan.Router.Dead() {
		route := l.file.Route
		for _, part := range strings.Split(dead.Path, ".") {
			if i, err := strconv.Atoi(part); err == nil && i < len(route.Items()) {
				route = route.Items()[i]
			} else {
				route = route.Get(part)
			}
		}
		if !slices.ContainsFunc(route.Get("matchers").Items(), l.warned) {
			l.plan.Warnings = append(l.plan.Warnings, l.file.Route.Locate(dead)...)
		}
	}
}

// over are the warnings about what is over or never comes: times, steps, windows, overrides and schedules.
func (p *Plan) over(now time.Time) config.Errors {
	var out config.Errors
	root := p.File.Root
	for _, name := range slices.Sorted(maps.Keys(p.intervals)) {
		for _, e := range p.intervals[name].Over(now) {
			out = append(out, p.File.TimeIntervals.Locate(setting.FieldError{Path: name + "." + e.Path, Text: e.Text})...)
		}
	}
	gone := func(during []string) bool {
		return len(during) > 0 && !slices.ContainsFunc(during, func(name string) bool { return p.intervals[name].Ever(now) })
	}
	for name, plan := range p.Policies {
		if plan == nil {
			continue
		}
		for i, s := range plan.Steps() {
			if gone(s.During) {
				out = append(out, root.At(fmt.Sprintf("escalation.%s.steps.%d.during", name, i)).Errorf("none of these times comes again: nothing holds the step, it is run at any time"))
			}
		}
	}
	for name, n := range p.File.Maintenance {
		var w routing.Window
		if len(config.Decode(n, &w)) == 0 && gone(w.During) {
			out = append(out, root.At("maintenance."+name).Errorf("none of its times comes again: remove it"))
		}
	}
	for name, n := range p.File.Schedules {
		var s escalation.Schedule
		rota := p.Rotas[name]
		if rota == nil || len(config.Decode(n, &s)) > 0 {
			continue
		}
		for i, o := range s.Overrides {
			if !o.To.After(now) {
				out = append(out, n.At(fmt.Sprintf("overrides.%d", i)).Errorf("is over since %s: remove it", o.To.UTC().Format(time.RFC3339)))
			}
		}
		if rota.Empty(now) {
			out = append(out, root.At("schedules."+name).Errorf("nobody is on call in schedule %s, now or in the next 400 days", name))
		}
	}
	return out.Sorted()
}
