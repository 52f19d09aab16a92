package engine

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"tocsin/internal/lql"
	"tocsin/rules"
)

// A batch is scanned while a transaction waits for the disk. What the transaction made fire is asked who is alive all the same: of the batch
// it was asked when nothing fired yet, and too soon for what only might.
func TestABatchIsScannedBesideAStep(t *testing.T) {
	l := begin(t, ":memory:", ruleFile)
	here, on := make(chan bool), make(chan bool)
	l.e.o.Failpoint = func(name string) {
		if name == "engine.before_commit" {
			here <- true
			<-on
		}
	}
	l.offer(batch(5*time.Minute, "1", true, fives(0, 5)...))
	stepped := make(chan error)
	go func() {
		_, err := l.e.Step(context.Background(), day.Add(5*time.Minute))
		stepped <- err
	}()
	<-here
	offered := make(chan error, 1)
	go func() {
		offered <- l.e.Offer(context.Background(), batch(6*time.Minute, "2", true, line(6*time.Minute, "well", "INFO", "hook", "well"), line(6*time.Minute, "bad", "ERROR", "hook", "bad")))
	}()
	select {
	case err := <-offered:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a batch waits for the commit of those before it")
	}
	close(on)
	if err := <-stepped; err != nil {
		t.Fatal(err)
	}
	l.e.o.Failpoint = func(string) {}
	if l.e.Backlog() != 1 {
		t.Errorf("%d batches wait for their commit, want the one that was scanned meanwhile", l.e.Backlog())
	}
	signs := 0
	for _, h := range l.e.queue {
		if h.Sign() {
			signs++
		}
	}
	if signs != 1 {
		t.Errorf("%d signs of life of what fires now, want those of the batch", signs)
	}
	l.step(day.Add(6 * time.Minute))
	wantStory(t, l, "count 6")
	if c := l.e.Counts(); c.Entries != 7 {
		t.Errorf("%d entries were counted, want each once", c.Entries)
	}
}

// scanning is an engine that is in the middle of scanning a batch until on is closed.
func scanning(t *testing.T) (l *life, on chan bool) {
	t.Helper()
	l = begin(t, ":memory:", ruleFile)
	here := make(chan bool)
	on = make(chan bool)
	l.e.o.Failpoint = func(name string) {
		if name == "engine.scanned" {
			here <- true
			<-on
		}
	}
	go func() { _ = l.e.Offer(context.Background(), batch(5*time.Minute, "1", true, fives(0, 5)...)) }()
	<-here
	return l, on
}

// Whoever stops waits for what was read: a batch that is being scanned is not done with.
func TestBacklogHasWhatIsBeingScanned(t *testing.T) {
	l, on := scanning(t)
	waiting := make(chan int, 1)
	go func() { waiting <- l.e.Backlog() }()
	select {
	case n := <-waiting:
		t.Errorf("%d batches wait while one is scanned", n)
	case <-time.After(50 * time.Millisecond):
		close(on)
		if n := <-waiting; n != 1 {
			t.Errorf("%d batches wait, want 1", n)
		}
	}
}

// That a source ended is said after what it read last, also while that is being scanned: it is down, whatever that said.
func TestASourceThatEndsDuringAScanIsDown(t *testing.T) {
	l, on := scanning(t)
	down := make(chan bool)
	go func() {
		l.e.Down("src")
		close(down)
	}()
	select {
	case <-down:
		t.Error("its end is said before what it read last")
	case <-time.After(50 * time.Millisecond):
	}
	close(on)
	<-down
	if seen := l.e.Seen()["src"]; !seen.Down {
		t.Errorf("a source that has ended is seen as %+v", seen)
	}
}

// A rule that a scan puts aside during a commit is reported by the next.
func TestARuleThatIsPutAsideDuringACommitIsReported(t *testing.T) {
	l := begin(t, ":memory:", ruleFile)
	set := l.e.o.Program.Evaluator.Set
	path := reflect.ValueOf(set.Rule("five")).Elem().FieldByName("groupBy").Index(0).FieldByName("paths").Index(0).Field(0)
	reflect.NewAt(path.Type(), path.Addr().UnsafePointer()).Elem().Set(reflect.ValueOf((*lql.Field)(nil))) // no parsed rule is known to panic
	l.e.o.Failpoint = func(name string) {
		if name == "engine.before_commit" {
			if _, _, err := set.Scan(batch(5*time.Minute, "1", true, fives(0, 5)...), day, rules.Firing{}); err != nil || !set.IsAside("five") {
				t.Errorf("the rule is not put aside: %v", err)
			}
		}
	}
	for i := range 3 {
		l.step(day.Add(time.Duration(i) * time.Minute))
	}
	if got := l.standing(); !slices.Equal(got, []string{"rule_quarantined five"}) {
		t.Errorf("%q stands, want the rule that was put aside", got)
	}
}
