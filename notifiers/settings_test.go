package notifiers_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/notifiers"
)

// TestValidate gives each kind settings that are wrong: every mistake is found, at its path, with what would be right.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		spec notifiers.Spec
		want []string // path: part of the text
	}{
		{"slack, nothing", &notifiers.Slack{}, []string{"channel: is missing", "token_file: is missing"}},
		{"slack, all wrong", &notifiers.Slack{Channel: "#Testing Ops", TokenFile: "xoxb-123", APIURL: "slack.com/api", Title: "{{ .Oops", Text: "a\n{{ nope }}"},
			[]string{"channel: is no channel", "token_file: holds the token itself", "api_url: is no absolute URL", "title: is no template: 1:1:", `text: is no template: 2:4: function "nope" not defined`}},
		{"slack, a password", &notifiers.Slack{Channel: "C0123456789", TokenFile: "f", APIURL: "https://u:hunter2@proxy/"}, []string{"api_url: holds a user or a password"}},
		{"slack, well", &notifiers.Slack{Channel: "testing-ops", TokenFile: "f", Title: "{{ .Status }}"}, nil},
		{"pagerduty, nothing", &notifiers.PagerDuty{}, []string{"routing_key_file: is missing"}},
		{"pagerduty, all wrong", &notifiers.PagerDuty{RoutingKeyFile: "0123456789abcdef0123456789abcdef", Service: "hook", URL: "ftp://x", APIURL: ":"},
			[]string{"routing_key_file: holds the secret itself", "service: is no service's id", "url: is no absolute URL", "api_url: is no URL"}},
		{"pagerduty, well", &notifiers.PagerDuty{RoutingKeyFile: "f", TokenFile: "g", Service: "PABC123", URL: "https://events.eu.pagerduty.com"}, nil},
		{"webhook, nothing", &notifiers.Webhook{}, []string{"url: is missing"}},
		{"webhook, both", &notifiers.Webhook{URL: "https://x", URLFile: "f"}, []string{"url_file: stands beside url"}},
		{"webhook, no URL", &notifiers.Webhook{URL: "x"}, []string{"url: is no absolute URL"}},
		{"console", &notifiers.Console{}, nil},
		{"alertmanager, nothing", &notifiers.Alertmanager{}, []string{"urls: is missing"}},
		{"alertmanager, all wrong", &notifiers.Alertmanager{URLs: []string{"alertmanager:9093", "http://am:9093/api/v2/alerts"}, Username: "u", TokenFile: "f"},
			[]string{"urls.0: is no absolute URL", "urls.1: is the address of an API", "password_file: username and password_file belong together"}},
		{"alertmanager, two ways in", &notifiers.Alertmanager{URLs: []string{"http://am:9093"}, Username: "u", PasswordFile: "p", TokenFile: "f"}, []string{"token_file: stands beside username"}},
		{"alertmanager, well", &notifiers.Alertmanager{URLs: []string{"http://am-0:9093", "http://am-1:9093/prefix/"}}, nil},
		{"email, nothing", &notifiers.Email{}, []string{"server: is no mail server", "from: is no address", "to: is missing"}},
		{"email, all wrong", &notifiers.Email{Server: "smtp.example.com", From: "Tocsin <x@example.com>\r\nBcc: y@example.com", Recipients: []string{"ana", "Ben <ben@example.com>"}, Username: "u", TLS: "ssl"},
			[]string{"server: is no mail server", "from: is no address", "to.0: \"ana\" is no address", "to.1: \"Ben <ben@example.com>\" is no address", "password_file: username and password_file belong together", "tls: \"ssl\" is not known"}},
		{"email, in the clear", &notifiers.Email{Server: "smtp.example.com:25", From: "x@example.com", Recipients: []string{"y@example.com"}, Username: "u", PasswordFile: "f", TLS: "none"}, []string{"tls: none would send the password in the clear"}},
		{"email, well", &notifiers.Email{Server: "smtp.example.com:587", From: "Tocsin <x@example.com>", Recipients: []string{"y@example.com"}, Username: "u", PasswordFile: "f"}, nil},
		{"discord, nothing", &notifiers.Discord{}, []string{"url_file: is missing"}},
		{"discord, the address itself", &notifiers.Discord{URLFile: "https://discord.com/api/webhooks/1/hunter2"}, []string{"url_file: holds the address itself"}},
		{"discord, well", &notifiers.Discord{URLFile: "f"}, nil},
		{"google_chat, nothing", &notifiers.GoogleChat{}, []string{"url_file: is missing"}},
		{"google_chat, the address itself", &notifiers.GoogleChat{URLFile: "https://chat.googleapis.com/v1/spaces/A/messages?token=hunter2"}, []string{"url_file: holds the address itself"}},
		{"teams, nothing", &notifiers.Teams{}, []string{"url_file: is missing"}},
		{"teams, the address itself", &notifiers.Teams{URLFile: "https://prod-1.westus.logic.azure.com/workflows/1?sig=hunter2"}, []string{"url_file: holds the address itself"}},
		{"ntfy, nothing", &notifiers.Ntfy{}, []string{"topic: is no topic"}},
		{"ntfy, all wrong", &notifiers.Ntfy{URL: "ntfy.sh", Topic: "a/b", TokenFile: "tk_hunter2"}, []string{"topic: is no topic", "token_file: holds the token itself", "url: is no absolute URL"}},
		{"ntfy, well", &notifiers.Ntfy{Topic: "prow-oncall"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			errs := c.spec.Validate()
			var got []string
			for i, e := range errs {
				said := e.Error()
				if strings.Contains(said, "hunter2") || strings.Contains(said, "0123456789abcdef") || strings.Contains(said, "xoxb-123") {
					t.Errorf("it tells a secret: %s", said)
				}
				if i < len(c.want) {
					path, part, _ := strings.Cut(c.want[i], ": ")
					if e.Path == path && strings.Contains(e.Text, part) {
						said = c.want[i]
					}
				}
				got = append(got, said)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTraits(t *testing.T) {
	for kind, want := range map[string]notifiers.Traits{"slack": {Edits: true}, "pagerduty": {Pages: true}, "webhook": {}, "console": {},
		"discord": {Edits: true}, "google_chat": {}, "teams": {}, "ntfy": {}, "email": {}, "alertmanager": {}} {
		if got := notifiers.Kinds[kind]().Traits(); got != want {
			t.Errorf("%s: %+v, want %+v", kind, got, want)
		}
	}
}
