package notifiers

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// The age that a webhook's event may have. What is older is heard of by asking, and what comes again later says nothing new.
const (
	oldestEvent, aheadEvent = 5 * time.Minute, 5 * time.Minute
)

// pagerDutySignature is the header of the signatures: "v1=HEX", several with commas between while a secret is being replaced.
const pagerDutySignature = "X-PagerDuty-Signature"

// pagerDutyHook is an event of PagerDuty's webhooks v3, as far as it matters.
type pagerDutyHook struct {
	Event struct {
		ID         string             `json:"id"`
		Type       string             `json:"event_type"`
		OccurredAt time.Time          `json:"occurred_at"`
		Agent      pagerDutyReference `json:"agent"`
		Data       struct {
			IncidentKey string               `json:"incident_key"`
			Assignees   []pagerDutyReference `json:"assignees"`
		} `json:"data"`
	} `json:"event"`
}

// Hear takes an acknowledge, a resolve or another assignment out of an event of PagerDuty's webhooks v3. Its signature must be made with a
// secret of webhook_secret_file; without that file nothing is heard.
func (p *pagerDutyNotifier) Hear(header http.Header, body []byte, now time.Time) (Said, error) {
	if p.settings.WebhookSecretFile == "" {
		return Said{}, ErrForged
	}
	secret, err := setting.ReadSecret(p.settings.WebhookSecretFile)
	if err != nil {
		return Said{}, fmt.Errorf("open webhook secret of receiver %s: %w", p.receiver, err)
	}
	if !signedBy(strings.Fields(secret.Reveal()), header.Values(pagerDutySignature), body) {
		return Said{}, ErrForged
	}
	var hook pagerDutyHook
	if err := json.Unmarshal(body, &hook); err != nil {
		return Said{}, fmt.Errorf("%w: %w", ErrUnread, err)
	}
	e := &hook.Event
	switch age := now.Sub(e.OccurredAt); {
	case e.Type == "" || e.ID == "":
		return Said{}, fmt.Errorf("%w: it names no event", ErrUnread)
	case e.Type == "pagey.ping":
		return Said{}, nil
	case age > oldestEvent:
		return Said{}, ErrStale
	case age < -aheadEvent:
		return Said{}, fmt.Errorf("%w: it is of a time that is to come", ErrUnread)
	}
	said := Said{Answer: Answer{Key: e.Data.IncidentKey, By: cmp.Or(words.Clean(e.Agent.Summary, maxWho), "PagerDuty"), User: e.Agent.ID, At: e.OccurredAt}}
	switch e.Type {
	case "incident.acknowledged":
		said.State = incident.Acknowledged
	case "incident.resolved":
		said.State = incident.Resolved
	case "incident.reassigned", "incident.delegated", "incident.escalated":
		for _, a := range e.Data.Assignees {
			if name := words.Clean(a.Summary, maxWho); name != "" {
				said.Assigned = append(said.Assigned, name)
			}
		}
	default:
		return Said{}, nil // nothing that is of use here
	}
	if !ourKey.MatchString(said.Key) { // another's, or one whose key is not shown: asking tells
		said.Key, said.Ask = "", true
	}
	return said, nil
}

// signedBy says whether one of the signatures of a body is made with one of the secrets: "v1=" and the HMAC-SHA256 in hex.
func signedBy(secrets, headers []string, body []byte) bool {
	good := false
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		want := []byte("v1=" + hex.EncodeToString(mac.Sum(nil)))
		for _, header := range headers {
			for part := range strings.SplitSeq(header, ",") {
				good = hmac.Equal(want, []byte(strings.TrimSpace(part))) || good
			}
		}
	}
	return good
}
