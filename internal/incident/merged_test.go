package incident

import (
	"testing"
	"time"
)

// TestAMergeCountsWhatBothHad: one (rule, group) fires in the older incident and is over in the younger, or the other way round. What
// stays has the count of both, the earliest line and the newest time, and fires.
func TestAMergeCountsWhatBothHad(t *testing.T) {
	t0 := time.Date(2026, 1, 23, 10, 0, 0, 0, time.UTC)
	alert := func(s AlertState, first, last time.Duration, count int64) Alert {
		return Alert{Key: Key{Rule: "down", Group: "{}"}, Labels: Labels{"project": "p"}, Severity: Critical, Mode: Page, State: s, Identity: first.String(),
			First: t0.Add(first), Last: t0.Add(last), FirstLine: Line{Text: first.String()}, Count: count}
	}
	for name, test := range map[string]struct{ older, younger Alert }{
		"the older's fires":             {alert(Firing, time.Minute, time.Hour, 3), alert(AlertResolved, 10*time.Minute, 20*time.Minute, 2)},
		"the younger's fires":           {alert(AlertResolved, time.Minute, 20*time.Minute, 3), alert(Firing, 50*time.Minute, time.Hour, 2)},
		"an older one that fires again": {alert(Firing, 50*time.Minute, time.Hour, 3), alert(AlertResolved, time.Minute, 20*time.Minute, 2)},
	} {
		b := NewBook(t0.Add(time.Hour), []Incident{
			{ID: "older", Project: "p", State: Open, FirstEntry: t0, Alerts: []Alert{test.older}},
			{ID: "younger", Project: "p", State: Open, FirstEntry: t0.Add(time.Second), Alerts: []Alert{test.younger}},
		})
		b.merge(b.Get("older"), b.Get("younger"))
		a := b.Get("older").Alerts[0]
		if a.Count != 5 || a.State != Firing || !a.First.Equal(t0.Add(time.Minute)) || a.FirstLine.Text != "1m0s" || !a.Last.Equal(t0.Add(time.Hour)) {
			t.Errorf("%s: %d lines from %s (%q) to %s, %s", name, a.Count, a.First.Sub(t0), a.FirstLine.Text, a.Last.Sub(t0), a.State)
		}
	}
}
