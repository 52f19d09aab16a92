package web

import (
	"fmt"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// loadedRules are the rules of the fixture.
func loadedRules() []Rule {
	return []Rule{
		{Name: "prow-config-load-error", Severity: "high", Mode: "page", Filter: `resource.labels.cluster_name="prow" jsonPayload.msg="Error loading config."`, Where: "builtin:prow/config.yaml:3",
			Kind: "threshold", Settings: `{"count":1,"window":"15m"}`, Resolves: "after 20m without a match, if an entry shows the group alive", Sources: []string{"prow-logs"}},
		{Name: "tide-does-not-sync", Severity: "warning", Mode: "tell", Filter: `jsonPayload.msg="Error syncing."`, Where: "team/tide.yaml:2", Kind: "rate", Settings: `{"factor":5}`, Resolves: "by hand", For: 12 * time.Minute},
	}
}

// setUp are the probes of the fixture; this process asks the first.
func setUp() []Probe {
	days := 63
	return []Probe{{Name: "hook", URL: "https://prow.example.com/hook", Every: 30 * time.Second, Timeout: 10 * time.Second,
		Newest: &store.ProbePoint{Source: "hook", At: noon, Newest: noon.Add(-12 * time.Second), Probes: 1, Answered: 1, Failed: 1, Status: 502, Days: &days, Phases: store.Phases{Latency: 81 * time.Millisecond,
			DNS: 2 * time.Millisecond, Connect: 11 * time.Millisecond, TLS: 24 * time.Millisecond, FirstByte: 43 * time.Millisecond, Transfer: time.Millisecond},
			Error: "status 502 Bad Gateway from the load balancer itself, not from the service"}},
		{Name: "deck", URL: "https://prow.example.com/", Every: 30 * time.Second, Timeout: 10 * time.Second}, {Name: "new", Every: time.Minute, Timeout: time.Second}}
}

// charted writes a day of the two probes and a week of a rule: hook failed at 04:00 for a quarter of an hour and fails since 11:50, the
// certificate of deck has 9 days.
func charted(t testing.TB, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	days, few := 63, 9
	err := s.Update(ctx, func(tx *store.Tx) error {
		for i := range 288 {
			at := clock(22, 12, 5, 0).Add(time.Duration(i) * store.ProbeSpan)
			wave := time.Duration(i%40) * time.Millisecond
			hook := store.ProbePoint{Source: "hook", At: at, Newest: at.Add(4*time.Minute + 30*time.Second), Probes: 10, Answered: 10, Status: 405, Days: &days, Slowest: 200*time.Millisecond + wave,
				Phases: store.Phases{Latency: 810*time.Millisecond + 10*wave, DNS: 20 * time.Millisecond, Connect: 110 * time.Millisecond, TLS: 240 * time.Millisecond, FirstByte: 400*time.Millisecond + 10*wave, Transfer: 40 * time.Millisecond}}
			switch {
			case at.After(clock(23, 11, 49, 0)):
				hook.Failed, hook.Status, hook.Error = 10, 502, "status 502 Bad Gateway from the load balancer itself, not from the service"
			case !at.Before(clock(23, 4, 0, 0)) && at.Before(clock(23, 4, 15, 0)):
				hook.Failed, hook.Answered, hook.Phases, hook.Error = 3, 7, store.Phases{Latency: 30 * time.Second, FirstByte: 29 * time.Second, DNS: time.Second}, "timeout: no whole answer within 10s"
			case at.Hour() == 20 && at.Minute() < 20:
				hook.Blind, hook.Answered, hook.Phases, hook.Slowest = 10, 0, store.Phases{}, 0
			}
			deck := hook
			deck.Source, deck.Days, deck.Failed, deck.Error, deck.Status, deck.Blind = "deck", &few, 0, "", 200, 0
			deck.Newest = noon.Add(-time.Duration(287-i)*store.ProbeSpan - 20*time.Second)
			for _, p := range []store.ProbePoint{hook, deck} {
				if err := tx.AddProbePoint(ctx, p); err != nil {
					return err
				}
			}
		}
		for i := range 160 {
			at := noon.Add(-time.Duration(i) * time.Hour).Truncate(time.Hour)
			if err := tx.AddRulePoint(ctx, store.RulePoint{At: at, Matches: 100_000, Spent: 90 * time.Millisecond}); err != nil {
				return err
			}
			for _, rule := range []string{"prow-config-load-error", "hook-crash-loop"} {
				if i%7 < 3 || i < 13 && rule != "hook-crash-loop" {
					if err := tx.AddRulePoint(ctx, store.RulePoint{Rule: rule, At: at, Matches: int64(1 + i*i%37), Spent: time.Duration(1+i*i%37) * 3 * time.Millisecond}); err != nil {
						return err
					}
				}
			}
		}
		for i := range 5 {
			if err := tx.AddFiring(ctx, store.Firing{Key: key("prow-config-load-error", fmt.Sprint(i)), At: noon.Add(-time.Duration(i*i) * 6 * time.Hour), Mode: incident.Page}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
