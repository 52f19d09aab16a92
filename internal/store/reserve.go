package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// ErrFull is wrapped by the errors of KeepReserve: the disk has no room.
var ErrFull = errors.New("the disk is full")

// reserveRoom is how many times the reserve must be free on the disk for it to be taken: it must not be what fills the disk.
const reserveRoom = 4

// reservePath is the reserve's file, "" where there is none to keep.
func (s *Store) reservePath() string {
	if s.path == "" || s.place.Reserve <= 0 {
		return ""
	}
	return s.path + ".reserve"
}

// KeepReserve takes the reserve of Options.Reserve bytes beside the database, if it is not there: Update gives it up when the disk is
// full, so that what is known can still be told and recorded. Its error, which wraps ErrFull, says that there is no reserve. It does
// nothing for a database that is in no file.
func (s *Store) KeepReserve() error {
	path := s.reservePath()
	if path == "" {
		return nil
	}
	if have, err := os.Stat(path); err == nil && have.Size() >= s.place.Reserve {
		return nil
	}
	free, known := freeBytes(path)
	if known && free < reserveRoom*s.place.Reserve {
		return fmt.Errorf("%w: %d MiB are free where %s is, a reserve of %d MiB needs %d", ErrFull, free>>20, s.path, s.place.Reserve>>20, reserveRoom*s.place.Reserve>>20)
	}
	if err := writeReserve(path, s.place.Reserve); err != nil {
		_ = os.Remove(path) // what was written of it
		return fmt.Errorf("%w: the reserve cannot be taken: %w", ErrFull, err)
	}
	return nil
}

// writeReserve writes what no file system can make smaller.
func writeReserve(path string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	block := make([]byte, min(size, 1<<20))
	for left := size; left > 0; left -= int64(len(block)) {
		block = block[:min(left, int64(len(block)))]
		_, _ = rand.Read(block) // it never fails
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	return f.Sync()
}

// giveReserve gives the reserve up, and says whether there was one.
func (s *Store) giveReserve() bool {
	path := s.reservePath()
	if path == "" {
		return false
	}
	err := os.Remove(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist) && os.Truncate(path, 0) == nil
}

// Broken says of an error of Update or View that the disk or the file cannot be trusted any more: a write or a sync has failed, and
// what the system says was written may not be there. Whoever gets it ends the process rather than go on.
func Broken(err error) bool { return err != nil && sqliteBroken(err) }

// The codes of SQLite for what the disk cannot do. A full disk may also show as memory that two connections share and that cannot grow.
const (
	sqliteReadOnly, sqliteIOError, sqliteCorrupt, sqliteFull, sqliteNotADatabase = 8, 10, 11, 13, 26
	sqliteShareFull                                                              = sqliteIOError | 19<<8
	sqliteMoved                                                                  = sqliteReadOnly | 4<<8
)

func sqliteIsFull(err error) bool {
	code := sqliteWhole(err)
	return code&0xff == sqliteFull || code == sqliteShareFull || code&0xff == sqliteIOError && strings.Contains(err.Error(), "no space left")
}

func sqliteBroken(err error) bool {
	if sqliteIsFull(err) {
		return false
	}
	switch code := sqliteWhole(err); code & 0xff {
	case sqliteIOError, sqliteCorrupt, sqliteNotADatabase:
		return true
	case sqliteReadOnly:
		return code != sqliteMoved // a file that was moved away is told of by Present
	}
	return false
}
