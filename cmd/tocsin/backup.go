package main

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/app"
)

// place is where a command finds the data.
type place struct {
	Config string `placeholder:"FILE" help:"The configuration, which says where the database is."`
	Store  string `placeholder:"FILE" help:"The database file; the configuration's if not given."`
}

type backupCommand struct {
	place
	Force bool   `help:"Replace TO if it is there."`
	To    string `arg:"" help:"The file to write, or a directory: then it is named by the time."`
}

// Help is shown under --help.
func (*backupCommand) Help() string {
	return `The service goes on meanwhile. The backup is the database as of one moment, read back and found sound, on the disk, for its owner only. It
holds lines of logs, and no token. Restore it with tocsin restore. Of PostgreSQL take backups with pg_dump.

Examples:
  tocsin backup --config tocsin.yaml /var/backups/tocsin
  tocsin backup --config tocsin.yaml --force /mnt/backup/tocsin.db`
}

// Run makes a backup.
func (c *backupCommand) Run(ctx context.Context, s *streams) error {
	from, err := app.Database(c.Config, c.Store)
	if err != nil {
		return err
	}
	return app.Backup(ctx, s.out, from, c.To, c.Force, time.Now())
}

type restoreCommand struct {
	place
	Yes  bool   `help:"Do it. Without this it is only said what would be."`
	From string `arg:"" help:"The backup."`
}

// Help is shown under --help.
func (*restoreCommand) Help() string {
	return `Stop the service first: while it runs this is refused, as are a damaged backup and one of a later tocsin. What is there now is kept beside,
as FILE.replaced-TIME. The service then reads its sources again from where the backup was; pages and messages that went out since then are
found again at PagerDuty and Slack and taken on. What people did since then is lost, but for what PagerDuty knows.

Examples:
  tocsin restore --config tocsin.yaml /var/backups/tocsin/tocsin-20261122T120000Z.db
  tocsin restore --config tocsin.yaml --yes /var/backups/tocsin/tocsin-20261122T120000Z.db`
}

// Run restores.
func (c *restoreCommand) Run(ctx context.Context, s *streams) error {
	to, err := app.Database(c.Config, c.Store)
	if err != nil {
		return err
	}
	if err := app.Restore(ctx, s.out, to, c.From, c.Yes, time.Now()); err != nil {
		return err
	}
	if !c.Yes {
		fmt.Fprintln(s.err, "nothing was changed: add --yes to restore it")
	}
	return nil
}
