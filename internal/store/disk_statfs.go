//go:build linux || darwin

package store

import (
	"path/filepath"
	"syscall"
)

// freeBytes is how much may still be written where a file is or would be.
func freeBytes(path string) (free int64, known bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &fs); err != nil {
		return 0, false
	}
	return int64(fs.Bavail) * int64(fs.Bsize), true //nolint:unconvert // far below what an int64 holds; the types differ by system
}
