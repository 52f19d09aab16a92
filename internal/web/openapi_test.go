package web

import (
	"encoding"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/access"
	"tocsin/internal/incident"
	"tocsin/internal/web/client"
)

// openapi is where the API is written down for those who speak it with other tools.
const openapi = "../../docs/openapi.json"

// operation is what one route of the API does. Takes and Gives are values of the types that go over the wire; nil for none.
type operation struct {
	does         string
	query        map[string]string
	takes, gives any
}

// operations are the routes of the API, by method and path. The router is held to it, and the file is made of it.
var operations = map[string]operation{
	"GET /api/v1/incidents": {does: "Lists incidents with their alerts, the newest first.", query: map[string]string{
		"state": "open, acknowledged, resolved or merged; several times, or with commas between", "limit": "How many at most, 1 to 200; 50 if left out.", "before": "The id of the page before: its next."}, gives: client.IncidentList{}},
	"POST /api/v1/incidents":                   {does: "Declares an incident that no rule has found: it is told and escalated as any other, and ends only by a person.", takes: client.Declaration{}, gives: client.Detail{}},
	"GET /api/v1/incidents/{id}":               {does: "Gives an incident whole. The id may be cut to six characters or more.", gives: client.Detail{}},
	"POST /api/v1/incidents/{id}/acknowledge":  {does: "Says that somebody has it: the pages stop until something new happens.", takes: client.Deed{}, gives: client.Detail{}},
	"POST /api/v1/incidents/{id}/resolve":      {does: "Ends it. What still fires in ten minutes reopens it, with a page.", takes: client.Deed{}, gives: client.Detail{}},
	"POST /api/v1/incidents/{id}/notes":        {does: "Writes down in its timeline what somebody has found.", takes: client.Note{}, gives: client.Detail{}},
	"POST /api/v1/incidents/{id}/merge":        {does: "Lets it be taken in by another open incident, which is answered.", takes: client.Merge{}, gives: client.Detail{}},
	"POST /api/v1/incidents/{id}/split":        {does: "Makes an incident of its own of an alert that fires in it, and answers that.", takes: client.Split{}, gives: client.Detail{}},
	"POST /api/v1/incidents/{id}/ask":          {does: "Asks somebody to take it, or to take it over from whoever has it; if nobody has within 30 minutes it calls again.", takes: client.Ask{}, gives: client.Detail{}},
	"GET /api/v1/silences":                     {does: "Lists the silences and the maintenance windows in force, with what each hides now.", query: map[string]string{"all": "true for those of the last 30 days that have ended, too."}, gives: client.SilenceList{}},
	"POST /api/v1/silences":                    {does: "Makes a silence, or with try says what it would hide.", takes: client.SilenceWish{}, gives: client.SilenceMade{}},
	"POST /api/v1/silences/{id}/expire":        {does: "Ends a silence now: what it hid and still fires is told and paged.", takes: client.Deed{}, gives: incident.Silence{}},
	"GET /api/v1/oncall":                       {does: "Says who is on call now and next.", gives: client.DutyList{}},
	"POST /api/v1/oncall/{schedule}/overrides": {does: "Puts somebody on call.", takes: client.OverrideWish{}, gives: client.Duty{}},
	"POST /api/v1/notify-test":                 {does: "Sends a test to a receiver or to person:NAME.", takes: client.TrialWish{}, gives: client.Trial{}},
	"GET /api/v1/status":                       {does: "Says how the service itself is.", gives: client.Status{}},
	"GET /api/v1/rules/{rule}/record":          {does: "Says how often a rule has fired, and what came of it.", query: map[string]string{"since": "A time, as 2026-11-23T09:00:00Z."}, gives: client.RuleRecord{}},
	"GET /api/v1/audit":                        {does: "Lists who did what, the newest first, 200 lines at most.", query: map[string]string{"before": "The number of a line: those before it."}, gives: client.Trail{}},
	"GET /api/v1/audit/verify":                 {does: "Looks for the first line of the audit trail that is not as it was written.", query: map[string]string{"head": "A head that was told before: it must still be in the trail."}, gives: client.Verdict{}},
}

// schemas makes JSON schemas of Go types.
type schemas map[string]any

func (s schemas) of(t reflect.Type) map[string]any {
	if t.Kind() == reflect.Pointer {
		return s.of(t.Elem())
	}
	text := reflect.TypeFor[encoding.TextMarshaler]()
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[incident.Severity]():
		return map[string]any{"type": "string", "enum": []string{"info", "warning", "high", "critical"}}
	case t.Implements(text) || reflect.PointerTo(t).Implements(text):
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		name := t.Name()
		if _, known := s[name]; !known {
			s[name] = nil // it may hold itself
			properties, required := map[string]any{}, []string{}
			s.fields(t, properties, &required)
			s[name] = map[string]any{"type": "object", "properties": properties, "required": required}
		}
		return map[string]any{"$ref": "#/components/schemas/" + name}
	}
	return map[string]any{"type": "integer"}
}

func (s schemas) fields(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			s.fields(f.Type, properties, required)
		case !f.IsExported() || name == "-":
		default:
			if name == "" {
				name = f.Name
			}
			properties[name] = s.of(f.Type)
			if !strings.Contains(options, "omit") {
				*required = append(*required, name)
			}
		}
	}
}

// TestOpenAPI holds that docs/openapi.json is the API: each route of the router, with the types that it takes and gives, the role that it
// needs, and no other.
func TestOpenAPI(t *testing.T) {
	known, paths := schemas{}, map[string]any{}
	content := func(v any) map[string]any {
		return map[string]any{"application/json": map[string]any{"schema": known.of(reflect.TypeOf(v))}}
	}
	routes := map[string]bool{}
	for _, r := range (&server{Options: options(openStore(t))}).routes() {
		name := r.method + " " + r.path
		if !strings.HasPrefix(r.path, "/api/v1/") {
			continue
		}
		routes[name] = true
		op, ok := operations[name]
		if !ok {
			t.Errorf("nobody has written down what %s does", name)
			continue
		}
		parameters := []any{}
		for _, part := range strings.Split(r.path, "/") {
			if strings.HasPrefix(part, "{") {
				parameters = append(parameters, map[string]any{"name": strings.Trim(part, "{}"), "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
			}
		}
		for _, q := range []string{"state", "limit", "before", "all", "since", "head"} {
			if text, ok := op.query[q]; ok {
				parameters = append(parameters, map[string]any{"name": q, "in": "query", "description": text, "schema": map[string]any{"type": "string"}})
			}
		}
		operation := map[string]any{"summary": op.does, "description": fmt.Sprintf("Needs the role %s.", r.need), "parameters": parameters, "responses": map[string]any{
			"200":     map[string]any{"description": "It is so.", "content": content(op.gives)},
			"default": map[string]any{"description": "It is not done; the error says why.", "content": content(client.Failure{})},
		}}
		if op.takes != nil {
			operation["requestBody"] = map[string]any{"required": true, "content": content(op.takes)}
		}
		at, _ := paths[r.path].(map[string]any)
		if at == nil {
			at = map[string]any{}
			paths[r.path] = at
		}
		at[strings.ToLower(r.method)] = operation
	}
	for name := range operations {
		if !routes[name] {
			t.Errorf("there is no route %s", name)
		}
	}
	document := map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{"title": "tocsin", "version": "1", "description": "What the pages and the commands speak. Roles: " + strings.Join(access.Roles, ", ") +
			"; each may do what those before may. Without sign_in nobody signs in, and only the machine itself reaches it."},
		"paths":      paths,
		"security":   []any{map[string]any{"token": []string{}}, map[string]any{"password": []string{}}},
		"components": map[string]any{"schemas": known, "securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer"}, "password": map[string]any{"type": "http", "scheme": "basic"}}},
	}
	want, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(openapi, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(openapi)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(have)); diff != "" {
		t.Errorf("%s is not what the router does (go test ./internal/web -run OpenAPI -update writes it anew):\n%s", openapi, diff)
	}
}
