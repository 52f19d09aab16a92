package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"tocsin/internal/fakes"
)

// pagers is how many services of PagerDuty the pages are spread over, as those of many teams are: each has fewer than make a storm.
const pagers = 80

const rules = `rules:
  - name: standing
    filter: jsonPayload.msg="standing" resource.type="k8s_container"
    group_by: {cluster: resource.labels.cluster_name}
    max_groups: 100000 # each incident is one
    detect: {threshold: {count: 1, window: 1h}}
    resolves: by_hand
    severity: warning
    annotations: {summary: "{{ .Labels.cluster }} stands open"}
  - name: down
    filter: |
      jsonPayload.msg="down" resource.type="k8s_container" resource.labels.cluster_name=~"^down-" resource.labels.namespace_name="default"
    group_by: {cluster: resource.labels.cluster_name, team: jsonPayload.team}
    max_groups: 100000
    detect: {threshold: {count: 1, window: 1h}}
    resolves: by_hand
    severity: critical
    mode: page
    annotations: {summary: "{{ .Labels.cluster }} is down"}
`

// world is a tocsin with a pager, and the pipe that its entries come through.
type world struct {
	s      settings
	pager  *fakes.PagerDuty
	server *http.Server
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  *bufio.Writer
	log    *os.File
	url    string

	mu      sync.Mutex
	written map[string]time.Time // by cluster
	took    []time.Duration
	rang    int
}

// newWorld writes the configuration and starts tocsin.
func newWorld(ctx context.Context, dir string, s settings) (*world, error) {
	w := &world{s: s, pager: fakes.NewPagerDuty(), written: map[string]time.Time{}}
	w.pager.Observe = w.observe
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w.server = &http.Server{Handler: w.pager} //nolint:gosec // its one client is ours
	go func() { _ = w.server.Serve(l) }()     // until close
	var c strings.Builder
	fmt.Fprintf(&c, "project: latency\nsources: {app: {stdin: {}}}\nrules: [rules.yaml]\nlisten: 127.0.0.1:0\nfallback: desk\nreceivers:\n  desk: {console: {}}\n")
	routes, policies := "", ""
	for i := range pagers {
		fmt.Fprintf(&c, "  p%d: {pagerduty: {routing_key_file: key%d, url: %q}}\n", i, i, "http://"+l.Addr().String())
		routes += fmt.Sprintf("    - {matchers: ['team=\"t%d\"'], escalation: e%d}\n", i, i)
		policies += fmt.Sprintf("  e%d: {steps: [{notify: [p%d]}]}\n", i, i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("key%d", i)), fmt.Appendf(nil, "key%d\n", i), 0o600); err != nil {
			return nil, err
		}
	}
	c.WriteString("route:\n  receiver: none\n  routes:\n" + routes + "escalation:\n" + policies)
	config := filepath.Join(dir, "tocsin.yaml")
	if err := errors.Join(os.WriteFile(config, []byte(c.String()), 0o600), os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(rules), 0o600)); err != nil {
		return nil, err
	}
	return w, w.start(ctx, dir, config)
}

func (w *world) start(ctx context.Context, dir, config string) error {
	var err error
	if w.log, err = os.Create(filepath.Join(dir, "tocsin.stderr")); err != nil {
		return err
	}
	w.cmd = exec.CommandContext(ctx, w.s.binary, "serve", "--config", config, "--store", w.s.store)
	w.cmd.Stdout = w.log
	stderr, err1 := w.cmd.StderrPipe()
	w.in, err = w.cmd.StdinPipe()
	if err := errors.Join(err1, err); err != nil {
		return err
	}
	if err := w.cmd.Start(); err != nil {
		return fmt.Errorf("start tocsin: %w", err)
	}
	w.lines = bufio.NewWriterSize(w.in, 64<<10)
	up := make(chan string, 1)
	go func() {
		said := bufio.NewScanner(stderr)
		for said.Scan() {
			fmt.Fprintln(w.log, said.Text())
			if url, ok := strings.CutPrefix(said.Text(), "tocsin serves at "); ok {
				up <- url
			}
		}
	}()
	select {
	case w.url = <-up:
		return nil
	case <-time.After(20 * time.Second):
		return errors.New("tocsin does not serve after 20 s")
	}
}

// observe hears of what rings.
func (w *world) observe(e fakes.PagerDutyEvent) {
	now := time.Now()
	if e.Kind != "rang" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rang++
	for _, word := range strings.Fields(e.Alert.Summary) {
		if at, ok := w.written[word]; ok {
			w.took = append(w.took, now.Sub(at))
			delete(w.written, word)
		}
	}
}

// line writes an entry.
func (w *world) line(at time.Time, msg, cluster string, n int) {
	fmt.Fprintf(w.lines, `{"logName":"projects/latency/logs/stderr","insertId":"%s-%s-%d","timestamp":%q,"severity":"ERROR","resource":{"type":"k8s_container","labels":{"project_id":"latency",`+
		`"cluster_name":%q,"namespace_name":"default","container_name":"hook"}},"jsonPayload":{"msg":%q,"team":"t%d","n":%d}}`+"\n",
		msg, cluster, n, at.UTC().Format(time.RFC3339Nano), cluster, msg, team(cluster), n)
	if w.lines.Buffered() > 32<<10 {
		_ = w.lines.Flush() // tocsin's end is noticed by what does not ring
	}
}

func team(cluster string) int {
	n, _ := strconv.Atoi(cluster[strings.LastIndexByte(cluster, '-')+1:])
	return n % pagers
}

// page writes an entry that opens an incident which pages, and starts its clock when it has been written.
func (w *world) page(n int) {
	cluster := fmt.Sprintf("down-%d", n)
	now := time.Now()
	w.mu.Lock()
	w.written[cluster] = now
	w.mu.Unlock()
	w.line(now, "down", cluster, n)
	_ = w.lines.Flush()
}

// rung waits until so many pages have rung, and gives what each took.
func (w *world) rung(ctx context.Context, n int, within time.Duration) []time.Duration {
	_ = w.lines.Flush()
	for end := time.Now().Add(within); time.Now().Before(end) && ctx.Err() == nil; {
		w.mu.Lock()
		done := len(w.took) >= n
		w.mu.Unlock()
		if done {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]time.Duration(nil), w.took...)
}

func (w *world) rings() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rang
}

// settled waits until so many incidents are open.
func (w *world) settled(ctx context.Context, n int) error {
	return w.metric(ctx, `tocsin_incidents\{state="open"\} ([0-9.e+]+)`, n, 2*time.Minute)
}

// read waits until so many entries have been read and committed.
func (w *world) read(ctx context.Context, n int) error {
	return w.metric(ctx, `tocsin_source_entries_total\{source="app"\} ([0-9.e+]+)`, n, 5*time.Minute)
}

// metric waits until a metric of tocsin is at least n.
func (w *world) metric(ctx context.Context, pattern string, n int, within time.Duration) error {
	_ = w.lines.Flush()
	expr, last := regexp.MustCompile(pattern), ""
	for end := time.Now().Add(within); time.Now().Before(end) && ctx.Err() == nil; {
		text, err := w.get(ctx, "/metrics")
		if err != nil {
			return err
		}
		if found := expr.FindStringSubmatch(text); found != nil {
			if last = found[1]; atLeast(last, n) {
				return nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("%s is %q after %s, not %d", pattern, last, within, n)
}

// value is a counter of the source, as tocsin says it.
func value(metrics, counter string) string {
	found := regexp.MustCompile(`tocsin_source_` + counter + `_total\{source="app"\} ([0-9.e+]+)`).FindStringSubmatch(metrics)
	if found == nil {
		return "?"
	}
	n, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		return found[1]
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}

func atLeast(text string, n int) bool {
	v, err := strconv.ParseFloat(text, 64)
	return err == nil && v >= float64(n)
}

func (w *world) get(ctx context.Context, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// counted says how many lines the incident holds.
func (w *world) counted(ctx context.Context) string {
	text, err := w.get(ctx, "/api/v1/incidents")
	if err != nil {
		return err.Error()
	}
	var list struct {
		Incidents []struct {
			Alerts []struct {
				Count int64
				About bool
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.Incidents) == 0 || len(list.Incidents[0].Alerts) == 0 {
		return "the incident cannot be read"
	}
	a := list.Incidents[0].Alerts[0]
	about := ""
	if a.About {
		about = "about "
	}
	return fmt.Sprintf("%d incident(s), the first counts %s%d lines", len(list.Incidents), about, a.Count)
}

// footprint says what memory tocsin took at the most.
func (w *world) footprint() error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "VmRSS") {
			fmt.Println(strings.Join(strings.Fields(line), " "))
		}
	}
	return nil
}

// close ends tocsin and the pager.
func (w *world) close() error {
	_ = w.server.Close()
	if w.cmd.Process == nil {
		return nil
	}
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_ = w.cmd.Wait() // what it had to say is in its log
	return w.log.Close()
}
