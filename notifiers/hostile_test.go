package notifiers_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	netmail "net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"tocsin/internal/incident"
	"tocsin/notifiers"
)

// hostile is what a log line, or whoever names a thing, may try: mentions and markup of each chat, HTML, escapes of terminals, line breaks
// of headers, characters that nobody sees, a secret.
const hostile = "<!channel> <!here|x> <@U0000001> @everyone @here <@&123> <users/all> <at>all</at> [click](https://evil.example) <https://evil.example|ours> " +
	"<a href=\"https://evil.example\">x</a><script>alert(1)</script><img src=x onerror=y> ```\n<!channel>\n``` **b** __i__ ~~s~~ ||spoiler|| {{DATE(2026-01-01T00:00:00Z,SHORT)}} " +
	"\x1b[31mred\x1b]0;title\x07 \u202ertl\u202c \u200bzero \x00nul \r\nBcc: everybody@example.com\r\n\r\n.\r\nQUIT\r\n =?utf-8?q?=E2=80=AE?= xoxb-123456789012-abcdefghijkl"

// hostileNotice is an incident all of whose words are hostile, with lines of 256 KiB.
func hostileNotice(kind incident.NotificationKind) notifiers.Notice {
	n := notice("config", kind, "m-1")
	long := hostile + strings.Repeat(hostile, 256<<10/len(hostile)) + " the end says why"
	line := incident.Line{Time: n.Now, Text: long, Service: hostile}
	n.Rings, n.Text, n.URL = true, hostile, "https://tocsin.example/incidents/"+n.Incident.ID
	n.Event = incident.Event{Text: hostile, Lines: []incident.Line{line, line}}
	n.People = []notifiers.Person{{Name: hostile, Slack: "<!channel>"}}
	inc := &n.Incident
	inc.Title, inc.Cluster, inc.Project = hostile+" the end says why", hostile, hostile
	inc.Acknowledgement = &incident.Acknowledgement{By: hostile, At: n.Now}
	inc.State = incident.Acknowledged
	inc.Labels = incident.Labels{hostile: hostile}
	for i := range 5 {
		inc.Alerts = append(inc.Alerts, incident.Alert{Key: incident.Key{Rule: hostile, Group: string(rune('a' + i))}, State: incident.Firing, FirstLine: line, List: []string{hostile},
			Labels: incident.Labels{"service": hostile, hostile: hostile}, Annotations: map[string]string{"summary": hostile, "runbook_url": "javascript:alert(1)" + hostile}})
	}
	inc.Alerts[0].FirstLine, inc.Alerts[0].Annotations = line, map[string]string{"runbook_url": "https://evil.example/|<!channel>\r\n)"}
	return n
}

// TestHostile sends it through every kind: what arrives is text, bounded, with its end, and asks nobody for anything.
func TestHostile(t *testing.T) {
	// most is how many bytes arrive at the most, in all requests of a notice; never are what must not stand there as such.
	kinds := map[string]struct {
		most  int
		never []string
	}{
		"slack":        {60_000, []string{"<!channel", "<!here", "<@U0000001>", "<https://evil.example|", "<users"}},
		"discord":      {9_000, []string{" @everyone", " <@U0", "](https://evil", " <users", "||spoiler", "**b**"}},
		"google_chat":  {32_000, []string{"<users/all>", "<a href", "<script", "<img"}},
		"teams":        {28_000, []string{"\nTextBlock\n", "\"entities\""}},
		"ntfy":         {9_000, []string{"\"markdown\""}},
		"email":        {60_000, []string{"header Bcc", "<script", "<img", "<a href=\"https://evil.example\""}},
		"pagerduty":    {512_000, nil},
		"webhook":      {600_000, nil},
		"alertmanager": {600_000, nil},
		"console":      {20_000, nil},
	}
	for kind, make := range notifiers.Kinds {
		c, known := kinds[kind]
		if !known {
			t.Errorf("what kind %s makes of hostile text is not held to anything", kind)
		}
		t.Run(kind, func(t *testing.T) {
			notification := incident.Message
			if make().Traits().Pages {
				notification = incident.Call
			}
			texts, total := arrives(t, kind, make(), hostileNotice(notification))
			if total > c.most {
				t.Errorf("%d bytes arrive, at most %d may", total, c.most)
			}
			all := strings.Join(texts, "\n")
			if kind == "discord" { // within a fence, which the text cannot end, nothing is read
				all = regexp.MustCompile("(?s)```.*?```").ReplaceAllString(all, "the end says why")
			}
			for _, never := range append(c.never, "xoxb-1234", "\x1b", "\u202e", "\u200b", "\x00", "\r", "\"javascript:") {
				if i := strings.Index(all, never); i >= 0 {
					t.Errorf("%q arrives: …%.80q…", never, all[max(0, i-20):])
				}
			}
			if !strings.Contains(all, "the end says why") {
				t.Error("the end of the line is lost, which says why")
			}
		})
	}
}

// arrives is all texts that a provider gets of a notice, taken out of their JSON, form or mail, and how many bytes came.
func arrives(t *testing.T, kind string, spec notifiers.Spec, n notifiers.Notice) (texts []string, total int) {
	t.Helper()
	var mu sync.Mutex
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		total += len(body)
		texts = append(texts, textsOf(t, body)...)
		_, _ = io.WriteString(w, `{"ok":true,"channel":"C0000001","ts":"1.1","id":"1098765432109876543"}`)
	}))
	secret := secretFile(t, "canary")
	hook := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(hook, []byte(address+"/hook"), 0o600); err != nil {
		t.Fatal(err)
	}
	var office *postOffice
	var printed bytes.Buffer
	switch s := spec.(type) {
	case *notifiers.Alertmanager:
		s.URLs = []string{address}
	case *notifiers.Console:
		s.Output = &printed
	case *notifiers.Discord:
		s.URLFile = hook
	case *notifiers.Email:
		office = newPostOffice(t, &postOffice{})
		s.Server, s.From, s.Recipients, s.Roots = office.address, "tocsin@example.com", []string{"ana@example.com"}, office.roots
	case *notifiers.GoogleChat:
		s.URLFile = hook
	case *notifiers.Ntfy:
		s.URL, s.Topic = address, "ops"
	case *notifiers.PagerDuty:
		s.RoutingKeyFile, s.URL = secret, address
	case *notifiers.Slack:
		s.Channel, s.TokenFile, s.APIURL = "C0000001", secret, address
	case *notifiers.Teams:
		s.URLFile = hook
	case *notifiers.Webhook:
		s.URL = address
	}
	notifier, err := spec.New("ops")
	if err != nil {
		t.Fatal(err)
	}
	send(t, notifier, n)
	switch {
	case office != nil:
		m, err := netmail.ReadMessage(strings.NewReader(office.mails[0]))
		if err != nil {
			t.Fatal(err)
		}
		for name := range m.Header {
			texts = append(texts, "header "+name)
		}
		for kind, part := range bodies(t, m) {
			if strings.Contains(kind, "html") { // the other part is text, whatever stands in it
				texts = append(texts, strings.ReplaceAll(part, "\r\n", "\n"))
			}
		}
		total = len(office.mails[0])
	case kind == "console":
		texts, total = []string{printed.String()}, printed.Len()
	}
	return texts, total
}

// textsOf are the texts in a body: every key and value of its JSON, or of the JSON in its form's fields.
func textsOf(t *testing.T, body []byte) []string {
	t.Helper()
	var v any
	if json.Unmarshal(body, &v) == nil {
		return leaves(v)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Error(err)
	}
	var out []string
	for _, values := range form {
		for _, value := range values {
			if json.Unmarshal([]byte(value), &v) == nil {
				out = append(out, leaves(v)...)
				continue
			}
			out = append(out, value)
		}
	}
	return out
}

func leaves(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, each := range v {
			out = append(out, leaves(each)...)
		}
	case map[string]any:
		for name, each := range v {
			if name == "title" || name == "subtitle" { // of a card of Google Chat, and of ntfy: plain text
				continue
			}
			out = append(append(out, `"`+name+`"`), leaves(each)...)
		}
	}
	return out
}
