package engine

import (
	"context"
	"testing"
	"time"
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
