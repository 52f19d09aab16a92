package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/logs"
)

func report(t *testing.T, s *Store, all ...Trouble) {
	t.Helper()
	update(t, s, func(ctx context.Context, tx *Tx) error {
		for _, one := range all {
			if err := tx.Report(ctx, one); err != nil {
				return err
			}
		}
		return nil
	})
}

// told are the troubles that the source reads after a cursor, one a line: minutes since day, kind, labels, over, count.
func told(t *testing.T, s *Store, from logs.Cursor) (lines []string, next logs.Cursor) {
	t.Helper()
	view(t, s, func(ctx context.Context, tx *Tx) error {
		b, err := tx.TroubleBatch(ctx, from, "p", 1000)
		if err != nil {
			return err
		}
		next = b.Cursor
		b.Entries(time.Time{}, func(e *logs.Entry) bool {
			p := e.Root.Get("jsonPayload")
			lines = append(lines, fmt.Sprintf("%s %s %s%s over=%s x%s", e.Timestamp.Sub(day).Truncate(time.Second), p.Get("trouble").Text(), p.Get("source").Text(),
				p.Get("receiver").Text(), p.Get("over").Text(), p.Get("count").Text()))
			return true
		})
		return nil
	})
	return lines, next
}

func TestTroubles(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		blind := func(source string, at time.Duration, over bool) Trouble {
			return Trouble{Kind: "source_blind", At: day.Add(at), Text: "it cannot see", Labels: map[string]string{"source": source}, Over: over}
		}
		report(t, s, blind("a", 0, true)) // the end of what never was
		for i := range 13 {               // two minutes of it, every ten seconds
			report(t, s, blind("a", time.Duration(i)*10*time.Second, false))
		}
		report(t, s, blind("b", 2*time.Minute, false))
		got, cursor := told(t, s, "")
		want := []string{
			"0s source_blind a over=false x",
			"1m0s source_blind a over=false x6",
			"2m0s source_blind a over=false x6",
			"2m0s source_blind b over=false x",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		report(t, s, blind("a", 130*time.Second, false), blind("a", 140*time.Second, true), blind("a", 150*time.Second, true))
		report(t, s, blind("a", 160*time.Second, false)) // again, though within a minute: it had ended
		got, cursor = told(t, s, cursor)
		want = []string{
			"2m20s source_blind a over=true x2",
			"2m40s source_blind a over=false x",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got, _ := told(t, s, cursor); got != nil {
			t.Errorf("read twice: %q", got)
		}
		view(t, s, func(ctx context.Context, tx *Tx) error {
			all, err := tx.Standing(ctx)
			var names []string
			for _, one := range all {
				names = append(names, one.Labels["source"])
			}
			if diff := cmp.Diff([]string{"b", "a"}, names); diff != "" {
				t.Errorf("standing: -want +got:\n%s", diff)
			}
			return err
		})
	})
}

// A trouble that the transaction which notices it does not keep was never there.
func TestATroubleBelongsToItsTransaction(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		err := s.Update(t.Context(), func(tx *Tx) error {
			if err := tx.Report(t.Context(), Trouble{Kind: "x", At: day}); err != nil {
				return err
			}
			return fmt.Errorf("no")
		})
		if err == nil {
			t.Fatal("committed")
		}
		if got, _ := told(t, s, ""); got != nil {
			t.Errorf("kept: %q", got)
		}
	})
}

// A clock that was set back must not make a trouble an entry of the past, which would come too late to count.
func TestTroublesRise(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		report(t, s, Trouble{Kind: "a", At: day.Add(time.Hour)}, Trouble{Kind: "b", At: day})
		report(t, s, Trouble{Kind: "c", At: day.Add(time.Hour).AddDate(0, 0, 2)}, Trouble{Kind: "d", At: day.Add(2 * time.Hour)})
		got, _ := told(t, s, "")
		want := []string{"1h0m0s a  over=false x", "1h0m0s b  over=false x", "49h0m0s c  over=false x", "2h0m0s d  over=false x"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// However many troubles a mistake invents, what is kept of them is bounded, and says so.
func TestTroublesAreBounded(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		for i := range maxStanding + 50 {
			report(t, s, Trouble{Kind: "delivery_refused", At: day.Add(time.Duration(i) * time.Millisecond), Labels: map[string]string{"receiver": fmt.Sprint("r", i)},
				Text: "\x00\xff" + strings.Repeat("ü", 4000)})
		}
		got, _ := told(t, s, "")
		if len(got) != maxStanding+1 || !strings.Contains(got[maxStanding], TooManyTroubles) {
			t.Errorf("%d rows, the last %q, want %d and one that says that there are more", len(got), got[len(got)-1], maxStanding)
		}
		report(t, s, Trouble{Kind: "delivery_refused", At: day.Add(time.Minute), Labels: map[string]string{"receiver": "r0"}, Over: true})
		if after, _ := told(t, s, ""); len(after) != len(got)+1 {
			t.Error("the end of one that stands was not kept")
		}
	})
}
