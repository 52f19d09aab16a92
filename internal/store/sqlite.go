package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

// memory is the path of a database that lives with the process.
const memory = ":memory:"

// applicationID marks a SQLite file as ours, "tocs" in ASCII; the first migration writes it.
const applicationID = 0x746f6373

// sqliteDialect is SQLite by modernc.org/sqlite, which needs no cgo.
var sqliteDialect = dialect{
	migrations: goose.DialectSQLite3,
	fill:       fillSQLite,
	beginWrite: "BEGIN IMMEDIATE",
	beginRead:  "BEGIN",
	now:        "0", // nobody asks: there is one process
	control: func(ctx context.Context, c *conn, text string) error {
		_, err := c.exec(ctx, text)
		return err
	},
	open: func(p place, readOnly bool) (*sql.DB, error) {
		source := sqliteSource(p.path, readOnly)
		if p.empty && !readOnly { // it can give room back (see Prune): that is said first of all, or never
			source = strings.Replace(source, "?", "?_pragma=auto_vacuum(2)&", 1)
		}
		return sql.Open("sqlite", source)
	},
	examine: func(ctx context.Context, p place) error { return examineSQLite(ctx, p.path) },
	damaged: func(err error) bool {
		const corrupt, notADatabase = 11, 26
		code := sqliteCode(err)
		return code == corrupt || code == notADatabase
	},
	// SQLite rolls back by itself on a full disk, an input/output error, an interrupt.
	over:  func(err error) bool { return strings.Contains(err.Error(), "no transaction is active") },
	again: func(error) bool { return false },
	lost:  func(error) bool { return false },
}

// sqliteSource is the file with the pragmas that a crash of the machine needs: a write-ahead log that is synced at each
// commit.
func sqliteSource(path string, readOnly bool) string {
	if path == memory {
		return "file::memory:?_pragma=foreign_keys(1)"
	}
	v := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}}
	if readOnly {
		v.Add("_pragma", "query_only(1)")
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
}

// examineSQLite looks at the whole file, without the pragmas that would already change it.
func examineSQLite(ctx context.Context, path string) error {
	if path == memory {
		return nil
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=query_only(1)")
	if err != nil {
		return err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return errDamaged{verdict}
	}
	var id, tables int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name <> 'goose_db_version' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'").Scan(&tables); err != nil {
		return err
	}
	if tables > 0 && id != applicationID {
		return errors.New("it is a SQLite database of something else: give another --store")
	}
	return nil
}

// sqliteWhole is SQLite's whole result code of an error, 0 if it is none of SQLite's; sqliteCode its primary one.
func sqliteWhole(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code()
}

func sqliteCode(err error) int { return sqliteWhole(err) & 0xff }

// errDamaged is what the database says of itself when it is not whole.
type errDamaged struct{ verdict string }

func (e errDamaged) Error() string { return strings.Join(strings.Fields(e.verdict), " ") }
