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

// severe saves an open incident of a severity.
func (w *world) severe(id string, s incident.Severity) {
	w.t.Helper()
	inc := incident.Incident{ID: id, Title: "title of " + id, State: incident.Open, Severity: s, Revision: 1, FirstEntry: w.now, OpenedAt: w.now}
	w.update(func(ctx context.Context, tx *store.Tx) error { return tx.SaveIncident(ctx, &inc) })
}

// over resolves an incident, and brings its message up to date as the engine does.
func (w *world) over(id string) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx *store.Tx) error {
		inc, err := tx.Incident(ctx, id)
		if err != nil {
			return err
		}
		inc.State, inc.ResolvedAt = incident.Resolved, w.now
		inc.Revision++
		rows, err := tx.Notifications(ctx, id)
		for i := range rows {
			if n := &rows[i]; n.Kind == incident.Message {
				n.Wanted = inc.Revision
				err = errors.Join(err, tx.SaveNotification(ctx, n))
			}
		}
		return errors.Join(err, tx.SaveIncident(ctx, &inc))
	})
}

// standing are the troubles that stand, each as "kind receiver".
func (w *world) standing() string {
	w.t.Helper()
	var words []string
	w.update(func(ctx context.Context, tx *store.Tx) error {
		all, err := tx.Standing(ctx)
		for _, t := range all {
			words = append(words, t.Kind+" "+t.Labels["receiver"])
		}
		return err
	})
	return strings.Join(words, ", ")
}

func TestWhatIsRefusedIsToldTheFallback(t *testing.T) {
	var desk *channel
	w := newWorld(t, func(w *world) {
		desk = &channel{provider: provider{name: "desk"}}
		w.o.Targets["desk"] = Target{desk, notifiers.Traits{Edits: true}}
		w.o.Fallback = "desk"
	})
	revoked := notifiers.Permanent{Err: errors.New("token_revoked")}
	w.ops.before = func(notifiers.Notice) error { return revoked }
	w.severe("a", incident.Critical)
	w.severe("b", incident.Warning)
	w.add(message("a", "ops", 1), message("b", "ops", 1))
	w.run(60)
	w.equal("fallback", desk.said(), "message:a/desk:1")
	w.equal("troubles", w.standing(), "delivery_refused ops")
	// What rings there is said at the fallback too, where the message was accepted once.
	w.ops.before = nil
	w.severe("c", incident.High)
	w.add(message("c", "ops", 1))
	w.run(61)
	w.equal("what was refused goes out with what is taken", w.rows("a")+"; "+w.rows("b"), "message ops sent, message desk sent; message ops sent")
	w.ops.before = func(notifiers.Notice) error { return revoked }
	w.post("c", "ops", "quiet")
	w.run(65)
	w.equal("a quiet post is not worth it", desk.said(), "message:a/desk:1")
	w.ring("c", "ops", "nobody has acknowledged")
	w.run(70)
	w.equal("fallback", desk.said(), "message:a/desk:1 message:c/desk:1")
	w.equal("troubles", w.standing(), "delivery_refused ops")
	// What rings is said there itself after a minute.
	w.run(130)
	w.equal("troubles", w.standing(), "delivery_refused ops, page_unheard ops")
	// Once the token is changed all that was refused is said with the first of it, not five minutes after.
	w.ops.before = nil
	w.run(370)
	w.equal("rows", w.rows("c"), "message ops sent, post ops sent, post ops sent, message desk sent, post desk sent")
	w.equal("troubles", w.standing(), "")
	// The fallback itself has nobody in its place.
	desk.before = func(notifiers.Notice) error { return revoked }
	w.severe("d", incident.Critical)
	w.add(message("d", "desk", 1))
	w.run(470)
	w.equal("rows", w.rows("d"), "message desk pending")
	w.equal("troubles", w.standing(), "delivery_refused desk")
}

// TestWhatIsNotTakenForAMinuteIsToldTheFallback: who has only a channel must not hear nothing because that channel is out of reach, or
// wants to be left alone.
func TestWhatIsNotTakenForAMinuteIsToldTheFallback(t *testing.T) {
	for name, answer := range map[string]error{"out of reach": errUnclear, "left alone": later429(10 * time.Minute), "left alone for a moment": later429(20 * time.Second)} {
		desk := &channel{provider: provider{name: "desk"}}
		w := newWorld(t, func(w *world) {
			w.o.Targets["desk"] = Target{desk, notifiers.Traits{Edits: true}}
			w.o.Fallback = "desk"
		})
		w.severe("a", incident.Critical)
		w.severe("b", incident.Warning)
		w.severe("c", incident.High)
		w.ops.blind = errUnclear
		w.ops.before = func(n notifiers.Notice) error {
			if n.Now.After(at(15)) && name == "left alone for a moment" {
				return nil
			}
			return answer
		}
		w.add(message("a", "ops", 1), message("b", "ops", 1))
		w.run(5)
		w.add(message("c", "ops", 1))
		w.run(65)
		want := "message:a/desk:1 message:c/desk:1"
		if name == "left alone for a moment" {
			want = ""
		}
		w.equal(name, desk.said(), want)
	}
}

// TestOneRefusalAmongManySaysItOnce: a receiver that refuses one row and takes all others is not well again with each of them.
func TestOneRefusalAmongManySaysItOnce(t *testing.T) {
	w := newWorld(t)
	w.ops.before = func(n notifiers.Notice) error {
		if n.Incident.ID == "bad" {
			return notifiers.Permanent{Err: errors.New("msg_too_long")}
		}
		return nil
	}
	w.severe("bad", incident.High)
	w.add(message("bad", "ops", 1))
	for i := range 20 {
		w.run(60 * i)
		id := fmt.Sprint("good", i)
		w.severe(id, incident.High)
		w.add(message(id, "ops", 1))
	}
	w.run(1200)
	w.equal("troubles", w.standing(), "delivery_refused ops")
	tries := 0
	for _, at := range w.ops.tries {
		if !at.After(day.Add(1200 * time.Second)) {
			tries++
		}
	}
	if want := 20 + 5; tries != want {
		t.Errorf("%d tries, want %d: each good one, and the bad one each 5 minutes", tries, want)
	}
}

func TestALatePageSaysSo(t *testing.T) {
	w := newWorld(t, func(w *world) { w.o.Fallback = "ops" })
	w.severe("a", incident.Critical)
	w.oncall.before = func(notifiers.Notice) error { return errors.New("502") }
	w.add(page("a", "oncall", 1))
	w.run(60)
	w.equal("troubles", w.standing(), "page_unheard oncall")
	w.run(5*3600 + 12*60)
	w.severe("b", incident.Critical)
	w.add(page("b", "oncall", 1))
	w.run(5*3600 + 12*60 + 20)
	w.oncall.before = nil
	w.run(6 * 3600)
	w.equal("pager", w.oncall.said(), "call:b.1 call:a.1")
	w.equal("the new one", w.oncall.taken[0].Text, "")
	w.equal("the late one", w.oncall.taken[1].Text, "since 5 h 12 min; this comes 5 h 12 min late: oncall did not take it before")
	w.equal("troubles", w.standing(), "")
}

// TestWhatIsOverAfterAnOutageIsOneDigest: the answers of the outage are unclear, so each is looked for before it is counted as untold.
func TestWhatIsOverAfterAnOutageIsOneDigest(t *testing.T) {
	for name, answer := range map[string]error{"unclear": errUnclear, "refused": errRefused} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.ops.before = func(n notifiers.Notice) error {
				if n.Incident.ID == "i09" && name == "unclear" {
					return nil // this one arrives, although its answers are lost
				}
				return answer
			}
			if name == "unclear" {
				w.ops.blind, w.ops.after = answer, func(notifiers.Notice) error { return answer }
			}
			for i := range 30 {
				id := fmt.Sprintf("i%02d", i)
				w.severe(id, incident.High)
				w.add(message(id, "ops", 1))
				w.post(id, "ops", "evidence of "+id)
				w.run(600*i + 310)
				if i%10 != 5 {
					w.over(id)
				}
				w.run(600*i + 600)
			}
			before := len(w.ops.taken)
			w.ops.before, w.ops.after, w.ops.blind = nil, nil, nil
			w.run(30 * 3600)
			posts, digests, open := 0, 0, 0
			for _, n := range w.ops.taken[before:] {
				switch {
				case n.Event.Kind == incident.EventSent:
					digests++
					if len(n.Event.Lines) != digestLines || !strings.Contains(n.Text, " incidents opened and were over in the last ") || n.Parent != "" || n.Rings {
						t.Errorf("the digest is %q with %d lines, under %q", n.Text, len(n.Event.Lines), n.Parent)
					}
				case n.Kind == incident.Message && n.Incident.State == incident.Open:
					open++
				case n.Kind == incident.Post:
					posts++
				}
			}
			if digests != 1 || open != 3 || posts > 5 {
				t.Errorf("%d digests, %d messages of what is open, %d posts", digests, open, posts)
			}
			keys := keysOf(w.ops.taken)
			for i := range 30 {
				id := fmt.Sprintf("i%02d", i)
				told := count(keys, id+"/ops")
				if told > 1 {
					t.Errorf("%s was told %d times", id, told)
				}
				if digested := strings.Contains(w.rows(id), "digest"); digested == (told == 1) {
					t.Errorf("%s: told %d times, rows %s", id, told, w.rows(id))
				}
				if strings.Contains(w.rows(id), "pending") {
					t.Errorf("%s waits still: %s", id, w.rows(id))
				}
			}
		})
	}
}

// TestManyPostsAreOne: 80 components that fail together are one post in the thread.
func TestManyPostsAreOne(t *testing.T) {
	w := newWorld(t, onFile)
	w.incident("a", incident.Open, 1)
	w.add(message("a", "ops", 1))
	for i := range 80 {
		w.post("a", "ops", fmt.Sprint("component ", i, " is down"))
	}
	w.ring("a", "ops", "raised to critical")
	for i := range 3 {
		w.post("a", "ops", fmt.Sprint("later ", i))
	}
	lost := false
	w.ops.before = func(n notifiers.Notice) error { // the first attempt of the post fails, and the process dies
		if n.Kind == incident.Post && !lost {
			lost = true
			return errUnclear
		}
		return nil
	}
	w.run(3)
	w.restart()
	w.run(60)
	w.equal("posts", strings.Join(keysOf(w.ops.taken), " "), "a/ops component 0 is down later 0 later 1 later 2 raised to critical")
	for _, n := range w.ops.taken {
		if n.Key == "component 0 is down" && (len(n.Event.Lines) != 80 || n.Event.Lines[79].Text != "component 79 is down" ||
			n.Text != "80 things happened at once, the last: component 79 is down") {
			t.Errorf("the post of many is %q with %d lines", n.Text, len(n.Event.Lines))
		}
	}
	// What rings does not wait for the second attempt of what does not.
	w.equal("first", w.ops.taken[1].Key, "raised to critical")
}
