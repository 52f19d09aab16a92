package escalation

import (
	"context"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// clocked is a stepWorld whose clock can be set: time goes by apart from it.
type clocked struct {
	*stepWorld
	passed, off time.Duration
}

func (w *clocked) now() time.Time { return noon.Add(w.passed + w.off) }

// until lets time go by to so long after noon, looking each ten seconds, and says after how long each call came, its provider taking it
// at once.
func (w *clocked) until(after time.Duration) []time.Duration {
	w.t.Helper()
	var came []time.Duration
	seen := len(w.calls())
	for ; w.passed <= after; w.passed += 10 * time.Second {
		for range 3 {
			if _, err := w.step.Step(w.t.Context(), w.now()); err != nil {
				w.t.Fatal(err)
			}
		}
		for calls := w.calls(); seen < len(calls); seen++ {
			came = append(came, w.passed)
			w.accept(calls[seen], w.now())
		}
	}
	return came
}

// TestClockSetBack: after the clock was set back by an hour the second call comes ten minutes after the first all the same, and what was
// forgotten is taken back after four hours; a row that was to be tried again is.
func TestClockSetBack(t *testing.T) {
	w := &clocked{stepWorld: newStepWorld(t)}
	if came := w.until(4 * time.Minute); len(came) != 1 || came[0] != 0 {
		t.Fatalf("calls came after %v, want one at once", came)
	}
	retry := incident.Notification{Incident: w.id, Target: "ops", Kind: incident.Message, Key: "m", State: incident.Pending, CreatedAt: w.now(), Due: w.now().Add(30 * time.Second)}
	w.update(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.AddNotification(ctx, &retry)
		return err
	})
	w.off = -time.Hour
	if err := w.step.SetBack(w.t.Context(), w.now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	w.update(func(ctx context.Context, tx *store.Tx) error {
		due, err := tx.NextNotificationDue(ctx, "ops")
		if late := due.Sub(w.now()); late > 30*time.Second || late < 0 {
			t.Errorf("what was to be tried again in 30s is now in %s", late)
		}
		return err
	})
	if came := w.until(15 * time.Minute); len(came) != 1 || came[0] != 10*time.Minute {
		t.Errorf("after the clock was set back calls came after %v, want the second step's after 10m", came)
	}
	w.update(func(ctx context.Context, tx *store.Tx) error {
		inc, err := tx.Incident(ctx, w.id)
		if err != nil {
			return err
		}
		book := incident.NewBook(w.now(), []incident.Incident{inc})
		book.Acknowledge(book.Get(w.id), "ana", incident.Said{})
		return w.step.program().Desk.Settle(ctx, tx, w.now(), book)
	})
	took := w.passed
	w.off -= 2 * time.Hour
	if err := w.step.SetBack(w.t.Context(), w.now(), 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if came := w.until(took + 4*time.Hour + time.Minute); len(came) != 1 || (came[0]-took-4*time.Hour).Abs() > 10*time.Second {
		t.Errorf("forgotten at %s, the page came after %v, want it four hours later, and once", took, came)
	}
}

// TestClockAhead: a clock that goes ahead by an hour makes steps early by as much at the most, each once, and drops none.
func TestClockAhead(t *testing.T) {
	w := &clocked{stepWorld: newStepWorld(t)}
	w.until(4 * time.Minute)
	w.off = time.Hour
	came := w.until(2 * time.Hour)
	if len(came) < 2 || came[0] != 4*time.Minute+10*time.Second || came[1] < 30*time.Minute {
		t.Errorf("calls came after %v, want the second step's at once, and the next only when an hour has gone by after nobody answered", came)
	}
	if calls := w.calls(); len(calls) != len(came)+1 || calls[0].Key == calls[1].Key {
		t.Errorf("%d calls in all, want each once under a key of its own", len(calls))
	}
}
