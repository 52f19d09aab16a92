package incident

import (
	"testing"
	"time"
)

// TestOneServicesTroubleExplainsNoOthers: deck's panic, which somebody has, neither takes in nor covers hook's 502; what concerns
// everybody, and so names no service, explains both.
func TestOneServicesTroubleExplainsNoOthers(t *testing.T) {
	t0 := time.Date(2026, 1, 23, 10, 0, 0, 0, time.UTC)
	alert := func(rule, service string, at time.Time, symptomOf ...string) Alert {
		labels := Labels{"project": "p", "cluster": "c"}
		if service != "" {
			labels["service"] = service
		}
		return Alert{Key: Key{Rule: rule, Group: labels.Text()}, Labels: labels, Severity: Critical, Mode: Page, Impact: Down, First: at, Last: at, Identity: rule, SymptomOf: symptomOf}
	}
	for _, c := range []struct {
		cause string // the service of the panic
		alone bool
	}{{"deck", true}, {"hook", false}, {"", false}} {
		b := NewBook(t0, nil)
		first := b.Fire(alert("panic", c.cause, t0))
		b.Acknowledge(first, "ann", Said{})
		b = NewBook(t0.Add(5*time.Minute), []Incident{*first})
		second := b.Fire(alert("webhook-502", "hook", t0.Add(5*time.Minute), "panic"))
		if alone := second.ID != first.ID; alone != c.alone {
			t.Errorf("a panic of %q: the 502 stands alone %v, want %v", c.cause, alone, c.alone)
		}
		if asleep := second.State == Acknowledged; asleep == c.alone {
			t.Errorf("a panic of %q, acknowledged: the 502 is %s", c.cause, second.State)
		}
	}
}
