package lint

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// rooms says of which rooms each room may import, tests aside. "*" is all but those behind it. A room's packages may import each
// other. Changing it is a decision: do it in the commit that needs it and say why there.
var rooms = map[string][]string{
	"logs":       {},
	"incident":   {},
	"setting":    {},
	"config":     {"setting"},
	"lql":        {"logs"},
	"sources":    {"logs", "setting"},
	"words":      {"incident"},
	"routing":    {"incident", "setting"},
	"detectors":  {"logs", "incident", "setting"},
	"notifiers":  {"incident", "setting", "words"},
	"rules":      {"logs", "incident", "setting", "config", "lql", "detectors", "words"},
	"store":      {"logs", "incident"},
	"engine":     {"logs", "incident", "lql", "detectors", "rules", "routing", "store"},
	"escalation": {"incident", "routing", "setting", "store"},
	"outbox":     {"incident", "notifiers", "store"},
	"heartbeat":  {"incident", "setting", "store", "sources/google"}, // sources/google: how a client of Google's APIs is opened stands once
	"cloudsetup": {"setting", "sources/google"},
	"backtest":   {"incident", "words"}, // words: titles are from logs, and are escaped for the page
	"postmortem": {"incident", "words"}, // words: what is from logs is escaped for the page
	"access":     {"incident", "store"},
	"actions":    {"incident", "routing", "escalation", "access", "store"},
	"chat":       {"incident", "setting", "words", "access", "actions", "store", "notifiers"}, // what people do in a chat comes in, and is answered there
	"web":        {"logs", "incident", "rules", "routing", "access", "actions", "store"},
	"scenario":   {"logs"},
	"fakes":      {"logs", "lql"}, // the stand-in of Cloud Logging filters as Cloud Logging does
	"sim":        {"*", "cmd", "web", "lint"},
	"app":        {"*", "cmd", "sim", "lint"},
	"cmd":        {"app", "config", "rules", "web/client"},
	"docs":       {}, // the JSON Schemas, embedded; app prints them
	"lint":       {},
}

// alone says which rooms alone may import what, with what the others do instead.
var alone = map[string]struct {
	rooms   []string
	instead string
}{
	"gopkg.in/yaml.v3":                  {[]string{"config"}, "take a config.Node and config.Decode"},
	"gopkg.in/yaml.v2":                  {[]string{"config"}, "take a config.Node and config.Decode"},
	"go.yaml.in/yaml/v3":                {[]string{"config"}, "take a config.Node and config.Decode"},
	"database/sql":                      {[]string{"store"}, "add a method to store.Tx"},
	"modernc.org/sqlite":                {[]string{"store"}, "add a method to store.Tx"},
	"github.com/jackc/pgx/v5":           {[]string{"store"}, "add a method to store.Tx"},
	"github.com/jackc/pgx/v5/stdlib":    {[]string{"store"}, "add a method to store.Tx"},
	"github.com/pressly/goose/v3":       {[]string{"store"}, "put the migration into internal/store/migrations"},
	"github.com/alecthomas/kong":        {[]string{"cmd"}, "let cmd parse the flags and hand over values"},
	"github.com/slack-go/slack":         {[]string{"notifiers"}, "add what is missing to the notifier"},
	"cloud.google.com/go/pubsub/v2":     {[]string{"sources"}, "be a source"},
	"cloud.google.com/go/logging/apiv2": {[]string{"sources", "cloudsetup"}, "be a source, or a check of cloudsetup"},
}

// allowed says whether a room may import a path of ours, given below the module: "internal/logs", "detectors".
func allowed(from, imported string) bool {
	to := room(imported)
	may := rooms[from]
	switch {
	case from == to:
		return true
	case len(may) > 0 && may[0] == "*":
		return !slices.Contains(may, to)
	}
	return slices.Contains(may, to) || slices.Contains(may, strings.TrimPrefix(imported, "internal/"))
}

func checkImports(s source) []string {
	if s.isTest() {
		return nil
	}
	if _, ok := rooms[s.room()]; !ok {
		return []string{fmt.Sprintf("%s: the room %q is not in the table of internal/lint/imports_test.go: put this file into a room that is, or add a row and say why", s.path, s.room())}
	}
	var out []string
	imports := s.imports()
	for _, p := range slices.Sorted(maps.Keys(imports)) {
		where := s.at(imports[p])
		if only, ok := alone[p]; ok && !slices.Contains(only.rooms, s.room()) && s.room() != "fakes" {
			out = append(out, fmt.Sprintf("%s: only %s may import %s: %s", where, strings.Join(only.rooms, ", "), p, only.instead))
		}
		ours, ok := strings.CutPrefix(p, module+"/")
		if ok && !allowed(s.room(), ours) {
			out = append(out, fmt.Sprintf("%s: %s may not import %s, but %s: take a value or declare an interface of what you need, or change the table in internal/lint/imports_test.go and say why",
				where, s.room(), ours, mayImport(s.room())))
		}
	}
	return out
}

func mayImport(from string) string {
	may := rooms[from]
	switch {
	case len(may) == 0:
		return "nothing of ours"
	case may[0] == "*":
		return "all but " + strings.Join(may[1:], ", ")
	}
	return strings.Join(may, ", ")
}

func TestImports(t *testing.T) {
	for _, s := range tree(t) {
		complain(t, checkImports(s))
	}
}

func TestImportsFinds(t *testing.T) {
	finds(t, checkImports, "internal/routing/x.go", "package routing\nimport (\n\"tocsin/internal/incident\"\n\"tocsin/internal/store\"\n\"gopkg.in/yaml.v3\"\n)",
		"internal/routing/x.go:5: only config may import gopkg.in/yaml.v3", "internal/routing/x.go:4: routing may not import internal/store")
	finds(t, checkImports, "internal/sources/probe/x.go", "package probe\nimport \"tocsin/internal/sources\"\nimport \"tocsin/internal/incident\"",
		"internal/sources/probe/x.go:3: sources may not import internal/incident")
	finds(t, checkImports, "cmd/tocsin/x.go", "package main\nimport \"tocsin/internal/web/client\"\nimport \"tocsin/internal/web\"", "cmd/tocsin/x.go:3: cmd may not")
	finds(t, checkImports, "internal/app/x.go", "package app\nimport \"tocsin/internal/web\"\nimport \"tocsin/internal/sim\"", "internal/app/x.go:3: app may not")
	finds(t, checkImports, "internal/parlour/x.go", "package parlour", `internal/parlour/x.go: the room "parlour" is not in the table`)
	finds(t, checkImports, "internal/routing/x_test.go", "package routing\nimport \"tocsin/internal/store\"")
}

// TestRoomsAreReal keeps the table free of rooms that nobody could mean.
func TestRoomsAreReal(t *testing.T) {
	for name, may := range rooms {
		for _, other := range may {
			if _, ok := rooms[room(other)]; !ok && other != "*" {
				t.Errorf("internal/lint/imports_test.go: %s may import %s, which is no room: remove it or add its row", name, other)
			}
		}
	}
}

// evil are names that say nothing.
var evil = []string{"util", "utils", "common", "types", "model", "models", "manager", "managers", "helper", "helpers", "misc", "base", "shared", "lib"}

func checkName(s source) []string {
	for _, name := range []string{s.file.Name.Name, path.Base(path.Dir(s.path))} {
		if slices.Contains(evil, name) {
			return []string{fmt.Sprintf("%s: %q says nothing about what is in it: name the package by what it is about", s.at(s.file.Package), name)}
		}
	}
	return nil
}

func TestNames(t *testing.T) {
	for _, s := range tree(t) {
		complain(t, checkName(s))
	}
	finds(t, checkName, "internal/engine/util/x.go", "package util", `internal/engine/util/x.go:1: "util" says nothing`)
	finds(t, checkName, "internal/engine/x.go", "package engine")
}
