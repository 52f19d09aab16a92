package postmortem

import (
	"fmt"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/words"
)

// soon is what a person would call at once: told, paged or answered within it went well.
const soon = 5 * time.Minute

// slow is what a person would ask about: a page or an answer after it went wrong.
const slow = 15 * time.Minute

func (d *draft) lessons() {
	d.para("## Lessons Learned")
	d.list("### What went well", d.well())
	d.list("### What went wrong", d.wrong())
	d.list("### Where we got lucky", nil)
}

// list writes a heading and points, and leaves the rest to a person.
func (d *draft) list(heading string, points []string) {
	d.para("%s", heading)
	for _, p := range points {
		d.line("- %s", p)
	}
	d.para("- %s", Todo)
}

func (d *draft) well() []string {
	l := &d.lags
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if lag := l.Told.Sub(l.First); !l.Told.IsZero() && lag <= soon {
		add("%s was told %s after the first line that shows it.", words.Markdown(l.ToldAt, nameLength), words.Duration(lag))
	}
	if lag := l.PagedWorst.Sub(l.Worst); !l.PagedWorst.IsZero() && lag <= soon {
		add("%s was paged %s after it was seen to be %s.", words.Markdown(l.PagedAt, nameLength), words.Duration(lag), d.Incident.Severity)
	}
	if lag := l.Acknowledged.Sub(l.Paged); !l.Acknowledged.IsZero() && !l.Paged.IsZero() && lag <= soon {
		add("%s had it %s after the first page.", words.Markdown(l.By, nameLength), words.Duration(lag))
	}
	if n := len(d.Incident.Alerts); n > 1 {
		add("What %d alerts noticed was one incident, under its cause.", n)
	}
	return out
}

func (d *draft) wrong() []string {
	l := &d.lags
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch lag := l.Paged.Sub(l.First); {
	case l.Paged.IsZero() && d.Incident.Severity >= incident.High:
		add("Nobody was paged.")
	case lag > slow:
		add("The first page came %s after the first line that shows it.", words.Duration(lag))
	}
	if lag := l.Worst.Sub(l.First); lag > slow && d.raised() {
		add("It was on record for %s before it was %s, and was not mended in that time.", words.Duration(lag), d.Incident.Severity)
	}
	switch lag := l.Acknowledged.Sub(l.Paged); {
	case d.Replayed || l.Paged.IsZero():
	case l.Acknowledged.IsZero():
		add("Nobody acknowledged: %d pages went unanswered.", l.Pages)
	case lag > slow:
		add("%s had it only %s after the first page.", words.Markdown(l.By, nameLength), words.Duration(lag))
	}
	for _, bad := range []struct {
		kind incident.EventKind
		what string
	}{{incident.EventGap, "Nobody was on call"}, {incident.EventFailed, "A notification could not be delivered"}, {incident.EventReopened, "It came back"}} {
		var first *incident.Event
		n := 0
		for i := range d.Events {
			if d.Events[i].Kind == bad.kind {
				if n++; first == nil {
					first = &d.Events[i]
				}
			}
		}
		if first != nil {
			times := ""
			if n > 1 {
				times = fmt.Sprintf(", the first of %d times", n)
			}
			add("%s, %s%s: %s", bad.what, d.after(first.At), times, words.Markdown(first.Text, titleLength))
		}
	}
	return out
}

func (d *draft) actions() {
	d.para("## Action Items")
	l := &d.lags
	item := func(format string, args ...any) { d.line("- [ ] "+format, args...) }
	item("%s: keep what caused it from being live again (owner, issue).", Todo)
	if lag := l.Paged.Sub(l.First); l.Paged.IsZero() || lag > slow {
		if a := d.headline(); a != nil {
			item("Decide whether %s, severity %s, is to call somebody sooner, and hold it with a test: `tocsin postmortem --emit-test` writes one.",
				words.MarkdownCode(a.Rule, nameLength), a.Severity)
		}
	}
	if !d.Replayed && !l.Paged.IsZero() && l.Acknowledged.IsZero() {
		item("Find out why nobody answered.")
	}
	for _, a := range d.alerts() {
		if a.Annotations["runbook_url"] == "" {
			item("Write a runbook for %s.", words.MarkdownCode(a.Rule, nameLength))
		}
	}
	d.line("")
}
