package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
)

// TestFirings holds that each firing is on record once, of its rule, and goes with its age.
func TestFirings(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, ":memory:", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	noon := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	of := func(rule, group string, minute int, inc string) Firing {
		return Firing{Key: incident.Key{Rule: rule, Group: group}, At: noon.Add(time.Duration(minute) * time.Minute), Mode: incident.Shadow, Incident: inc}
	}
	var got []Firing
	var first time.Time
	err = s.Update(ctx, func(tx *Tx) error {
		for _, f := range []Firing{of("a", "1", 0, ""), of("a", "2", 0, ""), of("b", "1", 1, "I"), of("a", "1", 5, "I"), of("a", "1", 5, "I")} {
			if err := tx.AddFiring(ctx, f); err != nil {
				return err
			}
		}
		if got, err = tx.Firings(ctx, "a", noon, 2); err != nil {
			return err
		}
		first, err = tx.FirstFiring(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Firing{of("a", "1", 5, "I"), of("a", "1", 0, "")}, got); diff != "" || !first.Equal(noon) {
		t.Errorf("first at %s, the newest two (-want +got):\n%s", first, diff)
	}
	done, _, err := s.Prune(ctx, noon.Add(time.Hour+time.Minute), Retention{States: time.Hour}, func(string) bool { return true }, 100)
	if err != nil || done["states"] != 3 {
		t.Errorf("pruned %v (%v), wanted the three that are an hour old", done, err)
	}
}
