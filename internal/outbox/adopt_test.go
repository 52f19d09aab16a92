package outbox

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tocsin/internal/incident"
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
	w.oncall.past = first
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
	w.ops.past, w.oncall.past = "ops/1", first+".1" // as the providers now show it
	w.incident(second, incident.Open, 1)
	w.add(message(second, "ops", 1), page(second, "oncall", 1))
	w.run(20)
	w.equal("channel", w.ops.said(), "message:"+first+"/ops:1 message:"+second+"/ops:1")
	w.equal("pager", w.oncall.said(), "call:"+first+".1 call:"+second+".1")
}

func TestOnlyAYoungStoreLooksForAnEarlierLife(t *testing.T) {
	w := newWorld(t)
	w.ops.past, w.oncall.past = "ops/old", first
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
