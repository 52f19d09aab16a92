package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store/pgtest"
)

// day is a moment that has nothing to do with the wall clock.
var day = time.Date(2019, 1, 22, 23, 28, 49, 123456789, time.UTC)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, Options{Now: func() time.Time { return day }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// databases are the kinds of database that a store may be in, each with how a test gets an empty one, and one that has the schema already.
var databases = []struct {
	name          string
	place, filled func(t *testing.T) string
}{
	{"sqlite", file, file},
	{"postgres", func(t *testing.T) string { return pgtest.Database(t) }, func(t *testing.T) string { return pgtest.Filled(t, migrated) }},
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "tocsin.db") }

// migrated gives a PostgreSQL database the schema, as its first Open does.
func migrated(url string) (err error) {
	s := &Store{database: &database{dialect: dialectOf(url), place: place{path: url}}}
	if s.writeDB, err = s.dialect.open(s.place, false); err != nil {
		return err
	}
	defer s.writeDB.Close()
	return s.migrate(context.Background())
}

func TestMain(m *testing.M) { pgtest.Main(m) }

// onEach runs a test on each kind of database, with the place of an empty one.
func onEach(t *testing.T, test func(t *testing.T, place string)) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) { test(t, d.place(t)) })
	}
}

// onEachOpened runs a test on each kind of database, with a store that the end of the test closes.
func onEachOpened(t *testing.T, test func(t *testing.T, s *Store)) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) { test(t, openedAt(t, d.filled(t))) })
	}
}

// opened is a store in a file that the end of the test closes, for what is SQLite's alone.
func opened(t *testing.T) *Store {
	t.Helper()
	return openedAt(t, filepath.Join(t.TempDir(), "tocsin.db"))
}

func openedAt(t *testing.T, place string) *Store {
	t.Helper()
	s := open(t, place)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func update(t *testing.T, s *Store, do func(ctx context.Context, tx *Tx) error) {
	t.Helper()
	ctx := context.Background()
	if err := s.Update(ctx, func(tx *Tx) error { return do(ctx, tx) }); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, s *Store, do func(ctx context.Context, tx *Tx) error) {
	t.Helper()
	ctx := context.Background()
	if err := s.View(ctx, func(tx *Tx) error { return do(ctx, tx) }); err != nil {
		t.Fatal(err)
	}
}

func fact(t *testing.T, s *Store, name string) (value string) {
	t.Helper()
	view(t, s, func(ctx context.Context, tx *Tx) (err error) {
		value, err = tx.Fact(ctx, name)
		return err
	})
	return value
}

func TestOpenCountsEpochsAndKeepsItsBirth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?#%.db")
	for want := int64(1); want <= 3; want++ {
		s, err := Open(context.Background(), path, Options{Now: func() time.Time { return day.Add(time.Duration(want) * time.Hour) }})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Epoch(); got != want {
			t.Errorf("opening %d has epoch %d", want, got)
		}
		if got := s.Born(); !got.Equal(day.Add(time.Hour)) {
			t.Errorf("opening %d says that it was born at %v, want the first opening's time", want, got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v: others can read lines of logs", info.Mode())
	}
}

func TestOpenSyncsEachCommit(t *testing.T) {
	s := opened(t)
	view(t, s, func(ctx context.Context, tx *Tx) error { // opens a reader
		_, err := tx.Fact(ctx, "x")
		return err
	})
	update(t, s, func(ctx context.Context, tx *Tx) error {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
			got, _, err := first(ctx, tx, func(r row, v *string) error { return r.Scan(v) }, "PRAGMA "+pragma)
			if err != nil {
				return err
			}
			if got != want {
				t.Errorf("%s = %s, want %s", pragma, got, want)
			}
		}
		return nil
	})
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, path string)
		want    string
	}{
		{"a directory that is not there", func(t *testing.T, path string) { os.Remove(filepath.Dir(path)) }, "create it or give another --store"},
		{"what another has open", func(t *testing.T, path string) {
			s := open(t, path)
			t.Cleanup(func() { s.Close() })
		}, "another tocsin holds "},
		{"what another has open by another name", func(t *testing.T, path string) {
			s := open(t, path+".real")
			t.Cleanup(func() { s.Close() })
			if err := os.Symlink(filepath.Base(path)+".real", path); err != nil {
				t.Fatal(err)
			}
		}, "another tocsin holds "},
		{"a later version's", func(t *testing.T, path string) {
			s := open(t, path)
			writtenByLater(t, s, 99999)
			s.Close()
		}, "written by a later tocsin (its schema is version 99999"},
		{"what is no database", func(t *testing.T, path string) {
			os.WriteFile(path, []byte(strings.Repeat("receivers:\n", 500)), 0o600)
		}, "is damaged or no database"},
		{"a damaged one", damage, "restore it from a backup"},
		{"something else's database", func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("CREATE TABLE recipes (name TEXT)"); err != nil {
				t.Fatal(err)
			}
		}, "a SQLite database of something else: give another --store"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sub", "tocsin.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			test.prepare(t, path)
			before, _ := os.ReadFile(path)
			s, err := Open(context.Background(), path, Options{})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) && !strings.Contains(err.Error(), filepath.Dir(path)) {
				t.Errorf("error %q does not say the place and %q", err, test.want)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the refused file was changed")
			}
		})
	}
}

// damage overwrites pages in the middle of a database that holds something.
func damage(t *testing.T, path string) {
	s := open(t, path)
	update(t, s, func(ctx context.Context, tx *Tx) error {
		for i := range 2000 {
			if err := tx.SetFact(ctx, fmt.Sprintf("fact-%d", i), strings.Repeat("x", 100)); err != nil {
				return err
			}
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(b) / 2; i < len(b)*3/4; i++ {
		b[i] ^= 0xa5
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestALockEndsWithItsStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	open(t, path).Close()
	open(t, path).Close()
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	test := func(t *testing.T, path string) {
		s := open(t, path)
		ctx := context.Background()
		wrong := errors.New("wrong")
		if err := s.Update(ctx, func(tx *Tx) error {
			if err := tx.SetFact(ctx, "a", "1"); err != nil {
				return err
			}
			return wrong
		}); !errors.Is(err, wrong) {
			t.Errorf("Update returned %v, want what its function returned", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = s.Update(ctx, func(tx *Tx) error {
				tx.SetFact(ctx, "a", "2")
				panic("halfway")
			})
		}()
		ended, cancel := context.WithCancel(ctx)
		if err := s.Update(ended, func(tx *Tx) error {
			tx.SetFact(ctx, "a", "3")
			cancel()
			return nil
		}); !errors.Is(err, context.Canceled) {
			t.Errorf("an ended context gives %v", err)
		}
		// An event of an incident that is not there is found at the commit.
		if err := s.Update(ctx, func(tx *Tx) error {
			tx.SetFact(ctx, "a", "4")
			return tx.AppendEvent(ctx, &incident.Event{Incident: "nobody's"})
		}); err == nil {
			t.Error("an event without its incident was kept")
		}
		if got := fact(t, s, "a"); got != "" {
			t.Errorf("%s: the fact is %q after updates that failed", path, got)
		}
		update(t, s, func(ctx context.Context, tx *Tx) error { return tx.SetFact(ctx, "a", "5") })
		if got := fact(t, s, "a"); got != "5" {
			t.Errorf("%s: the fact is %q after an update that succeeded", path, got)
		}
		s.Close()
	}
	onEach(t, test)
	t.Run("memory", func(t *testing.T) { test(t, ":memory:") })
}

func TestViewOnlyReadsAndDoesNotWait(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		if err := s.View(ctx, func(tx *Tx) error { return tx.SetFact(ctx, "a", "1") }); err == nil {
			t.Error("a View has written")
		}
		update(t, s, func(ctx context.Context, tx *Tx) error {
			if err := tx.SetFact(ctx, "a", "new"); err != nil {
				return err
			}
			if got := fact(t, s, "a"); got != "" {
				t.Errorf("a View saw %q before the commit", got)
			}
			return nil
		})
		view(t, s, func(ctx context.Context, tx *Tx) error {
			before, err := tx.Fact(ctx, "a")
			if err != nil {
				return err
			}
			update(t, s, func(ctx context.Context, tx *Tx) error { return tx.SetFact(ctx, "a", "newer") })
			after, err := tx.Fact(ctx, "a")
			if before != "new" || after != before {
				t.Errorf("within one View the fact was %q, then %q", before, after)
			}
			return err
		})
		var kept *Tx
		update(t, s, func(_ context.Context, tx *Tx) error { kept = tx; return nil })
		if err := kept.SetFact(ctx, "a", "late"); err == nil {
			t.Error("a transaction that has ended has written")
		}
		if _, err := kept.Fact(ctx, "a"); err == nil {
			t.Error("a transaction that has ended has read")
		}
	})
}

func TestWorksInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, filepath.Join(t.TempDir(), "tocsin.db"))
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 3 {
			time.Sleep(time.Hour) // passes at once: it is the bubble's time
			if err := s.Update(ctx, func(tx *Tx) error { return tx.SetFact(ctx, "at", time.Now().String()) }); err != nil {
				t.Fatal(err)
			}
		}
		if got := fact(t, s, "at"); got != time.Now().String() {
			t.Errorf("the fact is %s at %s", got, time.Now())
		}
	})
}
