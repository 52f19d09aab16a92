package incident

import (
	"fmt"
	"slices"
	"time"
)

// stormRule is the headline's rule of a storm; no rule can have that name.
const stormRule = "(storm)"

// StormRecheck is how often it is looked whether a storm is over.
const StormRecheck = 30 * time.Second

// NewStorm is an incident that stands for many: so much is wrong at once that their pages to a receiver are rolled into its own. It has no
// alerts, is routed nowhere, and is over when they are. first is the id of the first of them.
func NewStorm(now time.Time, receiver, first string, severity Severity) Incident {
	key := Key{Rule: stormRule, Group: Labels{"receiver": receiver}.Text()}
	storm := Incident{ID: NewID(now, key, first), State: Open, Severity: severity, Title: "Storm: pages to " + receiver + " are rolled into one", Headline: key,
		Labels: Labels{"receiver": receiver, "service": "tocsin"}, FirstEntry: now, OpenedAt: now, UpdatedAt: now, Revision: 1}
	storm.Escalation.Recheck = now.Add(StormRecheck)
	storm.schedule()
	return storm
}

// IsStorm says whether the incident stands for many.
func (inc *Incident) IsStorm() bool { return inc.Headline.Rule == stormRule && len(inc.Alerts) == 0 }

// StormCause is the cause of a page that a storm's stands for.
func StormCause(storm string) string { return "superseded by storm " + storm }

// Named is the newest round of a storm's pages, its rows, that who said something may have got by then, and when it came: who joined later
// was not named yet, nor what has been new since in one that was. Of pages about which nobody knows when they came, that which was
// answered had.
func (s Said) Named(rows []Notification) (round int, at time.Time) {
	for i := range rows {
		n := &rows[i]
		if !arrived(n) || n.Round < round || !s.At.IsZero() && n.Key != s.Key && (n.SentAt.IsZero() || n.SentAt.After(s.At.Add(tick))) {
			continue
		}
		round, at = n.Round, n.CreatedAt
		if !n.SentAt.IsZero() {
			at = n.SentAt
		}
	}
	return round, at
}

// Abate ends a storm whose incidents are all over, or looks again later.
func (b *Book) Abate(storm *Incident, over bool) {
	if over {
		b.resolve(storm, "", "all of its incidents are over", Said{})
		return
	}
	storm.Escalation.Recheck = b.now.Add(StormRecheck)
	b.touch(storm)
}

// StormTitle says how many incidents a storm stands for, and names the worst of them. titles are worst first.
func StormTitle(titles []string) string {
	const most = 5
	text := fmt.Sprintf("Storm: %d incidents at once, in one page", len(titles))
	for i, title := range titles[:min(len(titles), most)] {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		runes := []rune(title)
		if len(runes) > 50 {
			runes = append(slices.Clone(runes[:49]), '…')
		}
		text += sep + string(runes)
	}
	if more := len(titles) - most; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}
