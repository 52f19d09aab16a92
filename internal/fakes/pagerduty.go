package fakes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// PagerDutyAlert is what the stand-in keeps of one key from its first trigger on. A trigger after a resolve makes a new one.
type PagerDutyAlert struct {
	ID  string `json:"id"`
	Key string `json:"key"`
	// Status is triggered, acknowledged or resolved.
	Status string `json:"status"`
	// Triggers is how many triggers came while it was open; it rang once.
	Triggers int               `json:"triggers"`
	Summary  string            `json:"summary"`
	Severity string            `json:"severity"`
	Details  map[string]string `json:"details,omitempty"`
	// By is who changed its status last.
	By         string    `json:"by,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	ChangedAt  time.Time `json:"changed_at"`
	ResolvedAt time.Time `json:"resolved_at,omitzero"`
}

// PagerDutyEvent is something that happened: "rang", "acknowledged" or "resolved".
type PagerDutyEvent struct {
	Kind  string
	Alert PagerDutyAlert
}

// PagerDutyRequest is an event as it was accepted, in order.
type PagerDutyRequest struct {
	Action string    `json:"action"`
	Key    string    `json:"key"`
	At     time.Time `json:"at"`
}

// PagerDuty is a stand-in of PagerDuty: POST /v2/enqueue of its Events API v2, GET /incidents and GET /incidents/{id}/alerts of
// its REST API. A trigger whose key is open rings nobody; one whose key is new or resolved rings. It is safe for concurrent
// use; its fields are set before the first request.
type PagerDuty struct {
	// RoutingKey and Token, if set, are the only ones that are let in.
	RoutingKey, Token string
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Before, if set, is asked before each request what is to go wrong with it: method is "enqueue" or "incidents".
	Before func(method string, r *http.Request) Fault
	// Observe, if set, is told when it rings, and when something is acknowledged or resolved.
	Observe func(PagerDutyEvent)
	// HideKeys leaves incident_key out of the incidents, as a service does that makes alerts.
	HideKeys bool

	mu       sync.Mutex
	alerts   []*PagerDutyAlert
	requests []PagerDutyRequest
	wrong    []string
}

// NewPagerDuty makes a PagerDuty that holds nothing.
func NewPagerDuty() *PagerDuty { return &PagerDuty{} }

// PagerDutySnapshot is all that the stand-in holds.
type PagerDutySnapshot struct {
	Alerts []PagerDutyAlert   `json:"alerts"`
	Events []PagerDutyRequest `json:"events"`
	// Rings is how often each key rang.
	Rings map[string]int `json:"rings"`
	// Wrong are the events that should never have come: a resolve before any trigger, a trigger after a resolve.
	Wrong []string `json:"wrong,omitempty"`
}

// Snapshot is all that the stand-in holds, fit for JSON.
func (p *PagerDuty) Snapshot() PagerDutySnapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PagerDutySnapshot{Events: slices.Clone(p.requests), Rings: map[string]int{}, Wrong: slices.Clone(p.wrong)}
	for _, a := range p.alerts {
		s.Alerts = append(s.Alerts, *a)
		s.Rings[a.Key]++
	}
	return s
}

// Rings is how often each key rang.
func (p *PagerDuty) Rings() map[string]int { return p.Snapshot().Rings }

// Acknowledge acknowledges what is open under key, as the person by would; false if nothing is.
func (p *PagerDuty) Acknowledge(key, by string) bool { return p.answer(key, by, "acknowledged") }

// Resolve resolves what is open under key, as the person by would; false if nothing is.
func (p *PagerDuty) Resolve(key, by string) bool { return p.answer(key, by, "resolved") }

func (p *PagerDuty) answer(key, by, status string) bool {
	p.mu.Lock()
	event := p.change(key, by, status)
	p.mu.Unlock()
	p.tell(event)
	return event != nil
}

func (p *PagerDuty) tell(event *PagerDutyEvent) {
	if event != nil && p.Observe != nil {
		p.Observe(*event)
	}
}

func (p *PagerDuty) now() time.Time {
	if p.Now != nil {
		return p.Now().UTC().Truncate(time.Second)
	}
	return time.Now().UTC().Truncate(time.Second)
}

// newest is the newest alert of a key, or nil.
func (p *PagerDuty) newest(key string) *PagerDutyAlert {
	for _, a := range slices.Backward(p.alerts) {
		if a.Key == key {
			return a
		}
	}
	return nil
}

// change moves what is open under key to a status; nil if nothing is open, or it is so already.
func (p *PagerDuty) change(key, by, status string) *PagerDutyEvent {
	a := p.newest(key)
	if a == nil || a.Status == "resolved" || a.Status == status {
		return nil
	}
	a.Status, a.By, a.ChangedAt = status, by, p.now()
	if status == "resolved" {
		a.ResolvedAt = a.ChangedAt
	}
	return &PagerDutyEvent{status, *a}
}

// ServeHTTP answers both APIs.
func (p *PagerDuty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := "incidents"
	if strings.HasSuffix(r.URL.Path, "/enqueue") {
		method = "enqueue"
	}
	var fault Fault
	if p.Before != nil {
		fault = p.Before(method, r)
	}
	if fault.hold(w, r) {
		return
	}
	status, answer := http.StatusNotFound, any(map[string]any{"error": map[string]any{"message": "Not Found", "code": 2100}})
	var event *PagerDutyEvent
	switch {
	case fault.Error != "":
		status, answer = http.StatusBadRequest, map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": []string{fault.Error}}
	case method == "enqueue" && r.Method == http.MethodPost:
		status, answer, event = p.enqueue(w, r)
	case r.Method == http.MethodGet && p.Token != "" && r.Header.Get("Authorization") != "Token token="+p.Token:
		status, answer = http.StatusUnauthorized, map[string]any{"error": map[string]any{"message": "Invalid Credentials", "code": 2006}}
	case r.Method == http.MethodGet && path.Base(r.URL.Path) == "incidents":
		status, answer = http.StatusOK, p.incidents(r)
	case r.Method == http.MethodGet && path.Base(r.URL.Path) == "alerts":
		status, answer = http.StatusOK, p.alertsOf(path.Base(path.Dir(r.URL.Path)))
	}
	p.tell(event)
	if fault.swallow(r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client has gone: nothing is to be done
}

// enqueue takes an event.
func (p *PagerDuty) enqueue(w http.ResponseWriter, r *http.Request) (int, any, *PagerDutyEvent) {
	var e struct {
		RoutingKey string `json:"routing_key"`
		Action     string `json:"event_action"`
		Key        string `json:"dedup_key"`
		Payload    *struct {
			Summary  string            `json:"summary"`
			Source   string            `json:"source"`
			Severity string            `json:"severity"`
			Details  map[string]string `json:"custom_details"`
		} `json:"payload"`
	}
	refuse := func(why string) (int, any, *PagerDutyEvent) {
		return http.StatusBadRequest, map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": []string{why}}, nil
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 512<<10)).Decode(&e); err != nil {
		return refuse("the body is no event: " + err.Error())
	}
	switch {
	case e.RoutingKey == "" || (p.RoutingKey != "" && e.RoutingKey != p.RoutingKey):
		return refuse("Invalid routing key")
	case !slices.Contains([]string{"trigger", "acknowledge", "resolve"}, e.Action):
		return refuse("'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')")
	case e.Action == "trigger" && (e.Payload == nil || e.Payload.Summary == "" || e.Payload.Source == "" || len([]rune(e.Payload.Summary)) > 1024):
		return refuse("'payload' is missing or has no summary or source, or too long a one")
	case e.Action == "trigger" && !slices.Contains([]string{"critical", "error", "warning", "info"}, e.Payload.Severity):
		return refuse("'payload.severity' is invalid")
	case len(e.Key) > 255 || (e.Key == "" && e.Action != "trigger"):
		return refuse("'dedup_key' is missing or too long")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Key == "" {
		e.Key = fmt.Sprintf("made-%d", len(p.requests)+1)
	}
	p.requests = append(p.requests, PagerDutyRequest{e.Action, e.Key, p.now()})
	var event *PagerDutyEvent
	known := p.newest(e.Key)
	switch {
	case e.Action == "acknowledge":
		event = p.change(e.Key, "tocsin", "acknowledged")
	case e.Action == "resolve":
		if known == nil {
			p.wrong = append(p.wrong, "resolve before any trigger of "+e.Key)
		}
		event = p.change(e.Key, "tocsin", "resolved")
	case known != nil && known.Status != "resolved":
		known.Triggers++
	default:
		if known != nil {
			p.wrong = append(p.wrong, "trigger after a resolve of "+e.Key)
		}
		a := &PagerDutyAlert{ID: fmt.Sprintf("Q%013d", len(p.alerts)+1), Key: e.Key, Status: "triggered", Triggers: 1,
			Summary: e.Payload.Summary, Severity: e.Payload.Severity, Details: e.Payload.Details, CreatedAt: p.now(), ChangedAt: p.now()}
		p.alerts = append(p.alerts, a)
		event = &PagerDutyEvent{"rang", *a}
	}
	return http.StatusAccepted, map[string]any{"status": "success", "message": "Event processed", "dedup_key": e.Key}, event
}

// incidents answers GET /incidents: filtered by incident_key and statuses[], by creation, paged.
func (p *PagerDuty) incidents(r *http.Request) any {
	q := r.URL.Query()
	p.mu.Lock()
	defer p.mu.Unlock()
	found := []map[string]any{}
	for _, a := range p.alerts {
		if key := q.Get("incident_key"); (key != "" && key != a.Key) || (len(q["statuses[]"]) > 0 && !slices.Contains(q["statuses[]"], a.Status)) {
			continue
		}
		found = append(found, p.wire(a))
	}
	if q.Get("sort_by") == "created_at:desc" {
		slices.Reverse(found)
	}
	limit, offset := 25, 0
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n > 0 {
		limit = min(n, 100)
	}
	if n, err := strconv.Atoi(q.Get("offset")); err == nil && n > 0 {
		offset = min(n, len(found))
	}
	to := min(offset+limit, len(found))
	return map[string]any{"incidents": found[offset:to], "limit": limit, "offset": offset, "more": to < len(found), "total": nil}
}

// wire is an alert as the REST API shows its incident.
func (p *PagerDuty) wire(a *PagerDutyAlert) map[string]any {
	who := func(by string) map[string]any {
		if by == "" || by == "tocsin" {
			return map[string]any{"id": "PSERVICE", "type": "service_reference", "summary": "tocsin"}
		}
		return map[string]any{"id": "PUSER", "type": "user_reference", "summary": by}
	}
	out := map[string]any{
		"id": a.ID, "type": "incident", "title": a.Summary, "status": a.Status, "incident_key": a.Key, "created_at": a.CreatedAt,
		"last_status_change_at": a.ChangedAt, "last_status_change_by": who(a.By), "acknowledgements": []any{}, "resolved_at": nil,
	}
	if p.HideKeys {
		out["incident_key"] = nil
	}
	switch a.Status {
	case "acknowledged":
		out["acknowledgements"] = []any{map[string]any{"at": a.ChangedAt, "acknowledger": who(a.By)}}
	case "resolved":
		out["resolved_at"] = a.ResolvedAt
	}
	return out
}

func (p *PagerDuty) alertsOf(id string) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []map[string]any{}
	for _, a := range p.alerts {
		if a.ID == id {
			list = append(list, map[string]any{"id": a.ID + "A", "type": "alert", "alert_key": a.Key, "status": a.Status})
		}
	}
	return map[string]any{"alerts": list, "limit": 25, "offset": 0, "more": false}
}
