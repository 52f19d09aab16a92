package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
)

// TestCountedOnce lets entries of alerts that fire come by turns: each alert's count is one change of a step, and a count that doubles is told
// behind the others, as they are by then.
func TestCountedOnce(t *testing.T) {
	list, errs := Read("rule.yaml", []byte(`rules: [{name: down, filter: 'jsonPayload.level="fatal"', group_by: {pod: jsonPayload.pod}, detect: {threshold: {count: 1, window: 1m}}, severity: high, resolves: by_hand}]`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	ev := &Evaluator{Set: NewSet(list)}
	noon := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	var lines strings.Builder
	const entries, pods = 100, 4
	for i := range entries {
		fmt.Fprintf(&lines, `{"timestamp":%q,"insertId":"%d","logName":"projects/p/logs/x","jsonPayload":{"level":"fatal","pod":"%d"}}`+"\n",
			noon.Add(time.Duration(i)*time.Second).Format(time.RFC3339), i, i%pods)
	}
	hits, _, err := ev.Set.Scan(logs.Batch{Data: []byte(lines.String())}, noon, Firing{})
	if err != nil {
		t.Fatal(err)
	}
	states := map[incident.Key]*State{}
	counts := map[string]int64{}
	for len(hits) > 0 {
		out, err := ev.Step(Slice{Hits: hits, Load: func(key incident.Key) (*State, error) {
			return states[key], nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		told := map[incident.Key]bool{}
		for i, c := range out.Changes {
			counts[c.Alert.Key.Group] += c.Added
			if told[c.Alert.Key] {
				t.Errorf("a step tells twice of %s", c.Alert.Key.Group)
			}
			told[c.Alert.Key] = true
			if c.Doubled && i != len(out.Changes)-1 {
				t.Errorf("of %d changes number %d, of %s, says that a count has doubled", len(out.Changes), i, c.Alert.Key.Group)
			}
			if c.Kind == Counted && c.Alert.Count != counts[c.Alert.Key.Group]+1 {
				t.Errorf("%s has the count %d, told were the first and %d", c.Alert.Key.Group, c.Alert.Count, counts[c.Alert.Key.Group])
			}
		}
		for key, st := range out.States {
			b, err := st.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if states[key], err = DecodeState(b); err != nil {
				t.Fatal(err)
			}
		}
		hits = hits[out.Used:]
	}
	for group, n := range counts {
		if n != entries/pods-1 {
			t.Errorf("%s was counted %d times behind the first, want %d", group, n, entries/pods-1)
		}
	}
	if len(counts) != pods {
		t.Errorf("%d groups were told of, want %d", len(counts), pods)
	}
}
