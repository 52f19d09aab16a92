package postmortem

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/words"
)

func (d *draft) appendix() {
	d.para("## Appendix")
	d.para("### Evidence")
	shown := map[string]string{}
	for _, a := range d.alerts() {
		d.evidence(a, shown)
	}
	d.para("### Who was told")
	d.told()
	d.para("### Links")
	for _, a := range d.alerts() {
		if link := a.Annotations["runbook_url"]; link != "" {
			text := words.MarkdownCode(link, titleLength)
			if u := words.WebAddress(link); u != "" {
				text = "<" + u + ">"
			}
			d.line("- Runbook of %s: %s", words.MarkdownCode(a.Rule, nameLength), text)
		}
	}
	d.para("- %s: the discussion in the channel, the mail to the developers, the changes.", Todo)
}

// evidence writes what an alert was seen by. shown are the lines that were written, with the rule they stand under.
func (d *draft) evidence(a *incident.Alert, shown map[string]string) {
	labels := make([]string, 0, len(a.Labels))
	for name, value := range a.Labels {
		labels = append(labels, name+"="+value)
	}
	slices.Sort(labels)
	d.para("%s, %s: %s, from %s to %s. %s", words.MarkdownCode(a.Rule, nameLength), a.Severity, words.Lines(a.Count, a.About), moment(a.First), moment(a.Last),
		words.MarkdownCode(strings.Join(labels, " "), titleLength))
	var lines []string
	add := func(l incident.Line) {
		from := ""
		if l.Service != "" {
			from = " " + words.Clean(l.Service, nameLength) + ":"
		}
		if text := fmt.Sprintf("%s%s %s", l.Time.UTC().Format(time.DateTime), from, words.Clean(l.Text, lineLength)); !slices.Contains(lines, text) {
			lines = append(lines, text)
		}
	}
	if a.FirstLine.Text != "" {
		add(a.FirstLine)
	}
	if more := a.Count - int64(len(a.Lines)) - 1; more > 0 && len(a.Lines) > 0 {
		lines = append(lines, fmt.Sprintf("... %s more ...", words.Count(more)))
	}
	for _, l := range a.Lines {
		add(l)
	}
	text := strings.Join(lines, "\n")
	if rule := shown[text]; rule != "" {
		d.para("The lines of %s above.", words.MarkdownCode(rule, nameLength))
		return
	}
	shown[text] = a.Rule
	d.para("%s", words.MarkdownBlock(text, 8*lineLength))
}

// told writes a table of pages and messages. What was said in the thread of a message is counted.
func (d *draft) told() {
	if len(d.Notifications) == 0 {
		d.para("Nobody: there is no notification on record.")
		return
	}
	d.line("| When (UTC) | Who | What | |")
	d.line("|---|---|---|---|")
	posts := map[string]int{}
	for i := range d.Notifications {
		n := &d.Notifications[i]
		var what string
		at := n.CreatedAt
		switch n.Kind {
		case incident.Message:
			what = fmt.Sprintf("message, edited until revision %d", n.SentRevision)
		case incident.Call:
			what = fmt.Sprintf("page, round %d", n.Round)
			if n.Text != "" {
				what += ": " + words.MarkdownCell(n.Text, titleLength)
			}
			if !n.SentAt.IsZero() {
				at = n.SentAt
			}
		case incident.Post:
			posts[n.Target]++
			continue
		default:
			continue
		}
		d.line("| %s | %s | %s | %s |", at.UTC().Format(time.DateTime), words.MarkdownCell(n.Target, nameLength), what, fate(n))
	}
	d.line("")
	for _, target := range slices.Sorted(maps.Keys(posts)) {
		d.para("%s got %d posts in the thread of its message.", words.Markdown(target, nameLength), posts[target])
	}
}

// fate says what became of a notification.
func fate(n *incident.Notification) string {
	text := string(n.State)
	switch {
	case n.State == incident.Cancelled:
		text = "not needed: " + words.MarkdownCell(n.Cause, nameLength)
	case n.Kind == incident.Message && n.SentRevision > 0 && n.State != incident.Sent:
		text = "sent; an edit waits"
	case n.State == incident.Sent && n.Attempts > 1:
		text = fmt.Sprintf("sent, %d tries", n.Attempts)
	case n.State != incident.Sent && n.SentAt.IsZero() && n.LastError != "":
		text += ": " + words.MarkdownCell(n.LastError, titleLength)
	}
	return text
}
