package store

import (
	"context"
	"path/filepath"
	"testing"
)

// A transaction that is ended before it has begun costs its connection, and nothing else.
func TestAnEndedContextCostsAConnection(t *testing.T) {
	s := openedAt(t, filepath.Join(t.TempDir(), "tocsin.db"))
	ended, stop := context.WithCancel(t.Context())
	stop()
	for range 50 { // whether the connection or the end of ctx is seen first is left to chance
		update(t, s, func(ctx context.Context, tx *Tx) error { return tx.SetFact(ctx, "a", "1") })
		if err := s.Update(ended, func(tx *Tx) error { return tx.SetFact(t.Context(), "a", "2") }); err == nil {
			t.Fatal("an ended context has committed")
		}
		if err := s.View(ended, func(*Tx) error { return nil }); err == nil {
			t.Fatal("an ended context has read")
		}
	}
	if got := fact(t, s, "a"); got != "1" {
		t.Errorf("the fact is %q", got)
	}
}
