package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Restored is what a Restore has done.
type Restored struct {
	// Aside is where the database that was there before is now; empty if there was none.
	Aside string
}

// CanRestore says why a Restore of from to path would be refused; nil if it would not. In the meantime it holds the database, so that no
// service can be running on it.
func CanRestore(ctx context.Context, path, from string) (Contents, error) {
	path, err := followed(path)
	if err != nil {
		return Contents{}, err
	}
	lock, err := takeLock(path)
	if err != nil {
		return Contents{}, err
	}
	defer lock.Close()
	return restorable(ctx, path, from)
}

// restorable is what is in from, if it can be restored to path.
func restorable(ctx context.Context, path, from string) (Contents, error) {
	if sameFile(path, from) {
		return Contents{}, fmt.Errorf("%s is the database itself", from)
	}
	c, err := Look(ctx, from)
	if err != nil {
		return c, err
	}
	known, err := newest()
	if err != nil || c.Schema <= known {
		return c, err
	}
	db, err := openFile(from)
	if err != nil {
		return c, err
	}
	defer db.Close()
	return c, suits(ctx, db, c.Schema, known, false)
}

// Restore puts a copy of the backup from in the place of the database at path, which is kept beside it. It refuses while a service
// runs on it, and a backup that is damaged, of something else or of a later version; then nothing is changed.
//
// A service that goes on with it reads its sources again from where the backup was. What it had told since then it does not know: so
// the copy counts as born now (see Born), what waits to be sent is looked for first, and numbers that were given since are not given
// again.
func Restore(ctx context.Context, path, from string, now time.Time) (Restored, error) {
	path, err := followed(path)
	if err != nil {
		return Restored{}, err
	}
	lock, err := takeLock(path)
	if err != nil {
		return Restored{}, err
	}
	defer lock.Close()
	if _, err := restorable(ctx, path, from); err != nil {
		return Restored{}, err
	}
	part := path + ".restoring"
	defer func() { _ = os.Remove(part) }() // it has its name by then, or is of no use
	if err := copyBack(ctx, from, part, now); err != nil {
		return Restored{}, fmt.Errorf("restore %s: %w", from, err)
	}
	aside, err := putAside(ctx, path, now)
	if err != nil {
		return Restored{}, fmt.Errorf("keep %s beside: %w", path, err)
	}
	if err := os.Rename(part, path); err != nil {
		return Restored{Aside: aside}, fmt.Errorf("restore %s: %w", from, err)
	}
	return Restored{Aside: aside}, syncFile(filepath.Dir(path))
}

// skipped is how many numbers of events and notifications a restored database leaves out: by them providers are asked for what was said.
const skipped = 1_000_000

// copyBack makes a copy of a backup that can take the place of the database.
func copyBack(ctx context.Context, from, part string, now time.Time) error {
	source, err := openFile(from)
	if err != nil {
		return err
	}
	defer source.Close()
	if _, err := copyInto(ctx, source, part, true); err != nil {
		return err
	}
	db, err := openFile(part)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, q := range []struct {
		text string
		args []any
	}{
		{"UPDATE store SET born_at = $1", []any{now.UnixNano()}},
		{"UPDATE notifications SET unclear = TRUE, attempts = max(attempts, 1) WHERE state = 'pending'", nil},
		{"UPDATE sqlite_sequence SET seq = seq + $1 WHERE name IN ('events', 'notifications')", []any{skipped}},
	} {
		if _, err := db.ExecContext(ctx, q.text, q.args...); err != nil {
			return err
		}
	}
	if err := db.Close(); err != nil {
		return err
	}
	return syncFile(part)
}

// putAside gives the database another name, with what belongs to it.
func putAside(ctx context.Context, path string, now time.Time) (string, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", removeShared(path)
	}
	if db, err := openFile(path); err == nil { // what is in its log goes into the file, unless it is damaged: then the log goes along
		_, _ = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
		db.Close()
	}
	aside := path + ".replaced-" + now.UTC().Format("20060102T150405Z")
	if _, err := os.Lstat(aside); err == nil {
		return "", fmt.Errorf("%s is there already", aside)
	}
	for _, end := range []string{"", "-wal"} {
		if err := os.Rename(path+end, aside+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, removeShared(path)
}

// removeShared removes what belongs to a database that is no longer there: by it another would be taken for damaged.
func removeShared(path string) error {
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
