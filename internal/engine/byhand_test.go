package engine

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

const byHandFile = `rules:
  - name: leak
    filter: resource.labels.cluster_name="prow" severity>=ERROR
    group_by: {cluster: resource.labels.cluster_name, service: resource.labels.container_name}
    detect: {threshold: {count: 2, window: 10m}}
    resolves: by_hand
    severity: critical
    annotations: {summary: it leaks}
`

// What ends by hand is over when somebody resolves its incident: its group begins anew, and needs all that the rule asks for to fire again.
func TestByHandIsOverWhenSomebodySaysSo(t *testing.T) {
	l := begin(t, filepath.Join(t.TempDir(), "db"), byHandFile)
	errs := func(at time.Duration, id string) string { return line(at, id, "ERROR", "hook", "leak") }
	l.offer(batch(5*time.Minute, "1", true, errs(1*time.Minute, "a"), errs(2*time.Minute, "b")))
	l.step(day.Add(5 * time.Minute))
	wantStory(t, l, "firing")

	l.byHand(day.Add(6 * time.Minute))
	l.step(day.Add(20 * time.Minute))
	wantStory(t, l, "!firing", "resolved critical")

	l.crash()
	l.offer(batch(21*time.Minute, "2", true, errs(2*time.Minute, "b"), errs(20*time.Minute, "c")))
	l.step(day.Add(22 * time.Minute))
	wantStory(t, l, "!firing", "resolved critical")
	l.offer(batch(24*time.Minute, "3", true, errs(23*time.Minute, "d")))
	l.step(day.Add(25 * time.Minute))
	wantStory(t, l, "firing", "open critical")
}

// What a rule that is gone has left ends by hand too, not only after a quiet day.
func TestWhatARuleHasLeftIsOverWhenSomebodySaysSo(t *testing.T) {
	l := begin(t, filepath.Join(t.TempDir(), "db"), strings.Replace(byHandFile, "by_hand", "{on_quiet: {after: 2h}}", 1))
	l.offer(batch(5*time.Minute, "1", true, line(1*time.Minute, "a", "ERROR", "hook", "leak"), line(2*time.Minute, "b", "ERROR", "hook", "leak")))
	l.step(day.Add(5 * time.Minute))
	wantStory(t, l, "firing")
	l.rules = strings.Replace(byHandFile, "name: leak", "name: other", 1)
	l.crash()
	l.step(day.Add(6 * time.Minute))
	l.byHand(day.Add(7 * time.Minute))
	l.step(day.Add(20 * time.Minute))
	wantStory(t, l, "!firing", "resolved critical")
	l.step(day.Add(30 * time.Hour))
	wantStory(t, l, "!firing", "resolved critical")
}

// What a rule that is gone has left, and somebody has ended, is not found in the same entries again when the rule is back and its source reads some
// of them anew.
func TestWhatSomebodyEndedIsNotFoundAgain(t *testing.T) {
	l := begin(t, filepath.Join(t.TempDir(), "db"), byHandFile)
	errs := []string{line(1*time.Minute, "a", "ERROR", "hook", "leak"), line(2*time.Minute, "b", "ERROR", "hook", "leak")}
	l.offer(batch(3*time.Minute, "1", true, errs...))
	l.step(day.Add(3 * time.Minute))
	l.rules = strings.Replace(byHandFile, "name: leak", "name: other", 1)
	l.crash()
	l.step(day.Add(4 * time.Minute))
	l.byHand(day.Add(5 * time.Minute))
	l.step(day.Add(5 * time.Minute))
	l.rules = byHandFile
	l.crash()
	l.offer(batch(6*time.Minute, "2", true, errs...))
	l.step(day.Add(6 * time.Minute))
	wantStory(t, l, "!firing", "resolved critical")
}

// What somebody ended while its rule was gone, or was another, fires anew when the rule is back: a group that took it for firing still would only
// count, and call nobody.
func TestEndedWhileItsRuleWasAnother(t *testing.T) {
	onQuiet := strings.Replace(byHandFile, "by_hand", "{on_quiet: {after: 2h}}", 1)
	for name, c := range map[string]struct{ first, then string }{
		"gone":          {onQuiet, strings.Replace(byHandFile, "name: leak", "name: other", 1)},
		"ended by hand": {byHandFile, byHandFile},
	} {
		l := begin(t, filepath.Join(t.TempDir(), "db"), c.first)
		errs := func(at time.Duration, id string) string { return line(at, id, "ERROR", "hook", "leak") }
		l.offer(batch(5*time.Minute, "1", true, errs(1*time.Minute, "a"), errs(2*time.Minute, "b")))
		l.step(day.Add(5 * time.Minute))
		wantStory(t, l, "firing")
		l.rules = c.then
		l.crash()
		l.step(day.Add(6 * time.Minute))
		l.byHand(day.Add(7 * time.Minute))
		l.rules = onQuiet
		l.crash()
		l.step(day.Add(20 * time.Minute))
		l.offer(batch(31*time.Minute, "2", true, errs(25*time.Minute, "c"), errs(26*time.Minute, "d"), errs(27*time.Minute, "e")))
		l.step(day.Add(31 * time.Minute))
		if got := l.story(); !strings.Contains(got, " firing ") {
			t.Errorf("%s: nobody hears of it again: %s", name, got)
		}
	}
}

// An absence that somebody has ended is over, though the group is silent still: it has to speak before it can be missed anew.
func TestAnAbsenceIsOverWhenSomebodySaysSo(t *testing.T) {
	l := begin(t, filepath.Join(t.TempDir(), "db"), `rules:
  - name: silent
    filter: resource.labels.cluster_name="prow"
    group_by: {cluster: resource.labels.cluster_name, service: resource.labels.container_name}
    detect: {absence: {after: 10m}}
    resolves: by_hand
    severity: critical
    annotations: {summary: it says nothing}
`)
	alive := func(from, to time.Duration) { // another of the same source
		for at := from; at <= to; at += time.Minute {
			l.offer(batch(at, at.String(), true, line(at, at.String(), "INFO", "sinker", "well")))
			l.step(day.Add(at))
		}
	}
	l.offer(batch(time.Minute, "1", true, line(time.Minute, "a", "INFO", "hook", "well")))
	alive(2*time.Minute, 14*time.Minute)
	wantStory(t, l, "firing")
	l.byHand(day.Add(15 * time.Minute))
	alive(16*time.Minute, 90*time.Minute)
	wantStory(t, l, "!firing", "resolved critical")
	l.offer(batch(91*time.Minute, "back", true, line(91*time.Minute, "b", "INFO", "hook", "well")))
	alive(92*time.Minute, 110*time.Minute)
	wantStory(t, l, "firing", "open critical")
}

// Of a group that somebody has ended nothing is kept once nothing of it can be read again, though it never speaks again: else a rule that ends by
// hand fills up with groups that are over, until it may have no more.
func TestOfWhatIsEndedByHandNothingStays(t *testing.T) {
	for name, ended := range map[string]time.Duration{"at once": 6 * time.Minute, "when all of it was forgotten but that it fires": 121 * time.Minute} {
		l := begin(t, filepath.Join(t.TempDir(), "db"), byHandFile)
		l.offer(batch(5*time.Minute, "1", true, line(1*time.Minute, "a", "ERROR", "hook", "leak"), line(2*time.Minute, "b", "ERROR", "hook", "leak")))
		l.step(day.Add(5 * time.Minute))
		other := func(at time.Duration) {
			l.offer(batch(at, at.String(), true, line(at, at.String(), "INFO", "sinker", "well")))
			l.step(day.Add(at))
		}
		for at := ended % (30 * time.Minute); at <= ended; at += 30 * time.Minute { // so that the source's clock moves
			other(at)
		}
		if n := l.groups("leak"); n != 1 {
			t.Fatalf("%s: %d groups are kept while it fires, want 1", name, n)
		}
		l.byHand(day.Add(ended))
		other(3 * time.Hour)
		other(4 * time.Hour)
		if n := l.groups("leak"); n != 0 {
			t.Errorf("%s: %d groups are kept though nobody can need them", name, n)
		}
	}
}

// groups is how many groups of a rule have a state.
func (l *life) groups(rule string) (n int) {
	l.t.Helper()
	err := l.db.View(context.Background(), func(tx *store.Tx) (err error) {
		n, err = tx.CountStates(context.Background(), rule)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// byHand lets somebody resolve all that is open.
func (l *life) byHand(at time.Time) {
	l.t.Helper()
	err := l.db.Update(context.Background(), func(tx *store.Tx) error {
		open, err := tx.Related(context.Background(), "p", at)
		if err != nil {
			return err
		}
		book := incident.NewBook(at, open)
		book.EndByHand(l.e.o.Program.Evaluator.Set.EndsByHand)
		for _, inc := range open {
			book.Resolve(book.Get(inc.ID), "ana", incident.Said{})
		}
		return l.e.o.Program.Desk.Settle(context.Background(), tx, at, book)
	})
	if err != nil {
		l.t.Fatal(err)
	}
}
