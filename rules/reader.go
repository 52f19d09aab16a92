package rules

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/detectors"
	"tocsin/internal/config"
	"tocsin/internal/incident"
	"tocsin/internal/lql"
	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// fileSettings is a rule file.
type fileSettings struct {
	Rules []config.Node `yaml:"rules"`
}

// ruleSettings is a rule as it is written.
type ruleSettings struct {
	// Name is what the rule is called everywhere; lower-case words joined by dashes.
	Name string `yaml:"name"`
	// Filter is written in the Logging query language.
	Filter string `yaml:"filter"`
	// Sources are those the rule is asked of; all if left out.
	Sources []string `yaml:"sources"`
	// Detect is {kind: settings}.
	Detect config.Node `yaml:"detect"`
	// GroupBy holds a label for each path, list of paths, or regexp_extract.
	GroupBy map[string]config.Node `yaml:"group_by"`
	// MaxGroups is how many groups it may have at once; what is beyond is folded into one. 1000 if left out.
	MaxGroups *int `yaml:"max_groups"`
	// Labels are added to each alert.
	Labels map[string]string `yaml:"labels"`
	// Severity is critical, high, warning or info.
	Severity incident.Severity `yaml:"severity"`
	// Impact is "down" if the service answers nobody.
	Impact string `yaml:"impact"`
	// SymptomOf are rules whose alerts explain this one.
	SymptomOf []string `yaml:"symptom_of"`
	// Resolves is {on_clear: FILTER}, {on_quiet: {after, alive: FILTER}} or by_hand.
	Resolves config.Node `yaml:"resolves"`
	// For is how long entries must have gone on.
	For setting.Duration `yaml:"for"`
	// Annotations are templates: summary, description, runbook_url.
	Annotations map[string]string `yaml:"annotations"`
	// Mode is shadow, tell or page; tell if left out.
	Mode string `yaml:"mode"`
	// Cases prove the rule.
	Cases []config.Node `yaml:"cases"`
}

type resolvesSettings struct {
	OnClear string         `yaml:"on_clear"`
	OnQuiet *quietSettings `yaml:"on_quiet"`
}

type quietSettings struct {
	After setting.Duration `yaml:"after"`
	Alive string           `yaml:"alive"`
}

// Read reads one rule file. name stands in the positions. What is right is returned beside the mistakes.
func Read(name string, data []byte) ([]*Rule, config.Errors) {
	root, errs := config.Parse(name, data)
	if len(errs) > 0 {
		return nil, errs
	}
	var file fileSettings
	errs = config.Decode(root, &file)
	var list []*Rule
	lines := linesOf(data)
	for _, n := range file.Rules {
		rd := &reader{node: n, lines: lines}
		if r := rd.rule(); len(rd.errs) == 0 {
			list = append(list, r)
		}
		errs = append(errs, rd.errs...)
	}
	if len(file.Rules) == 0 && len(errs) == 0 {
		errs = append(errs, root.Locate(setting.FieldError{Text: "no rules: the file begins with `rules:` and a list"})...)
	}
	return list, errs.Sorted()
}

// Together checks what only all rules at once can show: names given twice, causes that are not there.
func Together(list []*Rule) config.Errors {
	var errs config.Errors
	first := map[string]*Rule{}
	var names []string
	for _, r := range list {
		if f := first[r.Name]; f != nil {
			errs = append(errs, config.Error{Position: r.Position, Text: fmt.Sprintf("rule %q is there already, at %s:%d: give it another name", r.Name, f.Position.File, f.Position.Line)})
			continue
		}
		first[r.Name] = r
		names = append(names, r.Name)
	}
	for _, r := range list {
		for _, cause := range r.SymptomOf {
			if first[cause] == nil {
				errs = append(errs, config.Error{Position: r.Position, Text: fmt.Sprintf("rule %q: symptom_of: %s", r.Name, setting.Unknown("rule", cause, names))})
			}
		}
	}
	return errs.Sorted()
}

// reader reads one rule and collects what is wrong with it.
type reader struct {
	node    config.Node
	lines   [][]byte // of the file
	written []written
	errs    config.Errors
}

// spot is where the text of that path stands.
func (rd *reader) spot(path, text string) spot {
	return spot{position: rd.node.At(path), lines: rd.lines, text: text}
}

func (rd *reader) fail(path, format string, args ...any) {
	rd.errs = append(rd.errs, rd.node.Locate(setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})...)
}

func (rd *reader) rule() *Rule {
	var set ruleSettings
	rd.errs = config.Decode(rd.node, &set)
	r := &Rule{
		Name: set.Name, Severity: set.Severity, Mode: incident.Mode(set.Mode), Impact: set.Impact, Sources: set.Sources, Labels: set.Labels,
		SymptomOf: set.SymptomOf, For: set.For.Std(), Position: rd.node.At("name"), extra: map[string]*lql.Filter{}, fields: map[string]lql.Path{},
		annotations: map[string]*words.Annotation{},
	}
	rd.plain(&set, r)
	rd.maxGroups(&set, r)
	r.Filter = rd.filter("filter", set.Filter)
	rd.detect(&set, r)
	rd.groupBy(&set, r)
	for _, name := range sortedKeys(set.Annotations) {
		a, err := words.NewAnnotation(set.Annotations[name])
		if err != nil {
			rd.fail("annotations."+name, "%v", err)
			continue
		}
		r.wantsEntry = r.wantsEntry || strings.Contains(set.Annotations[name], ".Entry")
		r.annotations[name] = a
	}
	rd.resolves(&set, r)
	if r.Mode == incident.Page && r.Filter != nil {
		for _, text := range unpinned(r.Filter, r.Sources) {
			rd.fail("filter", "%s", text)
		}
		for _, name := range sortedKeys(r.extra) { // what ends the wait, or completes it, must be from there too
			for _, text := range unpinned(r.extra[name], r.Sources) {
				rd.fail("detect", "%s: %s", name, text)
			}
		}
	}
	for i, n := range set.Cases {
		c, errs := readCase(n)
		if c.Name == "" {
			rd.fail(fmt.Sprintf("cases.%d", i), "name is missing: say what the case shows")
		}
		rd.errs = append(rd.errs, errs...)
		r.Cases = append(r.Cases, c)
	}
	if len(rd.errs) > 0 {
		return nil
	}
	r.written, r.node, r.groups = rd.written, rd.node, set.GroupBy
	r.Hash = hash(set.Filter, string(set.Detect.JSON()), groupText(set.GroupBy), set.For.Std().String())
	return r
}

// plain checks the settings that stand for themselves.
func (rd *reader) plain(set *ruleSettings, r *Rule) {
	switch {
	case set.Name == "":
		rd.fail("", "name is missing: call the rule by what it finds, such as name: hook-crash-loop")
	case set.Name == incident.DeclaredRule:
		rd.fail("name", "%q is the rule of what people declare by hand: call this one by what it finds, such as hook-crash-loop", set.Name)
	case !validName(set.Name):
		rd.fail("name", "%q is not a rule's name: lower-case letters, digits and dashes, such as hook-crash-loop", set.Name)
	}
	if set.Severity == 0 && rd.node.Get("severity").IsZero() {
		rd.fail("", "severity is missing: critical pages oncall, high tells the channel that people read, warning the one that few read, info the web page")
	}
	switch r.Mode {
	case "":
		r.Mode = incident.Tell
	case incident.Shadow, incident.Tell, incident.Page:
	default:
		rd.fail("mode", "%s", setting.Unknown("mode", set.Mode, []string{"shadow", "tell", "page"}))
	}
	if set.Impact != "" && set.Impact != incident.Down {
		rd.fail("impact", "%q is no impact: write down if the service answers nobody, or leave it out", set.Impact)
	}
	if set.For < 0 {
		rd.fail("for", "%s is negative", set.For)
	}
	for name := range set.Labels {
		if !validLabel(name) {
			rd.fail("labels."+name, "%q is no label's name: letters, digits and underscores, not a digit first", name)
		}
	}
}

func (rd *reader) filter(path, text string) *lql.Filter {
	if text == "" {
		rd.fail("", "%s is missing: write it in the Logging query language, such as %s: 'severity>=ERROR resource.type=\"k8s_container\"'", path, path)
		return nil
	}
	f, err := lql.Parse(text)
	if err != nil {
		for _, e := range flatten(err) {
			rd.errs = append(rd.errs, config.Error{Position: rd.spot(path, text).near(e), Text: fmt.Sprintf("%s: %v", path, e)})
		}
		return nil
	}
	rd.written = append(rd.written, written{name: path, filter: f, at: rd.spot(path, text)})
	return f
}

// flatten takes a list of errors apart.
func flatten(err error) []error {
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		return many.Unwrap()
	}
	return []error{err}
}

func (rd *reader) detect(set *ruleSettings, r *Rule) {
	if set.Detect.IsZero() {
		rd.fail("", "detect is missing: say what to look for in what matches, such as detect: {threshold: {count: 1, window: 5m}}")
		return
	}
	kind, spec, errs := config.DecodeKind(set.Detect, "detection", detectors.Kinds)
	rd.errs = append(rd.errs, errs...)
	if len(errs) > 0 || spec == nil {
		return
	}
	r.detect, r.traits = spec, spec.Traits()
	r.kind, r.settings = kind, string(set.Detect.Get(kind).JSON())
	for _, g := range r.traits.Groups {
		if r.listed == nil {
			r.listed = map[string]bool{}
		}
		r.listed[g.Text()] = true
	}
	for _, name := range sortedKeys(spec.Filters()) {
		path, text := "detect."+kind+"."+name, spec.Filters()[name]
		f := rd.filter(path, text)
		if f != nil && r.traits.Narrowed && r.Filter != nil {
			var err error
			if f, err = lql.Parse("(" + set.Filter + "\n)\n(" + text + "\n)"); err != nil {
				rd.fail(path, "with the rule's own filter: %v", err)
			}
		}
		if f != nil {
			r.extra[name] = f
		}
	}
	for _, name := range sortedKeys(spec.Fields()) {
		p, err := lql.ParsePath(spec.Fields()[name])
		if err != nil {
			rd.fail("detect."+kind+"."+name, "%v", err)
			continue
		}
		r.fields[name] = p
		rd.written = append(rd.written, written{name: "detect", path: p, at: rd.spot("detect", "")})
	}
	if r.traits.NoFor != "" && r.For != 0 {
		rd.fail("for", "%s", r.traits.NoFor)
	}
}

func (rd *reader) groupBy(set *ruleSettings, r *Rule) {
	for _, name := range sortedKeys(set.GroupBy) {
		at := "group_by." + name
		if !validLabel(name) {
			rd.fail(at, "%q is no label's name: letters, digits and underscores, not a digit first", name)
		}
		n := set.GroupBy[name]
		list := n.Items()
		if n.Kind() == config.Scalar {
			list = []config.Node{n}
		}
		if len(list) == 0 {
			rd.fail(at, "write a path, such as resource.labels.cluster_name, or a list of paths of which the first that is there counts")
		}
		g := groupLabel{name: name}
		for _, item := range list {
			text, _ := item.Scalar()
			stands := spot{position: item.Position(), lines: rd.lines, text: text}
			p, err := lql.ParsePath(text)
			if err != nil {
				rd.errs = append(rd.errs, config.Error{Position: stands.near(err), Text: err.Error()})
				continue
			}
			g.paths = append(g.paths, p)
			rd.written = append(rd.written, written{name: at, path: p, at: stands})
		}
		r.groupBy = append(r.groupBy, g)
	}
}

// minQuiet is how long quiet must last at least where a rule does not say when its alerts resolve.
const minQuiet = 10 * time.Minute

func (rd *reader) resolves(set *ruleSettings, r *Rule) {
	if word, ok := set.Resolves.Scalar(); ok {
		if word != "by_hand" {
			rd.fail("resolves", "%s", setting.Unknown("way to resolve", word, []string{"by_hand", "on_clear", "on_quiet"}))
		}
		r.resolves.kind = byHand
		return
	}
	var how resolvesSettings
	if !set.Resolves.Get("by_hand").IsZero() {
		rd.fail("resolves", "by_hand stands alone: write resolves: by_hand")
		return
	}
	if !set.Resolves.IsZero() {
		rd.errs = append(rd.errs, config.Decode(set.Resolves, &how)...)
	}
	switch {
	case r.traits.Ends:
		r.resolves.kind = onEnd
		if how.OnClear != "" || how.OnQuiet != nil {
			rd.fail("resolves", "the detector says itself when it is over: leave resolves out, or write by_hand")
		}
	case r.traits.Silence:
		r.resolves.kind = onEntry
		if how.OnClear != "" || how.OnQuiet != nil {
			rd.fail("resolves", "an absence ends with the next entry: leave resolves out")
		}
	case how.OnClear != "" && how.OnQuiet != nil:
		rd.fail("resolves", "on_clear and on_quiet exclude each other: keep one")
	case how.OnClear != "":
		r.resolves = resolves{kind: onClear, clear: rd.filter("resolves.on_clear", how.OnClear)}
	default:
		rd.quiet(how.OnQuiet, r)
	}
}

func (rd *reader) quiet(q *quietSettings, r *Rule) {
	r.resolves.kind, r.resolves.after = onQuiet, minQuiet
	r.resolves.after = max(minQuiet, 2*r.window())
	if r.Filter != nil {
		r.resolves.alive = r.Filter.Own()
	}
	if q == nil {
		return
	}
	if q.After <= 0 {
		rd.fail("resolves.on_quiet", "after is missing: say how long it must be quiet, such as after: 20m")
	}
	r.resolves.after = q.After.Std()
	if q.Alive != "" {
		r.resolves.alive = rd.filter("resolves.on_quiet.alive", q.Alive)
	}
}

func validName(s string) bool {
	for i, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || i == 0) {
			return false
		}
	}
	return len(s) <= 100
}

func validLabel(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9' || i == 0) {
			return false
		}
	}
	return s != ""
}
