package store

import (
	"context"
	"path/filepath"
	"testing"
)

// TestEndedContextGivesTheConnectionUp: a transaction that cannot begin, because its context has ended, leaves a store that works.
func TestEndedContextGivesTheConnectionUp(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "tocsin.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	set := func(tx *Tx) error { return tx.SetFact(t.Context(), "a", "1") }
	ended, end := context.WithCancel(t.Context())
	end()
	for range 20 {
		if err := s.Update(t.Context(), set); err != nil { // its statements are kept with the connection
			t.Fatal(err)
		}
		if err := s.Update(ended, set); err == nil {
			t.Error("a context that has ended: no error")
		}
	}
}
