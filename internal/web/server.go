// Package web shows people what is wrong and takes what they do about it: pages that need no script to be read, a JSON API
// that the commands speak (see web/client), health and metrics. Nothing changes by a GET, and all text that comes from logs
// is data: cleaned, bounded, escaped.
package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tocsin/internal/access"
	"tocsin/internal/actions"
	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// Actions is what a person can do. id is an incident's whole id, by the person; the errors carry a code (see Coded).
type Actions interface {
	Silencer
	Acknowledge(ctx context.Context, id, by string, now time.Time) error
	Resolve(ctx context.Context, id, by string, now time.Time) error
	Note(ctx context.Context, id, by, text string, now time.Time) error
	// Declare makes an incident of what a person has found, and returns its id.
	Declare(ctx context.Context, d incident.Declaration, now time.Time) (string, error)
	Merge(ctx context.Context, id, into, by string, now time.Time) error
	// Split makes an incident of its own of an alert, and returns its id.
	Split(ctx context.Context, id string, key incident.Key, by string, now time.Time) (string, error)
	Ask(ctx context.Context, id, person, by string, now time.Time) error
}

// Silencer is what a person can do about silences; see actions.Actions.
type Silencer interface {
	PreviewSilence(ctx context.Context, s incident.Silence, now time.Time) (incident.Silence, []actions.Affected, error)
	AddSilence(ctx context.Context, s incident.Silence, now time.Time) (incident.Silence, []actions.Affected, error)
	EndSilence(ctx context.Context, id int64, by string, now time.Time) (incident.Silence, error)
}

// Status is how the service itself is. What Options.Status returns needs only StartedAt, Config, Rules, and each source's Name,
// Kind and Error: the rest is filled in here from the store.
type Status = client.Status

// Options are what the pages are made of. Store, Actions and Registry are needed, the others have a default.
type Options struct {
	Store   *store.Store
	Actions Actions
	// People are the names of those who can be asked to take an incident. Left out, there are none.
	People func() []string
	// Oncall says who is called; left out, the API knows no schedules.
	Oncall Oncall
	// Maintenance are the maintenance windows in force at a time, as holders. Left out, there are none.
	Maintenance func(at time.Time) []incident.Holder
	// Unmatched says which of a silence's matchers name a rule or a label that no loaded rule has. Left out, none is looked at.
	Unmatched func(matchers []string) []string
	// Post keeps alerts that were posted, for a source to read. Left out, none are taken.
	Post func(ctx context.Context, alerts []store.Posted, now time.Time) error
	// Chat takes what people do in a chat; it checks itself who asks. Left out, nothing comes in.
	Chat http.Handler
	// Postmortem drafts the post-mortem of an incident as markdown; url is the address of its page. Left out, none is drafted.
	Postmortem func(d client.Detail, now time.Time, url string) string
	// Hear takes what a pager tells by itself, signed. Left out, nothing is taken.
	Hear    func(ctx context.Context, header http.Header, body []byte, now time.Time) error
	Version string
	// Ready is nil's answer when the service does its work; the error's text says what is missing. Healthy likewise says
	// whether the process is worth keeping. Left out, both are always well.
	Ready   func() error
	Healthy func() error
	// Status says how the service is; asked at each request, so it must be quick. Left out, the sources are the store's.
	Status func() Status
	// Now is the clock; left out, the wall's.
	Now func() time.Time
	// Registry is what /metrics shows. New adds this package's own metrics to it.
	Registry *prometheus.Registry
	// Hosts are the names under which the service is reached, without a port. Loopback names are always good.
	Hosts []string
	// Rules are those that are loaded, by name. Left out, the page of rules is empty.
	Rules func() []Rule
	// Probes are those that are configured, by name. Left out, there are none.
	Probes func() []Probe
	// Stopping is closed when pages that follow live are to end; nil for never.
	Stopping <-chan struct{}
	// Gate says who asks, as the configuration in force has it. Left out, nobody signs in and everybody may do everything.
	Gate func() *access.Gate
	Log  *slog.Logger
}

type server struct {
	Options
	guard     http.Handler
	following followers
}

// route is one method on one path. The table of them is the whole surface: whatever is not in it is refused.
type route struct {
	method, path string
	serve        http.Handler
	// need is the role that it takes; to says who needs none. Without either it is refused to all.
	need access.Role
	to   audience
}

// audience is who may ask without a role.
type audience int

const (
	nobody   audience = iota
	everyone          // what it says is no secret, or it checks who asks itself
	public            // if the configuration says so
)

// New makes the handler. It sets no timeouts: those belong to the server that it is given to. It panics if Registry already
// has metrics of the same names: that is a mistake in the wiring.
func New(o Options) http.Handler {
	o.fillIn()
	o.Registry.MustRegister(&Metrics{store: o.Store, version: o.Version, now: o.Now})
	s := &server{Options: o}
	mux := http.NewServeMux()
	allowed := map[string][]string{}
	for _, r := range s.routes() {
		mux.Handle(r.method+" "+r.path, s.admitted(r))
		allowed[r.path] = append(allowed[r.path], r.method)
	}
	for path, methods := range allowed {
		mux.Handle(path, s.wrongMethod(path, strings.Join(methods, ", ")))
	}
	mux.Handle("/api/", s.api(nowhere))
	mux.Handle("/", s.view(nowhere))
	s.guard = s.guarded(mux)
	return s
}

// fillIn sets what is left out: what is not there answers that it is not.
func (o *Options) fillIn() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	yes := func() error { return nil }
	if o.Ready == nil {
		o.Ready = yes
	}
	if o.Healthy == nil {
		o.Healthy = yes
	}
	if o.Status == nil {
		o.Status = func() Status { return Status{} }
	}
	if o.Maintenance == nil {
		o.Maintenance = func(time.Time) []incident.Holder { return nil }
	}
	if o.Unmatched == nil {
		o.Unmatched = func([]string) []string { return nil }
	}
	if o.Rules == nil {
		o.Rules = func() []Rule { return nil }
	}
	if o.People == nil {
		o.People = func() []string { return nil }
	}
	if o.Probes == nil {
		o.Probes = func() []Probe { return nil }
	}
	if o.Gate == nil {
		open := access.NewGate(o.Store, access.Settings{})
		o.Gate = func() *access.Gate { return open }
	}
	if o.Post == nil {
		o.Post = func(context.Context, []store.Posted, time.Time) error {
			return &refusal{http.StatusNotFound, client.NotFound, "nothing reads alerts here"}
		}
	}
	if o.Chat == nil {
		o.Chat = http.NotFoundHandler()
	}
	if o.Postmortem == nil {
		o.Postmortem = func(client.Detail, time.Time, string) string { return "" }
	}
	if o.Hear == nil {
		o.Hear = func(context.Context, http.Header, []byte, time.Time) error {
			return &refusal{http.StatusNotFound, client.NotFound, "no pager is heard here"}
		}
	}
	if o.Oncall == nil {
		o.Oncall = noOncall{}
	}
}

// ServeHTTP makes the server a handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.guard.ServeHTTP(w, r) }

// routes is the whole surface. It is long because there is one table of it.
func (s *server) routes() []route {
	metrics := promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(s.Log.Handler(), slog.LevelError),
		ErrorHandling: promhttp.ContinueOnError, // a store that cannot be read must not hide the process's own figures
	})
	const viewer, responder, silencer, admin = access.Viewer, access.Responder, access.Silencer, access.Admin
	return []route{
		{"GET", "/{$}", s.view(s.overview), viewer, nobody},
		{"GET", "/incidents/{id}", s.view(s.incident), viewer, nobody},
		{"POST", "/incidents/{id}/acknowledge", s.view(s.deedByForm(s.Actions.Acknowledge)), responder, nobody},
		{"POST", "/incidents/{id}/resolve", s.view(s.deedByForm(s.Actions.Resolve)), responder, nobody},
		{"POST", "/incidents/{id}/note", s.view(s.noteByForm), responder, nobody},
		{"GET", "/incidents/{id}/postmortem", s.view(s.postmortem), viewer, nobody},
		{"POST", "/incidents/{id}/merge", s.view(s.mergeByForm), responder, nobody},
		{"POST", "/incidents/{id}/split", s.view(s.splitByForm), responder, nobody},
		{"POST", "/incidents/{id}/ask", s.view(s.askByForm), responder, nobody},
		{"GET", "/declare", s.view(s.declare), responder, nobody},
		{"POST", "/declare", s.view(s.declareByForm), responder, nobody},
		{"GET", "/silences", s.view(s.silences), viewer, nobody},
		{"POST", "/silences", s.view(s.silenceByForm), silencer, nobody},
		{"POST", "/silences/preview", s.view(s.previewByForm), viewer, nobody},
		{"POST", "/silences/{id}/expire", s.view(s.expireByForm), silencer, nobody},
		{"GET", "/oncall", s.view(s.oncall), viewer, nobody},
		{"POST", "/oncall/{schedule}/overrides", s.view(s.overrideByForm), silencer, nobody},
		{"GET", "/rules", s.view(s.rules), viewer, nobody},
		{"GET", "/rules/{rule}", s.view(s.rule), viewer, nobody},
		{"GET", "/sources", s.view(s.sources), viewer, nobody},
		{"GET", "/probes", s.view(s.probes), viewer, nobody},
		{"GET", "/status", s.view(s.publicStatus), viewer, public},
		{"GET", followPath, http.HandlerFunc(s.follow), viewer, nobody},
		{"GET", "/static/{name}", s.view(s.static), 0, everyone},
		{"GET", "/login", s.view(s.login), 0, everyone},
		{"GET", access.Callback, s.view(s.loggedIn), 0, everyone},
		{"POST", "/logout", s.view(s.logout), 0, everyone},
		{"POST", hearPath, s.api(s.hear), 0, everyone},

		{"GET", "/api/v1/incidents", s.api(s.listIncidents), viewer, nobody},
		{"POST", "/api/v1/incidents", s.api(s.declareByJSON), responder, nobody},
		{"GET", "/api/v1/incidents/{id}", s.api(s.getIncident), viewer, nobody},
		{"POST", "/api/v1/incidents/{id}/acknowledge", s.api(s.deedByJSON(s.Actions.Acknowledge)), responder, nobody},
		{"POST", "/api/v1/incidents/{id}/resolve", s.api(s.deedByJSON(s.Actions.Resolve)), responder, nobody},
		{"POST", "/api/v1/incidents/{id}/notes", s.api(s.noteByJSON), responder, nobody},
		{"POST", "/api/v1/incidents/{id}/merge", s.api(s.mergeByJSON), responder, nobody},
		{"POST", "/api/v1/incidents/{id}/split", s.api(s.splitByJSON), responder, nobody},
		{"POST", "/api/v1/incidents/{id}/ask", s.api(s.askByJSON), responder, nobody},
		{"GET", "/api/v1/silences", s.api(s.listSilences), viewer, nobody},
		{"POST", "/api/v1/silences", s.api(s.makeSilence), silencer, nobody},
		{"POST", "/api/v1/silences/{id}/expire", s.api(s.expireSilence), silencer, nobody},
		{"GET", "/api/v1/oncall", s.api(s.listDuties), viewer, nobody},
		{"POST", "/api/v1/oncall/{schedule}/overrides", s.api(s.overrideSchedule), silencer, nobody},
		{"POST", "/api/v1/notify-test", s.api(s.try), responder, nobody},
		{"POST", alertsPath, s.api(s.postAlerts), responder, nobody},
		{"GET", "/api/v1/rules/{rule}/record", s.api(s.getRecord), viewer, nobody},
		{"GET", "/api/v1/status", s.api(s.getStatus), viewer, nobody},
		{"GET", "/api/v1/audit", s.api(s.listTrail), admin, nobody},
		{"GET", "/api/v1/audit/verify", s.api(s.verifyTrail), admin, nobody},

		{"POST", chatPath + "{what}", s.Chat, 0, everyone},

		{"GET", "/healthz", probe(s.Healthy, func() string { return "ok" }), 0, everyone},
		{"GET", "/readyz", probe(s.Ready, s.role), 0, everyone},
		{"GET", "/metrics", metrics, viewer, nobody},
	}
}

// role is "ok", and of one process among several who leads.
func (s *server) role() string {
	if r := s.Status().Replica; r != nil {
		return "ok, " + r.String()
	}
	return "ok"
}

// probe answers 200 and what well says, or 503 and the error's text.
func probe(ask func() error, well func() string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := ask(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, clean(err.Error(), 2000))
			return
		}
		fmt.Fprintln(w, clean(well(), 2000))
	})
}

// wrongMethod refuses, for a path of the table, the methods that the table does not have.
func (s *server) wrongMethod(path, allowed string) http.Handler {
	refuse := func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", allowed)
		return &refusal{http.StatusMethodNotAllowed, client.Invalid, r.Method + " is not possible here, only " + allowed + " is"}
	}
	if strings.HasPrefix(path, "/api/") {
		return s.api(refuse)
	}
	return s.view(refuse)
}

// nowhere is every path that the table does not have.
func nowhere(_ http.ResponseWriter, r *http.Request) error {
	return &refusal{http.StatusNotFound, client.NotFound, "there is nothing at " + clean(r.URL.Path, 200)}
}
