package web

import (
	"fmt"
	"testing"

	"tocsin/internal/incident"
	"tocsin/internal/web/client"
)

// TestWhatAHolderHidesIsBounded: as many as are named, and how many there are beside; what another holds is not its own.
func TestWhatAHolderHidesIsBounded(t *testing.T) {
	held := []incident.Incident{{ID: "other", Holds: []incident.Holder{{By: "silence 12"}}}}
	for i := range client.MostHidden + 3 {
		held = append(held, incident.Incident{ID: fmt.Sprint(i), Holds: []incident.Holder{{By: "maintenance upgrade"}, {By: "silence 1"}}})
	}
	for name, want := range map[string]struct{ named, more int }{
		"silence 1": {client.MostHidden, 3}, "maintenance upgrade": {client.MostHidden, 3}, "silence 12": {1, 0}, "silence 2": {0, 0},
	} {
		got := hiddenBy(held, name)
		if got.Incidents == nil || len(got.Incidents) != want.named || got.More != want.more {
			t.Errorf("%s hides %d and %d more; want %d and %d", name, len(got.Incidents), got.More, want.named, want.more)
		}
	}
}
