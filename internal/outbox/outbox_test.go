package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/notifiers"
)

func TestTellsAndPages(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	p := page("a", "oncall", 1)
	p.Mention = []string{"first", "stranger"}
	w.add(message("a", "ops", 1), p)
	w.post("a", "ops", "hook fired")
	w.run(100)
	w.equal("channel", w.ops.said(), "message:a/ops:1 post:hook fired@ops/1")
	w.equal("pager", w.oncall.said(), "call:a.1")
	w.equal("rows", w.rows("a"), "message ops sent, call oncall sent, post ops sent")
	w.equal("timeline", w.timeline("a"), "told ops; paged oncall, round 1")
	w.equal("told", strings.Join(w.told, "\n"), strings.Join([]string{
		"0 ops rings=true opened: message title of a r1",
		"0 oncall rings=true opened: call title of a r1",
		"0 ops rings=false updated: post title of a r1",
	}, "\n"))
	if n := w.ops.taken[1]; n.Event.Text != "hook fired" || n.URL != "https://tocsin/a" || !n.Now.Equal(day) {
		t.Errorf("the post came without its event, address or time: %+v", n)
	}
	want := []notifiers.Person{{Name: "first", Slack: "U1"}, {Name: "stranger"}}
	if got := w.oncall.taken[0].People; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("people to mention: %v, want %v", got, want)
	}
}

func TestStepSaysWhenThereIsMore(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	step := func(want time.Time) {
		t.Helper()
		next, err := w.outbox.Step(ctx, w.now)
		if err != nil || !next.Equal(want) {
			t.Errorf("next %v, %v; want %v", next, err, want)
		}
	}
	step(time.Time{})
	w.incident("a", incident.Open, 1)
	w.add(message("a", "ops", 1), message("a", "hook", 1))
	future := page("a", "oncall", 1)
	future.Due = at(7)
	w.add(future)
	step(day)   // one went out, one is due
	step(at(7)) // both are out
	w.now = at(7)
	step(time.Time{})
	if got := len(w.ops.tries) + len(w.hook.tries) + len(w.oncall.tries); got != 3 {
		t.Errorf("%d calls", got)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := w.outbox.Step(ended, w.now); !errors.Is(err, context.Canceled) {
		t.Errorf("a step in a context that has ended gives %v", err)
	}
}

func TestEditsAreCoalescedAndNoneIsLost(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.add(message("a", "ops", 1))
	w.ops.after = func(n notifiers.Notice) error { // three revisions while the first is on its way
		if n.Incident.Revision == 1 {
			w.want("a", "ops", 2)
			w.want("a", "ops", 3)
			w.want("a", "ops", 4)
		}
		return nil
	}
	w.run(10)
	w.equal("channel", w.ops.said(), "message:a/ops:1 message:a/ops:4@ops/1")
	w.want("a", "ops", 5)
	w.want("a", "ops", 6)
	w.run(20)
	w.equal("channel", w.ops.said(), "message:a/ops:1 message:a/ops:4@ops/1 message:a/ops:6@ops/1")
	w.equal("told", strings.Join(w.told, "\n"), strings.Join([]string{
		"0 ops rings=true opened: message title of a r1",
		"0 ops rings=false updated: message title of a r4",
		"10 ops rings=false updated: message title of a r6",
	}, "\n"))
	w.equal("timeline", w.timeline("a"), "told ops")
	if n := w.all("a")[0]; n.State != incident.Sent || n.SentRevision != 6 || n.Attempts != 0 {
		t.Errorf("the row is %+v", n)
	}
}

func TestWhatCannotEditSendsEachRevision(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.add(message("a", "hook", 1))
	w.run(1)
	w.want("a", "hook", 2)
	w.run(2)
	w.equal("webhook", w.hook.said(), "message:a/hook:1 message:a/hook:2")
	w.equal("timeline", w.timeline("a"), "told hook")
}

func TestBackoff(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	down := func(notifiers.Notice) error { return errUnclear }
	w.oncall.before, w.hook.before, w.ops.before = down, down, down
	w.add(page("a", "oncall", 1), message("a", "hook", 1), message("a", "ops", 1))
	w.run(200)
	w.equal("a page", w.oncall.triesAt(), "0 1 3 7 15 31 61 91 121 151 181")
	w.equal("a message", w.hook.triesAt(), "0 1 3 7 15 31 63 127")
	w.equal("a message that is looked for", w.ops.triesAt(), "0 10 20 30 40 56 88 152")
	w.run(6 * 3600)
	w.oncall.before = nil
	w.run(6*3600 + 30)
	w.equal("after six hours", w.oncall.said(), "call:a.1")
	if n := w.hook.tries; n[len(n)-1].Sub(n[len(n)-2]) != 5*time.Minute {
		t.Errorf("the last two tries of the message are at %v", n[len(n)-2:])
	}
}

func TestLaterHoldsTheWholeTarget(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.incident("b", incident.Open, 1)
	w.ops.before = failing(1, notifiers.Later{Err: errors.New("rate limited"), After: 42 * time.Second})
	w.add(message("a", "ops", 1), message("b", "ops", 1), message("b", "hook", 1))
	w.run(100)
	w.equal("limited", w.ops.triesAt(), "0 42 42")
	w.equal("another target", w.hook.triesAt(), "0")
	w.ops.before = failing(1, notifiers.Later{Err: errors.New("rate limited"), After: 240 * time.Hour})
	w.want("a", "ops", 2)
	w.run(100 + 3600)
	w.equal("a wait without measure", w.ops.triesAt(), "0 42 42 100 3700")
}

func TestAPageIsTriedForEver(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.incident("b", incident.Open, 1)
	w.oncall.before = func(n notifiers.Notice) error {
		if n.Incident.ID == "a" {
			return notifiers.Permanent{Err: errors.New("invalid routing key")}
		}
		return nil
	}
	w.add(page("a", "oncall", 1), page("b", "oncall", 1))
	w.run(1000)
	w.equal("tries", w.oncall.triesAt(), "0 0 300 600 900")
	w.equal("another incident's", w.rows("b"), "call oncall sent")
	w.run(3 * 24 * 3600)
	w.equal("after three days", w.rows("a"), "call oncall pending")
	w.equal("timeline", w.timeline("a"), "the page to oncall, round 1, was refused: invalid routing key")
	w.oncall.before = nil
	w.run(3*24*3600 + 300)
	w.equal("mended", w.rows("a"), "call oncall sent")
}

func TestOtherRefusalsEndAfterADay(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.ops.before = func(notifiers.Notice) error { return errRefused }
	w.add(message("a", "ops", 1))
	w.run(23 * 3600)
	w.equal("within the day", w.rows("a"), "message ops pending")
	w.run(25 * 3600)
	w.equal("after it", w.rows("a"), "message ops cancelled (refused)")
	w.equal("timeline", w.timeline("a"), "the message to ops was refused: channel is archived; "+
		"the message to ops was refused for 24h0m0s and is given up: channel is archived")
}

func TestAMessageThatIsGoneIsPostedAnew(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.add(message("a", "ops", 1))
	w.run(1)
	w.ops.taken, w.ops.receipts = nil, nil                                               // somebody has deleted it
	w.ops.before = failing(2, notifiers.Permanent{Err: errors.New("message_not_found")}) // the post, then the edit
	w.want("a", "ops", 2)
	w.post("a", "ops", "under the new one")
	w.run(100)
	w.equal("channel", w.ops.said(), "message:a/ops:2 post:under the new one@ops/1")
	w.equal("rows", w.rows("a"), "message ops sent, post ops sent")
}

func TestAMessageThatIsOnlyOutOfReachIsNotPostedAnew(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.add(message("a", "ops", 1))
	w.run(1)
	w.ops.before = func(n notifiers.Notice) error {
		if n.Now.Before(at(1000)) {
			return notifiers.Permanent{Err: errors.New("token_revoked")}
		}
		return nil
	}
	w.ops.blind = notifiers.Permanent{Err: errors.New("token_revoked")}
	w.want("a", "ops", 2)
	w.run(999)
	w.ops.blind = nil
	w.run(2000)
	w.equal("channel", w.ops.said(), "message:a/ops:1 message:a/ops:2@ops/1")
	w.equal("timeline", w.timeline("a"), "told ops; the message to ops was refused: token_revoked")
}

func TestTheFallbackHearsOfAPageThatNobodyTakes(t *testing.T) {
	w := newWorld(t, func(w *world) { w.o.Fallback = "ops" })
	for _, id := range []string{"a", "b", "c"} {
		w.incident(id, incident.Open, 1)
	}
	w.oncall.before = func(n notifiers.Notice) error {
		if n.Incident.ID == "b" {
			return nil
		}
		return errors.New("502 " + strings.Repeat("x", 1000))
	}
	w.add(page("a", "oncall", 1), page("b", "oncall", 1), page("c", "oncall", 1))
	w.run(59)
	w.equal("before the minute is over", w.ops.said(), "")
	w.incident("c", incident.Acknowledged, 2) // somebody has c
	w.run(600)
	w.equal("channel", w.ops.said(), "call:a.1")
	n := w.ops.taken[0]
	if !n.Now.Equal(at(60)) || !n.Rings || n.Reason != incident.ReasonEscalated || n.Round != 1 {
		t.Errorf("the fallback's call is %+v", n.Notification)
	}
	if !strings.HasPrefix(n.Text, "the page to oncall has not been accepted for 1m0s: 502 xxx") || len(n.Text) > 400 {
		t.Errorf("it says %q", n.Text)
	}
	w.equal("rows of a", w.rows("a"), "call oncall pending, call ops sent")
	w.equal("rows of c", w.rows("c"), "call oncall cancelled (acknowledged), call_acknowledge oncall pending")
	w.add(page("a", "oncall", 2)) // the next round waits as long
	w.run(1000)
	w.equal("channel", w.ops.said(), "call:a.1 call:a.2")
}

func TestTheFallbacksOwnLoopCaresForIt(t *testing.T) {
	w := newWorld(t, func(w *world) { w.o.Fallback = "ops" })
	w.incident("a", incident.Open, 1)
	w.add(page("a", "oncall", 1), message("a", "gone", 1))
	ctx := context.Background()
	next, err := w.outbox.StepTarget(ctx, at(1), "ops") // it also does what belongs to no receiver
	if err != nil || !next.Equal(at(60)) {
		t.Errorf("the fallback's next is %v, %v; want the end of the minute", next, err)
	}
	w.equal("rows", w.rows("a"), "call oncall pending, message gone pending")
	w.equal("timeline", w.timeline("a"), "the message to gone was refused: there is no receiver of that name in the configuration any more")
	if next, err = w.outbox.StepTarget(ctx, at(60), "ops"); err != nil || !next.Equal(at(301)) {
		t.Errorf("the fallback's next is %v, %v; want that of the row without a receiver", next, err)
	}
	w.equal("channel", w.ops.said(), "call:a.1")
	// The pager's own loop is untouched by all of it.
	if next, err = w.outbox.StepTarget(ctx, at(60), "oncall"); err != nil || !next.IsZero() {
		t.Errorf("the pager's next is %v, %v", next, err)
	}
	w.equal("pager", w.oncall.said(), "call:a.1")
}

func TestAPanicInANotifierIsItsOwn(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.incident("b", incident.Open, 1)
	w.oncall.before = func(n notifiers.Notice) error {
		if n.Incident.ID == "a" && n.Now.Before(at(5)) {
			panic("nil map")
		}
		return nil
	}
	w.add(page("a", "oncall", 1), page("b", "oncall", 1))
	w.run(100)
	w.equal("pager", w.oncall.said(), "call:b.1 call:a.1")
}

func TestAnEndOfTheContextLeavesTheAnswerMarked(t *testing.T) {
	w := newWorld(t)
	w.incident("a", incident.Open, 1)
	w.add(page("a", "oncall", 1))
	ctx, cancel := context.WithCancel(context.Background())
	w.oncall.after = func(notifiers.Notice) error { cancel(); return nil }
	w.outbox.Step(ctx, w.now)
	w.equal("rows", w.rows("a"), "call oncall sent")
}

func TestErrorsAreBounded(t *testing.T) {
	long := fmt.Sprintf("%s\xff%s", strings.Repeat("é", 200), "tail")
	got := bounded(long)
	if len(got) > 310 || !strings.HasPrefix(long, strings.TrimSuffix(got, "…")) {
		t.Errorf("bounded to %d bytes: %q", len(got), got)
	}
	if got := bounded("a\xffb"); got != "a\uFFFDb" {
		t.Errorf("invalid UTF-8 became %q", got)
	}
}
