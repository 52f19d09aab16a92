package schema

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tocsin/internal/config"
)

var update = flag.Bool("update", false, "write the schemas anew")

// TestSchemas holds each schema to the types and comments it is of.
func TestSchemas(t *testing.T) {
	for _, d := range []struct{ file, title, path, name string }{
		{"rules.json", "a rule file of tocsin", "tocsin/rules", "fileSettings"},
		{"config.json", "a configuration of tocsin", "tocsin/internal/config", "File"},
		{"scenarios.json", "a scenario file of tocsin", "tocsin/internal/app", "scenarioFile"},
	} {
		g := &generator{root: "../..", packages: map[string]*pkg{}}
		want, err := g.document(d.title, d.path, d.name)
		if err != nil {
			t.Errorf("%s: %v", d.file, err)
			continue
		}
		if *update {
			if err := os.WriteFile(d.file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(d.file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, want) {
			t.Errorf("%s is not that of the settings any more: go test ./docs/schema -update", d.file)
		}
	}
}

// schemaOf reads a schema.
func schemaOf(t *testing.T, data []byte) object {
	t.Helper()
	var s object
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// differs says how a file differs from a schema.
func differs(t *testing.T, s object, name string, data []byte) []string {
	t.Helper()
	root, errs := config.Parse(name, data)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var v any
	if err := json.Unmarshal(root.JSON(), &v); err != nil {
		t.Fatal(err)
	}
	return check(s, s, name, v)
}

// Every rule and every configuration that is shipped, and every whole one in the pages, is as the schemas say.
func TestShippedFiles(t *testing.T) {
	for _, f := range []struct {
		schema  []byte
		pattern string
	}{
		{Rules, "../../rules/*/*.yaml"}, {Config, "../../deploy/prow/tocsin.yaml"}, {Config, "../../deploy/first-hour.yaml"},
		{Config, "../../deploy/overlays/*/tocsin.yaml"}, {Scenarios, "../../deploy/prow/scenarios.yaml"},
	} {
		names, err := filepath.Glob(f.pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: no file: %v", f.pattern, err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range differs(t, schemaOf(t, f.schema), name, data) {
				t.Error(d)
			}
		}
	}
	page, err := os.ReadFile("../configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(project:.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) == 0 {
		t.Fatal("no whole configuration in the page")
	}
	for _, b := range blocks {
		for _, d := range differs(t, schemaOf(t, Config), "configuration.md", b[1]) {
			t.Error(d)
		}
	}
}

// What check refuses by its form alone the schemas refuse too.
func TestSchemasRefuse(t *testing.T) {
	const rule = "rules: [{name: a, filter: b, severity: high, detect: {threshold: {count: 1, window: 5m}}"
	for _, c := range []struct {
		schema     []byte
		text, want string
	}{
		{Rules, rule + ", sevrity: high}]", "unknown key sevrity"},
		{Rules, strings.Replace(rule, "severity: high", "severity: loud", 1) + "}]", "loud is none of"},
		{Rules, strings.Replace(rule, "threshold", "treshold", 1) + "}]", "unknown key treshold"},
		{Rules, strings.Replace(rule, "window", "windw", 1) + "}]", "unknown key windw"},
		{Rules, strings.Replace(rule, "count: 1", "count: one", 1) + "}]", "one is no integer"},
		{Rules, strings.Replace(rule, "filter: b, ", "", 1) + "}]", "filter is missing"},
		{Rules, rule + ", resolves: {on_quit: {after: 5m}}}]", "on_quit"},
		{Rules, rule + ", cases: [{name: a, entries: [{}], fire: []}]}]", "unknown key fire"},
		{Config, "project: p\nreceiver: {}", "unknown key receiver"},
		{Config, "project: p\nsources: {a: {fle: {}}}", "unknown key fle"},
		{Config, "project: p\nsources: {a: {file: {}, stdin: {}}}", "too many keys"},
		{Config, "project: p\nroute: {receiver: a, group_by: [b]}", "unknown key group_by"},
		{Config, "project: p\nescalation: {a: {steps: [{notfy: [b]}]}}", "unknown key notfy"},
		{Config, "project: p\nschedules: {a: {gap: wait}}", "wait is none of"},
		{Config, "rules: []", "project is missing"},
		{Scenarios, "scenarios: [{name: a, config: b, entries: [c], expect: {pages: [{recever: d}]}}]", "recever"},
		{Scenarios, "scenarios: [{name: a, config: b, entries: [c], until: noon}]", "noon"},
	} {
		got := differs(t, schemaOf(t, c.schema), "it", []byte(c.text))
		if !strings.Contains(strings.Join(got, "\n"), c.want) {
			t.Errorf("%s\ngives %q, want %q", c.text, got, c.want)
		}
	}
}
