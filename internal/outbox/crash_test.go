package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// killed is what a failpoint panics with: the rest of the step never happens.
type killed struct{}

// runKilled is run with a crash at the nth time that a failpoint is reached, after which the next life goes on.
func (w *world) runKilled(failpoint string, nth, until int) {
	w.t.Helper()
	w.o.Failpoint = func(name string) {
		if name != failpoint {
			return
		}
		if nth--; nth == 0 {
			panic(killed{})
		}
	}
	w.outbox = New(w.store, w.o)
	func() {
		defer func() {
			if p := recover(); p != nil && p != (killed{}) {
				panic(p)
			}
		}()
		w.run(until)
	}()
	w.o.Failpoint = nil
	if nth > 0 {
		w.t.Fatalf("%s was not reached often enough", failpoint)
	}
	w.restart()
	w.run(until)
}

func TestACrashNeitherLosesNorRepeats(t *testing.T) {
	for _, failpoint := range []string{"outbox.claimed", "outbox.sent", "outbox.marked"} {
		for nth := 1; nth <= 7; nth++ {
			t.Run(fmt.Sprint(failpoint, " ", nth), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, onFile)
				w.incident("a", incident.Open, 3)
				loud := page("a", "ops", 1)
				loud.Key = "loud"
				w.add(message("a", "ops", 3), page("a", "oncall", 1), loud)
				w.post("a", "ops", "one")
				w.post("a", "ops", "two")
				w.add(page("a", "oncall", 2), follow(page("a", "oncall", 1), incident.CallResolve), follow(page("a", "oncall", 2), incident.CallResolve))
				w.runKilled(failpoint, nth, 300)
				w.equal("channel", fmt.Sprint(keysOf(w.ops.taken)), "[a/ops loud one two]")
				if rang := w.oncall.rang(); rang["a.1"] > 1 || rang["a.2"] != 1 {
					t.Errorf("rounds rang %v times", rang)
				}
				for _, n := range w.all("a") {
					if n.State != incident.Sent && n.Cause != "superseded" && n.Cause != "resolved" {
						t.Errorf("%s of round %d is %s", n.Kind, n.Round, n.State)
					}
				}
				if edits := strings.Count(w.ops.said(), "message:a/ops:3@"); edits > 1 {
					t.Errorf("the message was edited %d times", edits)
				}
				if n := w.all("a")[0]; n.SentRevision != 3 {
					t.Errorf("the message is at revision %d", n.SentRevision)
				}
			})
		}
	}
}

// TestTheNextLifeWaitsForCallsThatMayBeOnTheirWay: a message whose attempt was cut may arrive until its deadline; a page is
// repeated at once, its key sees to it that it rings once.
func TestTheNextLifeWaitsForCallsThatMayBeOnTheirWay(t *testing.T) {
	w := newWorld(t, onFile)
	w.incident("a", incident.Open, 1)
	w.add(message("a", "ops", 1), page("a", "oncall", 1), message("a", "hook", 1))
	w.update(func(ctx context.Context, tx *store.Tx) error {
		rows, err := tx.Notifications(ctx, "a")
		for i := range rows {
			n := &rows[i]
			n.State, n.Epoch, n.Attempts, n.Deadline = incident.InFlight, w.store.Epoch(), 1, at(10)
			if err := tx.SaveNotification(ctx, n); err != nil {
				return err
			}
		}
		return err
	})
	w.run(9)
	w.equal("while they are this life's", w.ops.said()+w.oncall.said()+w.hook.said(), "")
	w.restart()
	w.now = at(2)
	w.run(9)
	w.equal("in the next life", w.ops.said()+" "+w.oncall.said()+" "+w.hook.said(), " call:a.1 message:a/hook:1")
	w.run(20)
	w.equal("after the deadline", w.ops.said(), "message:a/ops:1")
	w.equal("tries", w.ops.triesAt(), "10")
}

func TestAnUnclearAttemptIsLookedForFirst(t *testing.T) {
	w := newWorld(t, onFile)
	w.incident("a", incident.Open, 1)
	w.ops.after = failing(1, errUnclear)
	w.add(message("a", "ops", 1))
	w.run(9)
	w.want("a", "ops", 2) // what is found shows revision 1
	w.run(100)
	w.equal("channel", w.ops.said(), "message:a/ops:1 message:a/ops:2@ops/1")
	w.equal("timeline", w.timeline("a"), "told ops")
	// A search that fails is no answer: better late than twice.
	w.ops.after = failing(1, errUnclear)
	w.ops.blind = errUnclear
	w.post("a", "ops", "one")
	w.run(1000)
	w.equal("while it cannot be looked for", strings.Join(keysOf(w.ops.taken), " "), "a/ops one")
	w.ops.blind = nil
	w.run(2000)
	w.equal("rows", w.rows("a"), "message ops sent, post ops sent")
	w.equal("channel", strings.Join(keysOf(w.ops.taken), " "), "a/ops one")
	// What can never be looked for, and a page, are said again.
	w.ops.after, w.ops.blind = failing(1, errUnclear), notifiers.Permanent{Err: fmt.Errorf("missing scope")}
	w.post("a", "ops", "two")
	w.run(3000)
	w.ops.after, w.ops.blind = failing(1, errUnclear), errUnclear
	w.add(page("a", "ops", 1))
	w.run(4000)
	w.equal("channel", strings.Join(keysOf(w.ops.taken), " "), "a.1 a.1 a/ops one two two")
}

func TestAMessageThatCannotBeEditedIsNotFoundForEver(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.ops.after = failing(1, errUnclear)
	w.ops.before = func(n notifiers.Notice) error {
		if n.Parent != "" {
			return notifiers.Permanent{Err: fmt.Errorf("the edit window is closed")}
		}
		return nil
	}
	w.add(message("a", "ops", 1))
	w.run(1000)
	// The first refusal has it looked for at once; from then on it is tried seldom.
	w.equal("tries", w.ops.triesAt(), "0 10 10 310 610 910")
}

// TestWhatIsRefusedIsNotPostedAnewUnlooked: a token that was revoked refuses edits and looks alike, and may work again between the two.
func TestWhatIsRefusedIsNotPostedAnewUnlooked(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.add(message("a", "ops", 1))
	w.run(9)
	w.ops.before = func(n notifiers.Notice) error {
		if n.Parent != "" {
			return errRefused
		}
		return nil // it would be taken by now
	}
	w.ops.blind = errRefused
	w.want("a", "ops", 2)
	w.run(1000)
	w.equal("while it cannot be looked for", strings.Join(keysOf(w.ops.taken), " "), "a/ops")
	w.ops.before, w.ops.blind = nil, nil
	w.run(2000)
	w.equal("afterwards", w.ops.said(), "message:a/ops:1 message:a/ops:2@ops/1")
}

// TestAnAnswerForARowThatIsAnothersIsNotMarked: the row may have been claimed anew, by whoever took over.
func TestAnAnswerForARowThatIsAnothersIsNotMarked(t *testing.T) {
	for name, change := range map[string]func(n *incident.Notification){
		"epoch":   func(n *incident.Notification) { n.Epoch++ },
		"attempt": func(n *incident.Notification) { n.Attempts++ },
	} {
		w := newWorld(t)
		w.incident("a", incident.Open, 1)
		w.add(page("a", "oncall", 1))
		w.oncall.after = func(notifiers.Notice) error {
			w.update(func(ctx context.Context, tx *store.Tx) error {
				n := w.row(ctx, tx, "a")
				change(&n)
				return tx.SaveNotification(ctx, &n)
			})
			return nil
		}
		if _, err := w.outbox.Step(context.Background(), w.now); err != nil {
			t.Fatal(err)
		}
		w.equal("of another "+name, w.rows("a"), "call oncall inflight")
		w.equal("told", strings.Join(w.told, ""), "")
	}
}

// TestWhatIsCancelledInFlightStaysSo: that it arrived after all is kept, for whoever has to take it back.
func TestWhatIsCancelledInFlightStaysSo(t *testing.T) {
	for name, answer := range map[string]error{"accepted": nil, "unclear": errUnclear, "refused": errRefused} {
		w := newWorld(t)
		w.incident("a", incident.Open, 1)
		w.add(page("a", "oncall", 1))
		w.oncall.after = func(notifiers.Notice) error {
			w.update(func(ctx context.Context, tx *store.Tx) error {
				n := w.row(ctx, tx, "a")
				n.State, n.Cause = incident.Cancelled, "operator"
				return tx.SaveNotification(ctx, &n)
			})
			return answer
		}
		w.run(1000)
		w.equal(name, w.rows("a"), "call oncall cancelled (operator)")
		n := w.all("a")[0]
		if arrived := answer == nil; n.SentAt.IsZero() == arrived || (n.Receipt != "") != arrived {
			t.Errorf("%s: sent at %v with receipt %q", name, n.SentAt, n.Receipt)
		}
		if n.Unclear != errors.Is(answer, errUnclear) {
			t.Errorf("%s: unclear is %v", name, n.Unclear)
		}
	}
}

// TestTroubledDays plays days of random refusals, lost answers, crashes and changes of mind, and looks whether what people saw
// is what they should have seen.
func TestTroubledDays(t *testing.T) {
	for seed := range 12 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel() // what takes time is the disk
			troubledDay(t, rand.New(rand.NewPCG(uint64(seed), 1)))
		})
	}
}

func troubledDay(t *testing.T, random *rand.Rand) {
	w := newWorld(t, onFile)
	trouble := true
	before := func(n notifiers.Notice) error {
		switch random.IntN(12) {
		case 0:
			return errUnclear
		case 1:
			return notifiers.Later{Err: fmt.Errorf("rate limited"), After: time.Duration(random.IntN(20)) * time.Second}
		case 2:
			return errRefused
		case 3:
			panic("a bug")
		}
		return nil
	}
	after := func(n notifiers.Notice) error {
		if random.IntN(5) == 0 {
			return errUnclear
		}
		return nil
	}
	if random.IntN(2) == 0 {
		w.ops.before, w.oncall.before = before, before
	}
	w.ops.after, w.oncall.after = after, after
	w.o.Failpoint = func(string) {
		if trouble && random.IntN(15) == 0 {
			panic(killed{})
		}
	}
	w.outbox = New(w.store, w.o)
	const incidents = 4
	revision := map[string]int64{}
	wantPosts := []string{}
	live := func(until int) {
		for done := false; !done; {
			func() {
				defer func() {
					if p := recover(); p == (killed{}) {
						w.restart()
					} else if p != nil {
						panic(p)
					}
				}()
				w.run(until)
				done = true
			}()
		}
	}
	for minute := range 20 {
		id := fmt.Sprintf("i%d", random.IntN(incidents))
		switch revision[id]++; {
		case revision[id] == 1:
			w.incident(id, incident.Open, 1)
			w.add(message(id, "ops", 1))
			wantPosts = append(wantPosts, id+"/ops")
		default:
			w.want(id, "ops", revision[id])
			w.post(id, "ops", fmt.Sprint(id, "-", revision[id]))
			wantPosts = append(wantPosts, fmt.Sprint(id, "-", revision[id]))
		}
		w.add(page(id, "oncall", int(revision[id])))
		if random.IntN(3) == 0 {
			w.add(follow(page(id, "oncall", int(revision[id])), incident.CallResolve))
		}
		live(60*minute + random.IntN(60))
	}
	trouble = false
	w.ops.before, w.ops.after, w.oncall.before, w.oncall.after = nil, nil, nil, nil
	live(3 * 3600)
	judge(t, w, revision, wantPosts)
}

// judge looks at what the providers took.
func judge(t *testing.T, w *world, revision map[string]int64, wantPosts []string) {
	keys := keysOf(w.ops.taken)
	for _, want := range wantPosts {
		if n := count(keys, want); n != 1 {
			t.Errorf("%s was posted %d times", want, n)
		}
	}
	rang := w.oncall.rang()
	for id := range revision {
		for _, n := range w.all(id) {
			switch {
			case n.Kind == incident.Call && n.State == incident.Sent && rang[n.Key] != 1:
				t.Errorf("page %s was sent and rang %d times", n.Key, rang[n.Key])
			case n.Kind == incident.Call && n.State == incident.Cancelled && (n.Cause != "superseded" || n.Round == int(revision[id])):
				t.Errorf("page %s was cancelled: %s", n.Key, n.Cause)
			case n.State == incident.Pending || n.State == incident.InFlight:
				t.Errorf("%s %s of %s is %s", n.Kind, n.Key, id, n.State)
			case n.Kind == incident.Message && n.SentRevision != revision[id]:
				t.Errorf("the message of %s shows revision %d of %d", id, n.SentRevision, revision[id])
			}
		}
	}
	resolved := map[string]bool{}
	for _, n := range w.oncall.taken {
		switch {
		case n.Kind == incident.CallResolve:
			resolved[n.Key] = true // and may come again
		case resolved[n.Key]:
			t.Errorf("%s of %s came behind its resolve", n.Kind, n.Key)
		}
	}
	last := map[string]int64{}
	for _, n := range w.ops.taken {
		if n.Kind == incident.Message && n.Incident.Revision < last[n.Incident.ID] {
			t.Errorf("the message of %s went back to revision %d", n.Incident.ID, n.Incident.Revision)
		}
		last[n.Incident.ID] = n.Incident.Revision
	}
}
