package notifiers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/internal/incident"
	"tocsin/internal/words"
)

// Bounds of a look into a channel's history: pages, and messages in each.
const (
	historyPages = 25
	historyPage  = 200
)

// metadataType is the event_type of our messages' metadata; its payload holds nonce (the notification's key), incident, hash
// (incident.HashOf) and state.
const metadataType = "tocsin"

// Find looks for the message of an earlier attempt by its nonce: in the thread, for what was posted into one, else in the
// channel, from a minute before the notification was made. An edit is never found: it is harmless to repeat.
func (s *slackNotifier) Find(ctx context.Context, n Notice) (string, bool, error) {
	channel, ts := splitReceipt(n.Parent)
	if n.Kind == incident.CallAcknowledge || n.Kind == incident.CallResolve || (n.Kind == incident.Message && ts != "") {
		return "", false, nil
	}
	client, err := s.client()
	if err != nil {
		return "", false, err
	}
	receipt, found, err := s.find(ctx, client, &n, channel, ts, "")
	return receipt, found, verdict(err)
}

// find searches for a notice's nonce, in the thread of ts unless that is empty; the message except does not count.
func (s *slackNotifier) find(ctx context.Context, client *slack.Client, n *Notice, channel, ts, except string) (string, bool, error) {
	if channel == "" {
		id, err := s.channelID(ctx, client)
		if err != nil {
			return "", false, err
		}
		channel = id
	}
	oldest := slackTime(n.CreatedAt.Add(-slackOldest))
	match := func(m *slack.Message) bool {
		return m.Metadata.EventType == metadataType && m.Metadata.EventPayload["nonce"] == n.Key && m.Timestamp != except
	}
	found, err := search(ctx, client, channel, ts, oldest, match)
	if found == "" && ts != "" && n.Rings && (err == nil || errorCode(err) == "thread_not_found") {
		found, err = search(ctx, client, channel, "", oldest, match) // it may have been posted beside a thread that is gone
	}
	if err != nil || found == "" {
		return "", false, err
	}
	return channel + "/" + found, true, nil
}

// Adopt looks for the newest message of an incident that the (rule, group) of that hash opened and that is not told as
// resolved.
func (s *slackNotifier) Adopt(ctx context.Context, hash string) (Earlier, error) {
	client, err := s.client()
	if err != nil {
		return Earlier{}, err
	}
	channel, err := s.channelID(ctx, client)
	if err != nil {
		return Earlier{}, verdict(err)
	}
	// The first that matches is the newest: whatever it says, older ones are of incidents before it.
	open := false
	found, err := search(ctx, client, channel, "", "", func(m *slack.Message) bool {
		p := m.Metadata.EventPayload
		if m.Metadata.EventType != metadataType || p["hash"] != hash {
			return false
		}
		if kind, said := p["kind"]; said && kind != string(incident.Message) {
			return false // a post of the thread that the channel saw too
		}
		open = p["state"] != string(incident.Resolved) && p["state"] != string(incident.Merged)
		return true
	})
	if err != nil || found == "" || !open {
		return Earlier{}, verdict(err)
	}
	return Earlier{Receipt: channel + "/" + found}, nil
}

// search goes through a thread, or a channel's history newest first, until match says yes. It gives up, finding nothing,
// after historyPages: better to say a thing twice than never.
func search(ctx context.Context, client *slack.Client, channel, ts, oldest string, match func(*slack.Message) bool) (string, error) {
	cursor := ""
	for range historyPages {
		var messages []slack.Message
		var next string
		var err error
		if ts != "" {
			messages, _, next, err = client.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
				ChannelID: channel, Timestamp: ts, Cursor: cursor, Oldest: oldest, Limit: historyPage, IncludeAllMetadata: true})
		} else {
			var h *slack.GetConversationHistoryResponse
			h, err = client.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
				ChannelID: channel, Cursor: cursor, Oldest: oldest, Limit: historyPage, IncludeAllMetadata: true})
			if h != nil {
				messages, next = h.Messages, h.ResponseMetaData.NextCursor
			}
		}
		if err != nil {
			return "", fmt.Errorf("search Slack channel %s: %w", words.Clean(channel, 80), err)
		}
		for i := range messages {
			if match(&messages[i]) {
				return messages[i].Timestamp, nil
			}
		}
		if cursor = next; cursor == "" {
			return "", nil
		}
	}
	return "", nil
}

// channelID is the channel's id: the setting, what an answer told, or by its name among the bot's own channels.
func (s *slackNotifier) channelID(ctx context.Context, client *slack.Client) (string, error) {
	name := s.channel()
	if slackUser.MatchString(name) {
		return s.direct(ctx, client, name)
	}
	if !strings.HasPrefix(name, "#") {
		return name, nil
	}
	cursor := ""
	types := []string{"public_channel", "private_channel"}
	for range historyPages {
		channels, next, err := client.GetConversationsForUserContext(ctx, &slack.GetConversationsForUserParameters{
			Cursor: cursor, Limit: 1000, Types: types, ExcludeArchived: true})
		if errorCode(err) == "missing_scope" && len(types) > 1 {
			types = types[:1] // a bot that may not see private channels can still be in a public one
			continue
		}
		if err != nil {
			return "", fmt.Errorf("find the id of Slack channel %s (write the id into the settings and this is not needed): %w", words.Clean(name, 80), err)
		}
		for _, c := range channels {
			if "#"+c.NameNormalized == name || "#"+c.Name == name {
				s.mu.Lock()
				s.id = c.ID
				s.mu.Unlock()
				return c.ID, nil
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return "", Permanent{fmt.Errorf("find the id of Slack channel %s: the bot is in no channel of that name: invite it, or write the channel's id into the settings", words.Clean(name, 80))}
}

// slackTime is a time as Slack counts it.
func slackTime(t time.Time) string {
	if t.Unix() < 0 {
		return "0"
	}
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
}

// errorCode is the error that Slack's answer names; "" for anything else.
func errorCode(err error) string {
	var refused slack.SlackErrorResponse
	if errors.As(err, &refused) {
		return refused.Err
	}
	return ""
}

// refusedForm are the errors by which Slack refuses how a message is built: it is sent again as plain, short text.
var refusedForm = map[string]bool{
	"msg_too_long": true, "msg_blocks_too_long": true, "invalid_blocks": true, "invalid_blocks_format": true, "blocks_mismatch": true,
}

// refusedEdit says that a message cannot be edited any more, and surely was not.
func refusedEdit(err error) bool {
	switch errorCode(err) {
	case "message_not_found", "cant_update_message", "edit_window_closed":
		return true
	}
	return false
}

// refusedForGood are the errors that trying again as it is will not mend: somebody must do something first.
var refusedForGood = map[string]bool{
	"invalid_auth": true, "not_authed": true, "token_revoked": true, "token_expired": true, "account_inactive": true, "org_login_required": true,
	"no_permission": true, "missing_scope": true, "not_allowed_token_type": true, "ekm_access_denied": true, "access_denied": true,
	"two_factor_setup_required": true, "enterprise_is_restricted": true, "team_access_not_granted": true, "restricted_action": true,
	"restricted_action_read_only_channel": true, "restricted_action_thread_only_channel": true, "restricted_action_non_threadable_channel": true,
	"restricted_action_thread_locked": true, "cannot_reply_to_message": true, "channel_not_found": true, "is_archived": true, "not_in_channel": true,
	"is_inactive": true, "messages_tab_disabled": true, "thread_not_found": true,
	"message_not_found": true, "cant_update_message": true, "edit_window_closed": true,
	"msg_too_long": true, "msg_blocks_too_long": true, "invalid_blocks": true, "invalid_blocks_format": true, "blocks_mismatch": true, "no_text": true,
	"metadata_too_large": true, "invalid_metadata_format": true, "invalid_metadata_schema": true, "metadata_must_be_sent_from_app": true,
	"invalid_arguments": true, "invalid_arg_name": true, "invalid_array_arg": true, "invalid_charset": true, "invalid_form_data": true,
	"method_deprecated": true, "unknown_method": true, "deprecated_endpoint": true,
}

// Limits are Slack's: what it says to a token that asks too often holds for the whole workspace, and a channel takes a message a second
// for long, and a few more at once.
func (s *slackNotifier) Limits() Limits {
	account := "slack " + s.api + " " + s.settings.TokenFile
	return Limits{Account: account, Bucket: account + " " + s.settings.Channel, Every: time.Second, Burst: 4}
}

// slackWait is how long to leave Slack alone when it asks to, but does not say for how long.
const slackWait = 30 * time.Second

// verdict sorts an error of a call: Later where Slack is asked too often, Permanent where it refuses for good, else the error
// as it is, which says that the outcome is not known. What Slack does not document is never taken as a refusal.
func verdict(err error) error {
	var limited *slack.RateLimitedError
	var status slack.StatusCodeError
	code := errorCode(err)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &limited):
		return Later{err, min(max(limited.RetryAfter, time.Second), time.Hour)}
	case code == "ratelimited", code == "rate_limited", code == "message_limit_exceeded":
		return Later{err, slackWait}
	case errors.As(err, &status) && status.Code == http.StatusTooManyRequests:
		return Later{err, slackWait}
	case refusedForGood[code]:
		return Permanent{err}
	}
	return err
}

// splitReceipt takes a receipt apart; "" for both if it is none.
func splitReceipt(receipt string) (channel, ts string) {
	channel, ts, ok := strings.Cut(receipt, "/")
	if !ok || channel == "" || ts == "" {
		return "", ""
	}
	return channel, ts
}

// messageID is a UUID made of a key, the same for every attempt. Slack is said to drop a second message of the same one; what
// counts on nothing but that would be wrong, so the history is searched as well.
func messageID(key string) string {
	sum := sha256.Sum256([]byte(key))
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
