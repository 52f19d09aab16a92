package incident

import (
	"testing"
	"time"
)

// TestWhatWasCancelledOnItsWayIsResolvedToo: a page whose answer never came is cancelled by an acknowledge; the pager may have it
// all the same, and must hear of the end.
func TestWhatWasCancelledOnItsWayIsResolvedToo(t *testing.T) {
	t0 := time.Date(2026, 1, 23, 10, 0, 0, 0, time.UTC)
	alert := Alert{Key: Key{Rule: "a", Group: "{}"}, Labels: Labels{"project": "p"}, Severity: Critical, Mode: Page, First: t0, Last: t0, Identity: "a"}
	desk := func(rows ...Notification) Desk {
		return Desk{Direct: func(*Incident) (Direction, error) { return Direction{Policy: "now"}, nil }, Traits: map[string]Traits{"oncall": {Pages: true}},
			Have: func(string) ([]Notification, error) { return rows, nil }}
	}
	for name, c := range map[string]struct {
		row  Notification
		want int
	}{
		"its answer never came":  {Notification{State: Pending, Unclear: true}, 1},
		"it was accepted late":   {Notification{State: Cancelled, Cause: "acknowledged", SentAt: t0}, 1},
		"it is on its way":       {Notification{State: InFlight}, 1},
		"it was never tried":     {Notification{State: Pending}, 0},
		"it was cancelled first": {Notification{State: Cancelled, Cause: "superseded"}, 0},
	} {
		b := NewBook(t0, nil)
		inc := b.Fire(alert)
		if _, err := b.Settle(desk()); err != nil {
			t.Fatal(err)
		}
		row := c.row
		row.Kind, row.Target, row.Round, row.Key = Call, "oncall", 1, inc.CallKey(1)
		b = NewBook(t0.Add(time.Minute), []Incident{*inc})
		b.Acknowledge(b.Get(inc.ID), "somebody", Said{Receiver: "oncall", Key: row.Key})
		changes, err := b.Settle(desk(row))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range changes.Save {
			row = *n
		}
		b = NewBook(t0.Add(2*time.Minute), []Incident{*changes.Incidents[0]})
		b.Clear(inc.ID, alert.Key, "it is over")
		if changes, err = b.Settle(desk(row)); err != nil {
			t.Fatal(err)
		}
		resolves := 0
		for _, n := range changes.Add {
			if n.Kind == CallResolve && n.Key == row.Key {
				resolves++
			}
		}
		if resolves != c.want {
			t.Errorf("%s: %d resolves, want %d", name, resolves, c.want)
		}
	}
}
