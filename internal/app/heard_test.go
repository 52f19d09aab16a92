package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/actions"
	"tocsin/internal/incident"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// signature is that of a body under a secret, as PagerDuty makes it.
func signature(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// hook is an event of PagerDuty's webhooks v3, in its form.
func hook(id, kind, key string, at time.Time) string {
	return fmt.Sprintf(`{"event":{"id":%q,"event_type":%q,"resource_type":"incident","occurred_at":%q,"agent":{"html_url":"https://acme.pagerduty.com/users/PLH1HKV","id":"PLH1HKV","summary":"Ana Example","type":"user_reference"},`+
		`"client":null,"data":{"id":"PGR0VU2","type":"incident","number":2,"status":"acknowledged","incident_key":%q,"title":"it","assignees":[{"id":"PTUXL6G","summary":"Ben Example","type":"user_reference"}]}}}`,
		id, kind, at.UTC().Format(time.RFC3339Nano), key)
}

// TestWebhooksOfAPager: what is said at PagerDuty counts at once, under the name that people have here. What is forged, too old, said again or said
// of what is over changes nothing.
func TestWebhooksOfAPager(t *testing.T) {
	p := newPolling(t, nil)
	now := time.Now()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("new-secret\nold-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := (&notifiers.PagerDuty{RoutingKeyFile: file, WebhookSecretFile: file}).New("oncall")
	if err != nil {
		t.Fatal(err)
	}
	deaf, err := (&notifiers.PagerDuty{RoutingKeyFile: file}).New("second")
	if err != nil {
		t.Fatal(err)
	}
	p.current.targets = map[string]outbox.Target{"oncall": {Notifier: n}, "second": {Notifier: deaf}}
	p.current.plan = &Plan{People: map[string]notifiers.Person{"ana": {Name: "ana", PagerDuty: "PLH1HKV"}}}
	desk := &store.Desk{Direct: func(*incident.Incident, time.Time) incident.Direction { return incident.Direction{} }, Traits: map[string]incident.Traits{"oncall": {Pages: true}}}
	p.actions = actions.New(p.store, func() *store.Desk { return desk })
	id := incident.NewID(now, incident.Key{Rule: "r", Group: "{}"}, "x")
	err = p.store.Update(t.Context(), func(tx *store.Tx) error {
		inc := incident.Incident{ID: id, State: incident.Open, Severity: incident.High, FirstEntry: now, OpenedAt: now, Round: 1, Alerts: []incident.Alert{
			{Key: incident.Key{Rule: "r", Group: "{}"}, Incident: id, State: incident.Firing, Severity: incident.High, Labels: incident.Labels{}, First: now, Last: now, FiredAt: now}}}
		inc.Headline = inc.Alerts[0].Key
		if err := tx.SaveIncident(t.Context(), &inc); err != nil {
			return err
		}
		_, err := tx.AddNotification(t.Context(), &incident.Notification{Incident: id, Target: "oncall", Kind: incident.Call, Round: 1, Key: id, Rings: true, State: incident.Sent, CreatedAt: now, SentAt: now, Due: now})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	state := func() string {
		var said []string
		err := p.store.View(t.Context(), func(tx *store.Tx) error {
			inc, err := tx.Incident(t.Context(), id)
			if err != nil {
				return err
			}
			events, err := tx.Events(t.Context(), id)
			said = append(said, string(inc.State))
			for _, e := range events {
				said = append(said, e.By+": "+e.Text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(said, " | ")
	}
	ack, assign := hook("1", "incident.acknowledged", id, now.Add(time.Second)), hook("2", "incident.reassigned", id, now.Add(2*time.Second))
	for _, c := range []struct{ what, signature, body, want, state string }{
		{"nothing signed", "", ack, "signature", "open"},
		{"signed with another secret", signature("guess", ack), ack, "signature", "open"},
		{"signed with nothing", signature("", ack), ack, "signature", "open"},
		{"signed with the whole file", signature("new-secret\nold-secret", ack), ack, "signature", "open"},
		{"another body", signature("new-secret", ack), ack + " ", "signature", "open"},
		{"another version", strings.Replace(signature("new-secret", ack), "v1", "v0", 1), ack, "signature", "open"},
		{"too old", signature("new-secret", hook("9", "incident.acknowledged", id, now.Add(-6*time.Minute))), hook("9", "incident.acknowledged", id, now.Add(-6*time.Minute)), "older than five minutes", "open"},
		{"of tomorrow", signature("new-secret", hook("9", "incident.resolved", id, now.Add(24*time.Hour))), hook("9", "incident.resolved", id, now.Add(24*time.Hour)), "to come", "open"},
		{"nonsense that is signed", signature("new-secret", "[]"), "[]", "cannot be read", "open"},
		{"a trial", signature("new-secret", hook("9", "pagey.ping", "", now.Add(-time.Hour))), hook("9", "pagey.ping", "", now.Add(-time.Hour)), "", "open"},
		{"another kind of event", signature("new-secret", hook("9", "incident.priority_updated", id, now)), hook("9", "incident.priority_updated", id, now), "", "open"},
		{"another's key", signature("new-secret", hook("9", "incident.resolved", "srv01/HTTP", now)), hook("9", "incident.resolved", "srv01/HTTP", now), "", "open"},
		{"given to another", "v1=00, " + signature("old-secret", assign), assign, "", "open | ana: at oncall it is given to Ben Example"},
		{"given, said again", signature("new-secret", assign), assign, "", "open | ana: at oncall it is given to Ben Example"},
		{"acknowledged", signature("old-secret", ack), ack, "", "acknowledged | ana: at oncall it is given to Ben Example | ana: ana has it"},
		{"acknowledged, said again", signature("new-secret", ack), ack, "", "acknowledged | ana: at oncall it is given to Ben Example | ana: ana has it"},
	} {
		header := http.Header{}
		if c.signature != "" {
			header.Set("X-PagerDuty-Signature", c.signature)
		}
		err := p.hear(t.Context(), header, []byte(c.body), now.Add(3*time.Second))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
		if got := state(); got != c.state {
			t.Errorf("%s: it is %q, want %q", c.what, got, c.state)
		}
	}
	// Something new takes it back; what was said before comes again.
	err = p.store.Update(t.Context(), func(tx *store.Tx) error {
		inc, err := tx.Incident(t.Context(), id)
		if err != nil {
			return err
		}
		book := incident.NewBook(now.Add(time.Minute), []incident.Incident{inc})
		book.Fire(incident.Alert{Key: incident.Key{Rule: "r", Group: `{"a":"b"}`}, Labels: incident.Labels{}, Severity: incident.Critical, First: now, Last: now})
		return desk.Settle(t.Context(), tx, now.Add(time.Minute), book)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{ack, hook("3", "incident.resolved", id, now.Add(2*time.Second))} {
		if err := p.hear(t.Context(), http.Header{"X-Pagerduty-Signature": {signature("new-secret", body)}}, []byte(body), now.Add(2*time.Minute)); err != nil {
			t.Error(err)
		}
		if got := state(); !strings.HasPrefix(got, "open") {
			t.Errorf("what was said before is heard again: %q", got)
		}
	}
}
