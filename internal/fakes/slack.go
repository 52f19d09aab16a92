package fakes

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// SlackMessage is a message that the stand-in holds.
type SlackMessage struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
	// User is who wrote it; "" for the app.
	User     string          `json:"user,omitempty"`
	ThreadTS string          `json:"thread_ts,omitempty"`
	Text     string          `json:"text"`
	Blocks   json.RawMessage `json:"blocks,omitempty"`
	Metadata *SlackMetadata  `json:"metadata,omitempty"`
	// Broadcast says that a post of a thread was shown in the channel too, which rings like a message.
	Broadcast bool `json:"broadcast,omitempty"`
	// Edits are the texts that it had before, oldest first.
	Edits []string `json:"edits,omitempty"`
}

// Nonce is the nonce in the message's metadata, or "".
func (m *SlackMessage) Nonce() string {
	if m.Metadata == nil {
		return ""
	}
	nonce, _ := m.Metadata.Payload["nonce"].(string)
	return nonce
}

// SlackMetadata is a message's metadata.
type SlackMetadata struct {
	Type    string         `json:"event_type"`
	Payload map[string]any `json:"event_payload"`
}

// SlackEvent is something that happened to a message: "posted" or "edited".
type SlackEvent struct {
	Kind    string
	Message SlackMessage
}

// Slack is a stand-in of Slack's Web API, an http.Handler for the address that a client takes for https://slack.com/api/: it
// knows apps.connections.open, auth.test, chat.postEphemeral, chat.postMessage, chat.update, conversations.history, conversations.info, conversations.open, conversations.replies and
// users.conversations, form encoded, and keeps every message. People press, type and write by its methods.
// A channel exists as soon as its name is used. It is safe for concurrent use; its fields are
// set before the first request.
type Slack struct {
	// Token, if set, is the only one that is let in.
	Token string
	// Scopes, if set, are what it says in X-OAuth-Scopes that the token may do.
	Scopes string
	// Channel, if set, changes what conversations.info tells of a channel.
	Channel func(channel map[string]any)
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Before, if set, is asked before each request what is to go wrong with it. The form has been parsed.
	Before func(method string, r *http.Request) Fault
	// Observe, if set, is told of each message that is posted or edited.
	Observe func(SlackEvent)
	// PageSize bounds the messages of one answer; 0 for what the client asks for.
	PageSize int
	// App is where the app takes what people do, SigningSecret what its requests are signed with, Client by what they go; AppToken lets it
	// connect by Socket Mode instead. Address is where the stand-in itself is, for the addresses that it hands out.
	App, SigningSecret, AppToken, Address string
	Client                                *http.Client
	// Delivered, if set, is shown each signed request before it goes, with its body; Whispered what only one person is shown.
	Delivered func(r *http.Request, body string)
	Whispered func(SlackWhisper)

	mu        sync.Mutex
	channels  map[string]string // name to id
	messages  []*SlackMessage
	last      int64 // microseconds of the newest ts
	calls     map[string]int
	whispers  []SlackWhisper
	minted    int
	socket    *slackLink
	enveloped []delivery // what came over Socket Mode, the newest
}

// NewSlack makes a Slack that holds nothing.
func NewSlack() *Slack { return &Slack{channels: map[string]string{}, calls: map[string]int{}} }

// Messages are all messages, oldest first, posts of threads among them.
func (s *Slack) Messages() []SlackMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]SlackMessage, len(s.messages))
	for i, m := range s.messages {
		out[i] = m.clone()
	}
	return out
}

func (m *SlackMessage) clone() SlackMessage {
	c := *m
	c.Edits = slices.Clone(m.Edits)
	return c
}

// Doubled are the nonces that more than one message carries.
func (s *Slack) Doubled() []string {
	count := map[string]int{}
	var out []string
	for _, m := range s.Messages() {
		if nonce := m.Nonce(); nonce != "" {
			if count[nonce]++; count[nonce] == 2 {
				out = append(out, nonce)
			}
		}
	}
	return out
}

// maxSlackBody bounds a request.
const maxSlackBody = 4 << 20

// ServeHTTP answers a call of the Web API.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := path.Base(r.URL.Path)
	switch method {
	case "link":
		s.connect(w, r)
		return
	case "response":
		s.respond(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxSlackBody)
	if err := r.ParseForm(); err != nil {
		slackAnswer(w, map[string]any{"ok": false, "error": "invalid_form_data"})
		return
	}
	var fault Fault
	if s.Before != nil {
		fault = s.Before(method, r)
	}
	if fault.hold(w, r) {
		return
	}
	token := r.PostForm.Get("token")
	if token == "" {
		token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	answer := map[string]any{"ok": true}
	var event *SlackEvent
	code := fault.Error
	switch {
	case code != "":
	case method == "apps.connections.open":
		code = s.open(token, answer)
	case token == "":
		code = "not_authed"
	case s.Token != "" && token != s.Token:
		code = "invalid_auth"
	default:
		event, code = s.do(method, r, answer)
	}
	if code != "" {
		answer = map[string]any{"ok": false, "error": code}
	}
	if method == "chat.postEphemeral" && code == "" {
		s.whisper(SlackWhisper{r.Form.Get("user"), r.Form.Get("channel"), r.Form.Get("text")})
	}
	if event != nil && s.Observe != nil {
		s.Observe(*event)
	}
	if !fault.swallow(r) {
		if s.Scopes != "" {
			w.Header().Set("X-OAuth-Scopes", s.Scopes)
		}
		slackAnswer(w, answer)
	}
}

func slackAnswer(w http.ResponseWriter, answer map[string]any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(answer) // the client has gone: nothing is to be done
}

// do does what a method asks, fills the answer, and says what happened or which error it is.
func (s *Slack) do(method string, r *http.Request, answer map[string]any) (*SlackEvent, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	switch method {
	case "auth.test":
		answer["url"], answer["team"], answer["user"], answer["team_id"], answer["user_id"], answer["bot_id"] = "https://fake.slack.com/", "fake", "tocsin", "T0000001", "U0TOCSIN", "B0TOCSIN"
		return nil, ""
	case "chat.postMessage":
		return s.post(r, answer)
	case "chat.update":
		return s.update(r, answer)
	case "chat.postEphemeral":
		if r.Form.Get("user") == "" || s.channel(r.Form.Get("channel")) == "" {
			return nil, "user_not_in_channel"
		}
		answer["message_ts"] = s.ts()
		return nil, ""
	case "conversations.history":
		return nil, s.history(r, answer)
	case "conversations.replies":
		return nil, s.replies(r, answer)
	case "conversations.open":
		id := s.channel(r.Form.Get("users"))
		if !strings.HasPrefix(id, "D") {
			return nil, "user_not_found"
		}
		answer["channel"] = map[string]any{"id": id, "is_im": true, "user": r.Form.Get("users")}
		return nil, ""
	case "conversations.info":
		channel := map[string]any{"id": r.Form.Get("channel"), "is_channel": true, "is_member": true}
		if s.Channel != nil {
			s.Channel(channel)
		}
		answer["channel"] = channel
		return nil, ""
	case "users.conversations":
		var list []map[string]any
		for name, id := range s.channels {
			list = append(list, map[string]any{"id": id, "name": name, "name_normalized": name, "is_channel": true, "is_member": true})
		}
		slices.SortFunc(list, func(a, b map[string]any) int { return cmp.Compare(a["id"].(string), b["id"].(string)) })
		answer["channels"] = list
		return nil, ""
	}
	return nil, "unknown_method"
}

// channel is the id of a channel that a request names by id or name; a name that is new makes a channel.
func (s *Slack) channel(name string) string {
	name = strings.TrimPrefix(name, "#")
	for _, id := range s.channels {
		if id == name {
			return id
		}
	}
	if id, ok := s.channels[name]; ok {
		return id
	}
	if name == "" {
		return ""
	}
	if isSlackID("D"+name[1:]) && (name[0] == 'U' || name[0] == 'W') { // a user: the direct messages with them
		id := "D" + name[1:]
		s.channels["@"+name] = id
		return id
	}
	if isSlackID(name) {
		s.channels[strings.ToLower(name)] = name
		return name
	}
	sum := sha256.Sum256([]byte(name))
	id := fmt.Sprintf("C%X", sum[:5])
	s.channels[name] = id
	return id
}

func isSlackID(s string) bool {
	if len(s) < 8 || !strings.ContainsRune("CGD", rune(s[0])) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) < 0
}

// ts is a new timestamp, later than all others.
func (s *Slack) ts() string {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	s.last = max(s.last+1, now().UnixMicro())
	return fmt.Sprintf("%d.%06d", s.last/1e6, s.last%1e6)
}

// Limits of what Slack takes.
const (
	slackMaxText   = 40000
	slackMaxBlock  = 3000
	slackMaxBlocks = 50
)

// fill puts what a request holds into a message, or says why Slack refuses it.
func fill(m *SlackMessage, r *http.Request) string {
	text, blocks, metadata := r.Form.Get("text"), r.Form.Get("blocks"), r.Form.Get("metadata")
	if text == "" && blocks == "" {
		return "no_text"
	}
	if len(text) > slackMaxText {
		return "msg_too_long"
	}
	if blocks != "" {
		var parsed []struct {
			Type string `json:"type"`
			Text *struct {
				Type, Text string
			} `json:"text"`
		}
		if json.Unmarshal([]byte(blocks), &parsed) != nil {
			return "invalid_blocks_format"
		}
		if len(parsed) > slackMaxBlocks {
			return "invalid_blocks"
		}
		for _, b := range parsed {
			if b.Type == "" || (b.Type == "section" && (b.Text == nil || b.Text.Text == "" || len([]rune(b.Text.Text)) > slackMaxBlock)) {
				return "invalid_blocks"
			}
		}
	}
	if metadata != "" {
		m.Metadata = &SlackMetadata{}
		if json.Unmarshal([]byte(metadata), m.Metadata) != nil || m.Metadata.Type == "" {
			return "invalid_metadata_format"
		}
	}
	m.Text, m.Blocks = text, json.RawMessage(blocks)
	if blocks == "" {
		m.Blocks = nil
	}
	return ""
}

func (s *Slack) post(r *http.Request, answer map[string]any) (*SlackEvent, string) {
	id := s.channel(r.Form.Get("channel"))
	if id == "" {
		return nil, "channel_not_found"
	}
	m := &SlackMessage{Channel: id, ThreadTS: r.Form.Get("thread_ts"), Broadcast: r.Form.Get("reply_broadcast") == "true"}
	if m.ThreadTS != "" && s.find(id, m.ThreadTS) == nil {
		return nil, "thread_not_found"
	}
	if code := fill(m, r); code != "" {
		return nil, code
	}
	m.TS = s.ts()
	s.messages = append(s.messages, m)
	answer["channel"], answer["ts"], answer["message"] = id, m.TS, m.wire()
	return &SlackEvent{"posted", m.clone()}, ""
}

func (s *Slack) update(r *http.Request, answer map[string]any) (*SlackEvent, string) {
	m := s.find(r.Form.Get("channel"), r.Form.Get("ts"))
	if m == nil {
		return nil, "message_not_found"
	}
	edited := m.clone()
	if code := fill(&edited, r); code != "" {
		return nil, code
	}
	edited.Edits = append(edited.Edits, m.Text)
	*m = edited
	answer["channel"], answer["ts"], answer["text"], answer["message"] = m.Channel, m.TS, m.Text, m.wire()
	return &SlackEvent{"edited", m.clone()}, ""
}

func (s *Slack) find(channel, ts string) *SlackMessage {
	for _, m := range s.messages {
		if m.Channel == channel && m.TS == ts {
			return m
		}
	}
	return nil
}

// wire is a message as the API shows it.
func (m *SlackMessage) wire() map[string]any {
	out := map[string]any{"type": "message", "ts": m.TS, "text": m.Text}
	if out["user"] = m.User; m.User == "" {
		out["bot_id"], out["user"] = "B0TOCSIN", "U0TOCSIN"
	}
	if m.ThreadTS != "" {
		out["thread_ts"] = m.ThreadTS
		if m.Broadcast {
			out["subtype"] = "thread_broadcast"
		}
	}
	if m.Metadata != nil {
		out["metadata"] = m.Metadata
	}
	if m.Blocks != nil {
		out["blocks"] = m.Blocks
	}
	return out
}
