package rules

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/internal/logs"
)

// TestSignsThatCount holds who is asked alive to what can count: an alert that fires in a batch is quiet for long enough only `after`
// behind its match, and what was seen alive before the last five minutes of that says nothing. Of one that fires already all counts.
func TestSignsThatCount(t *testing.T) {
	list, errs := Read("rule.yaml", []byte(`rules: [{name: down, filter: 'jsonPayload.level="fatal"', detect: {threshold: {count: 1, window: 1m}}, severity: high,
  resolves: {on_quiet: {after: 20m, alive: 'jsonPayload.level="info"'}}}]`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	noon := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	line := func(minute int, level string) string {
		return fmt.Sprintf(`{"timestamp":%q,"insertId":"%d","logName":"projects/p/logs/x","jsonPayload":{"level":%q}}`+"\n", noon.Add(time.Duration(minute)*time.Minute).Format(time.RFC3339), minute, level)
	}
	fires := Firing{Rules: map[string]time.Time{"down": {}}}
	waits := Firing{Rules: map[string]time.Time{"down": noon.Add(-10 * time.Minute)}}
	for _, c := range []struct {
		name   string
		lines  []string
		firing Firing
		signs  int
	}{
		{"nothing fires, nothing matches", []string{line(0, "info"), line(30, "info")}, Firing{}, 0},
		{"a match, and the batch ends too early for a sign to count", []string{line(0, "fatal"), line(1, "info"), line(12, "info")}, Firing{}, 0},
		{"a match, and a sign that may count", []string{line(0, "fatal"), line(1, "info"), line(15, "info")}, Firing{}, 2},
		{"a match that may have been preceded by others, which another process judges", []string{line(0, "fatal"), line(1, "info")}, Firing{Elsewhere: true}, 1},
		{"any may fire", []string{line(0, "info"), line(1, "info")}, Firing{All: true}, 2},
		{"it fires already", []string{line(0, "info"), line(1, "info")}, fires, 2},
		{"a match of before waits, too near for a sign to count", []string{line(1, "info"), line(2, "info")}, waits, 0},
		{"a match of before waits, and a sign that may count", []string{line(1, "info"), line(6, "info")}, waits, 2},
	} {
		hits, _, err := NewSet(list).Scan(logs.Batch{Data: []byte(strings.Join(c.lines, ""))}, noon, c.firing)
		if err != nil {
			t.Fatal(err)
		}
		signs := 0
		for i := range hits {
			if hits[i].Sign() {
				signs++
			}
		}
		if signs != c.signs {
			t.Errorf("%s: %d signs of life, want %d", c.name, signs, c.signs)
		}
	}
}

// TestCovers says when a scan has to be done again: by what is known since, more may fire than it was asked with.
func TestCovers(t *testing.T) {
	list, errs := Read("rule.yaml", []byte(`rules:
  - {name: a, filter: 'textPayload:"a"', detect: {threshold: {count: 1, window: 1m}}, severity: high, resolves: {on_quiet: {after: 20m, alive: 'textPayload:"x"'}}}
  - {name: b, filter: 'textPayload:"b"', detect: {threshold: {count: 1, window: 1m}}, severity: high, resolves: {on_quiet: {after: 20m, alive: 'textPayload:"y"'}}}
  - {name: by-hand, filter: 'textPayload:"b"', detect: {threshold: {count: 1, window: 1m}}, severity: high, resolves: by_hand}
`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	set, noon := NewSet(list), time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	of := func(rule string, at time.Time) Firing { return Firing{Rules: map[string]time.Time{rule: at}} }
	for _, c := range []struct {
		name     string
		was, now Firing
		want     bool
	}{
		{"nothing, nothing", Firing{}, Firing{}, true},
		{"what fires no more", of("a", time.Time{}), Firing{}, true},
		{"what fires still", of("a", time.Time{}), of("a", time.Time{}), true},
		{"what fires, and only waits again", of("a", time.Time{}), of("a", noon), true},
		{"what waited, and fires", of("a", noon), of("a", time.Time{}), false},
		{"what waits since later", of("a", noon), of("a", noon.Add(1)), true},
		{"what waits since earlier", of("a", noon), of("a", noon.Add(-1)), false},
		{"another", of("a", time.Time{}), of("b", noon), false},
		{"another that asks nobody", of("a", time.Time{}), of("by-hand", time.Time{}), true},
		{"any, after one", of("a", time.Time{}), Firing{All: true}, false},
		{"one, after any", Firing{All: true}, of("b", time.Time{}), true},
		{"elsewhere, after here", Firing{}, Firing{Elsewhere: true}, false},
	} {
		if got := set.Covers(c.was, c.now); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}

	// Each of two scans at once asks for its own.
	b := logs.Batch{Data: []byte(strings.Repeat(fmt.Sprintf(`{"timestamp":%q,"textPayload":"x y y"}`+"\n", noon.Format(time.RFC3339)), 5))}
	var scans sync.WaitGroup
	for _, rule := range []string{"a", "b"} {
		scans.Go(func() {
			for range 200 {
				hits, _, err := set.Scan(b, noon, of(rule, time.Time{}))
				if err != nil || len(hits) != 5 || hits[0].Rule.Name != rule {
					t.Errorf("%d hits of %s: %v", len(hits), rule, err)
					return
				}
			}
		})
	}
	scans.Wait()
}
