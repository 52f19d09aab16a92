package store

import (
	"context"
	"path/filepath"
	"testing"

	"tocsin/internal/incident"
)

// BenchmarkTransaction is one slice of a replay that matches: a state read and rewritten, the source moved on, the next timer.
func BenchmarkTransaction(b *testing.B) {
	for name, path := range map[string]string{"memory": ":memory:", "file": filepath.Join(b.TempDir(), "tocsin.db")} {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			s, err := Open(ctx, path, Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			key := incident.Key{Rule: "rule", Group: `{"cluster":"prow"}`}
			b.ReportAllocs()
			for b.Loop() {
				err := s.Update(ctx, func(tx *Tx) error {
					if _, _, err := tx.State(ctx, key); err != nil {
						return err
					}
					if err := tx.SaveState(ctx, GroupState{Key: key, Body: []byte("state"), Due: day}); err != nil {
						return err
					}
					if err := tx.SaveSource(ctx, SourceState{Name: "source", Clock: day}); err != nil {
						return err
					}
					_, err := tx.NextStateDue(ctx)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
