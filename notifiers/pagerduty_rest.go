package notifiers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// pagerDutyIncident is what the REST API says of an incident, as far as it matters.
type pagerDutyIncident struct {
	ID               string             `json:"id"`
	Status           string             `json:"status"`
	IncidentKey      string             `json:"incident_key"`
	CreatedAt        time.Time          `json:"created_at"`
	LastChange       time.Time          `json:"last_status_change_at"`
	LastChangeBy     pagerDutyReference `json:"last_status_change_by"`
	ResolvedAt       time.Time          `json:"resolved_at"`
	Acknowledgements []struct {
		At           time.Time          `json:"at"`
		Acknowledger pagerDutyReference `json:"acknowledger"`
	} `json:"acknowledgements"`
}

type pagerDutyReference struct {
	ID      string `json:"id"`
	Summary string `json:"summary"`
}

// Poll asks for all that is open, and for the keys that are not, each for its newest incident: who has ended it says it there. Without
// a token_file it has no answers. On an error the answers so far come with it.
func (p *pagerDutyNotifier) Poll(ctx context.Context, keys []string) ([]Answer, error) {
	if p.settings.TokenFile == "" || len(keys) == 0 {
		return nil, nil
	}
	open := map[string]*pagerDutyIncident{}
	err := p.eachOpen(ctx, func(in *pagerDutyIncident, key string) bool {
		if open[key] == nil { // the newest comes first
			open[key] = in
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	var answers []Answer
	for _, key := range keys {
		newest := open[key]
		if newest == nil {
			if newest, err = p.newest(ctx, key); err != nil {
				return answers, err
			}
		}
		if newest == nil {
			continue
		}
		if a, said := newest.answer(key); said {
			answers = append(answers, a)
		}
	}
	return answers, nil
}

// newest is the newest incident of a key, nil if there is none. The API finds an incident by its alert's key too, where it does not
// show the key itself.
func (p *pagerDutyNotifier) newest(ctx context.Context, key string) (newest *pagerDutyIncident, err error) {
	incidents, _, err := p.list(ctx, url.Values{"incident_key": {key}, "date_range": {"all"}, "sort_by": {"created_at:desc"}, "limit": {"10"}})
	for i := range incidents {
		if in := &incidents[i]; (in.IncidentKey == "" || in.IncidentKey == key) && (newest == nil || in.CreatedAt.After(newest.CreatedAt)) {
			newest = in
		}
	}
	return newest, err
}

// answer is what somebody said of an incident; said is false while nobody has.
func (in *pagerDutyIncident) answer(key string) (a Answer, said bool) {
	a = Answer{Key: key, By: in.LastChangeBy.Summary, User: in.LastChangeBy.ID, At: in.LastChange}
	switch in.Status {
	case "acknowledged":
		a.State = incident.Acknowledged
		var latest time.Time // other changes of the status say nothing of when somebody took it
		for _, ack := range in.Acknowledgements {
			if ack.At.After(latest) {
				latest, a.At = ack.At, ack.At
				a.By, a.User = cmp.Or(ack.Acknowledger.Summary, a.By), cmp.Or(ack.Acknowledger.ID, a.User)
			}
		}
	case "resolved":
		a.State = incident.Resolved
		if a.At.IsZero() {
			a.At = in.ResolvedAt
		}
	default:
		return a, false
	}
	if a.By = words.Clean(a.By, maxWho); a.By == "" {
		a.By = "PagerDuty"
	}
	return a, true
}

// Adopt looks among PagerDuty's open incidents for those whose keys hold the hash. What is open is asked for once in adoptEvery, however
// many want to know: after a loss all that is open does. Without a token_file it finds nothing.
func (p *pagerDutyNotifier) Adopt(ctx context.Context, hash string) (Earlier, error) {
	if p.settings.TokenFile == "" {
		return Earlier{}, nil
	}
	p.mu.Lock()
	keys, known := p.open[hash], time.Since(p.opened) < adoptEvery
	p.mu.Unlock()
	if known {
		return Earlier{Keys: slices.Clone(keys)}, nil
	}
	asked, open := time.Now(), map[string][]string{}
	err := p.eachOpen(ctx, func(_ *pagerDutyIncident, key string) bool {
		if of := incident.HashOf(key); ourKey.MatchString(key) && !slices.Contains(open[of], key) {
			open[of] = append(open[of], key)
		}
		return false
	})
	if err != nil {
		return Earlier{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open, p.opened = open, asked
	return Earlier{Keys: slices.Clone(open[hash])}, nil
}

// adoptEvery is how long what PagerDuty said is open counts: what is resolved in it is taken for open at the most so long, and heard of
// as resolved by the next look for answers.
const adoptEvery = 3 * time.Second

// mostOpen bounds how many of PagerDuty's open incidents are looked at.
const mostOpen = 2000

// eachOpen calls do with each open incident and each of its keys, the newest first, until do says that it is enough.
func (p *pagerDutyNotifier) eachOpen(ctx context.Context, do func(in *pagerDutyIncident, key string) bool) error {
	query := url.Values{"statuses[]": {"triggered", "acknowledged"}, "date_range": {"all"}, "sort_by": {"created_at:desc"}, "limit": {"100"}}
	if p.settings.Service != "" {
		query.Set("service_ids[]", p.settings.Service)
	}
	for offset := 0; offset < mostOpen; offset += 100 {
		query.Set("offset", fmt.Sprint(offset))
		incidents, more, err := p.list(ctx, query)
		if err != nil {
			return err
		}
		for i := range incidents {
			keys := []string{incidents[i].IncidentKey}
			if keys[0] == "" {
				if keys, err = p.alertKeys(ctx, incidents[i].ID); err != nil {
					return err
				}
			}
			for _, key := range keys {
				if do(&incidents[i], key) {
					return nil
				}
			}
		}
		if !more {
			break
		}
	}
	return nil
}

// list asks for incidents.
func (p *pagerDutyNotifier) list(ctx context.Context, query url.Values) ([]pagerDutyIncident, bool, error) {
	var answer struct {
		Incidents []pagerDutyIncident `json:"incidents"`
		More      bool                `json:"more"`
	}
	err := p.get(ctx, "/incidents?"+query.Encode(), &answer)
	return answer.Incidents, answer.More, err
}

// alertKeys are the keys of an incident's alerts: where a service makes alerts, its incidents show no key of their own. They are asked
// for once an incident; a key that is grouped into it later is then found by itself.
func (p *pagerDutyNotifier) alertKeys(ctx context.Context, id string) ([]string, error) {
	p.mu.Lock()
	keys, known := p.keys[id]
	p.mu.Unlock()
	if known {
		return keys, nil
	}
	var answer struct {
		Alerts []struct {
			Key string `json:"alert_key"`
		} `json:"alerts"`
	}
	if err := p.get(ctx, "/incidents/"+url.PathEscape(id)+"/alerts?limit=25", &answer); err != nil {
		return nil, err
	}
	for _, a := range answer.Alerts {
		keys = append(keys, a.Key)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys == nil || len(p.keys) >= mostOpen {
		p.keys = map[string][]string{}
	}
	p.keys[id] = keys
	return keys, nil
}

// get asks the REST API.
func (p *pagerDutyNotifier) get(ctx context.Context, path string, into any) error {
	token, err := setting.ReadSecret(p.settings.TokenFile)
	if err != nil {
		return fmt.Errorf("open token of receiver %s: %w", p.receiver, err)
	}
	header := http.Header{"Accept": {"application/vnd.pagerduty+json;version=2"}, "Authorization": {"Token token=" + token.Reveal()}, "User-Agent": {"tocsin"}}
	resp, answer, err := exchange(ctx, p.http, http.MethodGet, p.api+path, header, nil)
	if err != nil {
		return fmt.Errorf("ask PagerDuty: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		if err := json.Unmarshal(answer, into); err != nil {
			return fmt.Errorf("read PagerDuty's answer: %w", err)
		}
		return nil
	case resp.StatusCode == http.StatusTooManyRequests:
		return Later{errors.New("ask PagerDuty: it is asked too often"), retryAfter(resp.Header, time.Now(), time.Minute)}
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden, resp.StatusCode == http.StatusPaymentRequired:
		return Permanent{fmt.Errorf("ask PagerDuty: it refuses the token of receiver %s (%d): %s", p.receiver, resp.StatusCode, excerpt(answer, token))}
	}
	return fmt.Errorf("ask PagerDuty: it answers %d: %s", resp.StatusCode, excerpt(answer, token))
}
