package outbox

import (
	"errors"
	"testing"

	"tocsin/internal/incident"
	"tocsin/notifiers"
)

// TestWhatWasRefusedGoesOutWhenTheKeyTakesAgain: a routing key that was refused is mended, and the first to go out under it is a new page.
// What was refused before, and what waited behind it, goes out with it, and not at its own next try.
func TestWhatWasRefusedGoesOutWhenTheKeyTakesAgain(t *testing.T) {
	w := newWorld(t)
	refuse := func(notifiers.Notice) error { return notifiers.Permanent{Err: errors.New("400: invalid routing key")} }
	w.oncall.before, w.ops.before = refuse, refuse
	w.incident("A", incident.Open, 1)
	w.add(page("A", "oncall", 1), message("A", "ops", 1))
	w.post("A", "ops", "behind A")
	w.run(80)
	w.incident("C", incident.Open, 1)
	w.add(page("C", "oncall", 1))
	w.run(90)
	w.oncall.before, w.ops.before = nil, nil
	w.incident("B", incident.Open, 1)
	w.add(page("B", "oncall", 1), message("B", "ops", 1))
	w.run(95)
	w.equal("after the first that was taken", w.oncall.said(), "call:B.1 call:A.1 call:C.1")
	w.equal("rows of A", w.rows("A"), "call oncall sent, message ops sent, post ops sent")
}

// TestOneRowThatIsRefusedIsNotTriedWithEach: a receiver that refuses one row and takes all others is not asked for that one each time.
func TestOneRowThatIsRefusedIsNotTriedWithEach(t *testing.T) {
	w := newWorld(t)
	tried := 0
	w.hook.before = func(n notifiers.Notice) error {
		if n.Incident.ID != "bad" {
			return nil
		}
		tried++
		return notifiers.Permanent{Err: errors.New("400: too strange")}
	}
	w.incident("bad", incident.Open, 1)
	w.add(message("bad", "hook", 1))
	for i := range 60 {
		id := "I" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		w.incident(id, incident.Open, 1)
		w.add(message(id, "hook", 1))
		w.run(5 * (i + 1))
	}
	if tried > 7 {
		t.Errorf("tried %d times in five minutes", tried)
	}
}
