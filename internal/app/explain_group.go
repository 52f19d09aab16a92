package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/words"
	"tocsin/rules"
)

// groupAt says gate by gate how one group of a rule stands.
func (p *Plan) groupAt(ctx context.Context, tx *store.Tx, r *rules.Rule, key incident.Key, st *rules.State, at time.Time) (GroupStanding, error) {
	g := GroupStanding{Group: st.Group}
	if g.Group == nil {
		g.Group = incident.Labels{}
	}
	holds := false
	if d := r.Detector(st); d != nil {
		holds = d.Holds()
	}
	detect := Gate{Gate: "detect", Answer: Yes, Text: standingOf(r, st)}
	if !holds && st.Alert == nil {
		detect.Answer = No
	}
	if st.Alert != nil && !holds {
		detect.Text += "; it held when the alert fired"
	}
	if st.Late > 0 {
		detect.More = append(detect.More, fmt.Sprintf("%d entries came too late to count", st.Late))
	}
	g.Gates = append(g.Gates, detect)
	if r.For > 0 {
		g.Gates = append(g.Gates, lastingGate(r, st))
	}
	if st.Alert == nil {
		fires := Gate{Gate: "alert", Answer: No, Text: "none fires"}
		if !st.Cleared.IsZero() {
			fires.Text += "; the last was over by " + st.Cleared.UTC().Format(time.RFC3339)
		}
		g.Gates = marked(append(g.Gates, fires))
		first := slices.IndexFunc(g.Gates, func(g Gate) bool { return g.First })
		g.Verdict = "no alert: " + g.Gates[first].Gate + " says no"
		return g, nil
	}
	a := st.Alert
	g.Gates = append(g.Gates, Gate{Gate: "alert", Answer: Yes, Text: fmt.Sprintf("%s since %s: %s", a.Severity, a.FiredAt.UTC().Format(time.RFC3339), a.Summary()),
		More: []string{fmt.Sprintf("%s, the newest at %s; it resolves %s%s", words.Lines(a.Count, a.About), a.Last.UTC().Format(time.RFC3339), r.Resolving(), quietText(st))}})
	more, verdict, err := p.incidentAt(ctx, tx, key, r, at)
	if err != nil {
		return g, err
	}
	g.Gates, g.Verdict = marked(append(g.Gates, more...)), verdict
	return g, nil
}

func quietText(st *rules.State) string {
	switch {
	case st.QuietPassed:
		return "; the time of quiet is over, no entry shows the group alive"
	case !st.AliveAt.IsZero():
		return "; last seen alive at " + st.AliveAt.UTC().Format(time.RFC3339)
	}
	return ""
}

// lastingGate says how long a group's entries have gone on.
func lastingGate(r *rules.Rule, st *rules.State) Gate {
	g := Gate{Gate: "for", Answer: No, Text: "no entry of the last " + words.Duration(r.Window())}
	if n := len(st.Runs); n > 0 {
		run := st.Runs[n-1]
		lasted := run.To.Sub(run.From)
		g.Text = fmt.Sprintf("from %s to %s: %s of %s", run.From.UTC().Format(time.RFC3339), run.To.UTC().Format(time.RFC3339), plainly(lasted), words.Duration(r.For))
		if lasted >= r.For {
			g.Answer = Yes
		}
	}
	if st.Alert != nil {
		g.Answer = Yes
	}
	return g
}

// incidentAt are the gates of the incident that an alert belongs to: who was told, and what comes next.
func (p *Plan) incidentAt(ctx context.Context, tx *store.Tx, key incident.Key, r *rules.Rule, at time.Time) (gates []Gate, verdict string, err error) {
	if r.Mode == incident.Shadow {
		return []Gate{{Gate: "incident", Answer: No, Text: "mode shadow: it belongs to none, and is sent nowhere"}}, "nobody is told: mode shadow", nil
	}
	all, err := tx.Incidents(ctx, store.IncidentFilter{})
	if err != nil {
		return nil, "", err
	}
	i := slices.IndexFunc(all, func(inc incident.Incident) bool {
		return inc.State != incident.Merged && !inc.IsStorm() && inc.Alert(key) != nil && inc.Alert(key).State == incident.Firing
	})
	if i < 0 {
		return []Gate{{Gate: "incident", Answer: No, Text: "it belongs to no incident that is open"}}, "nobody is told: no incident", nil
	}
	inc := &all[i]
	gates = append(gates, Gate{Gate: "incident", Answer: Yes, Text: fmt.Sprintf("%s %s, %s since %s: %s", inc.ID, inc.State, inc.Severity, inc.OpenedAt.UTC().Format(time.RFC3339), inc.Title)})
	hold := Gate{Gate: "hold", Answer: Yes, Text: "nothing holds it back"}
	for _, h := range inc.Holds {
		hold.Text, hold.More = "it is held back", append(hold.More, h.String()+heldWhom(h))
		if len(inc.Receivers) == 0 && inc.Policy == "" {
			hold.Answer = No
		}
	}
	decision := p.Router.Route(inc.Labels, at)
	gates = append(gates, hold, Gate{Gate: "route", Answer: Yes, Text: strings.Join(decision.Path, "; ")})
	rows, err := tx.Notifications(ctx, inc.ID)
	if err != nil {
		return nil, "", err
	}
	receiver := p.heardGate(rows)
	gates = append(gates, receiver)
	if inc.Policy != "" {
		gates = append(gates, p.nextGate(inc))
	}
	verdict = receiver.Text
	if receiver.Answer == No {
		verdict = "nobody was told"
	}
	return gates, verdict, nil
}

// heardGate says who was told of an incident so far.
func (p *Plan) heardGate(rows []incident.Notification) Gate {
	g := Gate{Gate: "receiver", Answer: No, Text: "nobody was told so far"}
	first, calls := map[string]time.Time{}, map[string]int{}
	var names []string
	for _, n := range rows {
		switch {
		case n.SentAt.IsZero() || n.Kind != incident.Message && n.Kind != incident.Call:
			continue
		case first[n.Target].IsZero():
			names = append(names, n.Target)
			first[n.Target] = n.CreatedAt
		}
		if n.Kind == incident.Call {
			calls[n.Target]++
		}
	}
	var parts []string
	for _, name := range names {
		said := fmt.Sprintf("%s told at %s", p.called(name), first[name].UTC().Format(time.RFC3339))
		if calls[name] > 0 {
			said = fmt.Sprintf("%s called %s, first at %s", p.called(name), plural(calls[name], "time"), first[name].UTC().Format(time.RFC3339))
		}
		parts = append(parts, said)
	}
	if len(parts) > 0 {
		g.Answer, g.Text = Yes, strings.Join(parts, "; ")
	}
	return g
}

// nextGate says what the policy of an incident does next.
func (p *Plan) nextGate(inc *incident.Incident) Gate {
	g := Gate{Gate: "escalation", Answer: Yes, Text: "policy " + inc.Policy + " waits for nothing"}
	plan := p.Policies[inc.Policy]
	if plan == nil {
		return g
	}
	due := plan.Due(inc.Escalation)
	a := inc.Alert(inc.Headline)
	switch {
	case inc.State == incident.Acknowledged && inc.Acknowledgement != nil:
		g.Text = fmt.Sprintf("policy %s is still: %s has it", inc.Policy, inc.Acknowledgement.By)
	case due.At.IsZero() || a == nil:
	case due.Fallback:
		g.Text = fmt.Sprintf("policy %s: at %s nobody has answered, and the fallback %s is told", inc.Policy, due.At.UTC().Format(time.RFC3339), p.File.Fallback)
	default:
		paging := *a
		if inc.MayPage() {
			paging.Mode = incident.Page
		}
		g.Text = fmt.Sprintf("policy %s: next, at %s, it %s", inc.Policy, due.At.UTC().Format(time.RFC3339), p.whom(due.Step, &paging, due.At))
	}
	return g
}

// PrintStanding prints for people how a rule stands.
func PrintStanding(to io.Writer, x *Standing, colour bool) error {
	p := gatePrinter{w: bufio.NewWriter(to), colour: colour}
	p.line("", p.in(bold, "rule "+x.Rule)+"  "+x.At)
	p.line("", "at     "+x.Time.Format(time.RFC3339Nano))
	p.gates(x.Gates)
	if n := x.Near; n != nil {
		p.line("", "\nthe entry that came nearest")
		p.line("       ", n.Time.Format(time.RFC3339Nano)+"  "+safe(n.Message))
		for _, c := range n.Clauses {
			p.marked("  ", No, missedText(c), "")
		}
	}
	for i := range x.Groups {
		g := &x.Groups[i]
		p.line("", "\n"+p.in(bold, "group "+safe(g.Group.Text())))
		p.gates(g.Gates)
		p.line("  ", "=> "+safe(g.Verdict))
	}
	if x.More > 0 {
		p.line("", fmt.Sprintf("\nand %s, less recent", plural(x.More, "group")))
	}
	if len(x.Groups) == 0 && x.Matched > 0 {
		p.line("", "\nit remembers no group any more: what matched is of before its window")
	}
	return p.w.Flush()
}
