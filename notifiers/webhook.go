package notifiers

import (
	"context"
	"net/http"

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
	return checkAddress(w.URL, w.URLFile)
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
	address, err := addressOf(w.receiver, w.settings.URL, w.settings.URLFile)
	if err != nil {
		return "", err
	}
	header := http.Header{}
	token, err := authorized(w.receiver, w.settings.TokenFile, header)
	if err != nil {
		return "", err
	}
	m := webhookMessage{Data: words.Data(&n.Incident, w.receiver, n.URL, n.Reason, nil), Version: "4", GroupKey: n.Notification.Incident}
	if more := len(m.Alerts) - maxWebhookAlerts; more > 0 {
		m.Alerts, m.TruncatedAlerts = m.Alerts[:maxWebhookAlerts], more
	}
	_, err = post(ctx, w.http, n.Now, posting{
		to: "webhook of receiver " + w.receiver, method: http.MethodPost, address: address, header: header, body: m, sent: []setting.Secret{token},
	})
	if err != nil {
		return "", err
	}
	return n.Key, nil
}
