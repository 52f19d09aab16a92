package network

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"tocsin/internal/app"
	"tocsin/internal/fakes"
	"tocsin/internal/store/pgtest"
)

func TestMain(m *testing.M) {
	zerolog.SetGlobalLevel(zerolog.Disabled) // what the proxies say is of no use
	pgtest.Main(m)
}

// toxics are what is done to a connection, in toxiproxy's words; "" takes the proxy down.
var toxics = map[string][]string{
	"latency":    {`{"name":"t","type":"latency","stream":"downstream","attributes":{"latency":700,"jitter":300}}`},
	"blackhole":  {`{"name":"t","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`},
	"unanswered": {`{"name":"t","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`},
	"reset":      {`{"name":"t","type":"reset_peer","stream":"downstream","attributes":{"timeout":20}}`},
	"slow-close": {`{"name":"t","type":"slow_close","stream":"downstream","attributes":{"delay":1500}}`},
	"cut":        {`{"name":"t","type":"limit_data","stream":"downstream","attributes":{"bytes":90}}`},
	"narrow":     {`{"name":"t","type":"bandwidth","stream":"downstream","attributes":{"rate":1}}`},
	"sliced":     {`{"name":"t","type":"slicer","stream":"upstream","attributes":{"average_size":8,"size_variation":4,"delay":2000}}`},
	"down":       nil,
}

// proxy is a way to a server that can be made bad.
type proxy struct{ *toxiproxy.Proxy }

func newProxy(t *testing.T, server string) proxy {
	t.Helper()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := proxy{toxiproxy.NewProxy(api, "p", "127.0.0.1:0", server)}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func (p proxy) spoil(t *testing.T, name string) {
	t.Helper()
	if toxics[name] == nil {
		p.Stop()
	}
	for _, text := range toxics[name] {
		if _, err := p.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
}

func (p proxy) mend(t *testing.T, name string) {
	t.Helper()
	if toxics[name] == nil {
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		return
	}
	p.Toxics.ResetToxics(context.Background())
}

const rules = `rules:
  - name: down
    filter: |
      resource.type="k8s_container" resource.labels.cluster_name=~"^net-" resource.labels.namespace_name="default" jsonPayload.msg="down"
    group_by: {cluster: resource.labels.cluster_name}
    detect: {threshold: {count: 1, window: 1h}}
    resolves: by_hand
    severity: critical
    mode: page
    annotations: {summary: "{{ .Labels.cluster }} is down"}
`

// world is the service with a pager and a channel for each name, and its log.
type world struct {
	dir   string
	pager *fakes.PagerDuty
	slack *fakes.Slack

	mu   sync.Mutex
	rang map[string][]time.Time // by cluster
}

// newWorld makes the stand-ins. They outlive the service, and are gone at the end of the test.
func newWorld(t *testing.T) (w *world, pager, slack *httptest.Server) {
	w = &world{dir: t.TempDir(), pager: fakes.NewPagerDuty(), slack: fakes.NewSlack(), rang: map[string][]time.Time{}}
	w.pager.Observe = func(e fakes.PagerDutyEvent) {
		if e.Kind == "rang" {
			w.mu.Lock()
			defer w.mu.Unlock()
			cluster, _, _ := strings.Cut(e.Alert.Summary, " ")
			w.rang[cluster] = append(w.rang[cluster], time.Now())
		}
	}
	pager, slack = httptest.NewServer(w.pager), httptest.NewServer(w.slack)
	t.Cleanup(pager.Close)
	t.Cleanup(slack.Close)
	return w, pager, slack
}

// serve runs the service until the function that it returns is called.
func (w *world) serve(t *testing.T, store string, pagers, slacks map[string]string) (stop func()) {
	t.Helper()
	var c strings.Builder
	c.WriteString("project: network\nsources: {app: {file: {paths: [app.log]}}}\nrules: [rules.yaml]\nfallback: ops-well\nurl: http://tocsin.test\nreceivers:\n")
	routes, policies := "", ""
	for name, at := range pagers {
		fmt.Fprintf(&c, "  call-%s: {pagerduty: {routing_key_file: key, url: %q}}\n", name, at)
		fmt.Fprintf(&c, "  ops-%s: {slack: {channel: %q, token_file: token, api_url: %q}}\n", name, "#"+name, slacks[name]+"/api/")
		routes += fmt.Sprintf("    - {matchers: ['cluster=~\"net-%s-.*\"'], receiver: ops-%[1]s, escalation: p-%[1]s}\n", name)
		policies += fmt.Sprintf("  p-%s: {steps: [{notify: [call-%[1]s]}]}\n", name)
	}
	c.WriteString("route:\n  receiver: ops-well\n  routes:\n" + routes + "escalation:\n" + policies)
	for name, text := range map[string]string{"tocsin.yaml": c.String(), "rules.yaml": rules, "key": "k\n", "token": "xoxb-t\n", "app.log": ""} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, err := app.New(t.Context(), app.Options{Config: filepath.Join(w.dir, "tocsin.yaml"), Listen: "127.0.0.1:0", Store: store,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the service ended with %v", err)
		}
	}
}

// fail lets a cluster be down.
func (w *world) fail(t *testing.T, cluster string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(w.dir, "app.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, `{"timestamp":%q,"severity":"ERROR","logName":"projects/network/logs/app","resource":{"type":"k8s_container","labels":{`+
		`"project_id":"network","cluster_name":%q,"namespace_name":"default","container_name":"app"}},"jsonPayload":{"msg":"down"}}`+"\n",
		time.Now().UTC().Format(time.RFC3339Nano), cluster); err != nil {
		t.Fatal(err)
	}
}

// told counts what the pager and the channel heard of a cluster.
func (w *world) told(cluster string) (rang, messages int) {
	for _, m := range w.slack.Messages() {
		if m.ThreadTS == "" && strings.Contains(m.Text, cluster+" is down") {
			messages++
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.rang[cluster]), messages
}

// await waits until everybody has been told of all clusters, and wants each to have been told once.
func (w *world) await(t *testing.T, within time.Duration, clusters []string) {
	t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(within); ; <-look.C {
		lacking := ""
		for _, c := range clusters {
			rang, messages := w.told(c)
			if rang == 0 || messages == 0 {
				lacking += fmt.Sprintf("\n%s rang %d times, %d messages", c, rang, messages)
			}
		}
		if lacking == "" {
			break
		}
		if time.Now().After(end) {
			t.Errorf("lost within %s:%s", within, lacking)
			break
		}
	}
	for _, c := range clusters {
		if rang, messages := w.told(c); rang > 1 || messages > 1 {
			t.Errorf("%s rang %d times, %d messages", c, rang, messages)
		}
	}
	if doubled := w.slack.Doubled(); len(doubled) > 0 {
		t.Errorf("doubled in the channel: %v", doubled)
	}
	for key, n := range w.pager.Rings() {
		if n > 1 {
			t.Errorf("%s rang %d times", key, n)
		}
	}
}

// open counts the files and sockets that this process has open.
func open(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// whole checks, when all has been closed, that nothing was left behind.
func whole(t *testing.T) {
	before, running := 0, goleak.IgnoreCurrent()
	warm, err := os.Open("/dev/null") // what the runtime opens with the first file stays
	if err != nil {
		t.Fatal(err)
	}
	warm.Close()
	before = open(t)
	t.Cleanup(func() {
		goleak.VerifyNone(t, running)
		after := open(t)
		look := time.NewTicker(10 * time.Millisecond)
		defer look.Stop()
		for end := time.Now().Add(5 * time.Second); after > before && time.Now().Before(end); after = open(t) {
			<-look.C
		}
		if after > before {
			t.Errorf("%d files open, %d at the beginning", after, before)
		}
	})
}

// TestBadWaysToProviders: each pager and each channel is behind a network that is bad in its own way, one is well. What is well hears
// in time meanwhile; when the networks are mended, everybody has heard of everything once.
func TestBadWaysToProviders(t *testing.T) {
	whole(t)
	w, pager, slack := newWorld(t)
	ways := map[string][]proxy{}
	pagers, slacks := map[string]string{"well": pager.URL}, map[string]string{"well": slack.URL}
	for name := range toxics {
		a, b := newProxy(t, pager.Listener.Addr().String()), newProxy(t, slack.Listener.Addr().String())
		ways[name] = []proxy{a, b}
		pagers[name], slacks[name] = "http://"+a.Listen, "http://"+b.Listen
	}
	stop := w.serve(t, filepath.Join(w.dir, "tocsin.db"), pagers, slacks)
	var clusters []string
	fail := func(name, n string) {
		clusters = append(clusters, fmt.Sprintf("net-%s-%s", name, n))
		w.fail(t, clusters[len(clusters)-1])
	}
	for name := range ways { // so that there are connections
		fail(name, "before")
	}
	w.await(t, 20*time.Second, clusters)
	for name, both := range ways {
		for _, p := range both {
			p.spoil(t, name)
		}
		fail(name, "spoiled")
	}
	again := time.NewTicker(1500 * time.Millisecond)
	defer again.Stop()
	for n := range 3 {
		<-again.C
		at := time.Now()
		fail("well", fmt.Sprint(n))
		own := clusters[len(clusters)-1:]
		w.await(t, 5*time.Second, own)
		t.Logf("%s was told after %s", own[0], time.Since(at).Round(time.Millisecond))
	}
	for name, both := range ways {
		for _, p := range both {
			p.mend(t, name)
		}
		fail(name, "after")
	}
	w.await(t, 40*time.Second, clusters)
	stop()
}

// TestBadWaysToPostgreSQL: the way to the database is bad in one way after the other, mended in between; what was logged meanwhile is
// told once.
func TestBadWaysToPostgreSQL(t *testing.T) {
	place := pgtest.Database(t)
	whole(t)
	w, pager, slack := newWorld(t)
	u, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, u.Host)
	u.Host = p.Listen
	stop := w.serve(t, u.String(), map[string]string{"well": pager.URL, "other": pager.URL, "third": pager.URL},
		map[string]string{"well": slack.URL, "other": slack.URL, "third": slack.URL})
	var clusters []string
	for name := range toxics {
		receiver := []string{"well", "other", "third"}[len(clusters)%3]
		cluster := fmt.Sprintf("net-%s-%s", receiver, name)
		clusters = append(clusters, cluster)
		p.spoil(t, name)
		w.fail(t, cluster)
		look := time.NewTicker(50 * time.Millisecond)
		for end := time.Now().Add(800 * time.Millisecond); time.Now().Before(end); <-look.C {
			if rang, messages := w.told(cluster); rang > 0 && messages > 0 {
				break
			}
		}
		look.Stop()
		p.mend(t, name)
	}
	w.await(t, 40*time.Second, clusters)
	stop()
}
