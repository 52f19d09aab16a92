package notifiers

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// Alertmanager hands the alerts of incidents to an Alertmanager, by its API v2, for who routes and groups there. It forgets what it is
// not told again, so what is open is sent anew every three minutes; if tocsin says nothing for fifteen, the alerts end there by themselves.
type Alertmanager struct {
	// URLs are the addresses of the Alertmanager, of a cluster those of all its members, without /api/v2/alerts. Each is sent
	// everything; one that takes it is enough.
	URLs []string `yaml:"urls"`
	// TokenFile, if set, is the file that holds a token, sent as "Authorization: Bearer".
	TokenFile string `yaml:"token_file"`
	// Username and PasswordFile, if set, are sent as basic authentication.
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
}

// The times of what is open: how often it is sent, and how long it lasts without.
const (
	alertEvery = 3 * time.Minute
	alertLasts = 15 * time.Minute
)

// alertsAtOnce is how many alerts one request holds.
const alertsAtOnce = 200

// Resolve makes the relative paths of its files begin where the configuration is.
func (a *Alertmanager) Resolve(of func(path string) string) {
	a.TokenFile = of(a.TokenFile)
	a.PasswordFile = of(a.PasswordFile)
}

// Traits say that it neither rings nor edits.
func (a *Alertmanager) Traits() Traits { return Traits{} }

// Validate says everything that is wrong with the settings.
func (a *Alertmanager) Validate() []setting.FieldError {
	var errs []setting.FieldError
	add := func(path, text string) { errs = append(errs, setting.FieldError{Path: path, Text: text}) }
	if len(a.URLs) == 0 {
		add("urls", "is missing: write a list, such as [http://alertmanager:9093]; of a cluster all its members")
	}
	for i, address := range a.URLs {
		path := fmt.Sprintf("urls.%d", i)
		if text := checkURL(address); text != "" {
			add(path, text)
		} else if strings.Contains(address, "/api/v") || strings.ContainsAny(address, "?#") {
			add(path, "is the address of an API: write that of the Alertmanager, without /api/v2/alerts")
		}
	}
	switch {
	case (a.Username == "") != (a.PasswordFile == ""):
		add("password_file", "username and password_file belong together: write both, or none")
	case a.Username != "" && a.TokenFile != "":
		add("token_file", "stands beside username: write one of the two")
	}
	return errs
}

// New makes the notifier of a receiver.
func (a *Alertmanager) New(receiver string) (Notifier, error) {
	return &alertmanagerNotifier{settings: *a, receiver: receiver, http: boundedClient()}, nil
}

type alertmanagerNotifier struct {
	settings Alertmanager
	receiver string
	http     *http.Client
}

// amAlert is an alert as Alertmanager's API takes it.
type amAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// Every is how often what is open is sent anew.
func (a *alertmanagerNotifier) Every() time.Duration { return alertEvery }

// Preview is what Send would say, as text.
func (a *alertmanagerNotifier) Preview(n Notice) string {
	s := tell(&n)
	return s.plain(&n)
}

// Send hands over all alerts of the incident as they are now, to all members at once. To send the same again changes nothing there. The
// receipt is the notification's key.
func (a *alertmanagerNotifier) Send(ctx context.Context, n Notice) (string, error) {
	header := http.Header{}
	secret, err := authorized(a.receiver, a.settings.TokenFile, header)
	if err != nil {
		return "", err
	}
	if a.settings.Username != "" {
		if secret, err = setting.ReadSecret(a.settings.PasswordFile); err != nil {
			return "", fmt.Errorf("open password of receiver %s: %w", a.receiver, err)
		}
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(a.settings.Username+":"+secret.Reveal())))
	}
	alerts := a.alerts(&n)
	errs := make([]error, len(a.settings.URLs))
	var members sync.WaitGroup
	for i, address := range a.settings.URLs {
		members.Go(func() {
			to := setting.Secret(strings.TrimSuffix(address, "/") + "/api/v2/alerts")
			for rest := alerts; errs[i] == nil && len(rest) > 0; rest = rest[min(alertsAtOnce, len(rest)):] {
				_, errs[i] = post(ctx, a.http, n.Now, posting{to: "Alertmanager of receiver " + a.receiver, method: http.MethodPost, address: to, header: header,
					body: rest[:min(alertsAtOnce, len(rest))], sent: []setting.Secret{secret}})
			}
		})
	}
	members.Wait()
	if err := mildest(errs); err != nil {
		return "", err
	}
	return n.Key, nil
}

// mildest is what comes of several attempts of which one that succeeds is enough: nil, else one that is worth trying again, else a
// refusal.
func mildest(errs []error) error {
	var out error
	for _, err := range errs {
		if err == nil {
			return nil
		}
		if out == nil || IsPermanent(out) || errors.As(out, new(Later)) && !IsPermanent(err) {
			out = err
		}
	}
	return out
}

// alerts are those of the incident. Their labels, by which Alertmanager knows an alert again, are theirs, the rule as alertname, the
// severity, and the incident's id, to group by.
func (a *alertmanagerNotifier) alerts(n *Notice) []amAlert {
	data := words.Data(&n.Incident, a.receiver, n.URL, n.Reason, nil)
	over := n.Incident.State == incident.Resolved || n.Incident.State == incident.Merged
	out := make([]amAlert, 0, len(data.Alerts))
	for _, each := range data.Alerts {
		alert := amAlert{Labels: map[string]string{"incident": n.Incident.ID}, Annotations: map[string]string{}, StartsAt: each.StartsAt, EndsAt: each.EndsAt,
			GeneratorURL: words.WebAddress(each.GeneratorURL)}
		for name, value := range each.Labels {
			if value != "" {
				alert.Labels[labelName(name)] = value
			}
		}
		for name, text := range each.Annotations {
			alert.Annotations[labelName(name)] = text
		}
		switch {
		case each.Status == "firing" && !over:
			alert.EndsAt = n.Now.Add(alertLasts)
		case alert.EndsAt.IsZero() || alert.EndsAt.After(n.Now):
			alert.EndsAt = n.Now
		}
		if alert.StartsAt.IsZero() || alert.StartsAt.After(alert.EndsAt) {
			alert.StartsAt = alert.EndsAt
		}
		out = append(out, alert)
	}
	return out
}

// labelName is a name as every Alertmanager takes it: letters, digits and _, no digit first.
func labelName(name string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '_'
	}, name)
	if clean == "" || clean[0] >= '0' && clean[0] <= '9' {
		return "_" + clean
	}
	return clean
}
