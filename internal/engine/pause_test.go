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

// By a wall clock that is an hour ahead each beat looks an hour old. The beats say so themselves: nothing fires while they come, and what
// waits for late lines waits for them.
func TestAWallClockThatIsAhead(t *testing.T) {
	const hour = time.Hour
	pause := func(l *life, from, to time.Duration) { l.e.Paused(day.Add(from), day.Add(to)) }
	for name, c := range map[string]struct {
		do   func(l *life)
		want []string
	}{
		"set while it runs": {func(l *life) {
			l.e.ClockSet(day.Add(hour + time.Minute))
			l.step(day.Add(hour + time.Minute))
			for at := 6 * time.Minute; at < 2*time.Hour; at += 6 * time.Minute {
				l.offer(batch(hour+at, at.String(), true, beat(at)))
				l.step(day.Add(hour + at))
				l.step(day.Add(hour + at + 5*time.Minute))
			}
		}, []string{"!silent"}},
		"wrong since the start": {func(l *life) {
			l.crash()
			l.offer(batch(hour+time.Minute, "1", true))
			l.step(day.Add(hour + time.Minute))
			for at := 6 * time.Minute; at < 2*time.Hour; at += 6 * time.Minute {
				l.offer(batch(hour+at, at.String(), true, beat(at)))
				l.step(day.Add(hour + at))
				l.step(day.Add(hour + at + 5*time.Minute))
			}
		}, []string{"!silent"}},
		"set, and stopped": {func(l *life) {
			l.e.ClockSet(day.Add(hour + time.Minute))
			l.step(day.Add(hour + time.Minute))
			pause(l, hour+2*time.Minute, hour+9*time.Minute)
			l.offer(batch(hour+9*time.Minute, "2", true, beat(8*time.Minute)))
			l.step(day.Add(hour + 9*time.Minute))
			l.step(day.Add(hour + 15*time.Minute))
		}, []string{"!silent"}},
		"they cease": {func(l *life) {
			l.e.ClockSet(day.Add(hour + time.Minute))
			l.offer(batch(hour+6*time.Minute, "2", true, beat(6*time.Minute)))
			l.step(day.Add(hour + 6*time.Minute))
			l.step(day.Add(2*hour + 20*time.Minute))
		}, []string{"silent", "firing"}},
		"what it made fire is over, and they go on": {func(l *life) {
			l.crash()
			l.offer(batch(hour, "2", true))
			l.step(day.Add(hour + 22*time.Minute))
			l.offer(batch(2*hour+time.Minute, "3", true, beat(hour+time.Minute)))
			l.step(day.Add(2*hour + time.Minute))
			l.offer(batch(2*hour+7*time.Minute, "4", true, beat(hour+7*time.Minute)))
			l.step(day.Add(2*hour + 7*time.Minute))
			l.step(day.Add(2*hour + 13*time.Minute))
		}, []string{"silent", "resolved", "!firing"}},
		"set right again, and they have ceased": {func(l *life) {
			l.e.ClockSet(day.Add(hour + time.Minute))
			l.offer(batch(hour+6*time.Minute, "2", true, beat(6*time.Minute)))
			l.step(day.Add(hour + 6*time.Minute))
			l.step(day.Add(hour + 7*time.Minute))
			l.e.ClockSet(day.Add(7 * time.Minute))
			l.step(day.Add(7 * time.Minute))
			l.step(day.Add(19 * time.Minute))
		}, []string{"silent", "firing"}},
		"set right again": {func(l *life) {
			l.e.ClockSet(day.Add(hour + time.Minute))
			l.offer(batch(hour+6*time.Minute, "2", true, beat(6*time.Minute)))
			l.step(day.Add(hour + 6*time.Minute))
			l.e.ClockSet(day.Add(7 * time.Minute))
			l.offer(batch(12*time.Minute, "3", true, beat(12*time.Minute)))
			l.step(day.Add(12 * time.Minute))
			l.step(day.Add(25 * time.Minute))
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
