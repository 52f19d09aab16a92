package app

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/words"
	"tocsin/notifiers"
)

// stampLayout is how times are printed: in UTC, to the microsecond, as long for all.
const stampLayout = "2006-01-02T15:04:05.000000Z"

func stamp(t time.Time) string { return t.UTC().Format(stampLayout) }

// JSONTeller writes an object a line, in time order.
type JSONTeller struct {
	W    io.Writer
	Err  error
	last map[string]string // what was said of each incident last
}

func (t *JSONTeller) write(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = t.W.Write(append(visible(b), '\n'))
	}
	if err != nil && t.Err == nil {
		t.Err = fmt.Errorf("write: %w", err)
	}
}

// Alert writes an alert that fires or resolves.
func (t *JSONTeller) Alert(at time.Time, a incident.Alert, id string) {
	t.write(struct {
		Time     string          `json:"time"`
		Type     string          `json:"type"`
		State    string          `json:"state"`
		Rule     string          `json:"rule"`
		Labels   incident.Labels `json:"labels"`
		Incident string          `json:"incident"`
	}{stamp(at), "alert", string(a.State), a.Rule, a.Labels, id})
}

// Incident writes an incident when what is said of it has changed.
func (t *JSONTeller) Incident(at time.Time, inc *incident.Incident) {
	type said struct {
		State    string          `json:"state"`
		Incident string          `json:"incident"`
		Title    string          `json:"title"`
		Severity string          `json:"severity"`
		Labels   incident.Labels `json:"labels"`
	}
	now := said{string(inc.State), inc.ID, inc.Title, inc.Severity.String(), inc.Labels}
	if !changed(&t.last, inc.ID, now) {
		return
	}
	t.write(struct {
		Time string `json:"time"`
		Type string `json:"type"`
		said
	}{stamp(at), "incident", now})
}

// changed says whether v is another than was said of id last, and remembers it.
func changed(last *map[string]string, id string, v any) bool {
	b, _ := json.Marshal(v) // plain strings always marshal
	if (*last)[id] == string(b) {
		return false
	}
	if *last == nil {
		*last = map[string]string{}
	}
	(*last)[id] = string(b)
	return true
}

// Notification writes what somebody was told.
func (t *JSONTeller) Notification(at time.Time, n notifiers.Notice, kind string, page bool, text string) {
	t.write(struct {
		Time     string `json:"time"`
		Type     string `json:"type"`
		Incident string `json:"incident"`
		Receiver string `json:"receiver"`
		Notifier string `json:"notifier"`
		Reason   string `json:"reason"`
		Page     bool   `json:"page"`
		Quiet    bool   `json:"quiet"`
		Text     string `json:"text"`
	}{stamp(at), "notification", n.Notification.Incident, n.Target, kind, string(n.Reason), page, !n.Rings, text})
}

// TextTeller writes lines for people.
type TextTeller struct {
	W     io.Writer
	Color bool
	// Incidents, Pages, Messages and Quiet count what was written.
	Incidents, Pages, Messages, Quiet int
	last                              map[string]string
	seen                              map[string]bool
}

func (t *TextTeller) line(at time.Time, colour, what, text string) {
	if !t.Color {
		colour = ""
	}
	end := ""
	if colour != "" {
		end = "\x1b[0m"
	}
	fmt.Fprintf(t.W, "%s%s  %-9s %s%s\n", colour, at.UTC().Format("2006-01-02 15:04:05Z"), what, text, end)
}

// The colours of what matters.
const (
	dim  = "\x1b[2m"
	red  = "\x1b[31m"
	bold = "\x1b[1m"
)

// Alert writes an alert that fires or resolves.
func (t *TextTeller) Alert(at time.Time, a incident.Alert, id string) {
	t.line(at, dim, "alert", fmt.Sprintf("%-8s %s %s", a.State, a.Rule, words.Terminal(a.Labels.Text())))
}

// Incident writes an incident when what is said of it has changed.
func (t *TextTeller) Incident(at time.Time, inc *incident.Incident) {
	if !changed(&t.last, inc.ID, []string{string(inc.State), inc.Title, inc.Severity.String()}) {
		return
	}
	if !t.seen[inc.ID] {
		if t.seen == nil {
			t.seen = map[string]bool{}
		}
		t.seen[inc.ID] = true
		t.Incidents++
	}
	t.line(at, bold, "incident", fmt.Sprintf("%-8s %s %s: %s", inc.State, inc.ID, inc.Severity, words.Terminal(inc.Title)))
}

// Notification writes what somebody was told.
func (t *TextTeller) Notification(at time.Time, n notifiers.Notice, kind string, page bool, text string) {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	what, colour := "told", ""
	switch {
	case page:
		what, colour = "paged", red
		t.Pages++
	case !n.Rings:
		what, colour = "edited", dim
		if n.Kind == incident.Post {
			what = "thread"
		}
		t.Quiet++
	default:
		t.Messages++
	}
	t.line(at, colour, what, fmt.Sprintf("%s (%s, %s): %s", n.Target, kind, n.Reason, words.Terminal(first)))
}

// Summary is the whole in one line.
func (t *TextTeller) Summary() string {
	if t.Incidents == 0 {
		return "nobody would have been told anything"
	}
	return fmt.Sprintf("%s: %s, %s, %s", plural(t.Incidents, "incident"), plural(t.Pages, "page"), plural(t.Messages, "message"), plural(t.Quiet, "quiet edit or thread post"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasPrefix(what, "quiet") {
		return fmt.Sprintf("%d quiet edits and thread posts", n)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
