// Package rules holds what tocsin looks for: the reader of rule files, the compiled Set that is asked once per batch, the
// Evaluator that makes alerts of what matched (the only one: live, replay and test use it), and the cases that prove a rule.
// The rules that are shipped are embedded (Builtin).
package rules

import (
	"embed"
	"slices"
	"sync/atomic"
	"time"

	"tocsin/detectors"
	"tocsin/internal/config"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/words"
)

// Builtin holds the shipped rule files, named as they are after "builtin:" in a configuration: prow/config.yaml.
//
//go:embed alertmanager/*.yaml prow/*.yaml gke/*.yaml tocsin/*.yaml
var Builtin embed.FS

// Rule is one compiled rule.
type Rule struct {
	Name     string
	Severity incident.Severity
	Mode     incident.Mode
	Impact   string
	// Sources are those that it is asked of; empty for all.
	Sources   []string
	Labels    incident.Labels
	SymptomOf []string
	// For is how long entries must have gone on.
	For time.Duration
	// Hash changes when detection would: filter, detect, group_by, for.
	Hash  string
	Cases []Case
	// Position is where the rule's name stands.
	Position config.Position
	// Filter is the rule's own filter.
	Filter *lql.Filter

	detect      detectors.Spec
	traits      detectors.Traits       // of detect
	listed      map[string]bool        // the groups that traits lists, by text; nil if it lists none
	wantsEntry  bool                   // an annotation asks for .Entry
	node        config.Node            // as it is written
	groups      map[string]config.Node // group_by, as it is written
	kind        string                 // of detection
	settings    string                 // of the kind, as JSON
	extra       map[string]*lql.Filter // the detector's own filters
	fields      map[string]lql.Path    // the detector's fields
	groupBy     []groupLabel           // by label name
	maxGroups   int
	resolves    resolves
	annotations map[string]*words.Annotation
	written     []written // its filters and paths, where they stand
}

// groupLabel is a label of group_by, and the paths of which the first present gives its value.
type groupLabel struct {
	name  string
	paths []lql.Path
}

// resolves says when an alert of a rule is over.
type resolves struct {
	kind  string // quiet, clear, hand, entry (that ends an absence), end (as the detector says)
	after time.Duration
	alive *lql.Filter
	clear *lql.Filter
}

// How an alert ends.
const (
	onQuiet = "quiet"
	onClear = "clear"
	byHand  = "hand"
	onEntry = "entry"
	onEnd   = "end"
)

// The roles that a filter can have for a rule, beside those that its detector names.
const (
	roleMain  = ""
	roleClear = "\x00clear"
	roleAlive = "\x00alive"
)

// AliveWithin is how recently a group must have been seen alive for its quiet to mean that it is well.
const AliveWithin = 5 * time.Minute

// Set is all rules, compiled together.
type Set struct {
	Rules  []*Rule
	byName map[string]*Rule
	// inForce is replaced whole when a rule is put aside, which a scan and a step beside it may both do.
	inForce atomic.Pointer[inForce]
	// lively is the last that was asked for, kept; a scan uses what it has loaded or made itself.
	lively atomic.Pointer[lively]
}

// inForce is what is asked of every entry. It is not changed.
type inForce struct {
	// watch holds every filter but those that ask who is alive, which are asked only of rules that fire.
	watch    *lql.Set
	filters  []*lql.Filter
	watchers []asked
	aside    map[string]Aside
}

// asked says what the filter of that index in a compiled set is for.
type asked struct {
	rule *Rule
	role string
}

// NewSet compiles rules together. Their names are distinct (Load sees to it).
func NewSet(list []*Rule) *Set {
	s := &Set{Rules: list, byName: make(map[string]*Rule, len(list))}
	in := &inForce{}
	add := func(r *Rule, role string, f *lql.Filter) {
		in.filters = append(in.filters, f)
		in.watchers = append(in.watchers, asked{rule: r, role: role})
	}
	for _, r := range list {
		s.byName[r.Name] = r
		add(r, roleMain, r.Filter)
		for _, name := range sortedKeys(r.extra) {
			add(r, name, r.extra[name])
		}
		if r.resolves.clear != nil {
			add(r, roleClear, r.resolves.clear)
		}
	}
	in.watch = lql.Compile(in.filters)
	s.inForce.Store(in)
	return s
}

// Rule is the rule of that name, or nil.
func (s *Set) Rule(name string) *Rule { return s.byName[name] }

// EndsByHand says of a rule of the set that what it finds is over only when somebody says so.
func (s *Set) EndsByHand(name string) bool {
	r := s.Rule(name)
	return r != nil && r.resolves.kind == byHand
}

// Asked is a filter that a rule asks of a source.
type Asked struct {
	Rule   string
	Filter *lql.Filter
}

// Asked are all filters that are asked of a source, by rule; firing says which rules have alerts that fire: only they ask who is
// alive, which is most of a log.
func (s *Set) Asked(source string, firing func(rule string) bool) []Asked {
	var out []Asked
	for _, r := range s.Rules {
		if !r.from(source) {
			continue
		}
		add := func(f *lql.Filter) { out = append(out, Asked{Rule: r.Name, Filter: f}) }
		add(r.Filter)
		for _, name := range sortedKeys(r.extra) {
			add(r.extra[name])
		}
		if r.resolves.clear != nil {
			add(r.resolves.clear)
		}
		if r.resolves.alive != nil && firing(r.Name) {
			add(r.resolves.alive)
		}
	}
	return out
}

// Filters are those of Asked.
func (s *Set) Filters(source string, firing func(rule string) bool) []*lql.Filter {
	var out []*lql.Filter
	for _, a := range s.Asked(source, firing) {
		out = append(out, a.Filter)
	}
	return out
}

// Own is the pattern of the rules for tocsin's own troubles, which are always loaded.
const Own = "tocsin/*.yaml"

// from says whether the rule is asked of a source; of tocsin's own only one that names it.
func (r *Rule) from(source string) bool {
	if source == "" || len(r.Sources) == 0 && source != logs.OwnSource {
		return true
	}
	for _, s := range r.Sources {
		if s == source {
			return true
		}
	}
	return false
}

// group works out an entry's group. A label whose paths are all missing is left out.
func (r *Rule) group(e *logs.Entry) incident.Labels {
	group := make(incident.Labels, len(r.groupBy))
	for _, g := range r.groupBy {
		if v, ok := g.of(e); ok {
			group[g.name] = v
		}
	}
	return fitted(group)
}

// within says, without making it, that an entry's group is this one. Of one whose values had to be cut it says no.
func (r *Rule) within(group incident.Labels, e *logs.Entry) bool {
	n := 0
	for _, g := range r.groupBy {
		v, ok := g.of(e)
		if was, had := group[g.name]; ok != had || v != was {
			return false
		}
		if ok {
			n++
		}
	}
	return n == len(group)
}

// of is the label's value of an entry, if it has one.
func (g *groupLabel) of(e *logs.Entry) (string, bool) {
	for _, p := range g.paths {
		if v, ok := p.Text(e); ok {
			return bound(v, maxLabel), true
		}
	}
	return "", false
}

// LabelNames are the labels that alerts of the rule can carry, beside project and cluster.
func (r *Rule) LabelNames() []string {
	names := sortedKeys(r.Labels)
	for _, g := range r.groupBy {
		names = append(names, g.name)
	}
	return names
}

// Varies says whether the label's value is taken from the entry; else it is that of Labels, or the rule gives none.
func (r *Rule) Varies(label string) bool {
	return slices.ContainsFunc(r.groupBy, func(g groupLabel) bool { return g.name == label })
}

// Groups are the groups that the rule watches though they may never have spoken.
func (r *Rule) Groups() []incident.Labels { return r.traits.Groups }
