package app

import (
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/store"
	"tocsin/notifiers"
)

// TestAPagerThatDoesNotSayWhatWasAnswered: what it refuses for good is a trouble at once, any other failure when it goes on for two
// minutes, and it is over when the pager can be asked again.
func TestAPagerThatDoesNotSayWhatWasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.Context(), ":memory:", store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		a := &App{store: s, o: Options{Log: slog.New(slog.DiscardHandler)}}
		standing := func() (n int) {
			err := s.View(t.Context(), func(tx *store.Tx) error {
				all, err := tx.Standing(t.Context())
				n = len(all)
				return err
			})
			if err != nil {
				t.Error(err)
			}
			return n
		}
		for i, step := range []struct {
			err  error
			wait time.Duration
			want int
		}{
			{errors.New("502"), 0, 0}, {errors.New("502"), time.Minute, 0}, {errors.New("502"), time.Minute, 1}, {nil, time.Second, 0},
			{notifiers.Permanent{Err: errors.New("401")}, time.Second, 1}, {nil, time.Second, 0},
		} {
			time.Sleep(step.wait)
			a.polled(t.Context(), "oncall", step.err)
			if got := standing(); got != step.want {
				t.Errorf("at %d %d troubles stand, want %d", i, got, step.want)
			}
		}
	})
}
