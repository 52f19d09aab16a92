package routing

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func newIntervals(t *testing.T, settings map[string][]Interval) map[string]Intervals {
	t.Helper()
	sets, errs := NewIntervals(settings)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return sets
}

var known = Known{Receivers: []string{"ops", "alerts", "nodes", "audit"}, Policies: []string{"oncall", "unheard"}}

func tree() *Route {
	return &Route{Receiver: "alerts", Escalation: "unheard", Routes: []*Route{
		{Matchers: []string{`service="audit"`}, Receiver: "audit", Continue: true},
		{Matchers: []string{`severity="critical"`}, Receiver: "ops", Escalation: "oncall", Routes: []*Route{
			{Matchers: []string{`service=~"kubelet|node.*"`, `cluster!=""`}, Receiver: "nodes"},
			{Matchers: []string{`service="toy"`}, Escalation: "none"},
		}},
		{Matchers: []string{`severity="info"`}, Receiver: "none"},
		{Matchers: []string{`service="night"`}, MuteTimeIntervals: []string{"nights", "weekends"}, Receiver: "ops", Continue: true},
		{Matchers: []string{`service=~"night|day"`}, Receiver: "nodes"},
		{Matchers: []string{`service="sleeper"`}, MuteTimeIntervals: []string{"weekends"}, Routes: []*Route{
			{Matchers: []string{`severity="high"`}, Receiver: "ops"},
		}},
	}}
}

func TestRoute(t *testing.T) {
	times := newIntervals(t, map[string][]Interval{
		"nights":   {{Times: []TimeRange{{Start: "22:00", End: "24:00"}, {Start: "00:00", End: "06:00"}}}},
		"weekends": {{Weekdays: []string{"saturday", "sunday"}}},
	})
	router, errs := New(tree(), times, known)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	const wednesday, saturday = "2019-01-23T12:00:00Z", "2019-01-26T12:00:00Z"
	for _, test := range []struct {
		name   string
		labels incident.Labels
		at     string
		want   Decision
	}{
		{"nothing matches: the root", incident.Labels{"severity": "warning"}, wednesday,
			Decision{Receivers: []string{"alerts"}, Policy: "unheard", Path: []string{"route: receiver alerts, escalation unheard"}}},
		{"no labels at all", nil, wednesday,
			Decision{Receivers: []string{"alerts"}, Policy: "unheard", Path: []string{"route: receiver alerts, escalation unheard"}}},
		{"first match", incident.Labels{"severity": "critical"}, wednesday,
			Decision{Receivers: []string{"ops"}, Policy: "oncall", Path: []string{`route.routes.1 {severity="critical"}: receiver ops, escalation oncall`}}},
		{"a deeper one inherits the policy", incident.Labels{"severity": "critical", "service": "nodeproblem", "cluster": "prow"}, wednesday,
			Decision{Receivers: []string{"nodes"}, Policy: "oncall",
				Path: []string{`route.routes.1.routes.0 {service=~"kubelet|node.*",cluster!=""}: receiver nodes, escalation oncall`}}},
		{"all matchers must hold, a missing label is empty", incident.Labels{"severity": "critical", "service": "nodeproblem"}, wednesday,
			Decision{Receivers: []string{"ops"}, Policy: "oncall", Path: []string{`route.routes.1 {severity="critical"}: receiver ops, escalation oncall`}}},
		{"a regular expression matches the whole", incident.Labels{"severity": "critical", "service": "my-kubelet", "cluster": "prow"}, wednesday,
			Decision{Receivers: []string{"ops"}, Policy: "oncall", Path: []string{`route.routes.1 {severity="critical"}: receiver ops, escalation oncall`}}},
		{"escalation none, receiver inherited", incident.Labels{"severity": "critical", "service": "toy"}, wednesday,
			Decision{Receivers: []string{"ops"}, Path: []string{`route.routes.1.routes.1 {service="toy"}: receiver ops`}}},
		{"none tells nobody and calls nobody", incident.Labels{"severity": "info"}, wednesday,
			Decision{Path: []string{`route.routes.2 {severity="info"}: receiver none`}}},
		{"continue goes on, the first policy counts", incident.Labels{"severity": "critical", "service": "audit"}, wednesday,
			Decision{Receivers: []string{"audit", "ops"}, Policy: "unheard",
				Path: []string{`route.routes.0 {service="audit"}: receiver audit, escalation unheard`, `route.routes.1 {severity="critical"}: receiver ops, escalation oncall`}}},
		{"by day nothing is mute", incident.Labels{"service": "night"}, wednesday,
			Decision{Receivers: []string{"ops", "nodes"}, Policy: "unheard",
				Path: []string{`route.routes.3 {service="night"}: receiver ops, escalation unheard`, `route.routes.4 {service=~"night|day"}: receiver nodes, escalation unheard`}}},
		{"a mute route holds its own receiver only", incident.Labels{"service": "night"}, "2019-01-26T23:30:00Z",
			Decision{Receivers: []string{"ops", "nodes"}, Policy: "unheard", Muted: []string{"nights", "weekends"}, Held: []string{"ops"}, PolicyHeld: true,
				MutedUntil: at("2019-01-27T06:00:00Z"),
				Path:       []string{`route.routes.3 {service="night"}: receiver ops, escalation unheard`, `route.routes.4 {service=~"night|day"}: receiver nodes, escalation unheard`}}},
		{"mute times are the route's own", incident.Labels{"service": "sleeper"}, saturday,
			Decision{Receivers: []string{"alerts"}, Policy: "unheard", Muted: []string{"weekends"}, Held: []string{"alerts"}, PolicyHeld: true,
				MutedUntil: at("2019-01-28T00:00:00Z"), Path: []string{`route.routes.5 {service="sleeper"}: receiver alerts, escalation unheard`}}},
		{"and are not inherited", incident.Labels{"service": "sleeper", "severity": "high"}, saturday,
			Decision{Receivers: []string{"ops"}, Policy: "unheard", Path: []string{`route.routes.5.routes.0 {severity="high"}: receiver ops, escalation unheard`}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, router.Route(test.labels, at(test.at))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestRouteMistakes(t *testing.T) {
	times := newIntervals(t, map[string][]Interval{"nights": {{Times: []TimeRange{{Start: "22:00", End: "24:00"}}}}})
	in := func(r Route) *Route { return &Route{Receiver: "ops", Routes: []*Route{{}, &r}} }
	for _, test := range []struct {
		want string
		root *Route
	}{
		{"the route is missing", nil},
		{"receiver: is missing", &Route{}},
		{"matchers: the outermost route takes everything", &Route{Receiver: "ops", Matchers: []string{`a="b"`}}},
		{"mute_time_intervals: the outermost route is never mute", &Route{Receiver: "ops", MuteTimeIntervals: []string{"nights"}}},
		{"continue: nothing comes after", &Route{Receiver: "ops", Continue: true}},
		{`routes.1.receiver: unknown receiver "opps": did you mean "ops"? known: alerts, audit, nodes, none, ops`, in(Route{Receiver: "opps"})},
		{`routes.1.escalation: unknown escalation "oncal": did you mean "oncall"?`, in(Route{Escalation: "oncal"})},
		{`routes.1.mute_time_intervals.0: unknown time interval "night": did you mean "nights"?`, in(Route{MuteTimeIntervals: []string{"night"}})},
		{`routes.1.matchers.1: "severity" is no matcher`, in(Route{Matchers: []string{`a="b"`, "severity"}})},
		{`routes.1.matchers.0: "" is no matcher`, in(Route{Matchers: []string{""}})},
		{`routes.1.matchers.0: "a=~\"(\"" is no matcher`, in(Route{Matchers: []string{`a=~"("`}})},
		{"routes.1.group_by: group_by is not known here: the incident is the group", in(Route{GroupBy: []any{"a"}})},
		{"routes.1.repeat_interval: repeat_interval is not known here", in(Route{RepeatInterval: "4h"})},
		{"routes.1.match: match is not known here: write matchers", in(Route{Match: map[string]any{"a": "b"}})},
		{"routes.1.routes.0: is empty", in(Route{Routes: []*Route{nil}})},
	} {
		router, errs := New(test.root, times, known)
		if router != nil || len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), test.want) {
			t.Errorf("errors %v, want one that begins with %q", errs, test.want)
		}
	}
	if _, errs := New(&Route{Receiver: "x", Routes: []*Route{{Receiver: "y", GroupWait: "1m"}, {Escalation: "z"}}}, times, known); len(errs) != 4 {
		t.Errorf("all mistakes at once are four, found %v", errs)
	}
}

func FuzzMatchers(f *testing.F) {
	for _, s := range []string{`severity="critical"`, `{a=~"b",c!~"d"}`, `a="\`, `"a b"="c"`, "{", `a=~"(((((((x*)*)*)*)*)*)*"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		router, errs := New(&Route{Receiver: "ops", Routes: []*Route{{Matchers: []string{text}}}}, nil, known)
		if (router == nil) != (len(errs) > 0) {
			t.Fatalf("router %v with errors %v", router, errs)
		}
		if router != nil {
			router.Route(incident.Labels{"a": "b"}, time.Time{})
		}
	})
}
