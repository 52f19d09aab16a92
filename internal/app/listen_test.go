package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/notifiers"
)

const vigilListens = `project: p
sources: {logs: {file: {paths: [some.log]}}}
rules: [rules.yaml]
receivers: {ops: {console: {}}}
fallback: ops
route: {receiver: ops}
`

// ear is a chat of which it is told what becomes of each connection that is asked for.
type ear struct {
	notifiers.Hearing
	ends  func(ctx context.Context, connected func()) error
	asked []time.Time
}

func (e *ear) Ear() string { return "it" }

func (e *ear) Listen(ctx context.Context, connected func(), _ func(context.Context, notifiers.Heard) (string, error)) error {
	e.asked = append(e.asked, time.Now())
	return e.ends(ctx, connected)
}

var errClosed = errors.New("closed")

// closes gives a connection that ends at once, refuses none, holds one until ctx ends, holdsFor one that ends after a time.
func closes(_ context.Context, connected func()) error { connected(); return errClosed }
func refuses(context.Context, func()) error            { return errClosed }
func holds(ctx context.Context, connected func()) error {
	connected()
	<-ctx.Done()
	return nil
}

func holdsFor(d time.Duration) func(context.Context, func()) error {
	return func(ctx context.Context, connected func()) error {
		connected()
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
		return errClosed
	}
}

// listening is a service that listens to a chat, after a time.
func listening(t *testing.T, ends func(context.Context, func()) error, test func(v *vigil, e *ear)) {
	t.Helper()
	keepVigil(t, vigilListens, func(v *vigil) {
		v.stop()
		if err := os.WriteFile(filepath.Join(filepath.Dir(v.config), "some.log"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		e := &ear{ends: ends}
		v.ears = map[string]notifiers.Hearing{"ops": e}
		v.serve()
		test(v, e)
	})
}

// deaf is what stands of a chat.
func (v *vigil) deaf() string {
	v.t.Helper()
	var out []string
	for _, t := range v.standing() {
		if strings.HasPrefix(t, "chat_deaf") {
			out = append(out, t)
		}
	}
	return strings.Join(out, "; ")
}

// A chat that ends each connection at once, or gives none, is asked after pauses that grow, and is a trouble of tocsin's own after two minutes, once;
// it is over when a connection holds.
func TestAChatThatIsDeafIsATrouble(t *testing.T) {
	for name, ends := range map[string]func(context.Context, func()) error{"closes": closes, "refuses": refuses} {
		listening(t, ends, func(v *vigil, e *ear) {
			v.pass(110 * time.Second)
			if got := v.deaf(); got != "" {
				t.Errorf("%s: after 110 s %q stands", name, got)
			}
			v.pass(time.Minute)
			if got := v.deaf(); !strings.Contains(got, "map[receiver:ops]: since 00:00:00 UTC no connection has held: closed") {
				t.Errorf("%s: after 170 s %q stands", name, got)
			}
			if n := len(e.asked); n < 5 || n > 25 { // the pause is half a second at first, 15 to 45 s at the end
				t.Errorf("%s: it was asked for %d connections in 170 s", name, n)
			}
			if name == "refuses" {
				return // what comes of it is the same
			}
			e.ends = holds
			v.pass(80 * time.Second)
			if got := v.deaf(); got != "" {
				t.Errorf("%s: %q stands though a connection holds", name, got)
			}
			v.pass(2 * time.Minute)
			if told := v.heard(); strings.Count(told, "ops told:") != 2 || !strings.Contains(told, "Resolved") || !strings.Contains(told, "tocsin does not hear what people do at ops") {
				t.Errorf("%s: told is\n%s", name, told)
			}
		})
	}
}

// A connection that has held is followed by the next at once, and is no trouble however often that comes.
func TestAConnectionThatHeldIsFollowedAtOnce(t *testing.T) {
	listening(t, holdsFor(31*time.Second), func(v *vigil, e *ear) {
		v.pass(150 * time.Second)
		if n := len(e.asked); n != 5 {
			t.Errorf("there were %d connections of 31 s in 150 s, want 5", n)
		}
		if got := v.deaf(); got != "" {
			t.Errorf("%q stands", got)
		}
	})
}

// What the provider says of when it may be asked again is kept to.
func TestAConnectionIsNotAskedForTooSoon(t *testing.T) {
	tooSoon := func(context.Context, func()) error { return notifiers.Later{Err: errClosed, After: time.Minute} }
	listening(t, tooSoon, func(v *vigil, e *ear) {
		v.pass(61 * time.Second)
		if n := len(e.asked); n != 2 || e.asked[1].Sub(e.asked[0]) != time.Minute {
			t.Errorf("it was asked at %v, want two times with a minute between", e.asked)
		}
	})
}
