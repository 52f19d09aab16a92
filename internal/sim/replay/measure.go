//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"time"

	"tocsin/internal/app"
	"tocsin/internal/incident"
	"tocsin/internal/scenario/corpus"
	"tocsin/notifiers"
)

// kind is one configuration that is measured.
type kind struct {
	what string
	// live are the filters that match; detect and resolves are those of all rules.
	live             []string
	detect, resolves string
}

const (
	refused = `resource.type="http_load_balancer" httpRequest.status=502`
	backOff = `resource.type="k8s_pod" jsonPayload.reason="BackOff"`
	trouble = `resource.type="k8s_container" jsonPayload.msg="Error reconciling."`
	counts  = "{threshold: {count: 500, window: 10s}}"
	fires   = "{threshold: {count: 3, window: 10m}}"
)

// cases are the rows. A rule whose alert fires asks who is alive, which is most of a log: such a replay is read whole.
var cases = []kind{
	{"0.1 % of the entries match, nothing fires", []string{refused + ` jsonPayload.statusDetails=("backend_timeout" OR "failed_to_connect_to_backend")`}, counts, "{on_quiet: {after: 20m}}"},
	{"1 % of the entries match, nothing fires", []string{refused, backOff, trouble}, counts, "{on_quiet: {after: 20m}}"},
	{"1 % match, and what matches fires, by hand", []string{refused, backOff, trouble}, fires, "by_hand"},
	{"each entry matches one rule, which fires, by hand", []string{`resource.labels.project_id="k8s-prow"`}, fires, "by_hand"},
	{"1 % match and fire, and are seen alive", []string{refused, backOff, trouble}, fires, "{on_quiet: {after: 20m}}"},
}

// write writes a corpus of so many entries.
func write(path string, entries int) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the corpus: %w", err)
	}
	cut := &lines{to: f, left: entries}
	err = corpus.Write(cut, 1, int64(entries)*2000) // more than it needs
	if errors.Is(err, errEnough) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// lines lets so many lines through.
type lines struct {
	to   io.Writer
	left int
}

var errEnough = errors.New("enough")

// Write lets through what is wanted of p.
func (l *lines) Write(p []byte) (int, error) {
	at := 0
	for l.left > 0 {
		n := bytes.IndexByte(p[at:], '\n')
		if n < 0 {
			return l.to.Write(p)
		}
		at += n + 1
		l.left--
	}
	if _, err := l.to.Write(p[:at]); err != nil {
		return 0, err
	}
	return at, errEnough
}

// config writes the configuration of a row and returns its name.
func (k kind) config(dir string, rules int) (string, error) {
	var b strings.Builder
	b.WriteString("rules:\n")
	rule := func(i int, filter string) {
		fmt.Fprintf(&b, "  - {name: rule-%d, filter: %q, group_by: {cluster: resource.labels.cluster_name, service: resource.labels.container_name}, detect: %s, resolves: %s, severity: high}\n",
			i, filter, k.detect, k.resolves)
	}
	for i, filter := range k.live {
		rule(i, filter)
	}
	for i, r := range corpus.Rules(rules)[len(corpus.Live):] {
		rule(len(k.live)+i, r.Filter)
	}
	if err := os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(b.String()), 0o600); err != nil {
		return "", fmt.Errorf("write rules: %w", err)
	}
	name := filepath.Join(dir, "tocsin.yaml")
	text := "project: bench\nrules: [rules.yaml]\nreceivers: {channel: {slack: {channel: \"#bench\", token_file: token}}}\nroute: {receiver: channel}\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write configuration: %w", err)
	}
	return name, nil
}

// measure replays and prints a row.
func (k kind) measure(ctx context.Context, dir, path string, s settings) error {
	name, err := k.config(dir, s.rules)
	if err != nil {
		return err
	}
	plan, errs := app.Load(name)
	if len(errs) > 0 {
		return errs.Err()
	}
	next, closeAll, err := app.Entries([]string{path}, nil, 0, time.Now())
	if err != nil {
		return err
	}
	defer closeAll()
	watched, cancel := context.WithCancel(ctx)
	most := make(chan uint64)
	go func() { most <- peak(watched) }()
	t := &silent{}
	r := &app.Replay{Plan: plan, Entries: next, Tell: t}
	begun, used := time.Now(), cpuTime()
	err = r.Run(ctx)
	wall, cpu := time.Since(begun), cpuTime()-used
	cancel()
	heap := <-most
	if err != nil {
		return err
	}
	n := float64(r.Counts.Entries)
	fmt.Printf("%8.2f %10.2f %12.0f %17.0f %10.0f %10s  %s\n", wall.Seconds(), cpu.Seconds(), n/wall.Seconds(), n/cpu.Seconds(), float64(heap)/(1<<20),
		fmt.Sprint(t.fired), k.what)
	return nil
}

// peak is the most that lived on the heap, with what was not yet swept, until ctx ends.
func peak(ctx context.Context) (most uint64) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for {
		metrics.Read(sample)
		most = max(most, sample[0].Value.Uint64())
		select {
		case <-ctx.Done():
			return most
		case <-look.C:
		}
	}
}

// silent is a Teller that counts alerts that fire.
type silent struct{ fired int }

// Alert counts.
func (t *silent) Alert(_ time.Time, a incident.Alert, _ string) {
	if a.State == incident.Firing {
		t.fired++
	}
}

// Incident says nothing.
func (t *silent) Incident(time.Time, *incident.Incident) {}

// Notification says nothing.
func (t *silent) Notification(time.Time, notifiers.Notice, string, bool, string) {}
