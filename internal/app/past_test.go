package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/backtest"
	"tocsin/internal/fakes"
	"tocsin/internal/logs"
	"tocsin/internal/scenario"
)

// TestSince counts what an hour of a source's past comes to, read from a stand-in of Cloud Logging, as the same entries in a file would.
func TestSince(t *testing.T) {
	t.Parallel()
	server, err := fakes.NewCloudLogging()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "tocsin.yaml")
	text := fmt.Sprintf("project: k8s-infra-prow\nsources: {log: {cloud_logging: {resource_names: [projects/k8s-infra-prow], endpoint: %q}}, in: {stdin: {}}}\n"+
		"rules: [\"builtin:prow/*.yaml\"]\nreceivers: {c: {console: {}}}\nfallback: c\nroute: {receiver: c}\n", server.Addr())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, errs := Load(config)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	now := time.Now()
	from := now.Add(-59 * time.Minute)
	var day bytes.Buffer
	if err := scenario.WriteWith(&day, "usage-error", scenario.Options{Seed: 1, Start: from.Add(time.Minute), Until: 57 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	if err := server.Add(bytes.Split(bytes.TrimSpace(day.Bytes()), []byte("\n"))...); err != nil {
		t.Fatal(err)
	}
	night, err := backtest.ParseNight("22:00-08:00", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	s := Since{Plan: plan, From: from, Until: now, To: &said}
	report, _, err := s.Backtest(t.Context(), night)
	if err != nil {
		t.Fatal(err)
	}
	fired := map[string]int{}
	for _, r := range report.Rules {
		fired[r.Name] = r.Fired
	}
	if fired["prow-component-dies"] != 1 || fired["prow-crash-loop-lasting"] != 1 || fired["prow-panic"] != 0 {
		t.Errorf("fired %v, want prow-component-dies and prow-crash-loop-lasting once each", fired)
	}
	for _, want := range []string{"reads what log received from ", "1 call or more, 20 a minute at the most, so 3s at the least", "warning: nothing of the past can be read of in (stdin)"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it does not say %q but:\n%s", want, said.String())
		}
	}
}

// TestSinceOfSeveralSources: what several sources received comes in the order of time, though one has more in an hour than a batch holds: a
// source is not read on while another has still to hand out what was received before.
func TestSinceOfSeveralSources(t *testing.T) {
	t.Parallel()
	now := time.Now()
	from := now.Add(-4 * time.Hour)
	entry := func(name string, at time.Time, size int) []byte {
		return fmt.Appendf(nil, `{"logName":"projects/p/logs/x","insertId":%q,"severity":"ERROR","timestamp":%q,"receiveTimestamp":%[2]q,"resource":{"type":"global","labels":{"project_id":"p"}},"textPayload":"loud %s"}`,
			name, at.UTC().Format(time.RFC3339Nano), strings.Repeat("x", size))
	}
	var dense, sparse [][]byte
	for i := range 60 { // a megabyte and more in each of three hours
		for hour := range 3 {
			dense = append(dense, entry(fmt.Sprintf("dense-%d-%d", hour, i), from.Add(time.Duration(hour)*time.Hour+time.Duration(i+1)*40*time.Second), 40_000))
		}
	}
	for hour := range 4 {
		sparse = append(sparse, entry(fmt.Sprintf("sparse-%d", hour), from.Add(time.Duration(hour)*time.Hour+50*time.Minute), 1))
	}
	for _, names := range [][2]string{{"a", "z"}, {"z", "a"}} { // of the sparse and of the dense one: they are asked in the order of names where they are as far
		dir := t.TempDir()
		text := "project: p\nrules: [rules.yaml]\nreceivers: {c: {console: {}}}\nroute: {receiver: c}\nsources:\n"
		for i, entries := range [][][]byte{sparse, dense} {
			server, err := fakes.NewCloudLogging()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if err := server.Add(entries...); err != nil {
				t.Fatal(err)
			}
			text += fmt.Sprintf("  %s: {cloud_logging: {resource_names: [projects/p], calls_per_minute: 600, endpoint: %q}}\n", names[i], server.Addr())
		}
		rule := "rules: [{name: loud, filter: 'textPayload:\"loud\"', detect: {threshold: {count: 1, window: 1m}}, severity: warning, resolves: by_hand, annotations: {summary: a}}]\n"
		for name, text := range map[string]string{"tocsin.yaml": text, "rules.yaml": rule} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		plan, errs := Load(filepath.Join(dir, "tocsin.yaml"))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		s := Since{Plan: plan, From: from, Until: now, To: io.Discard, firing: func(string) bool { return false }}
		if err := s.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		newest, read := map[string]time.Time{}, 0
		for {
			b, err := s.next(t.Context())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			first := true
			b.Entries(time.Time{}, func(e *logs.Entry) bool {
				for source, at := range newest { // a batch is handed out whole, and spans four minutes
					if first && source != b.Source && at.Sub(e.ReceiveTimestamp) > 5*time.Minute {
						t.Errorf("sparse %s, dense %s: %s of %s comes behind what %s received %s later", names[0], names[1], e.Root.Get("insertId").Text(), b.Source, source, at.Sub(e.ReceiveTimestamp))
					}
				}
				first = false
				newest[b.Source] = e.ReceiveTimestamp
				read++
				return true
			})
		}
		if want := len(dense) + len(sparse); read != want {
			t.Errorf("%d entries were read, want %d", read, want)
		}
		for _, p := range s.past {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
