package app

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"tocsin/internal/web/client"
	"tocsin/internal/words"
)

// stampOf is a time as tables show it.
func stampOf(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

func peopleOf(t client.Turn) string {
	if len(t.People) == 0 {
		return "nobody"
	}
	return plain(strings.Join(t.People, ", "), 200)
}

// PrintDuties writes who is on call, as a table, and below it what should be known of where it comes from.
func PrintDuties(to io.Writer, now time.Time, duties ...client.Duty) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SCHEDULE\tON CALL\tUNTIL\tTHEN")
	for i := range duties {
		d := &duties[i]
		until, then := "not known", ""
		for n, turn := range d.Turns {
			switch {
			case n == 1:
				until, then = stampOf(turn.From), peopleOf(turn)
			case n > 1:
				then += fmt.Sprintf("; %s from %s", peopleOf(turn), stampOf(turn.From))
			}
		}
		present := "nobody"
		if len(d.Turns) > 0 {
			present = peopleOf(d.Turns[0])
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Schedule, present, until, then)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i := range duties {
		if err := printDuty(to, now, &duties[i]); err != nil {
			return err
		}
	}
	return nil
}

// printDuty writes what stands below the table.
func printDuty(to io.Writer, now time.Time, d *client.Duty) error {
	var lines []string
	for _, o := range d.Overrides {
		lines = append(lines, fmt.Sprintf("%s from %s to %s by %s: %s", plain(o.Person, 80), stampOf(o.From), stampOf(o.To), plain(o.By, 80), plain(o.Reason, 300)))
	}
	if c := d.Copy; c != nil {
		age := "it was never read"
		if !c.FetchedAt.IsZero() {
			age = "read " + words.Duration(now.Sub(c.FetchedAt)) + " ago"
		}
		if c.Error != "" {
			age += "; it cannot be read now: " + plain(c.Error, 300)
		}
		lines = append(lines, age)
	}
	for _, p := range d.Problems {
		lines = append(lines, plain(p, 300))
	}
	for _, line := range lines {
		if _, err := fmt.Fprintf(to, "%s: %s\n", d.Schedule, line); err != nil {
			return err
		}
	}
	return nil
}

// PrintTrial writes what a test said, or would say.
func PrintTrial(to io.Writer, t client.Trial) error {
	head := "sent to " + t.Target
	if !t.Sent {
		head = "not sent to " + t.Target
	}
	if _, err := fmt.Fprintln(to, head+":"); err != nil {
		return err
	}
	for line := range strings.Lines(t.Text) {
		if _, err := fmt.Fprintln(to, "  "+words.Terminal(strings.TrimRight(line, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// Plain is text from elsewhere for a terminal, on one line.
func Plain(text string) string { return plain(text, 600) }
