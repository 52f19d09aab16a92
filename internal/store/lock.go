package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// mostLinks is how many symbolic links lead to a file at the most, as Linux has it.
const mostLinks = 40

// followed is the file that path leads to, path itself if it is no link: a database that is reached by two names has one lock, and what
// belongs to it lies beside it, where SQLite puts its own. The file need not be there.
func followed(path string) (string, error) {
	for range mostLinks {
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil //nolint:nilerr // it is no link, or what is wrong with it is found when it is opened
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", fmt.Errorf("%s: too many symbolic links", path)
}

// takeLock takes the lock file beside the database for this process; the kernel gives it back when the process ends, however
// it ends. The file itself stays: removing it would let two processes each hold a different one.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("another tocsin holds %s: stop it (fuser %[1]s.lock says which it is) or give another --store", path)
	}
	return nil, fmt.Errorf("lock %s.lock: %w", path, err)
}
