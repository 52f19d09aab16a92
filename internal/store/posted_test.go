package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/internal/logs"
)

// TestPosted: what is posted is read once and in order, as entries; what is not posted again in time is over; what was read is forgotten.
func TestPosted(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		post := func(at time.Duration, alerts ...Posted) {
			t.Helper()
			update(t, s, func(ctx context.Context, tx *Tx) error { return tx.Post(ctx, "prometheus", day.Add(at), alerts) })
		}
		alert := func(name string, ends time.Duration) Posted {
			return Posted{Labels: map[string]string{"alertname": name, "severity": "critical"}, Annotations: map[string]string{"summary": name + " \u001b[31m<b>"}, StartsAt: day, EndsAt: day.Add(ends)}
		}
		var cursor logs.Cursor
		read := func() string {
			t.Helper()
			var lines []string
			view(t, s, func(ctx context.Context, tx *Tx) error {
				b, err := tx.PostedBatch(ctx, "prometheus", cursor, "p", 100)
				if err != nil {
					return err
				}
				cursor = b.Cursor
				b.Entries(time.Time{}, func(e *logs.Entry) bool {
					p := e.Root.Get("jsonPayload")
					lines = append(lines, fmt.Sprintf("%s %s %s %s %s%s", e.Timestamp.Sub(day), e.Root.Get("severity").Text(), e.Root.Get("labels").Get("alertname").Text(), p.Get("status").Text(), p.Get("message").Text(), p.Get("expired").Text()))
					return true
				})
				return nil
			})
			return strings.Join(lines, "; ")
		}
		end := func(at time.Duration, want int) {
			t.Helper()
			if n, err := s.PostedEnds(t.Context(), "prometheus", day.Add(at)); err != nil || n != want {
				t.Errorf("at %s %d end, want %d: %v", at, n, want, err)
			}
		}
		equal := func(got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		post(0, alert("a", 4*time.Minute), alert("b", 4*time.Minute))
		equal(read(), "0s CRITICAL a firing a \u001b[31m<b>; 0s CRITICAL b firing b \u001b[31m<b>")
		equal(read(), "")
		over := alert("a", time.Minute)
		over.Over = true
		post(time.Minute, over, alert("b", 5*time.Minute))
		end(4*time.Minute, 0) // a is over, b was posted again
		end(5*time.Minute, 1)
		end(5*time.Minute, 0)
		equal(read(), "1m0s INFO a resolved a \u001b[31m<b>; 1m0s CRITICAL b firing b \u001b[31m<b>; 5m0s INFO b resolved b \u001b[31m<b>true")
		update(t, s, func(ctx context.Context, tx *Tx) error { return tx.ForgetPosted(ctx, "prometheus", cursor) })
		cursor = ""
		equal(read(), "")
		err := s.Update(t.Context(), func(tx *Tx) error {
			return tx.Post(t.Context(), "prometheus", day, make([]Posted, MostPosted+1))
		})
		if !errors.Is(err, ErrManyPosted) {
			t.Errorf("more than may wait: %v", err)
		}
	})
}
