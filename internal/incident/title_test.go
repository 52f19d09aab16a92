package incident

import (
	"testing"
	"time"
)

// TestTitleOfOwnTroubles: troubles of tocsin's own are one incident, which names the worst that fires and how many others do.
func TestTitleOfOwnTroubles(t *testing.T) {
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	trouble := func(rule, service string, s Severity, state AlertState, minute int) Alert {
		return Alert{Key: Key{Rule: rule}, State: state, Severity: s, First: at.Add(time.Duration(minute) * time.Minute), Labels: Labels{"service": service},
			Annotations: map[string]string{"summary": "the " + rule}}
	}
	disk, blind, refused := trouble("disk", "tocsin", Critical, Firing, 2), trouble("blind", "tocsin", High, Firing, 0), trouble("refused", "tocsin", High, Firing, 1)
	over := disk
	over.State = AlertResolved
	for name, test := range map[string]struct {
		alerts []Alert
		want   string
	}{
		"one":                     {[]Alert{blind}, "the blind"},
		"two":                     {[]Alert{blind, disk}, "the disk (and another trouble of tocsin's own)"},
		"three":                   {[]Alert{blind, refused, disk}, "the disk (and 2 other troubles of tocsin's own)"},
		"alike, the oldest":       {[]Alert{refused, blind}, "the blind (and another trouble of tocsin's own)"},
		"the worst is over":       {[]Alert{blind, refused, over}, "the blind (and another trouble of tocsin's own)"},
		"all but one are over":    {[]Alert{blind, over}, "the blind"},
		"all are over":            {[]Alert{over}, "the disk"},
		"of services of somebody": {[]Alert{trouble("a", "hook", High, Firing, 0), trouble("b", "hook", High, Firing, 1)}, "the a"},
	} {
		inc := Incident{Alerts: test.alerts}
		if inc.refresh(); inc.Title != test.want {
			t.Errorf("%s: %q, want %q", name, inc.Title, test.want)
		}
	}
}
