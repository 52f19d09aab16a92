package app

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/backtest"
	"tocsin/internal/fakes"
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
