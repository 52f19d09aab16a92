package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/detectors"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/sources"
	"tocsin/internal/words"
	"tocsin/rules"
)

func sortedKinds(p *Plan) []string { return slices.Sorted(maps.Keys(p.Kinds)) }

// sourceGate says which of the sources read an entry; from are those that do or may.
func (p *Plan) sourceGate(e *logs.Entry, named string) (from []string, g Gate) {
	g = Gate{Gate: "source", Answer: No}
	var texts, refusals []string
	for _, name := range sortedKinds(p) {
		if named != "" && name != named {
			continue
		}
		answer, text := reads(name, p.Sources[name], e)
		text = fmt.Sprintf("%s (%s) %s", name, p.Kinds[name], text)
		if answer == No {
			refusals = append(refusals, text)
			continue
		}
		from, texts = append(from, name), append(texts, text)
		if answer == Yes || g.Answer == No {
			g.Answer = answer
		}
	}
	switch {
	case len(texts) > 0:
		g.Text = strings.Join(texts, "; ")
	case len(refusals) > 0:
		g.Text = "none reads it: " + strings.Join(refusals, "; ")
	default:
		g.Answer, g.Text = May, "the configuration has none: replay and test read entries from files"
	}
	return from, g
}

// reads says whether a source reads an entry.
func reads(name string, spec sources.Spec, e *logs.Entry) (answer, text string) {
	switch s := spec.(type) {
	case *sources.CloudLogging:
		project := e.Project()
		i := slices.IndexFunc(s.ResourceNames, func(r string) bool { return r == "projects/"+project || strings.HasPrefix(r, "projects/"+project+"/") })
		switch {
		case i < 0 && !slices.ContainsFunc(s.ResourceNames, func(r string) bool { return !strings.HasPrefix(r, "projects/") }):
			return No, fmt.Sprintf("reads %s, the entry is of the project %q", strings.Join(s.ResourceNames, ", "), project)
		case s.Filter != "":
			if f, err := lql.Parse(s.Filter); err == nil && !f.Match(e) {
				return No, "has a filter that says no: " + refusal(f.Explain(e))
			}
		}
		if i < 0 {
			return May, "may read it: it reads " + strings.Join(s.ResourceNames, ", ")
		}
		return Yes, "reads " + s.ResourceNames[i]
	case *sources.HTTPProbe:
		if probe := e.Root.Get("labels").Get("probe").Text(); probe != name || !strings.HasSuffix(e.LogName(), "tocsin%2Fprobe") {
			return No, "makes the entries of its own probe alone"
		}
		return Yes, "makes it"
	}
	return May, "reads what is written to it"
}

// parseGate says what was made out of the bytes.
func parseGate(e *logs.Entry) Gate {
	g := Gate{Gate: "parse", Answer: Yes}
	form := "a LogEntry"
	switch {
	case e.Broken:
		g.Answer, form = No, "broken (cut, not UTF-8, or nested too deep), and kept as text"
	case e.LogName() == "" && e.Root.Get("textPayload").Kind == logs.String && !strings.HasPrefix(strings.TrimSpace(string(e.Raw)), "{"):
		form = "plain text, under textPayload"
	case !strings.Contains(string(e.Raw), `"jsonPayload"`) && e.Root.Get("jsonPayload").Kind == logs.Object:
		form = "a JSON log line, under jsonPayload"
	}
	dated := "it has no time: it is taken for one of when it is read"
	if !e.Timestamp.IsZero() {
		dated = "of " + e.Timestamp.UTC().Format(time.RFC3339Nano)
		if late := e.ReceiveTimestamp.Sub(e.Timestamp); !e.ReceiveTimestamp.IsZero() && late >= time.Minute {
			dated += ", received " + words.Duration(late) + " later"
		}
	}
	g.Text = form + ", " + dated
	if severity := e.Root.Get("severity").Text(); severity != "" {
		g.Text += ", severity " + clip(severity)
	}
	return g
}

// sourcesGate says whether a rule is asked of where the entry is from.
func sourcesGate(r *rules.Rule, from []string, configured int) Gate {
	g := Gate{Gate: "sources", Answer: Yes, Text: "the rule is asked of every source"}
	if len(r.Sources) == 0 {
		return g
	}
	asked := strings.Join(r.Sources, ", ")
	switch {
	case configured == 0:
		g.Answer, g.Text = May, "the rule is asked only of "+asked
	case !slices.ContainsFunc(from, func(name string) bool { return slices.Contains(r.Sources, name) }):
		g.Answer, g.Text = No, "the rule is asked only of "+asked
	default:
		g.Text = "the rule is asked of " + asked
	}
	return g
}

// groupGate says to which group the entry belongs.
func groupGate(labels []rules.Grouped) Gate {
	g := Gate{Gate: "group", Answer: Yes, Text: "all are one group"}
	if len(labels) == 0 {
		return g
	}
	var parts []string
	for _, l := range labels {
		if !l.There {
			parts = append(parts, fmt.Sprintf("%s is missing: none of %s is there", l.Label, strings.Join(l.Paths, ", ")))
			continue
		}
		parts = append(parts, fmt.Sprintf("%s=%q of %s", l.Label, l.Value, l.Path))
	}
	g.Text = strings.Join(parts, "; ")
	return g
}

// detectGates say what the detector makes of this entry alone, and whether it has lasted.
func detectGates(r *rules.Rule, e *logs.Entry, passes bool) ([]Gate, error) {
	g := Gate{Gate: "detect", Answer: No, Text: detectionOf(r)}
	if !passes {
		g.Answer = May
		return []Gate{g}, nil
	}
	st, fired, err := alone(r, e)
	if err != nil {
		return nil, err
	}
	if st != nil {
		g.Text += ": " + standingOf(r, st)
	}
	holds := fired
	if st != nil && !fired {
		d := r.Detector(st)
		holds = d != nil && d.Holds()
	}
	switch {
	case r.Silence():
		g.Text += "; it fires for want of entries: this one keeps it from firing, or ends its alert"
	case holds:
		g.Answer = Yes
	default:
		g.Text += "; this entry alone is not enough (--at TIME --rule " + r.Name + " asks what others were there)"
	}
	gates := []Gate{g}
	if r.For > 0 {
		f := Gate{Gate: "for", Answer: Yes, Text: "it has lasted " + words.Duration(r.For)}
		if !fired {
			f.Answer, f.Text = No, fmt.Sprintf("it must last %s: it fires at an entry so long after the first of its run, none of them more than %s from the next",
				words.Duration(r.For), words.Duration(r.Window()))
		}
		gates = append(gates, f)
	}
	return gates, nil
}

// detectionOf is a rule's detection as it is written.
func detectionOf(r *rules.Rule) string {
	kind, settings := r.Detection()
	return kind + " " + clip(settings)
}

// standingOf is what a detector says of a state.
func standingOf(r *rules.Rule, st *rules.State) string {
	d := r.Detector(st)
	switch told, ok := d.(detectors.Standing); {
	case d == nil:
		return "its state cannot be read: it begins anew"
	case ok:
		return told.Standing()
	}
	text := "it does not hold"
	if d.Holds() {
		text = "it holds"
	}
	if v := d.Value(); v != 0 {
		text += fmt.Sprintf(", at %.4g", v)
	}
	return text
}

// alone plays one entry to a rule that has seen nothing before.
func alone(r *rules.Rule, e *logs.Entry) (st *rules.State, fired bool, err error) {
	set := rules.NewSet([]*rules.Rule{r})
	hits, _, err := set.Scan(logs.Batch{Data: append(slices.Clone(e.Raw), '\n'), Received: e.Clock}, time.Time{}, rules.Firing{})
	if err != nil {
		return nil, false, fmt.Errorf("ask rule %s: %w", r.Name, err)
	}
	out, err := (&rules.Evaluator{Set: set}).Step(rules.Slice{Hits: hits, Watermark: e.Clock,
		Load:  func(incident.Key) (*rules.State, error) { return nil, nil },
		Sight: func(string) (time.Time, bool) { return time.Time{}, true }})
	if err != nil {
		return nil, false, fmt.Errorf("ask rule %s: %w", r.Name, err)
	}
	for _, found := range out.States {
		if st, err = stored(found); err != nil {
			return nil, false, err
		}
	}
	fired = slices.ContainsFunc(out.Changes, func(c rules.Change) bool { return c.Kind == rules.Fired })
	return st, fired, nil
}

// stored is a state as it would be read again.
func stored(st *rules.State) (*rules.State, error) {
	b, err := st.Encode()
	if err != nil {
		return nil, err
	}
	return rules.DecodeState(b)
}
