package notifiers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// Examiner is a Notifier that can say whether it would be able to tell, without telling. It opens its secrets for that.
type Examiner interface {
	// Examine leaves the findings' About to the caller.
	Examine(ctx context.Context) []setting.Finding
}

// findings collects what an Examine has found.
type findings []setting.Finding

func (f *findings) add(level setting.Level, mend, format string, args ...any) {
	*f = append(*f, setting.Finding{Level: level, Text: fmt.Sprintf(format, args...), Mend: mend})
}

// Examine asks Slack who the token is, what it may do, whether the bot is in the channel, and whether what people do there would be heard.
func (s *slackNotifier) Examine(ctx context.Context) []setting.Finding {
	var f findings
	client, err := s.client()
	if err != nil {
		f.add(setting.Broken, "put the bot token (xoxb-...) into the file, readable by the user that runs tocsin", "%v", err)
		return f
	}
	who, err := client.AuthTestContext(ctx)
	if err != nil {
		f.add(setting.Broken, slackMends[errorCode(err)], "Slack does not take the token: %s", words.Clean(err.Error(), 300))
		return f
	}
	if who.BotID == "" {
		f.add(setting.Doubtful, "use the bot token (xoxb-...) of the app, not a user's (xoxp-...)", "the token is the user %s's, not a bot's: what it posts is theirs", words.Clean(who.User, 80))
	} else {
		f.add(setting.Fine, "", "Slack knows the token: %s in %s", words.Clean(who.User, 80), words.Clean(who.Team, 80))
	}
	scopes := strings.FieldsFunc(who.Header.Get("X-Oauth-Scopes"), func(r rune) bool { return r == ',' || r == ' ' })
	s.channelFindings(ctx, client, &f, s.scopeFindings(&f, scopes))
	s.hearingFindings(ctx, &f, scopes)
	return f
}

// slackMends are what to do about an error of Slack's.
var slackMends = map[string]string{
	"invalid_auth":     "put the bot token (xoxb-...) of the installed app into token_file",
	"not_authed":       "put the bot token (xoxb-...) of the installed app into token_file",
	"token_revoked":    "install the app to the workspace again and put the new bot token into token_file",
	"account_inactive": "install the app to the workspace again and put the new bot token into token_file",
	"missing_scope":    "add the scope to the app (OAuth & Permissions) and install it again",
}

// installScope mends a scope that is missing.
const installScope = "add it to the app (OAuth & Permissions), or use deploy/slack-manifest.yaml, and install the app again"

// scopeFindings says which scopes are missing, and returns whether those for reading channels are there.
func (s *slackNotifier) scopeFindings(f *findings, scopes []string) (readsChannels bool) {
	if len(scopes) == 0 {
		f.add(setting.Doubtful, "", "Slack does not say which scopes the token has")
		return true
	}
	either := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(scopes, n) })
	}
	missing := func(level setting.Level, names, why string) {
		f.add(level, installScope, "the scope %s is missing: %s", names, why)
	}
	if !either("chat:write") {
		missing(setting.Broken, "chat:write", "nothing can be posted")
	}
	if !either("channels:history", "groups:history") {
		missing(setting.Broken, "channels:history (groups:history for a private channel)", "after an unclear answer it cannot be seen whether a message is there, and it may be posted twice")
	}
	readsChannels = either("channels:read", "groups:read")
	if !readsChannels && !slackID.MatchString(s.settings.Channel) {
		missing(setting.Broken, "channels:read (groups:read for a private channel)", "the channel is given by name, and its id cannot be found; or write the id into the settings")
	}
	return readsChannels
}

// channelFindings says whether the bot is in the channel.
func (s *slackNotifier) channelFindings(ctx context.Context, client *slack.Client, f *findings, readable bool) {
	name := words.Clean(s.settings.Channel, 80)
	if !readable {
		f.add(setting.Doubtful, "give the app channels:read (groups:read), or try: tocsin notify-test "+s.receiver, "without channels:read it cannot be seen whether the bot is in %s", name)
		return
	}
	id, err := s.channelID(ctx, client)
	if err != nil {
		f.add(setting.Broken, "in Slack: /invite the bot in that channel; or write the channel's id into the settings", "%s", words.Clean(err.Error(), 300))
		return
	}
	channel, err := client.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
	switch {
	case errorCode(err) == "channel_not_found":
		f.add(setting.Broken, "write the id of a channel of this workspace; of a private one: invite the bot first", "the channel %s is not there, or the bot may not see it", name)
	case err != nil:
		f.add(setting.Doubtful, slackMends[errorCode(err)], "the channel %s cannot be looked at: %s", name, words.Clean(err.Error(), 300))
	case channel.IsArchived:
		f.add(setting.Broken, "unarchive it, or name another", "the channel %s is archived", name)
	case !channel.IsMember && !channel.IsIM:
		f.add(setting.Broken, "in Slack: /invite the bot in that channel", "the bot is not in the channel %s", name)
	default:
		f.add(setting.Fine, "", "the bot is in the channel %s", name)
	}
}

// routingKey is an integration key of the Events API v2: 32 characters, newer ones begin with R.
var routingKey = regexp.MustCompile(`^[0-9a-z]{32}$|^R[0-9A-Z]{31}$`)

// Examine looks at the key's form (to try it would ring) and asks PagerDuty whether it takes the token.
func (p *pagerDutyNotifier) Examine(ctx context.Context) []setting.Finding {
	var f findings
	key, err := setting.ReadSecret(p.settings.RoutingKeyFile)
	switch {
	case err != nil:
		f.add(setting.Broken, "put the integration key into the file, readable by the user that runs tocsin", "open routing key of receiver %s: %v", p.receiver, err)
	case !routingKey.MatchString(key.Reveal()):
		f.add(setting.Broken, "in PagerDuty: the service, Integrations, Events API v2, Integration Key", "what %s holds is no integration key: one has 32 letters and digits, this has %d characters", p.settings.RoutingKeyFile, len(key.Reveal()))
	default:
		f.add(setting.Fine, "", "the integration key has the right form; whether it rings: tocsin notify-test %s", p.receiver)
	}
	if p.settings.TokenFile == "" {
		f.add(setting.Doubtful, "give it token_file: a read-only REST API key", "without a REST token tocsin does not see what is acknowledged at PagerDuty")
		return f
	}
	var answer struct{}
	switch err := p.get(ctx, "/incidents?"+url.Values{"limit": {"1"}}.Encode(), &answer); {
	case err == nil:
		f.add(setting.Fine, "", "PagerDuty takes the REST token")
	case IsPermanent(err):
		f.add(setting.Broken, "in PagerDuty: Integrations, API Access Keys, a read-only key", "%v", err)
	case errors.As(err, new(Later)):
		f.add(setting.Doubtful, "", "%v", err)
	default:
		f.add(setting.Broken, "is the file there, and "+p.api+" reachable from here?", "%v", err)
	}
	return f
}
