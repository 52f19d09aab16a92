package engine

import (
	"path/filepath"
	"testing"
	"time"
)

// TestTallies: matches are counted by rule once they are committed, and given once; what was asked is counted too; in virtual time nothing is.
func TestTallies(t *testing.T) {
	l := begin(t, filepath.Join(t.TempDir(), "db"), ruleFile)
	l.offer(batch(4*time.Minute, "4", true, append(fives(0, 4), line(time.Minute, "b", "INFO", "hook", "beat"), line(time.Minute, "x", "INFO", "hook", "nothing"))...))
	if got := l.e.Tallies(); got["five"].Matches != 0 || got[""].Matches != 6 || got[""].Spent <= 0 {
		t.Errorf("before the commit: %+v", got)
	}
	l.step(day.Add(4 * time.Minute))
	got := l.e.Tallies()
	if got["five"].Matches != 4 || got["silent"].Matches != 1 || got["five"].Spent <= got["silent"].Spent || got[""].Matches != 0 {
		t.Errorf("after it: %+v", got)
	}
	if again := l.e.Tallies(); len(again) != 0 {
		t.Errorf("given twice: %+v", again)
	}
	l.e.o.Virtual = true
	l.offer(batch(5*time.Minute, "5", true, fives(4, 1)...))
	l.step(day.Add(5 * time.Minute))
	if got := l.e.Tallies(); len(got) != 0 {
		t.Errorf("in virtual time: %+v", got)
	}
}
