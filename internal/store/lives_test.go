package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/incident"
	"tocsin/internal/store/pgtest"
)

// replica opens a database that others may have open, for a life of which the test decides when it ends.
func replica(t *testing.T, place string, life time.Duration) *Store {
	t.Helper()
	s, err := Open(t.Context(), place, Options{Life: life})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// expire lets a life end as if it had not been renewed.
func expire(t *testing.T, s *Store) {
	t.Helper()
	ended, err := s.lifeDB.ExecContext(t.Context(), s.dialect.text("UPDATE lives SET expires_at = $now WHERE epoch = $1"), s.life.epoch.Load())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := ended.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("%d lives of epoch %d have ended, %v", n, s.Epoch(), err)
	}
}

func acquire(t *testing.T, s *Store, want bool) *Store {
	t.Helper()
	held, ok, err := s.Acquire(t.Context(), "engine")
	if err != nil || ok != want {
		t.Fatalf("the lease was taken: %v, %v; want %v", ok, err, want)
	}
	return held
}

func write(s *Store, value string) error {
	ctx := context.Background()
	return s.Update(ctx, func(tx *Tx) error { return tx.SetFact(ctx, "f", value) })
}

func TestALeaseIsOneLifes(t *testing.T) {
	place := pgtest.Database(t)
	a, b := replica(t, place, time.Hour), replica(t, place, time.Hour)
	if a.Epoch() == b.Epoch() {
		t.Fatalf("two lives have the epoch %d", a.Epoch())
	}
	held := acquire(t, a, true)
	acquire(t, a, true) // again is no other
	acquire(t, b, false)
	if who, mine, err := b.Holder(t.Context(), "engine"); who == "" || mine || err != nil {
		t.Errorf("the lease is %q's, the asker's: %v, %v; want the other's", who, mine, err)
	}
	if err := held.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := write(held, "late"); !errors.Is(err, ErrFenced) {
		t.Errorf("by a lease that was given back: %v, want it fenced", err)
	}
	other := acquire(t, b, true)
	acquire(t, a, false)
	if err := b.Close(); err != nil { // a clean stop gives everything back at once
		t.Fatal(err)
	}
	_ = other
	acquire(t, a, true)
	b.write <- nil // for the second Close, at the end of the test
	for range readers {
		b.steps <- nil
		b.pages <- nil
	}
}

// TestALifeThatEndedWritesNothing: not by its lease, not without it; and the life that follows in the same process has not the lease.
func TestALifeThatEndedWritesNothing(t *testing.T) {
	place := pgtest.Database(t)
	a, b := replica(t, place, time.Hour), replica(t, place, time.Hour)
	held := acquire(t, a, true)
	if err := errors.Join(write(a, "1"), write(held, "2")); err != nil {
		t.Fatal(err)
	}
	first := a.Epoch()
	expire(t, a)
	acquire(t, b, true)
	for name, s := range map[string]*Store{"the store": a, "the lease": held} {
		if err := write(s, "stale"); !errors.Is(err, ErrFenced) {
			t.Errorf("by %s of a life that has ended: %v, want it fenced", name, err)
		}
	}
	if alive, err := a.Renew(t.Context()); alive || err != nil {
		t.Errorf("a life that has ended was renewed: %v, %v", alive, err)
	}
	if err := a.Anew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.Epoch() <= first || a.Epoch() <= b.Epoch() {
		t.Errorf("the new life has epoch %d, after %d and beside %d", a.Epoch(), first, b.Epoch())
	}
	if held.Epoch() != first {
		t.Errorf("the lease says epoch %d, it was taken in %d", held.Epoch(), first)
	}
	if err := write(held, "stale"); !errors.Is(err, ErrFenced) {
		t.Errorf("by the lease of an earlier life: %v, want it fenced", err)
	}
	if got := fact(t, b, "f"); got != "2" {
		t.Errorf("the fact is %q, want what was written before the life had ended", got)
	}
	if err := write(a, "3"); err != nil {
		t.Error(err)
	}
	acquire(t, a, false)
}

func TestAnewOnEach(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		held := acquire(t, s, true)
		if err := write(held, "1"); err != nil {
			t.Fatal(err)
		}
		before := s.Epoch()
		if err := s.Anew(t.Context()); err != nil || s.Epoch() <= before {
			t.Errorf("epoch %d after %d, %v", s.Epoch(), before, err)
		}
		if err := write(held, "2"); !errors.Is(err, ErrFenced) {
			t.Errorf("by the lease of an earlier life: %v, want it fenced", err)
		}
		if err := write(acquire(t, s, true), "3"); err != nil {
			t.Error(err)
		}
		if alive, err := s.Renew(t.Context()); !alive || err != nil {
			t.Errorf("the life is not renewed: %v", err)
		}
	})
}

// TestInFlightElsewhere: what another life has in flight is left to it until its deadline; once the life has ended it is settled.
func TestInFlightElsewhere(t *testing.T) {
	place := pgtest.Database(t)
	a, b := replica(t, place, time.Hour), replica(t, place, time.Hour)
	update(t, a, func(ctx context.Context, tx *Tx) error {
		_, err := tx.AddNotification(ctx, &incident.Notification{Incident: "i", Kind: incident.Call, Target: "oncall", Key: "flying", Due: day,
			State: incident.InFlight, Epoch: a.Epoch(), Deadline: day.Add(time.Minute)})
		return errors.Join(err, tx.SaveIncident(ctx, &incident.Incident{ID: "i", State: incident.Open}))
	})
	check := func(want string, next time.Time, living bool) {
		t.Helper()
		view(t, b, func(ctx context.Context, tx *Tx) error {
			due, err1 := tx.DueNotifications(ctx, day.Add(time.Second), "", 0)
			at, err2 := tx.NextNotificationDue(ctx, "")
			lives, err3 := tx.Living(ctx, a.Epoch())
			if rowKeys(due) != want || !at.Equal(next) || lives != living {
				t.Errorf("due %q, next %v, living %v; want %q, %v, %v", rowKeys(due), at, lives, want, next, living)
			}
			return errors.Join(err1, err2, err3)
		})
	}
	check("", day.Add(time.Minute), true)
	expire(t, a)
	check("flying", day, false)
}

func TestWritersTakeTurns(t *testing.T) {
	place := pgtest.Database(t)
	const each, processes = 25, 3
	var all sync.WaitGroup
	for range processes {
		s := replica(t, place, time.Hour)
		all.Go(func() {
			for range each {
				err := s.Update(context.Background(), func(tx *Tx) error {
					text, err := tx.Fact(context.Background(), "f")
					n, _ := strconv.Atoi(text)
					return errors.Join(err, tx.SetFact(context.Background(), "f", strconv.Itoa(n+1)))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got, want := fact(t, replica(t, place, time.Hour), "f"), fmt.Sprint(each*processes); got != want {
		t.Errorf("%s were counted, want %s: writers have overwritten each other", got, want)
	}
}

// TestAFrozenWriterHoldsUpNobody: one that stops in the middle of a transaction loses it, and the others go on.
func TestAFrozenWriterHoldsUpNobody(t *testing.T) {
	place := pgtest.Database(t)
	a, b := replica(t, place, time.Hour), replica(t, place, time.Hour)
	err := a.Update(t.Context(), func(tx *Tx) error {
		if err := tx.SetFact(t.Context(), "f", "frozen"); err != nil {
			return err
		}
		began := time.Now()
		if err := write(b, "went on"); err != nil {
			t.Errorf("the other could not write: %v", err)
		}
		if waited := time.Since(began); waited > 4*idleFor {
			t.Errorf("the other has waited for %s", waited)
		}
		return nil
	})
	if err == nil {
		t.Error("the transaction that was given up was committed")
	}
	if got := fact(t, a, "f"); got != "went on" {
		t.Errorf("the fact is %q", got)
	}
	if err := write(a, "again"); err != nil {
		t.Errorf("once awake it cannot write: %v", err)
	}
}

func TestConnectionsThatEndedAreReplaced(t *testing.T) {
	s := openedAt(t, pgtest.Database(t))
	if err := write(s, "1"); err != nil {
		t.Fatal(err)
	}
	fact(t, s, "f")
	if _, err := s.lifeDB.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
		t.Fatal(err)
	}
	if got := fact(t, s, "f"); got != "1" {
		t.Errorf("the fact is %q", got)
	}
	if err := write(s, "2"); err != nil {
		t.Error(err)
	}
}

// TestADatabaseThatWentBack: after a failover that lost the last commits, what this process knows is of a future that is not.
func TestADatabaseThatWentBack(t *testing.T) {
	s := openedAt(t, pgtest.Database(t))
	if err := errors.Join(write(s, "1"), write(s, "2")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.lifeDB.ExecContext(t.Context(), "UPDATE commits SET count = count - 1"); err != nil {
		t.Fatal(err)
	}
	if err := write(s, "3"); !errors.Is(err, ErrFenced) {
		t.Errorf("written although a commit is missing: %v", err)
	}
	if err := s.Anew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := write(s, "4"); err != nil {
		t.Error(err)
	}
}

// cutAtCommit is the place of a database behind a proxy that ends a connection when a COMMIT comes by: before it has reached the
// server, or behind it, so that its answer is lost. While calls says 0 it lets everything pass.
func cutAtCommit(t *testing.T, place string, reaches bool, calls *atomic.Int64) string {
	t.Helper()
	u, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	server := u.Host
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				return
			}
			go func() {
				_, _ = io.Copy(client, upstream)
				client.Close()
			}()
			go func() {
				defer upstream.Close()
				defer client.Close()
				buffer := make([]byte, 1<<16)
				for {
					n, err := client.Read(buffer)
					if err != nil {
						return
					}
					cut := bytes.Contains(buffer[:n], []byte("COMMIT\x00")) && calls.Add(-1) >= 0
					if cut {
						client.(*net.TCPConn).CloseWrite() // no answer comes through any more
						if !reaches {
							return
						}
					}
					if _, err := upstream.Write(buffer[:n]); err != nil {
						return
					}
					if cut {
						return
					}
				}
			}()
		}
	}()
	u.Host = l.Addr().String()
	return u.String()
}

// TestACommitWhoseAnswerIsLost is known to have taken place, or not.
func TestACommitWhoseAnswerIsLost(t *testing.T) {
	for _, reaches := range []bool{true, false} {
		t.Run(fmt.Sprintf("reaches the server %v", reaches), func(t *testing.T) {
			var calls atomic.Int64
			place := pgtest.Database(t)
			s := replica(t, cutAtCommit(t, place, reaches, &calls), time.Hour)
			if err := write(s, "1"); err != nil {
				t.Fatal(err)
			}
			calls.Store(1)
			err := write(s, "2")
			want := "1"
			if reaches {
				want = "2"
			}
			if got := fact(t, openedAt(t, place), "f"); got != want || (err == nil) != reaches {
				t.Errorf("the fact is %q, and Update said %v; want %q", got, err, want)
			}
			if err := write(s, "3"); err != nil {
				t.Errorf("the next transaction: %v", err)
			}
		})
	}
}

func TestPostgresRefuses(t *testing.T) {
	refused := func(place, want string) {
		t.Helper()
		s, err := Open(t.Context(), place, Options{})
		if err == nil {
			s.Close()
			t.Fatal("it was opened")
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("error %q does not say %q, or says a secret", err, want)
		}
	}
	refused("postgres://tocsin:secret@127.0.0.1:1/tocsin", "take it out, and name a file")
	refused("postgres://tocsin@127.0.0.1:1/tocsin?password=secret", "take it out, and name a file")
	refused("postgres://tocsin:secret@[::1/tocsin", "write it as postgres://USER@HOST:5432/DATABASE")
	refused("postgres://tocsin@127.0.0.1:1/tocsin", "postgres://127.0.0.1:1/tocsin: ")
	place := pgtest.Database(t)
	s := replica(t, place, time.Hour)
	writtenByLater(t, s, 99999)
	refused(place, "written by a later tocsin (its schema is version 99999")
	other := pgtest.Database(t)
	db, err := openPostgres(placeOf(other), false)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE recipes (name TEXT)"); err != nil {
		t.Fatal(err)
	}
	refused(other, "tables of something else")
}

func placeOf(path string) place { return place{path: path, Options: Options{Life: time.Hour}} }

// TestAFailedStatementIsNotCommittedOver: PostgreSQL answers a COMMIT with a rollback that is no error.
func TestAFailedStatementIsNotCommittedOver(t *testing.T) {
	s := openedAt(t, pgtest.Database(t))
	err := s.Update(t.Context(), func(tx *Tx) error {
		if err := tx.SetFact(t.Context(), "f", "1"); err != nil {
			return err
		}
		_, _ = tx.exec(t.Context(), "SELECT 1/0")
		return nil
	})
	if err == nil {
		t.Error("an Update of which nothing was kept says that all is well")
	}
}

func TestEveryTextComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.SampledFrom([]string{"\x00", "\xff", "\xef\xbf", escape, "ff", "00", "a", "ü", "\u202e", escape + "00"})).Draw(t, "pieces")
		text := strings.Join(pieces, "")
		kept := postgresValue(text).(string)
		if strings.Contains(kept, "\x00") || strings.ToValidUTF8(kept, "") != kept {
			t.Fatalf("%q is kept as %q, which PostgreSQL refuses", text, kept)
		}
		if got := unescape(kept); got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	})
}
