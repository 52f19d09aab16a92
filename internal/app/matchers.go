package app

import (
	"fmt"
	"maps"
	"slices"

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
	l.matchersBelow(route, known)
	for _, name := range slices.Sorted(maps.Keys(l.file.Maintenance)) {
		l.matchersIn(l.file.Maintenance[name].Get("matchers"), known)
	}
	for _, n := range l.file.InhibitRules {
		l.matchersIn(n.Get("source_matchers"), known)
		l.matchersIn(n.Get("target_matchers"), known)
	}
}

func (l *loading) matchersBelow(route config.Node, known []string) {
	l.matchersIn(route.Get("matchers"), known)
	for _, n := range route.Get("routes").Items() {
		l.matchersBelow(n, known)
	}
}

func (l *loading) matchersIn(list config.Node, known []string) {
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
		}
	}
}

func (l *loading) warn(n config.Node, text string) {
	l.plan.Warnings = append(l.plan.Warnings, config.Error{Position: n.Position(), Text: text})
}
