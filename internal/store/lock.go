package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

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
