package notifiers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// Bounds of what comes over Socket Mode: bytes of a message, and how many are worked on at once.
const (
	maxSlackEnvelope = 1 << 20
	mostHeard        = 16
)

// errSocketEnded is that Slack has ended a connection, as it does now and then.
var errSocketEnded = errors.New("the connection ended")

// oneSocket is a client by which one connection can be asked for: when one ends the library asks for the next at once, however soon that is.
type oneSocket struct {
	*http.Client
	asked atomic.Bool
}

// Do sends the first request.
func (o *oneSocket) Do(r *http.Request) (*http.Response, error) {
	if o.asked.Swap(true) {
		return nil, errSocketEnded
	}
	return o.Client.Do(r) //nolint:gosec // the address is that of the settings
}

// Listen hears over a connection of Socket Mode, if there is an app-level token, until it ends. The error is that it has, or that none can be had:
// a Later, if Slack says after what time it may be asked for again.
func (s *slackNotifier) Listen(ctx context.Context, connected func(), heard func(ctx context.Context, h Heard) (string, error)) error {
	if s.settings.AppTokenFile == "" {
		return nil
	}
	token, err := setting.ReadSecret(s.settings.AppTokenFile)
	if err != nil {
		return fmt.Errorf("open app-level token of receiver %s: %w", s.receiver, err)
	}
	api := slack.New("", slack.OptionAppLevelToken(token.Reveal()), slack.OptionHTTPClient(&oneSocket{Client: s.http}), slack.OptionAPIURL(s.api))
	client := socketmode.New(api, socketmode.OptionReadLimit(maxSlackEnvelope), socketmode.OptionLog(log.New(io.Discard, "", 0)))
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- client.RunContext(running) }()
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	slots := make(chan struct{}, mostHeard)
	for {
		select {
		case err := <-ended:
			if ctx.Err() != nil {
				return nil
			}
			return socketError(s.receiver, err)
		case e := <-client.Events:
			switch e.Type {
			case socketmode.EventTypeConnected:
				connected()
			case socketmode.EventTypeConnectionError:
				stop()
				err := <-ended
				if ctx.Err() != nil {
					return nil
				}
				if why, ok := e.Data.(*slack.ConnectionErrorEvent); ok && why.ErrorObj != nil {
					err = why.ErrorObj // says more than that it was stopped
				}
				return socketError(s.receiver, err)
			case socketmode.EventTypeInteractive, socketmode.EventTypeSlashCommand, socketmode.EventTypeEventsAPI:
				slots <- struct{}{}
				work.Go(func() {
					defer func() { <-slots }()
					s.envelope(running, client, e.Request, heard)
				})
			}
		}
	}
}

// socketError says why there is no connection; the address that was asked for holds a ticket, and is not told.
func socketError(receiver string, err error) error {
	if err == nil {
		err = errSocketEnded
	}
	text := words.Clean(err.Error(), 200)
	if mend := slackMends[text]; mend != "" {
		text += ": is what app_token_file holds an app-level token (xapp-...) with the scope connections:write?"
	}
	said := fmt.Errorf("receiver %s, Socket Mode: %s", receiver, text)
	if limited := (*slack.RateLimitedError)(nil); errors.As(err, &limited) {
		return Later{said, min(max(limited.RetryAfter, time.Second), time.Hour)}
	}
	return said
}

// envelope takes what came, and tells Slack that it did. What is not acknowledged is delivered again.
func (s *slackNotifier) envelope(ctx context.Context, client *socketmode.Client, r *socketmode.Request, heard func(ctx context.Context, h Heard) (string, error)) {
	if r == nil {
		return
	}
	h, err := slackEnvelope(r)
	var payload any
	if err == nil && h.Kind != "" {
		text, again := heard(ctx, h)
		if again != nil {
			return
		}
		if text != "" && r.AcceptsResponsePayload {
			payload = slackAnswer(text)
		}
	}
	_ = client.AckCtx(ctx, r.EnvelopeID, payload) // if it does not arrive it is delivered again, and was heard
}

// slackEnvelope is what an envelope holds: the same as a request over HTTP.
func slackEnvelope(r *socketmode.Request) (Heard, error) {
	switch r.Type {
	case socketmode.RequestTypeInteractive:
		return slackPressed(r.Payload)
	case socketmode.RequestTypeSlashCommands:
		var fields map[string]any
		if err := json.Unmarshal(r.Payload, &fields); err != nil {
			return Heard{}, ErrUnread
		}
		return slackTyped(func(name string) string {
			text, _ := fields[name].(string)
			return text
		}, r.Payload), nil
	case socketmode.RequestTypeEventsAPI:
		h, _, err := slackEvent(r.Payload)
		return h, err
	}
	return Heard{}, errors.New("no kind of envelope that is known")
}
