package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tocsin/internal/app"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReadme holds the page to the files and the commands that there are.
func TestReadme(t *testing.T) {
	text := readme(t)
	main, err := os.ReadFile("../cmd/tocsin/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\bdeploy/[\w./-]*\w|(?:\x60)(?:base|overlays|prow)/[\w./-]+`).FindAllString(text, -1) {
		if _, err := os.Stat(strings.TrimPrefix(strings.TrimPrefix(m, "\x60"), "deploy/")); err != nil {
			t.Errorf("it names %s: %v", m, err)
		}
	}
	commands := regexp.MustCompile(`(?m)(?:\./tocsin|/ko-app/tocsin) ([a-z-]+)`).FindAllStringSubmatch(text, -1)
	for _, m := range commands {
		words := strings.Split(m[1], "-")
		for i, w := range words {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
		if !regexp.MustCompile(`(?m)^\s` + strings.Join(words, "") + `\s`).Match(main) {
			t.Errorf("there is no command tocsin %s", m[1])
		}
	}
	if len(commands) < 9 {
		t.Errorf("only %d commands were found", len(commands))
	}
	// Each numbered step has its check.
	for _, step := range regexp.MustCompile(`(?m)^## `).Split(text, -1) {
		if title, _, _ := strings.Cut(step, "\n"); regexp.MustCompile(`^\d\. `).MatchString(title) && !strings.Contains(step, "*Check:*") {
			t.Errorf("the step %q has no check", title)
		}
	}
}

// TestTrialPages holds that the line of the last step does what the page says: one message, one page.
func TestTrialPages(t *testing.T) {
	data, err := os.ReadFile("trial.json")
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Entries []map[string]any `json:"entries"`
	}
	if err := json.Unmarshal(data, &body); err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	for _, e := range body.Entries {
		e["timestamp"] = "2026-11-22T22:00:00Z" // the API gives what is missing
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "%s\n", line)
	}
	file := filepath.Join(t.TempDir(), "trial.jsonl")
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, errs := app.Load("prow/tocsin.yaml")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	next, closeAll, err := app.Entries([]string{file}, nil, 0, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	var out bytes.Buffer
	tell := &app.TextTeller{W: &out}
	if err := (&app.Replay{Plan: plan, Entries: next, Tell: tell}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := tell.Summary(); !strings.HasPrefix(got, "1 incident: 1 page, 1 message") || !strings.Contains(out.String(), "a trial of tocsin: nothing is wrong") {
		t.Errorf("%s\n%s", got, out.String())
	}
}
