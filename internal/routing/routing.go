// Package routing decides who hears of an incident: a tree of routes with Alertmanager's meaning, and the time intervals in
// which routes are mute and escalation steps may run. It is pure: time comes in as an argument.
package routing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
)

// None is the receiver that tells nobody, and the escalation that calls nobody.
const None = "none"

// Route is a route's settings. What its labels match goes to the first of its routes that matches too, and to the following
// while they say continue; to itself if none does.
type Route struct {
	// Receiver is who is told; the enclosing route's if not said. "none" tells nobody.
	Receiver string `yaml:"receiver"`
	// Matchers are Alertmanager's, all of which must hold: severity="critical", service=~"hook|deck". A label that is missing
	// is empty.
	Matchers []string `yaml:"matchers"`
	// Continue goes on to the routes behind this one although it matches.
	Continue bool `yaml:"continue"`
	// Escalation is the policy that is run until somebody has it; the enclosing route's if not said, unless this route's
	// receiver is none. "none" runs none.
	Escalation string `yaml:"escalation"`
	// MuteTimeIntervals are the times in which this route itself tells nobody. They are not inherited.
	MuteTimeIntervals []string `yaml:"mute_time_intervals"`
	// Routes are tried in order.
	Routes []*Route `yaml:"routes"`

	// What Alertmanager knows and tocsin refuses, saying why.
	GroupBy             any `yaml:"group_by,refused"`
	GroupWait           any `yaml:"group_wait,refused"`
	GroupInterval       any `yaml:"group_interval,refused"`
	RepeatInterval      any `yaml:"repeat_interval,refused"`
	ActiveTimeIntervals any `yaml:"active_time_intervals,refused"`
	Match               any `yaml:"match,refused"`
	MatchRE             any `yaml:"match_re,refused"`
}

// Validate says what is wrong with this route, without those below it.
func (r *Route) Validate() []setting.FieldError {
	var errs []setting.FieldError
	for _, refused := range []struct {
		name  string
		value any
		why   string
	}{
		{"group_by", r.GroupBy, "is not known here: the incident is the group; remove it"},
		{"group_wait", r.GroupWait, "is not known here: the incident is the group, and is told at once; remove it"},
		{"group_interval", r.GroupInterval, "is not known here: the incident is the group, its message is edited as it goes on; remove it"},
		{"repeat_interval", r.RepeatInterval, "is not known here: what must ring again is a step of an escalation; remove it, and set repeat and every there"},
		{"active_time_intervals", r.ActiveTimeIntervals, "is not known here: use mute_time_intervals with the other times"},
		{"match", r.Match, "is not known here: write matchers, such as matchers: ['severity=\"critical\"']"},
		{"match_re", r.MatchRE, "is not known here: write matchers, such as matchers: ['service=~\"hook|deck\"']"},
	} {
		if refused.value != nil {
			errs = append(errs, setting.FieldError{Path: refused.name, Text: refused.name + " " + refused.why})
		}
	}
	_, wrong := r.matchers()
	return append(errs, wrong...)
}

func (r *Route) matchers() (labels.Matchers, []setting.FieldError) {
	var all labels.Matchers
	var errs []setting.FieldError
	for i, text := range r.Matchers {
		parsed, err := parse.Matchers(text)
		if err == nil && len(parsed) == 0 {
			err = errors.New("it is empty")
		}
		if err != nil {
			errs = append(errs, setting.FieldError{
				Path: fmt.Sprintf("matchers.%d", i),
				Text: fmt.Sprintf("%q is no matcher: %v; write it as severity=\"critical\", with =, !=, =~ or !~", text, err),
			})
		}
		all = append(all, parsed...)
	}
	return all, errs
}

// Known holds the names that routes may use, "none" aside, which is always known.
type Known struct{ Receivers, Policies []string }

// Router is a tree of routes, ready to be asked. It does not change and may be asked from anywhere at once.
type Router struct{ root *node }

// node is one route with what it inherits.
type node struct {
	path     string // from the root: "routes.1.routes.0"; empty for the root
	matchers labels.Matchers
	receiver string
	policy   string
	goesOn   bool
	mutes    []mute
	routes   []*node
}

type mute struct {
	name  string
	times Intervals
}

// New makes the router of a tree. The paths of its errors begin at root. With errors the router is nil.
func New(root *Route, intervals map[string]Intervals, known Known) (*Router, []setting.FieldError) {
	if root == nil {
		return nil, []setting.FieldError{{Text: "the route is missing: write at least route: {receiver: NAME}"}}
	}
	b := builder{intervals: intervals, known: known}
	if root.Receiver == "" {
		b.wrong("receiver", "is missing: the outermost route tells what no other route takes; name its receiver, or none")
	}
	if len(root.Matchers) > 0 {
		b.wrong("matchers", "the outermost route takes everything: move them to one of its routes")
	}
	if len(root.MuteTimeIntervals) > 0 {
		b.wrong("mute_time_intervals", "the outermost route is never mute: move them to one of its routes")
	}
	if root.Continue {
		b.wrong("continue", "nothing comes after the outermost route: remove it")
	}
	n := b.build(root, "", &node{})
	if len(b.errs) > 0 {
		return nil, b.errs
	}
	return &Router{root: n}, nil
}

type builder struct {
	intervals map[string]Intervals
	known     Known
	errs      []setting.FieldError
}

func (b *builder) wrong(path, format string, args ...any) {
	b.errs = append(b.errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
}

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

// build makes r, which is at path, with what it inherits.
func (b *builder) build(r *Route, path string, above *node) *node {
	if wrong := r.Validate(); len(wrong) > 0 {
		b.errs = append(b.errs, within(path, wrong)...)
	}
	n := &node{path: path, receiver: above.receiver, policy: above.policy, goesOn: r.Continue}
	n.matchers, _ = r.matchers() // Validate has said what is wrong with them
	if r.Receiver != "" {
		n.receiver = r.Receiver
		b.check("receiver", r.Receiver, join(path, "receiver"), b.known.Receivers)
	}
	switch {
	case r.Escalation != "":
		n.policy = r.Escalation
		b.check("escalation", r.Escalation, join(path, "escalation"), b.known.Policies)
	case r.Receiver == None:
		n.policy = "" // who asks to tell nobody does not ask to call somebody
	}
	if n.policy == None {
		n.policy = ""
	}
	for i, name := range r.MuteTimeIntervals {
		times, ok := b.intervals[name]
		if !ok {
			names := make([]string, 0, len(b.intervals))
			for known := range b.intervals {
				names = append(names, known)
			}
			b.wrong(join(path, fmt.Sprintf("mute_time_intervals.%d", i)), "%s", setting.Unknown("time interval", name, names))
		}
		n.mutes = append(n.mutes, mute{name: name, times: times})
	}
	for i, child := range r.Routes {
		at := join(path, fmt.Sprintf("routes.%d", i))
		if child == nil {
			b.wrong(at, "is empty: write a route, or remove it")
			continue
		}
		n.routes = append(n.routes, b.build(child, at, n))
	}
	return n
}

func (b *builder) check(what, name, path string, known []string) {
	if name != None && !slices.Contains(known, name) {
		b.wrong(path, "%s", setting.Unknown(what, name, append(slices.Clone(known), None)))
	}
}

// Decision says who hears of an incident.
type Decision struct {
	// Receivers are who is told, each once, in the order of the routes, without "none".
	Receivers []string
	// Policy is that of the first route that took it and has one; "" for none.
	Policy string
	// Muted names the mute intervals in force now, on any of the routes that took it.
	Muted []string
	// Held are those of Receivers that every route which names them is mute for now: recorded, told later.
	Held []string
	// PolicyHeld says that the route which Policy is of is mute now.
	PolicyHeld bool
	// MutedUntil is when the first of the intervals in force ends, so that it is to be asked again; zero if none is.
	MutedUntil time.Time
	// Path says for each route that took it where it is, what it matches and whom it tells, for people.
	Path []string
}

// Route decides for an incident's labels at a time.
func (r *Router) Route(l incident.Labels, at time.Time) Decision {
	var d Decision
	var loud []string
	for _, n := range r.root.match(l, nil) {
		muted := n.mutedAt(at, &d)
		if n.receiver != None && !slices.Contains(d.Receivers, n.receiver) {
			d.Receivers = append(d.Receivers, n.receiver)
		}
		if !muted {
			loud = append(loud, n.receiver)
		}
		if d.Policy == "" && n.policy != "" {
			d.Policy, d.PolicyHeld = n.policy, muted
		}
		d.Path = append(d.Path, n.String())
	}
	for _, receiver := range d.Receivers {
		if !slices.Contains(loud, receiver) {
			d.Held = append(d.Held, receiver)
		}
	}
	return d
}

// match appends the routes that take the labels: the deepest that match, as Alertmanager finds them.
func (n *node) match(l incident.Labels, to []*node) []*node {
	before := len(to)
	for _, child := range n.routes {
		if !child.matches(l) {
			continue
		}
		to = child.match(l, to)
		if !child.goesOn {
			break
		}
	}
	if len(to) == before {
		to = append(to, n)
	}
	return to
}

func (n *node) matches(l incident.Labels) bool {
	for _, m := range n.matchers {
		if !m.Matches(l[m.Name]) {
			return false
		}
	}
	return true
}

// mutedAt says whether the route is mute, and tells the decision by what and until when.
func (n *node) mutedAt(at time.Time, d *Decision) bool {
	muted := false
	for _, m := range n.mutes {
		if !m.times.Contains(at) {
			continue
		}
		muted = true
		if !slices.Contains(d.Muted, m.name) {
			d.Muted = append(d.Muted, m.name)
		}
		if end := m.times.End(at); d.MutedUntil.IsZero() || end.Before(d.MutedUntil) {
			d.MutedUntil = end
		}
	}
	return muted
}

// String is the route as explain prints it.
func (n *node) String() string {
	text := "route"
	if n.path != "" {
		text += "." + n.path + " " + n.matchers.String()
	}
	text += ": receiver " + n.receiver
	if n.policy != "" {
		text += ", escalation " + n.policy
	}
	return text
}
