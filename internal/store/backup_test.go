package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"tocsin/internal/incident"
)

// written is a database with an open incident and something to be told, that a Store has open.
func written(t *testing.T, path string, n int) *Store {
	t.Helper()
	s := openedAt(t, path)
	update(t, s, func(ctx context.Context, tx *Tx) error { return fill(ctx, tx, n) })
	return s
}

func fill(ctx context.Context, tx *Tx, n int) error {
	id := fmt.Sprintf("INCIDENT-%d", n)
	if err := tx.SaveIncident(ctx, &incident.Incident{ID: id, State: incident.Open}); err != nil {
		return err
	}
	if err := tx.AppendEvent(ctx, &incident.Event{Incident: id, At: day.Add(time.Duration(n) * time.Minute), Kind: incident.EventOpened}); err != nil {
		return err
	}
	_, err := tx.AddNotification(ctx, &incident.Notification{Incident: id, Kind: incident.Call, Target: "oncall", Round: 1, Key: id, CreatedAt: day})
	return err
}

func TestBackupWhileItIsWritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a b?#%.db")
	s := written(t, path, 1)
	to := filepath.Join(dir, "back'up.db")
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { // somebody writes all the time: an incident never comes without what belongs to it
		for n := 2; ; n++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := s.Update(context.Background(), func(tx *Tx) error { return fill(context.Background(), tx, n) }); err != nil {
				done <- err
				return
			}
		}
	}()
	for range 5 {
		c, err := Backup(t.Context(), path, to, true)
		if err != nil {
			t.Fatal(err)
		}
		if c.Path != to || c.Waiting < 1 || c.Waiting != c.Incidents[incident.Open] || !c.Newest.Equal(day.Add(time.Duration(c.Waiting)*time.Minute)) {
			t.Errorf("it holds %+v: not one moment", c)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
	info, err := os.Stat(to)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v: others can read it", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("%v was left", left)
	}
	copied := open(t, to)
	defer copied.Close()
	if copied.Epoch() != 2 {
		t.Errorf("the copy's epoch is %d, want the one after the original's", copied.Epoch())
	}
}

func TestBackupRefuses(t *testing.T) {
	dir := t.TempDir()
	path, to := filepath.Join(dir, "tocsin.db"), filepath.Join(dir, "backup.db")
	written(t, path, 1)
	if err := os.WriteFile(to, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(dir, "damaged.db")
	damage(t, damaged)
	for _, c := range []struct{ name, path, to, want string }{
		{"what is there", path, to, "--force"},
		{"no database", filepath.Join(dir, "none.db"), filepath.Join(dir, "new.db"), "there is no database"},
		{"itself", path, path, "is the database itself"},
		{"its log", path, path + "-wal", "is the database itself"},
		{"a damaged database", damaged, filepath.Join(dir, "new.db"), "is damaged"},
		{"no directory", path, filepath.Join(dir, "none", "new.db"), "no such file or directory"},
	} {
		if _, err := Backup(t.Context(), c.path, c.to, c.name == "itself"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not say %q", c.name, err, c.want)
		}
	}
	if text, _ := os.ReadFile(to); string(text) != "mine" {
		t.Error("what was there was replaced")
	}
}

func TestRestore(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, path string)
		aside bool
	}{
		{"over a database", func(*testing.T, string) {}, true},
		{"where none is", func(t *testing.T, path string) { os.Remove(path) }, false},
		{"over a link to one", func(t *testing.T, path string) {
			if err := errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path)); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"over a damaged one", func(t *testing.T, path string) { os.WriteFile(path, []byte(strings.Repeat("x", 9000)), 0o600) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path, backup := filepath.Join(dir, "tocsin.db"), filepath.Join(dir, "backup.db")
			s := open(t, path)
			update(t, s, func(ctx context.Context, tx *Tx) error { return fill(ctx, tx, 1) })
			if _, err := Backup(t.Context(), path, backup, false); err != nil {
				t.Fatal(err)
			}
			update(t, s, func(ctx context.Context, tx *Tx) error { return fill(ctx, tx, 2) })
			if _, err := Restore(t.Context(), path, backup, day); err == nil || !strings.Contains(err.Error(), "another tocsin holds") {
				t.Fatalf("restored under a running service: %v", err)
			}
			s.Close()
			c.spoil(t, path)
			later := day.Add(time.Hour)
			done, err := Restore(t.Context(), path, backup, later)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(done.Aside); (err == nil) != c.aside {
				t.Errorf("what was there is at %q: %v", done.Aside, err)
			}
			s = openedAt(t, path)
			if !s.Born().Equal(later) {
				t.Errorf("it was born at %v, want when it was restored", s.Born())
			}
			view(t, s, func(ctx context.Context, tx *Tx) error {
				all, err := tx.Notifications(ctx, "INCIDENT-1")
				if len(all) != 1 || !all[0].Unclear || all[0].Attempts != 1 {
					t.Errorf("what waits is not looked for first: %+v", all)
				}
				if _, err := tx.Incident(ctx, "INCIDENT-2"); err == nil {
					t.Error("what came after the backup is there")
				}
				return err
			})
			update(t, s, func(ctx context.Context, tx *Tx) error {
				e := incident.Event{Incident: "INCIDENT-1"}
				err := tx.AppendEvent(ctx, &e)
				if e.ID < skipped {
					t.Errorf("the number %d is given again", e.ID)
				}
				return err
			})
		})
	}
}

func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tocsin.db")
	open(t, path).Close()
	before, _ := os.ReadFile(path)
	later, damaged, other := filepath.Join(dir, "later.db"), filepath.Join(dir, "damaged.db"), filepath.Join(dir, "other.db")
	s := open(t, later)
	writtenByLater(t, s, 99999)
	s.Close()
	damage(t, damaged)
	os.WriteFile(other, nil, 0o600)
	for from, want := range map[string]string{later: "written by a later tocsin", damaged: "is damaged", other: "no database of tocsin", path: "the database itself",
		filepath.Join(dir, "none"): "there is no database"} {
		for name, do := range map[string]func() error{
			"restore": func() error { _, err := Restore(t.Context(), path, from, day); return err },
			"look":    func() error { _, err := CanRestore(t.Context(), path, from); return err },
		} {
			if err := do(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %s: error %v does not say %q", name, from, err, want)
			}
		}
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the database was changed")
	}
}

// writtenByLater makes a database one whose schema a later version has changed so that this one cannot run on it.
func writtenByLater(t *testing.T, s *Store, version int) {
	update(t, s, func(ctx context.Context, tx *Tx) error {
		if _, err := tx.exec(ctx, fmt.Sprintf("INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, TRUE)", version)); err != nil {
			return err
		}
		return tx.SetFact(ctx, compatibleFrom, fmt.Sprint(version))
	})
}

// next is our migrations with another.
func next(t *testing.T, name, text string) fstest.MapFS {
	t.Helper()
	all := fstest.MapFS{}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		data, err := fs.ReadFile(migrations, n)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(n)] = &fstest.MapFile{Data: data}
	}
	all[name] = &fstest.MapFile{Data: []byte(text)}
	return all
}

// TestTheVersionBefore: a tocsin runs on a database that a later one has added to, and refuses one that a later one has changed.
func TestTheVersionBefore(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"additions", "-- +goose Up\nALTER TABLE incidents ADD COLUMN mood TEXT NOT NULL DEFAULT '';\nCREATE TABLE moods (name TEXT PRIMARY KEY);\n" +
			"-- +goose Down\nDROP TABLE moods;\nALTER TABLE incidents DROP COLUMN mood;\n", ""},
		{"a change", "-- +goose Up\nALTER TABLE incidents RENAME COLUMN title TO headline;\nUPDATE facts SET value = '90000' WHERE name = 'schema.compatible_from';\n" +
			"-- +goose Down\nALTER TABLE incidents RENAME COLUMN headline TO title;\n", "restore a backup from before"},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, place string) {
				ctx := t.Context()
				s := open(t, place)
				update(t, s, func(ctx context.Context, tx *Tx) error { return fill(ctx, tx, 1) })
				s.Close()
				s, err := Open(ctx, place, Options{files: next(t, "90000_next.sql", c.text)})
				if err != nil {
					t.Fatal(err)
				}
				if c.want == "" { // the later one writes with it
					update(t, s, func(ctx context.Context, tx *Tx) error {
						_, err := tx.exec(ctx, "UPDATE incidents SET mood = 'grim'")
						return err
					})
				}
				s.Close()
				s, err = Open(ctx, place, Options{})
				if c.want != "" {
					if err == nil || !strings.Contains(err.Error(), c.want) {
						t.Errorf("error %v does not say %q", err, c.want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				update(t, s, func(ctx context.Context, tx *Tx) error {
					inc, err := tx.Incident(ctx, "INCIDENT-1")
					if err != nil {
						return err
					}
					inc.Title = "written by the one before"
					if err := tx.SaveIncident(ctx, &inc); err != nil {
						return err
					}
					return fill(ctx, tx, 2)
				})
				view(t, s, func(ctx context.Context, tx *Tx) error {
					mood, _, err := first(ctx, tx, func(r row, v *string) error { return r.Scan(v) }, "SELECT mood FROM incidents WHERE id = 'INCIDENT-1'")
					if mood != "grim" {
						t.Errorf("what the later one wrote is now %q", mood)
					}
					return err
				})
			})
		})
	}
}

// TestCopyBeforeAMigration: before the schema of a file is changed it is copied, and of the copies the newest three stay. What has to be
// done is done by a start that follows one that failed.
func TestCopyBeforeAMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	ctx := t.Context()
	s := open(t, path)
	update(t, s, func(ctx context.Context, tx *Tx) error { return fill(ctx, tx, 1) })
	s.Close()
	if _, err := Open(ctx, path, Options{files: next(t, "90000_next.sql", "-- +goose Up\nALTER TABLE nobody ADD COLUMN a TEXT;\n-- +goose Down\n")}); err == nil {
		t.Fatal("a migration that fails went through")
	}
	files := next(t, "90000_next.sql", "-- +goose Up\nCREATE TABLE t0 (a TEXT);\n-- +goose Down\nDROP TABLE t0;\n")
	for i := range 5 {
		version := int64(90000 + i)
		files[fmt.Sprintf("%d_next.sql", version)] = &fstest.MapFile{Data: fmt.Appendf(nil, "-- +goose Up\nCREATE TABLE t%d (a TEXT);\n-- +goose Down\nDROP TABLE t%[1]d;\n", i)}
		s, err := Open(ctx, path, Options{files: files})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	var got []string
	for _, f := range []int64{8, 90000, 90001, 90002, 90003} {
		c, err := Look(ctx, beforeName(path, f))
		if err != nil {
			continue
		}
		got = append(got, filepath.Base(c.Path))
		if c.Schema != f || c.Incidents[incident.Open] != 1 {
			t.Errorf("the copy of schema %d holds %+v", f, c)
		}
	}
	if want := "[tocsin.db.schema-90001.backup tocsin.db.schema-90002.backup tocsin.db.schema-90003.backup]"; fmt.Sprint(got) != want {
		t.Errorf("the copies are %v, want %v", got, want)
	}
}

// TestMigrationsOnlyAdd: a tocsin must run on what the next one has made of its database: from the version on that knows of it, a
// migration adds, with defaults, or says that it does not.
func TestMigrationsOnlyAdd(t *testing.T) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		if why := takesAway(string(data)); why != "" {
			t.Errorf("%s %s: add instead, or say from which version on the database can be used (schema.compatible_from)", name, why)
		}
	}
	for _, text := range []string{"ALTER TABLE a DROP COLUMN b;", "DROP TABLE a;", "ALTER TABLE a RENAME TO b;", "ALTER TABLE a ADD COLUMN b TEXT NOT NULL;"} {
		if takesAway("-- +goose Up\n"+text+"\n-- +goose Down\n") == "" {
			t.Errorf("%s is not seen", text)
		}
	}
}

func takesAway(text string) string {
	up, _, _ := strings.Cut(text, "-- +goose Down")
	if strings.Contains(up, "WHERE name = '"+compatibleFrom+"';\n") {
		return ""
	}
	for statement := range strings.SplitSeq(up, ";") {
		words := strings.ToUpper(statement)
		for _, taken := range []string{"DROP TABLE", "DROP COLUMN", "RENAME "} {
			if strings.Contains(words, taken) {
				return "takes something away: " + strings.TrimSpace(statement)
			}
		}
		if strings.Contains(words, "ADD COLUMN") && strings.Contains(words, "NOT NULL") && !strings.Contains(words, "DEFAULT") {
			return "adds a column that the tocsin before does not fill: " + strings.TrimSpace(statement)
		}
	}
	return ""
}
