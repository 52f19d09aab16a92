package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tocsin/internal/config"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/sources"
	"tocsin/notifiers"
	"tocsin/rules"
)

// unheardRules warns of severities that nobody receives, and of rules that may page where no route calls anybody.
func (l *loading) unheardRules(list []*rules.Rule) {
	if l.plan.Router == nil || len(l.plan.Receivers) == 0 || l.file.Route.IsZero() {
		return // its mistakes come first; without a receiver or a route it is tried out
	}
	at := l.file.Root.KeyAt("route")
	for s := incident.Critical; s > incident.Info; s-- { // info is for the web page
		var names []string
		for _, r := range list {
			if r.Severity == s && r.Mode != incident.Shadow && r.Labels["service"] != routing.Own {
				names = append(names, r.Name)
			}
		}
		nobody := func(r routing.Reached) bool { return r.Receiver == routing.None && r.Policy == "" }
		if len(names) > 0 && !slices.ContainsFunc(l.plan.Router.Reach(s), func(r routing.Reached) bool { return !nobody(r) }) {
			l.warnAt(at, "nobody receives what has the severity %s, %s: every route that takes it ends at none; give it a receiver", s, ofRules(names))
		}
	}
	if len(l.plan.Policies) == 0 && !slices.ContainsFunc(slices.Collect(maps.Values(l.plan.Receivers)), func(s notifiers.Spec) bool { return s.Traits().Pages }) {
		return // nobody is to be called at all, as in a first hour
	}
	var uncalled []string
	for _, r := range list {
		if r.Mode == incident.Page && r.Severity == incident.Critical && !l.calls(r) {
			uncalled = append(uncalled, r.Name)
		}
	}
	if len(uncalled) > 0 {
		l.warnAt(at, "nobody is called for what is critical and may page, %s: no route that takes it has an escalation; name one in the route of severity=\"critical\"", ofRules(uncalled))
	}
}

// ofRules names some rules.
func ofRules(names []string) string {
	const most = 3
	if len(names) == 1 {
		return "as rule " + names[0] + " does"
	}
	if len(names) > most {
		return fmt.Sprintf("as %d rules do (%s, ...)", len(names), strings.Join(names[:most], ", "))
	}
	return fmt.Sprintf("as %d rules do (%s)", len(names), strings.Join(names, ", "))
}

// calls says whether some route that may take an incident of a rule has a policy that calls somebody, or a receiver that pages.
func (l *loading) calls(r *rules.Rule) bool {
	routes := l.plan.Router.Possible(func(label string) (string, bool) {
		value, open := valueOf(r, label)
		if label == "severity" || label == "rule" { // of an incident that it is the headline of
			return value, true
		}
		return value, !open && value != ""
	})
	return slices.ContainsFunc(routes, func(reached routing.Reached) bool {
		if spec := l.plan.Receivers[reached.Receiver]; spec != nil && spec.Traits().Pages {
			return true
		}
		plan := l.plan.Policies[reached.Policy]
		return plan != nil && len(l.heard(plan, reached.Receiver)) > 0
	})
}

// unwatched warns of a configuration that watches nothing, unless mistakes come first, and of sources that take each other's messages.
func (l *loading) unwatched(mistaken bool) {
	if len(l.plan.Sources) == 0 && !mistaken {
		l.warnAt(l.file.Root.Position(), "there are no sources: nothing is watched; name what to read under sources")
	}
	reads := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(l.plan.Sources)) {
		s, ok := l.plan.Sources[name].(*sources.PubSub)
		if !ok || s.Subscription == "" {
			continue
		}
		if first := reads[s.Subscription]; first != "" {
			l.warnAt(l.file.Root.At("sources."+name+".pubsub.subscription"), "the source %s reads it too, and each message comes to one of them only: give each a subscription of its own", first)
			continue
		}
		reads[s.Subscription] = name
	}
}

// idle warns of policies and schedules that nothing uses, and of receivers that nothing names.
func (l *loading) idle() {
	if l.plan.Router == nil || l.file.Route.IsZero() {
		return
	}
	receivers := map[string]bool{l.file.Fallback: true}
	schedules := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(l.plan.Policies)) {
		plan := l.plan.Policies[name]
		if plan == nil || name == routing.None {
			continue
		}
		if !l.plan.Router.Names(name) {
			l.warnAt(l.file.Root.KeyAt("escalation."+name), "no route runs the policy %s: name it in a route's escalation, or remove it", name)
		}
		for _, s := range plan.Steps() {
			for _, n := range s.Notify {
				receivers[n] = true
			}
			for _, n := range s.Schedules() {
				schedules[n] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.plan.Rotas)) {
		if rota := l.plan.Rotas[name]; rota != nil && rota.Handover() != "" {
			receivers[rota.Handover()] = true
			continue
		}
		if l.plan.Rotas[name] != nil && !schedules[name] {
			l.warnAt(l.file.Root.KeyAt("schedules."+name), "no step calls or mentions the schedule %s: name it in a policy, or remove it", name)
		}
	}
	via := map[string]bool{}
	for target, direct := range l.plan.Direct {
		if receivers[target] || len(schedules) > 0 && strings.HasPrefix(target, escalation.PersonTarget("")) {
			via[direct.Via] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.plan.Receivers)) {
		if !receivers[name] && !via[name] && !l.plan.Router.Tells(name) {
			l.warnAt(l.file.Root.KeyAt("receivers."+name), "nothing tells the receiver %s: name it in a route or a policy, or remove it", name)
		}
		pager, ok := l.plan.Receivers[name].(*notifiers.PagerDuty)
		if ok && pager.TokenFile == "" && !l.warnedOf("receiver "+name+":") {
			l.warnAt(l.file.Root.KeyAt("receivers."+name), "without token_file tocsin does not hear who acknowledges or resolves at PagerDuty, and goes on calling: give it the file of a REST API key")
		}
	}
}

// warnedOf says whether there is a warning with this text in it.
func (l *loading) warnedOf(text string) bool {
	return slices.ContainsFunc(l.plan.Warnings, func(w config.Error) bool { return strings.Contains(w.Text, text) })
}
