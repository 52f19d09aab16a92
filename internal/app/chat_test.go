package app

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/fakes"
	"tocsin/internal/store"
)

var updateTalk = flag.Bool("update-talk", false, "write the transcript of the conversation in Slack anew")

// talk is a service and the Slack in which people speak to it, with a transcript of what is said.
type talk struct {
	t     *testing.T
	a     *App
	slack *fakes.Slack
	log   string

	mu      sync.Mutex
	said    strings.Builder
	changed chan struct{}
	sent    []signed
	// whispers is how many of them are in the transcript.
	whispers int
}

// signed is a request that Slack made.
type signed struct {
	url, body string
	header    http.Header
}

const talkConfig = `project: prow
sources: {logs: {file: {paths: [LOG]}}}
rules: [rules.yaml]
receivers: {ops: {slack: {channel: "#ops", token_file: token, signing_secret_file: secret, app_token_file: APP, api_url: 'URL/api/'}}}
people: {ana: {slack: U0000ANA, email: ana@example.com}, ben: {slack: U0000BEN}, cat: {slack: U0000CAT}}
sign_in: {tokens: {t: {role: viewer, token_file: token}}, roles: {silencer: ["ana@example.com"], responder: [ben], viewer: [cat]}}
route: {receiver: ops}
`

const talkRules = `rules:
  - name: config-load
    filter: jsonPayload.msg="Error loading config." resource.labels.cluster_name="prow"
    group_by: {cluster: resource.labels.cluster_name}
    detect: {threshold: {count: 1, window: 15m}}
    resolves: by_hand
    severity: high
    mode: tell
    annotations: {summary: 'the configuration does not load: {{ .Entry.jsonPayload.error }}'}
    cases: [{name: it fires, entries: ['{"resource":{"labels":{"cluster_name":"prow"}},"jsonPayload":{"msg":"Error loading config."}}'], fires: [{at: 0s}]},
            {name: elsewhere, entries: ['{"resource":{"labels":{"cluster_name":"x"}},"jsonPayload":{"msg":"Error loading config."}}'], fires: []}]
`

// newTalk starts a service and its Slack; socket says whether what people do comes in over Socket Mode.
func newTalk(t *testing.T, socket bool) *talk {
	t.Helper()
	dir := t.TempDir()
	k := &talk{t: t, slack: fakes.NewSlack(), log: filepath.Join(dir, "log"), changed: make(chan struct{}, 1000)}
	server := httptest.NewServer(http.StripPrefix("/api", k.slack))
	t.Cleanup(server.Close)
	k.slack.Address, k.slack.SigningSecret, k.slack.Token = server.URL+"/api", "the-signing-secret", "xoxb-1"
	k.slack.Observe = func(e fakes.SlackEvent) {
		k.say("tocsin %s%s:\n%s", e.Kind, map[bool]string{true: " in the thread"}[e.Message.ThreadTS != ""], indented(append(slackLines(e.Message), buttonsOf(e.Message)...)))
	}
	k.slack.Whispered = func(fakes.SlackWhisper) { k.changed <- struct{}{} }
	k.slack.Delivered = func(r *http.Request, body string) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.sent = append(k.sent, signed{r.URL.String(), body, r.Header.Clone()})
	}
	app := `""`
	if socket {
		app, k.slack.AppToken = "app-token", "xapp-1"
	}
	for name, text := range map[string]string{"token": "xoxb-1", "secret": "the-signing-secret", "app-token": "xapp-1", "log": "", "rules.yaml": talkRules,
		"tocsin.yaml": strings.NewReplacer("LOG", k.log, "URL", server.URL, "APP", app).Replace(talkConfig)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var err error
	if k.a, err = New(ctx, Options{Config: filepath.Join(dir, "tocsin.yaml"), Listen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(t.Output(), nil))}); err != nil {
		t.Fatal(err)
	}
	k.slack.App = k.a.URL()
	ended := make(chan error, 1)
	go func() { ended <- k.a.Run(ctx) }()
	t.Cleanup(func() {
		k.slack.Unlink()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-k.a.begun
	return k
}

func indented(lines []string) string { return "    " + strings.Join(lines, "\n    ") }

func buttonsOf(m fakes.SlackMessage) []string {
	if b := m.Buttons(); len(b) > 0 {
		return []string{"[" + strings.Join(b, "] [") + "]"}
	}
	return nil
}

func (k *talk) say(format string, args ...any) {
	k.mu.Lock()
	fmt.Fprintf(&k.said, format+"\n", args...)
	k.mu.Unlock()
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

// until waits until the transcript says something, so often.
func (k *talk) until(text string, times int) {
	k.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		k.mu.Lock()
		said := k.said.String()
		k.mu.Unlock()
		if strings.Count(said, text) >= times {
			return
		}
		select {
		case <-k.changed:
		case <-limit:
			k.t.Fatalf("nobody says %q %d times:\n%s", text, times, said)
		}
	}
}

// whispered waits for what only somebody sees, and puts it into the transcript: whether it comes before what all see is left to chance.
func (k *talk) whispered() {
	k.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		all := k.slack.Whispers()
		if len(all) > k.whispers {
			w := all[k.whispers]
			k.whispers++
			k.say("only %s sees:\n%s", w.User, indented(strings.Split(w.Text, "\n")))
			return
		}
		select {
		case <-k.changed:
		case <-limit:
			k.t.Fatalf("nobody is answered:\n%s", k.said.String())
		}
	}
}

func (k *talk) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// logs writes a line that fires.
func (k *talk) logs(text string) {
	k.t.Helper()
	f, err := os.OpenFile(k.log, os.O_APPEND|os.O_WRONLY, 0)
	k.must(err)
	defer f.Close()
	_, err = fmt.Fprintf(f, `{"logName":"projects/prow/logs/stdout","timestamp":%q,"insertId":%q,"resource":{"type":"k8s_container","labels":{"cluster_name":"prow"}},"jsonPayload":{"msg":"Error loading config.","error":%q}}`+"\n",
		time.Now().UTC().Format(time.RFC3339Nano), text, text)
	k.must(err)
}

// message is the incident's.
func (k *talk) message() fakes.SlackMessage {
	k.t.Helper()
	for _, m := range k.slack.Messages() {
		if m.ThreadTS == "" && m.User == "" {
			return m
		}
	}
	k.t.Fatal("there is no message")
	return fakes.SlackMessage{}
}

var unsteady = regexp.MustCompile(`\d\d:\d\d:\d\d(\.\d+)?( UTC)?|(?:http://[0-9.:]+)?/incidents/[0-9A-Z]{26}|\b0[0-9A-Z]{9,25}\b|\d{4}-\d\d-\d\d(T[0-9:.]+Z?)?|after \d+ (milli)?seconds?|after less than a second|after \d+m?s`)

// trail are the deeds on record.
func (k *talk) trail() []string {
	k.t.Helper()
	var out []string
	k.must(k.a.store.View(k.t.Context(), func(tx *store.Tx) error {
		all, err := tx.Traces(k.t.Context(), 0, 100)
		for _, t := range all {
			out = append(out, fmt.Sprintf("%s by %s (%s) %s", t.Deed, t.Who, t.Way, t.Detail))
		}
		return err
	}))
	return out
}

// TestTalkInSlack is a conversation, whole: an incident is opened, a stranger and somebody without the role are refused, who has it is seen, notes
// go both ways, and it is resolved.
func TestTalkInSlack(t *testing.T) {
	k := newTalk(t, false)
	k.logs("duplicated preset <!channel> & `x`")
	k.until("in the thread:\n    the configuration", 1)
	m := k.message()
	press := func(user, button string) {
		t.Helper()
		k.say("%s presses %s", user, button)
		k.must(k.slack.Press(user, m.Channel, m.TS, button))
	}
	press("U0STRANGER", "Acknowledge")
	k.whispered()
	press("U0000CAT", "Acknowledge")
	k.whispered()
	press("U0000ANA", "Acknowledge")
	k.until("acknowledged by ana", 1)
	k.whispered()
	k.say("U0000ANA writes in the thread")
	ts, err := k.slack.Write("U0000ANA", m.Channel, m.TS, "preset-aws is <there> twice, ask <@U0000BEN>")
	k.must(err)
	k.must(k.slack.Rewrite(m.Channel, ts, "preset-aws is there twice"))
	_, err = k.slack.Write("U0STRANGER", m.Channel, m.TS, "me too")
	k.must(err)
	k.whispered()
	_, err = k.slack.Write("U0STRANGER", m.Channel, m.TS, "and again")
	k.must(err)
	k.say("ben notes on the page")
	k.must(k.a.actions.Note(t.Context(), k.incident(), "ben", "reverted\n<!here> it", time.Now()))
	k.until("Note by ben", 1)
	for _, text := range []string{"oncall", "incidents", "declar x", "silence rule=x for ever"} {
		k.say("U0000ANA types /tocsin %s", text)
		_, err := k.slack.Type("U0000ANA", m.Channel, text)
		k.must(err)
		k.whispered()
	}
	press("U0000ANA", "Resolve")
	k.until("Resolved at", 1)
	k.whispered()
	k.say("on record:\n%s", indented(k.trail()))
	k.say("the notes:\n%s", indented(k.notes()))
	k.mu.Lock()
	got := unsteady.ReplaceAllString(k.said.String(), "…")
	k.mu.Unlock()
	const golden = "testdata/talk.txt"
	if *updateTalk {
		k.must(os.WriteFile(golden, []byte(got), 0o600))
	}
	want, err := os.ReadFile(golden)
	k.must(err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the conversation (-want +got)\n%s", diff)
	}
}

// incident is the id of the one there is; notes are those of its timeline.
func (k *talk) incident() (id string) {
	k.t.Helper()
	k.must(k.a.store.View(k.t.Context(), func(tx *store.Tx) error {
		all, err := tx.Incidents(k.t.Context(), store.IncidentFilter{Limit: 1})
		if err == nil {
			id = all[0].ID
		}
		return err
	}))
	return id
}

func (k *talk) notes() (out []string) {
	k.t.Helper()
	id := k.incident()
	k.must(k.a.store.View(k.t.Context(), func(tx *store.Tx) error {
		events, err := tx.Events(k.t.Context(), id)
		for _, e := range events {
			if e.Kind == "note" {
				out = append(out, e.By+": "+strings.ReplaceAll(e.Text, "\n", " / "))
			}
		}
		return err
	}))
	return out
}

// TestForgedStaleAndReplayed: what is not signed with the secret, is older than five minutes, or has come before changes nothing, on any way
// in; what is delivered to somebody else's path is not taken for what it is not.
func TestForgedStaleAndReplayed(t *testing.T) {
	k := newTalk(t, false)
	k.logs("duplicated preset")
	k.until("in the thread:\n    the configuration", 1)
	m := k.message()
	k.must(k.slack.Press("U0000ANA", m.Channel, m.TS, "Silence 1 h"))
	_, err := k.slack.Type("U0000ANA", m.Channel, "declare tide hangs")
	k.must(err)
	_, err = k.slack.Write("U0000ANA", m.Channel, m.TS, "a note")
	k.must(err)
	k.whispered()
	before := strings.Join(k.trail(), "\n")
	k.mu.Lock()
	sent := k.sent
	k.mu.Unlock()
	if len(sent) != 3 {
		t.Fatalf("%d requests were sent", len(sent))
	}
	ask := func(what string, s signed, want int, change func(http.Header)) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, strings.NewReader(s.body))
		k.must(err)
		r.Header = s.header.Clone()
		if change != nil {
			change(r.Header)
		}
		answer, err := http.DefaultClient.Do(r)
		k.must(err)
		answer.Body.Close()
		if answer.StatusCode != want || answer.ContentLength > 40 {
			t.Errorf("%s %s: %s and %d bytes, want %d", s.url, what, answer.Status, answer.ContentLength, want)
		}
		if after := strings.Join(k.trail(), "\n"); after != before {
			t.Errorf("%s %s: something was done:\n%s", s.url, what, cmp.Diff(before, after))
		}
	}
	for _, s := range sent {
		at := s.header.Get("X-Slack-Request-Timestamp")
		fresh := strings.NewReplacer("trigger0", "trigger9", "Ev0", "Ev9").Replace(s.body)
		ask("replayed", s, 200, nil)
		ask("with another secret", signed{s.url, fresh, s.header}, 401, func(h http.Header) { h.Set("X-Slack-Signature", fakes.SlackSignature("x", at, fresh)) })
		ask("changed", signed{s.url, fresh, s.header}, 401, nil)
		ask("unsigned", signed{s.url, fresh, s.header}, 401, func(h http.Header) { h.Del("X-Slack-Signature") })
		ask("without a time", signed{s.url, fresh, s.header}, 401, func(h http.Header) { h.Del("X-Slack-Request-Timestamp") })
		for _, by := range []time.Duration{-301 * time.Second, 305 * time.Second} {
			old := fmt.Sprint(time.Now().Add(by).Unix())
			ask("of another time", signed{s.url, fresh, s.header}, 401, func(h http.Header) {
				h.Set("X-Slack-Request-Timestamp", old)
				h.Set("X-Slack-Signature", fakes.SlackSignature("the-signing-secret", old, fresh))
			})
		}
		now := fmt.Sprint(time.Now().Unix())
		ask("delivered again, signed anew", s, 200, func(h http.Header) {
			h.Set("X-Slack-Request-Timestamp", now)
			h.Set("X-Slack-Signature", fakes.SlackSignature("the-signing-secret", now, s.body))
		})
	}
}
