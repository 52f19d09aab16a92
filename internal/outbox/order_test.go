package outbox

import (
	"context"
	"errors"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

func TestAPostWaitsForItsMessage(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.incident("b", incident.Open, 1)
	w.post("a", "ops", "early") // its row is older than the message's
	w.add(message("a", "ops", 1), message("b", "ops", 1))
	w.incident("c", incident.Open, 1)
	w.post("c", "ops", "alone")
	w.ops.before = func(n notifiers.Notice) error {
		if n.Incident.ID == "a" && n.Now.Before(at(3)) {
			return errUnclear
		}
		return nil
	}
	w.run(60)
	// The unclear attempt of a is looked for only after its deadline; b and what has no message do not wait for it.
	w.equal("channel", w.ops.said(), "message:b/ops:1 post:alone message:a/ops:1 post:early@ops/3")
	w.equal("tries", w.ops.triesAt(), "0 0 0 10 10")
}

func TestCallsAreClosedOnlyBehindTheirTriggers(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	p := page("a", "oncall", 1)
	w.add(p, follow(p, incident.CallAcknowledge))
	q := page("a", "oncall", 2)
	w.oncall.after = func(n notifiers.Notice) error { // the second page arrives, but its answer is lost once
		if n.Kind == incident.Call && n.Round == 2 && len(w.oncall.tries) == 3 {
			return errUnclear
		}
		return nil
	}
	w.run(5)
	w.equal("pager", w.oncall.said(), "call:a.1 call_acknowledge:a.1")
	w.add(q)
	w.run(5) // unclear at 5, due again at 6
	w.add(follow(q, incident.CallResolve))
	w.run(100)
	w.equal("pager", w.oncall.said(), "call:a.1 call_acknowledge:a.1 call:a.2 call:a.2 call_resolve:a.2")
	// The last attempt was at 6 and may be on its way until 16; the resolve leaves it as much again.
	w.equal("tries", w.oncall.triesAt(), "0 0 5 6 26")
	if rang := w.oncall.rang(); rang["a.2"] != 1 {
		t.Errorf("round 2 rang %d times", rang["a.2"])
	}
}

// TestWhatIsMootIsNotSent is long for its table.
func TestWhatIsMootIsNotSent(t *testing.T) {
	lost := func(n notifiers.Notice) error { // arrives, answer lost
		if n.Kind == incident.Call && n.Round == 1 {
			return errUnclear
		}
		return nil
	}
	tests := []struct {
		name       string
		after      func(notifiers.Notice) error
		then       func(w *world)
		said, rows string
	}{
		{"cancelled before it was tried", nil, func(w *world) {
			w.update(func(ctx context.Context, tx *store.Tx) error {
				n := w.row(ctx, tx, "a")
				n.State = incident.Cancelled
				return tx.SaveNotification(ctx, &n)
			})
		}, "", "call oncall cancelled"},
		{"resolved before it was tried", nil, func(w *world) { w.incident("a", incident.Resolved, 2) },
			"", "call oncall cancelled (resolved)"},
		{"resolved when it may have arrived", lost, func(w *world) { w.run(0); w.incident("a", incident.Resolved, 2) },
			"call:a.1 call_resolve:a.1", "call oncall cancelled (resolved), call_resolve oncall sent"},
		{"acknowledged when it may have arrived", lost, func(w *world) { w.run(0); w.incident("a", incident.Acknowledged, 2) },
			"call:a.1 call_acknowledge:a.1", "call oncall cancelled (acknowledged), call_acknowledge oncall sent"},
		{"made after the acknowledge", nil, func(w *world) {
			w.update(func(ctx context.Context, tx *store.Tx) error {
				return tx.SaveIncident(ctx, &incident.Incident{ID: "a", State: incident.Acknowledged,
					Acknowledgement: &incident.Acknowledgement{By: "first", At: day.Add(-time.Second)}})
			})
		}, "call:a.1", "call oncall sent"},
		{"merged", nil, func(w *world) { w.incident("a", incident.Merged, 2) }, "", "call oncall cancelled (merged)"},
		{"a newer round", lost, func(w *world) { w.run(0); w.add(page("a", "oncall", 2)) },
			"call:a.1 call:a.2 call_resolve:a.1", "call oncall cancelled (superseded), call oncall sent, call_resolve oncall sent"},
		{"a page behind its own resolve", nil, func(w *world) {
			w.update(func(ctx context.Context, tx *store.Tx) error {
				n := w.row(ctx, tx, "a")
				n.Due = at(60)
				err := tx.SaveNotification(ctx, &n)
				closed := follow(page("a", "oncall", 1), incident.CallResolve)
				closed.State = incident.Sent
				_, err2 := tx.AddNotification(ctx, &closed)
				return errors.Join(err, err2)
			})
		}, "", "call oncall cancelled (resolved), call_resolve oncall sent"},
		{"an acknowledge behind a resolve", nil, func(w *world) {
			w.run(0)
			w.add(follow(page("a", "oncall", 1), incident.CallAcknowledge), follow(page("a", "oncall", 1), incident.CallResolve))
		}, "call:a.1 call_resolve:a.1", "call oncall sent, call_acknowledge oncall cancelled (superseded), call_resolve oncall sent"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.incident("a", incident.Open, 1)
			w.add(page("a", "oncall", 1))
			w.oncall.after = test.after
			test.then(w)
			w.run(300)
			w.equal("pager", w.oncall.said(), test.said)
			w.equal("rows", w.rows("a"), test.rows)
		})
	}
}
