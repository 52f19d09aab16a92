package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// The bounds of alerts that are posted.
const (
	// maxAlertsBody is how many bytes one request may have, maxAlertsAtOnce how many alerts.
	maxAlertsBody, maxAlertsAtOnce = 4 << 20, 2000
	// maxAlertNames is how many labels, and annotations, an alert may have; maxAlertName and maxAlertText are their bounds in bytes.
	maxAlertNames, maxAlertName, maxAlertText = 64, 128, 4 << 10
	// alertLasts is how long an alert fires that says nothing of its end: Alertmanager's own default.
	alertLasts = 5 * time.Minute
)

// ourIncident is the label by which an alert that tocsin has handed to an Alertmanager is known again.
var ourIncident = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`)

// alertsPath is Alertmanager's.
const alertsPath = "/api/v2/alerts"

// alertsExample is a body as it should be.
const alertsExample = `[{"labels": {"alertname": "..."}}]`

// postedAlert is an alert as Prometheus and amtool post it, and as an Alertmanager's webhook tells it.
type postedAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	// Status is of a webhook's: it names no end of what fires.
	Status string `json:"status"`
}

// postAlerts takes alerts as Alertmanager's API v2 does, or the message of an Alertmanager's webhook receiver. They are kept before the
// answer. As there, what is right is taken beside what is not.
func (s *server) postAlerts(w http.ResponseWriter, r *http.Request) error {
	if err := checkType(r, "application/json"); err != nil {
		return err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return unreadable(err, alertsExample)
	}
	var alerts []postedAlert
	lasts := alertLasts
	if text := strings.TrimSpace(string(body)); strings.HasPrefix(text, "{") {
		var webhook struct {
			Alerts []postedAlert `json:"alerts"`
		}
		err = json.Unmarshal(body, &webhook)
		alerts, lasts = webhook.Alerts, webhookLasts
	} else {
		err = json.Unmarshal(body, &alerts)
	}
	switch {
	case err != nil:
		return unreadable(err, alertsExample)
	case alerts == nil && lasts == webhookLasts:
		return invalid("the body is an object without alerts: send an array, " + alertsExample + ", or the message of an Alertmanager's webhook")
	case alerts == nil:
		return invalid("the body is not " + alertsExample + ": it is null")
	}
	if len(alerts) > maxAlertsAtOnce {
		return invalid(fmt.Sprintf("%d alerts at once, at most %d are taken", len(alerts), maxAlertsAtOnce))
	}
	now := s.Now()
	var taken []store.Posted
	var wrong []string
	for i := range alerts {
		if ourIncident.MatchString(alerts[i].Labels["incident"]) {
			continue // it came from here: taken for new it would be told there, and come again
		}
		p, err := alerts[i].posted(now, lasts)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("alert %d: %v", i, err))
			continue
		}
		taken = append(taken, p)
	}
	if len(taken) > 0 {
		if err := s.Post(r.Context(), taken, now); errors.Is(err, store.ErrManyPosted) {
			w.Header().Set("Retry-After", "30")
			return &refusal{http.StatusServiceUnavailable, client.Internal, err.Error()}
		} else if err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		return invalid(strings.Join(wrong[:min(len(wrong), 10)], "; "))
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// webhookLasts is how long an alert of a webhook fires without being told again: an Alertmanager repeats it every four hours unless told
// otherwise, and says when it is over.
const webhookLasts = 24 * time.Hour

// posted is the alert as it is kept, or why it cannot be.
func (a *postedAlert) posted(now time.Time, lasts time.Duration) (store.Posted, error) {
	p := store.Posted{StartsAt: a.StartsAt, EndsAt: a.EndsAt}
	var err error
	if p.Labels, err = checkTexts(a.Labels, "labels"); err != nil {
		return p, err
	}
	if p.Labels["alertname"] == "" {
		return p, errors.New("it has no label alertname")
	}
	if p.Annotations, err = checkTexts(a.Annotations, "annotations"); err != nil {
		return p, err
	}
	if u, err := url.Parse(a.GeneratorURL); err == nil && (u.Scheme == "http" || u.Scheme == "https") && len(a.GeneratorURL) <= maxAlertText {
		p.Generator = a.GeneratorURL
	}
	if p.StartsAt.IsZero() || p.StartsAt.After(now) {
		p.StartsAt = now
	}
	if p.EndsAt.IsZero() || a.Status == "firing" && !p.EndsAt.After(now) {
		p.EndsAt = now.Add(lasts)
	}
	if !p.EndsAt.After(now) || a.Status == "resolved" {
		p.Over = true
	}
	if last := now.Add(365 * 24 * time.Hour); p.EndsAt.After(last) { // what can be kept as a time
		p.EndsAt = last
	}
	if p.EndsAt.Before(p.StartsAt) {
		p.EndsAt = cmp.Or(p.StartsAt, now)
	}
	return p, nil
}

// checkTexts bounds labels or annotations. Empty ones are as good as none.
func checkTexts(texts map[string]string, what string) (map[string]string, error) {
	if len(texts) > maxAlertNames {
		return nil, fmt.Errorf("it has %d %s, at most %d are taken", len(texts), what, maxAlertNames)
	}
	out := map[string]string{}
	for name, text := range texts {
		if name == "" || len(name) > maxAlertName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("%q is no name in its %s", clean(name, 60), what)
		}
		if len(text) > maxAlertText {
			text = text[:maxAlertText-len("…")] + "…"
		}
		if text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd"); text != "" {
			out[name] = text
		}
	}
	return out, nil
}
