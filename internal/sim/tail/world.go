package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/encoding/protojson"

	"tocsin/internal/fakes"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/scenario/corpus"
	"tocsin/internal/sim/binary"
)

// world is a tocsin that reads from a stand-in of Cloud Logging.
type world struct {
	s       settings
	cloud   *fakes.CloudLogging
	entries []*loggingpb.LogEntry // one after the other, again and again
	n       int                   // how many came
	cmd     *exec.Cmd
	said    string
	url     string
}

// newWorld makes the entries, writes the files and starts tocsin.
func newWorld(ctx context.Context, dir string, s settings) (*world, error) {
	w := &world{s: s, said: filepath.Join(dir, "tocsin.stderr")}
	if err := w.corpus(); err != nil {
		return nil, err
	}
	var err error
	if w.cloud, err = fakes.NewCloudLogging(); err != nil {
		return nil, err
	}
	w.cloud.Tails.Most = 1 << 40
	rules := "rules:\n"
	for i, r := range corpus.Rules(s.rules) {
		rules += fmt.Sprintf("  - {name: rule-%d, filter: %q, group_by: {cluster: resource.labels.cluster_name}, detect: {threshold: {count: 10, window: 10m}}, resolves: by_hand, severity: info}\n", i, r.Filter)
	}
	config := fmt.Sprintf("project: p\nlisten: 127.0.0.1:0\nsources: {cloud: {cloud_logging: {resource_names: [folders/1], endpoint: %q}}}\nrules: [rules.yaml]\n"+
		"receivers: {screen: {console: {}}}\nroute: {receiver: none}\n", w.cloud.Addr())
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "tocsin.yaml"), []byte(config), 0o600), os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(rules), 0o600)); err != nil {
		return nil, err
	}
	if s.binary == "" {
		s.binary = filepath.Join(dir, "tocsin")
		if err := binary.Build(ctx, s.binary, false); err != nil {
			return nil, err
		}
	}
	return w, w.start(ctx, s.binary, dir)
}

// corpus makes entries to give, with times left out: they happen when they come. All are such as the pushed-down filter lets through.
func (w *world) corpus() error {
	var filters []*lql.Filter
	for _, r := range corpus.Rules(w.s.rules) {
		f, err := lql.Parse(r.Filter)
		if err != nil {
			return err
		}
		filters = append(filters, f)
	}
	pushed, err := lql.Parse(lql.Cover(filters, lql.MaxLength))
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	if err := corpus.Write(&lines, 1, 20<<20); err != nil {
		return err
	}
	for line := range bytes.Lines(lines.Bytes()) {
		if !pushed.Match(logs.ParseLine(bytes.TrimSpace(line))) {
			continue
		}
		e := &loggingpb.LogEntry{}
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(line, e); err != nil {
			return fmt.Errorf("read the corpus: %w", err)
		}
		e.Timestamp, e.ReceiveTimestamp = nil, nil
		w.entries = append(w.entries, e)
	}
	return nil
}

// start starts tocsin and waits until it serves.
func (w *world) start(ctx context.Context, binary, dir string) error {
	log, err := os.Create(w.said)
	if err != nil {
		return err
	}
	defer log.Close()
	w.cmd = exec.CommandContext(ctx, binary, "serve", "--config", filepath.Join(dir, "tocsin.yaml"), "--store", filepath.Join(dir, "tocsin.db"))
	w.cmd.Dir, w.cmd.Stdout, w.cmd.Stderr = dir, log, log
	if err := w.cmd.Start(); err != nil {
		return fmt.Errorf("start tocsin: %w", err)
	}
	serves := regexp.MustCompile(`tocsin serves at (\S+)`)
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		text, err := os.ReadFile(w.said)
		if err != nil {
			return err
		}
		if found := serves.FindSubmatch(text); found != nil {
			w.url = string(found[1])
			return nil
		}
	}
	return errors.New("tocsin does not serve")
}

// add lets the next n entries come.
func (w *world) add(n int) {
	for range n {
		e := w.entries[w.n%len(w.entries)]
		w.n++
		e.InsertId = strconv.Itoa(w.n)
		w.cloud.AddEntries(e)
	}
}

// flow lets entries come at the rate.
func (w *world) flow(ctx context.Context, d time.Duration) error {
	start, before := time.Now(), w.n
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for time.Since(start) < d {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			w.add(int(time.Since(start).Seconds()*float64(w.s.rate)) - (w.n - before))
		}
	}
	return nil
}

// committed waits until so many entries have been evaluated and committed.
func (w *world) committed(ctx context.Context, n int) error {
	entries, last := regexp.MustCompile(`tocsin_source_entries_total\{source="cloud"\} ([0-9.e+]+)`), ""
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/metrics", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
		if found := entries.FindSubmatch(text); found != nil {
			last = string(found[1])
			if v, err := strconv.ParseFloat(last, 64); err == nil && int(v) >= n {
				return nil
			}
		}
	}
	return fmt.Errorf("%s of %d entries were evaluated after two minutes", last, n)
}

// cpu is what tocsin has had of the processor so far.
func (w *world) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	ticks := 0
	for _, f := range fields[11:13] { // utime and stime, in hundredths of a second
		n, _ := strconv.Atoi(f)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// memory says what tocsin has and had at the most.
func (w *world) memory() string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		return err.Error()
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "VmRSS") {
			out = append(out, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(out, ", ")
}

// close ends tocsin and the stand-in.
func (w *world) close() {
	_ = w.cmd.Process.Kill() // it is not needed any more
	_ = w.cmd.Wait()
	w.cloud.Close()
}
