package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// ids of two incidents that the same (rule, group) opened at different times, and of one of another.
var (
	key    = incident.Key{Rule: "r", Group: "{}"}
	first  = incident.NewID(day, key, "1")
	second = incident.NewID(day.Add(time.Hour), key, "2")
)

func TestAnEarlierLifesMessageIsContinued(t *testing.T) {
	w := newWorld(t, born)
	w.ops.past = "ops/old"
	w.oncall.left(first)
	w.incident(second, incident.Open, 1)
	p := page(second, "oncall", 1)
	w.add(message(second, "ops", 1), p, follow(p, incident.CallAcknowledge))
	w.run(100)
	w.equal("channel", w.ops.said(), "message:"+second+"/ops:1@ops/old")
	w.equal("pager", w.oncall.said(), "call_acknowledge:"+first)
	w.equal("hash", fmt.Sprint(w.oncall.asked), "["+incident.KeyHash(key)+"]")
	w.equal("told", fmt.Sprint(w.told), fmt.Sprintf("[0 ops rings=false opened: message title of %s r1 0 oncall rings=false resolved: call_acknowledge title of %[1]s r1]", second))
	w.equal("timeline", w.timeline(second), "ops was told before: its message is continued; oncall was paged before, and its alert "+
		first+" is still open: nobody is paged again")
	w.want(second, "ops", 2)
	w.add(page(second, "oncall", 2)) // what must ring again rings
	w.run(200)
	w.equal("channel", w.ops.said(), "message:"+second+"/ops:1@ops/old message:"+second+"/ops:2@ops/old")
	w.equal("pager", w.oncall.said(), "call_acknowledge:"+first+" call:"+second+".2")
}

func TestWhatThisStoreHasToldIsNotTakenOver(t *testing.T) {
	w := newWorld(t, born)
	w.incident(first, incident.Open, 1)
	w.add(message(first, "ops", 1), page(first, "oncall", 1))
	w.run(10)
	w.ops.past = "ops/1" // as the providers now show it
	w.oncall.left(first + ".1")
	w.incident(second, incident.Open, 1)
	w.add(message(second, "ops", 1), page(second, "oncall", 1))
	w.run(20)
	w.equal("channel", w.ops.said(), "message:"+first+"/ops:1 message:"+second+"/ops:1")
	w.equal("pager", w.oncall.said(), "call:"+first+".1 call:"+second+".1")
}

func TestOnlyAYoungStoreLooksForAnEarlierLife(t *testing.T) {
	w := newWorld(t)
	w.ops.past = "ops/old"
	w.oncall.left(first)
	w.incident(second, incident.Open, 1)
	w.add(message(second, "ops", 1), page(second, "oncall", 1))
	w.run(10)
	w.equal("channel", w.ops.said(), "message:"+second+"/ops:1")
	w.equal("pager", w.oncall.said(), "call:"+second+".1")
}

func TestALookThatFailsHoldsAMessageForAWhileAndNoPage(t *testing.T) {
	w := newWorld(t, born)
	w.ops.blind = errUnclear
	w.incident(second, incident.Open, 1)
	w.add(message(second, "ops", 1), page(second, "oncall", 1))
	w.run(100)
	w.equal("channel", w.ops.triesAt(), "3") // the third attempt, after 1 and 2 seconds
	w.equal("pager", w.oncall.triesAt(), "0")
	w.ops.blind = notifiers.Permanent{Err: errors.New("missing scope")}
	w.incident(first, incident.Open, 1)
	w.add(message(first, "ops", 1))
	w.run(200)
	w.equal("channel", w.ops.triesAt(), "3 100")
}

// calls are an incident's calls, each as key state (cause), and its round.
func (w *world) calls(id string) string {
	w.t.Helper()
	var words []string
	for _, n := range w.all(id) {
		if n.Kind == incident.Call {
			words = append(words, strings.TrimSpace(fmt.Sprintf("%s %s %s", n.Key, n.State, n.Cause)))
		}
	}
	w.update(func(ctx context.Context, tx *store.Tx) error {
		inc, err := tx.Incident(ctx, id)
		words = append(words, fmt.Sprintf("round %d", inc.Round))
		return err
	})
	return strings.Join(words, ", ")
}

// TestAllThatAnEarlierLifeLeftOpenIsTakenOver: rounds begin at 1 again, and a key that is open rings nobody. What must ring next has one
// that is not, and the others are ended with the incident.
func TestAllThatAnEarlierLifeLeftOpenIsTakenOver(t *testing.T) {
	w := newWorld(t, born)
	w.oncall.left(first+".3", first+".2", first)
	w.incident(first, incident.Open, 1)
	n := page(first, "oncall", 1)
	n.Key = first
	w.add(n)
	w.run(10)
	w.equal("pager", w.oncall.said(), "")
	w.equal("calls", w.calls(first), first+".3 sent adopted, "+first+".2 sent adopted, "+first+" sent adopted, round 3")
	w.add(page(first, "oncall", 4))
	w.run(20)
	w.equal("pager", w.oncall.said(), "call:"+first+".4")
}

// TestWhatMustRingGetsAKeyThatIsNotOpen: a round that was asked for while the pager was asked what is open there.
func TestWhatMustRingGetsAKeyThatIsNotOpen(t *testing.T) {
	w := newWorld(t, born)
	w.oncall.left(first+".2", first)
	w.incident(first, incident.Open, 1)
	n := page(first, "oncall", 1)
	n.Key = first
	w.add(n)
	w.oncall.meanwhile = func() { w.add(page(first, "oncall", 2)) }
	w.run(20)
	w.equal("pager", w.oncall.said(), "call:"+first+".3")
	w.equal("calls", w.calls(first), first+".2 sent adopted, "+first+".3 sent, "+first+" sent adopted, round 3")
}

// TestARestoredIncidentRingsForWhatIsNew: of one that the backup knows nobody can say whether what an earlier life left open named it.
func TestARestoredIncidentRingsForWhatIsNew(t *testing.T) {
	w := newWorld(t, born)
	w.incident(first, incident.Open, 1)
	told := page(first, "oncall", 1)
	told.State, told.SentAt = incident.Sent, at(-3600)
	w.add(told)
	w.oncall.left(first+".3", first+".2", told.Key)
	w.add(page(first, "oncall", 2))
	w.run(20)
	w.equal("pager", w.oncall.said(), "call:"+first+".4")
	w.equal("calls", w.calls(first), told.Key+" sent, "+first+".4 sent, "+first+".3 sent adopted, "+first+".2 sent adopted, round 4")
}

// TestAStormAfterALoss: what the pager knows by itself is neither rung nor rolled; the storm that the others make rings, whatever its
// earlier life's page was: nobody knows any more whom that has named.
func TestAStormAfterALoss(t *testing.T) {
	w := newWorld(t, born)
	before := incident.NewStorm(day.Add(-time.Hour), "oncall", first, incident.Critical)
	known := []string{before.ID}
	var ids []string
	for i := range 11 {
		id := incident.NewID(day, incident.Key{Rule: "r", Group: fmt.Sprintf(`{"n":"%d"}`, i)}, "1")
		ids = append(ids, id)
		if i >= 8 {
			known = append(known, id+".1")
		}
		w.incident(id, incident.Open, 1)
		w.add(page(id, "oncall", 1))
	}
	w.oncall.left(known...)
	w.run(60)
	rang, rolled := map[string]bool{}, 0
	for _, n := range w.oncall.taken {
		rang[n.Incident.ID] = true
	}
	for i, id := range ids {
		calls := w.all(id)
		switch n := calls[0]; {
		case i < 8 && strings.HasPrefix(n.Cause, "superseded by storm"):
			rolled++
		case i >= 8 && (rang[id] || n.State != incident.Sent || n.Cause != incident.Adopted):
			t.Errorf("incident %d, which the pager knows: %s", i, w.calls(id))
		case i < 8 && !rang[id]:
			t.Errorf("incident %d, which the pager does not know: %s", i, w.calls(id))
		}
	}
	storm := w.oncall.taken[len(w.oncall.taken)-1].Incident
	if !storm.IsStorm() || storm.ID == before.ID || len(w.oncall.taken) != 6 || rolled != 3 {
		t.Fatalf("%d are in the storm, and this rang: %s", rolled, w.oncall.said())
	}
	w.equal("storm", w.calls(storm.ID), storm.ID+" sent, "+before.ID+" sent adopted, round 1")
}

// TestAPagerThatDoesNotSayWhatIsOpenIsPaged, and not asked again before each page.
func TestAPagerThatDoesNotSayWhatIsOpenIsPaged(t *testing.T) {
	w := newWorld(t, born)
	w.oncall.blind = errUnclear
	w.incident(first, incident.Open, 1)
	w.add(page(first, "oncall", 1))
	w.incident(second, incident.Open, 1)
	w.add(page(second, "oncall", 1))
	w.run(20)
	w.equal("rang", fmt.Sprint(w.oncall.rang()), fmt.Sprintf("map[%s.1:1 %s.1:1]", first, second))
	w.equal("asked", fmt.Sprint(len(w.oncall.asked)), "1")
}
