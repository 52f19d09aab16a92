package incident

import (
	"testing"
	"time"
)

// TestARaiseTakesBackWhatIsNotHeardOfYet: an acknowledge that was given at a pager before the incident became worse, and is heard of
// after, was of less.
func TestARaiseTakesBackWhatIsNotHeardOfYet(t *testing.T) {
	t0 := time.Date(2026, 1, 23, 10, 0, 0, 0, time.UTC)
	alert := func(rule, service string, s Severity, at time.Time) Alert {
		return Alert{Key: Key{Rule: rule, Group: "{}"}, Labels: Labels{"project": "p", "cluster": "c", "service": service}, Severity: s, Mode: Page,
			First: at, Last: at, Identity: rule, SymptomOf: map[string][]string{"link": {"a", "b"}}[rule]}
	}
	settled := func(now time.Time, before []Incident, a Alert) []Incident {
		b := NewBook(now, before)
		b.Fire(a)
		for _, inc := range b.incidents {
			inc.rings()
		}
		out := []Incident{}
		for _, inc := range b.incidents {
			out = append(out, *inc)
		}
		return out
	}
	first := settled(t0, nil, alert("a", "x", High, t0))
	later := t0.Add(10 * time.Minute)

	b := NewBook(later, settled(t0, nil, alert("a", "x", High, t0)))
	if inc := b.Fire(alert("worse", "x", Critical, later)); !inc.Escalation.Retaken.Equal(later) {
		t.Errorf("raised by a member: taken back at %s", inc.Escalation.Retaken)
	}
	b = NewBook(later, settled(t0.Add(time.Minute), first, alert("b", "y", Critical, t0.Add(time.Minute))))
	if inc := b.Fire(alert("link", "", High, later)); len(inc.Alerts) != 3 || !inc.Escalation.Retaken.Equal(later) {
		t.Errorf("raised by one that it took in: %d alerts, taken back at %s", len(inc.Alerts), inc.Escalation.Retaken)
	}
}
