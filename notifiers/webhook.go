package notifiers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	amtemplate "github.com/prometheus/alertmanager/template"

	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// Webhook posts what Alertmanager's webhook receiver posts (version 4), one incident a group: whatever takes that takes this.
type Webhook struct {
	// URL is where to post to. If the address itself is a secret, write it into a file and name that as url_file.
	URL string `yaml:"url"`
	// URLFile is the file that holds the address. It is read anew for each message.
	URLFile string `yaml:"url_file"`
	// TokenFile, if set, is the file that holds a token, sent as "Authorization: Bearer".
	TokenFile string `yaml:"token_file"`
}

// Resolve makes the relative paths of its files begin where the configuration is.
func (w *Webhook) Resolve(of func(path string) string) {
	w.URLFile = of(w.URLFile)
	w.TokenFile = of(w.TokenFile)
}

// Traits say that it neither rings nor edits.
func (w *Webhook) Traits() Traits { return Traits{} }

// Validate says everything that is wrong with the settings.
func (w *Webhook) Validate() []setting.FieldError {
	var errs []setting.FieldError
	switch {
	case w.URL == "" && w.URLFile == "":
		errs = append(errs, setting.FieldError{Path: "url", Text: "is missing: write where to post to, or name a file that holds it as url_file"})
	case w.URL != "" && w.URLFile != "":
		errs = append(errs, setting.FieldError{Path: "url_file", Text: "stands beside url: write one of the two"})
	case w.URL != "":
		if text := checkURL(w.URL); text != "" {
			errs = append(errs, setting.FieldError{Path: "url", Text: text})
		}
	}
	return errs
}

// New makes the notifier of a receiver.
func (w *Webhook) New(receiver string) (Notifier, error) {
	return &webhookNotifier{settings: *w, receiver: receiver, http: boundedClient()}, nil
}

type webhookNotifier struct {
	settings Webhook
	receiver string
	http     *http.Client
}

// webhookMessage is Alertmanager's.
type webhookMessage struct {
	*amtemplate.Data
	Version         string `json:"version"`
	GroupKey        string `json:"groupKey"`
	TruncatedAlerts int    `json:"truncatedAlerts"`
}

// maxWebhookAlerts bounds the alerts in one message; truncatedAlerts says how many were left out.
const maxWebhookAlerts = 100

// Preview is what Send would say, as text.
func (w *webhookNotifier) Preview(n Notice) string {
	s := tell(&n)
	return s.plain(&n)
}

// Send posts the incident as it is now; groupKey is its id, the receipt the notification's key. A post of a thread is posted
// as what it hangs on: the receiver has no threads.
func (w *webhookNotifier) Send(ctx context.Context, n Notice) (string, error) {
	address, err := w.address()
	if err != nil {
		return "", err
	}
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"tocsin"}}
	var token setting.Secret
	if w.settings.TokenFile != "" {
		if token, err = setting.ReadSecret(w.settings.TokenFile); err != nil {
			return "", fmt.Errorf("open token of receiver %s: %w", w.receiver, err)
		}
		header.Set("Authorization", "Bearer "+token.Reveal())
	}
	m := webhookMessage{Data: words.Data(&n.Incident, w.receiver, n.URL, n.Reason, nil), Version: "4", GroupKey: n.Notification.Incident}
	if more := len(m.Alerts) - maxWebhookAlerts; more > 0 {
		m.Alerts, m.TruncatedAlerts = m.Alerts[:maxWebhookAlerts], more
	}
	body, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("write webhook message: %w", err)
	}
	resp, answer, err := exchange(ctx, w.http, http.MethodPost, address.Reveal(), header, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("send to webhook of receiver %s: %w", w.receiver, err)
	}
	switch code := resp.StatusCode; {
	case code/100 == 2:
		return n.Key, nil
	case code == http.StatusTooManyRequests:
		return "", Later{errors.New("send to webhook of receiver " + w.receiver + ": it is asked too often"), retryAfter(resp.Header, n.Now, 30*time.Second)}
	case code/100 == 4 && code != http.StatusRequestTimeout:
		return "", Permanent{fmt.Errorf("send to webhook of receiver %s: it refuses with %d: %s", w.receiver, code, excerpt(answer, token, address))}
	default:
		return "", fmt.Errorf("send to webhook of receiver %s: it answers %d: %s", w.receiver, code, excerpt(answer, token, address))
	}
}

// address is where to post to.
func (w *webhookNotifier) address() (setting.Secret, error) {
	if w.settings.URLFile == "" {
		return setting.Secret(w.settings.URL), nil
	}
	address, err := setting.ReadSecret(w.settings.URLFile)
	if err != nil {
		return "", fmt.Errorf("open url_file of receiver %s: %w", w.receiver, err)
	}
	if text := checkURL(address.Reveal()); text != "" {
		return "", Permanent{fmt.Errorf("open url_file of receiver %s: it holds no absolute http or https URL", w.receiver)}
	}
	return address, nil
}
