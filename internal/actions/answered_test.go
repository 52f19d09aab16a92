package actions

import (
	"context"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

var began = time.Date(2026, 1, 23, 10, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return began.Add(d) }

// paged is an open incident with the rows of its pages, and what acts on it.
type paged struct {
	t   *testing.T
	s   *store.Store
	a   *Actions
	inc incident.Incident
}

func newPaged(t *testing.T, retaken time.Time, rows ...incident.Notification) *paged {
	t.Helper()
	s, err := store.Open(t.Context(), ":memory:", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	key := incident.Key{Rule: "down", Group: "{}"}
	p := &paged{t: t, s: s, inc: incident.Incident{ID: incident.NewID(began, key, "first"), State: incident.Open, Severity: incident.Critical, Headline: key,
		Policy: "p", FirstEntry: began, OpenedAt: began, Round: 2, PagedSeverity: incident.Critical, Escalation: incident.Escalation{Start: began, Retaken: retaken}}}
	p.inc.Alerts = []incident.Alert{{Key: key, Incident: p.inc.ID, State: incident.Firing, Severity: incident.Critical, Mode: incident.Page, First: began, Last: began}}
	desk := &store.Desk{Direct: func(*incident.Incident, time.Time) incident.Direction { return incident.Direction{Policy: "p"} },
		Traits: map[string]incident.Traits{"oncall": {Pages: true}}}
	p.a = New(s, func() *store.Desk { return desk })
	p.must(s.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.SaveIncident(t.Context(), &p.inc); err != nil {
			return err
		}
		for i := range rows {
			n := &rows[i]
			n.Incident, n.Target, n.Key, n.State = p.inc.ID, "oncall", p.inc.CallKey(n.Round), incident.Sent
			if _, err := tx.AddNotification(t.Context(), n); err != nil {
				return err
			}
		}
		return nil
	}))
	return p
}

func (p *paged) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// after is the incident's state once an answer has come.
func (p *paged) after(round int, state incident.State, said, now time.Time) (inc incident.Incident, told []string) {
	p.t.Helper()
	p.must(p.a.Answered(p.t.Context(), "oncall", p.inc.CallKey(round), state, "alice", said, now))
	p.must(p.s.View(p.t.Context(), func(tx *store.Tx) (err error) {
		if inc, err = tx.Incident(context.Background(), p.inc.ID); err != nil {
			return err
		}
		rows, err := tx.Notifications(context.Background(), p.inc.ID)
		for _, n := range rows {
			if n.State == incident.Pending {
				told = append(told, string(n.Kind)+" "+n.Key)
			}
		}
		return err
	}))
	return inc, told
}

func call(round int, created time.Time) incident.Notification {
	return incident.Notification{Kind: incident.Call, Round: round, CreatedAt: created, SentAt: created}
}

// TestAnAnswerToAnOlderRoundCounts: whoever took the first page has it, also when tocsin hears of it only after the second has rung,
// or while the next is about to.
func TestAnAnswerToAnOlderRoundCounts(t *testing.T) {
	p := newPaged(t, time.Time{}, call(1, at(0)), call(2, at(10*time.Minute)))
	inc, told := p.after(1, incident.Acknowledged, at(9*time.Minute), at(10*time.Minute+5*time.Second))
	if inc.State != incident.Acknowledged || inc.Acknowledgement == nil || inc.Acknowledgement.By != "alice" {
		t.Errorf("it is %s by %+v", inc.State, inc.Acknowledgement)
	}
	if want := "call_acknowledge " + p.inc.CallKey(2); len(told) != 1 || told[0] != want {
		t.Errorf("the pager is told %q, not %q", told, want)
	}
	p = newPaged(t, time.Time{}, call(1, at(0)))
	p.inc.Escalation.Next = at(10 * time.Minute)
	p.must(p.s.Update(t.Context(), func(tx *store.Tx) error { return tx.SaveIncident(t.Context(), &p.inc) }))
	if inc, _ = p.after(1, incident.Acknowledged, at(9*time.Minute), at(10*time.Minute)); inc.State != incident.Acknowledged {
		t.Errorf("with a step due it is %s", inc.State)
	}
}

// TestWhatTocsinToldThePagerIsNoAnswer: the resolve of an older round may reach the pager after the incident has been reopened, its
// acknowledge after that has been taken back. Neither may end what rings now.
func TestWhatTocsinToldThePagerIsNoAnswer(t *testing.T) {
	for kind, state := range map[incident.NotificationKind]incident.State{incident.CallResolve: incident.Resolved, incident.CallAcknowledge: incident.Acknowledged} {
		said := incident.Notification{Kind: kind, Round: 1, CreatedAt: at(19 * time.Minute)}
		p := newPaged(t, at(20*time.Minute), call(1, at(0)), said, call(2, at(20*time.Minute)))
		if inc, _ := p.after(1, state, at(20*time.Minute+10*time.Second), at(21*time.Minute)); inc.State != incident.Open {
			t.Errorf("%s: it is %s", kind, inc.State)
		}
	}
}

// TestWhatWasSaidBeforeItWasTakenBackIsOver, and what was said since counts, though the pager tells the time in whole seconds.
func TestWhatWasSaidBeforeItWasTakenBackIsOver(t *testing.T) {
	retaken := at(20*time.Minute + 700*time.Millisecond)
	p := newPaged(t, retaken, call(1, at(0)), call(2, retaken))
	if inc, _ := p.after(1, incident.Acknowledged, at(19*time.Minute), at(21*time.Minute)); inc.State != incident.Open {
		t.Errorf("what was said before: it is %s", inc.State)
	}
	if inc, _ := p.after(2, incident.Acknowledged, at(20*time.Minute), at(21*time.Minute)); inc.State != incident.Acknowledged {
		t.Errorf("what was said of the new round: it is %s", inc.State)
	}
}

// TestAnAnswerOfAnOtherClock: nobody answers before it has rung, and nobody tomorrow. By a pager's clock that is not ours an
// acknowledge covers what was open when the page was made: what it leaves out rings once more, what it took in wrongly would never ring.
func TestAnAnswerOfAnOtherClock(t *testing.T) {
	for _, c := range []struct {
		what  string
		said  time.Duration
		state incident.State
	}{{"an hour behind", -time.Hour, incident.Open}, {"right", 5 * time.Second, incident.Open}, {"an hour ahead", time.Hour, incident.Open}} {
		p := newPaged(t, time.Time{}, call(1, at(0)))
		later := p.inc.Alerts[0]
		later.Key.Rule, later.FiredAt = "later", at(10*time.Second)
		p.inc.Alerts = append(p.inc.Alerts, later)
		p.must(p.s.Update(t.Context(), func(tx *store.Tx) error { return tx.SaveIncident(t.Context(), &p.inc) }))
		inc, _ := p.after(1, incident.Acknowledged, at(c.said), at(15*time.Second))
		if inc.State != c.state {
			t.Errorf("the pager's clock is %s: it is %s, not %s", c.what, inc.State, c.state)
		}
		if c.state == incident.Open && inc.Escalation.News != "new: later" {
			t.Errorf("the pager's clock is %s: new is %q", c.what, inc.Escalation.News)
		}
	}
}

// TestAnAnswerIsTakenOnce: our clock is an hour behind the pager's. What somebody said before something new took it back is of later by it,
// and is heard at each look; it was taken once, and what rings since is not theirs.
func TestAnAnswerIsTakenOnce(t *testing.T) {
	p := newPaged(t, time.Time{}, call(1, at(0)))
	const ahead = time.Hour // the pager's clock is, of ours
	said := at(5*time.Minute + ahead)
	if inc, _ := p.after(1, incident.Acknowledged, said, at(6*time.Minute)); inc.State != incident.Acknowledged {
		t.Fatalf("an answer leaves it %s", inc.State)
	}
	p.must(p.s.Update(t.Context(), func(tx *store.Tx) error {
		inc, err := tx.Incident(t.Context(), p.inc.ID)
		if err != nil {
			return err
		}
		b := incident.NewBook(at(20*time.Minute), []incident.Incident{inc})
		b.Fire(incident.Alert{Key: incident.Key{Rule: "down", Group: `{"x":"y"}`}, Labels: incident.Labels{"project": inc.Project}, Severity: incident.Critical,
			Mode: incident.Page, First: at(20 * time.Minute), Last: at(20 * time.Minute)})
		return p.a.desk().Settle(t.Context(), tx, at(20*time.Minute), b)
	}))
	if inc, _ := p.after(1, incident.Acknowledged, said, at(21*time.Minute)); inc.State != incident.Open {
		t.Errorf("the same answer, heard again, leaves what is new %s", inc.State)
	}
	if inc, _ := p.after(1, incident.Resolved, said.Add(20*time.Minute), at(26*time.Minute)); inc.State != incident.Resolved {
		t.Errorf("another answer leaves it %s", inc.State)
	}
}

// TestAnAnswerToAnEarlierLife: of the page that somebody had acknowledged before the store was lost it is known which (rule, group) it was
// found by. That rings nobody again; what else fires in the incident may never have been named, and rings. Said after it was found, it is an
// answer like any other.
func TestAnAnswerToAnEarlierLife(t *testing.T) {
	found := call(1, at(0))
	found.Cause = incident.Adopted
	for _, c := range []struct {
		what  string
		more  []incident.Alert
		said  time.Time
		state incident.State
	}{
		{"alone", nil, at(-time.Hour), incident.Acknowledged},
		{"with a symptom of it", []incident.Alert{{Key: incident.Key{Rule: "slow", Group: "{}"}, SymptomOf: []string{"down"}}}, at(-time.Hour), incident.Acknowledged},
		{"with another", []incident.Alert{{Key: incident.Key{Rule: "other", Group: "{}"}}}, at(-time.Hour), incident.Open},
		{"with another, after it was found", []incident.Alert{{Key: incident.Key{Rule: "other", Group: "{}"}}}, at(10 * time.Second), incident.Acknowledged},
	} {
		p := newPaged(t, time.Time{}, found)
		for _, a := range c.more {
			a.Incident, a.State, a.Severity, a.Mode = p.inc.ID, incident.Firing, incident.Critical, incident.Page
			p.inc.Alerts = append(p.inc.Alerts, a)
		}
		p.must(p.s.Update(t.Context(), func(tx *store.Tx) error { return tx.SaveIncident(t.Context(), &p.inc) }))
		inc, _ := p.after(1, incident.Acknowledged, c.said, at(15*time.Second))
		if inc.State != c.state {
			t.Errorf("%s: it is %s, not %s", c.what, inc.State, c.state)
		}
		if c.state == incident.Open && inc.Escalation.News != "new: other" {
			t.Errorf("%s: new is %q", c.what, inc.Escalation.News)
		}
		if again, _ := p.after(1, incident.Acknowledged, c.said, at(30*time.Second)); again.State != c.state {
			t.Errorf("%s: once more, it is %s, not %s", c.what, again.State, c.state)
		}
	}
}
