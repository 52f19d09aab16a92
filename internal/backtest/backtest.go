// Package backtest counts what a replay of recorded entries comes to: what each rule would have fired, told and paged, by day and by
// night; compares two such replays page by page; and writes both for a terminal, for programs, for a pull request, and as a page with a
// chart. It is pure: a replay calls it, and it reads no clock.
package backtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/words"
)

// Night is when people sleep, by the clock on the wall of a place.
type Night struct {
	Location *time.Location
	// From and To are counted from midnight; To is before From where the night goes over midnight.
	From, To time.Duration
}

// ParseNight reads a night as it is typed: 22:00-08:00.
func ParseNight(text string, at *time.Location) (Night, error) {
	n := Night{Location: at}
	from, to, ok := strings.Cut(text, "-")
	var err1, err2 error
	n.From, err1 = wall(from)
	n.To, err2 = wall(to)
	if !ok || err1 != nil || err2 != nil || n.From == n.To {
		return n, fmt.Errorf("%q is no night: write from when until when, such as 22:00-08:00", text)
	}
	return n, nil
}

func wall(text string) (time.Duration, error) {
	t, err := time.Parse("15:04", strings.TrimSpace(text))
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err
}

// Has says whether a time is in the night. Its beginning is, its end is not.
func (n Night) Has(t time.Time) bool {
	t = t.In(n.Location)
	at := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	if n.From < n.To {
		return at >= n.From && at < n.To
	}
	return at >= n.From || at < n.To
}

// String is the night as it is typed, with its place.
func (n Night) String() string {
	hm := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", d/time.Hour, d%time.Hour/time.Minute) }
	return hm(n.From) + "-" + hm(n.To) + " " + n.Location.String()
}

// Rule is a rule that is tried.
type Rule struct {
	Name     string            `json:"rule"`
	Mode     incident.Mode     `json:"mode"`
	Severity incident.Severity `json:"severity"`
	// Hash changes when what the rule detects would.
	Hash string `json:"-"`
}

// Count is what a rule, or a day, came to.
type Count struct {
	// Fired is how many alerts fired, Told how many messages rang where they were new: an incident opened, or got worse. That nobody
	// acknowledged is not counted: in a replay nobody can.
	Fired int `json:"fired"`
	Told  int `json:"told"`
	// Pages is how often somebody was called out: the first page of an incident, and the first at each higher severity. PagesAtNight of
	// them came at night. Rings counts all, with those that only repeat because nobody answers.
	Pages        int `json:"pages"`
	PagesAtNight int `json:"pages_at_night"`
	Rings        int `json:"rings"`
}

// RuleCount is a rule with what it came to. What an incident says and whom it calls is counted for the rule that made it so: of the
// alerts that fired with the highest severity the headline's, else the one that fired first.
type RuleCount struct {
	Rule
	Count
}

// DayCount is a day, by the clock of the night's place, with what it came to.
type DayCount struct {
	Day string `json:"day"`
	Count
}

// Told is a page or a message that would have gone out.
type Told struct {
	At       time.Time         `json:"at"`
	Night    bool              `json:"night"`
	Receiver string            `json:"receiver"`
	Rule     string            `json:"rule"`
	Severity incident.Severity `json:"severity"`
	Incident string            `json:"incident"`
	Project  string            `json:"project"`
	Cluster  string            `json:"cluster,omitempty"`
	Title    string            `json:"title"`
}

// Report is what a replay came to.
type Report struct {
	// From and To are the times of the first and the newest entry, Entries how many there were.
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Entries int       `json:"entries"`
	// Days is of how many days there are entries, one at least: the figures a day are made of it. Where there were none for more than
	// twelve hours, nothing is known, and it is not counted.
	Days  float64     `json:"days"`
	Night string      `json:"night"`
	Sum   Count       `json:"sum"`
	Rules []RuleCount `json:"rules"`
	// PerDay are the days of which there are entries.
	PerDay   []DayCount `json:"per_day"`
	Pages    []Told     `json:"pages"`
	Messages []Told     `json:"messages"`
}

// Tally counts while a replay runs.
type Tally struct {
	night  Night
	report Report
	rules  map[string]*RuleCount
	days   map[string]*DayCount
	seen   time.Duration // for how long there were entries
	// called is the severity for which somebody was last called out, by incident.
	called map[string]incident.Severity
}

// NewTally counts for rules.
func NewTally(night Night, rules []Rule) *Tally {
	t := &Tally{night: night, report: Report{Rules: []RuleCount{}, PerDay: []DayCount{}, Pages: []Told{}, Messages: []Told{}}, rules: map[string]*RuleCount{}, days: map[string]*DayCount{}, called: map[string]incident.Severity{}}
	for _, r := range rules {
		t.rules[r.Name] = &RuleCount{Rule: r}
	}
	return t
}

// add counts for a rule, for a day and for the whole.
func (t *Tally) add(at time.Time, rule string, do func(c *Count)) {
	r := t.rules[rule]
	if r == nil {
		r = &RuleCount{Rule: Rule{Name: rule}}
		t.rules[rule] = r
	}
	do(&r.Count)
	do(&t.report.Sum)
	do(&t.day(at).Count)
}

func (t *Tally) day(at time.Time) *DayCount {
	name := at.In(t.night.Location).Format(time.DateOnly)
	d := t.days[name]
	if d == nil {
		d = &DayCount{Day: name}
		t.days[name] = d
	}
	return d
}

// Alert counts an alert that fires.
func (t *Tally) Alert(at time.Time, a *incident.Alert) {
	if a.State == incident.Firing {
		t.add(at, a.Rule, func(c *Count) { c.Fired++ })
	}
}

// Incident sees how an incident is: one that is over calls anew when it comes back.
func (t *Tally) Incident(inc *incident.Incident) {
	if inc.State == incident.Resolved || inc.State == incident.Merged {
		delete(t.called, inc.ID)
	}
}

// Told counts what was sent about an incident, as that was then: a page, or a message that rings.
func (t *Tally) Told(at time.Time, inc *incident.Incident, receiver string, reason incident.Reason, page bool) {
	rule := cause(inc, page)
	said := Told{At: at, Night: t.night.Has(at), Receiver: receiver, Rule: rule, Severity: inc.Severity, Incident: inc.ID, Project: inc.Project,
		Cluster: inc.Cluster, Title: words.Clean(inc.Title, titleLength)}
	switch {
	case page:
		before, called := t.called[inc.ID]
		out := !called || inc.Severity > before
		t.called[inc.ID] = max(before, inc.Severity)
		t.add(at, rule, func(c *Count) {
			c.Rings++
			if out {
				c.Pages++
			}
			if out && said.Night {
				c.PagesAtNight++
			}
		})
		if out {
			t.report.Pages = append(t.report.Pages, said)
		}
	case reason == incident.ReasonOpened || reason == incident.ReasonUpdated:
		t.add(at, rule, func(c *Count) { c.Told++ })
		t.report.Messages = append(t.report.Messages, said)
	}
}

// cause is the rule that made an incident what it is.
func cause(inc *incident.Incident, page bool) string {
	var all []*incident.Alert
	for i := range inc.Alerts {
		if a := &inc.Alerts[i]; a.State == incident.Firing && (!page || a.Mode == incident.Page) {
			all = append(all, a)
		}
	}
	if len(all) == 0 {
		return inc.Headline.Rule
	}
	return slices.MinFunc(all, func(a, b *incident.Alert) int {
		if a.Severity == b.Severity && (a.Key == inc.Headline) != (b.Key == inc.Headline) {
			if a.Key == inc.Headline {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), a.FiredAt.Compare(b.FiredAt), cmp.Compare(a.Rule, b.Rule))
	}).Rule
}

// gap is for how long there may be no entries: more is a time of which nothing is known.
const gap = 12 * time.Hour

// Read says that entries from one time to another were read.
func (t *Tally) Read(from, to time.Time) {
	r := &t.report
	if from.IsZero() || to.Before(from) {
		return
	}
	if since := from.Sub(r.To); r.From.IsZero() || since > gap || since < -gap {
		t.watched(from, to)
	} else if to.After(r.To) {
		t.watched(r.To, to)
	}
	if r.From.IsZero() || from.Before(r.From) {
		r.From = from
	}
	if to.After(r.To) {
		r.To = to
	}
}

// watched counts a time of which there are entries.
func (t *Tally) watched(from, to time.Time) {
	t.seen += to.Sub(from)
	for at := from; len(t.days) < mostDays; at = at.Add(24 * time.Hour) {
		if at.After(to) {
			at = to
		}
		t.day(at)
		if at.Equal(to) {
			return
		}
	}
}

// mostDays bounds the list of days: an entry may claim any year.
const mostDays = 1000

// Report is what was counted, of so many entries.
func (t *Tally) Report(entries int) *Report {
	r := t.report
	r.From, r.To, r.Entries, r.Night = r.From.UTC(), r.To.UTC(), entries, t.night.String()
	r.Days = max(1, t.seen.Hours()/24)
	for _, c := range t.rules {
		r.Rules = append(r.Rules, *c)
	}
	slices.SortFunc(r.Rules, func(a, b RuleCount) int {
		return cmp.Or(b.Pages-a.Pages, b.Told-a.Told, b.Fired-a.Fired, cmp.Compare(a.Name, b.Name))
	})
	for _, name := range slices.Sorted(maps.Keys(t.days)) {
		r.PerDay = append(r.PerDay, *t.days[name])
	}
	return &r
}

// Rate is a figure a day.
func (r *Report) Rate(n int) string { return decimal(float64(n) / r.Days) }

// decimal is a figure with two digits that say something.
func decimal(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0.005:
		return "<0.01"
	case v < 0.095:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 9.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}
