package app

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/words"
)

// alertGate says what the alert is.
func alertGate(a *incident.Alert) Gate {
	return Gate{Gate: "alert", Answer: Yes, Text: fmt.Sprintf("%s: %s", a.Severity, a.Summary()), More: []string{"labels " + a.Labels.Text()}}
}

// hearing is the gates from an alert on, and in one line who hears.
type hearing struct {
	gates []Gate
	who   string
}

// toldGates say who hears of an alert at a time, in the incident that it is of.
func (p *Plan) toldGates(a *incident.Alert, at time.Time, of place, s *Serving) hearing {
	inc := of.toldOf(a, at)
	decision := p.Router.Route(inc.Labels, at)
	direction := p.direct(inc, at)
	hold := p.holdGate(a, inc, at, s, direction)
	receivers := slices.DeleteFunc(slices.Clone(direction.Receivers), func(r string) bool { return r == routing.None })
	route := Gate{Gate: "route", Answer: Yes, More: decision.Path}
	route.Text = strings.Join(decision.Path, "; ")
	route.More = nil
	out := hearing{}
	tell := Gate{Gate: "receiver", Answer: Yes}
	var names []string
	for _, r := range receivers {
		names = append(names, p.called(r))
	}
	tell.Text = "told at once: " + strings.Join(names, ", ")
	steps := p.stepsOf(direction.Policy, a, at)
	switch {
	case len(receivers) == 0 && len(decision.Receivers) > 0:
		tell.Answer, tell.Text = May, "told once nothing holds it: "+strings.Join(decision.Receivers, ", ")
	case len(receivers) == 0 && direction.Policy != "":
		tell.Answer, tell.Text = May, "no channel: the policy alone calls"
	case len(receivers) == 0:
		tell.Answer, tell.Text = No, "nobody: the route ends at none, and runs no policy"
	}
	out.gates = []Gate{hold, route, tell}
	var who []string
	if len(receivers) > 0 {
		who = append(who, "tells "+strings.Join(receivers, ", "))
	}
	if decision.Policy != "" {
		g := Gate{Gate: "escalation", Answer: Yes, Text: fmt.Sprintf("policy %s, until somebody acknowledges", decision.Policy), More: steps.lines}
		if direction.Policy == "" {
			g.Answer, g.Text, g.More = May, "policy "+decision.Policy+" waits for what holds it", nil
		} else if of.inc != nil && !of.rings {
			g.Answer, g.Text, g.More = May, "policy "+decision.Policy+" stays where it is", nil
			steps.first = ""
		}
		out.gates = append(out.gates, g)
		if steps.first != "" {
			who = append(who, steps.first)
		}
	}
	if out.who = strings.Join(who, "; "); of.verdict != "" {
		out.who = of.verdict + ": " + out.who
		if !of.rings {
			out.who += ", and nothing rings anew"
		}
	}
	if hold.Answer == No {
		out.who = "nobody is told: hold says no"
	}
	return out
}

// called is a receiver with its kind.
func (p *Plan) called(receiver string) string {
	if kind := p.kindOf(receiver); kind != "" {
		return receiver + " (" + kind + ")"
	}
	return receiver
}

// holdGate says what keeps an incident from being told: silences, maintenance windows, mute times, other incidents.
func (p *Plan) holdGate(a *incident.Alert, inc *incident.Incident, at time.Time, s *Serving, d incident.Direction) Gate {
	g := Gate{Gate: "hold", Answer: Yes}
	held := p.Holding.Holders(inc, s.around(inc, at))
	if len(held.By) > 0 {
		g.Answer = No
		for _, h := range held.By {
			g.More = append(g.More, h.String())
		}
		g.Text = "it is held back, and recorded"
	} else {
		g.Text = "no maintenance window is in force for it"
		if s != nil {
			g.Text = "no silence and no maintenance window is in force for it"
		}
	}
	for _, h := range d.Held {
		g.More = append(g.More, h.String()+heldWhom(h))
	}
	if s != nil {
		return g
	}
	for _, source := range p.Holding.Inhibitors(a) {
		g.More = append(g.More, "held while another incident is told that has an alert of "+source)
	}
	g.More = append(g.More, "what is open or silenced is known to the service: --url asks it")
	return g
}

func heldWhom(h incident.Holder) string {
	whom := slices.Clone(h.Receivers)
	if h.Policy != "" {
		whom = append(whom, "policy "+h.Policy)
	}
	if len(whom) == 0 {
		return ""
	}
	return ", keeps back " + strings.Join(whom, ", ")
}

// policySteps are a policy's steps as lines, and the first of them in words.
type policySteps struct {
	lines []string
	first string
}

// mostSteps is how many steps of a policy are shown.
const mostSteps = 12

// stepsOf runs a policy on paper from a time on: who would be called when, if nobody answers.
func (p *Plan) stepsOf(name string, a *incident.Alert, at time.Time) policySteps {
	var out policySteps
	plan := p.Policies[name]
	if plan == nil {
		return out
	}
	e := plan.Begin(at)
	for range mostSteps {
		due := plan.Due(e)
		if due.At.IsZero() {
			return out
		}
		when := fmt.Sprintf("%s (+%s)", due.At.UTC().Format("2006-01-02 15:04:05 UTC"), plainly(due.At.Sub(at)))
		if due.Fallback {
			out.lines = append(out.lines, fmt.Sprintf("%s nobody answered: told to the fallback %s, then the first step again each hour", when, p.File.Fallback))
			return out
		}
		whom := p.whom(due.Step, a, due.At)
		out.lines = append(out.lines, when+" "+whom)
		if out.first == "" {
			out.first = fmt.Sprintf("then %s after %s", whom, plainly(due.At.Sub(at)))
			if due.At.Equal(at) {
				out.first = whom + " at once"
			}
		}
		e = plan.Advance(e, due.At)
	}
	out.lines = append(out.lines, "and so on")
	return out
}

func plainly(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	return words.Duration(d)
}

// whom is who a step calls at a time.
func (p *Plan) whom(s *escalation.Step, a *incident.Alert, at time.Time) string {
	var parts []string
	for _, name := range s.Notify {
		spec := p.specs()[name]
		schedule, isSchedule := strings.CutPrefix(name, "schedule:")
		switch {
		case isSchedule:
			parts = append(parts, "calls "+p.onCall(schedule, at))
		case spec != nil && spec.Traits().Pages && a.Mode != incident.Page:
			parts = append(parts, fmt.Sprintf("leaves %s out (mode %s)", p.called(name), a.Mode))
		case spec != nil && spec.Traits().Pages:
			parts = append(parts, "calls "+p.called(name))
		default:
			parts = append(parts, "tells "+p.called(name))
		}
	}
	if s.Mention != "" {
		parts = append(parts, "mentions "+p.onCall(s.Mention, at))
	}
	return strings.Join(parts, ", ")
}

// onCall is a schedule with who is on call at a time, as far as the configuration says.
func (p *Plan) onCall(schedule string, at time.Time) string {
	rota := p.Rotas[schedule]
	if rota == nil {
		return "schedule " + schedule
	}
	names := rota.OnCall(at)
	switch {
	case len(names) > 0:
		return strings.Join(names, ", ") + " (schedule " + schedule + ")"
	case rota.Imports():
		return "whoever is on call by schedule " + schedule
	}
	return "nobody (schedule " + schedule + " has a gap)"
}
