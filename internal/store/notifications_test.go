package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
)

func fullNotification() incident.Notification {
	return incident.Notification{
		Incident: "i", Target: "oncall", Kind: incident.Call, Round: 2, Key: "k", Reason: incident.ReasonEscalated, Event: 3, Text: nasty,
		Mention: []string{"first"}, Rings: true, Wanted: 4, SentRevision: 5, State: incident.InFlight, Cause: "c", CreatedAt: day, Due: day.Add(1),
		Epoch: 6, Deadline: day.Add(2), Attempts: 7, Unclear: true, RefusedAt: day.Add(3), SentAt: day.Add(4), Receipt: "r", LastError: nasty,
	}
}

func TestNotificationRoundTrip(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		want := fullNotification()
		bare := incident.Notification{Incident: "i", CreatedAt: day}
		update(t, s, func(ctx context.Context, tx *Tx) error {
			_, err1 := tx.AddNotification(ctx, &want)
			_, err2 := tx.AddNotification(ctx, &bare)
			return errors.Join(err1, err2, tx.SaveIncident(ctx, &incident.Incident{ID: "i"}))
		})
		if want.ID == 0 || bare.ID <= want.ID {
			t.Errorf("ids %d, %d do not rise", want.ID, bare.ID)
		}
		if bare.State != incident.Pending || !bare.Due.Equal(day) {
			t.Errorf("a row without state and due is %s, due %v; want pending, due when it was made", bare.State, bare.Due)
		}
		check := func() {
			t.Helper()
			view(t, s, func(ctx context.Context, tx *Tx) error {
				got, err := tx.Notifications(ctx, "i")
				if diff := cmp.Diff([]incident.Notification{want, bare}, got); diff != "" {
					t.Errorf("(-saved +read):\n%s", diff)
				}
				return err
			})
		}
		check()
		want.State, want.Mention, want.Deadline, want.Text = incident.Sent, nil, time.Time{}, "said"
		update(t, s, func(ctx context.Context, tx *Tx) error { return tx.SaveNotification(ctx, &want) })
		check()
		update(t, s, func(ctx context.Context, tx *Tx) error {
			if _, err := tx.Notification(ctx, 999); !errors.Is(err, ErrNotFound) {
				t.Errorf("a notification that is not there gives %v", err)
			}
			if err := tx.SaveNotification(ctx, &incident.Notification{ID: 999}); !errors.Is(err, ErrNotFound) {
				t.Errorf("saving a notification that is not there gives %v", err)
			}
			return nil
		})
	})
}

func TestANotificationIsAddedOnce(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		base := fullNotification()
		update(t, s, func(ctx context.Context, tx *Tx) error {
			if err := tx.SaveIncident(ctx, &incident.Incident{ID: "i"}); err != nil {
				return err
			}
			if err := tx.SaveIncident(ctx, &incident.Incident{ID: "j"}); err != nil {
				return err
			}
			if added, err := tx.AddNotification(ctx, &base); err != nil || !added {
				t.Errorf("the first was not added: %v", err)
			}
			again := fullNotification()
			again.Text, again.State = "another text", incident.Cancelled
			added, err := tx.AddNotification(ctx, &again)
			if err != nil || added || again.ID != base.ID {
				t.Errorf("the same again: added %v with id %d, %v; want the id %d of the first", added, again.ID, err, base.ID)
			}
			kept, err := tx.Notification(ctx, base.ID)
			if diff := cmp.Diff(base, kept); diff != "" {
				t.Errorf("the first was changed:\n%s", diff)
			}
			for name, change := range map[string]func(n *incident.Notification){
				"incident": func(n *incident.Notification) { n.Incident = "j" },
				"round":    func(n *incident.Notification) { n.Round++ },
				"kind":     func(n *incident.Notification) { n.Kind = incident.Post },
				"target":   func(n *incident.Notification) { n.Target = "other" },
				"event":    func(n *incident.Notification) { n.Event++ },
				"key":      func(n *incident.Notification) { n.Key = "other" },
			} {
				n := fullNotification()
				change(&n)
				if added, err := tx.AddNotification(ctx, &n); err != nil || !added || n.ID == base.ID {
					t.Errorf("one of another %s was not added: %v", name, err)
				}
			}
			return err
		})
	})
}

func rowKeys(all []incident.Notification) string {
	var keys []string
	for _, n := range all {
		keys = append(keys, n.Key)
	}
	return strings.Join(keys, " ")
}

func TestDueNotifications(t *testing.T) {
	onEach(t, func(t *testing.T, path string) {
		s := open(t, path)
		at := func(sec int) time.Time { return day.Add(time.Duration(sec) * time.Second) }
		add := func(s *Store, n incident.Notification) {
			n.Incident, n.Kind = "i", incident.Call
			update(t, s, func(ctx context.Context, tx *Tx) error {
				_, err := tx.AddNotification(ctx, &n)
				return errors.Join(err, tx.SaveIncident(ctx, &incident.Incident{ID: "i", State: incident.Open}))
			})
		}
		check := func(s *Store, target string, until int, want string, next time.Time) {
			t.Helper()
			view(t, s, func(ctx context.Context, tx *Tx) error {
				got, err1 := tx.DueNotifications(ctx, at(until), target, 0)
				if rowKeys(got) != want {
					t.Errorf("due for %q at %d: %q, want %q", target, until, rowKeys(got), want)
				}
				n, err2 := tx.NextNotificationDue(ctx, target)
				if !n.Equal(next) {
					t.Errorf("next for %q: %v, want %v", target, n, next)
				}
				return errors.Join(err1, err2)
			})
		}
		check(s, "", 100, "", time.Time{})
		add(s, incident.Notification{Key: "late", Target: "a", Due: at(5)})
		add(s, incident.Notification{Key: "early", Target: "b", Due: at(3)})
		add(s, incident.Notification{Key: "same", Target: "a", Due: at(3)})
		add(s, incident.Notification{Key: "sent", Target: "a", Due: at(1), State: incident.Sent})
		add(s, incident.Notification{Key: "cancelled", Target: "a", Due: at(1), State: incident.Cancelled})
		add(s, incident.Notification{Key: "flying", Target: "b", Due: at(2), State: incident.InFlight, Epoch: s.Epoch(), Deadline: at(4)})
		check(s, "", 2, "", at(3))
		check(s, "", 3, "early same", at(3))
		check(s, "", 4, "flying early same", at(3))
		check(s, "", 5, "flying early same late", at(3))
		check(s, "a", 5, "same late", at(3))
		check(s, "b", 5, "flying early", at(3))
		update(t, s, func(ctx context.Context, tx *Tx) error { return tx.DelayNotifications(ctx, "b", true, at(9)) })
		update(t, s, func(ctx context.Context, tx *Tx) error { return tx.DelayNotifications(ctx, "b", false, at(90)) }) // they are calls
		check(s, "b", 5, "flying", at(4))
		update(t, s, func(ctx context.Context, tx *Tx) error { return tx.DelayNotifications(ctx, "b", true, at(6)) })
		check(s, "b", 8, "flying", at(4)) // a shorter delay takes nothing from a longer one
		s.Close()
		// In the next life nobody finishes what was in flight.
		s = open(t, path)
		defer s.Close()
		check(s, "b", 2, "flying", at(2))
		view(t, s, func(ctx context.Context, tx *Tx) error {
			one, err1 := tx.DueNotifications(ctx, at(9), "", 1)
			if rowKeys(one) != "flying" {
				t.Errorf("the first due row is %q", rowKeys(one))
			}
			waiting, err2 := tx.WaitingTargets(ctx)
			if diff := cmp.Diff([]string{"a", "b"}, waiting); diff != "" {
				t.Error(diff)
			}
			counts, err3 := tx.CountNotifications(ctx)
			want := map[incident.NotificationState]int{incident.Pending: 3, incident.InFlight: 1, incident.Sent: 1, incident.Cancelled: 1}
			if diff := cmp.Diff(want, counts); diff != "" {
				t.Error(diff)
			}
			return errors.Join(err1, err2, err3)
		})
	})
}

func TestCallsThatWait(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		update(t, s, func(ctx context.Context, tx *Tx) error {
			n := 0
			for _, state := range []incident.State{incident.Open, incident.Acknowledged, incident.Resolved, incident.Merged} {
				if err := tx.SaveIncident(ctx, &incident.Incident{ID: string(state), State: state}); err != nil {
					return err
				}
				for _, row := range []incident.Notification{
					{Kind: incident.Call, State: incident.Sent}, {Kind: incident.Call, State: incident.InFlight}, {Kind: incident.Call, State: incident.Pending},
					{Kind: incident.Call, State: incident.Pending, Attempts: 1}, {Kind: incident.Call, State: incident.Cancelled}, {Kind: incident.Message, State: incident.Sent},
				} {
					n++
					row.Incident, row.Round, row.Target, row.CreatedAt = string(state), n, "oncall", day
					row.Key = fmt.Sprintf("%s-%s-%s-%d", state, row.Kind, row.State, row.Attempts)
					if _, err := tx.AddNotification(ctx, &row); err != nil {
						return err
					}
				}
			}
			return nil
		})
		view(t, s, func(ctx context.Context, tx *Tx) error {
			unsettled, err1 := tx.UnsettledCalls(ctx)
			want := "open-call-sent-0 open-call-inflight-0 open-call-pending-1 acknowledged-call-sent-0 acknowledged-call-inflight-0 acknowledged-call-pending-1"
			if got := rowKeys(unsettled); got != want {
				t.Errorf("unsettled: %s, want %s", got, want)
			}
			unheard, err2 := tx.UnheardCalls(ctx, "ops")
			if got, want := rowKeys(unheard), "open-call-inflight-0 open-call-pending-0 open-call-pending-1"; got != want {
				t.Errorf("unheard: %s, want %s", got, want)
			}
			own, err3 := tx.UnheardCalls(ctx, "oncall")
			if len(own) != 0 {
				t.Errorf("the fallback's own calls are not its to hear of: %s", rowKeys(own))
			}
			return errors.Join(err1, err2, err3)
		})
		update(t, s, func(ctx context.Context, tx *Tx) error { // round 2 is the open incident's call in flight
			_, err1 := tx.AddNotification(ctx, &incident.Notification{Incident: "open", Round: 2, Kind: incident.Call, Target: "ops"})
			unheard, err2 := tx.UnheardCalls(ctx, "ops")
			if got, want := rowKeys(unheard), "open-call-pending-0 open-call-pending-1"; got != want {
				t.Errorf("unheard after the fallback was called for round 2: %s, want %s", got, want)
			}
			return errors.Join(err1, err2)
		})
	})
}

// TestTheNounsOfTheRoundTripsAreFull: a field that a noun gains needs a column, and this test sees that it is asked for.
func TestTheNounsOfTheRoundTripsAreFull(t *testing.T) {
	for _, noun := range []any{fullNotification(), fullIncident("i"), fullAlert("i", "r"), fullSilence()} {
		v := reflect.ValueOf(noun)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if _, isIncident := noun.(incident.Incident); !isIncident && name == "ID" {
				continue // the store's own
			}
			if v.Field(i).IsZero() {
				t.Errorf("%T.%s is empty in the round trips: give it a value here and a column in the store", noun, name)
			}
		}
	}
}
