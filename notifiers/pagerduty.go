package notifiers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// PagerDuty calls whoever PagerDuty says is on call, by its Events API v2, until somebody acknowledges there or in tocsin.
type PagerDuty struct {
	// RoutingKeyFile is the file that holds the integration key of the service that rings. It is read anew for each event.
	RoutingKeyFile string `yaml:"routing_key_file"`
	// TokenFile is the file that holds a REST API token, read-only. With it an acknowledge or resolve at PagerDuty counts here
	// too, as of when it was given: what has begun since is not covered; without it tocsin cannot see them.
	TokenFile string `yaml:"token_file"`
	// WebhookSecretFile is the file that holds the secret of a generic webhook (v3) that PagerDuty sends to tocsin's /pagerduty/webhook, so that what
	// is said there is known here at once; several secrets on a line each while one is being replaced.
	WebhookSecretFile string `yaml:"webhook_secret_file"`
	// Service is the id of the service (PXXXXXX), optional: it keeps tocsin's questions to that service.
	Service string `yaml:"service"`
	// URL is where events go, if not to https://events.pagerduty.com.
	URL string `yaml:"url"`
	// APIURL is where the REST API is, if not at https://api.pagerduty.com.
	APIURL string `yaml:"api_url"`
}

// Resolve makes the relative paths of its files begin where the configuration is.
func (p *PagerDuty) Resolve(of func(path string) string) {
	p.RoutingKeyFile = of(p.RoutingKeyFile)
	p.TokenFile = of(p.TokenFile)
	p.WebhookSecretFile = of(p.WebhookSecretFile)
}

// Traits say that it rings.
func (p *PagerDuty) Traits() Traits { return Traits{Pages: true} }

var (
	pagerDutyService = regexp.MustCompile(`^P[A-Z0-9]{3,20}$`)
	pagerDutySecret  = regexp.MustCompile(`^(?:[0-9a-f]{32}|R[0-9A-Z]{31}|u\+[\w-]{10,})$`)
	ourKey           = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}(?:\.[0-9]+)?$`)
)

// Validate says everything that is wrong with the settings.
func (p *PagerDuty) Validate() []setting.FieldError {
	var errs []setting.FieldError
	add := func(path, text string) { errs = append(errs, setting.FieldError{Path: path, Text: text}) }
	if p.RoutingKeyFile == "" {
		add("routing_key_file", "is missing: write the path of the file that holds the integration key (Events API v2)")
	}
	for _, f := range []struct{ path, value string }{{"routing_key_file", p.RoutingKeyFile}, {"token_file", p.TokenFile}} {
		if pagerDutySecret.MatchString(f.value) {
			add(f.path, "holds the secret itself: write it into a file and name the file here")
		}
	}
	if p.Service != "" && !pagerDutyService.MatchString(p.Service) {
		add("service", fmt.Sprintf("%q is no service's id: it is the last part of the service's address, such as PABC123", words.Clean(p.Service, 80)))
	}
	for _, u := range []struct{ path, value string }{{"url", p.URL}, {"api_url", p.APIURL}} {
		if u.value == "" {
			continue
		}
		if text := checkURL(u.value); text != "" {
			add(u.path, text)
		}
	}
	return errs
}

// New makes the notifier of a receiver.
func (p *PagerDuty) New(receiver string) (Notifier, error) {
	n := &pagerDutyNotifier{settings: *p, receiver: receiver, http: boundedClient(), events: "https://events.pagerduty.com", api: "https://api.pagerduty.com"}
	if p.URL != "" {
		n.events = strings.TrimSuffix(strings.TrimSuffix(p.URL, "/"), "/v2/enqueue")
	}
	if p.APIURL != "" {
		n.api = strings.TrimSuffix(p.APIURL, "/")
	}
	return n, nil
}

type pagerDutyNotifier struct {
	settings    PagerDuty
	receiver    string
	http        *http.Client
	events, api string

	mu   sync.Mutex
	keys map[string][]string // of incidents that do not show theirs, by id
	// open are the keys of what was open at opened, by their hash.
	open   map[string][]string
	opened time.Time
}

// Limits are PagerDuty's 120 events a minute for an integration key, which the burst and the rate together never exceed.
func (p *pagerDutyNotifier) Limits() Limits {
	name := "pagerduty " + p.events + " " + p.settings.RoutingKeyFile
	return Limits{Account: name, Bucket: name, Every: 600 * time.Millisecond, Burst: 20}
}

// pagerDutyEvent is an event of the Events API v2.
type pagerDutyEvent struct {
	RoutingKey string            `json:"routing_key"`
	Action     string            `json:"event_action"`
	DedupKey   string            `json:"dedup_key"`
	Payload    *pagerDutyPayload `json:"payload,omitempty"`
	Client     string            `json:"client,omitempty"`
	ClientURL  string            `json:"client_url,omitempty"`
	Links      []pagerDutyLink   `json:"links,omitempty"`
}

type pagerDutyPayload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp string            `json:"timestamp,omitempty"`
	Component string            `json:"component,omitempty"`
	Group     string            `json:"group,omitempty"`
	Class     string            `json:"class,omitempty"`
	Details   map[string]string `json:"custom_details,omitempty"`
}

type pagerDutyLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// Preview is what Send would say, as text.
func (p *pagerDutyNotifier) Preview(n Notice) string {
	s := tell(&n)
	return s.plain(&n)
}

// Send rings for a Call, and tells of an acknowledge or a resolve; the receipt is the notification's key. Sending one key
// twice rings once as long as it is open there, so an attempt whose answer is lost is simply repeated.
func (p *pagerDutyNotifier) Send(ctx context.Context, n Notice) (string, error) {
	key, err := setting.ReadSecret(p.settings.RoutingKeyFile)
	if err != nil {
		return "", fmt.Errorf("open routing key of receiver %s: %w", p.receiver, err)
	}
	event := pagerDutyEvent{RoutingKey: key.Reveal(), DedupKey: n.Key}
	switch n.Kind {
	case incident.Call:
		p.word(&event, &n)
	case incident.CallAcknowledge:
		event.Action = "acknowledge"
	case incident.CallResolve:
		event.Action = "resolve"
	default:
		return "", Permanent{fmt.Errorf("send to PagerDuty: receiver %s rings, it cannot carry a %s: route messages to a channel", p.receiver, n.Kind)}
	}
	body, err := json.Marshal(event)
	if err != nil {
		return "", fmt.Errorf("write PagerDuty event: %w", err)
	}
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"tocsin"}}
	resp, answer, err := exchange(ctx, p.http, http.MethodPost, p.events+"/v2/enqueue", header, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("send to PagerDuty: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusAccepted || resp.StatusCode == http.StatusOK:
		return n.Key, nil
	case resp.StatusCode == http.StatusTooManyRequests:
		return "", Later{errors.New("send to PagerDuty: it is asked too often"), retryAfter(resp.Header, n.Now, 30*time.Second)}
	case resp.StatusCode == http.StatusBadRequest:
		return "", Permanent{fmt.Errorf("send to PagerDuty: it refuses the event, often because the routing key is wrong: %s", excerpt(answer, key))}
	}
	return "", fmt.Errorf("send to PagerDuty: it answers %d: %s", resp.StatusCode, excerpt(answer, key))
}

// word fills in a trigger.
func (p *pagerDutyNotifier) word(e *pagerDutyEvent, n *Notice) {
	s, inc := tell(n), &n.Incident
	head := headline(inc)
	summary := s.title
	if s.news != "" {
		summary += " (" + s.news + ")"
	}
	details := map[string]string{"line": s.line, "since": s.since, "state": s.state, "incident": inc.ID}
	for name, text := range map[string]string{"why": s.news, "also": strings.TrimPrefix(s.folded(), "Also: "), "before": strings.TrimPrefix(s.before, "Before it: ")} {
		if text != "" {
			details[name] = text
		}
	}
	if s.line == "" {
		delete(details, "line")
	}
	source := "tocsin"
	for _, name := range []string{inc.Project, inc.Cluster} {
		if name = words.Clean(name, maxWho); name != "" {
			source = name
		}
	}
	e.Action, e.Client = "trigger", "tocsin"
	e.Payload = &pagerDutyPayload{
		Summary: words.Cut(summary, 1000), Source: source, Severity: pagerDutySeverity(inc.Severity),
		Component: words.Clean(head.Service(), maxWho), Group: words.Clean(inc.Project, maxWho), Class: words.Clean(inc.Headline.Rule, maxWho), Details: details,
	}
	if !inc.FirstEntry.IsZero() {
		e.Payload.Timestamp = inc.FirstEntry.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	if s.url != "" {
		e.ClientURL = s.url
		e.Links = append(e.Links, pagerDutyLink{s.url, "Incident"})
	}
	if s.runbook != "" {
		e.Links = append(e.Links, pagerDutyLink{s.runbook, "Runbook"})
	}
}

func pagerDutySeverity(s incident.Severity) string {
	switch s {
	case incident.Critical:
		return "critical"
	case incident.High:
		return "error"
	case incident.Warning:
		return "warning"
	}
	return "info"
}
