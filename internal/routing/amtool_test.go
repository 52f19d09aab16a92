package routing

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/incident"
)

// treesAtOnce is how many random trees one run of amtool is asked about: each stands behind a route of its own that continues.
const treesAtOnce = 8

// TestRoutesAsAlertmanager holds what random trees of routes decide for random labels to Alertmanager's own amtool.
func TestRoutesAsAlertmanager(t *testing.T) {
	amtool, err := exec.LookPath("amtool")
	if err != nil {
		t.Fatalf("routes are held to Alertmanager's own: install amtool, which is in Debian's prometheus-alertmanager: %v", err)
	}
	file := filepath.Join(t.TempDir(), "alertmanager.yml")
	pairs, told := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		root := &Route{Receiver: "outer"}
		for n := range treesAtOnce {
			tree := drawRoute(t, fmt.Sprintf("t%d", n), 3)
			tree.Continue = true
			root.Routes = append(root.Routes, tree)
		}
		names := receiversOf(root)
		router, errs := New(root, nil, Known{Receivers: names})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		write(t, file, root, names)
		for range 2 {
			l := incident.Labels(rapid.MapOf(rapid.SampledFrom(labelNames), rapid.SampledFrom(labelValues)).Draw(t, "labels"))
			got, want := router.Route(l, time.Time{}).Receivers, asked(t, amtool, file, l)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%v is told to (-amtool +ours):\n%s", l, diff)
			}
			pairs, told = pairs+treesAtOnce, told+len(got)
		}
	})
	t.Logf("%d pairs of tree and labels, %d receivers told", pairs, told)
	if told < pairs/4 {
		t.Errorf("of %d pairs only %d receivers are told: the trees match nearly nothing", pairs, told)
	}
}

var (
	labelNames  = []string{"rule", "severity", "service", "cluster"}
	labelValues = []string{"critical", "high", "hook", "hook-2", "a b", `q"uote`, `back\slash`, "com,ma", "{brace}", "ümlaut", "new\nline", "$", "."}
	patterns    = []string{".*", ".+", "hook.*", "hook|high", "(critical|high)?", "[a-z]+", "a b|com,ma", `.*\\.*`, "{.*}", "ü.*", "(?i)HOOK", "hook-[0-9]", "", `\$|\.`, "(?s).*line"}
)

// drawRoute is a random route; the receivers of its tree begin with the tree's name.
func drawRoute(t *rapid.T, tree string, depth int) *Route {
	r := &Route{Continue: rapid.Bool().Draw(t, "continue")}
	if r.Receiver = rapid.SampledFrom([]string{"", tree + "-a", tree + "-b", tree + "-c", None}).Draw(t, "receiver"); depth == 3 && r.Receiver == "" {
		r.Receiver = tree
	}
	for range rapid.IntRange(0, 2).Draw(t, "matchers") {
		operator := rapid.SampledFrom([]string{"=", "!=", "=~", "!~"}).Draw(t, "operator")
		values := append(slices.Clone(labelValues), "")
		if strings.HasSuffix(operator, "~") {
			values = patterns
		}
		r.Matchers = append(r.Matchers, rapid.SampledFrom(labelNames).Draw(t, "name")+operator+quoted(rapid.SampledFrom(values).Draw(t, "value")))
	}
	if depth > 0 {
		for range rapid.IntRange(0, 3).Draw(t, "routes") {
			r.Routes = append(r.Routes, drawRoute(t, tree, depth-1))
		}
	}
	return r
}

// quoted is a value as matchers write it: only the backslash, the quote and the end of a line are escaped.
func quoted(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`
}

// receiversOf are the names that a tree uses, "none" aside.
func receiversOf(r *Route) []string {
	var names []string
	if r.Receiver != "" && r.Receiver != None {
		names = append(names, r.Receiver)
	}
	for _, child := range r.Routes {
		names = append(names, receiversOf(child)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// write makes the configuration that Alertmanager reads; JSON is YAML.
func write(t *rapid.T, file string, root *Route, names []string) {
	type named struct {
		Name string `json:"name"`
	}
	config := struct {
		Route     any     `json:"route"`
		Receivers []named `json:"receivers"`
	}{plain(root), []named{{None}}}
	for _, name := range names {
		config.Receivers = append(config.Receivers, named{name})
	}
	text, err := json.Marshal(config)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// plain is a route with the keys that both know.
func plain(r *Route) map[string]any {
	m := map[string]any{"continue": r.Continue}
	if r.Receiver != "" {
		m["receiver"] = r.Receiver
	}
	if len(r.Matchers) > 0 {
		m["matchers"] = r.Matchers
	}
	var routes []any
	for _, child := range r.Routes {
		routes = append(routes, plain(child))
	}
	if len(routes) > 0 {
		m["routes"] = routes
	}
	return m
}

// asked is whom Alertmanager tells, each once, "none" aside.
func asked(t *rapid.T, amtool, file string, l incident.Labels) []string {
	args := []string{"config", "routes", "test", "--config.file=" + file}
	for name, value := range l {
		args = append(args, name+"="+quoted(value))
	}
	cmd := exec.Command(amtool, args...)
	var trouble strings.Builder
	cmd.Stderr = &trouble
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("amtool %q: %v\n%s", args, err, trouble.String())
	}
	var names []string
	for _, name := range strings.Split(strings.TrimSpace(string(out)), ",") {
		if name != None && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
