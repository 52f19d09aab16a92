package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/detectors"
	"tocsin/internal/config"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/words"
)

// lints are what is allowed in a rule and probably not meant, beside what its filters say.
func (r *Rule) lints() config.Errors {
	var out config.Errors
	warn := func(path, format string, args ...any) {
		out = append(out, r.node.KeyAt(path).Errorf("rule %s: %s: %s", r.Name, path, fmt.Sprintf(format, args...)))
	}
	branches, err := r.Filter.Branches()
	if err != nil {
		branches = nil // too many to be judged
	}
	if why := neverHolds(branches); why != "" {
		warn("filter", "the rule can never fire: %s", why)
	}
	if why := r.neverDistinct(branches); why != "" {
		warn("detect", "the rule can never fire: %s", why)
	}
	if r.For > r.window() && r.window() < backOff && len(branches) > 0 && !slices.ContainsFunc(branches, func(b []lql.Term) bool { return !ofContainer(b) }) {
		warn("for", "a pod that restarts in back-off speaks every 303 s: with a window of %s its entries are no run, and never last; write a window of 330s or more", r.window())
	}
	for _, g := range r.groupBy {
		why := ""
		for _, p := range g.paths {
			if why == "" {
				why = unbounded(p)
			}
		}
		if why == "" {
			why = r.missing(g, branches)
		}
		if why != "" {
			warn("group_by."+g.name, "%s", why)
		}
	}
	if kind, _ := r.Detection(); kind == "threshold" && r.Severity == incident.Critical && r.detectsOne() && r.resolves.kind == onQuiet && r.node.Get("resolves").Get("on_quiet").Get("alive").IsZero() {
		warn("severity", "one entry makes it critical, and %s of quiet end it: what is dead is quiet too; say in resolves.on_quiet.alive what only the living write, or resolve by on_clear or by_hand", r.resolves.after)
	}
	if r.traits.Judged && r.wantsEntry {
		warn("annotations", ".Entry is nothing here: time decides, no entry lets it fire; write .Value, .Labels or .List")
	}
	if q, ok := r.detect.(*detectors.Sequence); ok && q.Missing && r.resolves.kind == onQuiet && r.resolves.after <= r.window() {
		warn("resolves", "quiet is counted from the first that waited in vain, and told once it has waited for %s: after %s it is over as soon as it is told; write a longer one", q.Within, words.Duration(r.resolves.after))
	}
	return out
}

// backOff is the shortest window in which what restarts in back-off speaks twice, with some seconds to spare.
const backOff = 330 * time.Second

// neverHolds says why no branch of a filter can hold; "" if one may.
func neverHolds(branches [][]lql.Term) string {
	why := ""
	for _, b := range branches {
		text := contradiction(b)
		if text == "" {
			return ""
		}
		if why == "" {
			why = text
		}
	}
	return why
}

// contradiction finds two terms of a branch that never hold together; "" for none.
func contradiction(branch []lql.Term) string {
	for i, a := range branch {
		for _, b := range branch[:i] {
			if a.Path != b.Path || a.Path == "" || a.Converted || b.Converted {
				continue
			}
			same := strings.EqualFold(a.Value, b.Value)
			switch {
			case a.Op == b.Op && same && a.Quoted == b.Quoted && a.Negated != b.Negated:
				return fmt.Sprintf("it asks for %s and for its contrary", shown(b))
			case a.Negated || b.Negated || !single(a.Path):
			case a.Op == "=" && b.Op == "=" && !same:
				return fmt.Sprintf("%s and %s never hold together", shown(b), shown(a))
			case a.Path == "severity" && apart(a, b):
				return fmt.Sprintf("%s and %s never hold together", shown(b), shown(a))
			}
		}
	}
	return ""
}

// shown is a term for a message.
func shown(t lql.Term) string {
	not := ""
	if t.Negated {
		not = "NOT "
	}
	if t.Op == "()" {
		return fmt.Sprintf("%s%s(%q)", not, t.Path, t.Value)
	}
	if t.Quoted {
		return fmt.Sprintf("%s%s%s%q", not, t.Path, t.Op, t.Value)
	}
	return not + t.Path + t.Op + t.Value
}

// single says whether a path has one value at the most: what is in a payload may be a list, of which each element is asked.
func single(path string) bool {
	first, _, _ := strings.Cut(path, ".")
	return slices.Contains([]string{"resource", "labels", "severity", "logName", "httpRequest", "insertId", "trace", "spanId", "textPayload", "timestamp"}, first)
}

// severityOrder are the severities of entries, lowest first.
var severityOrder = []string{"DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"}

// apart says whether two comparisons of the severity have none in common.
func apart(a, b lql.Term) bool {
	holds := func(t lql.Term, at int) bool {
		value := slices.Index(severityOrder, strings.ToUpper(t.Value))
		switch t.Op {
		case "=":
			return at == value
		case ">=":
			return at >= value
		case ">":
			return at > value
		case "<=":
			return at <= value
		case "<":
			return at < value
		}
		return true
	}
	known := func(t lql.Term) bool { return slices.Contains(severityOrder, strings.ToUpper(t.Value)) }
	if !known(a) || !known(b) {
		return false
	}
	for at := range severityOrder {
		if holds(a, at) && holds(b, at) {
			return false
		}
	}
	return true
}

// detectsOne says whether one entry is enough for the detector.
func (r *Rule) detectsOne() bool {
	count := r.node.Get("detect").Get(r.kind).Get("count")
	text, ok := count.Scalar()
	return r.For == 0 && (!ok && count.IsZero() || text == "1") && r.node.Get("detect").Get(r.kind).Get("distinct").IsZero() &&
		r.node.Get("detect").Get(r.kind).Get("sum").IsZero() && r.node.Get("detect").Get(r.kind).Get("percentile").IsZero()
}

// neverDistinct says why a threshold never sees as many values as it wants; "" if it may.
func (r *Rule) neverDistinct(branches [][]lql.Term) string {
	settings := r.node.Get("detect").Get(r.kind)
	path, ok := settings.Get("distinct").Scalar()
	if r.kind != "threshold" || !ok || len(branches) == 0 {
		return ""
	}
	p, err := lql.ParsePath(path)
	if err != nil {
		return ""
	}
	values := map[string]bool{}
	for _, b := range branches {
		pinned := ""
		for _, t := range b {
			if t.Op == "=" && !t.Negated && !t.Converted && t.Path == p.String() && single(t.Path) {
				pinned = t.Value
			}
		}
		if pinned == "" {
			return ""
		}
		values[strings.ToLower(pinned)] = true
	}
	count := 1
	if text, ok := settings.Get("count").Scalar(); ok {
		if _, err := fmt.Sscan(text, &count); err != nil {
			return ""
		}
	}
	if len(values) >= count {
		return ""
	}
	return fmt.Sprintf("it wants %d different values of %s, and its filter lets %d through", count, path, len(values))
}

// ofContainer says whether a branch asks for what a container, or a pod's events, write; not if it asks for events by a reason that is none of
// a container that restarts, such as FailedMount.
func ofContainer(branch []lql.Term) bool {
	for _, t := range branch {
		if t.Path == "jsonPayload.reason" && t.Op == "=" && !t.Negated && !strings.EqualFold(t.Value, "BackOff") {
			return false
		}
	}
	return slices.Contains([]string{"k8s_container", "k8s_pod", "container"}, kindOf(branch))
}

// kindOf is the kind of resource that a branch pins; "" for none.
func kindOf(branch []lql.Term) string {
	for _, t := range branch {
		if t.Path == "resource.type" && t.Op == "=" && !t.Negated {
			return t.Value
		}
	}
	return ""
}

// The names, lower case and without what joins their words, of fields that have a value of their own for each entry, and of those that
// have one for each pod.
var (
	perEntry = []string{"insertid", "timestamp", "receivetimestamp", "trace", "spanid", "textpayload", "uid", "uuid", "guid", "eventguid", "requestid", "traceid", "latency", "time", "ts", "responsesize"}
	perPod   = []string{"podname", "podid"}
)

// unbounded says why a label of that path gives groups without end; "" if it need not.
func unbounded(p lql.Path) string {
	names := p.Names()
	if len(names) == 0 || strings.Contains(p.String(), "(") { // a piece of it may be what is meant
		return ""
	}
	last := strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "").Replace(names[len(names)-1]))
	switch {
	case slices.Contains(perEntry, last):
		return fmt.Sprintf("%s is another for nearly every entry, and each value is a group of its own: group by what is wrong, a service or a cluster, and collect this with list", p)
	case slices.Contains(perPod, last) && names[0] == "resource":
		return fmt.Sprintf("%s is another after each restart or rollout, and each pod is an alert of its own: group by the controller, or take the stable part with regexp_extract", p)
	}
	return ""
}

// labelsOf are the labels that entries of a kind of resource have; a kind that is not here is not known.
var labelsOf = map[string][]string{
	"k8s_container": {"project_id", "location", "cluster_name", "namespace_name", "pod_name", "container_name"},
	"k8s_pod":       {"project_id", "location", "cluster_name", "namespace_name", "pod_name"},
	"k8s_node":      {"project_id", "location", "cluster_name", "node_name"},
	"k8s_cluster":   {"project_id", "location", "cluster_name"},
	"uptime_url":    {"project_id", "host"},
}

// missing says why entries that the filter lets through may lack the one path of a label; "" if they have it, or if that cannot be told. Who
// lists several paths, or takes a piece of one, has thought of it; what only tocsin writes is as tocsin writes it.
func (r *Rule) missing(g groupLabel, branches [][]lql.Term) string {
	if len(g.paths) != 1 || strings.Contains(g.paths[0].String(), "(") || slices.Equal(r.Sources, []string{logs.OwnSource}) {
		return ""
	}
	path := g.paths[0].String()
	for _, b := range branches {
		kind := kindOf(b)
		have, known := labelsOf[kind]
		switch {
		case surely(g.paths[0], b, known):
		case known && strings.HasPrefix(path, "resource.labels."):
			return fmt.Sprintf("a %s has no %s, only %s: its entries are one group, without the label", kind, path, strings.Join(have, ", "))
		default:
			return fmt.Sprintf("entries without %s are one group, without the label: list a path behind it that is always there, or ask for it in the filter: %s:*", path, path)
		}
	}
	return ""
}

// surely says whether an entry of a branch has a path, as far as that can be told: a resource's label is, unless its kind is known not to have it.
func surely(p lql.Path, branch []lql.Term, known bool) bool {
	names := p.Names()
	if demanded(p, branch) {
		return true
	}
	kind := kindOf(branch)
	if len(names) == 3 && names[0] == "resource" && names[1] == "labels" {
		return !known || slices.Contains(labelsOf[kind], names[2])
	}
	return p.String() == "labels.probe" && kind == "uptime_url"
}

// demanded says whether a branch asks for something at a path, so that it is there.
func demanded(p lql.Path, branch []lql.Term) bool {
	path := p.String()
	return slices.ContainsFunc(branch, func(t lql.Term) bool { return t.Path == path && !t.Negated && t.Op != "!=" && t.Op != "!~" })
}

// Alike are the rules that look for the same twice: of each pair the later one is named.
func Alike(list []*Rule) config.Errors {
	var out config.Errors
	first := map[string]*Rule{}
	for _, r := range list {
		key := hash(canonical(r.Filter), strings.Join(r.Sources, ","), groupText(r.groups), r.Severity.String(), r.kind)
		f := first[key]
		if f == nil {
			first[key] = r
			continue
		}
		if slices.Contains(r.SymptomOf, f.Name) || slices.Contains(f.SymptomOf, r.Name) {
			continue
		}
		out = append(out, r.Position.Errorf("rule %s has the filter, the groups and the severity of rule %s, at %s: what one finds the other finds too; keep one, or name one in the other's symptom_of", r.Name, f.Name, f.Position))
	}
	return out
}

// canonical is a filter's text without what makes no difference: the order of its terms, quotes that are not needed.
func canonical(f *lql.Filter) string {
	branches, err := f.Branches()
	if err != nil {
		return f.String()
	}
	var all []string
	for _, b := range branches {
		var terms []string
		for _, t := range b {
			if t.Converted {
				return f.String() // a term does not tell how
			}
			terms = append(terms, fmt.Sprintf("%s %s %q %v %v", t.Path, t.Op, t.Value, t.Negated, t.Value == "*" && t.Quoted))
		}
		slices.Sort(terms)
		all = append(all, strings.Join(slices.Compact(terms), " AND "))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " OR ")
}
