package notifiers

import (
	"context"
	"fmt"

	"github.com/slack-go/slack"
)

// Personal is a Spec by which people can be told directly, not only whoever reads along.
type Personal interface {
	// To is the settings that reach this person alone; false if this kind knows no way to them.
	To(p Person) (Spec, bool)
}

// To is direct messages to the person: it needs the scopes im:write and im:history beside the channel's.
func (s *Slack) To(p Person) (Spec, bool) {
	if !slackUser.MatchString(p.Slack) {
		return nil, false
	}
	direct := *s
	direct.Channel = p.Slack
	return &direct, true
}

// direct is a Spec whose receiver is one person's own.
type direct struct{ Spec }

// Traits are those of the kind, with that.
func (d direct) Traits() Traits {
	t := d.Spec.Traits()
	t.Direct = true
	return t
}

// direct is the id of the conversation with a user.
func (s *slackNotifier) direct(ctx context.Context, client *slack.Client, user string) (string, error) {
	channel, _, _, err := client.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}, ReturnIM: true})
	if err != nil {
		return "", fmt.Errorf("open the direct messages with Slack user %s: %w", user, err)
	}
	s.mu.Lock()
	s.id = channel.ID
	s.mu.Unlock()
	return channel.ID, nil
}
