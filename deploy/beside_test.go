package deploy_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"tocsin/internal/app"
)

// metrics are those of docs/metrics.md, which a test of internal/app holds to what the service serves.
func metrics(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(tocsin_\\w+)`").FindAllStringSubmatch(string(page), -1) {
		out = append(out, m[1])
	}
	if len(out) < 20 {
		t.Fatalf("docs/metrics.md has only %v", out)
	}
	return out
}

// The rest of what the dashboard shows comes from the client library, for every process.
var libraryMetrics = []string{"process_resident_memory_bytes", "process_cpu_seconds_total"}

type panel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	GridPos struct {
		X, Y, W, H int
	} `json:"gridPos"`
	Targets []struct {
		RefID string `json:"refId"`
		Expr  string `json:"expr"`
	} `json:"targets"`
}

// TestDashboard holds each query to the metrics that there are, and each panel to a place of its own.
func TestDashboard(t *testing.T) {
	data, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Title  string  `json:"title"`
		UID    string  `json:"uid"`
		Panels []panel `json:"panels"`
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	known := append(metrics(t), libraryMetrics...)
	name := regexp.MustCompile(`\b(?:tocsin|process)_\w+`)
	places, ids, shown := map[[2]int]string{}, map[int]bool{}, map[string]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s: its id %d is another's", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s: it is wider than the page", p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := places[[2]int{x, y}]; ok {
					t.Fatalf("%s lies over %s", p.Title, other)
				}
				places[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s: it asks nothing", p.Title)
		}
		for _, q := range p.Targets {
			names := name.FindAllString(q.Expr, -1)
			if len(names) == 0 || strings.Count(q.Expr, "(") != strings.Count(q.Expr, ")") || strings.Count(q.Expr, "{") != strings.Count(q.Expr, "}") {
				t.Errorf("%s: no query: %s", p.Title, q.Expr)
			}
			for _, n := range names {
				if shown[n] = true; !slices.Contains(known, n) {
					t.Errorf("%s: there is no metric %s", p.Title, n)
				}
			}
			// What the store knows every replica says: a sum over replicas would count it several times.
			if strings.Contains(q.Expr, "tocsin_source_") && !regexp.MustCompile(`\b(max|min) by \(`).MatchString(q.Expr) {
				t.Errorf("%s: replicas are added up: %s", p.Title, q.Expr)
			}
		}
	}
	if len(shown) < 20 {
		t.Errorf("only %d metrics are shown", len(shown))
	}
}

// TestSlackManifest holds that the app may do what the notifier does, and that what people do comes in over Socket Mode.
func TestSlackManifest(t *testing.T) {
	data, err := os.ReadFile("slack-manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Display struct {
			Name        string `json:"name"`
			Description string `json:"description"`
			Colour      string `json:"background_color"`
		} `json:"display_information"`
		Features struct {
			Bot struct {
				Name   string `json:"display_name"`
				Online bool   `json:"always_online"`
			} `json:"bot_user"`
			Commands []struct {
				Command     string `json:"command"`
				Description string `json:"description"`
				Usage       string `json:"usage_hint"`
				Escape      bool   `json:"should_escape"`
			} `json:"slash_commands"`
		} `json:"features"`
		OAuth struct {
			Scopes struct {
				Bot []string `json:"bot"`
			} `json:"scopes"`
		} `json:"oauth_config"`
		Settings struct {
			Interactivity struct {
				Enabled bool `json:"is_enabled"`
			} `json:"interactivity"`
			Events struct {
				Bot []string `json:"bot_events"`
			} `json:"event_subscriptions"`
			Org    bool `json:"org_deploy_enabled"`
			Socket bool `json:"socket_mode_enabled"`
			Rotate bool `json:"token_rotation_enabled"`
		} `json:"settings"`
	}
	if err := yaml.UnmarshalStrict(data, &m); err != nil {
		t.Fatal(err)
	}
	// Slack's bounds: a name of 35 characters, a description of 140, a colour of six hexadecimal digits.
	if len(m.Display.Name) > 35 || len(m.Display.Description) > 140 || !regexp.MustCompile(`^#[0-9a-f]{6}$`).MatchString(m.Display.Colour) || m.Features.Bot.Name == "" {
		t.Errorf("%+v", m.Display)
	}
	if c := m.Features.Commands; len(c) != 1 || c[0].Command != "/tocsin" || !c[0].Escape || !slices.Contains(m.OAuth.Scopes.Bot, "commands") {
		t.Errorf("the commands are %+v", c)
	}
	if s := m.Settings; !s.Socket || !s.Interactivity.Enabled || s.Rotate || !slices.Equal(s.Events.Bot, []string{"message.channels", "message.groups", "message.im"}) {
		t.Errorf("the settings are %+v", s)
	}
	source, err := os.ReadFile("../notifiers/slack.go")
	if err != nil {
		t.Fatal(err)
	}
	comment, _, _ := strings.Cut(string(source), "type Slack struct")
	for _, scope := range regexp.MustCompile(`\b[a-z]+:[a-z]+\b`).FindAllString(comment[strings.LastIndex(comment, "// Slack tells"):], -1) {
		if !slices.Contains(m.OAuth.Scopes.Bot, scope) {
			t.Errorf("the notifier needs %s, and the app does not have it", scope)
		}
	}
	for _, scope := range m.OAuth.Scopes.Bot {
		if strings.HasPrefix(scope, "admin") || strings.HasPrefix(scope, "files:") || scope == "chat:write.public" {
			t.Errorf("the app may %s, which nothing needs", scope)
		}
	}
}

// TestFirstHour holds that a laptop needs nobody's token.
func TestFirstHour(t *testing.T) {
	_, warnings, errs := app.Check("first-hour.yaml")
	if len(errs) > 0 || len(warnings) > 0 {
		t.Errorf("tocsin check: %v %v", errs, warnings)
	}
	data, err := os.ReadFile("first-hour.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "_file") {
		t.Error("it names a file with a secret")
	}
	if regexp.MustCompile(`(?m)^rules:.*prow/`).Match(data) {
		t.Error("its rules know one cluster by name: whoever puts another project in sees nothing")
	}
}
