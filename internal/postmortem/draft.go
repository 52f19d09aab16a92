package postmortem

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/words"
)

// Todo stands where the record says nothing and a person must.
const Todo = "TODO"

// draft is a post-mortem on its way.
type draft struct {
	*Record
	lags Lags
	b    strings.Builder
}

// Draft is the post-mortem as markdown.
func Draft(r *Record) string {
	d := &draft{Record: r, lags: LagsOf(r)}
	d.head()
	d.summary()
	d.impact()
	d.rootCause()
	d.detection()
	d.resolution()
	d.lessons()
	d.actions()
	d.timeline()
	d.appendix()
	return strings.TrimRight(d.b.String(), "\n") + "\n"
}

// line writes a line; para one with an empty line behind it.
func (d *draft) line(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }
func (d *draft) para(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n\n", args...) }

// todo writes what a person must say, as a paragraph.
func (d *draft) todo(format string, args ...any) { d.para(Todo+": "+format, args...) }

func (d *draft) title() string { return words.Markdown(d.Incident.Title, titleLength) }

func (d *draft) head() {
	d.para("# %s: %s", longDate(d.lags.Day()), d.title())
	d.line("Created By: %s  ", Todo)
	d.line("Last Modified: %s  ", d.Now.UTC().Format(time.DateOnly))
	id := words.MarkdownCode(d.Incident.ID, nameLength)
	if u := words.WebAddress(d.URL); u != "" {
		id = fmt.Sprintf("[%s](<%s>)", d.Incident.ID, u)
	}
	d.para("Incident: %s, %s, %s", id, d.Incident.Severity, d.place())
	if d.Replayed {
		d.para("This is a draft that tocsin wrote from recorded entries, replayed: it tells what would have been told to whom under the rules of today; " +
			"in a replay nobody can answer. What the entries do not say is marked " + Todo + ".")
		return
	}
	d.para("This is a draft that tocsin wrote from its record. What that does not hold is marked " + Todo + ".")
}

func (d *draft) summary() {
	d.para("## Summary")
	l := &d.lags
	text := d.title() + ". It began at " + moment(l.First)
	switch {
	case !l.Resolved.IsZero():
		text += fmt.Sprintf(" and was over at %s, %s later.", d.after(l.Resolved), words.Duration(l.Resolved.Sub(l.First)))
	case d.Incident.State == incident.Merged:
		text += fmt.Sprintf("; it turned out to be part of %s.", words.MarkdownCode(d.Incident.MergedInto, nameLength))
	default:
		text += ", and is not over."
	}
	if !l.Down.IsZero() {
		text += fmt.Sprintf(" %s answered nobody %s.", d.down(), d.span(l.Down, l.Up))
	}
	d.para("%s", text)
	d.lagTable()
}

// down names the services that answered nobody.
func (d *draft) down() string {
	var names []string
	for _, a := range d.alerts() {
		name := words.Markdown(a.Service(), nameLength)
		if name == "" {
			name = "the service"
		}
		if a.Impact == incident.Down && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return words.Names(names, 5)
}

func (d *draft) lagTable() {
	l := &d.lags
	d.line("| | When (UTC) | After the first evidence |")
	d.line("|---|---|---|")
	row := func(what string, at time.Time, more, never string) {
		if at.IsZero() {
			if never != "" {
				d.line("| %s | %s | |", what, never)
			}
			return
		}
		after := ""
		if at.After(l.First) {
			after = words.Duration(at.Sub(l.First))
		}
		if more != "" {
			more = " (" + words.MarkdownCell(more, nameLength) + ")"
		}
		d.line("| %s | %s%s | %s |", what, at.UTC().Format(time.DateTime), more, after)
	}
	row("First evidence", l.First, "", "")
	row("Told", l.Told, l.ToldAt, "nobody was told")
	row("First page", l.Paged, l.PagedAt, "nobody was paged")
	if l.Worst.After(l.First) && d.raised() {
		row("Raised to "+d.Incident.Severity.String(), l.Worst, "", "")
		row("First page from then on", l.PagedWorst, "", "nobody was paged")
	}
	row("Service down", l.Down, "", "")
	never := "nobody acknowledged"
	if d.Replayed {
		never = "cannot be known from a replay"
	}
	row("Acknowledged", l.Acknowledged, l.By, never)
	row("Service up", l.Up, "", "")
	row("Last evidence", l.Last, "", "")
	row("Resolved", l.Resolved, d.Incident.ResolvedBy, "not yet")
	d.line("")
}

// raised says whether the incident had a lower severity before its highest.
func (d *draft) raised() bool {
	for _, a := range d.alerts() {
		if a.Severity < d.Incident.Severity && a.FiredAt.Before(d.lags.Worst) {
			return true
		}
	}
	return false
}

// harm is what happened to one service, as one or more alerts saw it.
type harm struct {
	who         string
	down        bool
	first, last time.Time
	seen        []string
}

func (d *draft) impact() {
	d.para("## Impact")
	for _, h := range d.harms() {
		what := "were affected"
		switch {
		case h.down:
			what = "answered nobody"
		case !strings.Contains(h.who, " and "):
			what = "was affected"
		}
		text := fmt.Sprintf("**%s %s** %s", h.who, what, d.span(h.first, h.last))
		if len(h.seen) == 1 {
			d.line("- %s: %s", text, h.seen[0])
			continue
		}
		d.line("- %s:", text)
		for _, s := range h.seen {
			d.line("  - %s", s)
		}
	}
	d.line("")
	d.todo("what users saw, how many, and whether what was lost has been made good.")
}

// harms are the alerts by service and impact: who answered nobody first, then in the order of their first lines.
func (d *draft) harms() []harm {
	var all []harm
	for _, a := range d.alerts() {
		who := words.Markdown(a.Service(), nameLength)
		if who == "" {
			who = words.Names(d.speakers(a), 12)
		}
		if who == "" {
			who = "The service"
		}
		down := a.Impact == incident.Down
		i := slices.IndexFunc(all, func(h harm) bool { return h.who == who && h.down == down })
		if i < 0 {
			i, all = len(all), append(all, harm{who: who, down: down})
		}
		h := &all[i]
		h.first, h.last = earliest(h.first, a.First), latest(h.last, a.Last)
		h.seen = append(h.seen, fmt.Sprintf("%s (%s)", words.Markdown(a.Summary(), titleLength), words.Lines(a.Count, a.About)))
	}
	slices.SortStableFunc(all, func(a, b harm) int {
		if a.down != b.down {
			if a.down {
				return -1
			}
			return 1
		}
		return a.first.Compare(b.first)
	})
	return all
}

// span is a time from one end to the other, with how long it is. What is not over may go on behind its last line.
func (d *draft) span(from, to time.Time) string {
	end := to.UTC().Format("15:04:05 UTC")
	if !sameDay(from, to) {
		end = moment(to)
	}
	text := fmt.Sprintf("from %s to %s, %s", strings.TrimSuffix(d.after(from), " UTC"), end, words.Duration(to.Sub(from)))
	if d.lags.Resolved.IsZero() {
		text += " so far"
	}
	return text
}

func sameDay(a, b time.Time) bool {
	return a.UTC().Format(time.DateOnly) == b.UTC().Format(time.DateOnly)
}

func (d *draft) rootCause() {
	d.para("## Root Cause")
	a := d.headline()
	if a == nil {
		d.todo("the cause.")
		return
	}
	from := ""
	if a.FirstLine.Service != "" {
		from = ", from " + words.Markdown(a.FirstLine.Service, nameLength)
	}
	d.para("The first line that shows it is of %s%s:", moment(a.First), from)
	d.para("%s", words.MarkdownBlock(a.FirstLine.Text, lineLength))
	if text := a.Annotations["description"]; text != "" {
		d.para("%s", words.Markdown(text, lineLength))
	}
	var followed []string
	for _, s := range d.alerts() {
		if s.Key != a.Key && slices.Contains(s.SymptomOf, a.Rule) {
			followed = append(followed, fmt.Sprintf("- from %s: %s", d.after(s.First), words.Markdown(s.Summary(), titleLength)))
		}
	}
	if len(followed) > 0 {
		d.para("What followed from it, as the rules have it:\n\n%s", strings.Join(followed, "\n"))
	}
	d.todo("the change that did it, and why nothing caught it before it was live.")
}

func (d *draft) detection() {
	d.para("## Detection")
	d.line("| Rule | Severity | First line (UTC) | Noticed after | |")
	d.line("|---|---|---|---|---|")
	for _, a := range d.alerts() {
		note := "tells"
		switch a.Mode {
		case incident.Page:
			note = "may page"
		case incident.Shadow:
			note = "shadow: told nobody"
		}
		d.line("| %s | %s | %s | %s | %s |", words.MarkdownCode(a.Rule, nameLength), a.Severity, a.First.UTC().Format(time.DateTime),
			words.Duration(a.FiredAt.Sub(a.First)), note)
	}
	d.line("")
	l := &d.lags
	if !l.Told.IsZero() {
		d.para("%s was told %s after the first line. %s", words.Markdown(l.ToldAt, nameLength), words.Duration(l.Told.Sub(l.First)), d.paged())
	} else {
		d.para("No channel was told. %s", d.paged())
	}
	d.todo("who noticed it otherwise, and when.")
}

// paged says how oncall heard of it.
func (d *draft) paged() string {
	l := &d.lags
	if l.Paged.IsZero() {
		return "Nobody was paged."
	}
	text := fmt.Sprintf("%s was paged %s after the first line", words.Markdown(l.PagedAt, nameLength), words.Duration(l.Paged.Sub(l.First)))
	if l.Pages > 1 {
		text += fmt.Sprintf(", %d times in all", l.Pages)
	}
	return text + "."
}

func (d *draft) resolution() {
	d.para("## Resolution")
	l := &d.lags
	switch {
	case l.Resolved.IsZero():
		d.para("It is not over.")
	case d.Incident.ResolvedBy != "":
		d.para("%s resolved it at %s. The last line of evidence is of %s.", words.Markdown(d.Incident.ResolvedBy, nameLength), d.after(l.Resolved), d.after(l.Last))
	default:
		d.para("The last line of evidence is of %s. The last of its alerts was over at %s.", d.after(l.Last), d.after(l.Resolved))
	}
	d.todo("what was done, by whom, and when.")
}

// moment is a time with its date.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// after is a time as one that has read when it began needs it: with its date unless that is the same.
func (d *draft) after(t time.Time) string {
	if sameDay(t, d.lags.First) {
		return t.UTC().Format("15:04:05 UTC")
	}
	return moment(t)
}

// longDate is a date as the headings of post-mortems have it: January 23rd, 2019.
func longDate(t time.Time) string {
	t = t.UTC()
	end := "th"
	if day := t.Day(); day/10 != 1 {
		switch day % 10 {
		case 1:
			end = "st"
		case 2:
			end = "nd"
		case 3:
			end = "rd"
		}
	}
	return fmt.Sprintf("%s %d%s, %d", t.Month(), t.Day(), end, t.Year())
}
