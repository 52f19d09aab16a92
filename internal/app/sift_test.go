package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/logs"
	"tocsin/internal/store"
	"tocsin/rules"
)

const sievedRules = `rules:
  - name: fails
    filter: jsonPayload.message="fails"
    group_by: {pod: jsonPayload.pod}
    detect: {threshold: {count: 1, window: 5m}}
    resolves: {on_quiet: {after: 10m, alive: 'jsonPayload.message:"e"'}}
    severity: high
`

// What a rule asks for goes on as it came, everything else as a number. Of the signs of life, which are asked for while the rule fires or
// may come to, the last of each group will do.
func TestSieve(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	line := func(n int, pod, message string) string {
		return fmt.Sprintf(`{"insertId":"%d","logName":"l","receiveTimestamp":%q,"jsonPayload":{"message":%q,"pod":%q}}`, n, at.Add(time.Duration(n)*time.Second).Format(time.RFC3339), message, pod)
	}
	all := []string{line(1, "a", "serves"), line(2, "a", "works"), line(3, "b", "serves"), line(4, "b", "serves"), `{"cut`, line(5, "a", "serves")}
	fails := line(6, "b", "fails")
	tests := map[string]struct {
		lines  []string
		firing bool
		want   []string
		broken int64
	}{
		"nothing is asked for":       {all, false, nil, 1},
		"signs of life, as it fires": {all, true, []string{all[3], all[5]}, 1},
		"and as it may come to":      {append(all[:3:3], fails, all[5]), false, []string{all[2], fails, all[5]}, 0},
		"a sign beside a match":      {[]string{all[3], fails}, true, []string{all[3], fails}, 0},
	}
	list, errs := rules.Read("sieve.yaml", []byte(sievedRules))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &sieve{source: "logs", set: rules.NewSet(list), firing: map[string]bool{"fails": tt.firing}}
			b := logs.Batch{Source: "logs", Data: []byte(strings.Join(tt.lines, "\n") + "\n"), Received: at.Add(time.Minute), CaughtUp: true, Passed: 2}
			s.sift(b)
			var want []byte
			for _, l := range tt.want {
				want = append(append(want, l...), '\n')
			}
			rows := []store.Handed{{Lines: want, Sifted: int64(len(tt.lines) - len(tt.want)), Broken: tt.broken, Passed: 2}}
			if diff := cmp.Diff(rows, s.rows); diff != "" {
				t.Errorf("handed over (-want +got):\n%s", diff)
			}
			if !s.reading.CaughtUp || s.reading.Clock.Before(at.Add(4*time.Second)) {
				t.Errorf("the reading is %+v", s.reading)
			}
			b.Backlog = true
			if s.sift(b); len(s.rows) != 2 || !s.rows[1].Backlog {
				t.Errorf("a backlog is a row of its own: %d rows", len(s.rows))
			}
		})
	}
}
