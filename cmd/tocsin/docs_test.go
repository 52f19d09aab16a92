package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tocsin/internal/app"
	"tocsin/internal/config"
	"tocsin/internal/escalation"
	"tocsin/internal/heartbeat"
	"tocsin/internal/routing"
	"tocsin/internal/sources"
	"tocsin/notifiers"
)

// TestConfigurationReference holds docs/configuration.md to the settings: each section's table has exactly the keys of what it
// is about, and what is refused by name is named. A new kind needs a section, a new key a row.
func TestConfigurationReference(t *testing.T) {
	sections := sectionsOf(t, "../../docs/configuration.md")
	check := func(section string, settings ...any) {
		t.Helper()
		text, ok := sections[section]
		if !ok {
			t.Errorf("no section %q", section)
			return
		}
		var want []string
		for _, s := range settings {
			known, refused := keysOf(s)
			want = append(want, known...)
			for _, key := range refused {
				if !strings.Contains(text, "`"+key+"`") {
					t.Errorf("section %q does not say that %s is refused", section, key)
				}
			}
		}
		got := tableKeys(text)
		for _, key := range want {
			if !slices.Contains(got, key) {
				t.Errorf("section %q has no row for %s", section, key)
			}
		}
		for _, key := range got {
			if !slices.Contains(want, key) {
				t.Errorf("section %q has a row for %s, which is no key", section, key)
			}
		}
	}
	check("The file", config.File{})
	check("postgres", app.Postgres{})
	for kind, spec := range sources.Kinds {
		section := kind
		if _, both := notifiers.Kinds[kind]; both {
			section += " (source)"
		}
		check(section, spec())
	}
	for kind, spec := range notifiers.Kinds {
		check(kind, spec())
	}
	ping, _ := reflect.TypeFor[sources.HTTPProbe]().FieldByName("Ping")
	check("ping", reflect.New(ping.Type.Elem()).Interface())
	check("People", config.Person{})
	check("Schedules", escalation.Schedule{})
	check("overrides", escalation.Override{})
	check("ical", escalation.ICal{})
	check("prow_oncall", escalation.ProwOncall{})
	check("Time intervals", routing.Interval{}, routing.TimeRange{})
	check("Routes", routing.Route{})
	check("Flapping", config.Flapping{})
	check("Maintenance windows", routing.Window{})
	check("Inhibition", routing.Inhibition{})
	check("Escalation", escalation.Policy{})
	check("steps", escalation.Step{})
	check("Retention", config.Retention{})
	check("Heartbeat", heartbeat.Settings{})
	check("Canary", heartbeat.CanarySettings{})
	check("Own metrics", heartbeat.PointsSettings{})
	check("Sign-in", config.SignIn{})
	check("tokens", config.Token{})
	check("iap", config.IAP{})
	check("oidc", config.OIDC{})
	check("roles", config.Roles{})
}

// TestConfigurationExamples holds that each whole configuration in the page is one.
func TestConfigurationExamples(t *testing.T) {
	data, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(project:.*?)```").FindAllStringSubmatch(string(data), -1)
	if len(blocks) == 0 {
		t.Fatal("no whole configuration in the page")
	}
	for _, b := range blocks {
		path := filepath.Join(t.TempDir(), "tocsin.yaml")
		if err := os.WriteFile(path, []byte(b[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		_, warnings, errs := app.Check(path)
		if len(errs) > 0 || len(warnings) > 0 {
			t.Errorf("%v%v\nin:\n%s", errs, warnings, b[1])
		}
	}
}

// sectionsOf is a page's text by heading, up to the next heading of any depth.
func sectionsOf(t *testing.T, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	heading := ""
	for line := range strings.Lines(string(data)) {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			heading = strings.TrimSpace(title)
			if _, twice := sections[heading]; twice {
				t.Errorf("two sections are called %q", heading)
			}
			sections[heading] = ""
			continue
		}
		sections[heading] += line
	}
	return sections
}

var tableKey = regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|")

func tableKeys(text string) []string {
	var keys []string
	for _, m := range tableKey.FindAllStringSubmatch(text, -1) {
		keys = append(keys, m[1])
	}
	return keys
}

// keysOf are the keys of a settings struct as its tags name them.
func keysOf(settings any) (known, refused []string) {
	typ := reflect.TypeOf(settings)
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	for _, f := range reflect.VisibleFields(typ) {
		key, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case key == "" || key == "-":
		case option == "refused":
			refused = append(refused, key)
		default:
			known = append(known, key)
		}
	}
	return known, refused
}
