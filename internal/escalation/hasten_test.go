package escalation

import (
	"testing"
	"time"
)

// TestHasten: the next step is due at once, and those behind it count from there; one that waits for its time of day does so all the same.
func TestHasten(t *testing.T) {
	plan := newPlan(t, Policy{Steps: []Step{
		{After: minutes(30), Mention: "prow"},
		{After: minutes(60), Notify: []string{"oncall"}, During: []string{"working-hours"}},
	}})
	for start, want := range map[string]time.Duration{
		"2019-01-23T10:00:00-08:00": 0,                             // within the hours
		"2019-01-23T20:00:00-08:00": 12*time.Hour + 20*time.Minute, // until nine in the morning
		"2019-01-23T06:00:00-08:00": 2*time.Hour + 20*time.Minute,
	} {
		e := plan.Begin(at(start))
		e = plan.Advance(e, e.Next) // the mention
		now := at(start).Add(40 * time.Minute)
		got, ok := plan.Hasten(e, now)
		if !ok || got.Step != 1 || got.Next.Sub(now) != want || !plan.Due(got).At.Equal(got.Next) {
			t.Errorf("%s: %v, step %d in %s, want in %s; due %s", start, ok, got.Step, got.Next.Sub(now), want, plan.Due(got).At)
		}
	}
}
