package fakes

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SlackWhisper is what only one person was shown.
type SlackWhisper struct {
	User, Channel, Text string
}

// Whispers are all that only one person was shown, oldest first.
func (s *Slack) Whispers() []SlackWhisper {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]SlackWhisper(nil), s.whispers...)
}

// delivery is what is delivered to the app: path is that of HTTP, kind that of Socket Mode, payload the JSON of both.
type delivery struct {
	path, kind string
	payload    map[string]any
	// field is the form's field that holds the payload over HTTP; "" for JSON as it is, "*" for a form of the payload's members.
	field string
}

// Press lets a user press a button of a message, by its text; the error says why nothing came of it.
func (s *Slack) Press(user, channel, ts, button string) error {
	s.mu.Lock()
	m := s.find(s.channel(channel), ts)
	var action map[string]any
	if m != nil {
		action = m.button(button)
	}
	s.mu.Unlock()
	if action == nil {
		return fmt.Errorf("the message %s has no button %q", ts, button)
	}
	action["action_ts"] = ts
	_, err := s.deliver(delivery{path: "interactions", kind: "interactive", field: "payload", payload: map[string]any{
		"type": "block_actions", "user": map[string]any{"id": user}, "channel": map[string]any{"id": m.Channel}, "trigger_id": s.mint("trigger"),
		"message": m.wire(), "container": map[string]any{"type": "message", "message_ts": ts, "channel_id": m.Channel},
		"response_url": s.responseURL(user, m.Channel), "actions": []any{action}}})
	return err
}

// Buttons are the texts of a message's buttons.
func (m *SlackMessage) Buttons() []string {
	var out []string
	for _, b := range m.actions() {
		text, _ := b["text"].(map[string]any)
		name, _ := text["text"].(string)
		out = append(out, name)
	}
	return out
}

func (m *SlackMessage) actions() []map[string]any {
	var blocks []struct {
		Type     string           `json:"type"`
		ID       string           `json:"block_id"`
		Elements []map[string]any `json:"elements"`
	}
	if json.Unmarshal(m.Blocks, &blocks) != nil {
		return nil
	}
	var out []map[string]any
	for _, b := range blocks {
		if b.Type == "actions" {
			for _, e := range b.Elements {
				e["block_id"] = b.ID
				out = append(out, e)
			}
		}
	}
	return out
}

func (m *SlackMessage) button(name string) map[string]any {
	for _, b := range m.actions() {
		if text, _ := b["text"].(map[string]any); text["text"] == name {
			return b
		}
	}
	return nil
}

// Type lets a user type a slash command in a channel: text is what stands behind /tocsin. It returns what was answered to them at once.
func (s *Slack) Type(user, channel, text string) (string, error) {
	s.mu.Lock()
	id := s.channel(channel)
	s.mu.Unlock()
	answer, err := s.deliver(delivery{path: "commands", kind: "slash_commands", field: "*", payload: map[string]any{
		"command": "/tocsin", "text": escapeSlack(text), "user_id": user, "channel_id": id, "trigger_id": s.mint("trigger"), "response_url": s.responseURL(user, id)}})
	if err != nil {
		return "", err
	}
	var said struct {
		Text string `json:"text"`
	}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &said); err != nil {
			return "", fmt.Errorf("the answer %.100q: %w", answer, err)
		}
	}
	if said.Text != "" {
		s.whisper(SlackWhisper{user, id, said.Text})
	}
	return said.Text, nil
}

// Write lets a user write in a channel, in the thread of a message if ts is not empty. It returns the message's ts.
func (s *Slack) Write(user, channel, thread, text string) (string, error) {
	s.mu.Lock()
	m := &SlackMessage{Channel: s.channel(channel), User: user, ThreadTS: thread, Text: escapeSlack(text)}
	m.TS = s.ts()
	s.messages = append(s.messages, m)
	event := m.wire()
	event["channel"] = m.Channel
	s.mu.Unlock()
	_, err := s.deliver(s.event(event))
	return m.TS, err
}

// Rewrite lets whoever wrote a message edit it.
func (s *Slack) Rewrite(channel, ts, text string) error {
	s.mu.Lock()
	m := s.find(s.channel(channel), ts)
	if m == nil {
		s.mu.Unlock()
		return fmt.Errorf("there is no message %s", ts)
	}
	before := m.wire()
	m.Edits, m.Text = append(m.Edits, m.Text), escapeSlack(text)
	event := map[string]any{"type": "message", "subtype": "message_changed", "channel": m.Channel, "message": m.wire(), "previous_message": before}
	s.mu.Unlock()
	_, err := s.deliver(s.event(event))
	return err
}

// event is an event of the Events API.
func (s *Slack) event(inner map[string]any) delivery {
	return delivery{path: "events", kind: "events_api", payload: map[string]any{"type": "event_callback", "event_id": s.mint("Ev"), "event": inner}}
}

// mint is a new id.
func (s *Slack) mint(kind string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.minted++
	return fmt.Sprintf("%s%06d", kind, s.minted)
}

// responseURL is where the app may answer a user; "" if nobody has said where the stand-in is.
func (s *Slack) responseURL(user, channel string) string {
	if s.Address == "" {
		return ""
	}
	return strings.TrimSuffix(s.Address, "/") + "/response?" + url.Values{"user": {user}, "channel": {channel}}.Encode()
}

func (s *Slack) whisper(w SlackWhisper) {
	s.mu.Lock()
	s.whispers = append(s.whispers, w)
	s.mu.Unlock()
	if s.Whispered != nil {
		s.Whispered(w)
	}
}

// respond takes an answer at a response_url.
func (s *Slack) respond(w http.ResponseWriter, r *http.Request) {
	var said struct {
		Type string `json:"response_type"`
		Text string `json:"text"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSlackBody)).Decode(&said); err != nil || said.Type != "ephemeral" || said.Text == "" {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	s.whisper(SlackWhisper{r.URL.Query().Get("user"), r.URL.Query().Get("channel"), said.Text})
	_, _ = io.WriteString(w, "ok") // whoever answered may be gone
}

// deliver hands something to the app, over Socket Mode if it has a connection, else as a signed request; it returns the answer.
func (s *Slack) deliver(d delivery) ([]byte, error) {
	if link := s.link(); link != nil {
		s.mu.Lock()
		if s.enveloped = append(s.enveloped, d); len(s.enveloped) > mostEnveloped {
			s.enveloped = s.enveloped[1:]
		}
		s.mu.Unlock()
		return link.deliver(d.kind, d.payload)
	}
	raw, err := json.Marshal(d.payload)
	if err != nil {
		return nil, err
	}
	kind := "application/x-www-form-urlencoded"
	var body string
	switch d.field {
	case "":
		kind, body = "application/json", string(raw)
	case "*":
		form := url.Values{}
		for name, value := range d.payload {
			form.Set(name, fmt.Sprint(value))
		}
		body = form.Encode()
	default:
		body = url.Values{d.field: {string(raw)}}.Encode()
	}
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	at := strconv.FormatInt(now().Unix(), 10)
	r, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(s.App, "/")+"/slack/"+d.path, strings.NewReader(body)) //nolint:noctx // a stand-in waits no longer than its client does
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("X-Slack-Request-Timestamp", at)
	r.Header.Set("X-Slack-Signature", SlackSignature(s.SigningSecret, at, body))
	client := s.Client
	if client == nil {
		client = &http.Client{Timeout: 3 * time.Second} // Slack waits no longer
	}
	if s.Delivered != nil {
		s.Delivered(r, body)
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxSlackBody))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the app answers %s: %s", answer.Status, said)
	}
	return said, err
}

// SlackSignature is what Slack signs a request with, made at a time, in seconds since 1970.
func SlackSignature(secret, at, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, "v0:"+at+":"+body) // a hash takes all
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// escapeSlack is text as Slack delivers it.
func escapeSlack(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// Invite lets the app into channels, by their names: they are there before it says anything.
func (s *Slack) Invite(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		s.channel(name)
	}
}
