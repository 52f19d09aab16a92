package escalation

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// TestWhatAlwaysHolds lets anything happen in any order (time, acknowledges, worse alerts, ends, overrides) and
// looks after each: an open incident with a policy always has a next step and none that is overdue, one that somebody has or that is over
// calls nobody and holds nothing, and no two calls have one key at one receiver.
func TestWhatAlwaysHolds(t *testing.T) {
	policies := []Policy{
		{Steps: []Step{{Notify: []string{"schedule:prow"}}, {After: minutes(10), Notify: []string{"oncall", "channel"}, Mention: "prow"}}, Repeat: 2, Every: minutes(30)},
		{Steps: []Step{{After: minutes(30), Mention: "prow"}, {After: minutes(60), Notify: []string{"oncall"}, During: []string{"working-hours"}}}, Gap: GapHold},
		{Steps: []Step{{Notify: []string{"oncall"}}, {After: minutes(20), Notify: []string{"schedule:prow"}}}, Escalates: ByPager},
		{Steps: []Step{{Notify: []string{"oncall"}, During: []string{"working-hours"}}, {After: minutes(5), Notify: []string{"schedule:prow"}}}, Gap: GapFallback},
	}
	for seed := range nightsInTest {
		gap := []Gap{GapHold, GapFallback}[seed/4%2]
		night(t, fridayEvening, policies[seed%4], workers(gap), func(w *nightWorld) {
			r := rand.New(rand.NewPCG(seed, 1))
			for range 25 {
				w.anything(r)
				if wrong := w.wrong(); wrong != "" {
					w.t.Fatalf("seed %d, after %s: %s", seed, time.Since(w.began), wrong)
				}
			}
		})
	}
}

// anything does one thing.
func (w *nightWorld) anything(r *rand.Rand) {
	switch r.IntN(8) {
	case 0:
		w.book(func(b *incident.Book) { b.Acknowledge(b.Get(w.id), "ana", incident.Said{}) })
	case 1:
		if r.IntN(4) == 0 {
			w.book(func(b *incident.Book) { b.Resolve(b.Get(w.id), "ana", incident.Said{}) })
		}
	case 2:
		now := time.Now()
		key := incident.Key{Rule: "r", Group: fmt.Sprint(r.IntN(4))}
		w.book(func(b *incident.Book) {
			b.Fire(incident.Alert{Key: key, Labels: incident.Labels{"project": "p"}, Severity: incident.High + incident.Severity(r.IntN(2)), Mode: incident.Page, First: now, Last: now})
		})
	case 3:
		from := time.Now().Add(time.Duration(r.IntN(10)) * time.Hour)
		err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
			if err := tx.AddOverride(w.t.Context(), &store.Override{Schedule: "prow", Person: []string{"a", "c"}[r.IntN(2)], From: from, To: from.Add(time.Hour), By: "b", Reason: "x", At: time.Now()}); err != nil {
				return err
			}
			return LookAgain(w.t.Context(), tx, "prow", time.Now())
		})
		if err != nil {
			w.t.Fatal(err)
		}
	default:
		w.pass([]time.Duration{time.Minute, 7 * time.Minute, 50 * time.Minute, 5 * time.Hour, 20 * time.Hour}[r.IntN(5)])
	}
	w.pass(0)
}

// wrong is what does not hold; "" if all does.
func (w *nightWorld) wrong() string {
	inc := w.incident()
	e := inc.Escalation
	switch {
	case inc.State == incident.Open && (e.Next.IsZero() || inc.Due.IsZero()):
		return fmt.Sprintf("it is open and nothing waits: %+v", e)
	case inc.State == incident.Open && inc.Due.Before(time.Now()):
		return fmt.Sprintf("what was due at %s has not been done: %+v", inc.Due, e)
	case inc.State == incident.Open && time.Until(e.Next) > 64*time.Hour:
		return fmt.Sprintf("the next step is at %s", e.Next)
	case inc.State != incident.Open && (!e.Next.IsZero() || len(e.Held) > 0):
		return fmt.Sprintf("it is %s, and a step waits: %+v", inc.State, e)
	}
	keys := map[string]bool{}
	var wrong string
	err := w.store.View(w.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Notifications(w.t.Context(), w.id)
		for _, n := range rows {
			if n.Kind != incident.Call {
				continue
			}
			if keys[n.Target+" "+n.Key] {
				wrong = fmt.Sprintf("%s is called twice under %s", n.Target, n.Key)
			}
			keys[n.Target+" "+n.Key] = true
			if ack := inc.Acknowledgement; ack != nil && n.CreatedAt.After(ack.At) {
				wrong = fmt.Sprintf("%s is called at %s, and ana has had it since %s", n.Target, n.CreatedAt, ack.At)
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return wrong
}
