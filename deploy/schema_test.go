package deploy_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// conform says where a decoded JSON value is not what an OpenAPI schema, as a CustomResourceDefinition has them, allows. A field that
// the schema does not know is a mistake.
func conform(at string, schema map[string]any, value any) []string {
	var out []string
	wrong := func(format string, args ...any) { out = append(out, at+": "+fmt.Sprintf(format, args...)) }
	if enum, ok := schema["enum"].([]any); ok && !slices.ContainsFunc(enum, func(e any) bool { return e == value }) {
		wrong("%v is none of %v", value, enum)
	}
	if schema["x-kubernetes-int-or-string"] == true {
		switch value.(type) {
		case string, float64:
		default:
			wrong("%T is neither a number nor a text", value)
		}
		return out
	}
	bad := func() []string { wrong("%T is no %v", value, schema["type"]); return out }
	switch schema["type"] {
	case "object":
		m, ok := value.(map[string]any)
		if !ok {
			return bad()
		}
		out = append(out, conformObject(at, schema, m)...)
	case "array":
		list, ok := value.([]any)
		if !ok {
			return bad()
		}
		if least, ok := schema["minItems"].(float64); ok && len(list) < int(least) {
			wrong("%d items are fewer than %v", len(list), least)
		}
		if most, ok := schema["maxItems"].(float64); ok && len(list) > int(most) {
			wrong("%d items are more than %v", len(list), most)
		}
		for i, v := range list {
			out = append(out, conform(fmt.Sprintf("%s[%d]", at, i), schema["items"].(map[string]any), v)...)
		}
	case "string":
		s, ok := value.(string)
		if !ok {
			return bad()
		}
		if pattern, ok := schema["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(s) {
			wrong("%q does not match %s", s, pattern)
		}
	case "integer":
		if n, ok := value.(float64); !ok || n != float64(int64(n)) {
			return bad()
		}
	case "boolean":
		if _, ok := value.(bool); !ok {
			return bad()
		}
	default:
		wrong("the schema has type %v, which this test does not know", schema["type"])
	}
	return out
}

func conformObject(at string, schema, m map[string]any) []string {
	var out []string
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := m[name.(string)]; !ok {
			out = append(out, fmt.Sprintf("%s: %v is missing", at, name))
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	others, _ := schema["additionalProperties"].(map[string]any)
	for name, v := range m {
		switch known, ok := properties[name].(map[string]any); {
		case ok:
			out = append(out, conform(at+"."+name, known, v)...)
		case others != nil:
			out = append(out, conform(at+"."+name, others, v)...)
		default:
			out = append(out, fmt.Sprintf("%s: unknown field %s", at, name))
		}
	}
	slices.Sort(out)
	return out
}

func TestConform(t *testing.T) {
	schema := podMonitoringSchema(t)
	monitoring := func(spec string) map[string]any {
		return asJSON(t, "apiVersion: monitoring.googleapis.com/v1\nkind: PodMonitoring\nmetadata: {name: a, namespace: b}\nspec:\n"+spec)
	}
	for _, c := range []struct {
		spec string
		want []string
	}{
		{"  selector: {matchLabels: {a: b}}\n  endpoints: [{port: metrics, interval: 30s}, {port: 80, interval: 1m}]", nil},
		{"  endpoints: [{port: metrics, interval: 30s}]", []string{".spec: selector is missing"}},
		{"  selector: {}\n  endpoints: [{port: true, interval: 30}]", []string{".spec.endpoints[0].interval: float64 is no string", ".spec.endpoints[0].port: bool is neither a number nor a text"}},
		{"  selector: {}\n  endpoints: []", []string{".spec.endpoints: 0 items are fewer than 1"}},
		{"  selector: {matchLables: {}}\n  endpoints: [{port: a, interval: soon}]", []string{`.spec.endpoints[0].interval: "soon" does not match ^[0-9]+(ms|s|m|h)$`, ".spec.selector: unknown field matchLables"}},
		{"  selector: {}\n  endpoints: [{port: a, interval: 1s}]\n  targetLabels: {metadata: [zone]}", []string{".spec.targetLabels.metadata[0]: zone is none of [container node pod top_level_controller_name top_level_controller_type]"}},
	} {
		if diff := cmp.Diff(strings.Join(c.want, "\n"), strings.Join(conform("", schema, monitoring(c.spec)), "\n")); diff != "" {
			t.Errorf("%s\n(-want +got)\n%s", c.spec, diff)
		}
	}
}
