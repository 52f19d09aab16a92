package actions

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/access"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// TestWhatPeopleDoIsOnRecord: each deed is a line of the trail, at a pager too, with how it is known who did it; what was refused is none.
func TestWhatPeopleDoIsOnRecord(t *testing.T) {
	p := newPaged(t, time.Time{}, call(1, at(0)))
	ana := access.With(t.Context(), access.Identity{Name: "ana@example.com", Role: access.Responder, Way: "oidc"})
	refused := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s is not refused", what)
		}
	}
	p.must(p.a.Note(ana, p.inc.ID, "ana@example.com", " the disk is full ", at(time.Minute)))
	refused("an empty note", p.a.Note(ana, p.inc.ID, "ana", " ", at(time.Minute)))
	refused("a note without end", p.a.Note(ana, p.inc.ID, "ana", string(make([]byte, mostNote+1)), at(time.Minute)))
	refused("a note by nobody", p.a.Note(ana, p.inc.ID, "", "x", at(time.Minute)))
	refused("a note on nothing", p.a.Note(ana, "01D1VX0000AAAAAAAABBBBBBBB", "ana", "x", at(time.Minute)))
	p.must(p.a.Answered(t.Context(), "oncall", p.inc.CallKey(1), incident.Acknowledged, "ben", at(2*time.Minute), at(2*time.Minute)))
	p.must(p.a.Answered(t.Context(), "oncall", p.inc.CallKey(1), incident.Acknowledged, "ben", at(2*time.Minute), at(3*time.Minute))) // heard again
	p.must(p.a.Resolve(ana, p.inc.ID, "ana@example.com", at(4*time.Minute)))
	refused("a second resolve", p.a.Resolve(ana, p.inc.ID, "ana@example.com", at(5*time.Minute)))
	about := "incident " + p.inc.ID
	want := []store.Trace{
		{ID: 1, At: at(time.Minute), Who: "ana@example.com", Way: "oidc", Deed: "note", About: about, Detail: "the disk is full"},
		{ID: 2, At: at(2 * time.Minute), Who: "ben", Way: "pager oncall", Deed: "acknowledge", About: about},
		{ID: 3, At: at(4 * time.Minute), Who: "ana@example.com", Way: "oidc", Deed: "resolve", About: about},
	}
	p.must(p.s.View(t.Context(), func(tx *store.Tx) error {
		got, err := tx.Traces(t.Context(), 0, 10)
		for i := range got {
			got[i].Hash = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the trail (-want +got)\n%s", diff)
		}
		if v, err := access.Verify(t.Context(), tx, ""); err != nil || v.Broken != "" || v.Lines != 3 {
			t.Errorf("it is %+v, %v", v, err)
		}
		events, wrong := tx.Events(t.Context(), p.inc.ID)
		if len(events) == 0 || events[0].Kind != incident.EventNote || events[0].Text != "the disk is full" || events[0].By != "ana@example.com" {
			t.Errorf("the timeline is %+v (%v)", events, wrong)
		}
		return err
	}))
}
