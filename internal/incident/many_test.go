package incident_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
)

// TestASilenceOfManyIsTakenInTurns: what a silence hides, and what its end tells, is routed anew fifty in a transaction, not all in one.
func TestASilenceOfManyIsTakenInTurns(t *testing.T) {
	ctx := t.Context()
	w, err := newWorld(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.db.Close()
	const many = 120
	do := func(line string) {
		if err := w.command(ctx, strings.Fields(line)); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	for i := range many {
		do(fmt.Sprintf("fire rule=r service=s%d cluster=c%d sev=warning", i, i))
	}
	if err := w.run(ctx, w.now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	open, err := w.all(ctx)
	if err != nil || len(open) != many {
		t.Fatalf("%d incidents, %v", len(open), err)
	}
	settled := 0
	w.desk.Changed = func(time.Time, *incident.Incident) { settled++ }
	for i, line := range []string{`silence ana rule="r" for=1h`, "expire 1 ana"} {
		settled = 0
		do(line)
		if settled > 50 {
			t.Errorf("%s: %d incidents were settled in one transaction", line, settled)
		}
		if err := w.run(ctx, w.now); err != nil {
			t.Fatal(err)
		}
		all, err := w.all(ctx)
		if err != nil {
			t.Fatal(err)
		}
		held := 0
		for i := range all {
			if len(all[i].Holds) > 0 {
				held++
			}
		}
		if want := []int{many, 0}[i]; held != want {
			t.Errorf("%s: %d are held in the end, want %d", line, held, want)
		}
	}
}
