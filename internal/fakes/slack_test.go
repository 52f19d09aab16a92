package fakes_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"tocsin/internal/fakes"
)

// TestSlack drives the stand-in with the real client. It is one story, and so it is long: each call sees what those before did.
func TestSlack(t *testing.T) {
	var events []string
	fake := fakes.NewSlack()
	fake.Token = "xoxb-1"
	fake.Now = func() time.Time { return time.Unix(1548199748, 100000) }
	fake.Observe = func(e fakes.SlackEvent) { events = append(events, e.Kind+" "+e.Message.Text) }
	server := httptest.NewServer(http.StripPrefix("/api", fake))
	defer server.Close()
	client := slack.New("xoxb-1", slack.OptionAPIURL(server.URL+"/api/"))
	ctx := context.Background()

	if who, err := client.AuthTestContext(ctx); err != nil || who.UserID == "" {
		t.Errorf("auth.test: %+v, %v", who, err)
	}
	if _, err := slack.New("xoxb-2", slack.OptionAPIURL(server.URL+"/api/")).AuthTestContext(ctx); err == nil || err.Error() != "invalid_auth" {
		t.Errorf("another token: %v", err)
	}
	meta := slack.SlackMetadata{EventType: "tocsin", EventPayload: map[string]any{"nonce": "n-1"}}
	channel, ts, err := client.PostMessageContext(ctx, "#ops", slack.MsgOptionText("first", false), slack.MsgOptionMetadata(meta))
	if err != nil || channel[0] != 'C' || ts != "1548199748.000100" {
		t.Fatalf("post: %q %q %v", channel, ts, err)
	}
	if same, later, err := client.PostMessageContext(ctx, channel, slack.MsgOptionText("reply", false), slack.MsgOptionTS(ts)); err != nil || same != channel || later <= ts {
		t.Errorf("reply: %q %q %v", same, later, err)
	}
	if _, _, err := client.PostMessageContext(ctx, channel, slack.MsgOptionText("loud", false), slack.MsgOptionTS(ts), slack.MsgOptionBroadcast()); err != nil {
		t.Error(err)
	}
	if _, _, _, err := client.UpdateMessageContext(ctx, channel, ts, slack.MsgOptionText("second", false), slack.MsgOptionMetadata(meta)); err != nil {
		t.Error(err)
	}
	if _, _, _, err := client.UpdateMessageContext(ctx, channel, "1.1", slack.MsgOptionText("x", false)); err == nil || err.Error() != "message_not_found" {
		t.Errorf("edit of nothing: %v", err)
	}
	texts := func(messages []slack.Message) (out []string) {
		for _, m := range messages {
			out = append(out, m.Text)
		}
		return out
	}
	history, err := client.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: channel, IncludeAllMetadata: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"loud", "second"}, texts(history.Messages)); diff != "" {
		t.Errorf("history, newest first, without quiet replies (-want +got):\n%s", diff)
	}
	if got := history.Messages[1].Metadata.EventPayload["nonce"]; got != "n-1" {
		t.Errorf("metadata: %v", got)
	}
	replies, _, _, err := client.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{ChannelID: channel, Timestamp: ts})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"second", "reply", "loud"}, texts(replies)); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
	if replies[0].Metadata.EventPayload != nil {
		t.Error("the payload of metadata is only shown when it is asked for")
	}
	newer, err := client.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: channel, Oldest: ts})
	if err != nil || len(newer.Messages) != 1 {
		t.Errorf("oldest is exclusive: %v, %v", newer, err)
	}
	channels, _, err := client.GetConversationsForUserContext(ctx, &slack.GetConversationsForUserParameters{})
	if err != nil || len(channels) != 1 || channels[0].ID != channel || channels[0].Name != "ops" {
		t.Errorf("channels: %+v, %v", channels, err)
	}
	if diff := cmp.Diff([]string{"posted first", "posted reply", "posted loud", "edited second"}, events); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
	var snap fakes.SlackSnapshot
	text, err := json.Marshal(fake.Snapshot())
	if err != nil || json.Unmarshal(text, &snap) != nil || len(snap.Messages) != 3 || snap.Calls["chat.update"] != 2 || snap.Messages[0].Edits[0] != "first" {
		t.Errorf("snapshot: %s, %v", text, err)
	}
	if _, _, err := client.PostMessageContext(ctx, "#ops", slack.MsgOptionText("again", false), slack.MsgOptionMetadata(meta)); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"n-1"}, fake.Doubled()); diff != "" {
		t.Errorf("doubled (-want +got):\n%s", diff)
	}
}

// TestFaults sees what each fault does to the client, and whether the deed was done.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault fakes.Fault
		done  bool
		err   string
	}{
		{"none", fakes.Fault{}, true, ""},
		{"drop", fakes.Fault{Drop: true}, true, "EOF"},
		{"refuse", fakes.Fault{Refuse: true}, false, "EOF"},
		{"status", fakes.Fault{Status: 503, Body: "<html>"}, false, "503"},
		{"limit", fakes.Fault{Status: 429, RetryAfter: 7}, false, "retry after 7s"},
		{"error", fakes.Fault{Error: "is_archived"}, false, "is_archived"},
		{"delay", fakes.Fault{Delay: time.Hour}, false, "deadline"},
		{"hang", fakes.Fault{Hang: time.Hour}, true, "deadline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake := fakes.NewSlack()
			fake.Before = func(string, *http.Request) fakes.Fault { return c.fault }
			server := httptest.NewServer(fake)
			defer server.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, _, err := slack.New("x", slack.OptionAPIURL(server.URL+"/")).PostMessageContext(ctx, "#ops", slack.MsgOptionText("x", false))
			if (err == nil) != (c.err == "") || err != nil && !contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if done := len(fake.Messages()) == 1; done != c.done {
				t.Errorf("done %v, want %v", done, c.done)
			}
		})
	}
}
