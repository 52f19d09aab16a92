package rules

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// allKinds has a rule of each kind of detection, with times short enough that three hours show all of them.
const allKinds = `
rules:
  - name: count
    filter: severity=ERROR
    group_by: {s: labels.s}
    detect: {threshold: {count: 4, window: 2m, clear_below: 2}}
    severity: high
  - name: distinct
    filter: severity=ERROR
    group_by: {s: labels.s}
    detect: {threshold: {count: 3, window: 2m, distinct: labels.v}}
    resolves: {on_quiet: {after: 10m, alive: severity=INFO}}
    severity: high
  - name: sum
    filter: severity=ERROR
    group_by: {s: labels.s}
    detect: {threshold: {sum: jsonPayload.n, above: 12, clear_below: 6, window: 5m}}
    severity: high
  - name: percentile
    filter: logName:x
    group_by: {s: labels.s}
    detect: {threshold: {percentile: {of: jsonPayload.n, p: 90}, above: 6, floor: 3, window: 5m}}
    severity: high
  - name: silent
    filter: severity=ERROR
    group_by: {s: labels.s}
    detect: {absence: {after: 20m}}
    severity: high
  - name: share
    filter: logName:x
    group_by: {s: labels.s}
    detect: {ratio: {match: severity=ERROR, window: 5m, above: 0.3, floor: 4}}
    severity: high
  - name: pace
    filter: logName:x
    group_by: {s: labels.s}
    detect: {rate: {window: 5m, past: 30m, spike: 2, drop: 0.5, floor: 3}}
    severity: high
  - name: pair
    filter: severity=ERROR
    group_by: {s: labels.s}
    detect: {sequence: {then: severity=WARNING, within: 1m, by: labels.v}}
    resolves: {on_quiet: {after: 10m, alive: severity=INFO}}
    severity: high
  - name: around
    filter: severity=ERROR
    group_by: {s: labels.s}
    detect: {sequence: {then: severity=WARNING, within: 1m, any_order: true}}
    resolves: {on_quiet: {after: 10m, alive: severity=INFO}}
    severity: high
  - name: alone
    filter: severity=WARNING
    group_by: {s: labels.s}
    detect: {sequence: {then: severity=ERROR, within: 90s, missing: true}}
    resolves: {on_quiet: {after: 10m, alive: severity=INFO}}
    severity: high
  - name: other
    filter: severity>=WARNING
    group_by: {s: labels.s}
    detect: {change: {of: labels.v}}
    resolves: {on_quiet: {after: 10m, alive: severity=INFO}}
    severity: high
  - name: never
    filter: severity>=WARNING
    group_by: {s: labels.s}
    detect: {new_value: {of: jsonPayload.n, learn: 20m, rollout: {by: labels.v, learn: 5m}}}
    resolves: {on_quiet: {after: 10m, alive: severity=INFO}}
    severity: high
  - name: unlike
    filter: severity>=WARNING
    group_by: {s: labels.s}
    detect: {new_value: {pattern: jsonPayload.msg, learn: 20m}}
    resolves: {on_quiet: {after: 10m, alive: severity=INFO}}
    severity: high
`

var (
	orders     = flag.Int("orders", 3, "how many random hours TestAnyOrderOfEveryKind plays")
	firstOrder = flag.Int("first-order", 0, "the seed of the first of them")
)

// Entries in any order within the lateness, some of them twice, cut into batches anywhere, give the same alerts of every kind.
func TestAnyOrderOfEveryKind(t *testing.T) {
	for n := range *orders {
		seed := uint64(*firstOrder + n)
		random := rand.New(rand.NewPCG(seed, 7))
		type one struct {
			group string
			error bool
			kindEntry
		}
		var list []one
		add := func(at time.Duration, severity string) {
			words := []string{"cannot", "open", "read", "write", "file", "host", "found", "lost"}
			msg := words[random.IntN(4)] + " " + words[random.IntN(8)] + " " + words[random.IntN(8)]
			group := []string{"hook", "deck"}[random.IntN(2)]
			list = append(list, one{group, severity == "ERROR", kindEntry{at: at, line: fmt.Sprintf(`{"severity":%q,"labels":{"s":%q,"v":%q},"jsonPayload":{"n":%d,"msg":%q}}`,
				severity, group, []string{"a", "b", "c"}[random.IntN(3)], random.IntN(8), msg)}})
		}
		for minute := range 90 {
			for range 2 {
				add(time.Duration(minute)*time.Minute+time.Duration(random.IntN(60))*time.Second, "INFO")
			}
		}
		for range random.IntN(13) {
			begin := time.Duration(random.IntN(80*60)) * time.Second
			for range 1 + random.IntN(8) {
				add(begin+time.Duration(random.IntN(240))*time.Second, []string{"ERROR", "ERROR", "WARNING"}[random.IntN(3)])
			}
		}
		slices.SortStableFunc(list, func(a, b one) int { return cmp.Compare(a.at, b.at) })
		// A silence that is over within the lateness may have been noticed or not.
		spoke := map[string]time.Duration{}
		list = slices.DeleteFunc(list, func(e one) bool {
			before, known := spoke[e.group]
			if !e.error {
				return false
			}
			if gap := e.at - before; known && gap >= 20*time.Minute && gap <= 20*time.Minute+lateness {
				return true
			}
			spoke[e.group] = e.at
			return false
		})
		var entries []kindEntry
		for i, e := range list {
			e.came, e.line = e.at, fmt.Sprintf(`{"timestamp":%q,"insertId":"e%d","logName":"projects/p/logs/x",%s`, day.Add(e.at).Format(time.RFC3339Nano), i, e.line[1:])
			entries = append(entries, e.kindEntry)
		}
		until := 3 * time.Hour
		want := plainly(playKind(t, allKinds, entries, until, nil))
		if diff := gocmp.Diff(want, playKind(t, allKinds, entries, until, random)); diff != "" {
			t.Fatalf("seed %d: -in order, once +mixed, twice:\n%s", seed, diff)
		}
	}
}
