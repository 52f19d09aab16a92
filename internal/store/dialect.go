package store

import (
	"context"
	"database/sql"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// dialect is all that differs between the databases; every other statement is the same text for all of them.
type dialect struct {
	// migrations is goose's name of it, schema what it makes of our migrations: nil leaves them as they are.
	migrations goose.Dialect
	schema     func(sql string) string
	// fill gives a database that holds nothing the schema at once; nil where only the migrations make it.
	fill func(ctx context.Context, db *sql.DB) error
	// beginWrite and beginRead begin a transaction: one that will write, alone among all processes that do, and one that sees a
	// snapshot.
	beginWrite, beginRead string
	// several says that other processes may have the database open, so that each has a life and its leases.
	several bool
	// now is the database's clock in nanoseconds since 1970, what $now stands for in a statement.
	now string
	// control runs a statement that begins or ends a transaction.
	control func(ctx context.Context, c *conn, text string) error
	// sound says why the transaction on a connection must not be committed, although nothing in it has said so.
	sound func(c *conn) error
	// drop ends a connection for good: else it would go back to its pool, whatever is open on it, and what it holds would be given back
	// with a word to a server that may not answer.
	drop func(c *conn)
	// open makes a pool of connections to a place.
	open func(p place, readOnly bool) (*sql.DB, error)
	// examine refuses a database that is damaged or that is not ours, before anything is written to it.
	examine func(ctx context.Context, p place) error
	// alone is a pool of connections on which one process at a time brings the schema to its version, until done is called; nil where
	// the pool that writes will do.
	alone func(ctx context.Context, p place) (db *sql.DB, done func(), err error)
	// damaged says that an error means that the data cannot be read; over that the transaction has already been ended; again that it
	// may be tried again, lost that the connection is gone, refused that the
	// database has answered a commit, with no.
	damaged, over, again, lost, refused func(error) bool
	// value is what is written for an argument, dest what is read into a destination; nil where both are taken as they are.
	value func(v any) any
	dest  func(v any) any
	// longest is how long a transaction may take, 0 for any time: a database at the other end of a network may be silent for ever.
	longest time.Duration
}

// text is a statement as the database reads it.
func (d *dialect) text(text string) string { return strings.ReplaceAll(text, "$now", d.now) }

// place is where a database is, and how to get in.
type place struct {
	// path is a file's, or memory, or a URL.
	path string
	Options
	// patient says that what is asked of it may take any time.
	patient bool
	// empty says of a file, and of what is in memory, that nothing is in it yet.
	empty bool
}

// dialectOf is the dialect that speaks to a place.
func dialectOf(path string) *dialect {
	if strings.HasPrefix(path, "postgres://") || strings.HasPrefix(path, "postgresql://") {
		return &postgresDialect
	}
	return &sqliteDialect
}

// schemaFiles are our migrations as a dialect reads them.
type schemaFiles struct {
	fs.FS
	schema func(sql string) string
}

// Open opens a migration.
func (f schemaFiles) Open(name string) (fs.File, error) {
	in, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := in.Stat()
	if err != nil || info.IsDir() {
		return in, err
	}
	text, err := io.ReadAll(in)
	_ = in.Close() // nothing was written
	return &schemaFile{Reader: strings.NewReader(f.schema(string(text))), info: info}, err
}

// schemaFile is one migration in a dialect's words.
type schemaFile struct {
	*strings.Reader
	info fs.FileInfo
}

// Stat is that of the file before it was translated.
func (f *schemaFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close has nothing to give back.
func (f *schemaFile) Close() error { return nil }
