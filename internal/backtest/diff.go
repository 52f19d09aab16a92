package backtest

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tocsin/internal/words"
)

// Diff is how one replay differs from another of the same entries.
type Diff struct {
	Old *Report `json:"-"`
	New *Report `json:"-"`
	// Rules that came, went, or are others under their name.
	RulesAdded   []string `json:"rules_added"`
	RulesRemoved []string `json:"rules_removed"`
	RulesChanged []string `json:"rules_changed"`
	// Pages and Messages are what differs of them.
	Pages    Changes `json:"pages"`
	Messages Changes `json:"messages"`
	// Days is how many days the entries are, PagesADay how many pages a day the new rules make.
	Days      float64 `json:"days"`
	PagesADay float64 `json:"pages_a_day"`
}

// Changes are the differences between two lists of what was told.
type Changes struct {
	Added   []Told `json:"added"`
	Removed []Told `json:"removed"`
	// Moved were told both times, at another time or because of another rule.
	Moved []Moved `json:"moved"`
	// Same is how many are as they were.
	Same int `json:"same"`
}

// Moved is something that is told both times.
type Moved struct {
	From Told `json:"from"`
	To   Told `json:"to"`
}

// near is how far apart the old and the new of one page may be: what comes later than that is another page.
const near = 15 * time.Minute

// same is within what time a page is where it was.
const same = time.Minute

// Compare compares two replays of the same entries.
func Compare(old, now *Report) *Diff {
	d := &Diff{Old: old, New: now, RulesAdded: []string{}, RulesRemoved: []string{}, RulesChanged: []string{}, Days: now.Days, PagesADay: float64(now.Sum.Pages) / now.Days,
		Pages: changes(old.Pages, now.Pages), Messages: changes(old.Messages, now.Messages)}
	rules := func(r *Report) map[string]Rule {
		all := map[string]Rule{}
		for _, c := range r.Rules {
			all[c.Name] = c.Rule
		}
		return all
	}
	before, after := rules(old), rules(now)
	for name, r := range after {
		switch was, ok := before[name]; {
		case !ok:
			d.RulesAdded = append(d.RulesAdded, name)
		case was != r:
			d.RulesChanged = append(d.RulesChanged, name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			d.RulesRemoved = append(d.RulesRemoved, name)
		}
	}
	for _, list := range [][]string{d.RulesAdded, d.RulesRemoved, d.RulesChanged} {
		slices.Sort(list)
	}
	return d
}

// changes pairs what was told before with what is told now: of the same rule first, then of any; the nearest in time.
func changes(old, now []Told) Changes {
	c := Changes{Added: []Told{}, Removed: []Told{}, Moved: []Moved{}} // JSON has lists, not null
	partner := make([]int, len(now))                                   // of each new one the old, from 1
	taken := make([]bool, len(old))
	for _, alike := range []func(a, b *Told) bool{
		func(a, b *Told) bool { return a.Rule == b.Rule },
		func(*Told, *Told) bool { return true },
	} {
		for i := range now {
			if partner[i] > 0 {
				continue
			}
			best := -1
			for k := range old {
				if taken[k] || !place(&old[k], &now[i]) || !alike(&old[k], &now[i]) || apart(&old[k], &now[i]) > near {
					continue
				}
				if best < 0 || apart(&old[k], &now[i]) < apart(&old[best], &now[i]) {
					best = k
				}
			}
			if best >= 0 {
				partner[i], taken[best] = best+1, true
			}
		}
	}
	for i := range now {
		switch p := partner[i]; {
		case p == 0:
			c.Added = append(c.Added, now[i])
		case old[p-1].Rule != now[i].Rule || old[p-1].Severity != now[i].Severity || apart(&old[p-1], &now[i]) > same:
			c.Moved = append(c.Moved, Moved{From: old[p-1], To: now[i]})
		default:
			c.Same++
		}
	}
	for k := range old {
		if !taken[k] {
			c.Removed = append(c.Removed, old[k])
		}
	}
	return c
}

// place says whether two were told to the same about the same place.
func place(a, b *Told) bool {
	return a.Receiver == b.Receiver && a.Project == b.Project && a.Cluster == b.Cluster
}

func apart(a, b *Told) time.Duration { return a.At.Sub(b.At).Abs() }

// Nothing says that nobody is told otherwise.
func (c *Changes) Nothing() bool { return len(c.Added)+len(c.Removed)+len(c.Moved) == 0 }

// sentence is the difference in a line.
func (c *Changes) sentence(what string) string {
	if c.Nothing() {
		return fmt.Sprintf("%s: no difference, %d as before", what, c.Same)
	}
	return fmt.Sprintf("%s: %d added, %d removed, %d moved, %d as before", what, len(c.Added), len(c.Removed), len(c.Moved), c.Same)
}

// head are the lines that say what was compared.
func (d *Diff) head() []string {
	lines := []string{d.New.spanned()}
	for _, r := range []struct {
		what  string
		names []string
	}{{"added", d.RulesAdded}, {"removed", d.RulesRemoved}, {"changed", d.RulesChanged}} {
		if len(r.names) > 0 {
			lines = append(lines, fmt.Sprintf("%s %s: %s", plural(len(r.names), "rule"), r.what, words.Names(r.names, 20)))
		}
	}
	return lines
}

// rate says how often the old and the new rules page.
func (d *Diff) rate() string {
	return fmt.Sprintf("pages a day: %s before, %s now; at night: %s before, %s now", d.Old.Rate(d.Old.Sum.Pages), d.New.Rate(d.New.Sum.Pages),
		d.Old.Rate(d.Old.Sum.PagesAtNight), d.New.Rate(d.New.Sum.PagesAtNight))
}

// Text writes the difference for a terminal: + is new, - is gone, ~ is at another time or because of another rule.
func (d *Diff) Text(to io.Writer) error {
	var b strings.Builder
	for _, line := range d.head() {
		fmt.Fprintln(&b, line)
	}
	for _, c := range []struct {
		what string
		*Changes
	}{{"pages", &d.Pages}, {"messages", &d.Messages}} {
		fmt.Fprintf(&b, "\n%s\n", c.sentence(c.what))
		for _, line := range c.lines() {
			fmt.Fprintln(&b, words.Terminal(line))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", d.rate())
	_, err := io.WriteString(to, b.String())
	return err
}

// lines are the differences, by time.
func (c *Changes) lines() []string {
	type dated struct {
		at   time.Time
		text string
	}
	var all []dated
	for i := range c.Removed {
		all = append(all, dated{c.Removed[i].At, "- " + c.Removed[i].line()})
	}
	for i := range c.Moved {
		m := &c.Moved[i]
		all = append(all, dated{m.To.At, "~ " + m.To.line() + " (" + m.before() + ")"})
	}
	for i := range c.Added {
		all = append(all, dated{c.Added[i].At, "+ " + c.Added[i].line()})
	}
	slices.SortStableFunc(all, func(a, b dated) int { return a.at.Compare(b.at) })
	var out []string
	for i, line := range all {
		if i == mostPages {
			return append(out, fmt.Sprintf("and %d more", len(all)-i))
		}
		out = append(out, line.text)
	}
	return out
}

// before says what was otherwise.
func (m *Moved) before() string {
	var parts []string
	if m.From.Rule != m.To.Rule {
		parts = append(parts, "because of "+m.From.Rule)
	}
	if m.From.Severity != m.To.Severity {
		parts = append(parts, m.From.Severity.String())
	}
	switch gap := m.To.At.Sub(m.From.At); {
	case gap > same:
		parts = append(parts, words.Duration(gap)+" sooner")
	case gap < -same:
		parts = append(parts, words.Duration(-gap)+" later")
	}
	return "before: " + strings.Join(parts, ", ")
}

// Markdown writes the difference for a pull request.
func (d *Diff) Markdown(to io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Pages: %d added, %d removed, %d moved\n\n", len(d.Pages.Added), len(d.Pages.Removed), len(d.Pages.Moved))
	for _, line := range d.head() {
		fmt.Fprintf(&b, "%s  \n", words.Markdown(line, 1000))
	}
	b.WriteString("\n| | before | now |\n|---|---:|---:|\n")
	for _, row := range []struct {
		what string
		of   func(c *Count) int
	}{{"pages a day", func(c *Count) int { return c.Pages }}, {"pages a night", func(c *Count) int { return c.PagesAtNight }},
		{"messages a day", func(c *Count) int { return c.Told }}, {"alerts a day", func(c *Count) int { return c.Fired }}} {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", row.what, d.Old.Rate(row.of(&d.Old.Sum)), d.New.Rate(row.of(&d.New.Sum)))
	}
	b.WriteByte('\n')
	for _, c := range []struct {
		what string
		*Changes
	}{{"Pages", &d.Pages}, {"Messages", &d.Messages}} {
		if lines := c.lines(); len(lines) > 0 {
			fmt.Fprintf(&b, "<details%s><summary>%s</summary>\n\n```diff\n%s\n```\n\n</details>\n\n", map[bool]string{true: " open"}[c.what == "Pages"],
				c.sentence(c.what), strings.ReplaceAll(strings.Join(lines, "\n"), "```", "'''"))
			continue
		}
		fmt.Fprintf(&b, "%s\n\n", c.sentence(c.what))
	}
	_, err := io.WriteString(to, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}
