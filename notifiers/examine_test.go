package notifiers_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/fakes"
	"tocsin/internal/setting"
	"tocsin/notifiers"
)

// found are the findings as lines: their level and text, and the mend behind an arrow.
func found(t *testing.T, n notifiers.Notifier) string {
	t.Helper()
	var lines []string
	for _, f := range n.(notifiers.Examiner).Examine(t.Context()) {
		line := string(f.Level) + " " + f.Text
		if f.Mend != "" {
			line += " -> " + f.Mend
		}
		if f.Level != setting.Fine && f.Mend == "" && !strings.Contains(f.Text, "does not say") {
			t.Errorf("no mend: %+v", f)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestExamineSlack(t *testing.T) {
	const all = "chat:write,channels:history,channels:read"
	const known = "ok Slack knows the token: tocsin in fake\n"
	const install = " -> add it to the app (OAuth & Permissions), or use deploy/slack-manifest.yaml, and install the app again\n"
	for name, c := range map[string]struct {
		fake    *fakes.Slack
		channel string
		want    string
	}{
		"well":        {&fakes.Slack{Scopes: all}, "C0123456789", known + "ok the bot is in the channel C0123456789"},
		"other token": {&fakes.Slack{Token: "xoxb-other"}, "C0123456789", "fail Slack does not take the token: invalid_auth -> put the bot token (xoxb-...) of the installed app into token_file"},
		"no scope": {&fakes.Slack{Scopes: "incoming-webhook"}, "#ops", known +
			"fail the scope chat:write is missing: nothing can be posted" + install +
			"fail the scope channels:history (groups:history for a private channel) is missing: after an unclear answer it cannot be seen whether a message is there, and it may be posted twice" + install +
			"fail the scope channels:read (groups:read for a private channel) is missing: the channel is given by name, and its id cannot be found; or write the id into the settings" + install +
			"warn without channels:read it cannot be seen whether the bot is in #ops -> give the app channels:read (groups:read), or try: tocsin notify-test ops"},
		"not invited": {&fakes.Slack{Scopes: all, Channel: func(c map[string]any) { c["is_member"] = false }}, "C0123456789",
			known + "fail the bot is not in the channel C0123456789 -> in Slack: /invite the bot in that channel"},
		"archived": {&fakes.Slack{Scopes: all, Channel: func(c map[string]any) { c["is_archived"] = true }}, "C0123456789",
			known + "fail the channel C0123456789 is archived -> unarchive it, or name another"},
	} {
		fake := fakes.NewSlack()
		fake.Scopes, fake.Token, fake.Channel = c.fake.Scopes, c.fake.Token, c.fake.Channel
		got := found(t, slackTo(t, fake, c.channel))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		if strings.Contains(got, "xoxb-canary") {
			t.Errorf("%s: it shows the token", name)
		}
		if m := fake.Messages(); len(m) > 0 {
			t.Errorf("%s: it posted %d messages", name, len(m))
		}
	}
}

// TestExamineSlackHears: a receiver at which people answer needs a scope more, and secrets of its own.
func TestExamineSlackHears(t *testing.T) {
	const speaks = "ok Slack knows the token: tocsin in fake\nok the bot is in the channel C0123456789\n"
	const secretMend = " -> put the app's signing secret (Basic Information, App Credentials) into signing_secret_file"
	const tokenMend = " -> put an app-level token (xapp-..., Basic Information, App-Level Tokens, scope connections:write) into app_token_file, and switch Socket Mode on in the app"
	for name, c := range map[string]struct{ scopes, secret, token, want string }{
		"well": {"chat:write,channels:history,channels:read,commands", "0123456789abcdef0123456789abcdef", "xapp-canary",
			"ok the signing secret has the right form\nok Slack gives connections of Socket Mode"},
		"wrong": {"chat:write,channels:history,channels:read", "not-a-secret", "xapp-other",
			"warn the scope commands is missing: nobody can type /tocsin -> add it to the app (OAuth & Permissions), or use deploy/slack-manifest.yaml, and install the app again\n" +
				"fail what signing_secret_file holds is no signing secret: one has 32 digits of 0 to f, this has 12 characters" + secretMend + "\n" +
				"fail Slack gives no connection of Socket Mode: invalid_auth" + tokenMend},
	} {
		fake := fakes.NewSlack()
		fake.Scopes, fake.AppToken = c.scopes, "xapp-canary"
		url := serve(t, fake)
		fake.Address = url
		spec := &notifiers.Slack{Channel: "C0123456789", TokenFile: secretFile(t, "xoxb-canary"), APIURL: url,
			SigningSecretFile: secretFile(t, c.secret), AppTokenFile: secretFile(t, c.token)}
		n, err := spec.New("ops")
		if err != nil {
			t.Fatal(err)
		}
		got := found(t, n)
		if diff := cmp.Diff(speaks+c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		for _, secret := range []string{c.secret, c.token} {
			if strings.Contains(got, secret) {
				t.Errorf("%s: it shows %s", name, secret)
			}
		}
		if fake.Linked() {
			t.Errorf("%s: it opened a connection", name)
		}
	}
}

func TestExaminePagerDuty(t *testing.T) {
	fake := fakes.NewPagerDuty()
	url := serve(t, fake)
	for name, c := range map[string]struct {
		key, token, want string
	}{
		"well":  {"0123456789abcdef0123456789abcdef", "canary-token", "ok the integration key has the right form; whether it rings: tocsin notify-test oncall\nok PagerDuty takes the REST token"},
		"newer": {"R0123456789ABCDEF0123456789ABCDE", "", "ok the integration key has the right form; whether it rings: tocsin notify-test oncall\nwarn without a REST token tocsin does not see what is acknowledged at PagerDuty -> give it token_file: a read-only REST API key"},
		"other": {"canary-key", "stale-token", "fail what FILE holds is no integration key: one has 32 letters and digits, this has 10 characters -> in PagerDuty: the service, Integrations, Events API v2, Integration Key\n" +
			"fail ask PagerDuty: it refuses the token of receiver oncall (401): {\"error\":{\"code\":2006,\"message\":\"Invalid Credentials\"}} -> in PagerDuty: Integrations, API Access Keys, a read-only key"},
	} {
		fake.Token = "canary-token"
		spec := &notifiers.PagerDuty{RoutingKeyFile: secretFile(t, c.key), URL: url, APIURL: url}
		if c.token != "" {
			spec.TokenFile = secretFile(t, c.token)
		}
		n, err := spec.New("oncall")
		if err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(found(t, n), spec.RoutingKeyFile, "FILE")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		if strings.Contains(got, c.key) {
			t.Errorf("%s: it shows the key", name)
		}
	}
	if rings := fake.Rings(); len(rings) > 0 {
		t.Errorf("it rang: %v", rings)
	}
}
