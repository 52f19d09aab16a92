package routing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/incident"
)

func TestDeadRoutes(t *testing.T) {
	at := func(receiver string, matchers ...string) *Route {
		return &Route{Receiver: receiver, Matchers: matchers}
	}
	on := func(r *Route) *Route { r.Continue = true; return r }
	for name, test := range map[string]struct {
		routes []*Route
		want   []string
	}{
		"none": {[]*Route{at("a", `severity="critical"`), at("b", `severity="high"`, `service="hook"`), at("b", `severity="high"`)}, nil},
		"the same twice": {[]*Route{at("a", `severity="critical"`), at("b", `severity="critical"`)},
			[]string{"routes.1: the route takes nothing: routes.0 before it takes all of that"}},
		"the narrow one behind": {[]*Route{at("a", `severity=~"critical|high"`), at("b", `severity="critical"`, `service="hook"`)}, []string{"routes.1: the route takes nothing: routes.0"}},
		"before it, continues":  {[]*Route{on(at("a", `severity="critical"`)), at("b", `severity="critical"`)}, nil},
		"one that takes all":    {[]*Route{at("a"), at("b", `service="hook"`), at("b")}, []string{"routes.1: ", "routes.2: "}},
		"several together": {[]*Route{at("a", `severity="critical"`), at("a", `severity=~"high|warning"`), at("a", `severity="info"`), at("b", `service="hook"`)},
			[]string{"routes.3: the route takes nothing: routes.2 and routes.1 and routes.0 before it"}},
		"several, and a gap":  {[]*Route{at("a", `severity="critical"`), at("a", `severity="high"`), at("a", `severity="info"`), at("b", `service="hook"`)}, nil},
		"of another label":    {[]*Route{at("a", `service=~"hook|tide"`), at("b", `service="hook"`), at("b", `service=~"hook|deck"`)}, []string{"routes.1: "}},
		"against the outer":   {[]*Route{{Matchers: []string{`severity="critical"`}, Routes: []*Route{at("a", `severity="high"`)}}}, []string{`routes.0.routes.0: the route takes nothing: severity="critical" and severity="high" never hold together`}},
		"no such severity":    {[]*Route{at("a", `severity=~"fatal.*"`)}, []string{"routes.0: the route takes nothing: no severity fits"}},
		"inside one that is":  {[]*Route{at("a"), {Matchers: []string{`x="y"`}, Routes: []*Route{at("a", `x="z"`)}}}, []string{"routes.1: "}},
		"inner takes all too": {[]*Route{{Matchers: []string{`x="y"`}, Routes: []*Route{at("a"), at("b", `z="z"`)}}}, []string{"routes.0.routes.1: "}},
	} {
		r, errs := New(&Route{Receiver: "a", Routes: test.routes}, nil, Known{Receivers: []string{"a", "b"}})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		var got []string
		for _, e := range r.Dead() {
			got = append(got, e.Error())
		}
		same := len(got) == len(test.want)
		for i := range min(len(got), len(test.want)) {
			same = same && strings.HasPrefix(got[i], test.want[i])
		}
		if !same {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestDeadTakeNothing holds on random trees that what is said to be dead takes no incident, whatever its labels.
func TestDeadTakeNothing(t *testing.T) {
	matcher := rapid.SampledFrom([]string{`severity="critical"`, `severity=~"critical|high"`, `severity!="info"`, `severity="info"`, `a="x"`, `a!="x"`, `a=~"x|y"`, `a=""`, `b="x"`, `b!~"x|y"`})
	rapid.Check(t, func(t *rapid.T) {
		n := 0
		var draw func(depth int) []*Route
		draw = func(depth int) []*Route {
			var out []*Route
			for range rapid.IntRange(0, 3).Draw(t, "routes") {
				n++
				r := &Route{Receiver: fmt.Sprint(n), Matchers: rapid.SliceOfN(matcher, 0, 2).Draw(t, "matchers"), Continue: rapid.IntRange(0, 3).Draw(t, "continue") == 0}
				if depth < 2 {
					r.Routes = draw(depth + 1)
				}
				out = append(out, r)
			}
			return out
		}
		root := &Route{Receiver: "0", Routes: draw(0)}
		var names []string
		for i := range n + 1 {
			names = append(names, fmt.Sprint(i))
		}
		r, errs := New(root, nil, Known{Receivers: names})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		dead := r.Dead()
		for s := incident.Info; s <= incident.Critical; s++ {
			for _, a := range []string{"", "x", "y", "z"} {
				for _, b := range []string{"", "x", "y", "z"} {
					for _, taker := range r.root.match(incident.Labels{"severity": s.String(), "a": a, "b": b}, nil) {
						for _, d := range dead {
							if taker.path == d.Path || strings.HasPrefix(taker.path, d.Path+".") {
								t.Fatalf("%s takes severity %s, a=%q, b=%q: %s", taker.path, s, a, b, d.Text)
							}
						}
					}
				}
			}
		}
	})
}

func TestOver(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		interval Interval
		want     string
	}{
		"every week":          {Interval{Weekdays: []string{"monday"}}, ""},
		"a leap day":          {Interval{Months: []string{"february"}, DaysOfMonth: []string{"29"}}, ""},
		"a year to come":      {Interval{Years: []string{"2031"}}, ""},
		"this year's rest":    {Interval{Years: []string{"2026"}, Months: []string{"december"}}, ""},
		"now":                 {Interval{Years: []string{"2026"}, Months: []string{"november"}, DaysOfMonth: []string{"22"}}, ""},
		"a year that was":     {Interval{Years: []string{"2025"}}, "is over and does not come again"},
		"a month that was":    {Interval{Years: []string{"2026"}, Months: []string{"march:may"}}, "is over and does not come again"},
		"a day that is not":   {Interval{Months: []string{"february"}, DaysOfMonth: []string{"30"}}, "never comes: there is no such day"},
		"a leap day that was": {Interval{Years: []string{"2027"}, Months: []string{"february"}, DaysOfMonth: []string{"29"}}, "never comes: there is no such day"},
	} {
		all, errs := NewIntervals(map[string][]Interval{"it": {test.interval}})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		over := all["it"].Over(now)
		if test.want == "" && len(over) > 0 || test.want != "" && (len(over) != 1 || over[0].Path != "0" || !strings.HasPrefix(over[0].Text, test.want)) {
			t.Errorf("%s: %v, want %q", name, over, test.want)
		}
		if all["it"].Ever(now) != (test.want == "") {
			t.Errorf("%s: ever %v", name, all["it"].Ever(now))
		}
	}
}
