// Package store keeps what must outlive the process: sources' cursors, detectors' states, incidents with their alerts and
// timelines, and the outbox. It is the one room that knows SQL. What belongs together is written in one transaction (Update);
// once that has returned nil, neither the end of the process nor of the machine takes it back.
//
// Times are kept to the nanosecond between the years 1678 and 2262, what is beyond is kept as that end, and come back in
// UTC. Empty slices come back as nil, labels and annotations never do.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ErrNotFound is wrapped by the reads of a single row that is not there.
var ErrNotFound = errors.New("not found")

// ErrAmbiguous is wrapped by FindIncident when a prefix fits several incidents.
var ErrAmbiguous = errors.New("fits several incidents")

// readers is how many snapshots can be looked at at once by the steps, and how many by the pages.
const readers = 4

// Options are the settings of a store.
type Options struct {
	// Now is for the stamps of Born only; nil: time.Now.
	Now func() time.Time
	// PasswordFile holds the password of a PostgreSQL database. It is read at each connection. Without it, PGPASSFILE and the other
	// variables of PostgreSQL's own programs hold.
	PasswordFile string
	// Life is how long this process counts as alive after it was last heard of, where others may have the database open; 0:
	// DefaultLife.
	Life time.Duration
	// files are the migrations, for tests; nil: our own.
	files fs.FS
	// Reserve is how many bytes are kept beside a database in a file (see KeepReserve); 0: none.
	Reserve int64
	// Left, if set, is told after each commit what it has left for the steps to do, in the committing goroutine.
	Left func(Left)
	// Fault, if set, is asked at each "write" of a transaction, at its "commit" and once it is "committed": with an error that fails, as on
	// a disk that is full or broken; the last although it took place. Tests set it.
	Fault func(at string) error
}

// Left is what a transaction has left to be done.
type Left struct {
	// Targets are the receivers for which a notification was written that waits.
	Targets map[string]bool
	// Steps says that an incident or a silence was written that waits for something.
	Steps bool
}

// Store is an open database. Its methods may be called from any goroutine; a Tx only from the function it was given to.
type Store struct {
	*database
	// read holds the connections that read, as write those that write.
	read chan *conn
	// lease is what its Updates need, and epoch the life that took it; "" is none.
	lease string
	epoch int64
}

// database is what all that stands for one open database share.
type database struct {
	dialect *dialect
	place   place
	lock    *os.File
	writeDB *sql.DB
	readDB  *sql.DB // nil in memory, where every transaction takes the one connection
	lifeDB  *sql.DB // for this process's life, which must not wait for anything else; nil where there is only one
	// write holds the connection that writes while nobody does; a nil one is opened when it is needed. So it is with those that read: the
	// pages have their own, so that the steps do not wait for them.
	write        chan *conn
	steps, pages chan *conn
	born         time.Time
	life         life
	// path and file are what was opened; path is empty where the data is in no file.
	path string
	file os.FileInfo
}

// Open opens the SQLite database in the file at path, and creates it if it is not there; ":memory:" is one that lives with the
// Store, and postgres://USER@HOST/DATABASE a PostgreSQL database, which several processes may have open. It refuses a file that
// another process has open, a database that is damaged, one that is of something else and one that a later version of tocsin has
// written: each with what to do. It never replaces a file.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Life == 0 {
		o.Life = DefaultLife
	}
	d := &database{dialect: dialectOf(path), place: place{path: path, Options: o}, write: make(chan *conn, 1),
		steps: make(chan *conn, readers), pages: make(chan *conn, readers)}
	s := &Store{database: d, read: d.steps}
	c, err := s.open(ctx)
	if err != nil {
		if c != nil {
			c.close()
		}
		_ = s.close() // what it was opened with is the error that matters
		return nil, fmt.Errorf("open store: %w", s.mend(err))
	}
	s.write <- c
	for range readers {
		d.steps <- nil
		d.pages <- nil
	}
	return s, nil
}

// ForPages is this Store with connections of its own to read with: who looks at pages must not hold up who is to be called.
func (s *Store) ForPages() *Store { return &Store{database: s.database, read: s.pages} }

// open does what can fail, and returns the connection that writes; Open closes what it has opened when it does.
func (s *Store) open(ctx context.Context) (_ *conn, err error) {
	s.place.empty = s.place.path == memory
	if s.inFile() {
		if err = s.claim(); err != nil {
			return nil, err
		}
	}
	if err := s.dialect.examine(ctx, s.place); err != nil {
		return nil, err
	}
	if s.writeDB, err = s.dialect.open(s.place, false); err != nil {
		return nil, err
	}
	s.writeDB.SetMaxOpenConns(1)
	s.writeDB.SetMaxIdleConns(1) // in memory the connection is the database: it must not be closed between two uses
	if s.place.path != memory {
		if s.readDB, err = s.dialect.open(s.place, true); err != nil {
			return nil, err
		}
		s.readDB.SetMaxOpenConns(2 * readers)
		s.readDB.SetMaxIdleConns(2 * readers)
	}
	if s.dialect.several {
		if s.lifeDB, err = s.dialect.open(s.place, false); err != nil {
			return nil, err
		}
		s.lifeDB.SetMaxOpenConns(2)
	}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	return s.begin(ctx, nil)
}

// inFile says whether the data is in a file of this machine.
func (s *Store) inFile() bool { return s.place.path != memory && !IsURL(s.place.path) }

// claim locks the file and makes sure that it is there, readable by this user only: it holds lines of logs.
func (s *Store) claim() error {
	path, err := followed(s.place.path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no directory %s: create it or give another --store", filepath.Dir(path))
	}
	if s.lock, err = takeLock(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	s.path, s.place.path = path, path
	if s.file, err = f.Stat(); err != nil {
		f.Close()
		return err
	}
	s.place.empty = s.file.Size() == 0
	return f.Close()
}

// Present says whether the file that was opened is still the one at its path: what is written to a file that was deleted or replaced
// is gone with the process.
func (s *Store) Present() error {
	if s.path == "" {
		return nil
	}
	now, err := os.Stat(s.path)
	if err == nil && os.SameFile(now, s.file) {
		return nil
	}
	if err == nil {
		err = errors.New("another file is there")
	}
	return fmt.Errorf("the database %s was deleted or replaced while tocsin runs (%w): restart tocsin, or what it writes is lost", s.path, err)
}

// mend adds to an error of opening the database where it is, and what to do about it where the database itself is damaged.
func (s *Store) mend(err error) error {
	at := s.place.path
	var damaged errDamaged
	switch {
	case IsURL(at):
		return fmt.Errorf("%s: %w", shown(at), err)
	case errors.As(err, &damaged) || s.dialect.damaged(err):
		return fmt.Errorf("%s is damaged or no database (%w): nothing was changed; restore it from a backup, or move it away "+
			"together with %s-wal and %[1]s-shm and start with an empty one", at, err, at)
	}
	return fmt.Errorf("%s: %w", at, err)
}

// Close waits for the transactions that run, ends this process's life and closes the database. After it no method may be called.
func (s *Store) Close() error {
	conns := []*conn{<-s.write}
	for range readers {
		conns = append(conns, <-s.steps, <-s.pages)
	}
	if s.lifeDB != nil {
		ctx, cancel := context.WithTimeout(context.Background(), s.place.Life/3)
		defer cancel()
		_, _ = s.lifeDB.ExecContext(ctx, s.dialect.text("UPDATE lives SET expires_at = $now WHERE epoch = $1 AND "+alive), s.life.epoch.Load()) // else it expires
	}
	for _, c := range conns {
		if c != nil {
			c.close()
		}
	}
	return s.close()
}

// close closes what is open.
func (s *Store) close() error {
	var errs []error
	for _, db := range []*sql.DB{s.lifeDB, s.readDB, s.writeDB} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Epoch is the number of this process's life: each is higher than all before. Of a Store with a lease it is the one that took it.
func (s *Store) Epoch() int64 {
	if s.lease != "" {
		return s.epoch
	}
	return s.life.epoch.Load()
}

// Born is when this database was created.
func (s *Store) Born() time.Time { return s.born }
