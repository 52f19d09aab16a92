package main

import (
	"path/filepath"
	"testing"
	"time"

	"tocsin/internal/sim/binary"
)

// TestItMeasures runs both measurements, short: as many incidents are opened as it asks for, more than a rule has groups if it does not say,
// and of a flood each line is counted. How long it took is not looked at.
func TestItMeasures(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs the real binary")
	}
	tocsin := filepath.Join(t.TempDir(), "tocsin")
	if err := binary.Build(t.Context(), tocsin, false); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]settings{
		"latency": {open: 1200, rate: 200, pages: 4, run: 2 * time.Second},
		"flood":   {flood: 5000, run: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.store, s.binary = "sqlite", tocsin
			if err := run(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
}
