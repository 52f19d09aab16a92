package store

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
)

// TestWhatACommitLeaves: whoever wakes the steps hears of a commit that left them something to do, of what, and of no other.
func TestWhatACommitLeaves(t *testing.T) {
	var heard []Left
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "tocsin.db"), Options{Left: func(l Left) { heard = append(heard, l) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	row := func(target string) *incident.Notification {
		return &incident.Notification{Incident: "I", Target: target, Kind: incident.Message, Key: "I/" + target, CreatedAt: day}
	}
	var waiting incident.Notification
	for _, c := range []struct {
		name string
		do   func(ctx context.Context, tx *Tx) error
		want []Left
	}{
		{"an incident that waits for nothing", func(ctx context.Context, tx *Tx) error {
			return tx.SaveIncident(ctx, &incident.Incident{ID: "I", State: incident.Open})
		}, nil},
		{"one that is due", func(ctx context.Context, tx *Tx) error {
			return tx.SaveIncident(ctx, &incident.Incident{ID: "I", State: incident.Open, Due: day})
		}, []Left{{Steps: true}}},
		{"a silence that ends", func(ctx context.Context, tx *Tx) error {
			return tx.SaveSilence(ctx, &incident.Silence{Starts: day, Ends: day, CreatedAt: day, Due: day})
		}, []Left{{Steps: true}}},
		{"rows for two receivers", func(ctx context.Context, tx *Tx) error {
			waiting = *row("a")
			_, err1 := tx.AddNotification(ctx, &waiting)
			_, err2 := tx.AddNotification(ctx, row("b"))
			return errors.Join(err1, err2)
		}, []Left{{Targets: map[string]bool{"a": true, "b": true}}}},
		{"the same row again", func(ctx context.Context, tx *Tx) error {
			_, err := tx.AddNotification(ctx, row("b"))
			return err
		}, nil},
		{"a row on its way", func(ctx context.Context, tx *Tx) error {
			waiting.State = incident.InFlight
			return tx.SaveNotification(ctx, &waiting)
		}, nil},
		{"a row that waits again", func(ctx context.Context, tx *Tx) error {
			waiting.State = incident.Pending
			return tx.SaveNotification(ctx, &waiting)
		}, []Left{{Targets: map[string]bool{"a": true}}}},
		{"what waited is hastened", func(ctx context.Context, tx *Tx) error {
			return tx.HastenNotifications(ctx, "a", day, Hastening{})
		}, []Left{{Targets: map[string]bool{"a": true}}}},
	} {
		heard = nil
		update(t, s, c.do)
		if diff := cmp.Diff(c.want, heard); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	heard = nil
	lost := errors.New("lost")
	err = s.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.AddNotification(t.Context(), row("c"))
		return errors.Join(err, lost)
	})
	if !errors.Is(err, lost) || heard != nil {
		t.Errorf("rolled back: %v, heard %v", err, heard)
	}
}

// TestHotQueriesListNoIncidents: what is asked whenever a page waits must not make a list of all incidents in a state: with ten thousand
// open that is most of what a page costs.
func TestHotQueriesListNoIncidents(t *testing.T) {
	s := opened(t)
	for name, q := range map[string]struct {
		text string
		args []any
	}{
		"calls nobody took": {selectUnheard, []any{"t"}},
		"untold messages":   {selectUntold, []any{"t"}},
		"unsettled calls":   {selectUnsettled, nil},
	} {
		view(t, s, func(ctx context.Context, tx *Tx) error {
			plan, err := list(ctx, tx, func(r row, line *string) error {
				var a, b, c any
				return r.Scan(&a, &b, &c, line)
			}, "EXPLAIN QUERY PLAN "+q.text, q.args...)
			if all := strings.Join(plan, "; "); strings.Contains(all, "LIST SUBQUERY") {
				t.Errorf("%s: %s", name, all)
			}
			return err
		})
	}
}
