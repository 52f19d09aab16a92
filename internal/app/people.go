package app

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/escalation"
	"tocsin/internal/setting"
	"tocsin/notifiers"
)

// Direct is a way to tell one person: that of the receiver Via, whose account it uses.
type Direct struct {
	Via  string
	Spec notifiers.Spec
}

// people reads who can be called, how each can be told directly, and the schedules.
func (l *loading) people() {
	var people []escalation.Person
	for _, name := range slices.Sorted(maps.Keys(l.file.People)) {
		p := l.file.People[name]
		person := notifiers.Person{Name: name, Slack: p.Slack, PagerDuty: p.PagerDuty, Email: p.Email, Ntfy: p.Ntfy}
		l.plan.People[name] = person
		people = append(people, escalation.Person{Name: name, Aliases: []string{p.GitHub, p.Email}})
		for _, receiver := range l.loudest() {
			if via, ok := l.plan.Receivers[receiver].(notifiers.Personal); ok {
				if spec, ok := via.To(person); ok {
					l.plan.Direct[escalation.PersonTarget(name)] = Direct{Via: receiver, Spec: spec}
					break
				}
			}
		}
	}
	for name, n := range l.file.Schedules {
		var s escalation.Schedule
		mistakes := config.Decode(n, &s)
		rota, errs := escalation.NewRota(s, people, l.intervals)
		l.locate(n, mistakes, errs)
		l.handover(n, s.Handover)
		if rota != nil {
			rota = l.imported(n, rota)
		}
		l.plan.Rotas[name] = rota
	}
}

// handover finds a schedule's receiver of changes of shift that is none, or rings.
func (l *loading) handover(n config.Node, receiver string) {
	_, known := l.file.Receivers[receiver]
	switch spec := l.plan.Receivers[receiver]; {
	case receiver == "":
	case !known:
		l.errs = append(l.errs, n.At("handover").Errorf("handover: %s", setting.Unknown("receiver", receiver, slices.Sorted(maps.Keys(l.file.Receivers)))))
	case spec == nil: // what is wrong with it is said there
	case spec.Traits().Pages:
		l.errs = append(l.errs, n.At("handover").Errorf("handover: %s rings until somebody answers, and a change of shift is no page: name a channel", receiver))
	default:
		switch spec.(type) {
		case *notifiers.Webhook, *notifiers.Alertmanager:
			l.errs = append(l.errs, n.At("handover").Errorf("handover: %s tells a program of one incident at a time: name a channel that people read", receiver))
		}
	}
}

// ways are the kinds that can tell one person, by the key of people that they need, the loudest first: a push that rings through a silent
// phone, a direct message, a mail.
var ways = []string{"ntfy", "slack", "email"}

// way is the place of a receiver's kind among ways; len(ways) if it can tell no one person.
func way(spec notifiers.Spec) int {
	switch spec.(type) {
	case *notifiers.Ntfy:
		return 0
	case *notifiers.Slack:
		return 1
	case *notifiers.Email:
		return 2
	}
	return len(ways)
}

// loudest are the receivers, in the order in which they are asked whether they can tell a person.
func (l *loading) loudest() []string {
	return slices.SortedFunc(maps.Keys(l.plan.Receivers), func(a, b string) int {
		return cmp.Or(way(l.plan.Receivers[a])-way(l.plan.Receivers[b]), cmp.Compare(a, b))
	})
}

// imported reads the calendar of a schedule that is a file: what is wrong with it is found with the rest. What is read from elsewhere is
// read by who serves.
func (l *loading) imported(n config.Node, rota *escalation.Rota) *escalation.Rota {
	from, ok := rota.Import()
	if !ok || from.File == "" {
		return rota
	}
	path, at := l.file.Resolve(from.File), n.At("ical.file")
	body, err := os.ReadFile(path)
	if err != nil {
		l.errs = append(l.errs, at.Errorf("read the calendar: %v", err))
		return rota
	}
	with, err := rota.Reading(body, time.Now())
	if err != nil {
		l.errs = append(l.errs, placed(path, err)...)
		return rota
	}
	for _, problem := range with.Problems() {
		l.plan.Warnings = append(l.plan.Warnings, at.Errorf("%s", problem))
	}
	return rota.StartingWith(body)
}

// placed gives the mistakes in a calendar their places in its file.
func placed(path string, err error) config.Errors {
	var mistakes escalation.Mistakes
	if !errors.As(err, &mistakes) {
		return config.Errors{config.Position{File: path, Line: 1, Column: 1}.Errorf("%v", err)}
	}
	var out config.Errors
	for _, m := range mistakes {
		out = append(out, config.Position{File: path, Line: m.Line, Column: 1}.Errorf("%s", m.Text))
	}
	return out
}

// callable is what policies may name, with what would keep somebody from being called.
func (l *loading) callable(receivers []string) escalation.Known {
	known := escalation.Known{Receivers: receivers, Schedules: slices.Sorted(maps.Keys(l.file.Schedules)), Intervals: l.intervals,
		People: map[string]string{}, Crews: map[string][]string{}}
	for name, spec := range l.plan.Receivers {
		if spec.Traits().Pages {
			known.Pagers = append(known.Pagers, name)
		}
	}
	for name := range l.plan.People {
		known.People[name] = ""
		if _, ok := l.plan.Direct[escalation.PersonTarget(name)]; !ok {
			known.People[name] = l.plan.unreachable(name)
		}
	}
	for name, rota := range l.plan.Rotas {
		if rota != nil && !rota.Imports() {
			known.Crews[name] = rota.Names()
		}
	}
	return known
}

// unreachable says why somebody cannot be told directly, and the mend.
func (p *Plan) unreachable(name string) string {
	var keys []string
	for i, key := range ways {
		for _, spec := range p.Receivers {
			if way(spec) == i && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	if len(keys) == 0 {
		return "no receiver can tell one person: slack, ntfy and email can; or call a receiver"
	}
	hint := strings.Join(keys, " or ")
	if slices.Contains(keys, "slack") {
		hint = strings.Replace(hint, "slack", "slack, their user's id (U...)", 1)
	}
	return fmt.Sprintf("no receiver can tell one person by what people has for them; give %s %s", name, hint)
}

// specs are the receivers and the ways to tell people directly.
func (p *Plan) specs() map[string]notifiers.Spec {
	out := maps.Clone(p.Receivers)
	for name, direct := range p.Direct {
		out[name] = direct.Spec
	}
	return out
}
