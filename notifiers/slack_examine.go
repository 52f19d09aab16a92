package notifiers

import (
	"context"
	"slices"

	"github.com/slack-go/slack"

	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// hearingFindings says whether what people press, type and write in Slack would be heard; nothing if the receiver is not to hear. To ask
// for a connection of Socket Mode opens none: its address is thrown away.
func (s *slackNotifier) hearingFindings(ctx context.Context, f *findings, scopes []string) {
	if s.Ear() == "" {
		return
	}
	if len(scopes) > 0 && !slices.Contains(scopes, "commands") {
		f.add(setting.Doubtful, installScope, "the scope commands is missing: nobody can type /tocsin")
	}
	if path := s.settings.SigningSecretFile; path != "" {
		secret, err := setting.ReadSecret(path)
		const mend = "put the app's signing secret (Basic Information, App Credentials) into signing_secret_file"
		switch {
		case err != nil:
			f.add(setting.Broken, mend, "open signing secret of receiver %s: %v", s.receiver, err)
		case !signingSecret.MatchString(secret.Reveal()):
			f.add(setting.Broken, mend, "what signing_secret_file holds is no signing secret: one has 32 digits of 0 to f, this has %d characters", len(secret.Reveal()))
		default:
			f.add(setting.Fine, "", "the signing secret has the right form")
		}
	}
	if path := s.settings.AppTokenFile; path != "" {
		const mend = "put an app-level token (xapp-..., Basic Information, App-Level Tokens, scope connections:write) into app_token_file, and switch Socket Mode on in the app"
		token, err := setting.ReadSecret(path)
		if err == nil {
			api := slack.New("", slack.OptionAppLevelToken(token.Reveal()), slack.OptionHTTPClient(s.http), slack.OptionAPIURL(s.api))
			_, _, err = api.StartSocketModeContext(ctx)
		}
		if err != nil {
			f.add(setting.Broken, mend, "Slack gives no connection of Socket Mode: %s", words.Clean(err.Error(), 300))
			return
		}
		f.add(setting.Fine, "", "Slack gives connections of Socket Mode")
	}
}
