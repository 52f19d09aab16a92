package outbox

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// TestTheTroubleOfAnUnheardPageEnds: with the page, however that ends, and also where no attempt has failed.
func TestTheTroubleOfAnUnheardPageEnds(t *testing.T) {
	end := func(w *world, state incident.State) {
		w.update(func(ctx context.Context, tx *store.Tx) error {
			inc, err := tx.Incident(ctx, "a")
			if err != nil {
				return err
			}
			inc.State, inc.Acknowledgement = state, &incident.Acknowledgement{By: "first", At: w.now}
			return tx.SaveIncident(ctx, &inc)
		})
	}
	for name, then := range map[string]func(w *world){
		"accepted":     func(*world) {},
		"acknowledged": func(w *world) { end(w, incident.Acknowledged) },
		"resolved":     func(w *world) { end(w, incident.Resolved) },
		"held": func(w *world) {
			w.update(func(ctx context.Context, tx *store.Tx) error {
				n := w.row(ctx, tx, "a")
				n.State, n.Cause = incident.Cancelled, "held"
				return tx.SaveNotification(ctx, &n)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.o.Fallback = "ops" })
			w.severe("a", incident.Critical)
			taken := name == "accepted"
			w.oncall.before = failing(3, later429(45*time.Minute)) // a provider that wants to be left alone has not failed
			w.add(page("a", "oncall", 1))
			w.run(70)
			w.equal("troubles", w.standing(), "page_unheard oncall")
			w.run(110)
			w.equal("troubles while it waits", w.standing(), "page_unheard oncall")
			then(w)
			w.run(115)
			if !taken {
				w.equal("troubles", w.standing(), "")
			}
			w.run(600)
			w.equal("troubles", w.standing(), "")
			if taken != (len(w.oncall.taken) == 1) {
				t.Errorf("the pager took %d pages", len(w.oncall.taken))
			}
		})
	}
}

// mentions adds what a step of a policy says in the thread at a target, to somebody by name.
func (w *world) mentions(id, target, text string) {
	w.t.Helper()
	e := incident.Event{Incident: id, At: w.now, Kind: incident.EventEscalated, Text: text}
	w.update(func(ctx context.Context, tx *store.Tx) error { return tx.AppendEvent(ctx, &e) })
	w.add(incident.Notification{Incident: id, Target: target, Kind: incident.Post, Key: id + "/" + target + "/e", Event: e.ID, Rings: true,
		Reason: incident.ReasonEscalated, Text: text, Mention: []string{"first"}})
}

// TestAMentionThatItsChannelDoesNotTakeIsSaidAtTheFallback: it may be all that a policy does, and is as good as a page. In its own channel
// it is said once too, when that is back.
func TestAMentionThatItsChannelDoesNotTakeIsSaidAtTheFallback(t *testing.T) {
	const text = "first: nobody has acknowledged for 30m"
	for name, fallback := range map[string]string{"a channel": "desk", "a pager": "oncall", "something without threads": "hook"} {
		t.Run(name, func(t *testing.T) {
			desk := &channel{provider: provider{name: "desk"}}
			w := newWorld(t, func(w *world) {
				w.o.Targets["desk"] = Target{desk, notifiers.Traits{Edits: true}}
				w.o.Fallback = fallback
			})
			w.update(func(ctx context.Context, tx *store.Tx) error {
				return tx.SaveIncident(ctx, &incident.Incident{ID: "a", Title: "title", State: incident.Open, Severity: incident.High, Revision: 1, Round: 3, FirstEntry: day, OpenedAt: day,
					Alerts: []incident.Alert{{Key: incident.Key{Rule: "r", Group: "{}"}, Incident: "a", State: incident.Firing, Mode: incident.Page, Severity: incident.High}}})
			})
			w.ops.before, w.ops.blind = func(notifiers.Notice) error { return errUnclear }, errUnclear
			w.add(message("a", "ops", 1))
			w.run(1800)
			w.mentions("a", "ops", text)
			w.post("a", "ops", "quiet")
			heard := func() (heard []notifiers.Notice) {
				for _, p := range []*provider{&desk.provider, &w.oncall.provider, w.hook} {
					for _, n := range p.taken {
						if len(n.People) > 0 {
							heard = append(heard, n)
						}
					}
				}
				return heard
			}
			w.run(1855)
			if n := len(heard()); n != 0 {
				t.Errorf("it is said %d times at the fallback before a minute is over", n)
			}
			w.run(3600)
			if all := heard(); len(all) != 1 {
				t.Errorf("it is said %d times at the fallback, want once", len(all))
			} else if n := all[0]; n.Target != fallback || n.Text != text+"; ops has not taken it for 1m0s: look for an earlier attempt: connection reset" || !n.Rings || n.People[0].Slack != "U1" ||
				n.Key == "a" || n.Event.Text != text {
				t.Errorf("at the fallback it is %+v", n.Notification)
			}
			w.equal("troubles", w.standing(), "page_unheard ops")
			w.ops.before, w.ops.blind = nil, nil
			w.run(7200)
			said := 0
			for _, n := range w.ops.taken {
				if len(n.People) > 0 {
					said++
				}
			}
			if said != 1 || len(heard()) != 1 {
				t.Errorf("when the channel is back it is said %d times there and %d times at the fallback, want once each", said, len(heard()))
			}
			w.equal("troubles", w.standing(), "")
		})
	}
}

// TestAPageThatIsRefusedIsSaidAtTheFallbackAtOnce: to wait has no use where the answer is for good; once a round, and only what is worth it.
func TestAPageThatIsRefusedIsSaidAtTheFallbackAtOnce(t *testing.T) {
	const said = "the page to oncall was refused: invalid routing key"
	refused := notifiers.Permanent{Err: errors.New("invalid routing key")}
	for name, fallback := range map[string]string{"a channel": "ops", "something without threads": "hook"} {
		t.Run(name, func(t *testing.T) {
			second := &pager{provider: provider{name: "second"}}
			w := newWorld(t, func(w *world) {
				w.o.Targets["second"] = Target{second, notifiers.Traits{Pages: true}}
				w.o.Fallback = fallback
			})
			heard := func() []notifiers.Notice { return append(w.ops.taken, w.hook.taken...) }
			w.oncall.before = func(notifiers.Notice) error { return refused }
			second.before = w.oncall.before
			w.severe("a", incident.Critical)
			w.severe("b", incident.Warning)
			w.add(page("a", "oncall", 1), page("a", "second", 1), page("b", "oncall", 1))
			w.run(0)
			if all := heard(); len(all) != 1 || all[0].Key != "a.1" || all[0].Text != said || all[0].Kind != incident.Call || !all[0].Rings ||
				all[0].Reason != incident.ReasonEscalated || all[0].Round != 1 {
				t.Fatalf("the fallback heard %+v, want %q once", all, said)
			}
			w.equal("troubles", w.standing(), "delivery_refused oncall, delivery_refused second")
			w.run(59)
			w.over("a") // what is over within the minute was said all the same
			w.run(1000)
			if got := strings.Join(keysOf(heard()), " "); got != "a.1 b.1" {
				t.Errorf("the fallback heard %s, want a's page once and b's when it waited a minute", got)
			}
			w.severe("c", incident.High)
			w.add(page("c", "oncall", 1))
			w.run(1001)
			w.add(page("c", "oncall", 2)) // each round is said
			w.run(1002)
			w.severe("d", incident.High)
			w.add(page("d", fallback, 1))
			w.ops.before, w.hook.before = w.oncall.before, w.oncall.before
			w.run(1100)
			if got := strings.Join(keysOf(heard()), " "); got != "a.1 b.1 c.1 c.2" {
				t.Errorf("the fallback heard %s, want both rounds of c", got)
			}
			w.equal("the fallback itself has nobody in its place", w.rows("d"), "call "+fallback+" pending")
		})
	}
}

// TestARefusedPageThatSomebodyHasIsNotSaidAtTheFallback: it was acknowledged while the attempt was on its way.
func TestARefusedPageThatSomebodyHasIsNotSaidAtTheFallback(t *testing.T) {
	w := newWorld(t, func(w *world) { w.o.Fallback = "ops" })
	w.severe("a", incident.Critical)
	w.oncall.before = func(notifiers.Notice) error {
		w.update(func(ctx context.Context, tx *store.Tx) error {
			inc, err := tx.Incident(ctx, "a")
			inc.State, inc.Acknowledgement = incident.Acknowledged, &incident.Acknowledgement{By: "first", At: w.now}
			return errors.Join(err, tx.SaveIncident(ctx, &inc))
		})
		return errRefused
	}
	w.add(page("a", "oncall", 1))
	w.run(300)
	w.equal("fallback", w.ops.said(), "")
}
