package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"tocsin/internal/fakes"
	"tocsin/internal/sim/binary"
)

// pagers and channels are how many receivers the groups are spread over, each with a key or a channel of its own: what one of them is
// spared, a storm's page in the place of many and a digest, is not what is proven here.
const (
	pagers   = 48
	channels = 6
)

// configuration is what tocsin is run with: pages at once and again after secondStep, the channel hears of both.
func (w *world) configuration(source, slackURL, pagerURL string) string {
	var c strings.Builder
	fmt.Fprintf(&c, "project: kill\nlateness: %s\nurl: http://tocsin.test\nsources:\n  app: %s\nrules: [rules.yaml]\nfallback: ops0\nreceivers:\n", w.traffic.lateness, source)
	for i := range channels {
		fmt.Fprintf(&c, "  ops%d: {slack: {channel: \"#ops%[1]d\", token_file: slack-token, api_url: \"%s/api/\"}}\n", i, slackURL)
	}
	routes, policies := "", ""
	for i := range pagers {
		fmt.Fprintf(&c, "  oncall%d: {pagerduty: {routing_key_file: key%[1]d, token_file: pagerduty-token, url: \"%[2]s\", api_url: \"%[2]s\"}}\n", i, pagerURL)
		routes += fmt.Sprintf("    - {matchers: ['cluster=~\".*-p%d\"'], receiver: ops%[2]d, escalation: at-once%[1]d}\n", i, i%channels)
		policies += fmt.Sprintf("  at-once%d: {steps: [{notify: [oncall%[1]d]}, {after: %[2]s, notify: [oncall%[1]d, ops%[3]d]}]}\n", i, secondStep, i%channels)
	}
	c.WriteString("route:\n  receiver: ops0\n  routes:\n" + routes + "escalation:\n" + policies)
	return c.String()
}

// ruleFile has one rule that needs needed lines and ends with a line that says up, and one that fires with the first and ends by hand.
const ruleFile = `rules:
  - name: kill-down
    filter: |
      resource.type="k8s_container" resource.labels.cluster_name=~"^kill-" resource.labels.namespace_name="default" jsonPayload.msg="down"
    group_by: {cluster: resource.labels.cluster_name}
    detect: {threshold: {count: 3, window: 1h}}
    resolves:
      on_clear: |
        resource.type="k8s_container" resource.labels.cluster_name=~"^kill-" resource.labels.namespace_name="default" jsonPayload.msg="up"
    severity: critical
    mode: page
    annotations: {summary: "{{ .Labels.cluster }} is down"}
  - name: kill-broken
    filter: |
      resource.type="k8s_container" resource.labels.cluster_name=~"^kill-" resource.labels.namespace_name="default" jsonPayload.msg="broken"
    group_by: {cluster: resource.labels.cluster_name}
    detect: {threshold: {count: 1, window: 1h}}
    resolves: by_hand
    severity: critical
    mode: page
    annotations: {summary: "{{ .Labels.cluster }} is broken"}
`

// world is a tocsin with all that is around it, which stays while it is killed.
type world struct {
	dir, binary string
	settings    settings
	chance      *chance
	slack       *fakes.Slack
	pagerduty   *fakes.PagerDuty
	faults      *faults
	traffic     *traffic
	tally       map[string]int // kills by kind
	missed      int            // lives whose failpoint was not reached in time
	drained     bool
	place       place
	// frozen is what became of those that were frozen and woken.
	frozen []thaw
	// ways are how each slot's life is to fall, takeovers how the other went on.
	ways      []string
	takeovers []takeover

	servers []*http.Server

	mu    sync.Mutex
	lives []*life // the newest of each slot
	// queue are the kinds of the kills to come, begun how many have begun, restarts how often PostgreSQL was killed.
	queue           []string
	begun, restarts int
	restarted       time.Time
	// trapping is held by whoever has set a trap.
	trapping sync.Mutex
}

// chance is a source of chance that several may draw from. With several at work the order of what they draw is not the seed's.
type chance struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newChance(seed uint64) *chance { return &chance{r: rand.New(rand.NewPCG(seed, 0))} }

// below is a number from 0 to n-1.
func (c *chance) below(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.r.IntN(n)
}

// newWorld builds tocsin, writes its files and starts the stand-ins.
func newWorld(ctx context.Context, dir string, s settings) (*world, error) {
	w := &world{dir: dir, binary: s.binary, settings: s, chance: newChance(s.seed), slack: fakes.NewSlack(), pagerduty: fakes.NewPagerDuty(), tally: map[string]int{}}
	var err error
	if w.place, err = newPlace(ctx, dir, s.store); err != nil {
		return nil, err
	}
	w.lives = make([]*life, w.place.replicas)
	if w.binary == "" {
		w.binary = filepath.Join(dir, "tocsin")
		if err := binary.Build(ctx, w.binary, s.race); err != nil {
			w.close()
			return nil, err
		}
	}
	w.faults = newFaults(w.chance)
	w.slack.Token, w.pagerduty.Token = "xoxb-kill", "kill-token"
	w.slack.Before = w.faults.slack
	w.pagerduty.Before = w.faults.pagerduty
	log := filepath.Join(dir, "app.log")
	w.traffic = newTraffic(log, w.chance, w.pagerduty)
	source := fmt.Sprintf("{file: {paths: [%s]}}", log)
	if s.source != "file" {
		if w.traffic.wire, err = newWire(s.source, w.chance); err != nil {
			w.close()
			return nil, err
		}
		w.traffic.lateness, source = w.traffic.wire.lateness(), w.traffic.wire.source()
	}
	w.pagerduty.Observe = w.traffic.observe
	w.faults.onHeld = w.traffic.recover
	slackURL, err1 := w.serve(ctx, w.slack)
	pagerURL, err2 := w.serve(ctx, w.pagerduty)
	if err := errors.Join(err1, err2); err != nil {
		w.close()
		return nil, err
	}
	files := map[string]string{"rules.yaml": ruleFile, "slack-token": w.slack.Token + "\n", "pagerduty-token": w.pagerduty.Token + "\n",
		"tocsin.yaml": w.configuration(source, slackURL, pagerURL)}
	for i := range pagers {
		files[fmt.Sprintf("key%d", i)] = fmt.Sprintf("kill-key-%d\n", i)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

// serve serves a stand-in on loopback and returns its address.
func (w *world) serve(ctx context.Context, h http.Handler) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h} //nolint:gosec // its one client is ours
	w.servers = append(w.servers, srv)
	go func() { _ = srv.Serve(l) }() // until close
	return "http://" + l.Addr().String(), nil
}

// close ends everything that still runs.
func (w *world) close() {
	for _, l := range w.running() {
		l.kill()
	}
	if w.traffic != nil {
		w.traffic.stop()
		if w.traffic.wire != nil {
			w.traffic.wire.close()
		}
	}
	for _, s := range w.servers {
		_ = s.Close() // they hold nothing that must be saved
	}
	w.place.close()
}

// saveLedgers writes what the stand-ins hold beside the store.
func (w *world) saveLedgers() error {
	var errs []error
	for name, v := range map[string]any{"slack.json": w.slack.Snapshot(), "pagerduty.json": w.pagerduty.Snapshot()} {
		data, err := json.MarshalIndent(v, "", " ")
		if err == nil {
			err = os.WriteFile(filepath.Join(w.dir, name), data, 0o600)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
