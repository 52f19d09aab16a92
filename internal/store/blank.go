package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

// blankSource is the blank database: in memory, for whoever of this process opens it.
const blankSource = "file:/tocsin-blank?vfs=memdb"

// blank makes the blank database, once in a process: the migrations on nothing, of which every new database is a copy. To run them for
// each, with a transaction and its syncs for every one of them, takes twenty times as long. What it gives is a connection that nobody
// uses: the data would be gone with the last.
var blank = sync.OnceValues(func() (driver.Conn, error) {
	kept, err := new(sqlite.Driver).Open(blankSource)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", blankSource+"&_pragma=auto_vacuum(2)")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	p, err := provider(goose.DialectSQLite3, nil, db, nil)
	if err == nil {
		_, err = p.Up(context.Background())
	}
	return kept, err
})

// fillSQLite makes a database that holds nothing a copy of the blank one, in one transaction.
func fillSQLite(ctx context.Context, db *sql.DB) error {
	if _, err := blank(); err != nil {
		return fmt.Errorf("make an empty database: %w", err)
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Raw(func(raw any) error {
		into, ok := raw.(interface {
			NewRestore(source string) (*sqlite.Backup, error)
		})
		if !ok {
			return fmt.Errorf("%T copies no database", raw)
		}
		b, err := into.NewRestore(blankSource)
		if err != nil {
			return err
		}
		_, err = b.Step(-1)
		if ended := b.Finish(); err == nil {
			err = ended
		}
		return err
	})
}
