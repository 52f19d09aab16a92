package notifiers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/internal/fakes"
	"tocsin/internal/incident"
	"tocsin/notifiers"
)

// secretFile writes a file that holds a secret.
func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func slackTo(t *testing.T, fake http.Handler, channel string) notifiers.Notifier {
	t.Helper()
	spec := &notifiers.Slack{Channel: channel, TokenFile: secretFile(t, "xoxb-canary"), APIURL: serve(t, fake)}
	if errs := spec.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	n, err := spec.New("ops")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func pagerDutyTo(t *testing.T, fake http.Handler) notifiers.Notifier {
	t.Helper()
	url := serve(t, fake)
	spec := &notifiers.PagerDuty{RoutingKeyFile: secretFile(t, "canary-key"), TokenFile: secretFile(t, "canary-token"), URL: url, APIURL: url}
	if errs := spec.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	n, err := spec.New("oncall")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// notice is of an incident that a rule of that name opened.
func notice(rule string, kind incident.NotificationKind, key string) notifiers.Notice {
	now := time.Now()
	head := incident.Key{Rule: rule, Group: "{}"}
	id := incident.NewID(now, head, "x")
	return notifiers.Notice{
		Notification: incident.Notification{Incident: id, Target: "ops", Kind: kind, Key: key, Reason: incident.ReasonOpened, CreatedAt: now},
		Incident: incident.Incident{ID: id, State: incident.Open, Severity: incident.High, Title: rule + " broke", Headline: head, FirstEntry: now,
			Alerts: []incident.Alert{{Key: head, State: incident.Firing, Count: 1, FirstLine: incident.Line{Time: now, Text: "the line of " + rule}}}},
		Now: now,
	}
}

func send(t *testing.T, n notifiers.Notifier, notice notifiers.Notice) string {
	t.Helper()
	receipt, err := n.Send(t.Context(), notice)
	if err != nil || receipt == "" {
		t.Fatalf("send: %q, %v", receipt, err)
	}
	return receipt
}

func TestSlackOneMessageEdited(t *testing.T) {
	fake := fakes.NewSlack()
	ops := slackTo(t, fake, "#testing-ops")
	n := notice("config", incident.Message, "m-1")
	n.Parent = send(t, ops, n)
	n.Incident.State, n.Incident.ResolvedAt = incident.Resolved, n.Now.Add(41*time.Minute)
	if again := send(t, ops, n); again != n.Parent {
		t.Errorf("an edit moved the message from %s to %s", n.Parent, again)
	}
	post := n
	post.Kind, post.Key, post.Event = incident.Post, "p-1", incident.Event{Text: "it is over"}
	send(t, ops, post)
	all := fake.Messages()
	if len(all) != 2 || len(all[0].Edits) != 1 || !strings.Contains(all[0].Text, "Resolved: config broke") || all[1].ThreadTS != all[0].TS || all[1].Broadcast {
		t.Errorf("one message, edited once, and one quiet post in its thread are wanted: %+v", all)
	}
	if all[0].Metadata.Payload["state"] != "resolved" || all[0].Nonce() != "m-1" {
		t.Errorf("the edit loses the metadata: %+v", all[0].Metadata)
	}
}

// TestSlackFind loses the answer to each kind of post and looks it up.
func TestSlackFind(t *testing.T) {
	for _, channel := range []string{"#testing-ops", "C0123456789"} {
		t.Run(channel, func(t *testing.T) {
			fake := fakes.NewSlack()
			fake.PageSize = 2
			var drop atomic.Bool
			fake.Before = func(method string, _ *http.Request) fakes.Fault {
				return fakes.Fault{Drop: drop.Load() && method == "chat.postMessage"}
			}
			ops := slackTo(t, fake, channel)
			finder := ops.(notifiers.Finder)
			lose := func(n notifiers.Notice) string {
				t.Helper()
				if _, found, err := finder.Find(t.Context(), n); err != nil && !notifiers.IsPermanent(err) || found {
					t.Errorf("found before it was sent: %v, %v", found, err)
				}
				drop.Store(true)
				if _, err := ops.Send(t.Context(), n); err == nil || notifiers.IsPermanent(err) || errors.As(err, new(notifiers.Later)) {
					t.Errorf("a lost answer is unclear, not %v", err)
				}
				drop.Store(false)
				receipt, found, err := finder.Find(t.Context(), n)
				if err != nil || !found {
					t.Fatalf("not found: %v", err)
				}
				return receipt
			}
			message := notice("config", incident.Message, "m-1")
			parent := lose(message)
			for i := range 5 { // so that it is on a later page
				send(t, ops, notice("other", incident.Message, fmt.Sprint("o-", i)))
			}
			if again, found, err := finder.Find(t.Context(), message); err != nil || !found || again != parent {
				t.Errorf("on a later page: %q, %v, %v", again, found, err)
			}
			post := notice("config", incident.Post, "p-1")
			post.Parent, post.Event = parent, incident.Event{Text: "more"}
			lose(post)
			call := notice("config", incident.Call, "c-1")
			call.Parent, call.Rings = parent, true
			lose(call)
			message.Parent = parent
			if _, found, err := finder.Find(t.Context(), message); found || err != nil {
				t.Errorf("an edit is simply repeated, not found: %v, %v", found, err)
			}
			if doubled := fake.Doubled(); len(doubled) > 0 {
				t.Errorf("doubled: %v", doubled)
			}
		})
	}
}

func TestSlackEditRefused(t *testing.T) {
	fake := fakes.NewSlack()
	ops := slackTo(t, fake, "#testing-ops")
	n := notice("config", incident.Message, "m-1")
	n.Parent = send(t, ops, n)
	channel, ts, _ := strings.Cut(n.Parent, "/")
	fake.Delete(channel, ts)
	anew := send(t, ops, n)
	if anew == n.Parent || len(fake.Messages()) != 1 {
		t.Errorf("a deleted message is posted anew: %s, %v", anew, fake.Messages())
	}
	// Had the answer to that been lost, the next attempt still knows only the old receipt: it must find the new message.
	if again := send(t, ops, n); again != anew || len(fake.Messages()) != 1 {
		t.Errorf("posted a third time: %s, %v", again, fake.Messages())
	}
	call := notice("config", incident.Call, "c-1")
	call.Parent, call.Rings = n.Parent, true
	send(t, ops, call)
	if all := fake.Messages(); len(all) != 2 || all[1].ThreadTS != "" {
		t.Errorf("what rings is said in the channel when the thread is gone: %+v", all)
	}
	post := notice("config", incident.Post, "p-1")
	post.Parent = n.Parent
	if _, err := ops.Send(t.Context(), post); !notifiers.IsPermanent(err) {
		t.Errorf("a quiet post of a thread that is gone has no place: %v", err)
	}
}

func TestSlackAdopt(t *testing.T) {
	fake := fakes.NewSlack()
	ops := slackTo(t, fake, "#testing-ops")
	open, over := notice("config", incident.Message, "m-1"), notice("crash", incident.Message, "m-2")
	want := send(t, ops, open)
	post := open
	post.Kind, post.Key, post.Parent, post.Rings, post.Text = incident.Post, "p-1", want, true, "nobody acknowledged"
	send(t, ops, post)
	over.Parent = send(t, ops, over)
	over.Incident.State, over.Incident.ResolvedAt = incident.Resolved, over.Now
	send(t, ops, over)
	later := slackTo(t, fake, "#testing-ops").(notifiers.Adopter) // another life
	for rule, found := range map[string]bool{"config": true, "crash": false, "never": false} {
		earlier, err := later.Adopt(t.Context(), incident.KeyHash(incident.Key{Rule: rule, Group: "{}"}))
		if err != nil || len(earlier.Keys) > 0 || found && earlier.Receipt != want || !found && earlier.Receipt != "" {
			t.Errorf("%s: %+v %v", rule, earlier, err)
		}
	}
}

// TestSlackVerdicts answers as Slack does when it does not do what was asked.
func TestSlackVerdicts(t *testing.T) {
	refused := func(code string) string { return `200 {"ok":false,"error":"` + code + `"}` }
	for _, c := range []struct{ answer, want string }{
		{refused("invalid_auth"), "permanent"}, {refused("token_revoked"), "permanent"}, {refused("account_inactive"), "permanent"},
		{refused("channel_not_found"), "permanent"}, {refused("is_archived"), "permanent"}, {refused("not_in_channel"), "permanent"},
		{refused("missing_scope"), "permanent"}, {refused("msg_too_long"), "permanent"}, {refused("invalid_blocks"), "permanent"},
		{"429/17 ", "later, after 17s"}, {"429/999999 ", "later, after 1h0m0s"}, {"429 ", "later, after 30s"}, {refused("ratelimited"), "later, after 30s"},
		{refused("internal_error"), "unclear"}, {refused("fatal_error"), "unclear"}, {refused("service_unavailable"), "unclear"},
		{refused("never_heard_of"), "unclear"}, {"500 <html>", "unclear"}, {"503 ", "unclear"}, {"302 ", "unclear"}, {"200 <html>hello</html>", "unclear"},
		{`200 {"ok":true,"channel":"C0000001"`, "unclear"}, {`200 {"ok":true}`, "unclear"}, {`200 {"ok":false}`, "unclear"}, {"200 ", "unclear"},
		{`200 {"ok":true,"pad":"` + strings.Repeat("x", 2<<20) + `","channel":"C0000001","ts":"1.1"}`, "unclear"},
	} {
		ops := slackTo(t, record(t, "slack", c.answer).Config.Handler, "C0000001")
		got := outcome(ops.Send(t.Context(), notice("config", incident.Message, "m-1")))
		if !strings.HasPrefix(got, c.want) || strings.Contains(got, "canary") {
			t.Errorf("%.60s: %swant %s", c.answer, got, c.want)
		}
	}
}

func TestSlackToken(t *testing.T) {
	fake := fakes.NewSlack()
	fake.Token = "xoxb-new"
	token := secretFile(t, "xoxb-old")
	ops, err := (&notifiers.Slack{Channel: "C0000001", TokenFile: token, APIURL: serve(t, fake)}).New("ops")
	if err != nil {
		t.Fatal(err)
	}
	n := notice("config", incident.Message, "m-1")
	if _, err := ops.Send(t.Context(), n); !notifiers.IsPermanent(err) {
		t.Errorf("an old token: %v", err)
	}
	if err := os.WriteFile(token, []byte("xoxb-new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	send(t, ops, n) // without a restart
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	if _, err := ops.Send(t.Context(), n); err == nil || notifiers.IsPermanent(err) || !strings.Contains(err.Error(), "open token of receiver ops") {
		t.Errorf("no token: %v", err)
	}
}

// TestDeadline stops waiting for a provider that never answers, and counts that as unclear.
func TestDeadline(t *testing.T) {
	hang := func(string, *http.Request) fakes.Fault { return fakes.Fault{Hang: time.Hour} }
	slack, pager := fakes.NewSlack(), fakes.NewPagerDuty()
	slack.Before, pager.Before = hang, hang
	for _, c := range []struct {
		n    notifiers.Notifier
		kind incident.NotificationKind
	}{{slackTo(t, slack, "#ops"), incident.Message}, {pagerDutyTo(t, pager), incident.Call}} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := c.n.Send(ctx, notice("config", c.kind, "k"))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || notifiers.IsPermanent(err) {
			t.Errorf("%v", err)
		}
	}
	if len(slack.Messages()) != 1 || len(pager.Snapshot().Alerts) != 1 {
		t.Error("both had taken it")
	}
}

func TestPagerDuty(t *testing.T) {
	for _, hide := range []bool{false, true} {
		fake := fakes.NewPagerDuty()
		fake.RoutingKey, fake.Token, fake.HideKeys = "canary-key", "canary-token", hide
		oncall := pagerDutyTo(t, fake)
		call := notice("config", incident.Call, "")
		call.Key = call.Notification.Incident
		for range 3 { // answers that were lost
			if receipt := send(t, oncall, call); receipt != call.Key {
				t.Errorf("receipt %s", receipt)
			}
		}
		second := call
		second.Key += ".2"
		send(t, oncall, second)
		if r := fake.Rings(); r[call.Key] != 1 || r[second.Key] != 1 {
			t.Errorf("each round rings once: %v", r)
		}
		poll := func() string {
			t.Helper()
			answers, err := oncall.(notifiers.Poller).Poll(t.Context(), []string{call.Key, second.Key, "unknown"})
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, a := range answers {
				if a.At.IsZero() {
					t.Error("no time")
				}
				all = append(all, fmt.Sprint(strings.TrimPrefix(a.Key, call.Key), a.State, " by ", a.By))
			}
			return strings.Join(all, "; ")
		}
		if got := poll(); got != "" {
			t.Errorf("nobody answered, yet %s", got)
		}
		fake.Acknowledge(second.Key, "Ada <b>\n")
		fake.Resolve(call.Key, "Grace")
		if got, want := poll(), "resolved by Grace; .2acknowledged by Ada <b>"; got != want {
			t.Errorf("answers %q, want %q", got, want)
		}
		hash := incident.KeyHash(incident.Key{Rule: "config", Group: "{}"})
		third := call
		third.Key += ".3"
		send(t, oncall, third)
		earlier, err := pagerDutyTo(t, fake).(notifiers.Adopter).Adopt(t.Context(), hash)
		if want := []string{third.Key, second.Key}; err != nil || !slices.Equal(earlier.Keys, want) {
			t.Errorf("adopt what is open: %q, not %q: %v", earlier.Keys, want, err)
		}
		for _, over := range []notifiers.Notice{second, third} {
			over.Kind = incident.CallResolve
			send(t, oncall, over)
		}
		if earlier, err = pagerDutyTo(t, fake).(notifiers.Adopter).Adopt(t.Context(), hash); len(earlier.Keys) > 0 || err != nil {
			t.Errorf("nothing is open: %v %v", earlier, err)
		}
		if s := fake.Snapshot(); len(s.Wrong) > 0 || len(s.Events) != 7 {
			t.Errorf("events %+v, wrong %v", s.Events, s.Wrong)
		}
	}
}

// TestPagerDutyPollAsksOnceForAll: a storm's hundreds of pages must not be asked for one by one, every few seconds.
func TestPagerDutyPollAsksOnceForAll(t *testing.T) {
	for _, hide := range []bool{false, true} {
		fake := fakes.NewPagerDuty()
		fake.HideKeys = hide
		var asked atomic.Int64
		fake.Before = func(method string, _ *http.Request) fakes.Fault {
			if method == "incidents" {
				asked.Add(1)
			}
			return fakes.Fault{}
		}
		oncall := pagerDutyTo(t, fake)
		var keys []string
		for i := range 250 {
			n := notice(fmt.Sprint("r", i), incident.Call, "")
			n.Key = n.Notification.Incident
			send(t, oncall, n)
			keys = append(keys, n.Key)
		}
		poll := func(want string) int64 {
			t.Helper()
			asked.Store(0)
			answers, err := oncall.(notifiers.Poller).Poll(t.Context(), keys)
			var got []string
			for _, a := range answers {
				got = append(got, fmt.Sprint(slices.Index(keys, a.Key), " ", a.State))
			}
			if err != nil || strings.Join(got, ", ") != want {
				t.Errorf("answers %v, %v; want %s", got, err, want)
			}
			return asked.Load()
		}
		poll("")
		if n := poll(""); n != 3 {
			t.Errorf("%d questions for 250 keys, want 3", n)
		}
		fake.Acknowledge(keys[7], "Ada")
		fake.Resolve(keys[200], "Grace")
		if n := poll("7 acknowledged, 200 resolved"); n != 4 {
			t.Errorf("%d questions, want 3 and one for what is not open", n)
		}
	}
}

func TestPagerDutyVerdicts(t *testing.T) {
	for answer, want := range map[string]string{
		"202 {}": "receipt k", "400 {\"errors\":[\"Invalid routing key canary-key\"]}": "permanent", "429/90 ": "later, after 1m30s", "429 ": "later, after 30s",
		"500 ": "unclear", "502 <html>": "unclear", "403 forbidden": "unclear", "307 ": "unclear", "404 ": "unclear",
	} {
		oncall := pagerDutyTo(t, record(t, "pagerduty", answer).Config.Handler)
		if got := outcome(oncall.Send(t.Context(), notice("config", incident.Call, "k"))); !strings.HasPrefix(got, want) || strings.Contains(got, "canary-key") {
			t.Errorf("%s: %swant %s", answer, got, want)
		}
	}
	for answer, want := range map[string]string{"401 no canary-token": "permanent", "403 ": "permanent", "429/5 ": "later, after 5s", "500 ": "unclear", "200 <html>": "unclear"} {
		oncall := pagerDutyTo(t, record(t, "pagerduty", answer).Config.Handler)
		_, err := oncall.(notifiers.Poller).Poll(t.Context(), []string{"k"})
		if got := outcome("", err); !strings.HasPrefix(got, want) || strings.Contains(got, "canary-token") {
			t.Errorf("poll, %s: %swant %s", answer, got, want)
		}
	}
}

// TestLongAndMany sends the longest lines and the most alerts that may come: the stand-ins refuse what the providers would.
func TestLongAndMany(t *testing.T) {
	n := notice("config", incident.Message, "m-1")
	long := strings.Repeat("&<>`", 64<<10)
	n.Incident.Title, n.Incident.Alerts[0].FirstLine.Text = long, long
	for i := range 500 {
		n.Incident.Alerts = append(n.Incident.Alerts, incident.Alert{Key: incident.Key{Rule: fmt.Sprint("r", i)}, State: incident.Firing,
			Annotations: map[string]string{"summary": fmt.Sprint(i, long[:1000]), "runbook_url": "https://x/" + strings.Repeat("r", 5000)}})
	}
	n.Event.Lines = []incident.Line{{Text: long}, {Text: long}, {Text: long}, {Text: long}, {Text: long}}
	n.Event.Text, n.Text, n.URL = long, long, "https://x/"+strings.Repeat("u", 1900)
	slack, pager := fakes.NewSlack(), fakes.NewPagerDuty()
	ops, oncall := slackTo(t, slack, "#ops"), pagerDutyTo(t, pager)
	for _, kind := range []incident.NotificationKind{incident.Message, incident.Post, incident.Call} {
		n.Kind = kind
		send(t, ops, n)
	}
	send(t, oncall, n)
	for _, m := range slack.Messages() {
		if len(m.Blocks) > 13000 || len(m.Blocks) == 0 || len(m.Text) > 12000 {
			t.Errorf("%d bytes of blocks, %d of text", len(m.Blocks), len(m.Text))
		}
	}
	if c := slack.Snapshot().Calls["chat.postMessage"]; c != 3 {
		t.Errorf("%d calls for 3 messages: Slack refused the blocks", c)
	}
}

// TestConcurrent is for the race detector: one notifier is used by many.
func TestConcurrent(t *testing.T) {
	fake := fakes.NewSlack()
	ops := slackTo(t, fake, "#testing-ops")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			n := notice("config", incident.Message, fmt.Sprint("m-", i))
			receipt, err := ops.Send(t.Context(), n)
			found, ok, finderErr := ops.(notifiers.Finder).Find(t.Context(), n)
			if err != nil || finderErr != nil || !ok || found != receipt {
				t.Errorf("%v %v %v %q %q", err, finderErr, ok, found, receipt)
			}
		})
	}
	wg.Wait()
}
