package lql

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/logs"
)

func mustParse(t testing.TB, src string) *Filter {
	t.Helper()
	f, err := Parse(src)
	if err != nil {
		t.Fatalf("Parse(%q): %v", src, err)
	}
	return f
}

func TestOwn(t *testing.T) {
	for src, want := range map[string]string{
		``:                          ``,
		`jsonPayload.level="error"`: ``,
		`resource.labels.cluster_name="prow" (resource.labels.namespace_name="default" OR resource.labels.namespace_id="default") jsonPayload.level="error"`: `resource.labels.cluster_name="prow" AND (resource.labels.namespace_name="default" OR resource.labels.namespace_id="default")`,
		`logName:"requests" severity>=ERROR`:                          `logName:"requests"`,
		`log_id("stderr") source(projects/p) "x"`:                     `log_id("stderr") AND source("projects/p")`,
		`resource.type="a" OR jsonPayload.x=1`:                        ``,
		`NOT resource.type="a" textPayload:b`:                         `NOT resource.type="a"`,
		`regexp_extract(resource.labels.pod, "(a)")="a" labels.x="y"`: `regexp_extract(resource.labels.pod, "(a)")="a"`,
		`resource.type="a"`:                                           `resource.type="a"`,
	} {
		if got := mustParse(t, src).Own().String(); got != want {
			t.Errorf("the own terms of %s are\n%s, want\n%s", src, got, want)
		}
	}
}

func TestBranches(t *testing.T) {
	for src, want := range map[string][]string{
		``: {""},
		`resource.labels.cluster_name="prow" (jsonPayload.a=1 OR NOT "b") -labels."x.y":*`: {
			`resource.labels.cluster_name = prow & jsonPayload.a = 1 & !labels."x.y" : *`,
			`resource.labels.cluster_name = prow & ! : b & !labels."x.y" : *`},
		`NOT (severity=ERROR OR textPayload=~"x")`:                     {`!severity = ERROR & !textPayload =~ x`},
		`NOT (severity=ERROR textPayload=~"x")`:                        {`!severity = ERROR`, `!textPayload =~ x`},
		`LOG_ID("a/b") OR regexp_extract(resource.labels.a,"(x)")="x"`: {`log_id () a/b`, `resource.labels.a = x converted`},
		`RESOURCE.labels.a=(x OR y)`:                                   {`resource.labels.a = x`, `resource.labels.a = y`},
	} {
		branches, err := mustParse(t, src).Branches()
		if err != nil {
			t.Errorf("%s: %v", src, err)
		}
		var got []string
		for _, b := range branches {
			var terms []string
			for _, term := range b {
				s := term.Path + " " + term.Op + " " + term.Value
				if term.Negated {
					s = "!" + s
				}
				if term.Converted {
					s += " converted"
				}
				terms = append(terms, s)
			}
			got = append(got, strings.Join(terms, " & "))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", src, diff)
		}
	}
	if _, err := mustParse(t, strings.Repeat(`(jsonPayload.a=1 OR jsonPayload.b=1) `, 8)).Branches(); err != nil {
		t.Errorf("256 branches: %v", err)
	}
	for _, src := range []string{strings.Repeat(`(jsonPayload.a=1 OR jsonPayload.b=1) `, 9), strings.Repeat(`NOT (jsonPayload.a=1 jsonPayload.b=1) `, 300)} {
		if _, err := mustParse(t, src).Branches(); err == nil {
			t.Errorf("more than 256 branches gave no error: %.60s", src)
		}
	}
}

// TestCoverLosesNothing draws filters and limits: what one of them matches the cover matches.
func TestCoverLosesNothing(t *testing.T) {
	var entries []*logs.Entry
	for _, kind := range []string{"a", "b", "c"} {
		for n := range 4 {
			entries = append(entries, logs.ParseLine(fmt.Appendf(nil, `{"resource":{"type":%q},"jsonPayload":{"n":%d}}`, kind, n)))
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		var filters []*Filter
		for range rapid.IntRange(0, 8).Draw(rt, "filters") {
			src := fmt.Sprintf(`jsonPayload.n=%d`, rapid.IntRange(0, 3).Draw(rt, "n"))
			if k := rapid.SampledFrom([]string{"a", "b", "c", ""}).Draw(rt, "kind"); k != "" {
				src += ` resource.type="` + k + `"`
			}
			filters = append(filters, mustParse(t, src))
		}
		limit := rapid.IntRange(0, 500).Draw(rt, "limit")
		text := Cover(filters, limit)
		if utf8.RuneCountInString(text) > limit {
			rt.Fatalf("%q is longer than %d", text, limit)
		}
		cover, err := Parse(text)
		if err != nil {
			rt.Fatalf("%q: %v", text, err)
		}
		for _, e := range entries {
			for _, f := range filters {
				if f.Match(e) && !cover.Match(e) {
					rt.Fatalf("%s is lost: %s wants it, %q does not", e.Raw, f, text)
				}
			}
		}
	})
}

func TestCover(t *testing.T) {
	a, b, c := `resource.type="a" AND jsonPayload.msg="one"`, `resource.type="a" AND jsonPayload.msg="another, longer"`, `resource.type="c" AND jsonPayload.msg="one"`
	for _, tt := range []struct {
		filters []string
		limit   int
		want    string
	}{
		{nil, 100, ""},
		{[]string{a}, 100, a},
		{[]string{a, a}, 100, a},
		{[]string{a, c}, 1000, "(" + a + ") OR (" + c + ")"},
		{[]string{a, ""}, 1000, ""},
		// The two of a share their own terms: widening them saves most and is enough.
		{[]string{a, b, c}, 100, `(resource.type="a") OR (` + c + ")"},
		{[]string{a, b, c}, 50, `(resource.type="a") OR (resource.type="c")`},
		{[]string{a, b, c}, 20, ``},
		{[]string{a, `jsonPayload.msg="no resource"`}, 60, ``},
	} {
		var filters []*Filter
		for _, src := range tt.filters {
			filters = append(filters, mustParse(t, src))
		}
		got := Cover(filters, tt.limit)
		parts := func(s string) map[string]bool {
			m := map[string]bool{}
			for _, p := range strings.Split(s, " OR ") {
				m[p] = true
			}
			return m
		}
		if diff := cmp.Diff(parts(tt.want), parts(got)); diff != "" {
			t.Errorf("%q within %d:\n%s", tt.filters, tt.limit, diff)
		}
	}
}

func TestPath(t *testing.T) {
	e := logs.ParseLine([]byte(`{"logName":"projects/p/logs/x","resource":{"type":"t","labels":{"pod_name":"hook-1-abc"}},"labels":{"k8s-pod/app":"hook"},` +
		`"jsonPayload":{"empty":"","null":null,"n":5,"list":[null,"first","second"],"o":{"a":[1]}},"httpRequest":{"status":502,"latency":"1s"}}`))
	for src, want := range map[string]string{
		`resource.labels.pod_name`:                               "hook-1-abc",
		`labels."k8s-pod/app"`:                                   "hook",
		`labels.k8s-pod/app`:                                     "hook",
		`regexp_extract(resource.labels.pod_name, "^([a-z]+)-")`: "hook",
		`regexp_extract(resource.labels.pod_name, "^(x+)-")`:     "missing",
		`cast(httpRequest.status, STRING)`:                       "502",
		`resource.labels.none`:                                   "missing",
		`jsonPayload.empty`:                                      "",
		`jsonPayload.null`:                                       "missing",
		`jsonPayload.n`:                                          "5",
		`jsonPayload.list`:                                       "first",
		`jsonPayload.o`:                                          `{"a":[1]}`,
		`httpRequest.status`:                                     "502",
		`httpRequest.requestUrl`:                                 "missing",
		`severity`:                                               "missing",
		`trace`:                                                  "missing",
	} {
		p, err := ParsePath(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got, ok := p.Text(e)
		if !ok {
			got = "missing"
		}
		if got != want {
			t.Errorf("%s is %q, want %q", src, got, want)
		}
		if again, err := ParsePath(p.String()); err != nil || again.String() != p.String() {
			t.Errorf("%s is written %s: %v", src, p, err)
		}
	}
	for src, want := range map[string]string{
		"resource.label.x":  "unknown field at line 1, column 10, token 'label': did you mean resource.labels?",
		"":                  "syntax error: unexpected end of filter at line 1, column 1: a field should stand here, such as jsonPayload.message",
		"jsonPayload.a = 1": "syntax error at line 1, column 15, token '=': only a path, or regexp_extract(path, \"re\"), should stand here; a name that holds other than letters, digits and _ must be in double quotes",
	} {
		if _, err := ParsePath(src); err == nil || err.Error() != want {
			t.Errorf("ParsePath(%q): %v, want %s", src, err, want)
		}
	}
	var none Path
	if _, ok := none.Text(e); ok || none.String() != "" {
		t.Error("the zero Path finds something")
	}
}
