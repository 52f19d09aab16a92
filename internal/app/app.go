// Package app wires the rooms together: what serve runs, what replay, grep and check do. It is the only room that knows
// everybody.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tocsin/internal/access"
	"tocsin/internal/actions"
	"tocsin/internal/chat"
	"tocsin/internal/config"
	"tocsin/internal/escalation"
	"tocsin/internal/heartbeat"
	"tocsin/internal/outbox"
	"tocsin/internal/sources"
	"tocsin/internal/store"
	"tocsin/internal/web"
	"tocsin/notifiers"
)

// Options are what a service is made of beside its configuration.
type Options struct {
	// Config is the path of the configuration file.
	Config string
	// Listen and Store stand in for the configuration's, if set.
	Listen, Store string
	// ListenMetrics, if set, is where health and metrics are served besides, on any address: see metricsOnly.
	ListenMetrics string
	Version       string
	Log           *slog.Logger
	// Failpoint, if set, is called at the named places where a kill must not lose anything.
	Failpoint func(name string)
	// Told, if set, hears of what was told.
	Told func(now time.Time, n notifiers.Notice, text string)
	// Dial, if set, stands in for the network to Google's APIs where an endpoint of theirs is configured.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// PollEvery is how often pagers are asked for answers; 15 s if not set.
	PollEvery time.Duration
	// Life is how long this process counts as alive after it was last heard of, where several share a database; 0: the store's.
	Life time.Duration
}

// App is a service: one store, the three steps, the sources, the pages.
type App struct {
	o          Options
	store      *store.Store
	escalation *escalation.Escalation
	actions    *actions.Actions
	chat       *chat.Chat
	listener   net.Listener
	server     *http.Server
	secure     bool // the pages are served over TLS
	// metrics is a second listener for health and metrics alone; nil if nobody asked for one.
	metrics    net.Listener
	wakeEngine bell
	wakeSteps  bell
	askPagers  bell // once a pager said that there is something to be asked
	wakeHanded bell
	started    time.Time

	// reading ends when the service is to stop, work when it has drained: what a reload starts lives as long.
	reading, work context.Context
	// begun is closed once Run has started everything; a reload waits for it.
	begun chan struct{}
	// oneReload lets one reload in at a time, and none while the service stops.
	oneReload sync.Mutex

	mu       sync.Mutex
	current  generation
	readers  map[string]*reader
	takers   map[string]*reader // of the sources that every process reads
	lines    map[string]*line   // over which what people do in chats comes in, by receiver
	reload   reloading
	failing  trouble
	stopping bool
	unread   map[string]time.Time // pagers that cannot be asked, since when
	pruned   store.Pruned         // by this process
	watch    *watch
	series   series
	// broken is why the process must end at once.
	broken chan error
	// turn is this process's at the engine; nil while another has it, then leader is its name.
	turn   *lead
	leader string
	// returned is after how long canaries came back.
	returned *prometheus.HistogramVec
	// fenced says that a write was refused because the life may have expired.
	fenced atomic.Bool
}

// generation is what one configuration put in force; a reload makes another.
type generation struct {
	plan     *Plan
	desk     *store.Desk
	targets  map[string]outbox.Target
	outbox   *outbox.Outbox
	beat     *heartbeat.Beat   // nil: nobody takes one
	canary   *heartbeat.Canary // nil: nothing is written
	points   *heartbeat.Points // nil: they are not written
	wake     map[string]bell   // of the targets' loops
	stop     context.CancelFunc
	loops    *sync.WaitGroup // these and those of the generations before
	loadedAt time.Time
	// steps is what the escalation works by.
	steps escalation.Program
	// gate says who asks for pages.
	gate *access.Gate
}

// New makes a service. What can be wrong is found here: with an error nothing is left open. A configuration's mistakes are
// config.Errors.
func New(ctx context.Context, o Options) (_ *App, err error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Failpoint == nil {
		o.Failpoint = func(string) {}
	}
	if o.PollEvery == 0 {
		o.PollEvery = 15 * time.Second
	}
	plan, errs := LoadTimed(o.Config)
	if len(errs) > 0 {
		return nil, errs
	}
	a := &App{o: o, wakeEngine: newBell(), wakeSteps: newBell(), askPagers: newBell(), wakeHanded: newBell(), readers: map[string]*reader{}, takers: map[string]*reader{},
		started: time.Now(), begun: make(chan struct{}), broken: make(chan error, 1), returned: newReturned()}
	var undo []func()
	defer func() {
		for i := len(undo) - 1; i >= 0 && err != nil; i-- {
			undo[i]()
		}
	}()
	if a.listener, err = listen(ctx, pick(o.Listen, plan.File.Listen), plan); err != nil {
		return nil, err
	}
	undo = append(undo, func() { a.listener.Close() })
	if o.ListenMetrics != "" {
		if a.metrics, err = new(net.ListenConfig).Listen(ctx, "tcp", o.ListenMetrics); err != nil {
			return nil, fmt.Errorf("listen for metrics: %w", err)
		}
		undo = append(undo, func() { a.metrics.Close() })
	}
	if a.store, err = a.open(ctx, plan); err != nil {
		return nil, err
	}
	undo = append(undo, func() { a.store.Close() })
	a.watch = a.newWatch()
	if a.current, err = a.generation(plan); err != nil {
		return nil, err
	}
	if _, err = a.takeOver(ctx); err != nil {
		return nil, err
	}
	a.escalation = escalation.New(a.store, func() escalation.Program { return a.generationNow().steps }, o.Failpoint)
	a.actions = actions.New(a.store, func() *store.Desk { return a.generationNow().desk })
	a.chat = a.newChat()
	a.server = a.pages()
	if err = a.secured(plan); err != nil {
		return nil, err
	}
	a.warn(plan)
	return a, nil
}

func pick(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// listen opens the address of the pages.
func listen(ctx context.Context, address string, plan *Plan) (net.Listener, error) {
	if err := listenable(address, plan.File.SignIn.Ways(), plan.File.URL); err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// generation makes what a plan needs to be put in force.
func (a *App) generation(plan *Plan) (generation, error) {
	targets, err := plan.targets()
	if err != nil {
		return generation{}, err
	}
	if plan.File.URL == "" && a.listener != nil {
		plan.File.URL = "http://" + a.listener.Addr().String()
	}
	gate, err := a.gate(plan)
	if err == nil {
		err = a.guarded(gate)
	}
	if err != nil {
		return generation{}, err
	}
	g := generation{plan: plan, desk: plan.desk(nil), targets: targets, wake: map[string]bell{}, loops: new(sync.WaitGroup), loadedAt: time.Now(), gate: gate}
	g.outbox = outbox.New(a.store, outbox.Options{Targets: targets, People: plan.People, URL: plan.url, Oncall: a.oncallFor(plan), Fallback: plan.File.Fallback,
		Strangers: func() bool { return a.leading() != nil }, Failpoint: a.o.Failpoint, Told: a.o.Told, Log: a.o.Log})
	g.steps = plan.escalation(g.desk)
	g.steps.Unasked = a.unasked
	g.beat, g.canary, g.points = a.newBeat(plan), a.newCanary(plan), a.newPoints(plan)
	for name := range targets {
		g.wake[name] = newBell()
	}
	return g, nil
}

func (a *App) generationNow() generation {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current
}

func (a *App) pages() *http.Server {
	registry := prometheus.NewRegistry()
	registry.MustRegister(a.returned, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), ownMetrics{a})
	stopping := make(chan struct{})
	handler := web.New(web.Options{Store: a.store.ForPages(), Actions: a.actions, Oncall: a.newOncall(), People: a.people, Maintenance: a.maintenance, Unmatched: a.unmatched, Version: a.o.Version, Ready: a.ready, Healthy: a.healthy, Status: a.status,
		Registry: registry, Log: a.o.Log, Hosts: hosts(a.current.plan.File.URL),
		Post: a.post, Chat: a.chat, Hear: a.hear, Postmortem: draftOf,
		Gate: func() *access.Gate { return a.generationNow().gate }, Rules: a.rules, Probes: a.probes, Stopping: stopping})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(a.o.Log.Handler(), slog.LevelWarn)}
	server.RegisterOnShutdown(sync.OnceFunc(func() { close(stopping) }))
	return server
}

// rules are the rules in force, for their page.
func (a *App) rules() []web.Rule {
	set := a.generationNow().plan.Rules
	var out []web.Rule
	for _, r := range set.Rules {
		kind, settings := r.Detection()
		out = append(out, web.Rule{Name: r.Name, Severity: r.Severity.String(), Mode: string(r.Mode), Filter: r.Filter.String(),
			Where: fmt.Sprintf("%s:%d", r.Position.File, r.Position.Line), Kind: kind, Settings: settings, Resolves: r.Resolving(), Impact: r.Impact, For: r.For, Sources: r.Sources, Silence: r.Silence()})
	}
	return out
}

// hosts are the names, beside loopback's, under which the pages may be asked for: that of their configured address.
func hosts(address string) []string {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	return []string{u.Hostname()}
}

// URL is the address of the pages.
func (a *App) URL() string {
	if a.secure {
		return "https://" + a.listener.Addr().String()
	}
	return "http://" + a.listener.Addr().String()
}

func (a *App) warn(plan *Plan) {
	for _, w := range plan.Warnings {
		a.o.Log.Warn(w.Text, "at", fmt.Sprintf("%s:%d:%d", w.File, w.Line, w.Column))
	}
}

// Run runs the service until ctx ends, then drains: what was read is committed, what is being sent is finished, within 25 s.
func (a *App) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx: the drain
	defer stop()
	var loops sync.WaitGroup
	run := func(f func(ctx context.Context)) { loops.Go(func() { f(work) }) }
	a.mu.Lock()
	a.reading, a.work = ctx, work
	a.startOutbox(work)
	a.startTakers()
	a.mu.Unlock()
	if a.store.Several() {
		run(a.lifeLoop)
	}
	run(a.leadLoop)
	run(a.escalationLoop)
	run(a.presentLoop)
	run(a.auditLoop)
	close(a.begun)
	served := make(chan error, 2)
	go func() { served <- a.servePages() }()
	if a.metrics != nil {
		metrics := a.metricsServer()
		defer metrics.Close() // at the end of the drain: a kubelet asks
		go func() { served <- metrics.Serve(a.metrics) }()
	}
	a.o.Log.Info("serving", "url", a.URL(), "config", a.o.Config, "rules", len(a.generationNow().plan.configured()), "epoch", a.store.Epoch())
	var err error
	select {
	case <-ctx.Done():
		a.announceStop(work)
	case err = <-served:
		err = fmt.Errorf("serve pages: %w", err)
	case err = <-a.broken:
		a.breakOff(work, err) // and the store is not closed: that would write
		return fmt.Errorf("the disk of the store failed, and what was written may not be there: tocsin ends rather than go on. Look at the disk, then start it again: %w", err)
	}
	a.drain()
	stop()
	loops.Wait()
	a.generationNow().loops.Wait()
	return errors.Join(err, a.store.Close())
}

// drainFor is how long what has been read may take to be committed, at a stop. What is being sent then has 10 s to be finished: together
// less than the grace that Kubernetes gives.
const drainFor = 15 * time.Second

// drain lets what has been read be committed, and ends the sources and the pages.
func (a *App) drain() {
	a.o.Log.Info("stopping: draining")
	a.oneReload.Lock() // one that is under way is finished
	a.mu.Lock()
	a.stopping = true
	readers, takers := maps.Clone(a.readers), maps.Clone(a.takers)
	a.mu.Unlock()
	a.oneReload.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	for _, r := range takers {
		r.stop()
	}
	for _, r := range takers {
		select {
		case <-r.done:
		case <-ctx.Done():
		}
	}
	for _, r := range readers {
		r.stop()
	}
	_ = a.server.Shutdown(ctx) // pages that are being read may be cut
	for l := a.leading(); l != nil && (len(l.batches) > 0 || l.engine.Backlog() > 0); l = a.leading() {
		select {
		case <-ctx.Done():
			a.o.Log.Warn("stopping: not all that was read could be committed; it will be read again")
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	a.giveBack(ctx)
}

// Mistakes are the mistakes in an error of New or Reload, if that is what it is.
func Mistakes(err error) (config.Errors, bool) {
	var errs config.Errors
	ok := errors.As(err, &errs)
	return errs, ok
}

// env is what a source is given.
func (a *App) env(name string) sources.Env {
	return sources.Env{
		Project: a.current.plan.File.Project,
		Filter:  func(most int) string { return a.pushdown(name, most) },
		Asked:   func() []sources.Asked { return a.asked(name) },
		Trouble: func(err error) { a.sourceTrouble(name, err) },
		Inbox:   inbox{a},
		Log:     a.o.Log,
		Dial:    a.o.Dial,
	}
}
