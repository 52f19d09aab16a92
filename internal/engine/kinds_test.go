package engine

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What a detector has learned outlives a crash, and so does what it waits for; in an outage of the source what is missing is unknown.
func TestWhatWasLearnedOutlivesACrash(t *testing.T) {
	l := begin(t, filepath.Join(t.TempDir(), "db"), `
rules:
  - name: never-seen
    filter: severity=ERROR
    detect: {new_value: {of: jsonPayload.msg, learn: 30m}}
    resolves: by_hand
    severity: high
    annotations: {summary: 'new: {{ .Entry.jsonPayload.msg }} of {{ join "," .List }}'}
  - name: no-end
    filter: jsonPayload.msg="begin"
    detect: {sequence: {then: 'jsonPayload.msg="end"', within: 10m, missing: true}}
    resolves: by_hand
    severity: high
`)
	say := func(at time.Duration, severity, msg string) {
		l.offer(batch(at, fmt.Sprint(at), true, line(at, fmt.Sprint(at), severity, "hook", msg)))
		l.step(day.Add(at))
		l.step(day.Add(at + 61*time.Second)) // what waited for its turn
	}
	say(0, "ERROR", "known")
	say(5*time.Minute, "INFO", "begin")
	l.crash()
	say(14*time.Minute, "INFO", "end")
	say(40*time.Minute, "ERROR", "known")
	if diff := cmp.Diff("", l.story()); diff != "" {
		t.Fatalf("nothing is wrong yet: -want +got:\n%s", diff)
	}
	say(50*time.Minute, "ERROR", "unheard of")
	l.crash()
	say(55*time.Minute, "ERROR", "unheard of")
	wantStory(t, l, `"new: unheard of of unheard of"`, "never-seen {} firing first 50m0s last 50m0s count 1")
	say(60*time.Minute, "INFO", "begin")
	b := batch(62*time.Minute, "blind", true)
	b.Blind = true
	l.offer(b)
	l.step(day.Add(62 * time.Minute))
	l.step(day.Add(80 * time.Minute))
	if strings.Contains(l.story(), "no-end") {
		t.Errorf("while the source is blind:\n%s", l.story())
	}
	say(81*time.Minute, "INFO", "seen again")
	say(95*time.Minute, "INFO", "the end did not come")
	wantStory(t, l, "no-end {} firing first 1h0m0s last 1h0m0s count 1")
}

// A rule with too many groups is a trouble until it has not.
func TestFoldedGroupsAreATrouble(t *testing.T) {
	l := begin(t, ":memory:", `
rules:
  - name: each
    filter: severity=ERROR
    group_by: {msg: jsonPayload.msg}
    max_groups: 2
    detect: {threshold: {count: 5, window: 2m}}
    severity: high
`)
	defer l.db.Close()
	for i := range 5 {
		at := time.Duration(i) * time.Second
		l.offer(batch(at, fmt.Sprint(i), true, line(at, fmt.Sprint(i), "ERROR", "hook", fmt.Sprint("m", i))))
		l.step(day.Add(at))
	}
	if diff := cmp.Diff([]string{"groups_folded each"}, l.standing()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for i := range 20 {
		at := time.Duration(i+1) * time.Minute
		l.offer(batch(at, fmt.Sprint("later", i), true, line(at, fmt.Sprint("later", i), "INFO", "hook", "well")))
		l.step(day.Add(at))
	}
	if diff := cmp.Diff([]string(nil), l.standing()); diff != "" {
		t.Errorf("once its groups are gone: -want +got:\n%s", diff)
	}
}
