package app

import (
	"slices"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// TestOncallFor: who is on call in the schedules of an incident's policy is named, each once; an incident without a policy names nobody.
func TestOncallFor(t *testing.T) {
	plan, errs := loaded(t, `project: p
receivers: {ops: {slack: {channel: "#ops", token_file: s}}}
fallback: ops
people: {ana: {slack: U0000001}, ben: {slack: U0000002}}
schedules:
  prow: {rotation: [ana, ben], every: 7d, starts: 2026-11-23T09:00:00Z}
  nights: {rotation: [ana], every: 7d, starts: 2026-11-23T09:00:00Z}
route: {receiver: ops, escalation: call}
escalation: {call: {steps: [{mention: prow}, {after: 5m, notify: ["schedule:prow", "schedule:nights"]}]}}
`, nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	db, err := store.Open(t.Context(), ":memory:", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	who := (&App{store: db}).oncallFor(plan)
	first := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		policy string
		at     time.Time
		want   []string
	}{{"call", first, []string{"ana"}}, {"call", first.Add(7 * 24 * time.Hour), []string{"ana", "ben"}}, {"", first, nil}} {
		if got := who(t.Context(), &incident.Incident{Policy: c.policy}, c.at); !slices.Equal(got, c.want) {
			t.Errorf("%q at %s: %q, want %q", c.policy, c.at, got, c.want)
		}
	}
}
