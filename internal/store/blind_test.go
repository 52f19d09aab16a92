package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A source's blind times begin once, end when it can see, and are counted while they go on.
func TestBlindSpans(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		at := func(n int) time.Time { return time.Date(2026, 1, 1, 0, n, 0, 0, time.UTC) }
		keep := func(now int, blind map[string]BlindSpan) {
			t.Helper()
			if err := s.Update(t.Context(), func(tx *Tx) error { return tx.KeepBlind(t.Context(), at(now), blind) }); err != nil {
				t.Fatal(err)
			}
		}
		keep(1, map[string]BlindSpan{"a": {Since: at(0), Why: "denied"}})
		keep(2, map[string]BlindSpan{"a": {Since: at(0), Why: "denied"}, "b": {Since: at(2), Why: "away\x00"}})
		keep(5, map[string]BlindSpan{"b": {Since: at(2), Why: "away"}})
		keep(7, map[string]BlindSpan{"b": {Since: at(4), Why: "still"}, "a": {Since: at(7), Why: "again"}})
		keep(9, map[string]BlindSpan{"a": {Since: at(7), Why: "again"}})
		var got []BlindSpan
		var sum, before map[string]time.Duration
		if err := s.View(t.Context(), func(tx *Tx) (err error) {
			if got, err = tx.BlindSpans(t.Context(), 10); err != nil {
				return err
			}
			if sum, err = tx.Blindness(t.Context(), at(12)); err != nil {
				return err
			}
			before, err = tx.Blindness(t.Context(), at(6)) // a clock that was set back
			return err
		}); err != nil {
			t.Fatal(err)
		}
		want := []BlindSpan{{"a", at(7), time.Time{}, "again"}, {"b", at(2), at(9), "away\ufffd"}, {"a", at(0), at(5), "denied"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if diff := cmp.Diff(map[string]time.Duration{"a": 10 * time.Minute, "b": 7 * time.Minute}, sum); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if diff := cmp.Diff(map[string]time.Duration{"a": 5 * time.Minute, "b": 7 * time.Minute}, before); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		done, _, err := s.Prune(t.Context(), at(60*24*40), Retention{Troubles: 30 * 24 * time.Hour}, func(string) bool { return true }, 100)
		if err != nil || done["troubles"] != 2 {
			t.Errorf("pruned %v, %v", done, err)
		}
	})
}
