package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// spoil puts another file in the place of every file that the process has open under a path, and returns what undoes it.
func spoil(t *testing.T, path, with string, flags int) (undo func()) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	other, err := syscall.Open(with, flags|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	saved := map[int]int{}
	for _, entry := range fds {
		var fd int
		if _, err := fmt.Sscan(entry.Name(), &fd); err != nil {
			continue
		}
		if to, _ := os.Readlink("/proc/self/fd/" + entry.Name()); to != path {
			continue
		}
		if saved[fd], err = syscall.Dup(fd); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Dup3(other, fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	if len(saved) == 0 {
		t.Fatalf("nobody has %s open", path)
	}
	return func() {
		for fd, was := range saved {
			_ = syscall.Dup3(was, fd, syscall.O_CLOEXEC)
			syscall.Close(was)
		}
		syscall.Close(other)
	}
}

func reserved(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s, err := Open(t.Context(), path, Options{Reserve: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.KeepReserve(); err != nil {
		t.Fatal(err)
	}
	return s, path
}

// A disk that is full costs the reserve: with the room that it leaves the transaction is run again.
func TestAFullDisk(t *testing.T) {
	s, path := reserved(t)
	update(t, s, func(ctx context.Context, tx *Tx) error { return tx.SetFact(ctx, "before", "1") })
	if info, err := os.Stat(path + ".reserve"); err != nil || info.Size() != 1<<20 {
		t.Fatalf("the reserve: %v", err)
	}
	undo := spoil(t, path+"-wal", "/dev/full", syscall.O_RDWR)
	runs := 0
	err := s.Update(t.Context(), func(tx *Tx) error {
		if runs++; runs == 2 {
			if _, err := os.Stat(path + ".reserve"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("tried again, and the reserve is still there: %v", err)
			}
			undo() // what was freed is enough
		}
		return tx.SetFact(t.Context(), "page", "the last")
	})
	if err != nil || runs != 2 {
		t.Fatalf("run %d times: %v", runs, err)
	}
	if got := fact(t, s, "page"); got != "the last" {
		t.Errorf("kept %q", got)
	}
	if err := s.KeepReserve(); err != nil {
		t.Errorf("there is room again: %v", err)
	}
	if _, err := os.Stat(path + ".reserve"); err != nil {
		t.Error(err)
	}
}

// Without a reserve to give up, a full disk is an error like another, and none after which the process must end.
func TestAFullDiskWithoutReserve(t *testing.T) {
	s, path := reserved(t)
	update(t, s, func(ctx context.Context, tx *Tx) error { return tx.SetFact(ctx, "before", "1") })
	undo := spoil(t, path+"-wal", "/dev/full", syscall.O_RDWR)
	if err := os.Remove(path + ".reserve"); err != nil {
		t.Fatal(err)
	}
	err := s.Update(t.Context(), func(tx *Tx) error { return tx.SetFact(t.Context(), "page", "the last") })
	if err == nil || Broken(err) {
		t.Errorf("a full disk gives %v, broken %v", err, Broken(err))
	}
	undo()
	update(t, s, func(ctx context.Context, tx *Tx) error { return tx.SetFact(ctx, "page", "told") })
	if got := fact(t, s, "page"); got != "told" {
		t.Errorf("kept %q", got)
	}
}

// There is no room for a reserve: that is said, and none is taken.
func TestNoRoomForAReserve(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s, err := Open(t.Context(), path, Options{Reserve: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.KeepReserve(); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), path) {
		t.Errorf("KeepReserve: %v", err)
	}
	if _, err := os.Stat(path + ".reserve"); err == nil {
		t.Error("something of it was left")
	}
}

// A disk that cannot be written is not gone on with.
func TestABrokenDisk(t *testing.T) {
	s, path := reserved(t)
	update(t, s, func(ctx context.Context, tx *Tx) error { return tx.SetFact(ctx, "before", "1") })
	undo := spoil(t, path+"-wal", "/dev/null", syscall.O_RDONLY)
	defer undo()
	err := s.Update(t.Context(), func(tx *Tx) error { return tx.SetFact(t.Context(), "page", "the last") })
	if !Broken(err) {
		t.Errorf("a disk that takes no write gives %v, which is not broken", err)
	}
	if _, err := os.Stat(path + ".reserve"); err != nil {
		t.Errorf("the reserve was given up for nothing: %v", err)
	}
	if Broken(nil) || Broken(context.Canceled) || Broken(ErrNotFound) {
		t.Error("what is not the disk's is broken")
	}
}
