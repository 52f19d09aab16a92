package app

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/engine"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// A source that is blind for one reason and then for another is one incident, and rings once: its title and the line that it quotes are of the
// newest cause, and the timeline says when that changed. What differs by a figure alone is no other cause. The same holds when it has seen
// in between.
func TestASourceIsBlindForAnotherReason(t *testing.T) {
	const role = "it may not read projects/p: grant roles/logging.viewer"
	const quota = "ResourceExhausted: the quota of 60 lists a minute is met"
	const slow = "nothing was heard of it for "
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tocsin.yaml")
		if err := os.WriteFile(path, []byte("project: p\nreceivers: {screen: {console: {}}}\nroute: {receiver: screen}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		plan, errs := Load(path)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		ctx := context.Background()
		db, err := store.Open(ctx, filepath.Join(t.TempDir(), "tocsin.db"), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		eng, err := engine.New(ctx, db, engine.Options{Program: plan.program(plan.desk(nil))})
		if err != nil {
			t.Fatal(err)
		}
		say := func(text string, over bool) {
			t.Helper()
			time.Sleep(time.Minute)
			err := db.Update(ctx, func(tx *store.Tx) error {
				return tx.Report(ctx, store.Trouble{Kind: "source_blind", Labels: map[string]string{"source": "prow"}, At: time.Now(), Text: text, Over: over})
			})
			if err != nil {
				t.Fatal(err)
			}
			offerTroubles(t, db, eng)
			for range 3 {
				if _, err := eng.Step(ctx, time.Now()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Second) // what ends waits for the lateness
			}
		}
		look := func(cause string, revision int, changes ...string) {
			t.Helper()
			err := db.View(ctx, func(tx *store.Tx) error {
				all, err := tx.Incidents(ctx, store.IncidentFilter{})
				if err != nil || len(all) != 1 {
					t.Fatalf("%d incidents, %v", len(all), err)
				}
				inc := all[0]
				if !strings.Contains(inc.Title, cause) {
					t.Errorf("the title is %q, want that of %q", inc.Title, cause)
				}
				if got := inc.Alerts[0].FirstLine.Text; !strings.Contains(got, cause) {
					t.Errorf("the line is %q, want that of %q", got, cause)
				}
				if inc.Revision != int64(revision) {
					t.Errorf("revision %d, want %d", inc.Revision, revision)
				}
				line, err := tx.Events(ctx, inc.ID)
				var said []string
				for _, e := range line {
					if e.Kind == incident.EventHeadline {
						said = append(said, strings.TrimPrefix(e.Text, "the cause is now: What prow watches is not seen as it should be: "))
					}
				}
				if !slices.Equal(said, changes) {
					t.Errorf("the timeline tells of the other causes %q, want %q", said, changes)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		say(role+" (since 10:00:00 UTC)", false)
		say(role+" (since 10:00:00 UTC)", false)
		look(role, 1)
		say(quota+" (since 10:00:00 UTC)", false)
		look(quota, 2, quota+" (since 10:00:00 UTC)")
		say(slow+"3m10s", false)
		look(slow+"3m10s", 3, quota+" (since 10:00:00 UTC)", slow+"3m10s")
		say(slow+"4m", false)
		look(slow+"3m10s", 3, quota+" (since 10:00:00 UTC)", slow+"3m10s")
		say("it can be read again", true)
		say(role, false)
		look(role, 5, quota+" (since 10:00:00 UTC)", slow+"3m10s")
	})
}
