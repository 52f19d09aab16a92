package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/internal/config"
	"tocsin/internal/setting"
	"tocsin/rules"
)

// always are the labels that every incident is routed on.
var always = []string{"project", "cluster", "service", "rule", "severity"}

// severities are the values of the label severity.
var severities = []string{"critical", "high", "warning", "info"}

// matchersOf warns of routes, windows and inhibitions that can never match: a label that no rule gives, a severity that does not exist. Such a typo would send
// what is meant for one receiver to another without a word.
func (l *loading) matchersOf(route config.Node, list []*rules.Rule) {
	known := slices.Clone(always)
	for _, r := range list {
		known = append(known, r.LabelNames()...)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	l.matchersBelow(route, known, list)
	l.deadRoutes()
	for _, name := range slices.Sorted(maps.Keys(l.file.Maintenance)) {
		n := l.file.Maintenance[name].Get("matchers")
		l.matchersIn(n, known, list)
		l.together(n, holdable(list), nothingHeld)
	}
	for _, n := range l.file.InhibitRules {
		source, target := n.Get("source_matchers"), n.Get("target_matchers")
		l.matchersIn(source, known, list)
		l.matchersIn(target, known, list)
		l.together(source, list, "together they match nothing: no alert of a rule has all of these")
		l.together(target, holdable(list), nothingHeld)
		l.equals(n.Get("equal"), known)
	}
}

func (l *loading) matchersBelow(route config.Node, known []string, rules []*rules.Rule) {
	l.matchersIn(route.Get("matchers"), known, rules)
	for _, n := range route.Get("routes").Items() {
		l.matchersBelow(n, known, rules)
	}
}

func (l *loading) matchersIn(list config.Node, known []string, rules []*rules.Rule) {
	for _, n := range list.Items() {
		text, _ := n.Scalar()
		m, err := labels.ParseMatcher(text)
		if err != nil {
			continue // it has been said with the route's mistakes
		}
		switch equal := m.Type == labels.MatchEqual; {
		case equal && m.Value != "" && !slices.Contains(known, m.Name):
			l.warn(n, fmt.Sprintf("it never matches: no rule gives the label: %s", setting.Unknown("label", m.Name, known)))
		case equal && m.Name == "severity" && m.Value != "" && !slices.Contains(severities, m.Value):
			l.warn(n, fmt.Sprintf("it never matches: %s", setting.Unknown("severity", m.Value, severities)))
		default:
			l.valued(n, m, rules)
		}
	}
}

// valued warns of a matcher that none of a label's values matches, where the rules alone say what these are. A label that the alerts of an
// incident do not share is missing, and so is empty; its rule and its severity never are.
func (l *loading) valued(n config.Node, m *labels.Matcher, list []*rules.Rule) {
	all, closed := values(m.Name, list)
	switch {
	case m.Name == "severity":
		all = severities // an incident's, whatever the rules have at present
	case !closed || m.Name != "rule" && m.Matches(""):
		return
	}
	if slices.ContainsFunc(all, m.Matches) {
		return
	}
	all = slices.DeleteFunc(all, func(v string) bool { return v == "" })
	if m.Type == labels.MatchEqual {
		l.warn(n, "it never matches: "+setting.Unknown(m.Name, m.Value, all))
		return
	}
	l.warn(n, fmt.Sprintf("it never matches: %s is one of %s", m.Name, strings.Join(all, ", ")))
}

// unmatched says which of a silence's matchers name a rule or a label that no rule in force has.
func (a *App) unmatched(matchers []string) []string {
	known := slices.Clone(always)
	var names, out []string
	for _, r := range a.generationNow().plan.Rules.Rules {
		names = append(names, r.Name)
		known = append(known, r.LabelNames()...)
	}
	slices.Sort(known)
	for _, text := range matchers {
		m, err := labels.ParseMatcher(text)
		switch {
		case err != nil:
		case m.Name == "rule" && !slices.ContainsFunc(names, m.Matches):
			out = append(out, fmt.Sprintf("%s matches no rule that is loaded: %s", text, setting.Unknown("rule", m.Value, names)))
		case m.Value != "" && !slices.Contains(known, m.Name):
			out = append(out, fmt.Sprintf("%s: no rule gives the label: %s", text, setting.Unknown("label", m.Name, slices.Compact(known))))
		}
	}
	return out
}

func (l *loading) warn(n config.Node, text string) {
	l.plan.Warnings = append(l.plan.Warnings, config.Error{Position: n.Position(), Text: text})
}
