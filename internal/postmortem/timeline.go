package postmortem

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/words"
)

// said is a line of the timeline.
type said struct {
	at   time.Time
	kind incident.EventKind
	text string
	// alike is what lines that repeat each other have in common.
	alike string
}

// most is how many lines of a kind stand one after the other before the rest of them is told in one.
const most = 2

func (d *draft) timeline() {
	d.para("## Timeline")
	d.para("All times in UTC.")
	lines := d.said()
	date := ""
	for i := 0; i < len(lines); {
		s := lines[i]
		if day := s.at.UTC().Format(time.DateOnly); day != date {
			if date != "" {
				d.line("")
			}
			date = day
			d.para("%s", date)
		}
		same := 1
		for i+same < len(lines) && lines[i+same].alike == s.alike && s.alike != "" && lines[i+same].at.UTC().Format(time.DateOnly) == date {
			same++
		}
		if same <= most {
			same = 1
		}
		if same == 1 {
			d.line("- %s %s", s.at.UTC().Format(time.TimeOnly), s.text)
		} else {
			d.line("- %s to %s, %d times: %s", s.at.UTC().Format(time.TimeOnly), lines[i+same-1].at.UTC().Format(time.TimeOnly), same, s.text)
		}
		i += same
	}
	d.line("")
	d.todo("what people did and saw: the change, who noticed, what was tried, what mended it.")
}

// said are the events as lines, with what the service itself did not say in time: when it was down. A page and the step that asked for it are one line.
func (d *draft) said() []said {
	var out []said
	for i := range d.Events {
		e := &d.Events[i]
		s := said{at: e.At, kind: e.Kind, text: d.worded(e)}
		switch e.Kind {
		case incident.EventEscalated:
			target, _, _ := strings.Cut(e.Text, ":")
			s.alike = "step " + target
		case incident.EventSent:
			if n := len(out); n > 0 && out[n-1].kind == incident.EventEscalated && e.At.Sub(out[n-1].at) < 5*time.Second {
				out[n-1].text += "; " + words.Markdown(e.Text, titleLength)
				out[n-1].alike += " sent"
				continue
			}
		case incident.EventOpened: // the alert that opens it says the same
			continue
		}
		out = append(out, s)
	}
	for _, edge := range []struct {
		at   time.Time
		text string
	}{{d.lags.First, "**the first line of evidence**"}, {d.lags.Down, "**" + d.down() + " answers nobody**, as the lines tell"},
		{d.lags.Up, "**the last line that tells so**"}, {d.lags.Last, "the last line of evidence"}} {
		if edge.at.IsZero() || edge.at.Equal(d.lags.Up) && edge.text == "the last line of evidence" {
			continue
		}
		at := slices.IndexFunc(out, func(s said) bool { return s.at.After(edge.at) })
		if at < 0 {
			at = len(out)
		}
		out = slices.Insert(out, at, said{at: edge.at, text: edge.text})
	}
	return out
}

// verbs are what the kinds of events that need one begin with.
var verbs = map[incident.EventKind]string{
	incident.EventAlertFired:   "noticed",
	incident.EventAlertOver:    "over",
	incident.EventEscalated:    "escalated",
	incident.EventHeadline:     "the headline is now",
	incident.EventAcknowledged: "acknowledged",
	incident.EventAckTakenBack: "the acknowledge is taken back",
	incident.EventReopened:     "reopened",
	incident.EventMerged:       "merged",
	incident.EventSplit:        "split off",
	incident.EventAsked:        "asked to take it over",
	incident.EventShift:        "change of shift",
	incident.EventFlapping:     "flapping",
	incident.EventFailed:       "**not delivered**",
	incident.EventGap:          "**nobody on call**",
}

// worded is an event as the timeline says it.
func (d *draft) worded(e *incident.Event) string {
	text := e.Text
	if a := d.Incident.Alert(e.Alert); a != nil && e.Kind == incident.EventAlertOver { // how it ended says more than what it was
		text = strings.TrimPrefix(text, a.Summary()+": ")
	}
	text = words.Markdown(text, titleLength)
	if verb := verbs[e.Kind]; verb != "" && !strings.HasPrefix(e.Text, strings.Trim(verb, "*")) {
		text = verb + ": " + text
	}
	if e.Alert.Rule != "" {
		text += fmt.Sprintf(" (%s)", words.MarkdownCode(e.Alert.Rule, nameLength))
	}
	if e.By != "" && !strings.Contains(e.Text, e.By) {
		text += ", by " + words.Markdown(e.By, nameLength)
	}
	return text
}
