package actions

import (
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// asked is an incident that ana has and ben is asked to take over at 20 minutes, by a page of round 3 at the pager too.
func asked(t *testing.T) *paged {
	t.Helper()
	p := newPaged(t, time.Time{}, call(1, at(0)), call(2, at(10*time.Minute)))
	desk := p.a.desk()
	desk.People = map[string][]string{"ben": {"PBEN001"}, "eva": nil}
	p.must(p.a.Acknowledge(t.Context(), p.inc.ID, "ana", at(11*time.Minute)))
	p.must(p.s.Update(t.Context(), func(tx *store.Tx) error {
		inc, err := tx.Incident(t.Context(), p.inc.ID)
		if err != nil {
			return err
		}
		book := incident.NewBook(at(20*time.Minute), []incident.Incident{inc})
		book.Ask(book.Get(inc.ID), []string{"ben"}, []string{"oncall"}, "", "ana has it and is off shift")
		return desk.Settle(t.Context(), tx, at(20*time.Minute), book)
	}))
	return p
}

// Who is asked to take an incident over has it once they say so at the pager: by the page that asks them, whoever had it, or by name under a key that
// rang before. All else that the pager says of what somebody has changes nothing.
func TestWhoIsAskedAnswersAtThePager(t *testing.T) {
	for _, c := range []struct {
		name  string
		round int
		by    string
		at    time.Duration
		has   string
	}{
		{"the page that asks", 3, "ben", 21 * time.Minute, "ben"},
		{"the page that asks, taken by whoever it rang for", 3, "eva", 21 * time.Minute, "eva"},
		{"an older page, by whom it asks", 2, "ben", 21 * time.Minute, "ben"},
		{"by another name of theirs", 1, "PBEN001", 21 * time.Minute, "PBEN001"},
		{"in the second in which it was asked", 2, "ben", 20 * time.Minute, "ben"},
		{"an older page, by another", 2, "eva", 21 * time.Minute, "ana"},
		{"an older page, by nobody who is known", 2, "Events API v2", 21 * time.Minute, "ana"},
		{"an older page, before it was asked", 2, "ben", 12 * time.Minute, "ana"},
	} {
		p := asked(t)
		p.must(p.a.Answered(t.Context(), "oncall", p.inc.CallKey(c.round), incident.Acknowledged, c.by, at(c.at), at(22*time.Minute)))
		inc, _, _ := p.read(p.inc.ID)
		if ack := inc.Acknowledgement; ack == nil || ack.By != c.has || (ack.Asked == nil) != (c.has != "ana") {
			t.Errorf("%s: it is had as %+v, want %s", c.name, ack, c.has)
		}
	}
}
