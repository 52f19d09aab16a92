// Package postmortem writes the draft of a post-mortem, in the headings that Prow's have, from what is on record of an incident, and
// beside it the note to the channel and the mail to the developers' list. What the record does not hold is left as TODO: nothing is
// guessed. It is pure: it reads no clock, and the same record gives the same bytes. Text from logs is bounded, redacted and escaped.
package postmortem

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/words"
)

// Record is all that is known of an incident.
type Record struct {
	Incident incident.Incident
	// Events and Notifications are the oldest first.
	Events        []incident.Event
	Notifications []incident.Notification
	// Now is when the draft is written; of a replay, when that ended.
	Now time.Time
	// Replayed says that it is a replay's: it is what would have been, and nobody could answer.
	Replayed bool
	// URL is the address of the incident's page; may be empty.
	URL string
}

// How much of a text is shown, in runes.
const (
	titleLength = 300
	lineLength  = 1200
	nameLength  = 80
)

// Lags are when what happened. A zero time is what did not, or is not known.
type Lags struct {
	// First and Last are the times of the first and the last line of evidence.
	First, Last time.Time
	// Told is when a message was first taken, at ToldAt; Paged when a page was, at PagedAt.
	Told, Paged     time.Time
	ToldAt, PagedAt string
	// Pages is how many pages were taken.
	Pages int
	// Worst is when the incident first had its highest severity; PagedWorst the first page taken from then on.
	Worst, PagedWorst time.Time
	// Down and Up are when the service began and ceased to answer nobody, as the lines say; DownLines how many those were.
	Down, Up  time.Time
	DownLines int64
	// Acknowledged is the first acknowledge, By whom.
	Acknowledged time.Time
	By           string
	Resolved     time.Time
}

// Day is the day that the incident is called by: that on which the service went down, else that of the first line.
func (l *Lags) Day() time.Time {
	if !l.Down.IsZero() {
		return l.Down
	}
	return l.First
}

// LagsOf works out when what happened.
func LagsOf(r *Record) Lags {
	inc := &r.Incident
	l := Lags{First: inc.FirstEntry}
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		l.First, l.Last = earliest(l.First, a.First), latest(l.Last, a.Last)
		if a.Severity == inc.Severity {
			l.Worst = earliest(l.Worst, a.FiredAt)
		}
		if a.Impact == incident.Down {
			l.Down, l.Up, l.DownLines = earliest(l.Down, a.First), latest(l.Up, a.Last), max(l.DownLines, a.Count)
		}
	}
	for i := range r.Notifications {
		n := &r.Notifications[i]
		at := n.SentAt
		switch {
		case at.IsZero() || n.Cause == incident.Adopted:
		case n.Kind == incident.Call:
			l.Pages++
			if l.Paged.IsZero() || at.Before(l.Paged) {
				l.Paged, l.PagedAt = at, n.Target
			}
			if !at.Before(l.Worst) {
				l.PagedWorst = earliest(l.PagedWorst, at)
			}
		}
	}
	l.Told, l.ToldAt = toldFirst(r)
	for i := range r.Events {
		if e := &r.Events[i]; e.Kind == incident.EventAcknowledged && l.Acknowledged.IsZero() {
			l.Acknowledged, l.By = e.At, e.By
		}
	}
	if ack := inc.Acknowledgement; l.Acknowledged.IsZero() && ack != nil {
		l.Acknowledged, l.By = ack.At, ack.By
	}
	if inc.State == incident.Resolved {
		l.Resolved = inc.ResolvedAt
	}
	return l
}

// toldFirst is when a message was first taken, and where. A message is edited in place: its row says when that was last, the timeline
// when it was first.
func toldFirst(r *Record) (time.Time, string) {
	var first time.Time
	target := ""
	for i := range r.Notifications {
		n := &r.Notifications[i]
		if n.Kind != incident.Message || n.SentAt.IsZero() {
			continue
		}
		at := n.SentAt
		for j := range r.Events {
			if e := &r.Events[j]; e.Kind == incident.EventSent && e.Text == "told "+n.Target {
				at = earliest(at, e.At)
			}
		}
		if first.IsZero() || at.Before(first) {
			first, target = at, n.Target
		}
	}
	return first, target
}

// headline is the alert that the incident is named by, nil if it has none.
func (r *Record) headline() *incident.Alert {
	inc := &r.Incident
	if a := inc.Alert(inc.Headline); a != nil {
		return a
	}
	if len(inc.Alerts) > 0 {
		return &inc.Alerts[0]
	}
	return nil
}

// alerts are those of the incident in the order in which they fired, the headline first of those of one time.
func (r *Record) alerts() []*incident.Alert {
	all := make([]*incident.Alert, len(r.Incident.Alerts))
	for i := range all {
		all[i] = &r.Incident.Alerts[i]
	}
	slices.SortStableFunc(all, func(a, b *incident.Alert) int {
		return cmp.Or(a.FiredAt.Compare(b.FiredAt), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Group, b.Group))
	})
	return all
}

// speakers are the components that an alert's lines are from, in the order in which they came.
func (r *Record) speakers(a *incident.Alert) []string {
	var names []string
	add := func(name string) {
		if name = words.Markdown(name, nameLength); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	add(a.FirstLine.Service)
	for _, l := range a.Lines {
		add(l.Service)
	}
	if slices.Contains(a.List, a.FirstLine.Service) { // what the rule collects are components
		for _, name := range a.List {
			add(name)
		}
	}
	return names
}

// place is the project and the cluster.
func (r *Record) place() string {
	var parts []string
	if r.Incident.Project != "" {
		parts = append(parts, "project "+words.Markdown(r.Incident.Project, nameLength))
	}
	if r.Incident.Cluster != "" {
		parts = append(parts, "cluster "+words.Markdown(r.Incident.Cluster, nameLength))
	}
	return strings.Join(parts, ", ")
}

// earliest is the earlier of two times, of which zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
