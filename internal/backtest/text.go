package backtest

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"tocsin/internal/words"
)

// titleLength is how much of a title is shown, in runes.
const titleLength = 120

// mostNames is how many rules are named that came to nothing.
const mostNames = 8

// Text writes the report for a terminal.
func (r *Report) Text(to io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.spanned())
	rows := [][]string{{"RULE", "MODE", "FIRED", "TOLD", "PAGES", "A DAY", "AT NIGHT", "A NIGHT", "RINGS"}}
	for i := range r.Rules {
		if c := &r.Rules[i]; c.Count != (Count{}) {
			rows = append(rows, r.row(c.Name, string(c.Mode), c.Count))
		}
	}
	rows = append(rows, r.row("all", "", r.Sum))
	table(&b, rows, 2)
	if idle := r.idle(); len(idle) > 0 {
		fmt.Fprintf(&b, "\n%s of %d came to nothing: %s\n", plural(len(idle), "rule"), len(r.Rules), words.Names(idle, mostNames))
	}
	b.WriteByte('\n')
	rows = [][]string{{"DAY", "FIRED", "TOLD", "PAGES BY DAY", "BY NIGHT"}}
	for _, d := range r.PerDay {
		rows = append(rows, []string{d.Day, number(d.Fired), number(d.Told), number(d.Pages - d.PagesAtNight), number(d.PagesAtNight)})
	}
	table(&b, rows, 1)
	if len(r.Pages) > 0 {
		b.WriteString("\nPAGES\n")
	}
	for i := range r.Pages {
		if i == mostPages {
			fmt.Fprintf(&b, "and %d more\n", len(r.Pages)-i)
			break
		}
		fmt.Fprintf(&b, "%s\n", words.Terminal(r.Pages[i].line()))
	}
	b.WriteString("\nPages are call-outs: the first page of an incident, and the first at each higher severity. Rings are all, with those that only repeat\n" +
		"because in a replay nobody answers. What an incident does is counted for the rule that made it so severe.\n")
	_, err := io.WriteString(to, b.String())
	return err
}

// mostPages is how many pages a table lists; JSON has all.
const mostPages = 50

// spanned says what the report is of.
func (r *Report) spanned() string {
	if r.Entries == 0 {
		return "no entries"
	}
	days := "one day"
	if r.Days > 1 {
		days = decimal(r.Days) + " days"
	}
	return fmt.Sprintf("%s entries from %s to %s, taken as %s; night is %s", words.Count(int64(r.Entries)), r.From.Format("2006-01-02 15:04Z"),
		r.To.Format("2006-01-02 15:04Z"), days, r.Night)
}

func (r *Report) row(name, mode string, c Count) []string {
	return []string{name, mode, number(c.Fired), number(c.Told), number(c.Pages), r.Rate(c.Pages), number(c.PagesAtNight), r.Rate(c.PagesAtNight), number(c.Rings)}
}

// idle are the rules that came to nothing.
func (r *Report) idle() []string {
	var names []string
	for i := range r.Rules {
		if r.Rules[i].Count == (Count{}) {
			names = append(names, r.Rules[i].Name)
		}
	}
	return names
}

// line is a page or a message on one line.
func (t *Told) line() string {
	night := ""
	if t.Night {
		night = ", at night"
	}
	return fmt.Sprintf("%s  %s%s  %s  %s: %s", t.At.UTC().Format("2006-01-02 15:04:05Z"), t.Receiver, night, t.Rule, t.Severity, words.Clean(t.Title, titleLength))
}

func number(n int) string { return words.Count(int64(n)) }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return words.Count(int64(n)) + " " + what + "s"
}

// table writes rows in columns, the first left ones to the left, the others to the right.
func table(b *strings.Builder, rows [][]string, left int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < left {
				line += cell + pad + "  "
			} else {
				line += pad + cell + "  "
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// clock is a time as tables have it.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// share is n of most as a length of at most long, at least one where n is not zero.
func share(n, most, long int) int {
	if n == 0 || most == 0 {
		return 0
	}
	return max(1, n*long/most)
}
