package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/cloudsetup"
	"tocsin/internal/config"
)

// The alert policy asks for metrics that there are.
func TestSilenceAsksForWhatThereIs(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`tocsin_\w+`).FindAllString(silence, -1)
	for _, name := range names {
		if !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("there is no metric %s", name)
		}
	}
	if len(names) == 0 {
		t.Error("it asks for nothing of tocsin's")
	}
}

// Whoever reads metrics needs the role for it.
func TestGrantsOfSources(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	text := `
project: prow
sources:
  logs: {cloud_logging: {resource_names: [projects/prow]}}
  rate: {cloud_monitoring: {filter: 'metric.type="m"'}}
  more: {cloud_monitoring: {resource_name: folders/1, filter: 'metric.type="m"'}}
  same: {cloud_monitoring: {resource_name: folders/1, filter: 'metric.type="n"'}}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := Provisioning{Config: path, Member: "user:a@b"}.wanted()
	if err != nil {
		t.Fatal(err)
	}
	want := []cloudsetup.Grant{{Resource: "folders/1", Role: "roles/monitoring.viewer"}, {Resource: "projects/prow", Role: "roles/logging.viewer"}, {Resource: "projects/prow", Role: "roles/monitoring.viewer"}}
	if diff := cmp.Diff(want, w.Grants); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestSubscriptionsOfSources: a source over Pub/Sub has its subscription, a topic of the same name, and a sink in each parent with what
// the rules want, also what is asked only while something fires.
func TestSubscriptionsOfSources(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"rules.yaml": `
rules:
  - {name: quiet, filter: 'severity>=ERROR resource.labels.cluster_name="a"', detect: {threshold: {count: 1, window: 1m}}, severity: warning, resolves: {on_quiet: {after: 10m, alive: 'jsonPayload.beat="yes"'}}, annotations: {summary: a}}
  - {name: elsewhere, filter: 'jsonPayload.other="no"', sources: [in], detect: {threshold: {count: 1, window: 1m}}, severity: warning, resolves: by_hand, annotations: {summary: a}}
`,
		"tocsin.yaml": "project: prow\nsources: {in: {stdin: {}}}\nrules: [rules.yaml]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plan, errs := Load(filepath.Join(dir, "tocsin.yaml"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	source := func(text string) *Plan {
		root, errs := config.Parse("tocsin.yaml", []byte(text))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		plan.Kinds["logs"], plan.File.Sources["logs"] = "pubsub", root
		return plan
	}
	o := Provisioning{Name: "tocsin", Watch: []string{"projects/prow", "folders/1"}}
	got, ok, err := source("pubsub: {subscription: projects/ops/subscriptions/s}").subscription("logs", o)
	if err != nil || !ok || got.Name != "projects/ops/subscriptions/s" || got.Topic != "projects/ops/topics/s" || len(got.Sinks) != 2 {
		t.Fatalf("%+v, %v, %v", got, ok, err)
	}
	for _, s := range got.Sinks {
		if !strings.Contains(s.Filter, "cluster_name") || !strings.Contains(s.Filter, "beat") || strings.Contains(s.Filter, "other") || s.Name != "tocsin" {
			t.Errorf("the sink of %s takes %s", s.Parent, s.Filter)
		}
	}
	o.Topic = "projects/ops/topics/t"
	if got, _, _ := source("pubsub: {subscription: projects/ops/subscriptions/s}").subscription("logs", o); got.Topic != o.Topic {
		t.Errorf("topic %s, want %s", got.Topic, o.Topic)
	}
	if _, _, err := source("pubsub: {subscription: s}").subscription("logs", o); err == nil || !strings.Contains(err.Error(), `tocsin.yaml:1:24: "s" is no subscription`) {
		t.Errorf("a short name: %v", err)
	}
	if _, ok, err := plan.subscription("in", o); ok || err != nil {
		t.Errorf("standard input has a subscription: %v", err)
	}
}

// TestSinksOfSeveralSubscriptions: each has sinks of its own, whose names differ, and so have the blocks of Terraform's configuration.
func TestSinksOfSeveralSubscriptions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	text := `
project: prow
sources:
  a: {pubsub: {subscription: projects/prow/subscriptions/tocsin}}
  b: {pubsub: {subscription: projects/prow/subscriptions/more}}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Provisioning{Config: path, Name: "tocsin", Watch: []string{"projects/prow", "folders/1"}}
	w, err := o.wanted()
	if err != nil {
		t.Fatal(err)
	}
	var sinks []string
	for _, s := range w.Subscriptions {
		for _, sink := range s.Sinks {
			sinks = append(sinks, s.Topic+" "+sink.Parent+" "+sink.Name)
		}
	}
	want := []string{"projects/prow/topics/tocsin projects/prow tocsin", "projects/prow/topics/tocsin folders/1 tocsin",
		"projects/prow/topics/more projects/prow tocsin-more", "projects/prow/topics/more folders/1 tocsin-more"}
	if diff := cmp.Diff(want, sinks); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	seen := map[string]bool{}
	for _, block := range regexp.MustCompile(`(?m)^resource .*$`).FindAllString(cloudsetup.Terraform(w), -1) {
		if seen[block] {
			t.Errorf("twice: %s", block)
		}
		seen[block] = true
	}
	o.Topic = "projects/prow/topics/tocsin"
	if _, err := o.wanted(); err == nil || !strings.Contains(err.Error(), "there are 2 subscriptions") {
		t.Errorf("one topic for two: %v", err)
	}
}

// What cannot be meant is said before anybody is asked.
func TestProvisioningRefuses(t *testing.T) {
	for flag, o := range map[string]Provisioning{"--project": {Project: "MY PROJECT"}, "--watch": {Watch: []string{"folders/abc"}}, "--name": {Name: "a b"}, "--topic": {Topic: "t"}, "--member": {Member: "a@b"}} {
		if _, err := o.wanted(); err == nil || !strings.HasPrefix(err.Error(), flag+" ") {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
