package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"tocsin/internal/store"
	"tocsin/notifiers"
)

const (
	// longestDeaf is the longest pause, but for what the provider asks for, before it is tried again to hear.
	longestDeaf = 30 * time.Second
	// holdsAfter is from when on a connection counts: a provider may end one that it has just given.
	holdsAfter = 30 * time.Second
	// deafAfter is how long what people do may not come in before that is a trouble.
	deafAfter = 2 * time.Minute
)

// chatDeaf is the trouble of a chat from which nothing comes in of what people do.
const chatDeaf = "chat_deaf"

// line is how it stands with the connection over which what people do at a receiver comes in.
type line struct {
	mu sync.Mutex
	// deaf is since when no connection has held, up since when there is one; zero while there is none. why is how the last one ended.
	deaf, up time.Time
	why      string
	// none says that there is nothing to listen to: what people do comes in by requests.
	none bool
}

// linesOf are the lines of receivers by name. Those that there were go on: a reload ends no trouble.
func linesOf(names []string, before map[string]*line) map[string]*line {
	out := map[string]*line{}
	for _, name := range names {
		l := &line{deaf: time.Now()}
		if was := before[name]; was != nil {
			was.mu.Lock()
			if !was.none && !was.holds(time.Now()) {
				l.deaf, l.why = was.deaf, was.why
			}
			was.mu.Unlock()
		}
		out[name] = l
	}
	return out
}

// holds says whether there is a connection that has held for long enough. mu is held.
func (l *line) holds(now time.Time) bool { return !l.up.IsZero() && now.Sub(l.up) >= holdsAfter }

// connected notes that there is a connection.
func (l *line) connected(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = now
}

// ended notes that there is none any more, or that none could be had; nil for that none is wanted. It says whether it had held.
func (l *line) ended(now time.Time, err error) (held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if held = l.holds(now); held {
		l.deaf = now
	}
	l.up = time.Time{}
	if l.none = err == nil; !l.none {
		l.why = err.Error()
	}
	return held
}

// trouble is what is to be told of it; false if nothing has changed.
func (l *line) trouble(receiver string, now time.Time) (store.Trouble, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := store.Trouble{Kind: chatDeaf, At: now, Labels: map[string]string{"receiver": receiver}}
	switch {
	case l.none:
		t.Over, t.Text = true, "it is not listened to any more"
	case l.holds(now):
		t.Over, t.Text = true, "what people do there comes in again"
	case now.Sub(l.deaf) < deafAfter:
		return t, false
	default:
		t.Text = fmt.Sprintf("since %s UTC no connection has held", l.deaf.UTC().Format("15:04:05"))
		if l.why != "" {
			t.Text += ": " + l.why
		}
	}
	return t, true
}

// listenTo hears what people do at a provider that is listened to, until ctx ends. Others go on calling meanwhile. A connection that has held is
// followed by the next at once; else there is a pause, longer each time, or what the provider asks for.
func (a *App) listenTo(ctx context.Context, receiver string, ear notifiers.Hearing, l *line) {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = longestDeaf
	connected := func() {
		l.connected(time.Now())
		a.o.Log.Info("what people do in Slack comes in over Socket Mode", "receiver", receiver)
	}
	heard := func(ctx context.Context, h notifiers.Heard) (string, error) { return a.chat.Hear(ctx, ear, h) }
	for ctx.Err() == nil {
		err := ear.Listen(ctx, connected, heard)
		if ctx.Err() != nil {
			return
		}
		held := l.ended(time.Now(), err)
		if err == nil {
			return // there is nothing to listen to
		}
		if held {
			pause.Reset()
			continue
		}
		wait := pause.NextBackOff()
		if later := (notifiers.Later{}); errors.As(err, &later) {
			wait = max(wait, later.After)
		}
		a.o.Log.Error("what people do in Slack does not come in: trying again", "error", err, "after", wait.Round(time.Millisecond))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// lookAtLines says from which chats nothing comes in, and from which it does again.
func (a *App) lookAtLines(now time.Time) []store.Trouble {
	a.mu.Lock()
	lines := a.lines
	a.mu.Unlock()
	var out []store.Trouble
	for _, receiver := range slices.Sorted(maps.Keys(lines)) {
		if t, changed := lines[receiver].trouble(receiver, now); changed {
			out = append(out, t)
		}
	}
	return out
}

// goneLines ends the troubles of chats that the configuration has no more.
func (a *App) goneLines(standing []store.Trouble, now time.Time) []store.Trouble {
	a.mu.Lock()
	lines := a.lines
	a.mu.Unlock()
	var out []store.Trouble
	for _, t := range standing {
		if t.Kind == chatDeaf && lines[t.Labels["receiver"]] == nil {
			out = append(out, store.Trouble{Kind: t.Kind, Labels: t.Labels, At: now, Over: true, Text: "it is no longer in the configuration"})
		}
	}
	return out
}
