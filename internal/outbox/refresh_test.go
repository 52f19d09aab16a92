package outbox

import (
	"context"
	"errors"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/notifiers"
)

// forgetful is a provider that forgets what it is not told every three minutes.
type forgetful struct{ provider }

func (*forgetful) Every() time.Duration { return 3 * time.Minute }

// TestWhatIsForgottenIsSaidAnew: while its incident is open a message goes to who forgets it every three minutes, over restarts too; it is
// told once, a failure is tried again as any is, and the end is the last.
func TestWhatIsForgottenIsSaidAnew(t *testing.T) {
	am := &forgetful{provider{name: "am"}}
	w := newWorld(t, onFile, func(w *world) { w.o.Targets["am"] = Target{am, notifiers.Traits{}} })
	w.incident("A", incident.Open, 1)
	w.add(message("A", "am", 1))
	w.run(400)
	w.equal("tries", am.triesAt(), "0 180 360")
	w.restart()
	am.before = failing(1, errors.New("reset"))
	w.incident("A", incident.Acknowledged, 1)
	w.run(700)
	w.equal("tries", am.triesAt(), "0 180 360 540 541")
	w.want("A", "am", 2)
	w.run(722)
	w.equal("what is new waits for its time here, as the engine has not moved it", am.triesAt(), "0 180 360 540 541 721")
	w.incident("A", incident.Resolved, 3)
	w.run(2000)
	w.equal("tries", am.triesAt(), "0 180 360 540 541 721 901")
	w.equal("rows", w.rows("A"), "message am sent")
	if len(w.told) != 3 { // three revisions
		t.Errorf("told %q", w.told)
	}
	w.equal("timeline", w.timeline("A"), "told am")
}

// TestAForgetfulReceiverIsTakenAway: nothing is refused, and nobody hears, when a receiver that only heard the same anew is no longer there.
func TestAForgetfulReceiverIsTakenAway(t *testing.T) {
	am := &forgetful{provider{name: "am"}}
	w := newWorld(t, func(w *world) { w.o.Targets["am"] = Target{am, notifiers.Traits{}} })
	w.incident("A", incident.Open, 1)
	w.add(message("A", "am", 1))
	w.run(10)
	delete(w.o.Targets, "am")
	w.outbox = New(w.store, w.o)
	w.run(1000)
	w.equal("rows", w.rows("A"), "message am sent")
	w.equal("timeline", w.timeline("A"), "told am")
	if next, err := w.outbox.Step(context.Background(), w.now); err != nil || !next.IsZero() {
		t.Errorf("something waits: %v, %v", next, err)
	}
}
