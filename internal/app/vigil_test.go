package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/actions"
	"tocsin/internal/escalation"
	"tocsin/internal/fakes"
	"tocsin/internal/incident"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// pagesAt is where the pages would be: a bubble has no real sockets.
type pagesAt struct{ net.Listener }

func (pagesAt) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8480} }

// vigil is the service with all of its loops but without its pages, in a bubble, beside stand-ins of Google's APIs. Nothing is sent: what
// would be is kept.
type vigil struct {
	t       *testing.T
	logging *fakes.CloudLogging
	metrics *fakes.CloudMonitoring
	config  string
	db      string
	dials   map[string]*fakes.Pipes
	ears    map[string]notifiers.Hearing // of receivers
	app     *App
	stop    func()
	began   time.Time

	mu   sync.Mutex
	told []heardOf
}

// heardOf is one thing that was told.
type heardOf struct {
	at     time.Time
	notice notifiers.Notice
	text   string
}

// vigilRules are there to be named.
const vigilRules = `
rules:
  - {name: oh-no, filter: 'resource.type="k8s_container" severity>=ERROR textPayload:"oh no"', detect: {threshold: {count: 1, window: 5m}}, severity: warning, resolves: by_hand, annotations: {summary: a}}
`

// keepVigil runs a test in a bubble. The stand-ins are at logging:1 and metrics:1.
func keepVigil(t *testing.T, config string, test func(v *vigil)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := &vigil{t: t, dials: map[string]*fakes.Pipes{}, config: filepath.Join(t.TempDir(), "tocsin.yaml"), db: filepath.Join(t.TempDir(), "tocsin.db")}
		for _, address := range []string{"logging:1", "metrics:1"} {
			v.dials[address] = fakes.NewPipes()
		}
		v.logging = fakes.ServeCloudLogging(v.dials["logging:1"])
		defer v.logging.Close()
		v.metrics = fakes.ServeCloudMonitoring(v.dials["metrics:1"])
		defer v.metrics.Close()
		v.metrics.Describe(requestCounts)
		for path, text := range map[string]string{v.config: config, filepath.Join(filepath.Dir(v.config), "rules.yaml"): vigilRules} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(26 * 365 * 24 * time.Hour) // the clock of a bubble begins in 2000
		v.began = time.Now()
		v.serve()
		test(v)
		if v.stop != nil {
			v.stop()
		}
	})
}

// serve starts the service.
func (v *vigil) serve() {
	v.t.Helper()
	plan, errs := Load(v.config)
	if len(errs) > 0 {
		v.t.Fatal(errs)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &App{wakeEngine: newBell(), wakeSteps: newBell(), wakeHanded: newBell(), readers: map[string]*reader{}, takers: map[string]*reader{}, started: time.Now(), begun: make(chan struct{}), broken: make(chan error, 1), returned: newReturned(), listener: pagesAt{},
		o: Options{Log: slog.New(slog.DiscardHandler), Failpoint: func(string) {}, PollEvery: 15 * time.Second, Version: "test", Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return v.dials[address].Dial(ctx, address)
		}}}
	var err error
	if a.store, err = store.Open(ctx, v.db, store.Options{Left: a.wakeFor}); err != nil {
		v.t.Fatal(err)
	}
	a.watch = a.newWatch()
	if a.current, err = a.generation(plan); err != nil {
		v.t.Fatal(err)
	}
	for name, target := range a.current.targets {
		target.Notifier = recorder{target.Notifier}
		if ear := v.ears[name]; ear != nil {
			target.Notifier = struct {
				notifiers.Notifier
				notifiers.Hearing
			}{target.Notifier, ear}
		}
		a.current.targets[name] = target
	}
	a.current.outbox = outbox.New(a.store, outbox.Options{Targets: a.current.targets, People: plan.People, URL: plan.url, Fallback: plan.File.Fallback, Told: v.hear})
	if _, err := a.takeOver(ctx); err != nil {
		v.t.Fatal(err)
	}
	a.escalation = escalation.New(a.store, func() escalation.Program { return a.generationNow().steps }, nil)
	a.actions = actions.New(a.store, func() *store.Desk { return a.generationNow().desk })
	a.reading, a.work = ctx, ctx
	a.startOutbox(ctx)
	var loops sync.WaitGroup
	for _, loop := range []func(context.Context){a.leadLoop, a.escalationLoop, a.auditLoop} {
		loops.Go(func() { loop(ctx) })
	}
	v.app, v.stop = a, func() {
		cancel()
		loops.Wait()
		a.generationNow().loops.Wait()
		if err := a.store.Close(); err != nil {
			v.t.Error(err)
		}
		v.stop = nil
	}
}

func (v *vigil) hear(now time.Time, n notifiers.Notice, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = append(v.told, heardOf{now, n, text})
}

// pass lets time pass.
func (v *vigil) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// heard is what was told so far, a block each: after how long to whom, and the whole text.
func (v *vigil) heard() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var b strings.Builder
	for _, t := range v.told {
		how := "edited"
		switch {
		case t.notice.Kind == incident.Call:
			how = "called"
		case t.notice.Kind == incident.Post:
			how = "in the thread"
		case t.notice.Rings:
			how = "told"
		}
		fmt.Fprintf(&b, "after %s, %s %s:\n", t.at.Sub(v.began).Truncate(time.Second), t.notice.Target, how)
		for line := range strings.Lines(strings.TrimSpace(t.text)) {
			b.WriteString("    " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	return b.String()
}

// standing are the troubles that stand, a line each.
func (v *vigil) standing() []string {
	v.t.Helper()
	var out []string
	err := v.app.store.View(context.Background(), func(tx *store.Tx) error {
		all, err := tx.Standing(context.Background())
		for _, t := range all {
			out = append(out, fmt.Sprintf("%s %v: %s", t.Kind, t.Labels, t.Text))
		}
		return err
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return out
}
