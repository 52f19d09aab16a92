package fakes

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// slackLink is a connection of Socket Mode.
type slackLink struct {
	conn  *websocket.Conn
	ended chan struct{}

	mu      sync.Mutex
	waiting map[string]chan []byte
}

// slackPatience is how long Slack waits for an envelope to be acknowledged.
const slackPatience = 3 * time.Second

// link is the newest connection of the app; nil if it has none.
func (s *Slack) link() *slackLink {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.socket
}

// Linked says whether the app has a connection of Socket Mode.
func (s *Slack) Linked() bool { return s.link() != nil }

// Unlink ends the app's connection, as Slack does now and then: with its word that it wants another to be opened.
func (s *Slack) Unlink() {
	if l := s.link(); l != nil {
		s.forget(l)
		_ = l.write(map[string]any{"type": "disconnect", "reason": "refresh_requested"}) // it ends either way
		_ = l.conn.Close()
	}
}

// mostEnveloped is how many of the newest envelopes are kept.
const mostEnveloped = 100

// Redeliver delivers once more what came over Socket Mode, as the same envelopes: so Slack does with what it saw no acknowledge of.
func (s *Slack) Redeliver() error {
	s.mu.Lock()
	all := slices.Clone(s.enveloped)
	s.mu.Unlock()
	for _, d := range all {
		link := s.link()
		if link == nil {
			return errors.New("there is no connection")
		}
		if _, err := link.deliver(d.kind, d.payload); err != nil {
			return err
		}
	}
	return nil
}

func (s *Slack) forget(l *slackLink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket == l {
		s.socket = nil
	}
}

// open answers apps.connections.open.
func (s *Slack) open(token string, answer map[string]any) string {
	switch {
	case token == "":
		return "not_authed"
	case s.AppToken == "" || token != s.AppToken:
		return "invalid_auth"
	case s.Address == "":
		return "internal_error"
	}
	answer["url"] = "ws" + strings.TrimPrefix(strings.TrimSuffix(s.Address, "/"), "http") + "/link?ticket=" + s.mint("ticket")
	return ""
}

// connect serves a connection of Socket Mode until it ends.
func (s *Slack) connect(w http.ResponseWriter, r *http.Request) {
	conn, err := (&websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}).Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	l := &slackLink{conn: conn, waiting: map[string]chan []byte{}, ended: make(chan struct{})}
	defer close(l.ended)
	defer func() { _ = conn.Close() }()
	if l.write(map[string]any{"type": "hello", "num_connections": 1, "connection_info": map[string]any{"app_id": "A0TOCSIN"}}) != nil {
		return
	}
	s.mu.Lock()
	s.socket = l
	s.mu.Unlock()
	defer s.forget(l)
	go l.ping()
	for {
		var ack struct {
			ID      string          `json:"envelope_id"`
			Payload json.RawMessage `json:"payload"`
		}
		if conn.ReadJSON(&ack) != nil {
			return
		}
		l.mu.Lock()
		if c := l.waiting[ack.ID]; c != nil {
			c <- ack.Payload
			delete(l.waiting, ack.ID)
		}
		l.mu.Unlock()
	}
}

// ping shows the client every few seconds that the connection lives.
func (l *slackLink) ping() {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		l.mu.Lock()
		err := l.conn.WriteControl(websocket.PingMessage, []byte("Ping from applink"), time.Now().Add(time.Second))
		l.mu.Unlock()
		if err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-l.ended:
			return
		}
	}
}

func (l *slackLink) write(v any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn.WriteJSON(v)
}

// deliver sends an envelope and returns what it was acknowledged with.
func (l *slackLink) deliver(kind string, payload map[string]any) ([]byte, error) {
	raw, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	id, acked := SlackSignature("envelope", "0", string(raw))[3:35], make(chan []byte, 1)
	l.mu.Lock()
	l.waiting[id] = acked
	l.mu.Unlock()
	if err := l.write(map[string]any{"type": kind, "envelope_id": id, "payload": json.RawMessage(raw), "accepts_response_payload": kind == "slash_commands"}); err != nil {
		return nil, err
	}
	select {
	case answer := <-acked:
		return answer, nil
	case <-l.ended:
		return nil, errors.New("the connection ended before the envelope was acknowledged")
	case <-time.After(slackPatience):
		return nil, errors.New("the envelope is not acknowledged within three seconds")
	}
}
