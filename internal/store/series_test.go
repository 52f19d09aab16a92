package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestProbeSeries: what is added to a span in the store is what is added in memory; what comes later is a span of its own; a span that
// is a week old goes.
func TestProbeSeries(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		days, fewer, day := 30, 29, day.Truncate(time.Hour)
		well := ProbePoint{Source: "hook", At: day, Newest: day.Add(time.Second), Probes: 9, Answered: 9, Slowest: 90 * time.Millisecond, Status: 405, Days: &days,
			Phases: Phases{Latency: 720 * time.Millisecond, DNS: 1, Connect: 2, TLS: 3, FirstByte: 4, Transfer: 5}}
		refused := ProbePoint{Source: "hook", At: day, Newest: day.Add(2 * time.Minute), Probes: 2, Failed: 2, Error: "refused: " + nasty}
		bad := ProbePoint{Source: "hook", At: day, Newest: day.Add(3 * time.Minute), Probes: 2, Answered: 1, Failed: 1, Blind: 1, Slowest: time.Millisecond, Status: 502, Days: &fewer,
			Phases: Phases{Latency: time.Millisecond, DNS: 10, Connect: 20, TLS: 30, FirstByte: 40, Transfer: 50}}
		next := ProbePoint{Source: "hook", At: day.Add(ProbeSpan), Newest: day.Add(ProbeSpan), Probes: 1, Blind: 1}
		other := ProbePoint{Source: "deck", At: day, Newest: day, Probes: 1, Answered: 1}
		want := well
		for _, p := range []ProbePoint{well, refused, bad, next, other} {
			update(t, s, func(ctx context.Context, tx *Tx) error { return tx.AddProbePoint(ctx, p) })
			if p.At.Equal(day) && p.Source == "hook" && p.Probes != well.Probes {
				want.Add(p)
			}
		}
		want.Error = plain(want.Error, maxTroubleText)
		read := func(since time.Time) (got []ProbePoint) {
			view(t, s, func(ctx context.Context, tx *Tx) (err error) {
				got, err = tx.ProbePoints(ctx, "hook", since, ProbeSpan)
				return err
			})
			return got
		}
		if diff := cmp.Diff([]ProbePoint{want, next}, read(day)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if want.Probes != 13 || want.Answered != 10 || want.Failed != 3 || want.Blind != 1 || want.Status != 502 || *want.Days != 29 || want.FirstByte != 44 || want.Slowest != 90*time.Millisecond {
			t.Errorf("added up in memory: %+v", want)
		}
		if got := read(day.Add(1)); len(got) != 1 {
			t.Errorf("since a moment later: %v", got)
		}
		view(t, s, func(ctx context.Context, tx *Tx) error {
			hours, err := tx.ProbePoints(ctx, "hook", time.Time{}, time.Hour)
			both := want
			both.Add(next)
			both.At = both.At.Truncate(time.Hour)
			if diff := cmp.Diff([]ProbePoint{both}, hours); diff != "" {
				t.Errorf("by hours (-want +got):\n%s", diff)
			}
			failed, err2 := tx.ProbeFailures(ctx, "hook", time.Time{}, 5)
			if diff := cmp.Diff([]ProbePoint{want}, failed); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
			return errors.Join(err, err2)
		})
		done, _, err := s.Prune(t.Context(), day.Add(SeriesKept), Retention{}, nil, 100)
		if err != nil || done["series"] != 2 || len(read(time.Time{})) != 1 {
			t.Errorf("after a week %v are pruned, %v", done, err)
		}
	})
}

// TestRuleSeries: matches and time add up by rule and hour; the sums are since a time; an hour that is a week old goes.
func TestRuleSeries(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		update(t, s, func(ctx context.Context, tx *Tx) error {
			return errors.Join(
				tx.AddRulePoint(ctx, RulePoint{Rule: "hook-down", At: day, Matches: 2, Spent: 3}),
				tx.AddRulePoint(ctx, RulePoint{Rule: "hook-down", At: day, Matches: 40, Spent: 50}),
				tx.AddRulePoint(ctx, RulePoint{Rule: "hook-down", At: day.Add(RuleSpan), Matches: 1, Spent: 1}),
				tx.AddRulePoint(ctx, RulePoint{At: day, Matches: 1e6, Spent: time.Second}))
		})
		view(t, s, func(ctx context.Context, tx *Tx) error {
			got, err := tx.RulePoints(ctx, "hook-down", day)
			want := []RulePoint{{"hook-down", day, 42, 53}, {"hook-down", day.Add(RuleSpan), 1, 1}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			sums, failed := tx.RuleSums(ctx, day)
			if diff := cmp.Diff(map[string]RulePoint{"hook-down": {"hook-down", day.Add(RuleSpan), 43, 54}, "": {"", day, 1e6, time.Second}}, sums); diff != "" {
				t.Errorf("sums (-want +got):\n%s", diff)
			}
			return errors.Join(err, failed)
		})
		done, _, err := s.Prune(t.Context(), day.Add(SeriesKept), Retention{}, nil, 100)
		if err != nil || done["series"] != 2 {
			t.Errorf("after a week %v are pruned, %v", done, err)
		}
	})
}
