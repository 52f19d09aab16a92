package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/store"
)

// TestCrashesChangeNothing cuts entries into batches, crashes between any two steps, reads again from the cursor and repeats what was
// read, and wants what came of it to be what comes without all that.
func TestCrashesChangeNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var lines []string
		at := time.Duration(0)
		for i := range rapid.IntRange(5, 25).Draw(rt, "entries") {
			at += rapid.SampledFrom([]time.Duration{0, time.Second, 20 * time.Second, 2 * time.Minute}).Draw(rt, "gap")
			container := rapid.SampledFrom([]string{"hook", "hook", "deck"}).Draw(rt, "container")
			kind := rapid.SampledFrom([]string{"bad", "bad", "bad", "well", "beat"}).Draw(rt, "kind")
			severity := "INFO"
			if kind == "bad" {
				severity = "ERROR"
			}
			lines = append(lines, line(at, fmt.Sprint("e", i), severity, container, kind))
		}
		end := day.Add(at)
		calm := begin(t, ":memory:", ruleFile)
		defer func() { calm.db.Close() }()
		for i, one := range lines {
			calm.offer(batch(clockOf(one).Sub(day), fmt.Sprint(i+1), false, one))
			calm.step(clockOf(one))
		}
		calm.step(end)

		wild := begin(t, ":memory:", ruleFile)
		defer func() { wild.db.Close() }()
		for pos := 0; pos < len(lines); {
			n := min(rapid.IntRange(1, 5).Draw(rt, "size"), len(lines)-pos)
			again := min(rapid.IntRange(0, 3).Draw(rt, "repeated"), pos)
			wild.offer(batch(clockOf(lines[pos+n-1]).Sub(day), fmt.Sprint(pos+n), false, slices.Concat(lines[pos-again:pos], lines[pos:pos+n])...))
			pos += n
			switch rapid.IntRange(0, 2).Draw(rt, "fate") {
			case 0:
				*wild = *beginOn(t, wild.db, wild.path, wild.rules) // nothing of it is committed
			case 1:
				wild.step(clockOf(lines[pos-1]))
				*wild = *beginOn(t, wild.db, wild.path, wild.rules)
			default:
				wild.step(clockOf(lines[pos-1]))
			}
			pos = wild.cursor()
		}
		wild.step(end)
		if diff := cmp.Diff(calm.story(), wild.story()); diff != "" {
			rt.Fatalf("-calm +wild:\n%s", diff)
		}
	})
}

// cursor is where to read on after a start.
func (l *life) cursor() int {
	var n int
	err := l.db.View(context.Background(), func(tx *store.Tx) error {
		st, err := tx.Source(context.Background(), "src")
		fmt.Sscan(string(st.Cursor), &n)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

func clockOf(line string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, line[len(`{"timestamp":"`):len(`{"timestamp":"`)+strings.Index(line[len(`{"timestamp":"`):], `"`)])
	if err != nil {
		panic(err)
	}
	return t
}

// A slice may be committed though the disk says otherwise: what it made fire is known all the same, so that its signs of life are looked
// for and it ends.
func TestACommitWhoseAnswerIsLost(t *testing.T) {
	lost := false
	db, err := store.Open(t.Context(), ":memory:", store.Options{Now: func() time.Time { return day }, Fault: func(at string) error {
		if lost && at == "committed" {
			lost = false
			return errors.New("input/output error")
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	l := beginOn(t, db, "", ruleFile)
	l.offer(batch(5*time.Minute, "1", true, fives(0, 5)...))
	lost = true
	if _, err := l.e.Step(t.Context(), day.Add(5*time.Minute)); err == nil {
		t.Fatal("the answer was not lost")
	}
	wantStory(t, l, "firing")
	l.step(day.Add(5*time.Minute + time.Second))
	l.offer(batch(25*time.Minute, "2", true, line(24*time.Minute, "w", "INFO", "hook", "well")))
	l.step(day.Add(25 * time.Minute))
	wantStory(t, l, "resolved critical")
}
