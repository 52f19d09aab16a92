package app

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"tocsin/internal/words"
)

// gatePrinter prints gates for people.
type gatePrinter struct {
	w      *bufio.Writer
	colour bool
}

// PrintExplained prints for people what becomes of an entry.
func PrintExplained(to io.Writer, x *Explained, colour bool) error {
	p := gatePrinter{w: bufio.NewWriter(to), colour: colour}
	head := x.Time.Format(time.RFC3339Nano)
	for _, part := range []string{x.Severity, x.LogName} {
		if part != "" {
			head += "  " + part
		}
	}
	p.line("", "entry  "+head)
	p.line("       ", x.Message)
	p.gates(x.Gates)
	for i := range x.Rules {
		p.rule(&x.Rules[i])
	}
	if len(x.Rules) == 0 {
		p.line("", "\nno rule matches it: nobody is told")
	}
	if len(x.Near) > 0 {
		p.line("", "\nrules that do not match, the nearest first")
	}
	for _, m := range x.Near {
		var parts []string
		for _, c := range m.Clauses {
			parts = append(parts, missedText(c))
		}
		p.marked("  ", No, fmt.Sprintf("%s: %s", m.Rule, strings.Join(parts, "; ")), "")
	}
	if x.Others > 0 {
		p.line("  ", fmt.Sprintf("and %s: --all names what each of them misses", plural(x.Others, "other")))
	}
	return p.w.Flush()
}

// rule prints a rule's gates.
func (p *gatePrinter) rule(r *RuleExplained) {
	p.line("", "\n"+p.in(bold, "rule "+r.Rule)+"  "+r.At)
	p.gates(r.Gates)
	p.line("  ", "=> "+r.Verdict)
}

func (p *gatePrinter) gates(all []Gate) {
	for _, g := range all {
		note := ""
		if g.First {
			note = "   <- the first that says no"
		}
		p.marked("  ", g.Answer, fmt.Sprintf("%-11s %s", g.Gate, g.Text), note)
		if g.Filter != nil && g.Filter.Text != "" {
			p.clause(*g.Filter, "         ")
		}
		for _, m := range g.More {
			p.line("                   ", m)
		}
	}
}

// clause prints a clause and what it joins.
func (p *gatePrinter) clause(c Clause, indent string) {
	answer := No
	if c.Holds {
		answer = Yes
	}
	saw := strings.Join(c.Saw, ", ")
	if c.Absent {
		saw = "is not there"
	}
	text := c.Text
	if saw != "" {
		text = fmt.Sprintf("%-60s %s", c.Text, saw)
	}
	p.marked(indent, answer, text, "")
	for _, item := range c.Items {
		if c.Text == "OR" && c.Holds && !item.Holds && len(item.Items) > 0 { // another branch holds: of this one a line is enough
			p.marked(indent+"   ", No, fmt.Sprintf("%s of %s", item.Text, plural(len(item.Items), "clause")), "")
			continue
		}
		p.clause(item, indent+"   ")
	}
}

// marked prints a line with its answer.
func (p *gatePrinter) marked(indent, answer, text, note string) {
	word, colour := answer, map[string]string{Yes: green, No: red, May: dim}[answer]
	if answer == No {
		word = "NO"
	}
	p.line(indent, p.in(colour, fmt.Sprintf("%-4s", word))+" "+safe(text)+p.in(red, note))
}

func (p *gatePrinter) in(colour, text string) string {
	if !p.colour || text == "" {
		return text
	}
	return colour + text + "\x1b[0m"
}

// line prints a line; what it holds from a log has been made safe, or is made so here.
func (p *gatePrinter) line(indent, text string) {
	if !p.colour {
		text = words.Terminal(text)
	}
	fmt.Fprintln(p.w, indent+strings.TrimRight(text, " "))
}

// safe is text of which a terminal does nothing, on one line.
func safe(text string) string {
	return words.Terminal(strings.NewReplacer("\n", " ", "\r", " ").Replace(text))
}
