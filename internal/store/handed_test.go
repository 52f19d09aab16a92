package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/store/pgtest"
)

// What is handed over comes back in the order of the commits, whoever has handed it over; nothing is taken that was sifted by other rules.
func TestHandOver(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		hand := func(asked string, rows ...Handed) error {
			return s.Update(t.Context(), func(tx *Tx) error { return tx.HandOver(t.Context(), "logs", asked, rows, Reading{}) })
		}
		if err := hand("rules 1", Handed{Lines: []byte("lost\n")}); !errors.Is(err, ErrOtherRules) {
			t.Errorf("before any rules were in force: %v", err)
		}
		update(t, s, func(ctx context.Context, tx *Tx) error { return tx.SetAsked(ctx, "logs", "rules 1") })
		one, two := Handed{Lines: []byte("a\x00\xff\n"), Sifted: 9, Broken: 1, Passed: 2}, Handed{Sifted: 3, Backlog: true}
		if err := errors.Join(hand("rules 1", one, two), hand("rules 1", one)); err != nil {
			t.Fatal(err)
		}
		if err := hand("rules 2", Handed{Lines: []byte("lost\n")}); !errors.Is(err, ErrOtherRules) {
			t.Errorf("by other rules: %v", err)
		}
		read := func(after int64, most int) (rows []Handed) {
			view(t, s, func(ctx context.Context, tx *Tx) (err error) {
				rows, err = tx.Handed(ctx, "logs", after, most)
				return err
			})
			return rows
		}
		all := read(0, 10)
		if len(all) != 3 || all[0].ID >= all[1].ID || all[1].ID >= all[2].ID {
			t.Fatalf("rows %+v", all)
		}
		first := all[1].ID
		want := []Handed{one, two, one}
		for i := range want {
			want[i].ID = all[i].ID
		}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		if got := read(first, 10); len(got) != 1 || got[0].ID != all[2].ID {
			t.Errorf("after the second: %+v", got)
		}
		if got := read(0, 2); len(got) != 2 {
			t.Errorf("two at the most: %+v", got)
		}
		update(t, s, func(ctx context.Context, tx *Tx) error { return tx.ForgetHanded(ctx, "logs", first) })
		if got := read(0, 10); len(got) != 1 || got[0].ID != all[2].ID {
			t.Errorf("after the first two were forgotten: %+v", got)
		}
	})
}

// A reading is there while its process lives, and for a while after that, in which what it had taken may still come; one that ends itself
// is gone at once.
func TestReadings(t *testing.T) {
	place := pgtest.Database(t)
	a, b := replica(t, place, time.Hour), replica(t, place, time.Hour)
	clock := day
	update(t, a, func(ctx context.Context, tx *Tx) error {
		return tx.SaveReading(ctx, "logs", Reading{Clock: clock, CaughtUp: true})
	})
	update(t, b, func(ctx context.Context, tx *Tx) error {
		return tx.SaveReading(ctx, "logs", Reading{Why: "access denied"})
	})
	readings := func(from *Store) (out []Reading) {
		view(t, from, func(ctx context.Context, tx *Tx) (err error) {
			out, err = tx.Readings(ctx, "logs")
			return err
		})
		for i := range out {
			out[i].Process = ""
		}
		return out
	}
	want := []Reading{{Clock: clock, CaughtUp: true, Lives: true}, {Why: "access denied", Lives: true}}
	if diff := cmp.Diff(want, readings(b)); diff != "" {
		t.Errorf("both live (-want +got):\n%s", diff)
	}
	expire(t, a)
	want[0].Lives = false
	if diff := cmp.Diff(want, readings(b)); diff != "" {
		t.Errorf("the first has died (-want +got):\n%s", diff)
	}
	update(t, b, func(ctx context.Context, tx *Tx) error { return tx.EndReading(ctx, "logs") })
	if diff := cmp.Diff(want[:1], readings(b)); diff != "" {
		t.Errorf("the second reads no longer (-want +got):\n%s", diff)
	}
	if _, err := b.lifeDB.ExecContext(t.Context(), b.dialect.text("UPDATE lives SET expires_at = $now - $1 WHERE epoch = $2"), int64(lateReading), a.Epoch()); err != nil {
		t.Fatal(err)
	}
	if got := readings(b); len(got) != 0 {
		t.Errorf("long after the death: %+v", got)
	}
}
