package app

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/incident"
	"tocsin/internal/setting"
)

// Routed is who would hear of an incident with some labels.
type Routed struct {
	Labels incident.Labels `json:"labels"`
	// Receivers are who is told at once; none for nobody.
	Receivers []string `json:"receivers"`
	// Routes are those that take it.
	Routes []string `json:"routes"`
	// Policy is the one that is run, Steps who would be called when, if nobody answers.
	Policy string   `json:"policy,omitempty"`
	Steps  []string `json:"steps,omitempty"`
	// Held says what keeps it from being told at that time.
	Held []string `json:"held,omitempty"`
	// Warnings are what is probably not meant by the labels.
	Warnings []string `json:"warnings,omitempty"`
}

// Routes says who would hear of an incident with these labels, NAME=VALUE each, whose rules may page, that opens at a time.
func (p *Plan) Routes(labels []string, at time.Time) (*Routed, error) {
	l := incident.Labels{}
	for _, text := range labels {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is no label: write NAME=VALUE, such as severity=critical", text)
		}
		if unquoted, ok := strings.CutPrefix(value, `"`); ok && strings.HasSuffix(unquoted, `"`) {
			value = strings.TrimSuffix(unquoted, `"`)
		}
		if _, twice := l[name]; twice {
			return nil, fmt.Errorf("the label %s is here twice", name)
		}
		l[name] = value
	}
	a := incident.Alert{Key: incident.Key{Rule: l["rule"], Group: l.Text()}, State: incident.Firing, Labels: l, Mode: incident.Page, First: at, Last: at, FiredAt: at}
	if err := a.Severity.UnmarshalText([]byte(l["severity"])); err != nil {
		return nil, err
	}
	out := &Routed{Labels: l, Receivers: []string{}, Warnings: p.strange(l)}
	inc := &incident.Incident{Project: l["project"], State: incident.Open, Severity: a.Severity, Headline: a.Key, Labels: l, FirstEntry: at, OpenedAt: at, Alerts: []incident.Alert{a}}
	direction := p.direct(inc, at)
	out.Routes = p.Router.Route(l, at).Path
	for _, r := range direction.Receivers {
		if r != config.None {
			out.Receivers = append(out.Receivers, r)
		}
	}
	for _, h := range append(p.Holding.Holders(inc, incident.Around{At: at}).By, direction.Held...) {
		out.Held = append(out.Held, h.String()+heldWhom(h))
	}
	out.Policy, out.Steps = direction.Policy, p.stepsOf(direction.Policy, &a, at).lines
	return out, nil
}

// strange says which labels no rule gives.
func (p *Plan) strange(l incident.Labels) []string {
	known := slices.Clone(always)
	for _, r := range p.Rules.Rules {
		known = append(known, r.LabelNames()...)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	var out []string
	for name := range l {
		if !slices.Contains(known, name) {
			out = append(out, "no rule gives the label: "+setting.Unknown("label", name, known))
		}
	}
	slices.Sort(out)
	if l["severity"] == "" {
		out = append(out, "every incident has a severity: add severity=critical, high, warning or info")
	}
	return out
}

// PrintRouted prints for people who would hear: the receivers on one line, as amtool does, then how that comes.
func PrintRouted(to io.Writer, r *Routed) error {
	w := bufio.NewWriter(to)
	fmt.Fprintln(w, strings.Join(heardOr(r.Receivers), ","))
	for _, route := range r.Routes {
		fmt.Fprintln(w, "  by    "+route)
	}
	for _, h := range r.Held {
		fmt.Fprintln(w, "  held  "+h)
	}
	if r.Policy != "" {
		fmt.Fprintln(w, "  runs  "+r.Policy)
	}
	for _, s := range r.Steps {
		fmt.Fprintln(w, "        "+s)
	}
	return w.Flush()
}

func heardOr(receivers []string) []string {
	if len(receivers) == 0 {
		return []string{config.None}
	}
	return receivers
}

// Differs says in words how the receivers differ from those that are wanted, in any order; "" if they do not.
func (r *Routed) Differs(want []string) string {
	got := slices.Clone(heardOr(r.Receivers))
	want = slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	if slices.Equal(got, want) {
		return ""
	}
	return fmt.Sprintf("wanted %s, got %s", strings.Join(want, ","), strings.Join(got, ","))
}
