package outbox

import (
	"context"
	"errors"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/store/pgtest"
	"tocsin/notifiers"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// counting is a pager that counts what is sent to it.
type counting struct {
	sent   int
	during func()
}

func (c *counting) Send(context.Context, notifiers.Notice) (string, error) {
	c.sent++
	if c.during != nil {
		c.during()
	}
	return "r", nil
}

func (c *counting) Preview(n notifiers.Notice) string { return n.Text }

// replica is a process of its own on a database, with one target.
func replica(t *testing.T, place, target string, traits notifiers.Traits) (*store.Store, *counting, *Outbox) {
	t.Helper()
	s, err := store.Open(t.Context(), place, store.Options{Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	n := &counting{}
	return s, n, New(s, Options{Targets: map[string]Target{target: {Notifier: n, Traits: traits}}})
}

// TestARowInFlightElsewhereIsLeft: of two replicas the one leaves to the other what that is sending, until its deadline.
func TestARowInFlightElsewhereIsLeft(t *testing.T) {
	place := pgtest.Database(t)
	first, one, a := replica(t, place, "oncall", notifiers.Traits{Pages: true})
	_, two, b := replica(t, place, "oncall", notifiers.Traits{Pages: true})
	now := day
	err := first.Update(t.Context(), func(tx *store.Tx) error {
		inc := incident.Incident{ID: "01D1VX0000AAAAAAAABBBBBBBB", State: incident.Open, Severity: incident.High, OpenedAt: now, FirstEntry: now, Round: 1}
		_, err := tx.AddNotification(t.Context(), &incident.Notification{Incident: inc.ID, Kind: incident.Call, Target: "oncall", Round: 1, Key: inc.ID, Rings: true,
			CreatedAt: now, Due: now})
		return errors.Join(err, tx.SaveIncident(t.Context(), &inc))
	})
	if err != nil {
		t.Fatal(err)
	}
	one.during = func() { // while the one sends, the other steps
		if _, err := b.Step(t.Context(), now.Add(time.Second)); err != nil {
			t.Error(err)
		}
		if two.sent != 0 {
			t.Error("the other has sent what is in flight")
		}
	}
	if _, err := a.Step(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if next, err := b.Step(t.Context(), now.Add(time.Hour)); err != nil || !next.IsZero() {
		t.Errorf("afterwards something is due at %v, %v", next, err)
	}
	if one.sent != 1 || two.sent != 0 {
		t.Errorf("sent %d and %d times, want once by the first", one.sent, two.sent)
	}
}

// TestAThreadKeepsItsOrderBetweenReplicas: what one replica is sending, the other's next post waits for, and for no longer than it takes.
func TestAThreadKeepsItsOrderBetweenReplicas(t *testing.T) {
	place := pgtest.Database(t)
	first, one, a := replica(t, place, "ops", notifiers.Traits{Edits: true})
	_, two, b := replica(t, place, "ops", notifiers.Traits{Edits: true})
	now := day
	err := first.Update(t.Context(), func(tx *store.Tx) error {
		inc := incident.Incident{ID: "01D1VX0000AAAAAAAABBBBBBBB", State: incident.Open, Severity: incident.High, OpenedAt: now, FirstEntry: now, Revision: 1}
		rows := []incident.Notification{message(inc.ID, "ops", 1)}
		for _, text := range []string{"one", "two"} {
			e := incident.Event{Incident: inc.ID, At: now, Kind: incident.EventAlertFired, Text: text}
			if err := tx.AppendEvent(t.Context(), &e); err != nil {
				return err
			}
			rows = append(rows, incident.Notification{Incident: inc.ID, Target: "ops", Kind: incident.Post, Key: text, Event: e.ID})
		}
		for i := range rows {
			rows[i].CreatedAt, rows[i].Due = now, now
			if _, err := tx.AddNotification(t.Context(), &rows[i]); err != nil {
				return err
			}
		}
		return tx.SaveIncident(t.Context(), &inc)
	})
	if err != nil {
		t.Fatal(err)
	}
	step := func(o *Outbox, at time.Time) (next time.Time) {
		next, err := o.Step(t.Context(), at)
		if err != nil {
			t.Error(err)
		}
		return next
	}
	one.during = func() { // the message, then the first post: the other has to leave what comes behind it
		for range 3 {
			next := step(b, now)
			if two.sent != 0 {
				t.Errorf("the other has sent what comes behind, at %s", now.Sub(day))
			}
			if next.After(now.Add(time.Second)) {
				t.Errorf("at %s it looks again only %s later", now.Sub(day), next.Sub(now))
			}
		}
	}
	step(a, now) // the message
	now = now.Add(time.Second)
	step(a, now) // the first post
	now = now.Add(time.Second)
	step(b, now)
	if one.sent != 2 || two.sent != 1 {
		t.Errorf("sent %d and %d, want the message and a post by the one, then a post by the other", one.sent, two.sent)
	}
}

// TestAPauseBehindTheClaimSendsNothing: when the attempt's time is over others may be at the row. A machine that was suspended tells it
// by its wall clock alone.
func TestAPauseBehindTheClaimSendsNothing(t *testing.T) {
	for name, c := range map[string]struct{ end, wall time.Duration }{"the process": {-time.Millisecond, time.Hour}, "the machine": {time.Hour, -time.Millisecond}} {
		n := &counting{}
		o := New(nil, Options{Targets: map[string]Target{"oncall": {Notifier: n}}})
		over, cancel := context.WithDeadline(t.Context(), time.Now().Add(c.end))
		defer cancel()
		out := o.call(over, &attempt{row: incident.Notification{Kind: incident.Call}, target: o.o.Targets["oncall"], until: time.Now().Round(0).Add(c.wall)})
		if !errors.Is(out.err, errLate) || n.sent != 0 {
			t.Errorf("%s paused: sent %d times, error %v; want nothing sent", name, n.sent, out.err)
		}
	}
}

// TestAStopLetsWhatIsBeingSentBeFinished: its answer is heard and marked; what comes behind it is left to the next life.
func TestAStopLetsWhatIsBeingSentBeFinished(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.add(page("a", "oncall", 1), message("a", "ops", 1))
	ctx, stop := context.WithCancel(t.Context())
	cut := &patient{stop: stop}
	w.outbox.o.Targets["oncall"] = Target{cut, notifiers.Traits{Pages: true}}
	if _, err := w.outbox.Step(ctx, w.now); !errors.Is(err, context.Canceled) {
		t.Errorf("the step ends with %v, want that it was stopped", err)
	}
	if cut.err != nil || !cut.bounded {
		t.Errorf("what is being sent was cut: %v; bounded: %v", cut.err, cut.bounded)
	}
	w.equal("rows", w.rows("a"), "call oncall sent, message ops pending")
}

// patient is a pager while whose call the process is stopped.
type patient struct {
	stop    func()
	err     error
	bounded bool
}

func (p *patient) Send(ctx context.Context, _ notifiers.Notice) (string, error) {
	p.stop()
	p.err = ctx.Err()
	_, p.bounded = ctx.Deadline()
	return "r", p.err
}

func (p *patient) Preview(n notifiers.Notice) string { return n.Text }
