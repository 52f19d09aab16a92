package actions

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// read is an incident with its timeline and what waits to be told, as "KIND TARGET".
func (p *paged) read(id string) (inc incident.Incident, events []incident.Event, waits []string) {
	p.t.Helper()
	p.must(p.s.View(p.t.Context(), func(tx *store.Tx) (err error) {
		if inc, err = tx.Incident(p.t.Context(), id); err != nil {
			return err
		}
		if events, err = tx.Events(p.t.Context(), id); err != nil {
			return err
		}
		rows, err := tx.Notifications(p.t.Context(), id)
		for _, n := range rows {
			if n.State == incident.Pending {
				waits = append(waits, string(n.Kind)+" "+n.Target)
			}
		}
		return err
	}))
	return inc, events, waits
}

// TestDeclare: what a person declares is told like any other, is not declared twice, stays until a person says that it is over, and is the
// same incident when it comes back.
func TestDeclare(t *testing.T) {
	p := newPaged(t, time.Time{})
	desk := p.a.desk()
	desk.Project = "prow"
	desk.Direct = func(*incident.Incident, time.Time) incident.Direction {
		return incident.Direction{Receivers: []string{"ops"}, Policy: "p"}
	}
	wish := incident.Declaration{Title: " merges hang\n", Description: "tide says nothing", Severity: incident.Critical, Labels: incident.Labels{"team": "prow", "cluster": ""}, By: "ana"}
	id, err := p.a.Declare(t.Context(), wish, at(time.Minute))
	p.must(err)
	inc, events, waits := p.read(id)
	if inc.State != incident.Open || inc.Title != "merges hang" || inc.Severity != incident.Critical || inc.Project != "prow" || inc.Labels["team"] != "prow" ||
		inc.Labels["rule"] != incident.DeclaredRule || !inc.MayPage() || inc.Policy != "p" || !inc.Escalation.Next.Equal(at(time.Minute)) {
		t.Errorf("it is %+v", inc)
	}
	if got := inc.Alerts[0].FirstLine.Text; got != "Declared by ana: tide says nothing" {
		t.Errorf("its line is %q", got)
	}
	if len(events) == 0 || events[0].Kind != incident.EventOpened || events[0].By != "ana" || strings.Join(waits, ", ") != "message ops" {
		t.Errorf("its timeline is %+v, told is %q", events, waits)
	}
	_, err = p.a.Declare(t.Context(), wish, at(2*time.Minute))
	if e := new(Error); !errors.As(err, &e) || e.Reason != "conflict" || !strings.Contains(e.Text, id) {
		t.Errorf("declared twice: %v", err)
	}
	other := wish
	other.Title = "another thing"
	if second, err := p.a.Declare(t.Context(), other, at(2*time.Minute)); err != nil || second == id {
		t.Errorf("another thing is the same incident: %s, %v", second, err)
	}
	p.must(p.a.Resolve(t.Context(), id, "ben", at(3*time.Minute)))
	if inc, _, _ := p.read(id); inc.State != incident.Resolved || !inc.HeldUntil.IsZero() || inc.Alerts[0].State != incident.AlertResolved {
		t.Errorf("resolved it is %+v", inc)
	}
	again, err := p.a.Declare(t.Context(), wish, at(time.Hour))
	p.must(err)
	if inc, _, _ := p.read(id); again != id || inc.State != incident.Open {
		t.Errorf("declared again it is %s, and the first %s", again, inc.State)
	}
}

// TestDeclareJoins: what is declared of a service whose alerts fire belongs to their incident, which does not end without a person then.
func TestDeclareJoins(t *testing.T) {
	p := newPaged(t, time.Time{})
	p.inc.Alerts[0].Labels = incident.Labels{"service": "hook"}
	p.must(p.s.Update(t.Context(), func(tx *store.Tx) error { return tx.SaveIncident(t.Context(), &p.inc) }))
	p.must(p.a.Acknowledge(t.Context(), p.inc.ID, "ben", at(time.Minute)))
	id, err := p.a.Declare(t.Context(), incident.Declaration{Title: "webhooks are lost", Labels: incident.Labels{"service": "hook"}, By: "ana"}, at(2*time.Minute))
	p.must(err)
	inc, _, _ := p.read(p.inc.ID)
	if id != p.inc.ID || len(inc.Alerts) != 2 || inc.State != incident.Open {
		t.Fatalf("it is %s, the incident %s with %d alerts", id, inc.State, len(inc.Alerts))
	}
	book := incident.NewBook(at(3*time.Minute), []incident.Incident{inc})
	book.Clear(inc.ID, inc.Headline, "quiet")
	if got := book.Get(inc.ID).State; got != incident.Open {
		t.Errorf("what a person declared ended by itself: %s", got)
	}
}

// TestDeclareRefuses what cannot be meant, with a word that says how.
func TestDeclareRefuses(t *testing.T) {
	p := newPaged(t, time.Time{})
	for want, d := range map[string]incident.Declaration{
		"who you are":                 {Title: "x"},
		"one line":                    {By: "ana", Title: " \n "},
		"1 to 200 bytes":              {By: "ana", Title: strings.Repeat("x", 201)},
		"no text":                     {By: "ana", Title: "a\x00b"},
		"longer than 4000":            {By: "ana", Title: "x", Description: strings.Repeat("x", 4001)},
		"critical, high":              {By: "ana", Title: "x", Severity: 9},
		"no label's name":             {By: "ana", Title: "x", Labels: incident.Labels{"a-b": "c"}},
		"not to be given":             {By: "ana", Title: "x", Labels: incident.Labels{"severity": "info"}},
		"tocsin's own":                {By: "ana", Title: "x", Labels: incident.Labels{"service": "tocsin"}},
		"label team holds what is no": {By: "ana", Title: "x", Labels: incident.Labels{"team": "a\nb"}},
	} {
		_, err := p.a.Declare(t.Context(), d, at(0))
		if e := new(Error); !errors.As(err, &e) || e.Reason != "invalid" || !strings.Contains(e.Text, want) {
			t.Errorf("%+v: %v, want %q", d, err, want)
		}
	}
}
