package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// Database is where the data is: the place that stands in for the configuration's, if it is given, else the configuration's. Of that no
// more is looked at: a mistake elsewhere in it must not keep anybody from a backup.
func Database(path, instead string) (string, error) {
	if instead != "" {
		return instead, nil
	}
	if path == "" {
		return "", errors.New("give the configuration as --config, or the database as --store")
	}
	file, errs := config.Load(path)
	if file.Root.IsZero() {
		return "", errs.Err()
	}
	l := &loading{file: file, plan: &Plan{File: file}}
	l.database()
	return l.plan.database.path, l.errs.Err()
}

// Backup writes what is in the database at place to the file to, or into the directory to under a name with the time, and says what it
// is. force replaces a file.
func Backup(ctx context.Context, out io.Writer, place, to string, force bool, now time.Time) error {
	if store.IsURL(place) {
		return errors.New("the data is in PostgreSQL, which has its own: pg_dump --format=custom --file=tocsin.dump DATABASE (with the host, the user and " +
			"the database of the configuration's store; the password as PGPASSFILE says)")
	}
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		to = filepath.Join(to, "tocsin-"+now.UTC().Format("20060102T150405Z")+".db")
	}
	c, err := store.Backup(ctx, place, to, force)
	if err != nil {
		return err
	}
	return printContents(out, "backup", c)
}

// Restore says what is in the backup from and in the database at place; with yes it puts the one in the place of the other.
func Restore(ctx context.Context, out io.Writer, place, from string, yes bool, now time.Time) error {
	if store.IsURL(place) {
		return errors.New("the data is in PostgreSQL, which has its own: stop every tocsin, then pg_restore --clean --if-exists --single-transaction " +
			"--dbname=DATABASE tocsin.dump; docs/operations.md says what to tell tocsin then")
	}
	c, err := store.CanRestore(ctx, place, from)
	if err != nil {
		return err
	}
	if err := printContents(out, "backup", c); err != nil {
		return err
	}
	if _, err := os.Stat(place); err == nil {
		have, err := store.Look(ctx, place)
		if err != nil {
			fmt.Fprintf(out, "\nreplaces   %s\n           it cannot be read: %v\n", place, err)
		} else if err := printContents(out, "\nreplaces", have); err != nil {
			return err
		}
	}
	if !yes {
		return nil
	}
	done, err := store.Restore(ctx, place, from, now)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nrestored   %s\n", place)
	if done.Aside != "" {
		fmt.Fprintf(out, "before     %s: delete it when all is well\n", done.Aside)
	}
	return nil
}

// printContents writes what a database holds.
func printContents(out io.Writer, what string, c store.Contents) error {
	newest := "nothing was ever written"
	if !c.Newest.IsZero() {
		newest = c.Newest.UTC().Format(time.RFC3339)
	}
	w := tabwriter.NewWriter(out, 11, 0, 1, ' ', 0)
	fmt.Fprintf(w, "%s\t%s\n", what, c.Path)
	fmt.Fprintf(w, "size\t%s, schema %d\n", sizeOf(c.Bytes), c.Schema)
	fmt.Fprintf(w, "up to\t%s\n", newest)
	fmt.Fprintf(w, "incidents\t%d open, %d acknowledged, %d resolved\n", c.Incidents[incident.Open], c.Incidents[incident.Acknowledged],
		c.Incidents[incident.Resolved]+c.Incidents[incident.Merged])
	fmt.Fprintf(w, "to be told\t%s\n", plural(c.Waiting, "notification"))
	return w.Flush()
}

// sizeOf is a size for people.
func sizeOf(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
