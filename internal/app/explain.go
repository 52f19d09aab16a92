package app

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/setting"
	"tocsin/rules"
)

// The answers of a gate. May is what cannot be told from here: what is open elsewhere, who writes to a file.
const (
	Yes = "yes"
	No  = "no"
	May = "may"
)

// Gate is one thing that stands between an entry and a person.
type Gate struct {
	Gate   string `json:"gate"`
	Answer string `json:"answer"`
	// First says that it is the first that said no: what stands behind it is what would be, did it not.
	First bool   `json:"first_no,omitempty"`
	Text  string `json:"text"`
	// Filter is a filter, clause by clause, with the values it saw.
	Filter *Clause `json:"filter,omitempty"`
	// More are further lines: the steps of a policy, a route's path.
	More []string `json:"more,omitempty"`
}

// Clause is a part of a filter as an entry answered it.
type Clause struct {
	Text   string   `json:"text"`
	Holds  bool     `json:"holds"`
	Saw    []string `json:"saw,omitempty"`
	Absent bool     `json:"absent,omitempty"`
	Items  []Clause `json:"items,omitempty"`
}

// Explained is what becomes of an entry.
type Explained struct {
	Time     time.Time `json:"time"`
	LogName  string    `json:"log_name,omitempty"`
	Severity string    `json:"severity,omitempty"`
	Message  string    `json:"message"`
	// Gates are those before the rules.
	Gates []Gate `json:"gates"`
	// Rules are those that were asked for, or that the entry matters to.
	Rules []RuleExplained `json:"rules"`
	// Near are the others whose filters came nearest, nearest first.
	Near []Missed `json:"near,omitempty"`
	// Others is how many rules are neither.
	Others int `json:"others,omitempty"`
}

// RuleExplained is what a rule makes of an entry, gate by gate.
type RuleExplained struct {
	Rule string `json:"rule"`
	At   string `json:"at"`
	// Told says that somebody would hear.
	Told bool `json:"told"`
	// Verdict is the whole in one line.
	Verdict string `json:"verdict"`
	Gates   []Gate `json:"gates"`
}

// Missed is a rule whose filter said no.
type Missed struct {
	Rule string `json:"rule"`
	// Clauses are the terms that would have to answer otherwise.
	Clauses []Clause `json:"clauses"`
}

// ExplainOptions say what is asked of an entry.
type ExplainOptions struct {
	// Rule is the one to explain; "" for all that the entry matters to.
	Rule string
	// All names the nearest clause of every other rule, not only of the three nearest.
	All bool
	// Source is where the entry is from; "" if that is to be found out.
	Source string
	// Service is what is in force at a running service, for which the entry is one that comes now; nil if it was not asked.
	Service *Serving
}

// ReadEntry reads the one entry that an argument names: a file, - for standard input, or the entry itself as JSON.
func ReadEntry(arg string, stdin io.Reader) (*logs.Entry, error) {
	paths, from := []string{arg}, arg
	if strings.HasPrefix(strings.TrimSpace(arg), "{") {
		paths, from, stdin = []string{"-"}, "it", strings.NewReader(strings.ReplaceAll(arg, "\n", " ")+"\n")
	} else if _, err := os.Stat(arg); arg != "-" && err != nil {
		return nil, fmt.Errorf("%q is no file: an entry is a file that holds one, - for standard input, or its JSON", arg)
	}
	if arg == "-" {
		from = "standard input"
	}
	next, closeAll, err := Entries(paths, stdin, inlineBatch, time.Now())
	if err != nil {
		return nil, err
	}
	defer closeAll()
	var found *logs.Entry
	n := 0
	for {
		b, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		b.Entries(time.Time{}, func(e *logs.Entry) bool {
			found, n = e, n+1
			return n < 2
		})
	}
	switch {
	case n == 0:
		return nil, fmt.Errorf("there is no entry in %s", from)
	case n > 1:
		return nil, fmt.Errorf("there are several entries in %s: give one; tocsin grep finds it", from)
	}
	return found, nil
}

// Explain says for an entry, gate by gate from the source to the receiver, what becomes of it, and which gate is the first that says no.
func (p *Plan) Explain(e *logs.Entry, o ExplainOptions) (*Explained, error) {
	if o.Source != "" && p.Kinds[o.Source] == "" {
		return nil, fmt.Errorf("--source: %s", setting.Unknown("source", o.Source, sortedKinds(p)))
	}
	out := &Explained{Time: e.Time().UTC(), LogName: e.LogName(), Severity: e.Root.Get("severity").Text(), Message: clip(e.Message()), Rules: []RuleExplained{}}
	from, source := p.sourceGate(e, o.Source)
	out.Gates = marked([]Gate{source, parseGate(e)})
	list := p.configured()
	if strings.HasSuffix(e.LogName(), "/tocsin%2Fself") {
		list = p.Rules.Rules
	}
	if o.Rule != "" {
		r, err := p.rule(o.Rule)
		if err != nil {
			return nil, err
		}
		list = []*rules.Rule{r}
	}
	type near struct {
		rule   *rules.Rule
		clause lql.Clause
	}
	var missed []near
	for _, r := range list {
		answers := r.Answers(e)
		matters := slices.ContainsFunc(answers, func(a rules.Answer) bool { return a.Holds && a.Name != aliveFilter })
		if o.Rule == "" && !matters {
			missed = append(missed, near{r, answers[0].Clause})
			continue
		}
		explained, err := p.explainRule(e, r, answers, from, source, o)
		if err != nil {
			return nil, err
		}
		out.Rules = append(out.Rules, explained)
	}
	slices.SortStableFunc(missed, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.clause.Misses, b.clause.Misses), cmp.Compare(a.rule.Name, b.rule.Name))
	})
	for i, m := range missed {
		if i >= fewMissed && !o.All {
			out.Others = len(missed) - i
			break
		}
		one := Missed{Rule: m.rule.Name}
		for _, c := range m.clause.Refused() {
			one.Clauses = append(one.Clauses, flatClause(c))
		}
		out.Near = append(out.Near, one)
	}
	return out, nil
}

// aliveFilter is the key of the filter that asks who is alive: most of a log.
const aliveFilter = "resolves.on_quiet.alive"

// fewMissed is how many of the nearest rules are named.
const fewMissed = 3

// rule is the rule of that name.
func (p *Plan) rule(name string) (*rules.Rule, error) {
	if r := p.Rules.Rule(name); r != nil {
		return r, nil
	}
	var names []string
	for _, r := range p.Rules.Rules {
		names = append(names, r.Name)
	}
	return nil, fmt.Errorf("--rule: %s", setting.Unknown("rule", name, names))
}

// explainRule is one rule's gates.
func (p *Plan) explainRule(e *logs.Entry, r *rules.Rule, answers []rules.Answer, from []string, source Gate, o ExplainOptions) (RuleExplained, error) {
	out := RuleExplained{Rule: r.Name, At: r.Position.String()}
	filters, passes := filterGates(answers)
	out.Gates = append(out.Gates, sourcesGate(r, from, len(p.Sources)))
	out.Gates = append(out.Gates, filters...)
	out.Gates = append(out.Gates, groupGate(r.Grouping(e)))
	detect, err := detectGates(r, e, passes)
	if err != nil {
		return out, err
	}
	alert, at := r.Supposed(e), e.Time()
	if o.Service != nil {
		at = o.Service.Now
	}
	of := p.incidentGate(r, &alert, o.Service)
	if inc, _ := o.Service.counts(alert.Key); inc != nil && passes && !r.Silence() {
		detect = []Gate{{Gate: "detect", Answer: Yes, Text: detectionOf(r) + ": its alert of this group fires, and counts it"}}
	}
	out.Gates = append(out.Gates, detect...)
	out.Gates = append(out.Gates, modeGate(r), alertGate(&alert), of.gate)
	told := p.toldGates(&alert, at, of, o.Service)
	out.Gates = append(out.Gates, told.gates...)
	if source.Answer != No { // else that was the first
		marked(out.Gates)
	}
	first := slices.IndexFunc(out.Gates, func(g Gate) bool { return g.First })
	switch {
	case source.Answer == No:
		out.Verdict = "nobody is told: no source reads it"
	case first >= 0 && out.Gates[first].Gate == "incident":
		out.Verdict = "nobody is told anew: " + of.verdict
	case first >= 0:
		out.Verdict = "nobody is told: " + out.Gates[first].Gate + " says no"
	default:
		out.Told, out.Verdict = true, told.who
	}
	return out, nil
}

// marked marks the first gate that says no.
func marked(gates []Gate) []Gate {
	if i := slices.IndexFunc(gates, func(g Gate) bool { return g.Answer == No }); i >= 0 {
		gates[i].First = true
	}
	return gates
}

// filterGates are what the filters say. passes says that the entry is one for the detector.
func filterGates(answers []rules.Answer) (gates []Gate, passes bool) {
	for _, a := range answers {
		if a.Name == "filter" || a.Name == "detect" {
			passes = passes || a.Holds
		}
	}
	for i, a := range answers {
		clause := clauseOf(a.Clause)
		g := Gate{Gate: "filter", Filter: &clause, Answer: Yes, Text: "it matches"}
		switch {
		case a.Name == "detect":
			g.Gate, g.Text = "filter "+a.Role, "it matches the detector's own filter "+a.Role
			if !a.Holds {
				g.Answer, g.Text = May, "it does not match the detector's own filter "+a.Role
			}
		case a.Name == "resolves.on_clear":
			if !a.Holds {
				continue
			}
			g.Gate, g.Text = "on_clear", "it ends an alert of its group that fires"
		case a.Name == aliveFilter:
			if !a.Holds {
				continue
			}
			g.Gate, g.Filter, g.Text = "alive", nil, "it shows that its group is alive, while an alert of it fires"
		case !a.Holds && !passes:
			g.Answer, g.Text = No, refusal(a.Clause)
		case !a.Holds:
			g.Answer, g.Text = May, "it does not match, and a filter of the detector does"
		}
		if i > 0 && g.Answer == May {
			g.Filter = nil
		}
		gates = append(gates, g)
	}
	return gates, passes
}

// refusal says which terms a filter missed.
func refusal(c lql.Clause) string {
	var parts []string
	for _, r := range c.Refused() {
		parts = append(parts, missedText(flatClause(r)))
	}
	return strings.Join(parts, "; ")
}

// missedText is a term that said no, with what it saw.
func missedText(c Clause) string {
	switch {
	case c.Absent:
		return c.Text + ": it is not there"
	case len(c.Saw) > 0:
		return c.Text + ": it is " + strings.Join(c.Saw, ", ")
	}
	return c.Text
}

// clauseOf is a clause for people and programs.
func clauseOf(c lql.Clause) Clause {
	out := Clause{Text: c.Text, Holds: c.Holds, Saw: c.Saw, Absent: c.Absent}
	for _, item := range c.Items {
		out.Items = append(out.Items, clauseOf(item))
	}
	return out
}

// flatClause is a clause on one line, with what its only term saw.
func flatClause(c lql.Clause) Clause {
	term := c
	for term.Text == "NOT" && len(term.Items) == 1 {
		term = term.Items[0]
	}
	return Clause{Text: c.Line(), Holds: c.Holds, Saw: term.Saw, Absent: term.Absent}
}

// clip bounds a text from a log.
func clip(text string) string {
	const most = 300
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "..."
	}
	return text
}

// modeGate says how far an alert may go.
func modeGate(r *rules.Rule) Gate {
	switch r.Mode {
	case incident.Shadow:
		return Gate{Gate: "mode", Answer: No, Text: "shadow: it is recorded and counted, and sent nowhere"}
	case incident.Page:
		return Gate{Gate: "mode", Answer: Yes, Text: "page: it may call somebody"}
	}
	return Gate{Gate: "mode", Answer: Yes, Text: "tell: it is told, and never calls at a pager"}
}
