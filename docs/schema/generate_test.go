package schema

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/detectors"
	"tocsin/internal/setting"
	"tocsin/internal/sources"
	"tocsin/notifiers"
)

type object = map[string]any

// generator makes schemas of Go types, as they stand in the source: a setting's name is its tag, its description its comment.
type generator struct {
	root     string
	packages map[string]*pkg
	defs     object
	err      error
}

// pkg is a package's source.
type pkg struct {
	path    string
	types   map[string]*ast.TypeSpec
	imports map[string]map[string]string // of the file of each type: by name
	values  map[string][]any             // the constants of each string type
}

// opaque says what a config.Node holds, by its type and key: what another room decodes.
func (g *generator) opaque(owner, key string) (any, bool) {
	ref := func(pkg, name string) any { return g.named("tocsin/"+pkg, name) }
	mapOf := func(s any) any { return object{"type": "object", "additionalProperties": s} }
	listOf := func(s any) any { return object{"type": "array", "items": s} }
	entry := object{"type": []string{"object", "string"}}
	item := func() any {
		return listOf(object{"anyOf": []any{object{"const": "..."}, ref("internal/app", "wantedSettings")}})
	}
	switch owner + "." + key {
	case "File.sources":
		return mapOf(kinds(g, sources.Kinds)), true
	case "File.receivers":
		return mapOf(kinds(g, notifiers.Kinds)), true
	case "File.schedules":
		return mapOf(ref("internal/escalation", "Schedule")), true
	case "File.time_intervals":
		return mapOf(listOf(ref("internal/routing", "Interval"))), true
	case "File.route":
		return ref("internal/routing", "Route"), true
	case "File.maintenance":
		return mapOf(ref("internal/routing", "Window")), true
	case "File.inhibit_rules":
		return listOf(ref("internal/routing", "Inhibition")), true
	case "File.escalation":
		return mapOf(ref("internal/escalation", "Policy")), true
	case "File.store":
		postgres := object{"type": "object", "additionalProperties": false, "properties": object{"postgres": ref("internal/app", "Postgres")}}
		return object{"anyOf": []any{object{"type": "string"}, postgres}}, true
	case "File.heartbeat":
		return ref("internal/heartbeat", "Settings"), true
	case "File.canary":
		return ref("internal/heartbeat", "CanarySettings"), true
	case "File.own_metrics":
		return ref("internal/heartbeat", "PointsSettings"), true
	case "fileSettings.rules":
		return listOf(ref("rules", "ruleSettings")), true
	case "ruleSettings.detect":
		return kinds(g, detectors.Kinds), true
	case "ruleSettings.group_by":
		path := object{"type": "string"}
		return mapOf(object{"anyOf": []any{path, listOf(path)}}), true
	case "ruleSettings.resolves":
		return object{"anyOf": []any{object{"const": "by_hand"}, ref("rules", "resolvesSettings")}}, true
	case "ruleSettings.cases":
		return listOf(ref("rules", "caseSettings")), true
	case "caseSettings.entries", "scenarioSettings.entries":
		return listOf(entry), true
	case "scenarioFile.scenarios":
		return listOf(ref("internal/app", "scenarioSettings")), true
	case "scenarioSettings.expect":
		return ref("internal/app", "expectSettings"), true
	case "expectSettings.incidents", "expectSettings.pages", "expectSettings.messages":
		return item(), true
	}
	return nil, false
}

// needed are the keys without which check refuses the settings.
var needed = map[string][]string{
	"File": {"project"}, "ruleSettings": {"name", "filter", "detect", "severity"}, "caseSettings": {"name", "entries"},
	"scenarioSettings": {"name", "config", "entries"}, "fileSettings": {"rules"}, "scenarioFile": {"scenarios"},
}

// document is the schema of a file.
func (g *generator) document(title, path, name string) ([]byte, error) {
	g.defs = object{}
	root := object{"$schema": "http://json-schema.org/draft-07/schema#", "title": title}
	g.named(path, name)
	for k, v := range g.defs[defName(path, name)].(object) {
		root[k] = v
	}
	delete(g.defs, defName(path, name))
	root["definitions"] = g.defs
	if g.err != nil {
		return nil, g.err
	}
	b, err := json.MarshalIndent(root, "", "  ")
	return append(b, '\n'), err
}

func defName(path, name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, "tocsin/"), "internal/") + "." + name
}

// kinds is {kind: settings}, one of them.
func kinds[S any](g *generator, all map[string]func() S) any {
	properties := object{}
	for kind, spec := range all {
		v := reflect.ValueOf(spec()).Elem()
		s := g.named(v.Type().PkgPath(), v.Type().Name())
		g.defaults(v)
		properties[kind] = object{"anyOf": []any{s, object{"type": "null"}}}
	}
	return object{"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1, "maxProperties": 1}
}

// defaults adds what holds where nothing is said.
func (g *generator) defaults(v reflect.Value) {
	def, _ := g.defs[defName(v.Type().PkgPath(), v.Type().Name())].(object)
	properties, _ := def["properties"].(object)
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		property, ok := properties[key].(object)
		if !ok || v.Field(i).IsZero() {
			continue
		}
		switch x := v.Field(i).Interface().(type) {
		case setting.Duration:
			property["default"] = x.String()
		case string, bool, int, float64:
			property["default"] = x
		}
	}
}

// named is a reference to a type's schema, which is made once.
func (g *generator) named(path, name string) any {
	at := defName(path, name)
	ref := object{"$ref": "#/definitions/" + at}
	if _, ok := g.defs[at]; ok {
		return ref
	}
	p := g.load(path)
	spec := p.types[name]
	if spec == nil {
		g.fail("%s has no type %s", path, name)
		return ref
	}
	s := object{}
	g.defs[at] = s
	switch t := spec.Type.(type) {
	case *ast.StructType:
		properties := object{}
		g.fields(p, name, t, properties)
		s["type"], s["properties"], s["additionalProperties"] = "object", properties, false
		if keys := needed[name]; keys != nil {
			s["required"] = keys
		}
	default: // another type under a name of its own
		if values := p.values[name]; values != nil {
			s["enum"] = values
			break
		}
		for k, v := range g.of(p, name, name, "", t).(object) {
			s[k] = v
		}
	}
	return ref
}

// fields adds the settings of a struct.
func (g *generator) fields(p *pkg, owner string, t *ast.StructType, to object) {
	for _, f := range t.Fields.List {
		tag := ""
		if f.Tag != nil {
			text, _ := strconv.Unquote(f.Tag.Value)
			tag = reflect.StructTag(text).Get("yaml")
		}
		key, option, _ := strings.Cut(tag, ",")
		if option == "inline" {
			if inner, ok := p.types[typeName(f.Type)]; ok {
				g.fields(p, typeName(f.Type), inner.Type.(*ast.StructType), to)
			}
			continue
		}
		if key == "" || key == "-" || option == "refused" {
			continue
		}
		s := g.of(p, owner, owner, key, f.Type)
		if text := described(f, key); text != "" {
			s.(object)["description"] = text
		}
		to[key] = s
	}
}

func typeName(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// described is a field's comment, the setting named as it is written.
func described(f *ast.Field, key string) string {
	text := strings.Join(strings.Fields(f.Doc.Text()), " ")
	if text == "" || len(f.Names) == 0 {
		return text
	}
	if rest, ok := strings.CutPrefix(text, f.Names[0].Name+" "); ok {
		return key + " " + rest
	}
	return text
}

// of is the schema of a type as it is written in a package, in the file of a type of it.
func (g *generator) of(p *pkg, in, owner, key string, e ast.Expr) any {
	switch t := e.(type) {
	case *ast.StarExpr:
		return g.of(p, in, owner, key, t.X)
	case *ast.ArrayType:
		if s, ok := g.opaqueOf(p, in, owner, key, t.Elt); ok {
			return s
		}
		return object{"type": []string{"array", "null"}, "items": g.of(p, in, owner, "", t.Elt)}
	case *ast.MapType:
		if s, ok := g.opaqueOf(p, in, owner, key, t.Value); ok {
			return s
		}
		return object{"type": []string{"object", "null"}, "additionalProperties": g.of(p, in, owner, "", t.Value)}
	case *ast.SelectorExpr:
		path := p.imports[in][t.X.(*ast.Ident).Name]
		switch path + "." + t.Sel.Name {
		case "time.Time":
			return object{"type": "string", "format": "date-time"}
		case "tocsin/internal/setting.Duration":
			return object{"type": "string", "pattern": `^-?([0-9]+w)?([0-9]+d)?([0-9.]+(h|m|s|ms|us|µs|ns))*$`}
		case "tocsin/internal/incident.Severity":
			return object{"enum": []string{"critical", "high", "warning", "info"}}
		}
		if s, ok := g.opaqueOf(p, in, owner, key, t); ok {
			return s
		}
		return g.named(path, t.Sel.Name)
	case *ast.Ident:
		switch t.Name {
		case "string": // a number that can be read in one way alone is text too
			return object{"type": []string{"string", "number"}}
		case "bool":
			return object{"type": "boolean"}
		case "float64":
			return object{"type": "number"}
		case "any":
			return object{}
		}
		if strings.HasPrefix(t.Name, "int") || strings.HasPrefix(t.Name, "uint") {
			return object{"type": "integer"}
		}
		if s, ok := g.opaqueOf(p, in, owner, key, t); ok {
			return s
		}
		return g.named(p.path, t.Name)
	}
	g.fail("%s.%s: no schema for %T", owner, key, e)
	return object{}
}

// opaqueOf is the schema of a Node, or of a list or a mapping of them.
func (g *generator) opaqueOf(p *pkg, in, owner, key string, e ast.Expr) (any, bool) {
	selector, ok := e.(*ast.SelectorExpr)
	isNode := ok && selector.Sel.Name == "Node" && p.imports[in][selector.X.(*ast.Ident).Name] == "tocsin/internal/config"
	if !isNode && (typeName(e) != "Node" || p.path != "tocsin/internal/config") {
		return nil, false
	}
	s, ok := g.opaque(owner, key)
	if !ok { // nothing is said of it before opaque does
		return object{}, true
	}
	return s, true
}

func (g *generator) fail(format string, args ...any) {
	if g.err == nil {
		g.err = fmt.Errorf(format, args...)
	}
}

// load reads a package's source, tests aside.
func (g *generator) load(path string) *pkg {
	if p := g.packages[path]; p != nil {
		return p
	}
	p := &pkg{path: path, types: map[string]*ast.TypeSpec{}, imports: map[string]map[string]string{}, values: map[string][]any{}}
	g.packages[path] = p
	names, err := filepath.Glob(filepath.Join(g.root, strings.TrimPrefix(path, "tocsin/"), "*.go"))
	if err != nil || len(names) == 0 {
		g.fail("no source of %s: %v", path, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			g.fail("read source: %v", err)
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			g.fail("parse source: %v", err)
			continue
		}
		p.add(file)
	}
	return p
}

// add takes the types and constants of a file.
func (p *pkg) add(file *ast.File) {
	imports := map[string]string{}
	for _, i := range file.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		name := path[strings.LastIndexByte(path, '/')+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		imports[name] = path
	}
	for _, d := range file.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range gen.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				p.types[s.Name.Name], p.imports[s.Name.Name] = s, imports
			case *ast.ValueSpec:
				if gen.Tok != token.CONST || len(s.Values) != 1 {
					continue
				}
				lit, ok := s.Values[0].(*ast.BasicLit)
				if name := typeName(s.Type); ok && s.Type != nil && name != "" && lit.Kind == token.STRING {
					text, _ := strconv.Unquote(lit.Value)
					p.values[name] = append(p.values[name], text)
				}
			}
		}
	}
}

// check says how a value differs from a schema: enough of JSON Schema for those of here.
func check(root, schema object, at string, v any) []string {
	if ref, ok := schema["$ref"].(string); ok {
		schema = root["definitions"].(object)[strings.TrimPrefix(ref, "#/definitions/")].(object)
	}
	var out []string
	wrong := func(format string, args ...any) { out = append(out, at+": "+fmt.Sprintf(format, args...)) }
	if any := list(schema["anyOf"]); len(any) > 0 {
		var first []string
		for _, s := range any {
			found := check(root, s.(object), at, v)
			if len(found) == 0 {
				return nil
			}
			if first == nil || len(found) < len(first) {
				first = found
			}
		}
		return first
	}
	if c, ok := schema["const"]; ok && c != v {
		wrong("%v is not %v", v, c)
	}
	if enum := list(schema["enum"]); len(enum) > 0 && !slices.Contains(enum, v) {
		wrong("%v is none of %v", v, enum)
	}
	if t, ok := schema["type"]; ok && !slices.ContainsFunc(append(list(t), t), func(t any) bool { return isOf(t, v) }) {
		wrong("%v is no %v", v, t)
	}
	switch v := v.(type) {
	case object:
		out = append(out, checkMembers(root, schema, at, v)...)
	case []any:
		if items, ok := schema["items"].(object); ok {
			for i, item := range v {
				out = append(out, check(root, items, fmt.Sprintf("%s.%d", at, i), item)...)
			}
		}
	case string:
		if schema["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339, v); err != nil {
				wrong("%q is no time", v)
			}
		}
	}
	return out
}

func checkMembers(root, schema object, at string, v object) []string {
	var out []string
	properties, _ := schema["properties"].(object)
	for key, value := range v {
		s, ok := properties[key].(object)
		if !ok {
			if more, isSchema := schema["additionalProperties"].(object); isSchema {
				s = more
			} else if schema["additionalProperties"] == false {
				out = append(out, fmt.Sprintf("%s: unknown key %s", at, key))
				continue
			}
		}
		out = append(out, check(root, s, at+"."+key, value)...)
	}
	for _, key := range list(schema["required"]) {
		if _, ok := v[key.(string)]; !ok {
			out = append(out, fmt.Sprintf("%s: %s is missing", at, key))
		}
	}
	if most, ok := schema["maxProperties"].(float64); ok && len(v) > int(most) {
		out = append(out, at+": too many keys")
	}
	return out
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// isOf says whether a value is of a type of JSON Schema.
func isOf(t, v any) bool {
	switch v := v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case string:
		return t == "string"
	case float64:
		return t == "number" || t == "integer" && v == float64(int64(v))
	case []any:
		return t == "array"
	}
	return t == "object"
}
