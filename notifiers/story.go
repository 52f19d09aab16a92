package notifiers

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/internal/incident"
	"tocsin/internal/words"
)

// Bounds, in runes, on what a story holds. They are far below what any provider refuses.
const (
	maxTitle = 300
	maxLine  = 1500
	maxAlso  = 160
	maxWho   = 80
	maxCase  = 2200
)

// story is what there is to say of a notice, in plain words, cleaned and redacted but not escaped: what is wrong, since when,
// the line that says so, what else comes of it, who has it.
type story struct {
	icon, severity string
	title          string
	line           string   // the evidence: the event's, of what tells an event, else the headline's first line
	since          string   // since when, from where, how many lines
	before         string   // what changed before it
	also           []string // the other alerts, folded
	state          string   // open, who has it, or when it was over
	news           string   // what a call or a post says beside the incident
	evidence       []incident.Line
	who            []string // the people to call, by name
	runbook, url   string
	runbookText    string // the runbook, where it is no address that can be linked
}

// tell makes the story of a notice.
func tell(n *Notice) story {
	inc := &n.Incident
	s := story{
		icon: icon(inc), severity: inc.Severity.String(), title: words.Clean(inc.Title, maxTitle),
		also: also(inc), state: state(n), url: words.WebAddress(n.URL), news: news(n), evidence: n.Event.Lines,
	}
	head := headline(inc)
	if s.title == "" {
		s.title = words.Clean(head.Summary(), maxTitle)
	}
	if s.title == "" {
		s.title = "incident " + inc.ID
	}
	if inc.State == incident.Resolved {
		s.title = "Resolved: " + s.title
	}
	s.line = words.Block(firstLine(inc, head).Text, maxLine)
	switch {
	case n.Kind == incident.Message:
	case n.Event.Kind == incident.EventNote:
		s.noted(&n.Event)
	case n.Event.Kind == incident.EventCase && len(s.evidence) > 0:
		s.line = words.Block(s.evidence[0].Text, maxCase)
	case len(s.evidence) > 0:
		s.line = stamped(s.evidence, maxLine/5)
	}
	if inc.Drill() && s.news != "" {
		s.news = "DRILL: " + s.news
	}
	s.runbook = words.WebAddress(head.Annotations["runbook_url"])
	if s.runbook == "" {
		s.runbookText = words.Clean(head.Annotations["runbook_url"], maxTitle)
	}
	s.since = since(n, head)
	if b := words.Clean(head.Annotations[incident.BeforeNote], maxTitle); b != "" {
		s.before = "Before it: " + b
	}
	for _, p := range n.People {
		s.who = append(s.who, words.Clean(p.Name, maxWho))
	}
	if len(s.who) == 0 && n.Kind == incident.Message && inc.State == incident.Open {
		for _, name := range n.Oncall {
			s.who = append(s.who, words.Clean(name, maxWho))
		}
	}
	if n.Event.Kind == incident.EventShift { // it is of several incidents
		s.icon, s.title, s.news, s.also, s.since, s.before, s.state, s.runbook, s.runbookText, s.who = "📋", s.news, "", nil, "", "", "", "", "", nil
	}
	return s
}

// noted tells a note: in one line if it is short, else the text as a block of its own.
func (s *story) noted(e *incident.Event) {
	by := "Note by " + words.Clean(e.By, maxWho)
	text := words.Block(e.Text, maxLine)
	if len(text) <= maxTitle && !strings.Contains(text, "\n") {
		s.news = by + ": " + text
		return
	}
	s.news, s.line, s.evidence = by, text, []incident.Line{{Text: text}}
}

// headline is the alert that the incident is named after, else its first, else one that says nothing.
func headline(inc *incident.Incident) *incident.Alert {
	for i := range inc.Alerts {
		if inc.Alerts[i].Key == inc.Headline {
			return &inc.Alerts[i]
		}
	}
	if len(inc.Alerts) > 0 {
		return &inc.Alerts[0]
	}
	return &incident.Alert{}
}

// firstLine is the headline's first line, or where it has none (an absence) the oldest that any alert has.
func firstLine(inc *incident.Incident, head *incident.Alert) incident.Line {
	if head.FirstLine.Text != "" {
		return head.FirstLine
	}
	var oldest incident.Line
	for _, a := range inc.Alerts {
		if a.FirstLine.Text != "" && (oldest.Text == "" || a.FirstLine.Time.Before(oldest.Time)) {
			oldest = a.FirstLine
		}
	}
	return oldest
}

func icon(inc *incident.Incident) string {
	if inc.Drill() {
		return "🧯"
	}
	if inc.State == incident.Resolved || inc.State == incident.Merged {
		return "✅"
	}
	switch inc.Severity {
	case incident.Critical:
		return "🔴"
	case incident.High:
		return "🟠"
	case incident.Warning:
		return "🟡"
	}
	return "🔵"
}

// since is "Since 23:28:49 UTC, first from tide · 9,689 lines (hook, deck and tide)".
func since(n *Notice, head *incident.Alert) string {
	first := n.Incident.FirstEntry
	if first.IsZero() {
		first = n.Incident.OpenedAt
	}
	text := "Since " + words.Time(first, n.Now)
	if from := words.Clean(firstLine(&n.Incident, head).Service, maxWho); from != "" {
		text += ", first from " + from
	}
	if head.Count > 0 {
		text += " · " + words.Lines(head.Count, head.About)
		if names := components(&n.Incident, head); len(names) > 0 {
			text += " (" + words.Names(names, 8) + ")"
		}
	}
	if head.Flaps() {
		text += " · it flaps"
		if head.Flap.Back > 0 {
			text += fmt.Sprintf(", %d ends and returns were not told", head.Flap.Back)
		}
	}
	return text
}

// components are what the headline's rule collected, else the services of its newest lines.
func components(inc *incident.Incident, head *incident.Alert) []string {
	names := head.List
	if len(names) == 0 {
		for _, l := range append([]incident.Line{head.FirstLine}, head.Lines...) {
			names = append(names, l.Service)
		}
	}
	var out []string
	for _, name := range names {
		if name = words.Clean(name, maxWho); name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// maxFolded is how many other alerts a message names.
const maxFolded = 8

// also is the summaries of the alerts that are not the headline, firing ones first, each once.
func also(inc *incident.Incident) []string {
	head := headline(inc)
	var firing, over []string
	seen := map[string]bool{words.Clean(inc.Title, maxAlso): true}
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		if a == head {
			continue
		}
		text := words.Clean(a.Summary(), maxAlso)
		switch {
		case seen[text]:
		case a.State == incident.Firing:
			firing = append(firing, text)
		case inc.State == incident.Resolved:
			over = append(over, text)
		default:
			over = append(over, text+" (over)")
		}
		seen[text] = true
	}
	return append(firing, over...)
}

// folded is also in one line; "" if nothing is folded.
func (s *story) folded() string {
	if len(s.also) == 0 {
		return ""
	}
	shown, more := s.also, ""
	if len(shown) > maxFolded {
		more = "; and " + words.Count(int64(len(shown)-maxFolded)) + " more"
		shown = shown[:maxFolded]
	}
	return "Also: " + strings.Join(shown, "; ") + more
}

// oncall names the people of a notice; "" if there are none.
func (s *story) oncall() string {
	if len(s.who) == 0 {
		return ""
	}
	return "On call: " + words.Names(s.who, 10)
}

// state says how bad it is, where, and who has it: "Critical · cluster prow · nobody has it yet".
func state(n *Notice) string {
	inc := &n.Incident
	where := ""
	if name := inc.Severity.String(); name != "" {
		where = strings.ToUpper(name[:1]) + name[1:] + " · "
	}
	if cluster := words.Clean(inc.Cluster, maxWho); cluster != "" {
		where += "cluster " + cluster + " · "
	}
	where += held(n)
	switch inc.State {
	case incident.Acknowledged:
		if a := inc.Acknowledgement; a != nil {
			text := where + "acknowledged by " + words.Clean(a.By, maxWho) + " at " + words.Time(a.At, n.Now)
			if a.Asked != nil {
				text += " · " + words.Names(a.Asked.To, 5) + " asked to take it over"
			}
			return text
		}
		return where + "acknowledged"
	case incident.Resolved:
		first := inc.FirstEntry
		if first.IsZero() {
			first = inc.OpenedAt
		}
		text := "Resolved at " + words.Time(inc.ResolvedAt, n.Now) + ", after " + words.Duration(inc.ResolvedAt.Sub(first))
		if inc.ResolvedBy != "" {
			text += ", by " + words.Clean(inc.ResolvedBy, maxWho)
		}
		return text
	case incident.Merged:
		return "Part of incident " + words.Clean(inc.MergedInto, maxWho) + " now"
	}
	if inc.Escalation.Exhausted {
		return where + "nobody answered"
	}
	return where + "nobody has it yet"
}

// held says what holds the incident back, and until when: "held by silence 12 of ana until 14:00 UTC · ".
func held(n *Notice) string {
	if len(n.Incident.Holds) == 0 {
		return ""
	}
	h := n.Incident.Holds[0]
	text := "held by " + words.Clean(h.By, maxWho)
	if h.Of != "" {
		text += " of " + words.Clean(h.Of, maxWho)
	}
	if !h.Until.IsZero() {
		text += " until " + words.Time(h.Until, n.Now)
	}
	return text + " · "
}

// news is what a call or a post has to say itself.
func news(n *Notice) string {
	event, text := words.Clean(n.Event.Text, maxTitle), words.Clean(n.Text, maxTitle)
	switch {
	case n.Kind == incident.Message:
		return ""
	case event == "" || strings.Contains(text, event):
		return text
	case text == "" || strings.Contains(event, text):
		return event
	}
	return event + ": " + text
}

// stamped is lines of evidence as a block of text, each with its time and component.
func stamped(lines []incident.Line, max int) string {
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		if !l.Time.IsZero() {
			b.WriteString(l.Time.UTC().Format("15:04:05 "))
		}
		if service := words.Clean(l.Service, maxWho); service != "" {
			b.WriteString(service + ": ")
		}
		b.WriteString(words.Clean(l.Text, max))
	}
	return b.String()
}

// plain is what a notice says, as text: what a channel without markup gets, and what a preview shows.
func (s *story) plain(n *Notice) string {
	var b strings.Builder
	line := func(text string) {
		if text != "" {
			b.WriteString(text)
			b.WriteByte('\n')
		}
	}
	switch {
	case n.Event.Kind == incident.EventShift:
		line(s.icon + " " + s.title)
		line(s.line)
	case n.Kind == incident.Post && !n.Rings:
		line(s.news)
		if len(s.evidence) > 0 {
			line(s.line)
		}
		if n.Parent != "" || n.Reason != incident.ReasonResolved { // a digest is in no thread
			line("In the thread of: " + s.title)
		}
	case n.Kind == incident.CallAcknowledge, n.Kind == incident.CallResolve:
		line(s.icon + " " + s.title)
		line(s.state)
	default:
		if n.Kind == incident.Post {
			line(s.news)
		}
		line(s.icon + " " + s.title)
		if n.Kind != incident.Post {
			line(s.news)
		}
		line(s.line)
		line(s.since)
		line(s.before)
		line(s.folded())
		line(s.state)
		if s.runbook+s.runbookText != "" {
			line("Runbook: " + s.runbook + s.runbookText)
		}
		line(s.url)
	}
	line(s.oncall())
	return strings.TrimSuffix(b.String(), "\n")
}
