package escalation

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// nightWorld is a store with one critical incident in a bubble of virtual time: channel is a channel, oncall a pager, safe the
// fallback, and a and b are told directly.
type nightWorld struct {
	t       *testing.T
	store   *store.Store
	step    *Escalation
	program Program
	id      string
	began   time.Time
	seen    map[int64]bool
}

// night runs a test within a bubble that begins at a time, with a policy and the schedule prow in force.
func night(t *testing.T, begins string, p Policy, s Schedule, do func(w *nightWorld)) {
	t.Helper()
	nightAt(t, ":memory:", begins, p, s, do)
}

// nightAt is night with a store at a place.
func nightAt(t *testing.T, place, begins string, p Policy, s Schedule, do func(w *nightWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(at(begins)))
		db, err := store.Open(t.Context(), place, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		known := Known{Receivers: []string{"oncall", "channel", "safe"}, Pagers: []string{"oncall"}, Schedules: []string{"prow"}, Intervals: workingHours(t),
			People: map[string]string{"first": "", "second": "", "a": "", "b": "", "c": ""}}
		plan, errs := NewPlan(p, known)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		desk := &store.Desk{Traits: map[string]incident.Traits{"oncall": {Pages: true}, "channel": {Edits: true}, "safe": {Edits: true}, "person:a": {Edits: true}, "person:b": {Edits: true}},
			Direct: func(*incident.Incident, time.Time) incident.Direction {
				return incident.Direction{Policy: "p", Receivers: []string{"channel"}}
			}}
		w := &nightWorld{t: t, store: db, began: time.Now(), seen: map[int64]bool{},
			program: Program{Plans: map[string]*Plan{"p": plan}, Rotas: map[string]*Rota{"prow": newRota(t, s)}, Fallback: "safe", Desk: desk}}
		w.step = New(db, func() Program { return w.program }, nil)
		w.book(func(b *incident.Book) {
			now := time.Now()
			w.id = b.Fire(incident.Alert{Key: incident.Key{Rule: "r", Group: "{}"}, Labels: incident.Labels{"project": "p"}, Severity: incident.Critical, Mode: incident.Page, First: now, Last: now}).ID
		})
		do(w)
	})
}

// book does something to the incident, as the engine or a person does.
func (w *nightWorld) book(do func(b *incident.Book)) {
	w.t.Helper()
	err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		related, err := tx.Related(w.t.Context(), "p", time.Now().Add(-incident.ReopenWithin))
		if err != nil {
			return err
		}
		b := incident.NewBook(time.Now(), related)
		do(b)
		return w.program.Desk.Settle(w.t.Context(), tx, time.Now(), b)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// pass lets time go by, each step when it is due, and says what became rows, as "after, kind, target: text @mention". Pagers accept at
// once.
func (w *nightWorld) pass(d time.Duration) []string {
	w.t.Helper()
	var out []string
	for until := time.Now().Add(d); ; {
		next, err := w.step.Step(w.t.Context(), time.Now())
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, w.fresh()...)
		if next.IsZero() || next.After(until) {
			time.Sleep(time.Until(until))
			return out
		}
		time.Sleep(time.Until(next))
	}
}

// fresh are the rows that were not seen before, those of the alert itself aside.
func (w *nightWorld) fresh() []string {
	var out []string
	err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		out = nil
		rows, err := tx.Notifications(w.t.Context(), w.id)
		if err != nil {
			return err
		}
		for _, n := range rows {
			if w.seen[n.ID] {
				continue
			}
			w.seen[n.ID] = true
			if n.Kind == incident.Call {
				n.State, n.SentAt, n.Receipt = incident.Sent, time.Now(), n.Key
				if err := tx.SaveNotification(w.t.Context(), &n); err != nil {
					return err
				}
			}
			if n.Reason == incident.ReasonOpened || n.Reason == incident.ReasonUpdated {
				continue
			}
			line := fmt.Sprintf("%s %s %s", time.Since(w.began), n.Kind, n.Target)
			if n.Text != "" {
				line += ": " + n.Text
			}
			for _, name := range n.Mention {
				line += " @" + name
			}
			out = append(out, line)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *nightWorld) want(got []string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")); diff != "" {
		w.t.Errorf("(-want +got)\n%s", diff)
	}
}

// workers have nobody on call outside of working hours in Los Angeles.
func workers(gap Gap) Schedule {
	l := rotation(days(7), "2026-11-23T00:00:00-08:00", "America/Los_Angeles", "a", "b")
	l.During = []string{"working-hours"}
	return Schedule{Layer: l, Gap: gap}
}

const fridayEvening = "2026-11-27T18:00:00-08:00"

// TestGapHoldsUntilSomebodyIsOnCall: on Friday evening the channel hears at once that nobody is there until Monday at nine, the steps that
// have somebody go on, and it is not said that nobody answered before somebody could.
func TestGapHoldsUntilSomebodyIsOnCall(t *testing.T) {
	p := Policy{Steps: []Step{{Notify: []string{"schedule:prow"}}, {After: minutes(10), Notify: []string{"oncall"}}}}
	night(t, fridayEvening, p, workers(GapHold), func(w *nightWorld) {
		w.want(w.pass(0), "0s post channel: nobody is on call in prow until Mon 2026-11-30 09:00 PST; the step waits")
		w.want(w.pass(62*time.Hour), "10m0s call oncall: nobody has acknowledged for 10m")
		w.want(w.pass(time.Hour), "63h0m0s message person:b")
		w.want(w.pass(90*time.Minute),
			"63h30m0s message safe", "63h30m0s post safe: nobody answered: all steps of p have been taken, 63h30m after its start",
			"64h30m0s post person:b: person:b: nobody has acknowledged for 64h30m")
	})
}

// TestGapTellsTheFallback at once, in the place of who would be called.
func TestGapTellsTheFallback(t *testing.T) {
	p := Policy{Steps: []Step{{Notify: []string{"schedule:prow"}}, {After: minutes(10), Mention: "prow"}}}
	night(t, fridayEvening, p, workers(""), func(w *nightWorld) {
		gone := "nobody is on call in prow until Mon 2026-11-30 09:00 PST; safe hears of it"
		w.want(w.pass(0), "0s message safe", "0s post safe: safe: "+gone, "0s post channel: safe: "+gone)
		w.want(w.pass(10*time.Minute), "10m0s post safe: safe: nobody has acknowledged for 10m; "+gone, "10m0s post channel: safe: nobody has acknowledged for 10m; "+gone)
	})
}

// TestGapOfAStepsOwnTimes: a policy that says gap tells of steps that wait for their during, too, and drops none.
func TestGapOfAStepsOwnTimes(t *testing.T) {
	step := []Step{{Notify: []string{"oncall"}, During: []string{"working-hours"}}}
	night(t, fridayEvening, Policy{Steps: step, Gap: GapHold}, workers(""), func(w *nightWorld) {
		w.want(w.pass(62*time.Hour), "0s post channel: nobody is called until Mon 2026-11-30 17:00 UTC; the step waits")
		w.want(w.pass(time.Hour+29*time.Minute), "63h0m0s call oncall: nobody has acknowledged for 63h")
	})
	night(t, fridayEvening, Policy{Steps: step, Gap: GapFallback}, workers(""), func(w *nightWorld) {
		text := "safe: nobody is called until Mon 2026-11-30 17:00 UTC; safe hears of it"
		w.want(w.pass(62*time.Hour), "0s message safe", "0s post safe: "+text, "0s post channel: "+text)
		w.want(w.pass(time.Hour+29*time.Minute), "63h0m0s call oncall: nobody has acknowledged for 63h")
	})
}

// TestWhatNoChannelSaysTheFallbackHears: where all receivers of an incident are pagers there is no thread for a gap or a mention.
func TestWhatNoChannelSaysTheFallbackHears(t *testing.T) {
	pagersOnly := func(w *nightWorld) {
		w.program.Desk.Direct = func(*incident.Incident, time.Time) incident.Direction {
			return incident.Direction{Policy: "p", Receivers: []string{"oncall"}}
		}
	}
	night(t, fridayEvening, Policy{Steps: []Step{{Notify: []string{"schedule:prow"}}, {After: minutes(10), Notify: []string{"oncall"}}}}, workers(GapHold), func(w *nightWorld) {
		pagersOnly(w)
		w.want(w.pass(time.Minute), "0s message safe", "0s post safe: safe: nobody is on call in prow until Mon 2026-11-30 09:00 PST; the step waits")
	})
	night(t, "2026-11-24T12:00:00-08:00", Policy{Steps: []Step{{After: minutes(30), Mention: "prow"}}}, workers(""), func(w *nightWorld) {
		pagersOnly(w)
		w.want(w.pass(31*time.Minute), "30m0s message safe", "30m0s post safe: safe, a: nobody has acknowledged for 30m @a")
	})
}

// TestGapEndsWithAnOverride that is made while a step waits.
func TestGapEndsWithAnOverride(t *testing.T) {
	p := Policy{Steps: []Step{{Mention: "prow"}}}
	night(t, fridayEvening, p, workers(GapHold), func(w *nightWorld) {
		w.want(w.pass(20*time.Minute), "0s post channel: nobody is on call in prow until Mon 2026-11-30 09:00 PST; the step waits")
		err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
			err := tx.AddOverride(w.t.Context(), &store.Override{Schedule: "prow", Person: "c", From: time.Now().Add(time.Minute), To: time.Now().Add(time.Hour), By: "b", Reason: "ill", At: time.Now()})
			return errors.Join(err, LookAgain(w.t.Context(), tx, "prow", time.Now()))
		})
		if err != nil {
			t.Fatal(err)
		}
		w.want(w.pass(5*time.Minute), "21m0s post channel: c: nobody has acknowledged for 21m @c")
	})
}

// TestGapThatNobodyKnowsTheEndOf: what Prow's tools publish says who is on call now, and no more. After four days the fallback hears.
func TestGapThatNobodyKnowsTheEndOf(t *testing.T) {
	s := Schedule{ProwOncall: &ProwOncall{URL: "https://x/oncall.json"}, Gap: GapHold}
	night(t, fridayEvening, Policy{Steps: []Step{{Notify: []string{"schedule:prow"}}}}, s, func(w *nightWorld) {
		publish := func(body string) {
			from, _ := w.program.Rotas["prow"].Import()
			err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
				return SaveCopy(w.t.Context(), tx, "prow", Copy{Of: from.Place(), Body: body, FetchedAt: time.Now()})
			})
			if err != nil {
				w.t.Fatal(err)
			}
		}
		w.want(w.pass(95*time.Hour), "0s post channel: nobody is on call in prow, and it is not known until when; the step waits")
		publish(`{"Oncall": {"testinfra": ""}}`)
		w.want(w.pass(time.Hour), "96h0m0s message safe",
			"96h0m0s post safe: safe: nobody has acknowledged for 96h; nobody is on call in prow, and it is not known until when; safe hears of it",
			"96h0m0s post channel: safe: nobody has acknowledged for 96h; nobody is on call in prow, and it is not known until when; safe hears of it")
	})
	night(t, fridayEvening, Policy{Steps: []Step{{Notify: []string{"schedule:prow"}}}}, s, func(w *nightWorld) {
		from, _ := w.program.Rotas["prow"].Import()
		w.pass(time.Hour)
		err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
			return SaveCopy(w.t.Context(), tx, "prow", Copy{Of: from.Place(), Body: `{"Oncall": {"testinfra": "a-on-github"}}`, FetchedAt: time.Now()})
		})
		if err != nil {
			t.Fatal(err)
		}
		w.want(w.pass(5*time.Minute), "1h5m0s message person:a")
	})
}

// TestWhoCannotBeTold is no gap in the schedule, and the fallback hears all the same.
func TestWhoCannotBeTold(t *testing.T) {
	s := Schedule{Layer: rotation(days(7), "2026-11-23T00:00:00-08:00", "", "c")}
	night(t, fridayEvening, Policy{Steps: []Step{{Notify: []string{"schedule:prow", "oncall"}}}}, s, func(w *nightWorld) {
		text := "oncall, safe: c cannot be told directly; safe hears of it"
		w.want(w.pass(0), "0s call oncall: "+strings.TrimPrefix(text, "oncall, safe: "), "0s message safe", "0s post safe: "+text, "0s post channel: "+text)
	})
}

// TestAcknowledgeEndsWhatIsHeld: no step that waited calls anybody any more.
func TestAcknowledgeEndsWhatIsHeld(t *testing.T) {
	p := Policy{Steps: []Step{{Notify: []string{"schedule:prow"}}}}
	nightAt(t, filepath.Join(t.TempDir(), "tocsin.db"), fridayEvening, p, workers(GapHold), func(w *nightWorld) {
		w.pass(time.Hour)
		w.book(func(b *incident.Book) { b.Acknowledge(b.Get(w.id), "ana", incident.Said{}) })
		w.want(w.pass(3 * time.Hour))
		inc := w.incident()
		if len(inc.Escalation.Held) > 0 || !inc.Due.Equal(w.began.Add(5*time.Hour)) {
			t.Errorf("%+v is due at %s, want nothing but the end of the acknowledge after four hours", inc.Escalation, inc.Due)
		}
	})
}

func (w *nightWorld) incident() (inc incident.Incident) {
	w.t.Helper()
	err := w.store.View(w.t.Context(), func(tx *store.Tx) (err error) {
		inc, err = tx.Incident(context.WithoutCancel(w.t.Context()), w.id)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return inc
}

// TestPagerEscalates: the pager is rung once, what it does then is its own affair; that nobody answered is said all the same.
func TestPagerEscalates(t *testing.T) {
	p := Policy{Steps: []Step{{Notify: []string{"oncall"}}}, Escalates: ByPager}
	night(t, fridayEvening, p, workers(""), func(w *nightWorld) {
		w.want(w.pass(95*time.Minute), "0s call oncall",
			"30m0s message safe", "30m0s post safe: nobody answered: the page was sent, and nobody has acknowledged it 30m after the start of p",
			"1h30m0s post safe: nobody answered: the page was sent, and nobody has acknowledged it 1h30m after the start of p")
	})
}

func TestWhoEscalatesMistakes(t *testing.T) {
	for _, test := range []struct {
		policy Policy
		want   string
	}{
		{Policy{Steps: []Step{{Notify: []string{"oncall"}}}, Escalates: "nobody"}, `escalates: "nobody" is not known: write tocsin or pager`},
		{Policy{Steps: []Step{{Notify: []string{"oncall"}}}, Escalates: ByPager, Repeat: 1, Every: minutes(30)}, "repeat: has no meaning where the pager escalates"},
		{Policy{Steps: []Step{{Notify: []string{"oncall"}}, {Notify: []string{"oncall"}}}, Escalates: ByPager}, "steps.1.notify.0: oncall is rung by a step above"},
		{Policy{Steps: []Step{{Notify: []string{"channel"}}}, Escalates: ByPager}, "escalates: no step notifies a receiver that pages"},
		{Policy{Steps: []Step{{Notify: []string{"oncall"}}}, Gap: "wait"}, `gap: "wait" is not known`},
		{Policy{Steps: []Step{{Notify: []string{"schedule:prov"}}}}, `steps.0.notify.0: unknown schedule "prov": did you mean "prow"?`},
		{Policy{Steps: []Step{{Notify: []string{"person:anna"}}}}, `steps.0.notify.0: unknown person "anna": did you mean "ana"?`},
		{Policy{Steps: []Step{{Notify: []string{"person:bob"}}}}, "steps.0.notify.0: bob cannot be called: no way"},
		{Policy{Steps: []Step{{Notify: []string{"schedule:prow"}}}}, "steps.0.notify.0: bob, of schedule prow, cannot be called: no way"},
	} {
		plan, errs := NewPlan(test.policy, Known{Receivers: []string{"oncall", "channel"}, Pagers: []string{"oncall"}, Schedules: []string{"prow"},
			People: map[string]string{"ana": "", "bob": "no way"}, Crews: map[string][]string{"prow": {"ana", "bob"}}})
		if plan != nil || len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), test.want) {
			t.Errorf("errors %v, want one that begins with %q", errs, test.want)
		}
	}
}
