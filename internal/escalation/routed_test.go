package escalation

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/store"
)

// twin is a step of another process on the same store, whose configuration routes everything to a policy of its own.
func (w *stepWorld) twin(revision, policy string) *Escalation {
	w.t.Helper()
	plan, errs := NewPlan(Policy{Steps: []Step{{Notify: []string{"oncall"}}, {After: setting.Duration(10 * time.Minute), Notify: []string{"oncall"}}}},
		Known{Receivers: []string{"oncall"}})
	if len(errs) > 0 {
		w.t.Fatal(errs)
	}
	desk := &store.Desk{Traits: map[string]incident.Traits{"oncall": {Pages: true}},
		Direct: func(*incident.Incident, time.Time) incident.Direction { return incident.Direction{Policy: policy} }}
	return New(w.store, func() Program { return Program{Plans: map[string]*Plan{policy: plan}, Desk: desk, Revision: revision} }, nil)
}

// TestTwoConfigurationsDoNotRouteAgainstEachOther: of two processes, one of which has another configuration already, only that steps whose
// configuration is in force, and it calls; when the other's comes into force that one does.
func TestTwoConfigurationsDoNotRouteAgainstEachOther(t *testing.T) {
	w := newStepWorld(t)
	before, after := w.twin("before", "p"), w.twin("after", "q")
	inForce := func(revision string, now time.Time) {
		w.update(func(ctx context.Context, tx *store.Tx) error {
			if err := tx.RecheckOpen(ctx, now); err != nil {
				return err
			}
			return tx.SetFact(ctx, RoutedBy, revision)
		})
	}
	turns := func(now time.Time) (busy int) {
		for range 20 {
			for _, e := range []*Escalation{after, before} {
				next, err := e.Step(t.Context(), now)
				if err != nil {
					t.Fatal(err)
				}
				if !next.IsZero() && !next.After(now) {
					busy++
				}
			}
		}
		return busy
	}
	policy := func() (policy string) {
		w.update(func(ctx context.Context, tx *store.Tx) error {
			inc, err := tx.Incident(ctx, w.id)
			policy = inc.Policy
			return err
		})
		return policy
	}
	inForce("before", noon)
	if busy := turns(noon.Add(time.Second)); busy > 2 || policy() != "p" || len(w.calls()) != 1 {
		t.Errorf("by the configuration before: policy %s, %d calls, busy in %d of 40 turns", policy(), len(w.calls()), busy)
	}
	inForce("after", noon.Add(time.Minute))
	if busy := turns(noon.Add(time.Minute)); busy > 4 || policy() != "q" || len(w.calls()) != 2 {
		t.Errorf("by the one after it: policy %s, %d calls, busy in %d of 40 turns", policy(), len(w.calls()), busy)
	}
}

// TestAStepDoesNotWaitForWhatIsRoutedAnew: a hold of thousands has just ended, all of them are due, and what opens a second later is called
// for by the next step.
func TestAStepDoesNotWaitForWhatIsRoutedAnew(t *testing.T) {
	w := newStepWorld(t)
	w.run(noon)
	desk := w.twin("", "").program().Desk
	const many = 120
	w.update(func(ctx context.Context, tx *store.Tx) error {
		for i := range many {
			book := incident.NewBook(noon, nil)
			book.Fire(incident.Alert{Key: incident.Key{Rule: "r", Group: fmt.Sprintf(`{"n":"%d"}`, i)}, Labels: incident.Labels{"project": "p"},
				Severity: incident.High, First: noon, Last: noon, Identity: fmt.Sprint(i)})
			if err := desk.Settle(ctx, tx, noon, book); err != nil {
				return err
			}
		}
		return tx.RecheckOpen(ctx, noon)
	})
	later := noon.Add(time.Second)
	var id string
	w.update(func(ctx context.Context, tx *store.Tx) error {
		book := incident.NewBook(later, nil)
		id = book.Fire(incident.Alert{Key: incident.Key{Rule: "new", Group: "{}"}, Labels: incident.Labels{"project": "p"}, Severity: incident.Critical,
			Mode: incident.Page, First: later, Last: later}).ID
		return w.step.program().Desk.Settle(ctx, tx, later, book)
	})
	if _, err := w.step.Step(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	w.update(func(ctx context.Context, tx *store.Tx) error {
		rows, err := tx.Notifications(ctx, id)
		if len(rows) != 1 || rows[0].Kind != incident.Call {
			t.Errorf("after one step what is new has %d rows, want its page", len(rows))
		}
		return err
	})
	steps := 0
	for next := later; !next.IsZero() && !next.After(later) && steps < many; steps++ {
		var err error
		if next, err = w.twin("", "").Step(t.Context(), later); err != nil {
			t.Fatal(err)
		}
	}
	if most := many/rechecks + 2; steps > most {
		t.Errorf("%d transactions to route %d incidents anew, want at most %d", steps, many, most)
	}
}

// TestNobodyIsCalledAgainBeforeThePagersAreAsked: after a start the next step of what has rung waits until it is known what was said at the
// pagers meanwhile, or some seconds have passed; the first call of what has not rung does not.
func TestNobodyIsCalledAgainBeforeThePagersAreAsked(t *testing.T) {
	for name, wait := range map[string]time.Duration{"answered after three seconds": 3 * time.Second, "not answered": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			w := newStepWorld(t)
			start := noon.Add(10*time.Minute - time.Second)
			now := noon
			p := w.step.program()
			p.Unasked = func() time.Time {
				if now.Before(start) || !now.Before(start.Add(wait)) {
					return time.Time{}
				}
				return start.Add(10 * time.Second)
			}
			w.step = New(w.store, func() Program { return p }, nil)
			w.run(noon)
			w.update(func(ctx context.Context, tx *store.Tx) error {
				n := w.pending(ctx, tx)
				n.State, n.SentAt = incident.Sent, noon
				return tx.SaveNotification(ctx, &n)
			})
			var second time.Time
			for now = start; second.IsZero() && now.Before(start.Add(time.Minute)); now = now.Add(500 * time.Millisecond) {
				if _, err := w.step.Step(t.Context(), now); err != nil {
					t.Fatal(err)
				}
				if len(w.calls()) > 1 {
					second = now
				}
			}
			if took := second.Sub(start); took < wait || took > wait+time.Second {
				t.Errorf("called again %s after the start, want %s", took, wait)
			}
		})
	}
}

// TestWhoDiesEachFewSecondsCallsAllTheSame: the wait for the pagers does not begin anew with each start, and what is new does not wait.
func TestWhoDiesEachFewSecondsCallsAllTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		news string
		most time.Duration
	}{"nothing new": {"", 11 * time.Second}, "reopened": {"reopened", time.Second}} {
		t.Run(name, func(t *testing.T) {
			w := newStepWorld(t)
			start := noon.Add(10 * time.Minute)
			now := noon
			p := w.step.program()
			p.Unasked = func() time.Time {
				if now.Before(start) {
					return time.Time{}
				}
				return now.Truncate(3 * time.Second).Add(10 * time.Second) // a life of three seconds
			}
			w.step = New(w.store, func() Program { return p }, nil)
			w.run(noon)
			w.update(func(ctx context.Context, tx *store.Tx) error {
				n := w.pending(ctx, tx)
				n.State, n.SentAt = incident.Sent, noon
				if err := tx.SaveNotification(ctx, &n); err != nil {
					return err
				}
				inc, err := tx.Incident(ctx, w.id)
				inc.Escalation.News = c.news
				return errors.Join(err, tx.SaveIncident(ctx, &inc))
			})
			for now = start; len(w.calls()) < 2; now = now.Add(500 * time.Millisecond) {
				if now.Sub(start) > c.most {
					t.Fatalf("not called again %s after the start", now.Sub(start))
				}
				if _, err := w.step.Step(t.Context(), now); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestRoutedAnewAtAStartCallsNobodyEarly: a process starts with another configuration, so that all that is open is routed anew, between
// two of the hourly calls, and the pagers are still to be asked. The next call keeps its hour.
func TestRoutedAnewAtAStartCallsNobodyEarly(t *testing.T) {
	w := newStepWorld(t)
	w.run(noon.Add(100 * time.Minute))
	calls := w.calls()
	for _, n := range calls {
		w.accept(n, n.CreatedAt)
	}
	last := calls[len(calls)-1].CreatedAt
	start := last.Add(10 * time.Minute)
	now := start
	p := w.step.program()
	p.Unasked = func() time.Time {
		if until := start.Add(10 * time.Second); now.Before(until) {
			return until
		}
		return time.Time{}
	}
	w.step = New(w.store, func() Program { return p }, nil)
	w.update(func(ctx context.Context, tx *store.Tx) error { return tx.RecheckOpen(ctx, start) })
	for ; now.Before(start.Add(time.Minute)); now = now.Add(500 * time.Millisecond) {
		if _, err := w.step.Step(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.calls()); n != len(calls) {
		t.Errorf("%d calls %s after the one before, want none for an hour", n-len(calls), w.calls()[n-1].CreatedAt.Sub(last))
	}
	w.run(last.Add(time.Hour))
	if got := w.calls(); len(got) != len(calls)+1 || !got[len(calls)].CreatedAt.Equal(last.Add(time.Hour)) {
		t.Errorf("an hour after the call before there are %d calls more, want one at that minute", len(got)-len(calls))
	}
}

// pending is the one page that waits.
func (w *stepWorld) pending(ctx context.Context, tx *store.Tx) (n incident.Notification) {
	w.t.Helper()
	all, err := tx.Notifications(ctx, w.id)
	for _, r := range all {
		if r.Kind == incident.Call && r.State == incident.Pending {
			n = r
		}
	}
	if err != nil || n.ID == 0 {
		w.t.Fatalf("no page waits: %v", err)
	}
	return n
}
