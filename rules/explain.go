package rules

import (
	"fmt"
	"time"

	"tocsin/detectors"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/words"
)

// Answer is what one filter of a rule says of an entry.
type Answer struct {
	// Name is the filter's key in the rule: filter, detect, resolves.on_clear, resolves.on_quiet.alive. Of several filters of a detector
	// Role tells which; it is "" for all others.
	Name, Role string
	lql.Clause
}

// Answers are what the rule's filters say of an entry, its own first.
func (r *Rule) Answers(e *logs.Entry) []Answer {
	out := []Answer{{Name: "filter", Clause: r.Filter.Explain(e)}}
	for _, name := range sortedKeys(r.extra) {
		out = append(out, Answer{Name: "detect", Role: name, Clause: r.extra[name].Explain(e)})
	}
	if r.resolves.clear != nil {
		out = append(out, Answer{Name: "resolves.on_clear", Clause: r.resolves.clear.Explain(e)})
	}
	if r.resolves.alive != nil {
		out = append(out, Answer{Name: "resolves.on_quiet.alive", Clause: r.resolves.alive.Explain(e)})
	}
	return out
}

// Grouped is a label of group_by as an entry gives it.
type Grouped struct {
	Label string
	// Path is the one that gave the value, Paths are all that were tried.
	Path  string
	Paths []string
	Value string
	// There says whether any of the paths is in the entry.
	There bool
}

// Grouping says how an entry's group comes about.
func (r *Rule) Grouping(e *logs.Entry) []Grouped {
	var out []Grouped
	for _, g := range r.groupBy {
		one := Grouped{Label: g.name}
		for _, p := range g.paths {
			one.Paths = append(one.Paths, p.String())
			if v, ok := p.Text(e); ok && !one.There {
				one.Path, one.Value, one.There = p.String(), bound(v, maxLabel), true
			}
		}
		out = append(out, one)
	}
	return out
}

// Supposed is the alert that the rule would let fire of an entry, were it the one that completes what it looks for.
func (r *Rule) Supposed(e *logs.Entry) incident.Alert {
	group := r.group(e)
	h := Hit{Rule: r, Entry: e, Group: group, Key: incident.Key{Rule: r.Name, Group: group.Text()}}
	st := &State{Group: group}
	st.Gathered.gather(h, e.Time())
	a := incident.Alert{Key: h.Key, State: incident.Firing, Labels: incident.Labels{}, Severity: r.Severity, Mode: r.Mode, Impact: r.Impact,
		SymptomOf: r.SymptomOf, First: e.Time(), Last: e.Time(), Identity: st.Gathered.Identity, FiredAt: e.Clock, Count: 1, FirstLine: st.Gathered.FirstOne,
		Lines: st.Gathered.Newest}
	for _, from := range []incident.Labels{st.Gathered.Labels, r.Labels, group} {
		for k, v := range from {
			a.Labels[k] = v
		}
	}
	a.Annotations, _ = r.annotate(&a, e, 0)
	return a
}

// Detection is what the rule looks for: the kind, and its settings as JSON.
func (r *Rule) Detection() (kind, settings string) { return r.kind, r.settings }

// Silence says whether it fires for want of entries.
func (r *Rule) Silence() bool { return r.detect.Traits().Silence }

// Window is how long an entry matters to the rule.
func (r *Rule) Window() time.Duration { return r.window() }

// Resolving is how an alert of the rule ends, in words.
func (r *Rule) Resolving() string {
	switch r.resolves.kind {
	case onQuiet:
		return fmt.Sprintf("after %s without a match, if an entry shows the group alive", words.Duration(r.resolves.after))
	case onClear:
		return "at an entry that on_clear matches"
	case onEntry:
		return "at the group's next entry"
	case onEnd:
		return "once what is compared has been well for long enough"
	}
	return "by hand"
}

// Detector is the detector of a state as it is stored, to be asked; nil if the state cannot be read.
func (r *Rule) Detector(st *State) detectors.Detector {
	d, err := r.detect.New(st.Detector)
	if err != nil {
		return nil
	}
	return d
}
