package notifiers

import (
	"strings"

	"tocsin/internal/incident"
	"tocsin/internal/words"
)

// telling is what a notice says, in parts, for the kinds that lay them out themselves: plain text, cleaned, redacted and bounded, not
// yet escaped. What is empty is not said.
type telling struct {
	// news is what is new beside the incident, title the incident's headline with its icon.
	news, title string
	// line is the evidence, several lines of it perhaps.
	line string
	// facts are since when, what else, who has it: a line each.
	facts []string
	links []link
}

// link is an address that can be gone to, as words.WebAddress lets it through.
type link struct{ text, address string }

// parts takes a notice apart in the order in which plain tells it.
func parts(n *Notice) telling {
	s := tell(n)
	t := telling{news: s.news, title: s.icon + " " + s.title, line: s.line}
	fact := func(texts ...string) {
		for _, text := range texts {
			if text != "" {
				t.facts = append(t.facts, text)
			}
		}
	}
	switch {
	case n.Kind == incident.Post && !n.Rings:
		if len(s.evidence) == 0 {
			t.line = ""
		}
		fact(s.oncall())
		return t
	case n.Kind == incident.CallAcknowledge, n.Kind == incident.CallResolve:
		t.news, t.line = "", ""
		fact(s.state)
		return t
	}
	fact(s.since, s.before, s.folded(), s.state, s.oncall())
	if s.runbookText != "" {
		fact("Runbook: " + s.runbookText)
	}
	for _, l := range []link{{"Runbook", s.runbook}, {"Incident", s.url}} {
		if l.address != "" {
			t.links = append(t.links, l)
		}
	}
	return t
}

// lead is the headline, behind what is new: what a phone shows.
func (t *telling) lead() string {
	if t.news == "" {
		return t.title
	}
	return words.Cut(t.news, maxTitle) + " · " + t.title
}

// body is all but the lead, as text without markup.
func (t *telling) body() string {
	lines := append([]string{t.line}, t.facts...)
	for _, l := range t.links {
		lines = append(lines, l.text+": "+l.address)
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}
