package app

import (
	"bytes"
	"testing"
	"time"

	"tocsin/internal/scenario"
)

// TestRecordedAhead holds that a replay does not look at the wall clock: a day that is written for years ahead comes out as the same day does in
// its own year.
func TestRecordedAhead(t *testing.T) {
	const name = "boskos-crd-2019-03-26"
	own := lines(t, replayed(t, shipped, entriesOf(t, name, 1), 0))
	s, err := scenario.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	ahead := time.Now().AddDate(3, 0, 0).Truncate(24 * time.Hour)
	var b bytes.Buffer
	if err := scenario.WriteWith(&b, name, scenario.Options{Seed: 1, Start: ahead}); err != nil {
		t.Fatal(err)
	}
	moved := lines(t, replayed(t, shipped, b.Bytes(), 0))
	if len(own) == 0 || len(moved) != len(own) {
		t.Fatalf("%d lines in its own year, %d in one ahead", len(own), len(moved))
	}
	for i := range own {
		if got, want := moved[i].Time.Sub(ahead), own[i].Time.Sub(s.Start); got != want || moved[i].Type != own[i].Type || moved[i].Rule != own[i].Rule {
			t.Fatalf("line %d: %s %s %s after the beginning, in its own year %s %s %s", i, moved[i].Type, moved[i].Rule, got, own[i].Type, own[i].Rule, want)
		}
	}
}
