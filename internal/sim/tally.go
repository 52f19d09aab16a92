package sim

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Tally counts what happened in one or many worlds.
type Tally struct {
	// Worlds were played, Span is how long they lasted together on their own clocks.
	Worlds int
	Span   time.Duration
	// Steps are Commits and Calls: transactions that were committed, and calls of providers.
	Steps, Commits, Calls int
	// Crashes of the process, Freezes of it in the middle of a call, Reloads of its configuration, ClockSteps of its clock,
	// DiskErrors of its store.
	Crashes, Freezes, Reloads, ClockSteps, DiskErrors int
	// Outages of providers; Landed calls were taken, Refused ones not; of LostAnswers nobody heard, LateAnswers came late.
	Outages, Landed, Refused, LostAnswers, LateAnswers int
	// Entries were read, Again are those that were read once more.
	Entries, Again int
	// Incidents were opened, Rings heard at the pagers, Messages posted, Acknowledges given on tocsin's own page.
	Incidents, Rings, Messages, Acknowledges int
	// Deeds are what people did beside answering, Denied what they were refused with reason.
	Deeds, Denied int
	// SaidTwice are pages to a channel that were said again because they could not be looked for.
	// RangAgain are keys that somebody had resolved at the pager and that opened anew by a trigger already on its way.
	SaidTwice, RangAgain int
}

// fields are all counts with their names, in the order in which they are printed.
func (t *Tally) fields() []struct {
	name  string
	count *int
} {
	type field = struct {
		name  string
		count *int
	}
	return []field{
		{"worlds", &t.Worlds}, {"steps", &t.Steps}, {"  commits", &t.Commits}, {"  calls of providers", &t.Calls},
		{"crashes", &t.Crashes}, {"freezes in the middle of a call", &t.Freezes}, {"reloads", &t.Reloads}, {"steps of the clock", &t.ClockSteps},
		{"disk errors", &t.DiskErrors}, {"outages of providers", &t.Outages}, {"calls that were taken", &t.Landed}, {"calls that were refused", &t.Refused},
		{"answers that were lost", &t.LostAnswers}, {"answers that came late", &t.LateAnswers}, {"entries read", &t.Entries},
		{"entries read again", &t.Again}, {"incidents", &t.Incidents}, {"rings", &t.Rings}, {"messages and posts", &t.Messages},
		{"acknowledges", &t.Acknowledges}, {"deeds of people", &t.Deeds},
		{"deeds that were refused with reason", &t.Denied}, {"pages said twice where they could not be looked for", &t.SaidTwice},
		{"pages that rang again, resolved at the pager unheard of", &t.RangAgain},
	}
}

func (t *Tally) add(o Tally) {
	from := o.fields()
	for i, f := range t.fields() {
		*f.count += *from[i].count
	}
	t.Span += o.Span
}

// Print writes the counts as a table.
func (t *Tally) Print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range t.fields() {
		fmt.Fprintf(table, "%s\t%d\n", f.name, *f.count)
	}
	fmt.Fprintf(table, "simulated days\t%.1f\n", t.Span.Hours()/24)
	_ = table.Flush() // to a terminal or a file
}

// Violation is an invariant that did not hold.
type Violation struct {
	Seed      uint64
	Step      int
	Invariant string
	Text      string
	// Last are the last lines of the trace.
	Last []string
}

// Print writes the violation with what came before it.
func (v *Violation) Print(out io.Writer) {
	for _, line := range v.Last {
		fmt.Fprintf(out, "  %s\n", line)
	}
	fmt.Fprintf(out, "seed %d, step %d: %s: %s\n", v.Seed, v.Step, v.Invariant, v.Text)
}
