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
	"tocsin/notifiers"
)

// reach finds what would leave a page unheard although every name is right: a policy that reaches nobody is a mistake, one that hangs on
// a single provider a warning.
func (l *loading) reach() {
	if l.plan.Router == nil {
		return // its mistakes come first
	}
	mentioned := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(l.plan.Policies)) {
		plan := l.plan.Policies[name]
		users := l.plan.Router.Users(name)
		if plan == nil || len(users) == 0 {
			continue
		}
		at := l.file.Root.At("escalation." + name)
		var all []string
		for _, user := range users {
			heard := l.heard(plan, user.Receiver)
			if len(heard) == 0 {
				l.errs = append(l.errs, at.Errorf("the policy reaches nobody for the incidents of receiver %s: %s", user.Receiver, l.unheard(plan)))
			}
			all = append(all, heard...)
		}
		if len(all) == 0 {
			continue
		}
		l.unmentioned(plan, mentioned)
		critical := slices.ContainsFunc(l.plan.Router.Reach(incident.Critical), func(r routing.Reached) bool { return r.Policy == name })
		if providers := l.providers(all); critical && len(providers) == 1 {
			slices.Sort(all)
			l.warnAt(at, "critical incidents go by this policy, and all that it calls (%s) hangs on one provider: while that is out of reach nobody is called; "+
				"add a step that notifies a receiver of another", strings.Join(slices.Compact(all), ", "))
		}
		l.pagerEscalates(plan, at)
	}
	l.unreached(mentioned)
	l.fallback()
	l.noFallback()
}

// unreached warns of people on schedules whom nothing can reach, each once: by a name at GitHub nothing can, by an address or a topic only a
// receiver of that kind.
func (l *loading) unreached(told map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(l.plan.Rotas)) {
		rota := l.plan.Rotas[name]
		if rota == nil || rota.Imports() || !l.slacks() {
			continue
		}
		for _, person := range rota.Names() {
			p := l.file.People[person]
			if p != (config.Person{}) && p.Slack == "" && p.PagerDuty == "" && l.plan.Direct[escalation.PersonTarget(person)].Spec == nil && !told[person] {
				told[person] = true
				l.warnAt(l.file.Root.At("people."+person), "%s is on schedule %s and nothing can reach them: give them slack, their user's id (U...), or pagerduty (P...)", person, name)
			}
		}
	}
}

// heard are the receivers, and targets of people, that a policy rings for the incidents of a receiver: those that the steps notify, and
// that receiver where a mention rings.
func (l *loading) heard(plan *escalation.Plan, receiver string) []string {
	var out []string
	for _, s := range plan.Steps() {
		for _, name := range s.Notify {
			if schedule, ok := strings.CutPrefix(name, "schedule:"); ok {
				for _, person := range l.crew(schedule) {
					if target := escalation.PersonTarget(person); l.plan.Direct[target].Spec != nil {
						out = append(out, target)
					}
				}
				continue
			}
			out = append(out, name)
		}
		if s.Mention != "" && l.mentions(s.Mention, receiver) {
			out = append(out, receiver)
		}
	}
	return out
}

// crew are the people whom a schedule may have on call.
func (l *loading) crew(schedule string) []string {
	if rota := l.plan.Rotas[schedule]; rota != nil {
		return rota.Names()
	}
	return nil
}

// mentions says whether a mention of a schedule can reach anybody at a receiver: a pager says none, and where people are called by their
// ids somebody must have one.
func (l *loading) mentions(schedule, receiver string) bool {
	spec := l.plan.Receivers[receiver]
	if spec == nil || spec.Traits().Pages {
		return false
	}
	if _, ids := spec.(*notifiers.Slack); !ids {
		return true // who is meant stands in the text
	}
	return slices.ContainsFunc(l.crew(schedule), func(person string) bool { return l.plan.People[person].Slack != "" })
}

// unheard says how to mend a policy that reaches nobody.
func (l *loading) unheard(plan *escalation.Plan) string {
	for _, s := range plan.Steps() {
		if s.Mention != "" {
			return fmt.Sprintf("nobody of schedule %s can be mentioned there; give people slack, their user's id (U...), route to a channel, or add a step that notifies a receiver", s.Mention)
		}
	}
	return "add a step that notifies a receiver"
}

// providers are those that receivers and people's targets hang on, each once.
func (l *loading) providers(names []string) []string {
	specs := l.plan.specs()
	var out []string
	for _, name := range names {
		if p := provider(name, specs[name]); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// provider names what a receiver hangs on: the account that it uses at a provider, else itself.
func provider(name string, spec notifiers.Spec) string {
	if spec == nil {
		return name
	}
	n, err := spec.New(name)
	if limited, ok := n.(notifiers.Limited); err == nil && ok && limited.Limits().Account != "" {
		return limited.Limits().Account
	}
	return name
}

// pagerEscalates warns of a policy that leaves escalating to a pager whose acknowledges cannot be seen.
func (l *loading) pagerEscalates(plan *escalation.Plan, at config.Position) {
	if plan.Escalates() != escalation.ByPager {
		return
	}
	for _, s := range plan.Steps() {
		for _, name := range s.Notify {
			if pager, ok := l.plan.Receivers[name].(*notifiers.PagerDuty); ok && pager.TokenFile == "" {
				l.warnAt(at, "the pager escalates, and without its token_file tocsin cannot see who acknowledges at receiver %s: the fallback will hear each time that nobody did; give it token_file", name)
			}
		}
	}
}

// noFallback warns where nothing but tocsin's own log would say that its store cannot be written: that alone is told without a row, and to the
// fallback alone. Whoever is told on a screen only has the log before their eyes.
func (l *loading) noFallback() {
	if l.file.Fallback != "" || len(l.plan.Policies) > 0 { // a policy without one is refused
		return
	}
	best := ""
	for _, name := range slices.Sorted(maps.Keys(l.plan.Receivers)) {
		switch spec := l.plan.Receivers[name].(type) {
		case nil, *notifiers.Console:
		default:
			if best == "" || l.plan.Receivers[best].Traits().Pages && !spec.Traits().Pages {
				best = name
			}
		}
	}
	if best == "" {
		return
	}
	outside := "only tocsin's log says so"
	if !l.file.Heartbeat.IsZero() {
		outside = "only tocsin's log says so, and the heartbeat that stops"
	}
	l.warnAt(l.file.Root.At("receivers"), "no fallback: while the store cannot be written nothing else can be told, and %s; name the receiver to be told directly, such as fallback: %s", outside, best)
}

// fallback warns of a fallback that is out of reach whenever the pager is.
func (l *loading) fallback() {
	var pagers []string
	for name, spec := range l.plan.Receivers {
		if spec.Traits().Pages {
			pagers = append(pagers, name)
		}
	}
	slices.Sort(pagers)
	fallback := l.plan.Receivers[l.file.Fallback]
	if fallback == nil || len(pagers) == 0 {
		return
	}
	if p := l.providers(pagers); len(p) == 1 && p[0] == provider(l.file.Fallback, fallback) {
		l.warnAt(l.file.Root.At("fallback"), "the fallback hangs on the same provider as what pages (%s): when a page cannot be sent, nobody hears of that either; name a receiver of another",
			strings.Join(pagers, ", "))
	}
}

// unmentioned warns of people whom steps mention and who have no way to be, each once.
func (l *loading) unmentioned(plan *escalation.Plan, told map[string]bool) {
	for _, s := range plan.Steps() {
		rota := l.plan.Rotas[s.Mention]
		if rota == nil || rota.Imports() || !l.slacks() {
			continue
		}
		for _, person := range rota.Names() {
			if l.plan.People[person].Slack == "" && !told[person] {
				told[person] = true
				l.warnAt(l.file.Root.At("people."+person), "%s is mentioned by schedule %s and has no slack: their name is written, and rings at nobody; give them slack, their user's id (U...)", person, s.Mention)
			}
		}
	}
}

func (l *loading) slacks() bool {
	for _, spec := range l.plan.Receivers {
		if _, ok := spec.(*notifiers.Slack); ok {
			return true
		}
	}
	return false
}

func (l *loading) warnAt(at config.Position, format string, args ...any) {
	l.plan.Warnings = append(l.plan.Warnings, at.Errorf(format, args...))
}
