package backtest_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/backtest"
	"tocsin/internal/incident"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func night(t *testing.T, text, zone string) backtest.Night {
	t.Helper()
	place, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	n, err := backtest.ParseNight(text, place)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNight holds a night to the clock on the wall, over midnight and where clocks change.
func TestNight(t *testing.T) {
	for _, c := range []struct {
		night, zone, at string
		want            bool
	}{
		{"22:00-08:00", "UTC", "2026-03-03T21:59:59Z", false},
		{"22:00-08:00", "UTC", "2026-03-03T22:00:00Z", true},
		{"22:00-08:00", "UTC", "2026-03-03T03:00:00Z", true},
		{"22:00-08:00", "UTC", "2026-03-03T08:00:00Z", false},
		{"01:00-06:30", "UTC", "2026-03-03T00:59:00Z", false},
		{"01:00-06:30", "UTC", "2026-03-03T06:29:00Z", true},
		{"22:00-08:00", "America/Los_Angeles", "2026-01-15T15:59:00Z", true},  // 7:59 in winter
		{"22:00-08:00", "America/Los_Angeles", "2026-07-15T15:59:00Z", false}, // 8:59 in summer
	} {
		if got := night(t, c.night, c.zone).Has(at(c.at)); got != c.want {
			t.Errorf("%s in %s, %s: %v, want %v", c.night, c.zone, c.at, got, c.want)
		}
	}
	for _, bad := range []string{"", "22:00", "22-08", "25:00-08:00", "08:00-08:00", "22:00-08:00-09:00"} {
		if n, err := backtest.ParseNight(bad, time.UTC); err == nil {
			t.Errorf("%q is taken for the night %s", bad, n)
		}
	}
}

func alert(rule string, s incident.Severity, mode incident.Mode, fired string) incident.Alert {
	return incident.Alert{Key: incident.Key{Rule: rule, Group: "{}"}, State: incident.Firing, Severity: s, Mode: mode, FiredAt: at(fired)}
}

// TestTally counts an incident that is told, paged for, gets worse, repeats, is over, and comes back.
func TestTally(t *testing.T) {
	rules := []backtest.Rule{{Name: "cause", Mode: incident.Page, Severity: incident.High}, {Name: "worse", Mode: incident.Page, Severity: incident.Critical},
		{Name: "tells", Mode: incident.Tell, Severity: incident.Critical}, {Name: "idle", Mode: incident.Shadow, Severity: incident.High}}
	tally := backtest.NewTally(night(t, "22:00-08:00", "UTC"), rules)
	tally.Read(at("2026-03-03T10:00:00Z"), at("2026-03-04T10:00:00Z"))
	inc := &incident.Incident{ID: "I", Severity: incident.High, Headline: incident.Key{Rule: "cause", Group: "{}"},
		Alerts: []incident.Alert{alert("cause", incident.High, incident.Page, "2026-03-03T21:00:00Z")}}
	ring := func(when string, reason incident.Reason, page bool) {
		tally.Told(at(when), inc, map[bool]string{true: "oncall", false: "channel"}[page], reason, page)
	}
	tally.Alert(at("2026-03-03T21:00:00Z"), &inc.Alerts[0])
	ring("2026-03-03T21:00:00Z", incident.ReasonOpened, false)
	ring("2026-03-03T21:30:00Z", incident.ReasonEscalated, false) // that nobody acknowledged
	ring("2026-03-03T21:30:00Z", incident.ReasonEscalated, true)
	ring("2026-03-03T22:30:00Z", incident.ReasonRepeated, true)
	inc.Severity = incident.Critical
	inc.Alerts = append(inc.Alerts, alert("tells", incident.Critical, incident.Tell, "2026-03-03T22:59:00Z"), alert("worse", incident.Critical, incident.Page, "2026-03-03T23:00:00Z"))
	tally.Alert(at("2026-03-03T22:59:00Z"), &inc.Alerts[1])
	tally.Alert(at("2026-03-03T23:00:00Z"), &inc.Alerts[2])
	ring("2026-03-03T23:00:00Z", incident.ReasonUpdated, false)
	ring("2026-03-03T23:00:00Z", incident.ReasonEscalated, true)
	ring("2026-03-03T23:10:00Z", incident.ReasonEscalated, true)
	inc.State = incident.Resolved
	tally.Incident(inc)
	inc.State = incident.Open
	ring("2026-03-04T09:00:00Z", incident.ReasonEscalated, true)
	got := tally.Report(7)

	worse := backtest.Count{Fired: 1, Pages: 2, PagesAtNight: 1, Rings: 3}
	cause := backtest.Count{Fired: 1, Told: 1, Pages: 1, Rings: 2}
	tells := backtest.Count{Fired: 1, Told: 1} // it tells, and may not page
	want := []backtest.RuleCount{{Rule: rules[1], Count: worse}, {Rule: rules[0], Count: cause}, {Rule: rules[2], Count: tells}, {Rule: rules[3]}}
	if diff := cmp.Diff(want, got.Rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	days := []backtest.DayCount{{Day: "2026-03-03", Count: backtest.Count{Fired: 3, Told: 2, Pages: 2, PagesAtNight: 1, Rings: 4}},
		{Day: "2026-03-04", Count: backtest.Count{Pages: 1, Rings: 1}}}
	if diff := cmp.Diff(days, got.PerDay); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}
	if got.Sum != (backtest.Count{Fired: 3, Told: 2, Pages: 3, PagesAtNight: 1, Rings: 5}) || got.Days != 1 || got.Entries != 7 {
		t.Errorf("the whole is %+v in %v days of %d entries", got.Sum, got.Days, got.Entries)
	}
	if len(got.Pages) != 3 || len(got.Messages) != 2 {
		t.Errorf("pages %v, messages %v", got.Pages, got.Messages)
	}
}

// TestDays holds that only time of which there are entries is counted, and at least a day.
func TestDays(t *testing.T) {
	tally := backtest.NewTally(night(t, "22:00-08:00", "UTC"), nil)
	tally.Read(at("2026-03-03T10:00:00Z"), at("2026-03-03T20:00:00Z"))
	tally.Read(at("2026-03-03T21:00:00Z"), at("2026-03-04T21:00:00Z")) // the hour between is quiet, not unknown
	tally.Read(at("2026-03-04T20:00:00Z"), at("2026-03-04T22:00:00Z")) // of another file, an hour of it counted already
	tally.Read(at("2026-05-01T00:00:00Z"), at("2026-05-02T12:00:00Z")) // two months later
	tally.Read(time.Time{}, at("2026-05-02T12:00:00Z"))
	got := tally.Report(1)
	if got.Days != 3 {
		t.Errorf("%v days, want 36 h and 36 h", got.Days)
	}
	var days []string
	for _, d := range got.PerDay {
		days = append(days, d.Day)
	}
	if diff := cmp.Diff([]string{"2026-03-03", "2026-03-04", "2026-05-01", "2026-05-02"}, days); diff != "" {
		t.Error(diff)
	}
	if !got.From.Equal(at("2026-03-03T10:00:00Z")) || !got.To.Equal(at("2026-05-02T12:00:00Z")) {
		t.Errorf("from %s to %s", got.From, got.To)
	}
	if got := backtest.NewTally(night(t, "22:00-08:00", "UTC"), nil).Report(0); got.Days != 1 || len(got.PerDay) != 0 {
		t.Errorf("of no entries: %+v", got)
	}
}

func page(when, rule string, s incident.Severity) backtest.Told {
	return backtest.Told{At: at("2026-03-03T" + when + "Z"), Receiver: "oncall", Rule: rule, Severity: s, Cluster: "prow", Title: "of " + rule}
}

// TestCompare pairs pages of the same rule first, the nearest in time; what has no partner within a quarter of an hour came or went.
func TestCompare(t *testing.T) {
	old := &backtest.Report{Days: 2, Sum: backtest.Count{Pages: 4}, Rules: []backtest.RuleCount{{Rule: backtest.Rule{Name: "a", Hash: "1"}}, {Rule: backtest.Rule{Name: "gone"}}},
		Pages: []backtest.Told{page("10:00:00", "a", incident.Critical), page("11:00:00", "gone", incident.Critical), page("12:00:00", "a", incident.Critical), page("13:00:00", "a", incident.Critical)}}
	now := &backtest.Report{Days: 2, Sum: backtest.Count{Pages: 5}, Rules: []backtest.RuleCount{{Rule: backtest.Rule{Name: "a", Hash: "2"}}, {Rule: backtest.Rule{Name: "new"}}},
		Pages: []backtest.Told{page("10:00:00", "new", incident.Critical), page("10:00:30", "a", incident.Critical), page("11:00:00", "new", incident.Critical),
			page("12:10:00", "a", incident.Critical), page("13:20:00", "a", incident.Critical)}}
	d := backtest.Compare(old, now)
	want := backtest.Changes{Same: 1, Added: []backtest.Told{now.Pages[0], now.Pages[4]}, Removed: []backtest.Told{old.Pages[3]},
		Moved: []backtest.Moved{{From: old.Pages[1], To: now.Pages[2]}, {From: old.Pages[2], To: now.Pages[3]}}}
	if diff := cmp.Diff(want, d.Pages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d.PagesADay != 2.5 || !d.Messages.Nothing() {
		t.Errorf("%v pages a day, messages %+v", d.PagesADay, d.Messages)
	}
	if diff := cmp.Diff([][]string{{"new"}, {"gone"}, {"a"}}, [][]string{d.RulesAdded, d.RulesRemoved, d.RulesChanged}); diff != "" {
		t.Errorf("rules added, removed, changed (-want +got):\n%s", diff)
	}
	var text bytes.Buffer
	if err := d.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"pages: 2 added, 1 removed, 2 moved, 1 as before\n",
		"+ 2026-03-03 10:00:00Z  oncall  new  critical: of new\n",
		"~ 2026-03-03 11:00:00Z  oncall  new  critical: of new (before: because of gone)\n",
		"~ 2026-03-03 12:10:00Z  oncall  a  critical: of a (before: 10 minutes sooner)\n",
		"- 2026-03-03 13:00:00Z  oncall  a  critical: of a\n",
		"messages: no difference, 0 as before\n",
		"pages a day: 2.0 before, 2.5 now; at night: 0 before, 0 now\n",
	} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("%q is not in:\n%s", line, text.String())
		}
	}
}

// TestHostile holds that a title is text in each form.
func TestHostile(t *testing.T) {
	evil := page("10:00:00", "a", incident.Critical)
	evil.Title = "```\n</details><script>alert(1)</script>\x1b[31m @all xoxb-123456-secret"
	r := &backtest.Report{Entries: 1, Days: 1, Pages: []backtest.Told{evil}, PerDay: []backtest.DayCount{{Day: "2026-03-03"}}}
	var html, text, markdown bytes.Buffer
	d := backtest.Compare(&backtest.Report{Days: 1}, r)
	for _, err := range []error{r.HTML(&html), r.Text(&text), d.Markdown(&markdown)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(html.String(), "<script") || strings.Count(markdown.String(), "```") != 2 {
		t.Errorf("%s\n%s", html.String(), markdown.String())
	}
	for _, b := range []string{html.String(), text.String(), markdown.String()} {
		if strings.Contains(b, "\x1b") || strings.Contains(b, "secret") {
			t.Errorf("%q lets through what must not leave", b)
		}
	}
}
