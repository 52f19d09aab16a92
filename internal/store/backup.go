package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"tocsin/internal/incident"
)

// Contents is what a database in a file holds.
type Contents struct {
	Path string
	// Bytes is the file's size, with its log's.
	Bytes int64
	// Schema is the version of its schema.
	Schema int64
	// Incidents counts them by state, Waiting the notifications that were not sent yet.
	Incidents map[incident.State]int
	Waiting   int
	// Newest is when something was written of a source or of an incident last; zero if nothing was.
	Newest time.Time
}

// Backup writes all that the SQLite database at path holds to the file to, as of one moment, also while a service runs on it, which
// goes on as before: a whole database, read back and found sound, on the disk, for its owner only. What is at to is replaced only if
// replace is set, and only by a copy that is complete.
func Backup(ctx context.Context, path, to string, replace bool) (Contents, error) {
	c, err := backup(ctx, path, to, replace)
	if err != nil {
		return c, fmt.Errorf("back up %s: %w", path, err)
	}
	return c, nil
}

func backup(ctx context.Context, path, to string, replace bool) (Contents, error) {
	if _, err := Look(ctx, path); err != nil {
		return Contents{}, err
	}
	real, err := followed(path)
	if err != nil {
		return Contents{}, err
	}
	for _, own := range []string{real, real + "-wal", real + "-shm", real + ".lock", real + ".reserve"} {
		if sameFile(own, to) {
			return Contents{}, fmt.Errorf("%s is the database itself: give another name for the backup", to)
		}
	}
	db, err := openFile(path)
	if err != nil {
		return Contents{}, err
	}
	defer db.Close()
	return copyInto(ctx, db, to, replace)
}

func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// openFile opens a database file that is there as any reader beside the service does.
func openFile(path string) (*sql.DB, error) {
	v := url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+v.Encode())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// copyInto writes what db holds to a file, whole or not at all.
func copyInto(ctx context.Context, db *sql.DB, to string, replace bool) (_ Contents, err error) {
	if _, err := os.Lstat(to); err == nil && !replace {
		return Contents{}, fmt.Errorf("%s is there already: give another name, or --force to replace it", to)
	}
	f, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*") // for its owner only
	if err != nil {
		return Contents{}, err
	}
	part := f.Name()
	defer func() {
		if err != nil {
			_ = os.Remove(part) // gone already, once it has its name
		}
	}()
	if err := f.Close(); err != nil {
		return Contents{}, err
	}
	if err := vacuumInto(ctx, db, part); err != nil {
		return Contents{}, fmt.Errorf("copy the database: %w", err)
	}
	c, err := Look(ctx, part)
	if err != nil {
		return c, fmt.Errorf("read the copy back: %w", err)
	}
	if err := syncFile(part); err != nil {
		return c, err
	}
	if err := named(part, to, replace); err != nil {
		return c, err
	}
	c.Path = to
	return c, syncFile(filepath.Dir(to))
}

// vacuumInto copies a database. The copy can give room back, even if the original cannot (see Prune).
func vacuumInto(ctx context.Context, db *sql.DB, to string) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var gives int
	if err := c.QueryRowContext(ctx, "PRAGMA auto_vacuum").Scan(&gives); err != nil {
		return err
	}
	if gives == 0 { // else it would be written to the original
		if _, err := c.ExecContext(ctx, "PRAGMA auto_vacuum = 2"); err != nil {
			return err
		}
	}
	_, err = c.ExecContext(ctx, "VACUUM INTO $1", to)
	return err
}

// named gives a file its name; what has it already is replaced only if replace is set.
func named(from, to string, replace bool) error {
	if replace {
		return os.Rename(from, to)
	}
	if err := os.Link(from, to); err != nil { // unlike a rename it refuses what came meanwhile
		return err
	}
	return os.Remove(from)
}

// syncFile puts a file, or the names in a directory, on the disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Look says what a database in a file holds, and that it is whole. It refuses one that is damaged and one of something else.
func Look(ctx context.Context, path string) (Contents, error) {
	c := Contents{Path: path, Incidents: map[incident.State]int{}}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, fmt.Errorf("there is no database %s", path)
	case err != nil:
		return c, err
	case !info.Mode().IsRegular():
		return c, fmt.Errorf("%s is no file", path)
	}
	c.Bytes = fileSize(path)
	if err := examineSQLite(ctx, path); err != nil {
		return c, mendFile(path, err)
	}
	if err := c.read(ctx); err != nil {
		return c, fmt.Errorf("read %s: %w", path, err)
	}
	return c, nil
}

// fileSize is the size of a database's file with its log.
func fileSize(path string) (n int64) {
	for _, end := range []string{"", "-wal"} {
		if info, err := os.Stat(path + end); err == nil {
			n += info.Size()
		}
	}
	return n
}

func (c *Contents) read(ctx context.Context) error {
	db, err := openFile(c.Path)
	if err != nil {
		return err
	}
	defer db.Close()
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name IN ('store', 'goose_db_version')").Scan(&tables); err != nil {
		return err
	}
	if tables < 2 {
		return errors.New("it is no database of tocsin: nothing is in it")
	}
	var newest time.Time
	err = db.QueryRowContext(ctx, `SELECT (SELECT max(version_id) FROM goose_db_version WHERE is_applied),
		(SELECT count(*) FROM notifications WHERE state IN ('pending', 'inflight')),
		(SELECT max(at) FROM (SELECT max(at) AS at FROM events UNION ALL SELECT max(received_at) FROM sources))`).Scan(&c.Schema, &c.Waiting, stampInto{&newest})
	if err != nil {
		return err
	}
	c.Newest = newest
	rows, err := db.QueryContext(ctx, "SELECT state, count(*) FROM incidents GROUP BY state")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var state incident.State
		var n int
		if err := rows.Scan((*string)(&state), &n); err != nil {
			return err
		}
		c.Incidents[state] = n
	}
	return rows.Err()
}

// mendFile says what to do about a file that is damaged.
func mendFile(path string, err error) error {
	var damaged errDamaged
	if errors.As(err, &damaged) || sqliteDialect.damaged(err) {
		return fmt.Errorf("%s is damaged or no database (%w): nothing was changed; a backup from before it is needed", path, err)
	}
	return err
}
