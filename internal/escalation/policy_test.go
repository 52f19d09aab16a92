package escalation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/setting"
)

func minutes(n int) setting.Duration { return setting.Duration(time.Duration(n) * time.Minute) }

func workingHours(t *testing.T) map[string]routing.Intervals {
	t.Helper()
	sets, errs := routing.NewIntervals(map[string][]routing.Interval{
		"working-hours": {{Weekdays: []string{"monday:friday"}, Times: []routing.TimeRange{{Start: "09:00", End: "17:00"}}, Location: "America/Los_Angeles"}},
		"long-ago":      {{Years: []string{"2001"}}},
	})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return sets
}

func newPlan(t *testing.T, p Policy) *Plan {
	t.Helper()
	plan, errs := NewPlan(p, Known{Receivers: []string{"oncall", "testing-ops"}, Schedules: []string{"prow"}, Intervals: workingHours(t)})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return plan
}

// run says what the plan does, and after how long, each thing done when it is due.
func run(plan *Plan, e incident.Escalation, most int) []string {
	var out []string
	for range most {
		due := plan.Due(e)
		if due.At.IsZero() {
			break
		}
		what := "fallback"
		if due.Step != nil {
			what = fmt.Sprintf("step %d pass %d", due.Index, due.Pass)
		}
		if due.Again {
			what = "again step 0"
		}
		out = append(out, due.At.Sub(e.Start).String()+" "+what)
		next := plan.Advance(e, due.At)
		if again := plan.Due(next); !again.At.Equal(next.Next) {
			out = append(out, fmt.Sprintf("WRONG: Next is %s, Due says %s", next.Next, again.At))
		}
		e = next
	}
	return out
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestPlan(t *testing.T) {
	oncall := Policy{
		Steps:  []Step{{Notify: []string{"oncall"}}, {After: minutes(10), Notify: []string{"oncall", "testing-ops"}}},
		Repeat: 2, Every: minutes(30),
	}
	unheard := Policy{Steps: []Step{
		{After: minutes(30), Mention: "prow"},
		{After: minutes(60), Notify: []string{"oncall"}, During: []string{"working-hours"}},
	}}
	held := Policy{Steps: []Step{
		{After: minutes(5), Mention: "prow", During: []string{"working-hours"}},
		{After: minutes(10), Notify: []string{"oncall"}},
	}, Repeat: 1, Every: minutes(20)}
	begun := func(text string) incident.Escalation { return incident.Escalation{Start: at(text), Next: at(text)} }
	fell := begun("2019-01-23T18:00:00Z")
	fell.Fell = true
	for _, test := range []struct {
		name   string
		policy Policy
		from   incident.Escalation
		want   []string
	}{
		{"all passes, the fallback when a fourth would begin, then hourly", oncall, begun("2019-01-23T03:00:00Z"), []string{
			"0s step 0 pass 0", "10m0s step 1 pass 0", "30m0s step 0 pass 1", "40m0s step 1 pass 1", "1h0m0s step 0 pass 2", "1h10m0s step 1 pass 2",
			"1h30m0s fallback", "2h30m0s again step 0", "3h30m0s again step 0",
		}},
		{"in working hours nothing is held", unheard, begun("2019-01-23T18:00:00Z"), []string{ // Wednesday, 10:00 there
			"30m0s step 0 pass 0", "1h0m0s step 1 pass 0", "1h30m0s fallback", "2h30m0s again step 0",
		}},
		{"on Friday evening the page waits for Monday, and so does the fallback", unheard, begun("2019-01-26T02:00:00Z"), []string{ // Friday, 18:00
			"30m0s step 0 pass 0", "63h0m0s step 1 pass 0", "63h30m0s fallback", "64h30m0s again step 0",
		}},
		{"a step that waits holds up no other, and is run once when it opens", held, begun("2019-01-26T02:00:00Z"), []string{
			"10m0s step 1 pass 0", "30m0s step 1 pass 1", "63h0m0s step 0 pass 0", "63h5m0s fallback", "64h5m0s again step 0",
		}},
		{"over the weekend that the clocks go forward, nine is nine", unheard, begun("2019-03-09T02:00:00Z"), []string{ // Friday, 18:00
			"30m0s step 0 pass 0", "62h0m0s step 1 pass 0", "62h30m0s fallback",
		}},
		{"after a fall what would be done at once is left out", oncall, fell, []string{
			"10m0s step 1 pass 0", "30m0s step 0 pass 1",
		}},
		{"times that never come again hold nothing", Policy{Steps: []Step{{Notify: []string{"oncall"}, During: []string{"long-ago"}}}}, begun("2019-01-23T03:00:00Z"), []string{
			"0s step 0 pass 0", "30m0s fallback",
		}},
		{"every as long as the last after leaves its step time", Policy{Steps: []Step{{Notify: []string{"oncall"}}, {After: minutes(30), Notify: []string{"oncall"}}}, Repeat: 1, Every: minutes(30)}, begun("2019-01-23T03:00:00Z"), []string{
			"0s step 0 pass 0", "30m0s step 1 pass 0", "30m0s step 0 pass 1", "1h0m0s step 1 pass 1", "1h5m0s fallback",
		}},
		{"nothing begun", oncall, incident.Escalation{}, nil},
		{"nothing waits", oncall, incident.Escalation{Start: at("2019-01-23T03:00:00Z"), Step: 1}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := newPlan(t, test.policy)
			got := run(plan, test.from, max(len(test.want), 1))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if len(test.want) > 0 {
				if diff := cmp.Diff(got, run(plan, plan.Aim(test.from), len(test.want))); diff != "" {
					t.Errorf("Aim changes what is done (-without +with)\n%s", diff)
				}
			}
		})
	}
}

func TestAdvanceAfterAnOutage(t *testing.T) {
	plan := newPlan(t, Policy{Steps: []Step{{Notify: []string{"oncall"}}}})
	start := at("2019-01-23T03:00:00Z")
	e := plan.Begin(start)
	e = plan.Advance(e, start)
	e = plan.Advance(e, start.Add(5*time.Hour+40*time.Minute)) // the fallback was due after 30m
	if want := start.Add(6*time.Hour + 30*time.Minute); !e.Next.Equal(want) || !plan.Due(e).Again {
		t.Errorf("after five hours without us the next call is at %s, want the next whole hour after the fallback, %s", e.Next, want)
	}
}

// TestAdvanceLeavesTenMinutesAfterALateCall: the call that was due at 6:30 came at 7:21, 9 minutes before the next.
func TestAdvanceLeavesTenMinutesAfterALateCall(t *testing.T) {
	plan := newPlan(t, Policy{Steps: []Step{{Notify: []string{"oncall"}}}})
	start := at("2019-01-23T03:00:00Z")
	e := incident.Escalation{Start: start, Next: start.Add(210 * time.Minute), Pass: 1, Exhausted: true}
	for _, test := range []struct{ late, next time.Duration }{
		{50 * time.Minute, time.Hour}, {51 * time.Minute, 2 * time.Hour}, {60*time.Minute - 1, 2 * time.Hour}, {time.Hour, 2 * time.Hour},
	} {
		if got := plan.Advance(e, e.Next.Add(test.late)).Next.Sub(e.Next); got != test.next {
			t.Errorf("a call that is %s late is repeated %s after the time that was meant, want %s", test.late, got, test.next)
		}
	}
}

func TestAdvanceSaysNewsOnce(t *testing.T) {
	plan := newPlan(t, Policy{Steps: []Step{{Notify: []string{"oncall"}}, {After: minutes(5), Notify: []string{"oncall"}}}})
	e := plan.Begin(at("2019-01-23T03:00:00Z"))
	e.News = "hook crash loops"
	if got := plan.Aim(e).News; got != e.News {
		t.Errorf("Aim lost the news: %q", got)
	}
	if got := plan.Advance(e, e.Next).News; got != "" {
		t.Errorf("after the step the news is still there: %q", got)
	}
}

func TestPlanOfAnotherPolicy(t *testing.T) {
	start := at("2019-01-23T03:00:00Z")
	e := incident.Escalation{Start: start, Step: 4, Pass: 0, Next: start.Add(15 * time.Minute)} // there is no step 4 any more
	plan := newPlan(t, Policy{Steps: []Step{{Notify: []string{"oncall"}}, {After: minutes(20), Notify: []string{"testing-ops"}}}})
	if due := plan.Due(e); due.Index != 1 || !due.At.Equal(start.Add(20*time.Minute)) {
		t.Errorf("due is %+v, want step 1 after 20m", due)
	}
	e.Next = start.Add(25 * time.Minute)
	if due := plan.Due(e); !due.Fallback {
		t.Errorf("past all steps due is %+v, want the fallback", due)
	}
}

func TestPolicyMistakes(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy Policy
		want   string
	}{
		{"no steps", Policy{}, "steps: there are none"},
		{"a step that does nothing", Policy{Steps: []Step{{After: minutes(1)}}}, "steps.0: the step does nothing"},
		{"after goes back", Policy{Steps: []Step{{After: minutes(5), Mention: "prow"}, {After: minutes(4), Mention: "prow"}}}, "steps.1.after: 4m0s is before the step above it"},
		{"after is negative", Policy{Steps: []Step{{After: minutes(-5), Mention: "prow"}}}, "steps.0.after: -5m0s is before the start"},
		{"repeat without every", Policy{Steps: []Step{{Mention: "prow"}}, Repeat: 1}, "every: is missing"},
		{"every without repeat", Policy{Steps: []Step{{Mention: "prow"}}, Every: minutes(10)}, "every: has no meaning without repeat"},
		{"every too soon", Policy{Steps: []Step{{Mention: "prow"}, {After: minutes(11), Mention: "prow"}}, Repeat: 1, Every: minutes(10)}, "every: 10m0s is before the last step, at 11m0s"},
		{"every negative", Policy{Steps: []Step{{Mention: "prow"}}, Repeat: 1, Every: minutes(-10)}, "every: -10m0s is less than a minute"},
		{"repeat without end", Policy{Steps: []Step{{Mention: "prow"}}, Repeat: 1e9, Every: minutes(10)}, "repeat: 1000000000 is not between"},
		{"unknown receiver", Policy{Steps: []Step{{Notify: []string{"oncal"}}}}, `steps.0.notify.0: unknown receiver "oncal": did you mean "oncall"?`},
		{"none is nobody", Policy{Steps: []Step{{Notify: []string{"none"}}}}, `steps.0.notify.0: unknown receiver "none"`},
		{"unknown schedule", Policy{Steps: []Step{{Mention: "prov"}}}, `steps.0.mention: unknown schedule "prov": did you mean "prow"?`},
		{"unknown interval", Policy{Steps: []Step{{Mention: "prow", During: []string{"working-hour"}}}}, `steps.0.during.0: unknown time interval "working-hour": did you mean "working-hours"?`},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan, errs := NewPlan(test.policy, Known{Receivers: []string{"oncall"}, Schedules: []string{"prow"}, Intervals: workingHours(t)})
			if plan != nil || len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), test.want) {
				t.Errorf("plan %v, errors %v, want one that begins with %q", plan, errs, test.want)
			}
		})
	}
}
