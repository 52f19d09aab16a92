package actions

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/store"
)

// newCalls is an incident with a policy of two steps, ten minutes apart, the first of which was taken.
func newCalls(t *testing.T) (*paged, *Calls) {
	t.Helper()
	p := newPaged(t, time.Time{}, call(1, at(0)))
	plan, errs := escalation.NewPlan(escalation.Policy{Steps: []escalation.Step{{Notify: []string{"oncall"}}, {After: setting.Duration(10 * time.Minute), Notify: []string{"oncall"}}}},
		escalation.Known{Receivers: []string{"oncall"}, Pagers: []string{"oncall"}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	desk := p.a.desk()
	desk.Traits["person:ben"] = incident.Traits{Edits: true, Direct: true}
	desk.Traits["ops"] = incident.Traits{Edits: true}
	desk.Project = "prow"
	p.must(p.s.Update(t.Context(), func(tx *store.Tx) error {
		inc, err := tx.Incident(t.Context(), p.inc.ID)
		if err != nil {
			return err
		}
		inc.Round = 1
		inc.Escalation = escalationAfter(plan, inc.Escalation)
		return tx.SaveIncident(t.Context(), &inc)
	}))
	return p, NewCalls(p.a, func() escalation.Program {
		return escalation.Program{Plans: map[string]*escalation.Plan{"p": plan}, Desk: desk}
	})
}

func escalationAfter(plan *escalation.Plan, e incident.Escalation) incident.Escalation {
	e.Next = e.Start
	return plan.Advance(e, began)
}

// refusedAs checks that an error is one of the caller's, with that reason and a text that says so.
func refusedAs(t *testing.T, err error, reason, says string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Reason != reason || !strings.Contains(e.Text, says) {
		t.Errorf("%v, want %s and %q", err, reason, says)
	}
}

// TestEscalateCallsTheNextStepNow: whether somebody has it or not, the step that would come later is due at once; of what is over nothing is.
func TestEscalateCallsTheNextStepNow(t *testing.T) {
	p, c := newCalls(t)
	p.must(c.Escalate(t.Context(), p.inc.ID, "ana", at(2*time.Minute)))
	inc, _, _ := p.read(p.inc.ID)
	if inc.State != incident.Open || inc.Escalation.Step != 1 || !inc.Escalation.Next.Equal(at(2*time.Minute)) || !inc.Due.Equal(at(2*time.Minute)) {
		t.Errorf("it is %s, %+v", inc.State, inc.Escalation)
	}
	p.must(c.Acknowledge(t.Context(), p.inc.ID, "ben", at(3*time.Minute)))
	p.must(c.Escalate(t.Context(), p.inc.ID, "ana", at(4*time.Minute)))
	inc, events, _ := p.read(p.inc.ID)
	if inc.State != incident.Open || inc.Acknowledgement != nil || !inc.Due.Equal(at(4*time.Minute)) || !inc.Escalation.Retaken.Equal(at(4*time.Minute)) {
		t.Errorf("escalated although ben has it, it is %s, %+v", inc.State, inc.Escalation)
	}
	if last := events[len(events)-1]; last.Kind != incident.EventAckTakenBack || last.By != "ana" || !strings.Contains(last.Text, "ben had it; ana escalates") {
		t.Errorf("the timeline ends with %+v", last)
	}
	p.must(c.Resolve(t.Context(), p.inc.ID, "ben", at(5*time.Minute)))
	refusedAs(t, c.Escalate(t.Context(), p.inc.ID, "ana", at(6*time.Minute)), "conflict", "resolved already")
	refusedAs(t, c.Escalate(t.Context(), "01D1VX0000NOBODYKNOWSTHIS0", "ana", at(6*time.Minute)), "not_found", "no incident")
	refusedAs(t, c.Escalate(t.Context(), p.inc.ID, " ", at(6*time.Minute)), "invalid", "who you are")
}

// TestCallRingsOnePerson: an incident of its own calls them, and who cannot be called is named with those who can.
func TestCallRingsOnePerson(t *testing.T) {
	p, c := newCalls(t)
	wish := incident.Declaration{Title: "I need a hand", By: "ana"}
	id, called, err := c.Call(t.Context(), "ben", wish, at(time.Minute))
	p.must(err)
	inc, _, waits := p.read(id)
	if !slices.Equal(called, []string{"ben"}) || inc.Title != "I need a hand" || inc.Round != 1 || strings.Join(waits, ", ") != "message person:ben, post person:ben" {
		t.Errorf("%s is called, %+v, told is %q", called, inc, waits)
	}
	wish.Title = "another"
	_, _, err = c.Call(t.Context(), "nobody", wish, at(time.Minute))
	refusedAs(t, err, "not_found", "there are ben")
}

// TestANoteGoesIntoTheThreads: of each message that can have one, save that which it was written in.
func TestANoteGoesIntoTheThreads(t *testing.T) {
	p, c := newCalls(t)
	p.must(p.s.Update(t.Context(), func(tx *store.Tx) error {
		for _, target := range []string{"ops", "person:ben"} {
			n := incident.Notification{Incident: p.inc.ID, Target: target, Kind: incident.Message, Key: target, State: incident.Sent, Receipt: "C/" + target, CreatedAt: at(0), Due: at(0)}
			if _, err := tx.AddNotification(t.Context(), &n); err != nil {
				return err
			}
		}
		return nil
	}))
	p.must(c.NoteFrom(t.Context(), p.inc.ID, "ana", "the disk is full", "ops", at(time.Minute)))
	if _, _, waits := p.read(p.inc.ID); strings.Join(waits, ", ") != "post person:ben" {
		t.Errorf("written in ops' thread it goes to %q", waits)
	}
	p.must(c.Note(t.Context(), p.inc.ID, "ana", "it is another disk", at(2*time.Minute)))
	if _, _, waits := p.read(p.inc.ID); strings.Join(waits, ", ") != "post person:ben, post ops, post person:ben" {
		t.Errorf("written on the page it goes to %q", waits)
	}
}

// TestNotUsefulSilencesAndWritesACase: the headline's rule and group until the morning, with the case in the timeline; what a person declared
// is not silenced.
func TestNotUsefulSilencesAndWritesACase(t *testing.T) {
	p, c := newCalls(t)
	morning := at(9 * time.Hour)
	made, err := c.NotUseful(t.Context(), p.inc.ID, "ana", func(a *incident.Alert) string { return "case of " + a.Rule }, morning, at(time.Minute))
	p.must(err)
	if got := strings.Join(made.Matchers, ","); got != `rule="down"` || !made.Ends.Equal(morning) || made.Owner != "ana" {
		t.Errorf("silenced is %q until %s by %s", got, made.Ends, made.Owner)
	}
	inc, events, _ := p.read(p.inc.ID)
	i := slices.IndexFunc(events, func(e incident.Event) bool { return e.Kind == incident.EventCase })
	if i < 0 || events[i].Lines[0].Text != "case of down" || len(inc.Alerts) == 0 {
		t.Errorf("the timeline is %+v", events)
	}
	hushed, err := c.Hush(t.Context(), p.inc.ID, "ana", "known", at(time.Hour), at(2*time.Minute))
	p.must(err)
	if len(hushed) != 1 {
		t.Errorf("%d silences, want 1", len(hushed))
	}
	id, err := c.Declare(t.Context(), incident.Declaration{Title: "merges hang", By: "ana"}, at(time.Minute))
	p.must(err)
	_, err = c.Hush(t.Context(), id, "ana", "known", at(time.Hour), at(2*time.Minute))
	refusedAs(t, err, "conflict", "declared")
	_, err = c.NotUseful(t.Context(), id, "ana", nil, morning, at(2*time.Minute))
	refusedAs(t, err, "conflict", "declared")
}

// TestCallOfWhatIsHeld: nobody is said to be called whom a mute time keeps from it, and nothing is declared then.
func TestCallOfWhatIsHeld(t *testing.T) {
	p, c := newCalls(t)
	desk := p.a.desk()
	desk.People = map[string][]string{"ben": nil}
	desk.Traits["person:eva"] = incident.Traits{Direct: true}
	desk.Direct = func(*incident.Incident, time.Time) incident.Direction {
		return incident.Direction{Held: []incident.Holder{{By: "mute time nights", Receivers: []string{"ops"}, Policy: "p", Until: at(8 * time.Hour)}}}
	}
	for _, who := range []string{"ben", "eva"} {
		_, _, err := c.Call(t.Context(), who, incident.Declaration{Title: "I need a hand of " + who, By: "ana"}, at(time.Minute))
		refusedAs(t, err, "conflict", "mute time nights")
	}
	p.must(p.s.Update(t.Context(), func(tx *store.Tx) error { return desk.Reconsider(t.Context(), tx, at(2*time.Minute), "") }))
	refusedAs(t, c.Ask(t.Context(), p.inc.ID, "ben", "ana", at(3*time.Minute)), "conflict", "mute time nights")
}

// TestCallAmongWhatSomebodyHas: who is called by name of an incident that another has acknowledged stays called.
func TestCallAmongWhatSomebodyHas(t *testing.T) {
	p, c := newCalls(t)
	desk := p.a.desk()
	desk.Traits["person:eva"] = incident.Traits{Direct: true}
	deck := incident.Labels{"service": "deck"}
	id, err := c.Declare(t.Context(), incident.Declaration{Title: "base", By: "ana", Severity: incident.Critical, Labels: deck}, at(time.Minute))
	p.must(err)
	p.must(c.Acknowledge(t.Context(), id, "ana", at(2*time.Minute)))
	_, _, err = c.Call(t.Context(), "eva", incident.Declaration{Title: "help", By: "ana", Severity: incident.Warning, Labels: deck}, at(3*time.Minute))
	p.must(err)
	p.must(p.s.Update(t.Context(), func(tx *store.Tx) error {
		inc, err := tx.Incident(t.Context(), id)
		if err != nil {
			return err
		}
		book := incident.NewBook(at(4*time.Minute), []incident.Incident{inc})
		book.Count(inc.Alerts[0], true)
		return desk.Settle(t.Context(), tx, at(4*time.Minute), book)
	}))
	if _, _, waits := p.read(id); !slices.Contains(waits, "call person:eva") {
		t.Errorf("eva is not called: %q", waits)
	}
}
