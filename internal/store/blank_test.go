package store

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestANewDatabaseIsWhatTheMigrationsMake: what is copied, into a file and in memory, is in all that the migrations say the database on
// which they were run one by one, and it can give room back.
func TestANewDatabaseIsWhatTheMigrationsMake(t *testing.T) {
	ours, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	held := func(path string, o Options) string {
		s, err := Open(t.Context(), path, o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var all []string
		ask := func(text string) {
			view(t, s, func(ctx context.Context, tx *Tx) error {
				lines, err := list(ctx, tx, func(r row, line *string) error { return r.Scan(line) }, text)
				all = append(all, lines...)
				return err
			})
		}
		for _, pragma := range []string{"application_id", "auto_vacuum", "page_size", "integrity_check"} {
			ask("SELECT '" + pragma + "=' || " + pragma + " FROM pragma_" + pragma)
		}
		ask("SELECT name || ': ' || coalesce(sql, '') FROM sqlite_master ORDER BY name")
		ask("SELECT name || '=' || value FROM facts ORDER BY name")
		ask("SELECT 'version ' || version_id || ' ' || is_applied FROM goose_db_version ORDER BY id")
		ask("SELECT 'heads ' || a.newest || ' ' || b.newest FROM troubles_head a, posted_head b")
		return strings.Join(all, "\n")
	}
	want := held(filepath.Join(t.TempDir(), "one-by-one.db"), Options{files: ours})
	for _, path := range []string{memory, filepath.Join(t.TempDir(), "copied.db")} {
		if diff := cmp.Diff(want, held(path, Options{})); diff != "" {
			t.Errorf("%s (-one by one +copied):\n%s", filepath.Base(path), diff)
		}
	}
	version, err := newest()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(want, fmt.Sprintf("\nversion %d 1\n", version)) || !strings.Contains(want, "integrity_check=ok") {
		t.Errorf("the comparison is of too little:\n%s", want)
	}
}

// TestNewDatabasesShareNothing: many are made at once, and what is written to one is in no other, nor in those that come after.
func TestNewDatabasesShareNothing(t *testing.T) {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := Open(t.Context(), memory, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			err = s.Update(t.Context(), func(tx *Tx) error {
				have, err := tx.Fact(t.Context(), "mine")
				if err != nil || have != "" {
					t.Errorf("a new database has %q, %v", have, err)
				}
				return tx.SetFact(t.Context(), "mine", "yes")
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
