package store

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPresent: a database that is deleted or replaced while it is open is noticed, for what is written to it is lost.
func TestPresent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Present(); err != nil {
		t.Errorf("it is there: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if s.Present() == nil {
		t.Error("deleted: no error")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.Present() == nil {
		t.Error("replaced: no error")
	}
}
