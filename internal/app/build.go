package app

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/engine"
	"tocsin/internal/escalation"
	"tocsin/internal/heartbeat"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/outbox"
	"tocsin/internal/routing"
	"tocsin/internal/setting"
	"tocsin/internal/sources"
	"tocsin/internal/store"
	"tocsin/internal/words"
	"tocsin/notifiers"
	"tocsin/rules"
)

// Plan is a whole configuration, read and checked, out of which serve, replay and check build what they need. Nothing in it is
// running, and no secret has been read.
type Plan struct {
	File      *config.File
	Rules     *rules.Set
	Sources   map[string]sources.Spec
	Kinds     map[string]string // of the sources
	Receivers map[string]notifiers.Spec
	Router    *routing.Router
	Holding   *routing.Holding
	Policies  map[string]*escalation.Plan
	Rotas     map[string]*escalation.Rota
	People    map[string]notifiers.Person
	// Heartbeat says where it is told that tocsin lives; nil for nowhere.
	Heartbeat *heartbeat.Settings
	// Canary is what is written to logs to see whether it comes back; nil for nothing.
	Canary *Canary
	// OwnMetrics says where tocsin's own metrics are written; nil for nowhere.
	OwnMetrics *heartbeat.PointsSettings
	// Direct are the ways to tell people directly, by the name of their target.
	Direct    map[string]Direct
	database  database
	intervals map[string]routing.Intervals
	// Warnings are what is not wrong but probably not meant.
	Warnings config.Errors
}

// Load reads the configuration file and all that it names. All mistakes are returned at once. No clock has a say in it.
func Load(path string) (*Plan, config.Errors) {
	plan, errs := load(path)
	if len(errs) > 0 {
		return nil, errs
	}
	return plan, nil
}

// LoadTimed is Load for what is to be put in force: it refuses rules with patterns that hostile text makes slow.
func LoadTimed(path string) (*Plan, config.Errors) {
	plan, errs := Load(path)
	if len(errs) == 0 {
		errs = rules.Slow(plan.Rules.Rules, trialTime)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return plan, nil
}

// load is Load, with the plan as far as it could be made out beside the mistakes: its warnings hold all the same.
func load(path string) (*Plan, config.Errors) { return loadRules(path, nil) }

// loadRules is load, with the rules of other files in the place of the configuration's, if any are named.
func loadRules(path string, instead []string) (*Plan, config.Errors) {
	file, errs := config.Load(path)
	if instead != nil {
		file.Rules = instead
	}
	l := &loading{file: file, errs: errs, plan: &Plan{File: file, Sources: map[string]sources.Spec{}, Kinds: map[string]string{},
		Receivers: map[string]notifiers.Spec{}, Policies: map[string]*escalation.Plan{}, Rotas: map[string]*escalation.Rota{},
		People: map[string]notifiers.Person{}, Direct: map[string]Direct{}, Holding: &routing.Holding{}}}
	if len(errs) > 0 && file.Root.IsZero() {
		return l.plan, errs
	}
	if err := listenable(file.Listen, file.SignIn.Ways(), file.URL); err != nil {
		l.errs = append(l.errs, config.Error{Position: file.Root.At("listen"), Text: err.Error()})
	}
	l.database()
	l.sources()
	l.posted()
	l.receivers()
	l.intervals = l.timeIntervals()
	l.plan.intervals = l.intervals
	l.people()
	l.routes()
	l.canary()
	l.ownMetrics()
	l.rules()
	l.reach()
	l.ports(file.Root)
	l.heartbeat()
	return l.plan, l.errs.Sorted()
}

// loading collects a Plan and the mistakes on the way.
type loading struct {
	file      *config.File
	plan      *Plan
	intervals map[string]routing.Intervals
	errs      config.Errors
}

// locate keeps the mistakes that decoding n has found, and those that its own room finds in what could be made out. Of something
// with mistakes only the names that are unknown are added: what else is said of it may be no more than what follows from them.
func (l *loading) locate(n config.Node, decoding config.Errors, errs []setting.FieldError) {
	l.errs = append(l.errs, decoding...)
	if len(decoding) > 0 {
		errs = slices.DeleteFunc(slices.Clone(errs), func(e setting.FieldError) bool { return !strings.HasPrefix(e.Text, "unknown ") })
	}
	l.errs = append(l.errs, n.Locate(errs...)...)
}

func (l *loading) sources() {
	for name, n := range l.file.Sources {
		if name == logs.OwnSource {
			l.errs = append(l.errs, l.file.Root.At("sources."+name).Errorf("the source %s is built in and reads tocsin's own troubles: give yours another name", name))
		}
		kind, spec, errs := config.DecodeKind(n, "source", sources.Kinds)
		l.errs = append(l.errs, errs...)
		l.resolve(spec)
		l.narrowed("sources."+name+"."+kind+".filter", spec)
		l.plan.Sources[name], l.plan.Kinds[name] = spec, kind
	}
}

// narrowed finds mistakes in the filter of a source's own setting: the API would refuse every request of it.
func (l *loading) narrowed(path string, spec sources.Spec) {
	s, ok := spec.(*sources.CloudLogging)
	if !ok {
		return
	}
	if _, err := lql.Parse(s.Filter); err != nil && !strings.HasPrefix(err.Error(), "bad fraction") { // the API can evaluate sample()
		l.errs = append(l.errs, l.file.Root.At(path).Errorf("filter: %v", err))
	}
}

func (l *loading) receivers() {
	templates := l.templates()
	for name, n := range l.file.Receivers {
		_, spec, errs := config.DecodeKind(n, "notifier", notifiers.Kinds)
		l.errs = append(l.errs, errs...)
		if len(errs) > 0 {
			continue
		}
		if s, ok := spec.(*notifiers.Slack); ok {
			s.Templates = templates
		}
		l.resolve(spec)
		l.plan.Receivers[name] = spec
	}
}

// resolve makes the relative paths in a kind's settings begin where the configuration is, as those of rule files do.
func (l *loading) resolve(spec any) {
	if s, ok := spec.(interface {
		Resolve(of func(path string) string)
	}); ok {
		s.Resolve(func(path string) string {
			if path == "" {
				return ""
			}
			whole, err := filepath.Abs(l.file.Resolve(path)) // a file's cursor goes by its whole name
			if err != nil {
				return l.file.Resolve(path)
			}
			return whole
		})
	}
}

// templates reads the users' own template files.
func (l *loading) templates() []string {
	var texts []string
	for i, pattern := range l.file.Templates {
		at := l.file.Root.At(fmt.Sprintf("templates.%d", i))
		files, err := filesOf(l.file, pattern, nil)
		if err != nil {
			l.errs = append(l.errs, config.Error{Position: at, Text: err.Error()})
		}
		for _, f := range files {
			if _, err := words.NewTemplate("", string(f.data)); err != nil {
				l.errs = append(l.errs, config.Error{Position: config.Position{File: f.name, Line: 1, Column: 1}, Text: err.Error()})
				continue
			}
			texts = append(texts, string(f.data))
		}
		if len(files) == 0 && err == nil {
			l.plan.Warnings = append(l.plan.Warnings, config.Error{Position: at, Text: fmt.Sprintf("no file matches %q", pattern)})
		}
	}
	return texts
}

func (l *loading) routes() {
	receivers := slices.Sorted(maps.Keys(l.file.Receivers))
	intervals, known := l.intervals, l.callable(receivers)
	for name, n := range l.file.Escalation {
		var p escalation.Policy
		mistakes := config.Decode(n, &p)
		plan, errs := escalation.NewPlan(p, known)
		l.locate(n, mistakes, errs)
		l.plan.Policies[name] = plan
	}
	root := &routing.Route{}
	var mistakes config.Errors
	if l.file.Route.IsZero() {
		root.Receiver = config.None // a first look needs no route: the page shows what fires
	} else {
		mistakes = config.Decode(l.file.Route, root)
	}
	router, errs := routing.New(root, intervals, routing.Known{Receivers: receivers, Policies: slices.Sorted(maps.Keys(l.file.Escalation))})
	l.locate(l.file.Route, mistakes, errs)
	l.plan.Router = router
	l.holding()
}

// holding are the maintenance windows and the inhibitions.
func (l *loading) holding() {
	windows := map[string]routing.Window{}
	inhibitions := make([]*routing.Inhibition, len(l.file.InhibitRules))
	for name, n := range l.file.Maintenance { // of what cannot be read the rest is not judged
		var w routing.Window
		if mistakes := config.Decode(n, &w); len(mistakes) > 0 {
			l.errs = append(l.errs, mistakes...)
			continue
		}
		windows[name] = w
	}
	for i, n := range l.file.InhibitRules {
		var rule routing.Inhibition
		if mistakes := config.Decode(n, &rule); len(mistakes) > 0 {
			l.errs = append(l.errs, mistakes...)
			continue
		}
		inhibitions[i] = &rule
	}
	holding, errs := routing.NewHolding(windows, inhibitions, l.intervals)
	l.locate(l.file.Root, nil, errs)
	l.plan.Holding = holding
}

// timeIntervals are the time intervals by name. One with a mistake in it is there too: whoever names it has made none.
func (l *loading) timeIntervals() map[string]routing.Intervals {
	settings := map[string][]routing.Interval{}
	var mistakes config.Errors
	if !l.file.TimeIntervals.IsZero() {
		mistakes = config.Decode(l.file.TimeIntervals, &settings)
	}
	intervals, errs := routing.NewIntervals(settings)
	l.locate(l.file.TimeIntervals, mistakes, errs)
	for _, m := range l.file.TimeIntervals.Members() {
		if _, ok := intervals[m.Key]; !ok {
			intervals[m.Key] = routing.Intervals{}
		}
	}
	return intervals
}

func (l *loading) rules() {
	var list []*rules.Rule
	whole := true
	at := func(i int) config.Position { return l.file.Root.At(fmt.Sprintf("rules.%d", i)) }
	for i, pattern := range append(slices.Clone(l.file.Rules), config.Builtin+rules.Own) {
		if i < len(l.file.Rules) && strings.HasPrefix(pattern, ownRules) {
			continue // they are there whether named or not
		}
		files, err := filesOf(l.file, pattern, rules.Builtin)
		if err != nil {
			l.errs, whole = append(l.errs, config.Error{Position: at(i), Text: err.Error()}), false
			continue
		}
		if len(files) == 0 {
			l.plan.Warnings = append(l.plan.Warnings, config.Error{Position: at(i), Text: fmt.Sprintf("no file matches %q", pattern)})
		}
		for _, f := range files {
			read, errs := rules.Read(f.name, f.data)
			l.errs = append(l.errs, errs...)
			list = append(list, read...)
			whole = whole && len(errs) == 0
		}
	}
	if l.plan.Canary != nil {
		read, errs := l.plan.Canary.lost()
		l.errs, list = append(l.errs, errs...), append(list, read...)
	}
	if whole { // what is missing would be blamed on the rest
		l.errs = append(l.errs, rules.Together(list)...)
		l.sourcesOf(list)
		l.matchersOf(l.file.Route, list)
	}
	l.plan.Rules = rules.NewSet(list)
}

// ownRules begins the names of the files with the rules for tocsin's own troubles.
var ownRules = config.Builtin + strings.TrimSuffix(rules.Own, "*.yaml")

// configured are the rules without those for tocsin's own troubles, which are always there.
func (p *Plan) configured() []*rules.Rule {
	return slices.DeleteFunc(slices.Clone(p.Rules.Rules), func(r *rules.Rule) bool { return strings.HasPrefix(r.Position.File, ownRules) })
}

// sourcesOf warns of rules that ask sources which are not there.
func (l *loading) sourcesOf(list []*rules.Rule) {
	names := append(slices.Sorted(maps.Keys(l.file.Sources)), logs.OwnSource)
	for _, r := range list {
		for _, s := range r.Sources {
			if !slices.Contains(names, s) {
				l.plan.Warnings = append(l.plan.Warnings, config.Error{Position: r.Position, Text: fmt.Sprintf("rule %s: %s", r.Name, setting.Unknown("source", s, names))})
			}
		}
	}
}

// traits are those of the receivers, as incidents need them.
func (p *Plan) traits() map[string]incident.Traits {
	out := map[string]incident.Traits{}
	for name, spec := range p.specs() {
		out[name] = incident.Traits(spec.Traits())
	}
	return out
}

// desk is how incidents are routed and settled under this plan. changed may be nil.
func (p *Plan) desk(changed func(at time.Time, inc *incident.Incident)) *store.Desk {
	return &store.Desk{Direct: p.direct, Held: p.Holding.Holders, Inhibits: p.Holding.Inhibits(),
		Damping: incident.Damping{Times: p.File.Flapping.Times, Within: p.File.Flapping.Within.Std()}, ByHand: p.Rules.EndsByHand,
		Traits: p.traits(), Project: p.File.Project, People: p.aliases(), Changed: changed}
}

// aliases are the people, each with the names by which a sign-in, a pager or a chat may know them.
func (p *Plan) aliases() map[string][]string {
	out := map[string][]string{}
	for name, person := range p.File.People {
		out[name] = slices.DeleteFunc([]string{person.GitHub, person.Email, person.Slack, person.PagerDuty}, func(alias string) bool { return alias == "" })
	}
	return out
}

// direct says who hears of an incident. Of one of tocsin's own the fallback hears where the routes would tell nobody.
func (p *Plan) direct(inc *incident.Incident, at time.Time) incident.Direction {
	out := routing.Direct(inc, p.Router.Route(inc.Labels, at))
	own := inc.Labels["service"] == routing.Own
	if own && out.Policy == "" && p.File.Fallback != "" && !slices.ContainsFunc(out.Receivers, func(r string) bool { return r != config.None }) {
		out.Receivers = []string{p.File.Fallback}
	}
	if plan := p.Policies[out.Policy]; plan != nil {
		out.Steps = plan.Shape()
	}
	return out
}

// program is what the engine works by under this plan.
func (p *Plan) program(desk *store.Desk) engine.Program {
	return engine.Program{Evaluator: &rules.Evaluator{Set: p.Rules, Lateness: p.File.Lateness.Std()}, Desk: desk, Project: p.File.Project}
}

// escalation is what the escalation works by under this plan.
func (p *Plan) escalation(desk *store.Desk) escalation.Program {
	return escalation.Program{Plans: p.Policies, Rotas: p.Rotas, Fallback: p.File.Fallback, Desk: desk, Revision: p.revision()}
}

// targets makes the notifiers of the receivers.
func (p *Plan) targets() (map[string]outbox.Target, error) {
	out := map[string]outbox.Target{}
	for name, spec := range p.specs() {
		n, err := spec.New(name)
		if err != nil {
			return nil, fmt.Errorf("make receiver %s: %w", name, err)
		}
		out[name] = outbox.Target{Notifier: n, Traits: spec.Traits()}
	}
	return out, nil
}
