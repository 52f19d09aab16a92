package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hinted is a rule file with something to say of its filters, in each way that YAML writes them.
const hinted = `rules:
  - name: block
    filter: |
      resource.type="t"
        jsonPayload.é="1" jsonPayload.x!="y"
    detect: {threshold: {count: 1, window: 5m}}
    severity: high
  - name: quoted
    filter: 'a or b'
    detect: {threshold: {count: 1, window: 5m}}
    severity: high
    resolves: {on_clear: "severity=WARN"}
  - name: plain
    filter: severity>=ERROR jsonPayload.y!=1
    detect: {threshold: {count: 1, window: 5m}}
    severity: high
  - name: folded
    filter: >
      severity>=ERROR

      jsonPayload.y!=1
    detect: {threshold: {count: 1, window: 5m}}
    severity: high
  - name: escaped
    filter: "jsonPayload.a=\"\\\\b\" jsonPayload.y!=1"
    detect: {threshold: {count: 1, window: 5m}}
    severity: high
  - name: clean
    filter: NOT jsonPayload.y=1
    detect: {threshold: {count: 1, window: 5m}}
    severity: high
`

func TestLintsHaveAPlace(t *testing.T) {
	list, errs := Read("f.yaml", []byte(hinted))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var got []string
	for _, r := range list {
		for _, l := range r.Lints() {
			text, _, _ := strings.Cut(l.Error(), "; write")
			got = append(got, text)
		}
	}
	want := []string{
		`f.yaml:5:27: rule block: filter: jsonPayload.x!="y": skips entries without jsonPayload.x, and those where it is null`,
		`f.yaml:9:16: rule quoted: filter: or: is a word to look for: the operator is written OR; quote the word if it is meant`,
		`f.yaml:12:27: rule quoted: resolves.on_clear: severity=WARN: matches nothing, whatever the operator: severity is a severity, and WARN is none`,
		`f.yaml:14:29: rule plain: filter: jsonPayload.y!=1: skips entries without jsonPayload.y, and those where it is null`,
		`f.yaml:18:13: rule folded: filter: line 2, column 1: jsonPayload.y!=1: skips entries without jsonPayload.y, and those where it is null`,
		`f.yaml:25:13: rule escaped: filter: line 1, column 21: jsonPayload.y!=1: skips entries without jsonPayload.y, and those where it is null`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestSlowPatterns says whose clock decides, that what is over the budget is asked three times, and what is said of it.
func TestSlowPatterns(t *testing.T) {
	list, errs := Read("f.yaml", []byte(`rules:
  - name: slow
    filter: severity>=ERROR textPayload=~"a.{60}b" OR textPayload=~"plain"
    detect: {threshold: {count: 1, window: 5m, list: 'regexp_extract(textPayload, "u=(.{3,9})x")'}}
    group_by: {a: 'regexp_extract(textPayload, "g=(.*)x")'}
    severity: high
`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	asked := 0
	told := Slow(list, func(run func()) time.Duration {
		run()
		asked++
		return PatternBudget
	})
	if len(told) > 0 || asked == 0 {
		t.Errorf("within the budget: %d asked, %v", asked, told)
	}
	within := asked
	asked = 0
	told = Slow(list, func(func()) time.Duration {
		asked++
		return PatternBudget + time.Duration(asked)*time.Millisecond
	})
	if asked != 3*within/2 { // three times, and of each pattern only until one of its two texts is too slow
		t.Errorf("asked %d times, %d within the budget", asked, within)
	}
	var got []string
	for _, e := range told {
		text, _, _ := strings.Cut(e.Error(), " of CPU")
		got = append(got, text)
	}
	want := []string{
		`f.yaml:3:29: rule slow: filter: the regular expression "a.{60}b" takes 501ms`,
		`f.yaml:4:13: rule slow: detect: the regular expression "u=(.{3,9})x" takes 504ms`,
		`f.yaml:5:20: rule slow: group_by.a: the regular expression "g=(.*)x" takes 507ms`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	asked = 0
	if told = Slow(list, func(func()) time.Duration { asked++; return time.Duration(1+asked%2) * PatternBudget }); len(told) > 0 {
		t.Errorf("a slow run between fast ones: %v", told)
	}
}
