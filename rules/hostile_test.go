package rules

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/lql"
)

// hostileEntries are entries of 256 KiB, the longest there are, made to be slow for rules.
func hostileEntries() map[string]string {
	fill := func(s string) string { return strings.Repeat(s, (lql.HostileSize-64)/len(s)) }
	near := fill(`Error loading confi. OOM panic: runtime erro. connection refuse. `)
	return map[string]string{
		"a's":        `{"textPayload":"` + fill("a") + `"}`,
		"nearly":     `{"jsonPayload":{"level":"error","msg":"` + near + `"}}`,
		"ligatures":  `{"textPayload":"` + fill("ﷺ") + `"}`,
		"escapes":    `{"textPayload":"` + fill(`\u0041`) + `"}`,
		"texts":      `{"jsonPayload":{"msg":["` + fill(`é ABC x","`) + `"]}}`,
		"numbers":    `{"jsonPayload":{"code":[` + fill("1e400,") + `1]}}`,
		"names":      `{"jsonPayload":{` + fill(`"msg":1,`) + `"msg":"x"}}`,
		"not UTF-8":  `{"textPayload":"` + fill("\xff\xfe") + `"}`,
		"plain text": fill("GET /x?a=b HTTP/1.1 502 "),
		"cut":        `{"jsonPayload":{"msg":` + fill("[") + ``,
	}
}

// thousand are the filters of a thousand rules of many kinds.
func thousand(t testing.TB) []*lql.Filter {
	forms := []string{
		`resource.labels.container_name="app-%d" jsonPayload.msg="Error %d."`, `jsonPayload.msg:"failed to sync %d" severity>=ERROR`, `textPayload:"panic %d:"`,
		`textPayload=~"(?i)error %d.*(timeout|refused)"`, `jsonPayload.msg=~"^(GET|POST) /hook/%d .* 50[0-9]$"`, `word%d`, `"oom %d"`, `httpRequest.status>=500 httpRequest.requestUrl:"/hook/%d"`,
		`SEARCH("connection refused %d")`, `jsonPayload.code=(%d OR "x%d")`, `regexp_extract(jsonPayload.msg, "took (\\d+)%dms")>"5"`, `NOT jsonPayload.msg:"ok %d" severity=CRITICAL`,
	}
	var out []*lql.Filter
	for i := range 1000 {
		src := strings.ReplaceAll(forms[i%len(forms)], "%d", fmt.Sprint(i))
		f, err := lql.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

// shippedFilters are the filters of the rules in the binary.
func shippedFilters(t testing.TB) []*lql.Filter {
	var out []*lql.Filter
	names, err := fs.Glob(Builtin, "*/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(Builtin, name)
		if err != nil {
			t.Fatal(err)
		}
		list, errs := Read(name, data)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		out = append(out, NewSet(list).inForce.Load().filters...)
	}
	return out
}

// BenchmarkHostileEntry asks the shipped rules and a thousand others of one entry: ns/op is what it takes. None comes near a second.
func BenchmarkHostileEntry(b *testing.B) {
	set := lql.Compile(append(shippedFilters(b), thousand(b)...))
	entries := hostileEntries()
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := set.Scan(logs.Batch{Data: []byte(entries[name])}, time.Time{}, func(*logs.Entry, []int) {}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestNoPatternOfTheShippedRulesIsSlow holds that none of them can take more than one step a character.
func TestNoPatternOfTheShippedRulesIsSlow(t *testing.T) {
	for _, f := range shippedFilters(t) {
		for _, trial := range f.Trials() {
			t.Errorf("%s: %q is none that takes one step a character", f.Source(), trial.Pattern)
		}
	}
}
