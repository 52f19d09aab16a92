package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/notifiers"
)

// ear is a chat of which it is told what becomes of each connection that is asked for.
type ear struct {
	notifiers.Hearing

	mu    sync.Mutex
	ends  func(ctx context.Context, connected func()) error
	asked []time.Time
}

func (e *ear) Ear() string { return "it" }

func (e *ear) Listen(ctx context.Context, connected func(), _ func(context.Context, notifiers.Heard) (string, error)) error {
	e.mu.Lock()
	e.asked = append(e.asked, time.Now())
	ends := e.ends
	e.mu.Unlock()
	return ends(ctx, connected)
}

// becomes says what becomes of the connections from now on.
func (e *ear) becomes(ends func(context.Context, func()) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ends = ends
}

// times are when connections were asked for.
func (e *ear) times() []time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
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

// listening listens to a chat, without a service around it. stands is what is to be told of it after a time more: "" for nothing, "over" that all
// is well.
func listening(t *testing.T, ends func(context.Context, func()) error, test func(e *ear, stands func(after time.Duration) string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		e := &ear{ends: ends}
		a := &App{o: Options{Log: slog.New(slog.DiscardHandler)}}
		a.lines = linesOf([]string{"ops"}, nil)
		ended := make(chan struct{})
		go func() {
			a.listenTo(ctx, "ops", e, a.lines["ops"])
			close(ended)
		}()
		test(e, func(after time.Duration) string {
			time.Sleep(after)
			synctest.Wait()
			all := a.lookAtLines(time.Now())
			if len(all) == 1 && all[0].Kind == "chat_deaf" && all[0].Labels["receiver"] == "ops" {
				if all[0].Over {
					return "over"
				}
				return all[0].Text
			}
			if len(all) > 0 {
				t.Errorf("%+v is told", all)
			}
			return ""
		})
		stop()
		<-ended
	})
}

// A chat that ends each connection at once, or gives none, is asked after pauses that grow, and is a trouble after two minutes; it is over when a
// connection has held.
func TestAChatThatIsDeafIsATrouble(t *testing.T) {
	for name, ends := range map[string]func(context.Context, func()) error{"closes": closes, "refuses": refuses} {
		listening(t, ends, func(e *ear, stands func(time.Duration) string) {
			for _, after := range []time.Duration{0, time.Second, 118 * time.Second} {
				if got := stands(after); got != "" {
					t.Errorf("%s: told is %q", name, got)
				}
			}
			for _, after := range []time.Duration{time.Second, 13 * time.Minute} {
				if got := stands(after); got != "since 00:00:00 UTC no connection has held: closed" {
					t.Errorf("%s: told is %q", name, got)
				}
			}
			if n := len(e.times()); n < 20 || n > 80 { // the pause is half a second at first, 15 to 45 s at the end
				t.Errorf("%s: it was asked for %d connections in 15 minutes", name, n)
			}
			e.becomes(holds)
			if got := stands(46 * time.Second); got != "over" && !strings.HasPrefix(got, "since 00:00:00 UTC") {
				t.Errorf("%s: told is %q", name, got)
			}
			if got := stands(holdsAfter); got != "over" {
				t.Errorf("%s: a connection holds, and told is %q", name, got)
			}
		})
	}
}

// A connection that has held is followed by the next at once, and is no trouble however often that comes.
func TestAConnectionThatHeldIsFollowedAtOnce(t *testing.T) {
	listening(t, holdsFor(31*time.Second), func(e *ear, stands func(time.Duration) string) {
		for range 150 {
			if got := stands(time.Second); got != "" && got != "over" {
				t.Fatalf("told is %q", got)
			}
		}
		if n := len(e.times()); n != 5 {
			t.Errorf("there were %d connections of 31 s in 150 s, want 5", n)
		}
	})
}

// What the provider says of when it may be asked again is kept to.
func TestAConnectionIsNotAskedForTooSoon(t *testing.T) {
	tooSoon := func(context.Context, func()) error { return notifiers.Later{Err: errClosed, After: 5 * time.Minute} }
	listening(t, tooSoon, func(e *ear, stands func(time.Duration) string) {
		stands(301 * time.Second)
		if at := e.times(); len(at) != 2 || at[1].Sub(at[0]) != 5*time.Minute {
			t.Errorf("it was asked at %v, want two times with 5 minutes between", at)
		}
	})
}

// What is not listened to is none, however long.
func TestAChatThatIsNotListenedTo(t *testing.T) {
	none := func(context.Context, func()) error { return nil }
	listening(t, none, func(e *ear, stands func(time.Duration) string) {
		if got := stands(time.Hour); got != "over" || len(e.times()) != 1 {
			t.Errorf("told is %q, after %d times", got, len(e.times()))
		}
	})
}

const vigilListens = `project: p
sources: {logs: {file: {paths: [some.log]}}}
rules: [rules.yaml]
receivers: {ops: {console: {}}}
fallback: ops
route: {receiver: ops}
`

// Of a deaf chat the people hear as one incident, and of its end.
func TestADeafChatIsAnIncident(t *testing.T) {
	keepVigil(t, vigilListens, func(v *vigil) {
		v.stop()
		if err := os.WriteFile(filepath.Join(filepath.Dir(v.config), "some.log"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		e := &ear{ends: closes}
		v.ears = map[string]notifiers.Hearing{"ops": e}
		v.serve()
		v.pass(115 * time.Second)
		if told := v.heard(); told != "" {
			t.Errorf("told is\n%s", told)
		}
		v.pass(15 * time.Second)
		e.becomes(holds)
		v.pass(150 * time.Second)
		if told := v.heard(); strings.Count(told, "ops told:") != 2 || !strings.Contains(told, "Resolved") || !strings.Contains(told, "tocsin does not hear what people do at ops") {
			t.Errorf("told is\n%s", told)
		}
	})
}
