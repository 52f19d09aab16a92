package engine

import (
	"context"
	"testing"
	"time"

	"tocsin/internal/store"
)

// What several processes read counts as read though it was sifted before, and all has come only up to where the slowest of them is.
func TestSifted(t *testing.T) {
	l := begin(t, ":memory:", ruleFile)
	b := batch(4*time.Minute, "4", false, fives(0, 4)...)
	b.Sifted, b.SiftedBroken, b.Passed, b.Watermark = 96, 3, 2, day.Add(2*time.Minute)
	l.offer(b)
	l.e.lock() // takes it in
	l.e.mu.Unlock()
	if got := l.e.watermark(day.Add(time.Hour)); !got.Equal(day.Add(2 * time.Minute)) {
		t.Errorf("the watermark is %s, want where the slowest reader is", got)
	}
	l.step(day.Add(4 * time.Minute))
	b = batch(5*time.Minute, "5", false)
	b.Sifted = 10
	l.offer(b)
	l.e.lock()
	l.e.mu.Unlock()
	if got := l.e.watermark(day.Add(time.Hour)); !got.Equal(day.Add(3 * time.Minute)) {
		t.Errorf("the watermark is %s, want the source's clock once none is slower", got)
	}
	l.step(day.Add(5 * time.Minute))
	var st store.SourceState
	if err := l.db.View(t.Context(), func(tx *store.Tx) (err error) {
		st, err = tx.Source(context.Background(), "src")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if st.Entries != 110 || st.Broken != 3 || st.Passed != 2 || st.Matches != 4 || l.e.Counts().Entries != 110 {
		t.Errorf("the ledger is %+v", st)
	}
}
