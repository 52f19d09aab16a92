package engine

import (
	"path/filepath"
	"testing"
	"time"
)

// What came while the process was stopped is at the sources, also at those that had caught up: an absence waits until they have had time
// to read it, and no longer, however often the process is stopped.
func TestAnAbsenceIsUnknownAfterAPause(t *testing.T) {
	pause := func(l *life, from, to time.Duration) { l.e.Paused(day.Add(from), day.Add(to)) }
	for name, c := range map[string]struct {
		do   func(l *life)
		want []string
	}{
		"not yet read": {func(l *life) {
			pause(l, 5*time.Minute, 12*time.Minute)
			l.step(day.Add(12*time.Minute + 30*time.Second))
		}, []string{"!silent"}},
		"there was one": {func(l *life) {
			pause(l, 5*time.Minute, 12*time.Minute)
			l.step(day.Add(12 * time.Minute))
			l.offer(batch(12*time.Minute+time.Second, "2", true, beat(8*time.Minute)))
			l.step(day.Add(18 * time.Minute))
		}, []string{"!silent"}},
		"there was none": {func(l *life) {
			pause(l, 5*time.Minute, 12*time.Minute)
			l.step(day.Add(12 * time.Minute))
			l.step(day.Add(13 * time.Minute))
		}, []string{"silent", "firing"}},
		"stopped again before they could read": {func(l *life) {
			pause(l, 5*time.Minute, 8*time.Minute)
			pause(l, 8*time.Minute+time.Second, 14*time.Minute)
			l.step(day.Add(14*time.Minute + 30*time.Second))
		}, []string{"!silent"}},
		"slow for ever": {func(l *life) {
			for at := 25 * time.Second; at < 20*time.Minute; at += 25 * time.Second {
				pause(l, at-25*time.Second, at)
				l.step(day.Add(at))
			}
		}, []string{"silent", "firing"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := begin(t, filepath.Join(t.TempDir(), "db"), ruleFile)
			l.offer(batch(0, "1", true, beat(0)))
			l.step(day)
			c.do(l)
			wantStory(t, l, c.want...)
		})
	}
}
