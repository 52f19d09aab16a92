// Package chat is how people act from a chat: they press a message's buttons, type a command, write in a message's thread. It knows who they
// are by the configuration's people, asks for the same roles as pages and API do, acts through the same actions, and answers so that only
// they see it. What is delivered again does nothing a second time; whoever may not act is told so, and that is on record.
package chat

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/actions"
	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/words"
	"tocsin/notifiers"
)

// Actions is what people do; see actions.Calls.
type Actions interface {
	Acknowledge(ctx context.Context, id, by string, now time.Time) error
	Resolve(ctx context.Context, id, by string, now time.Time) error
	Escalate(ctx context.Context, id, by string, now time.Time) error
	NoteFrom(ctx context.Context, id, by, text, receiver string, now time.Time) error
	Hush(ctx context.Context, id, by, reason string, until, now time.Time) ([]incident.Silence, error)
	NotUseful(ctx context.Context, id, by string, proof func(*incident.Alert) string, until, now time.Time) (incident.Silence, error)
	AddSilence(ctx context.Context, s incident.Silence, now time.Time) (incident.Silence, []actions.Affected, error)
	Declare(ctx context.Context, d incident.Declaration, now time.Time) (id string, err error)
	Call(ctx context.Context, who string, d incident.Declaration, now time.Time) (id string, called []string, err error)
}

// Options are what a Chat works with; all are needed. Those that are functions are asked each time for what is in force.
type Options struct {
	Store   *store.Store
	Actions Actions
	Oncall  func(ctx context.Context, now time.Time) ([]actions.Duty, error)
	Gate    func() *access.Gate
	People  func() map[string]notifiers.Person
	// Ears are the receivers at which people answer, one for each account.
	Ears func() []notifiers.Hearing
	// URL is the address of an incident's page; "" for that of all.
	URL func(id string) string
	// Morning is until when what was not useful is silenced; Proof makes a case of it, by which its rule can be mended.
	Morning func(now time.Time) time.Time
	Proof   func(a *incident.Alert, by string, now time.Time) string
	Now     func() time.Time
	Log     *slog.Logger
}

// Chat hears what people do in chats.
type Chat struct{ Options }

// New makes a Chat.
func New(o Options) *Chat { return &Chat{o} }

const (
	// maxBody bounds a request: Slack sends the whole message that a button is of.
	maxBody = 256 << 10
	// within is how long a provider waits for an answer, with room for the way; atMost how long a deed may take.
	within = 2500 * time.Millisecond
	atMost = 10 * time.Second
	// answerWithin bounds how long an answer may be on its way.
	answerWithin = 10 * time.Second
)

// ServeHTTP takes a request that says that it is a chat's. One that is not signed, or is too old, is refused and changes nothing.
func (c *Chat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		text, status := unread(err)
		http.Error(w, text, status)
		return
	}
	ear, heard, answer, err := c.read(r, body)
	switch {
	case errors.Is(err, notifiers.ErrForged), errors.Is(err, notifiers.ErrStale):
		c.Log.Warn("a request that says that it is from Slack is refused", "path", words.Clean(r.URL.Path, 100), "error", err)
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	case errors.Is(err, notifiers.ErrUnread):
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	case err != nil:
		c.Log.Error("read a request from Slack", "error", err)
		http.Error(w, "tocsin failed at this itself; its log says why", http.StatusInternalServerError)
		return
	}
	if heard.Kind != "" {
		text, err := c.Hear(r.Context(), ear, heard)
		if err != nil {
			http.Error(w, "not now: try again", http.StatusServiceUnavailable)
			return
		}
		if text != "" {
			answer = ear.Body(text)
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
		}
	}
	if len(answer) > 0 && w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	_, _ = w.Write(answer) // plain text or JSON, to who has signed the request; who may be gone
}

// unread is the answer to a request whose body cannot be read.
func unread(err error) (text string, status int) {
	var network net.Error
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return "the body is too long", http.StatusRequestEntityTooLarge
	case errors.As(err, &network) && network.Timeout():
		return "the body did not come in time", http.StatusRequestTimeout
	}
	return "the body did not come whole", http.StatusBadRequest
}

// read asks each ear whether it knows the request.
func (c *Chat) read(r *http.Request, body []byte) (notifiers.Hearing, notifiers.Heard, []byte, error) {
	unknown := notifiers.ErrForged
	for _, ear := range c.Ears() {
		heard, answer, err := ear.Read(r.URL.Path, r.Header, body)
		switch {
		case err == nil, errors.Is(err, notifiers.ErrStale), errors.Is(err, notifiers.ErrUnread):
			return ear, heard, answer, err
		case !errors.Is(err, notifiers.ErrForged):
			unknown = err // its secret cannot be read: another may know the request
		}
	}
	return nil, notifiers.Heard{}, nil, unknown
}

// Hear does what somebody asks for, and returns within the time for which a provider waits. What it returns of a command is the answer; to all
// else, and to what takes longer, the answer goes by itself. An error is that it was not done, and is to be delivered again.
func (c *Chat) Hear(ctx context.Context, ear notifiers.Hearing, h notifiers.Heard) (string, error) {
	ctx = context.WithoutCancel(ctx) // whoever delivered it may be gone; what a person did is done all the same
	var settled atomic.Bool          // by whoever is first: what was done, or the end of the time
	done := make(chan outcome, 1)
	go func() {
		deed, cancel := context.WithTimeout(ctx, atMost)
		defer cancel()
		o := c.outcome(deed, h)
		late := !settled.CompareAndSwap(false, true)
		done <- o
		if o.text != "" && (late || h.Kind != notifiers.Typed) && !o.again {
			c.answer(ctx, ear, h, o.text)
		}
	}()
	timer := time.NewTimer(within)
	defer timer.Stop()
	var o outcome
	select {
	case o = <-done:
	case <-timer.C:
		if settled.CompareAndSwap(false, true) {
			if h.Kind == notifiers.Wrote {
				return "", errNotNow
			}
			return "", nil
		}
		o = <-done
	}
	switch {
	case o.again:
		return "", errNotNow
	case h.Kind == notifiers.Typed:
		return o.text, nil
	}
	return "", nil
}

// errNotNow is that something was not done, and is to be delivered again.
var errNotNow = errors.New("it could not be done now")

// outcome is what came of something: the answer, and whether it is to be delivered again.
type outcome struct {
	text  string
	again bool
}

// outcome does it. What a person wrote is delivered again where it could not be kept; whoever pressed or typed is told to.
func (c *Chat) outcome(ctx context.Context, h notifiers.Heard) outcome {
	text, err := c.take(ctx, h)
	if err == nil {
		return outcome{text: text}
	}
	c.Log.Error("do what somebody asked for in Slack", "kind", string(h.Kind), "error", err)
	return outcome{text: "tocsin could not do this now; its log says why. Please try again.", again: h.Kind == notifiers.Wrote}
}

// answer tells whoever did something what came of it.
func (c *Chat) answer(ctx context.Context, ear notifiers.Hearing, h notifiers.Heard, text string) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if err := ear.Answer(ctx, h, text); err != nil {
		c.Log.Warn("an answer does not reach whoever asked", "error", err)
	}
}

// take does what somebody asks for and returns the answer, as mrkdwn; "" for none. An error is tocsin's own.
func (c *Chat) take(ctx context.Context, h notifiers.Heard) (string, error) {
	now := c.Now()
	who, known := c.identify(h.By)
	ctx = access.With(ctx, who)
	t := turn{Chat: c, h: h, who: who, known: known, now: now}
	text, err := t.do(store.Once(ctx, h.ID, now))
	if errors.Is(err, store.ErrHeard) {
		return "", nil // it was answered then
	}
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		switch coded.Code() {
		case access.Unauthenticated, access.Forbidden:
			return t.refused(ctx, err)
		case "not_found", "conflict", "invalid":
			// It is kept that it was heard: delivered again it would be done if it could be by then.
			if heard := c.Store.Update(store.Once(ctx, h.ID, now), nothing); heard != nil && !errors.Is(heard, store.ErrHeard) {
				return "", heard
			}
			return words.SlackLine(err.Error(), 1000), nil
		}
	}
	if errors.Is(err, store.ErrAmbiguous) {
		return words.SlackLine(err.Error(), 1000), nil
	}
	return text, err
}

// nothing is all that is done where it is only to be kept that something was heard.
func nothing(*store.Tx) error { return nil }

// identify is who a provider's user is here, and whether they are one of the configuration's people.
func (c *Chat) identify(user string) (who access.Identity, known bool) {
	for _, p := range c.People() {
		if p.Slack == user && user != "" {
			names := []string{p.Name}
			if p.Email != "" {
				names = append(names, p.Email)
			}
			return c.Gate().Mapped("slack", names...), true
		}
	}
	return access.Identity{Name: "Slack user " + words.Clean(user, 40), Way: "slack"}, false
}

// turn is one thing that somebody has done.
type turn struct {
	*Chat
	h     notifiers.Heard
	who   access.Identity
	known bool
	now   time.Time
}

// do does it, once the role is asked for.
func (t *turn) do(ctx context.Context) (string, error) {
	switch t.h.Kind {
	case notifiers.Pressed:
		return t.press(ctx)
	case notifiers.Typed:
		return t.command(ctx)
	case notifiers.Wrote:
		return t.note(ctx)
	}
	return "", nil
}

// may asks for a role.
func (t *turn) may(need access.Role) error {
	if !t.known {
		return &access.Error{Reason: access.Forbidden, Text: "you are not among the people of this tocsin's configuration"}
	}
	return t.who.May(need)
}

// refused tells somebody that they may not, and keeps it on record; of what they write in one thread once.
func (t *turn) refused(ctx context.Context, why error) (string, error) {
	id, tried, about := t.h.ID, string(t.h.Kind)+" "+t.h.Button, "incident "+t.h.Incident
	switch t.h.Kind {
	case notifiers.Typed:
		tried, about = "/tocsin "+words.Clean(t.h.Text, 200), "slack"
	case notifiers.Wrote:
		id, tried, about = "refused "+t.h.By+" "+t.h.Message, "wrote in the thread of a message", "message "+t.h.Message
	}
	err := t.Store.Update(store.Once(ctx, id, t.now), func(tx *store.Tx) error {
		return access.Record(ctx, tx, t.now, access.Deed{Who: t.who.Name, Deed: "refused", About: words.Clean(about, 200), Detail: words.Clean(tried, 300)})
	})
	if errors.Is(err, store.ErrHeard) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text := "Sorry, that is not for you to do here: " + words.SlackLine(why.Error(), 300) + "."
	if !t.known {
		text = "Sorry, tocsin does not know you, so nothing was done. Whoever runs it lets you in by naming your member ID, " +
			words.SlackLine(t.h.By, 40) + ", under people in its configuration."
	} else if t.h.Kind == notifiers.Wrote {
		text = "What you write here does not go into the incident's timeline: " + words.SlackLine(why.Error(), 300) + "."
	}
	return text, nil
}
