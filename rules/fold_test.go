package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A rule that has as many groups as it may folds those beyond into one, which says so; once there is room, new groups are their own.
func TestGroupsBeyondTheCapAreFolded(t *testing.T) {
	const file = `
rules:
  - name: each
    filter: severity=ERROR
    group_by: {service: resource.labels.container_name}
    max_groups: 3
    detect: {threshold: {count: 2, window: 2m}}
    resolves: {on_quiet: {after: 10m, alive: severity=INFO}}
    severity: high
    annotations: {summary: broken, description: Look.}
`
	p := newPlayer(t, file)
	at := func(i int) time.Duration { return time.Duration(i) * time.Second }
	for i := range 7 {
		p.take(entry(at(i), at(i), fmt.Sprint("first", i), fmt.Sprint("svc", i), "ERROR"))
	}
	for i := range 7 { // one of those that have a group already, and of the folded, whoever speaks
		p.take(entry(at(10+i), at(10+i), fmt.Sprint("second", i), fmt.Sprint("svc", i), "ERROR"))
	}
	var fired []string
	for _, c := range p.changes {
		if c.Kind == Fired {
			fired = append(fired, c.Alert.Group+" "+c.Alert.Annotations["description"])
		}
	}
	want := []string{
		`{"service":"(others)"} Look.` + "\n" + `The rule has more than 3 groups (max_groups): counted as one are {"service":"svc3"}, {"service":"svc4"}.`,
		`{"service":"svc0"} Look.`, `{"service":"svc1"} Look.`, `{"service":"svc2"} Look.`,
	}
	if got, want := strings.Join(fired, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("fired:\n%s\nwant:\n%s", got, want)
	}
	if len(p.states) != 4 {
		t.Errorf("there are %d states", len(p.states))
	}
	for i := range 8 { // the signs of life of what was folded are of the fold
		for minute := 11; minute < 13; minute++ {
			when := time.Duration(minute)*time.Minute + at(i)
			p.take(entry(when, when, fmt.Sprint("alive", i, minute), fmt.Sprint("svc", i), "INFO"))
		}
	}
	p.until(40 * time.Minute)
	if len(p.states) != 0 {
		t.Fatalf("there are still %d states: %s", len(p.states), p.alerts())
	}
	p.take(entry(50*time.Minute, 50*time.Minute, "later", "svc6", "ERROR"))
	for k := range p.states {
		if k.Group != `{"service":"svc6"}` {
			t.Errorf("with room, svc6 is in %s", k.Group)
		}
	}
}
