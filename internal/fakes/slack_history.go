package fakes

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// history answers conversations.history: newest first, without the posts of threads that were not broadcast.
func (s *Slack) history(r *http.Request, answer map[string]any) string {
	id := r.Form.Get("channel")
	if !isSlackID(id) || s.channel(id) == "" {
		return "channel_not_found"
	}
	var found []*SlackMessage
	for _, m := range slices.Backward(s.messages) {
		if m.Channel == id && (m.ThreadTS == "" || m.Broadcast) {
			found = append(found, m)
		}
	}
	return s.page(r, found, answer)
}

// replies answers conversations.replies: the message that the thread hangs on, then its posts, oldest first.
func (s *Slack) replies(r *http.Request, answer map[string]any) string {
	id, ts := r.Form.Get("channel"), r.Form.Get("ts")
	parent := s.find(id, ts)
	if parent == nil {
		return "thread_not_found"
	}
	found := []*SlackMessage{parent}
	for _, m := range s.messages {
		if m.Channel == id && m.ThreadTS == ts {
			found = append(found, m)
		}
	}
	return s.page(r, found, answer)
}

// page cuts what was found to the time and the size that a request asks for. A thread's first message is in every answer's
// first page, whatever its time.
func (s *Slack) page(r *http.Request, found []*SlackMessage, answer map[string]any) string {
	oldest, latest := r.Form.Get("oldest"), r.Form.Get("latest")
	inclusive := truth(r.Form.Get("inclusive"))
	found = slices.DeleteFunc(found, func(m *SlackMessage) bool {
		if m.TS == r.Form.Get("ts") {
			return false
		}
		return (oldest != "" && (before(m.TS, oldest) || (!inclusive && m.TS == oldest))) || (latest != "" && (before(latest, m.TS) || (!inclusive && m.TS == latest)))
	})
	limit, _ := strconv.Atoi(r.Form.Get("limit"))
	if limit <= 0 || limit > 999 {
		limit = 100
	}
	if s.PageSize > 0 {
		limit = min(limit, s.PageSize)
	}
	from := 0
	if cursor := r.Form.Get("cursor"); cursor != "" {
		text, err := base64.StdEncoding.DecodeString(cursor)
		if err != nil {
			return "invalid_cursor"
		}
		if from, err = strconv.Atoi(string(text)); err != nil || from < 0 || from > len(found) {
			return "invalid_cursor"
		}
	}
	to := min(from+limit, len(found))
	list := []map[string]any{}
	for _, m := range found[from:to] {
		shown := m.wire()
		if !truth(r.Form.Get("include_all_metadata")) {
			if m.Metadata != nil {
				shown["metadata"] = map[string]any{"event_type": m.Metadata.Type}
			}
		}
		list = append(list, shown)
	}
	answer["messages"], answer["has_more"] = list, to < len(found)
	if to < len(found) {
		answer["response_metadata"] = map[string]any{"next_cursor": base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(to)))}
	}
	return ""
}

func truth(s string) bool { return s == "1" || s == "true" }

// before compares two timestamps as numbers.
func before(a, b string) bool {
	x, _ := json.Number(a).Float64()
	y, _ := json.Number(b).Float64()
	return x < y
}

// SlackSnapshot is all that the stand-in holds.
type SlackSnapshot struct {
	Channels map[string]string `json:"channels"` // id to name
	Messages []SlackMessage    `json:"messages"`
	Calls    map[string]int    `json:"calls"` // how often each method was called
}

// Snapshot is all that the stand-in holds, fit for JSON.
func (s *Slack) Snapshot() SlackSnapshot {
	snap := SlackSnapshot{Channels: map[string]string{}, Messages: s.Messages(), Calls: map[string]int{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, id := range s.channels {
		snap.Channels[id] = name
	}
	for method, n := range s.calls {
		snap.Calls[method] = n
	}
	return snap
}

// Delete removes a message, as a person might.
func (s *Slack) Delete(channel, ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = slices.DeleteFunc(s.messages, func(m *SlackMessage) bool { return m.Channel == channel && m.TS == ts })
}
