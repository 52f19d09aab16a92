package notifiers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// Ear is the Slack app, by the files of its secrets.
func (s *slackNotifier) Ear() string {
	if s.settings.SigningSecretFile == "" && s.settings.AppTokenFile == "" {
		return ""
	}
	return "slack " + s.settings.SigningSecretFile + " " + s.settings.AppTokenFile
}

// Read takes a request of Slack's to /slack/interactions, /slack/commands or /slack/events. It must carry the signature that the signing
// secret makes of it, and be at most five minutes old.
func (s *slackNotifier) Read(at string, header http.Header, body []byte) (Heard, []byte, error) {
	if s.settings.SigningSecretFile == "" {
		return Heard{}, nil, ErrForged
	}
	secret, err := setting.ReadSecret(s.settings.SigningSecretFile)
	if err != nil {
		return Heard{}, nil, fmt.Errorf("open signing secret of receiver %s: %w", s.receiver, err)
	}
	verifier, err := slack.NewSecretsVerifier(header, secret.Reveal())
	if errors.Is(err, slack.ErrExpiredTimestamp) {
		return Heard{}, nil, ErrStale
	}
	if err == nil {
		if _, err = verifier.Write(body); err == nil {
			err = verifier.Ensure()
		}
	}
	if err != nil {
		return Heard{}, nil, ErrForged // what is wrong with it is nobody's business
	}
	form, err := url.ParseQuery(string(body))
	switch path.Base(at) {
	case "interactions":
		if err != nil {
			return Heard{}, nil, ErrUnread
		}
		h, err := slackPressed([]byte(form.Get("payload")))
		return h, nil, err
	case "commands":
		if err != nil {
			return Heard{}, nil, ErrUnread
		}
		return slackTyped(form.Get, body), nil, nil
	}
	return slackEvent(body)
}

// slackPressed reads the payload of an interaction.
func slackPressed(payload []byte) (Heard, error) {
	var c slack.InteractionCallback
	if err := json.Unmarshal(payload, &c); err != nil {
		return Heard{}, ErrUnread
	}
	if c.Type != slack.InteractionTypeBlockActions || len(c.ActionCallback.BlockActions) == 0 || c.User.ID == "" {
		return Heard{}, nil
	}
	a := c.ActionCallback.BlockActions[0]
	name, ours := strings.CutPrefix(a.ActionID, actionPrefix)
	if !ours {
		return Heard{}, nil
	}
	return Heard{ID: slackDelivery("trigger", c.TriggerID, payload), Kind: Pressed, By: c.User.ID, Button: name, Incident: a.Value,
		channel: c.Channel.ID, thread: c.Message.ThreadTimestamp, reply: c.ResponseURL}, nil
}

// slackTyped reads a slash command, by its fields.
func slackTyped(field func(string) string, body []byte) Heard {
	if field("user_id") == "" {
		return Heard{}
	}
	return Heard{ID: slackDelivery("trigger", field("trigger_id"), body), Kind: Typed, By: field("user_id"), Text: slackPlain(field("text")),
		channel: field("channel_id"), reply: field("response_url")}
}

// slackMessage is a message as an event tells it.
type slackMessage struct {
	Type     string `json:"type"`
	Subtype  string `json:"subtype"`
	Channel  string `json:"channel"`
	User     string `json:"user"`
	BotID    string `json:"bot_id"`
	Text     string `json:"text"`
	TS       string `json:"ts"`
	ThreadTS string `json:"thread_ts"`
	// Message is what an edit made of Previous.
	Message  *slackMessage `json:"message"`
	Previous *slackMessage `json:"previous_message"`
}

// slackEvent reads an event: what a person has written in a thread, or edited there. Slack's first request, by which it learns that we
// are there, is answered with what it asks for.
func slackEvent(body []byte) (Heard, []byte, error) {
	var outer struct {
		Type      string       `json:"type"`
		Challenge string       `json:"challenge"`
		ID        string       `json:"event_id"`
		Event     slackMessage `json:"event"`
	}
	if err := json.Unmarshal(body, &outer); err != nil {
		return Heard{}, nil, ErrUnread
	}
	if outer.Type == "url_verification" {
		return Heard{}, []byte(outer.Challenge), nil
	}
	m, edited := outer.Event, false
	if m.Subtype == "message_changed" && m.Message != nil && m.Previous != nil {
		if m.Message.Text == m.Previous.Text {
			return Heard{}, nil, nil // a link was unfurled, or the thread has grown
		}
		channel := m.Channel
		m, edited = *m.Message, true
		m.Channel = channel
	}
	written := m.Subtype == "" || m.Subtype == "thread_broadcast" || m.Subtype == "file_share"
	text := slackPlain(m.Text)
	if outer.Type != "event_callback" || m.Type != "message" || !written || m.User == "" || m.BotID != "" || m.ThreadTS == "" || m.ThreadTS == m.TS || text == "" {
		return Heard{}, nil, nil
	}
	return Heard{ID: slackDelivery("event", outer.ID, body), Kind: Wrote, By: m.User, Text: text, Edited: edited,
		Message: m.Channel + "/" + m.ThreadTS, channel: m.Channel, thread: m.ThreadTS}, nil, nil
}

// slackDelivery names what is delivered by the id that Slack gives it, else by its content.
func slackDelivery(kind, id string, body []byte) string {
	if id == "" || len(id) > 200 {
		sum := sha256.Sum256(body)
		kind, id = "body", hex.EncodeToString(sum[:])
	}
	return "slack " + kind + " " + id
}

// slackMarked is a mention, a channel or a link in what somebody wrote: <@U1|ana>, <#C1|ops>, <!here>, <https://x|text>.
var slackMarked = regexp.MustCompile(`<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>`)

// slackPlain is what somebody wrote without Slack's markup, as they see it, with straight quotation marks.
func slackPlain(text string) string {
	text = slackMarked.ReplaceAllStringFunc(text, func(marked string) string {
		part := slackMarked.FindStringSubmatch(marked)
		switch {
		case part[1] == "" && part[3] != "" && part[3] != part[2] && !strings.HasSuffix(part[2], part[3]):
			return part[3] + " (" + part[2] + ")"
		case part[1] == "":
			return part[2]
		case part[3] != "" && part[1] != "@": // people go by their ids
			return strings.Trim(part[1], "!") + part[3]
		}
		return strings.Trim(part[1], "!") + part[2]
	})
	return strings.TrimSpace(strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‘", "'", "’", "'").Replace(html.UnescapeString(text)))
}

// slackAnswer is an answer that only one person sees, as Slack takes it.
func slackAnswer(text string) map[string]any {
	text = words.CutSlack(text, slackMaxBody)
	return map[string]any{"response_type": "ephemeral", "replace_original": false, "text": text,
		"blocks": []slack.Block{slackSection(text)}}
}

// Body is the answer to a command's request.
func (s *slackNotifier) Body(text string) []byte {
	body, err := json.Marshal(slackAnswer(text))
	if err != nil { // a text and blocks of text always marshal
		return nil
	}
	return body
}

// Answer tells somebody alone: at the address that Slack gave for that, else in the channel, or the thread, where they were.
func (s *slackNotifier) Answer(ctx context.Context, h Heard, text string) error {
	if h.reply != "" && s.isSlack(h.reply) {
		return s.reply(ctx, h.reply, s.Body(text))
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	text = words.CutSlack(text, slackMaxBody)
	options := []slack.MsgOption{slack.MsgOptionText(text, false), slack.MsgOptionBlocks(slackSection(text))}
	if h.thread != "" {
		options = append(options, slack.MsgOptionTS(h.thread))
	}
	if _, err := client.PostEphemeralContext(ctx, h.channel, h.By, options...); err != nil {
		return fmt.Errorf("answer Slack user %s: %w", words.Clean(h.By, 40), err)
	}
	return nil
}

// isSlack says whether an address is Slack's: of hooks.slack.com, or where its API is said to be.
func (s *slackNotifier) isSlack(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	if api, err := url.Parse(s.api); err == nil && s.settings.APIURL != "" {
		return u.Scheme == api.Scheme && u.Host == api.Host
	}
	return u.Scheme == "https" && (u.Host == "hooks.slack.com" || u.Host == "hooks.slack-gov.com")
}

func (s *slackNotifier) reply(ctx context.Context, address string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("answer in Slack: %w", err)
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	answer, err := s.http.Do(r)
	if err != nil {
		return fmt.Errorf("answer in Slack: %w", errors.Unwrap(err)) // the address lets whoever has it speak
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16)) // so that the connection can be used again
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("answer in Slack: it says %s", answer.Status)
	}
	return nil
}
