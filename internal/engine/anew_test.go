package engine

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Numbers that no state can hold once they are added up are no numbers: they stopped every rule, for ever.
func TestNumbersBeyondMeasureStopNothing(t *testing.T) {
	for name, detect := range map[string]string{
		"ratio":     "{ratio: {match: severity>=ERROR, sum: jsonPayload.msg, window: 10m, above: 0.1, floor: 1}}",
		"threshold": "{threshold: {sum: jsonPayload.msg, above: 10, window: 10m}}",
	} {
		l := begin(t, filepath.Join(t.TempDir(), "db"), `rules:
  - name: share
    filter: resource.labels.cluster_name="prow"
    group_by: {cluster: resource.labels.cluster_name}
    detect: `+detect+`
    severity: high
    annotations: {summary: it leaks}
  - name: plain
    filter: severity>=ERROR
    group_by: {cluster: resource.labels.cluster_name}
    detect: {threshold: {count: 3, window: 10m}}
    severity: high
    annotations: {summary: it fails}
`)
		at := 4*time.Minute + 50*time.Second
		l.offer(batch(5*time.Minute, "1", true, line(at, "a", "ERROR", "hook", "1.7e308"), line(at+time.Second, "b", "ERROR", "hook", "1.7e308"), line(at+2*time.Second, "c", "ERROR", "hook", "1.7e308")))
		l.step(day.Add(5 * time.Minute))
		l.step(day.Add(6 * time.Hour))
		if got := l.story(); !strings.Contains(got, "high") {
			t.Errorf("%s: the other rule is not heard: %s", name, got)
		}
	}
}

// An absence that needs several entries to be over needs them too when its rule was edited meanwhile.
func TestAnEditedAbsenceEndsByNoStrayEntry(t *testing.T) {
	file := `rules:
  - name: quiet
    filter: resource.labels.cluster_name="prow"
    group_by: {cluster: resource.labels.cluster_name}
    detect: {absence: {after: 10m, returns: 3}}
    severity: high
    annotations: {summary: silent}
`
	l := begin(t, filepath.Join(t.TempDir(), "db"), file)
	l.offer(batch(time.Minute, "1", true, line(time.Minute, "a", "INFO", "hook", "x")))
	l.step(day.Add(time.Minute))
	l.offer(batch(30*time.Minute, "2", true))
	l.step(day.Add(30 * time.Minute))
	l.rules = strings.Replace(file, "10m", "11m", 1)
	l.crash()
	l.step(day.Add(31 * time.Minute))
	l.offer(batch(32*time.Minute, "3", true, line(32*time.Minute, "b", "INFO", "hook", "x")))
	l.step(day.Add(32 * time.Minute))
	wantStory(t, l, "firing", "open high")
	l.offer(batch(34*time.Minute, "4", true, line(33*time.Minute, "c", "INFO", "hook", "x"), line(33*time.Minute+time.Second, "d", "INFO", "hook", "x")))
	l.step(day.Add(35 * time.Minute))
	if got := l.story(); strings.Contains(got, " firing ") {
		t.Errorf("it is not over after three: %s", got)
	}
}
