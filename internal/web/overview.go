package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/web/client"
)

// overviewView is the main part of the first page: nothing in it needs cleaning any more.
type overviewView struct {
	// Short and Long say how many incidents are open.
	Short, Long string
	Sub         string
	Troubles    []string
	// Reload is why the last reload was refused, whole.
	Reload   string
	ReloadAt moment
	Cards    []card
	Rows     []row
	More     string
	Over     []row
	Sources  []sourceView
	// Itself says that tocsin watches itself, and how that went last.
	Itself string
	Asker  asker
}

// card is an open incident, as much of it as somebody needs who was just woken.
type card struct {
	ID, Severity, Title, Line string
	Since                     moment
	// Lasts is for how long already, Told who knows of it, Who has it, Next what happens if nobody takes it, Lines how many lines from which services.
	Lasts, Told, Who, Next, Lines string
	// Before is what changed before it; "" if nothing is known to have.
	Before string
	// Urgent makes those two stand out: it is high or above, and nobody has it.
	Taken, Urgent bool
	Folded        []folded
	MoreFolded    string
}

// folded is what is shown under an incident because another alert explains it.
type folded struct{ Summary, Lines, Severity string }

// row is an incident in one line.
type row struct {
	ID, Severity, Title string
	When                moment
	Lasted, Who         string
}

// sourceView is one source: State is one word, Tone its class.
type sourceView struct {
	Name, Kind, State, Tone, Seen, Heard, Entries, Matches, Odd string
	// Backlog says how much was read of times that were not watched; Blind are the newest of those in which it could not see.
	Backlog string
	Blind   []string
}

// byUrgency sorts open incidents as they are to be looked at: the gravest first, among those what nobody has, then the newest.
func byUrgency(open []incident.Incident) {
	slices.SortStableFunc(open, func(a, b incident.Incident) int {
		return cmp.Or(
			cmp.Compare(b.Severity, a.Severity),
			cmp.Compare(oneIf(a.State == incident.Acknowledged), oneIf(b.State == incident.Acknowledged)),
			b.OpenedAt.Compare(a.OpenedAt))
	})
}

func overviewOf(is Status, open []incident.Incident, told map[string][]incident.Notification, over []incident.Incident, now time.Time) overviewView {
	v := overviewView{Troubles: is.Troubles}
	if is.Config.ReloadError != "" {
		v.Reload, v.ReloadAt = cleanLines(strings.TrimSpace(is.Config.ReloadError), lineLength), at(is.Config.ReloadFailedAt, now)
		v.Troubles = slices.DeleteFunc(slices.Clone(v.Troubles), func(t string) bool { return strings.HasPrefix(t, reloadTrouble) })
	}
	untaken, taken := is.Incidents[incident.Open], is.Incidents[incident.Acknowledged]
	v.Short, v.Long, v.Sub = howMany(untaken, taken, is)
	for i := range open {
		if inc := &open[i]; i < mostCards {
			v.Cards = append(v.Cards, cardOf(inc, told[inc.ID], now))
		} else {
			v.Rows = append(v.Rows, row{inc.ID, inc.Severity.String(), clean(inc.Title, titleLength), at(began(inc), now), span(now.Sub(began(inc))), who(inc, now)})
		}
	}
	if rest := untaken + taken - len(open); rest > 0 {
		v.More = fmt.Sprintf("and %s more: tocsin incidents lists them all", number(int64(rest)))
	}
	for i := range over {
		inc := &over[i]
		by := "over by itself"
		if inc.ResolvedBy != "" {
			by = "resolved by " + clean(inc.ResolvedBy, titleLength)
		}
		v.Over = append(v.Over, row{inc.ID, inc.Severity.String(), clean(inc.Title, titleLength), at(inc.ResolvedAt, now), span(inc.ResolvedAt.Sub(began(inc))), by})
	}
	v.Itself = itself(is, now)
	for _, src := range is.Sources {
		v.Sources = append(v.Sources, sourceOf(src, now))
	}
	return v
}

// itself says when tocsin has looked at itself and told outside that it lives.
func itself(is Status, now time.Time) string {
	var said []string
	if is.Audit != nil && !is.Audit.At.IsZero() {
		word := "clean"
		if n := len(is.Audit.Findings); n > 0 {
			word = plural(int64(n), "finding")
		}
		said = append(said, fmt.Sprintf("Its own audit, %s: %s.", exactly(is.Audit.At, now).Ago, word))
	}
	switch h := is.Heartbeat; {
	case h == nil:
		said = append(said, "No heartbeat is configured: if tocsin dies, nobody outside notices, save an alert policy of tocsin provision if there is one.")
	case len(h.Blocked) > 0:
		said = append(said, "Its heartbeat is held back: "+clean(strings.Join(h.Blocked, "; "), lineLength)+".")
	case h.SentAt.IsZero():
		said = append(said, "Its heartbeat has not gone out yet.")
	default:
		said = append(said, "Its last heartbeat: "+exactly(h.SentAt, now).Ago+".")
	}
	return strings.Join(said, " ")
}

// howMany says what is open: for the title, for the headline, and in the line under it.
func howMany(untaken, taken int, is Status) (short, long, sub string) {
	watching := fmt.Sprintf("%s watched by %s.", plural(int64(len(is.Sources)), "source"), plural(int64(is.Rules), "rule"))
	if is.Rules == 0 {
		watching = plural(int64(len(is.Sources)), "source") + " watched."
	}
	all := untaken + taken
	switch {
	case all == 0:
		short, long = "nothing open", "No incident is open"
		return short, long, watching
	case all == 1:
		long = "1 incident is open"
	default:
		long = number(int64(all)) + " incidents are open"
	}
	short = number(int64(all)) + " open"
	switch {
	case untaken == 0:
		sub = "Somebody has it."
		if all > 1 {
			sub = "Somebody has each of them."
		}
	case taken == 0 && all == 1:
		sub = "Nobody has it yet."
	case taken == 0:
		sub = "Nobody has any of them yet."
	case untaken == 1:
		sub = "Nobody has one of them yet."
	default:
		sub = "Nobody has " + number(int64(untaken)) + " of them yet."
	}
	return short, long, sub + " " + watching
}

// wellnessOf is the service's state in one line.
func wellnessOf(is Status) *wellness {
	if !is.Well {
		text := "tocsin is not well"
		if n := len(is.Troubles); n > 1 {
			text += fmt.Sprintf(": %d troubles", n)
		}
		return &wellness{Text: text}
	}
	text := "well: " + plural(int64(len(is.Sources)), "source")
	var last time.Time // the source that is farthest behind says how far tocsin has seen
	for _, src := range is.Sources {
		if src.Clock.IsZero() {
			continue
		}
		if last.IsZero() || src.Clock.Before(last) {
			last = src.Clock
		}
	}
	if !last.IsZero() {
		text += ", none blind, seen up to " + exactly(last, is.Now).Ago
	}
	return &wellness{Good: true, Text: text}
}

// blindOf words a time in which a source could not see.
func blindOf(b client.BlindSpan, now time.Time) string {
	why := clean(b.Why, titleLength)
	if b.Until.IsZero() {
		return fmt.Sprintf("blind since %s: %s", exactly(b.Since, now).Ago, why)
	}
	return fmt.Sprintf("was blind for %s until %s: %s", span(b.Until.Sub(b.Since)), exactly(b.Until, now).Ago, why)
}

// sourceOf words a source's state: what is wrong first, then whether it is behind.
func sourceOf(src client.Source, now time.Time) sourceView {
	v := sourceView{Name: clean(src.Name, titleLength), Kind: clean(src.Kind, titleLength), State: "up to date", Tone: "ok",
		Seen: "nothing yet", Heard: "nothing yet", Entries: number(src.Entries), Matches: number(src.Matches)}
	switch {
	case src.Error != "":
		v.State, v.Tone = "cannot be read: "+clean(src.Error, titleLength), "critical"
	case src.Blind:
		v.State, v.Tone = "blind", "critical"
	case src.ReceivedAt.IsZero():
		v.State, v.Tone = "nothing yet", "warning"
	case !src.CaughtUp:
		v.State, v.Tone = "catching up", "warning"
	}
	if !src.Clock.IsZero() {
		v.Seen = exactly(src.Clock, now).Ago
	}
	if !src.ReceivedAt.IsZero() {
		v.Heard = exactly(src.ReceivedAt, now).Ago
	}
	var odd []string
	if src.Broken > 0 {
		odd = append(odd, number(src.Broken)+" broken")
	}
	if src.Late > 0 {
		odd = append(odd, number(src.Late)+" late")
	}
	v.Odd = strings.Join(odd, ", ")
	if src.Backlog > 0 {
		v.Backlog = number(src.Backlog) + " caught up"
	}
	for _, b := range src.BlindSpans {
		v.Blind = append(v.Blind, blindOf(b, now))
	}
	return v
}
