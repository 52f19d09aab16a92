package incident

import (
	"testing"
	"time"
)

// TestTheEndDoesNotWaitForTheNextRefresh: a message that waits only to be said anew says what is new a second later.
func TestTheEndDoesNotWaitForTheNextRefresh(t *testing.T) {
	t0 := time.Date(2026, 1, 23, 10, 0, 0, 0, time.UTC)
	alert := Alert{Key: Key{Rule: "a", Group: "{}"}, Labels: Labels{"project": "p"}, Severity: High, Mode: Page, First: t0, Last: t0, Identity: "a"}
	desk := func(rows ...Notification) Desk {
		return Desk{Direct: func(*Incident) (Direction, error) { return Direction{Receivers: []string{"am"}}, nil }, Traits: map[string]Traits{"am": {}},
			Have: func(string) ([]Notification, error) { return rows, nil }}
	}
	b := NewBook(t0, nil)
	inc := b.Fire(alert)
	if _, err := b.Settle(desk()); err != nil {
		t.Fatal(err)
	}
	row := Notification{Incident: inc.ID, Target: "am", Kind: Message, State: Pending, Wanted: 1, SentRevision: 1, SentAt: t0, Due: t0.Add(3 * time.Minute)}
	now := t0.Add(time.Minute)
	b = NewBook(now, []Incident{*inc})
	b.Clear(inc.ID, alert.Key, "it is over")
	changes, err := b.Settle(desk(row))
	if err != nil {
		t.Fatal(err)
	}
	if len(changes.Save) != 1 || changes.Save[0].Due != now.Add(EditDelay) || changes.Save[0].Reason != ReasonResolved {
		t.Errorf("saved %+v", changes.Save)
	}
}
