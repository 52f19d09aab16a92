package escalation

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// stepWorld is a store with one critical incident that pages by a policy: at once, and again after ten minutes.
type stepWorld struct {
	t     *testing.T
	store *store.Store
	step  *Escalation
	id    string
}

var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// newStepWorld makes it. more are further steps.
func newStepWorld(t *testing.T, more ...Step) *stepWorld {
	t.Helper()
	db, err := store.Open(t.Context(), ":memory:", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	plan, errs := NewPlan(Policy{Steps: append([]Step{{Notify: []string{"oncall"}}, {After: minutes(10), Notify: []string{"oncall"}}}, more...)}, Known{Receivers: []string{"oncall", "second"}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	desk := &store.Desk{Traits: map[string]incident.Traits{"oncall": {Pages: true}, "second": {Pages: true}},
		Direct: func(*incident.Incident, time.Time) incident.Direction { return incident.Direction{Policy: "p"} }}
	w := &stepWorld{t: t, store: db, step: New(db, func() Program { return Program{Plans: map[string]*Plan{"p": plan}, Desk: desk} }, nil)}
	w.update(func(ctx context.Context, tx *store.Tx) error {
		book := incident.NewBook(noon, nil)
		w.id = book.Fire(incident.Alert{Key: incident.Key{Rule: "r", Group: "{}"}, Labels: incident.Labels{"project": "p"}, Severity: incident.Critical, Mode: incident.Page, First: noon, Last: noon}).ID
		return desk.Settle(ctx, tx, noon, book)
	})
	return w
}

func (w *stepWorld) update(do func(ctx context.Context, tx *store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), func(tx *store.Tx) error { return do(w.t.Context(), tx) }); err != nil {
		w.t.Fatal(err)
	}
}

// run steps through all that is due up to a time.
func (w *stepWorld) run(until time.Time) {
	w.t.Helper()
	for now := noon; ; {
		next, err := w.step.Step(w.t.Context(), now)
		if err != nil {
			w.t.Fatal(err)
		}
		if next.IsZero() || next.After(until) {
			return
		}
		now = next
	}
}

// calls are the pages so far.
func (w *stepWorld) calls() []incident.Notification {
	w.t.Helper()
	var calls []incident.Notification
	w.update(func(ctx context.Context, tx *store.Tx) error {
		all, err := tx.Notifications(ctx, w.id)
		for _, n := range all {
			if n.Kind == incident.Call {
				calls = append(calls, n)
			}
		}
		return err
	})
	return calls
}

func (w *stepWorld) accept(n incident.Notification, at time.Time) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx *store.Tx) error {
		n.State, n.SentAt, n.Receipt = incident.Sent, at, n.Key
		return tx.SaveNotification(ctx, &n)
	})
}

// TestStepsCountFromTheFirstAcceptedCall: who was not rung cannot have answered, so the ten minutes of the second step begin when the
// pager took the first.
func TestStepsCountFromTheFirstAcceptedCall(t *testing.T) {
	w := newStepWorld(t)
	w.run(noon)
	first := w.calls()
	if len(first) != 1 || first[0].Round != 1 {
		t.Fatalf("at noon: %d calls, want that of round 1", len(first))
	}
	w.accept(first[0], noon.Add(4*time.Minute))
	w.run(noon.Add(13 * time.Minute))
	if n := len(w.calls()); n != 1 {
		t.Errorf("9 minutes after the first was accepted: %d calls, want 1", n)
	}
	w.run(noon.Add(14 * time.Minute))
	calls := w.calls()
	if len(calls) != 2 || !calls[1].CreatedAt.Equal(noon.Add(14*time.Minute)) || calls[1].Key != w.id+".2" {
		t.Errorf("10 minutes after the first was accepted: %+v, want a call of round 2", calls)
	}
}

// TestRepeatedCallsCountFromTheAccepted: once nobody has answered the call is repeated every hour, and no provider takes one for 58
// minutes of it. Who is rung by it then has an hour, as with the others.
func TestRepeatedCallsCountFromTheAccepted(t *testing.T) {
	w := newStepWorld(t)
	w.run(noon.Add(100 * time.Minute)) // the fallback was told at 40 minutes, the first step was run again at 1h40
	calls := w.calls()
	last := calls[len(calls)-1]
	asked := last.CreatedAt.Sub(noon)
	for _, n := range calls {
		w.accept(n, n.CreatedAt.Add(58*time.Minute))
	}
	w.run(noon.Add(asked + 117*time.Minute))
	if n := len(w.calls()); n != len(calls) {
		t.Errorf("59 minutes after the repeated call was accepted it was repeated again")
	}
	w.run(noon.Add(asked + 118*time.Minute))
	if n := len(w.calls()); n != len(calls)+1 {
		t.Errorf("an hour after the repeated call was accepted there are %d calls more, want 1", n-len(calls))
	}
}

// TestUnacceptedCallHoldsStepsForAWhileOnly: a later step may reach somebody by another way, so it is held for five minutes at the most.
func TestUnacceptedCallHoldsStepsForAWhileOnly(t *testing.T) {
	w := newStepWorld(t)
	w.run(noon.Add(9 * time.Minute))
	if n := len(w.calls()); n != 1 {
		t.Fatalf("%d calls, want 1", n)
	}
	w.run(noon.Add(10*time.Minute + lookAgain))
	if n := len(w.calls()); n != 2 {
		t.Errorf("ten minutes later: %d calls, want the second step's too", n)
	}
}

// TestStepsThatAreLateHoldThoseBehindThem: the process was away for two hours. Who is rung when it is back has their ten minutes.
func TestStepsThatAreLateHoldThoseBehindThem(t *testing.T) {
	w := newStepWorld(t, Step{After: minutes(20), Notify: []string{"oncall"}})
	w.run(noon)
	w.accept(w.calls()[0], noon)
	for _, at := range []time.Duration{120 * time.Minute, 121 * time.Minute, 129 * time.Minute, 130 * time.Minute} {
		now := noon.Add(at)
		if _, err := w.step.Step(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		for _, n := range w.calls() {
			if n.State == incident.Pending {
				w.accept(n, now)
			}
		}
	}
	var at []string
	for _, n := range w.calls() {
		at = append(at, n.CreatedAt.Sub(noon).String())
	}
	if want := "0s 2h0m0s 2h10m0s"; strings.Join(at, " ") != want {
		t.Errorf("called after %v, want %s", at, want)
	}
}

// TestAcceptedAtOnceMovesNothing: the ordinary case, to the instant.
func TestAcceptedAtOnceMovesNothing(t *testing.T) {
	w := newStepWorld(t)
	w.run(noon)
	w.accept(w.calls()[0], noon)
	w.run(noon.Add(time.Hour - time.Minute))
	calls := w.calls()
	if len(calls) < 2 || !calls[1].CreatedAt.Equal(noon.Add(10*time.Minute)) {
		t.Errorf("%+v, want the second call at ten past noon", calls)
	}
}

// TestStepsOfOneTimeAreOneCall: the second waits for no answer to the first, and there is nobody yet who has not acknowledged.
func TestStepsOfOneTimeAreOneCall(t *testing.T) {
	w := newStepWorld(t, Step{After: minutes(10), Notify: []string{"second"}})
	w.run(noon)
	w.accept(w.calls()[0], noon)
	w.run(noon.Add(10 * time.Minute))
	var got []string
	for _, n := range w.calls() {
		got = append(got, fmt.Sprintf("%s round %d after %s: %s", n.Target, n.Round, n.CreatedAt.Sub(noon), n.Text))
	}
	want := []string{"oncall round 1 after 0s: ", "oncall round 2 after 10m0s: nobody has acknowledged for 10m", "second round 2 after 10m0s: nobody has acknowledged for 10m"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	w.run(noon.Add(39 * time.Minute))
	if n := len(w.calls()); n != 3 {
		t.Errorf("before the fallback hears there are %d calls, want 3", n)
	}
}
