package routing

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
)

// MostWindow is how long one run of a maintenance window may last.
const MostWindow = 72 * time.Hour

// Window is a maintenance window's settings: what it hides is recorded and not told while one of its times holds.
type Window struct {
	// During are time intervals by name: it is in force in each of them. A run of them lasts 72h at most.
	During []string `yaml:"during"`
	// Matchers are Alertmanager's, asked of an alert's labels, its rule and its severity; all of them must hold.
	Matchers []string `yaml:"matchers"`
	// Reason is said to whoever asks why nothing was told.
	Reason string `yaml:"reason"`
}

// Inhibition is a rule of Alertmanager's form: what target_matchers match is not told while an incident that is told has an alert that
// source_matchers match.
type Inhibition struct {
	// SourceMatchers and TargetMatchers are asked of an alert's labels, its rule and its severity; all of them must hold.
	SourceMatchers []string `yaml:"source_matchers"`
	TargetMatchers []string `yaml:"target_matchers"`
	// Equal are labels that both have alike; one that is missing is empty.
	Equal []string `yaml:"equal"`

	// What Alertmanager knows and tocsin refuses, saying why.
	SourceMatch   any `yaml:"source_match,refused"`
	SourceMatchRE any `yaml:"source_match_re,refused"`
	TargetMatch   any `yaml:"target_match,refused"`
	TargetMatchRE any `yaml:"target_match_re,refused"`
}

// window is a Window, compiled.
type window struct {
	name     string
	times    Intervals
	matchers Matchers
	reason   string
}

func (w Window) compile(name string, intervals map[string]Intervals) (window, []setting.FieldError) {
	out := window{name: name, reason: strings.TrimSpace(w.Reason)}
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	m, mistakes := ParseMatchers(w.Matchers)
	out.matchers = m
	errs = append(errs, within("matchers", mistakes)...)
	if out.reason == "" {
		wrong("reason", "is missing: say why nothing is told then, others will ask")
	}
	if len(w.During) == 0 {
		wrong("during", "is missing: name the time intervals in which it is in force")
	}
	for i, name := range w.During {
		times, ok := intervals[name]
		if !ok {
			wrong(fmt.Sprintf("during.%d", i), "%s", setting.Unknown("time interval", name, slices.Sorted(maps.Keys(intervals))))
		}
		out.times.entries = append(out.times.entries, times.entries...)
	}
	if at, long := out.times.longer(MostWindow); long {
		wrong("during", "it is in force for more than %s from %s on: a window ends; what is to stay quiet is a route to none, or is no rule", days(MostWindow), at.Format("2006-01-02 15:04 UTC"))
	}
	return out, errs
}

// inhibition is an Inhibition, compiled.
type inhibition struct {
	source, target Matchers
	equal          []string
}

func (i Inhibition) compile() (inhibition, []setting.FieldError) {
	out := inhibition{equal: i.Equal}
	var errs, mistakes []setting.FieldError
	for _, refused := range []struct {
		name  string
		value any
		write string
	}{
		{"source_match", i.SourceMatch, "source_matchers"}, {"source_match_re", i.SourceMatchRE, "source_matchers"},
		{"target_match", i.TargetMatch, "target_matchers"}, {"target_match_re", i.TargetMatchRE, "target_matchers"},
	} {
		if refused.value != nil {
			errs = append(errs, setting.FieldError{Path: refused.name,
				Text: fmt.Sprintf("%s is not known here: write %s, such as %s: ['severity=\"critical\"']", refused.name, refused.write, refused.write)})
		}
	}
	out.source, mistakes = ParseMatchers(i.SourceMatchers)
	errs = append(errs, within("source_matchers", mistakes)...)
	out.target, mistakes = ParseMatchers(i.TargetMatchers)
	errs = append(errs, within("target_matchers", mistakes)...)
	for n, name := range i.Equal {
		if strings.TrimSpace(name) == "" {
			errs = append(errs, setting.FieldError{Path: fmt.Sprintf("equal.%d", n), Text: "is empty: write a label's name"})
		}
	}
	return out, errs
}

// hides says whether the source, an alert of another incident, hides the target. What is worse than its source is not hidden.
func (i inhibition) hides(source, target *incident.Alert, targetLabels incident.Labels) bool {
	if source.Severity < target.Severity {
		return false
	}
	labels := LabelsOf(source)
	return i.source.Match(labels) && !slices.ContainsFunc(i.equal, func(name string) bool { return labels[name] != targetLabels[name] })
}

// longer says from when on the intervals hold for more than a time, if they ever do: in a dozen years from 2026 on, looked at every six
// hours.
func (s Intervals) longer(most time.Duration) (from time.Time, yes bool) {
	const step = 6 * time.Hour
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for t := start; t.Before(start.AddDate(12, 0, 0)); t = t.Add(step) {
		if !s.Contains(t) {
			from = time.Time{}
			continue
		}
		if from.IsZero() {
			from = t
		}
		if t.Sub(from) >= most && s.whole(from, t) {
			return from, true
		}
		if t.Sub(from) >= most {
			from = t // it is many short ones
		}
	}
	return from, false
}

// whole says whether all of a stretch is within.
func (s Intervals) whole(from, to time.Time) bool {
	for ; from.Before(to); from = from.Add(time.Minute) {
		if !s.Contains(from) {
			return false
		}
	}
	return true
}

// begins is when the intervals hold next within the coming day; zero if they do not.
func (s Intervals) begins(t time.Time) time.Time {
	var least time.Time
	for _, e := range s.entries {
		least = earliest(least, e.next(t, t.Add(24*time.Hour)))
	}
	return least
}

// earliest is the earlier of two times, of which zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
