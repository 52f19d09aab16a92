package store

import (
	"errors"
	"testing"
	"time"

	"tocsin/internal/incident"
)

// TestOnceIsCommittedOneTime: what is done under a name is done once; what failed may be tried again; after two days the name is forgotten.
func TestOnceIsCommittedOneTime(t *testing.T) {
	s := opened(t)
	failed := errors.New("not now")
	did := 0
	do := func(id string, at time.Time, fail error) error {
		return s.Update(Once(t.Context(), id, at), func(tx *Tx) error {
			if fail != nil {
				return fail
			}
			did++
			return tx.SetFact(t.Context(), "did", id)
		})
	}
	for i, step := range []struct {
		id   string
		at   time.Time
		fail error
		want error
	}{
		{"a", day, failed, failed},
		{"a", day, nil, nil},
		{"a", day.Add(time.Hour), nil, ErrHeard},
		{"b", day.Add(time.Hour), nil, nil},
		{"a", day.Add(47 * time.Hour), nil, ErrHeard},
		{"c", day.Add(49 * time.Hour), nil, nil},
		{"a", day.Add(49 * time.Hour), nil, nil},
	} {
		if err := do(step.id, step.at, step.fail); !errors.Is(err, step.want) {
			t.Errorf("step %d: %v, want %v", i, err, step.want)
		}
	}
	if did != 4 {
		t.Errorf("done %d times, want 4", did)
	}
}

// TestMessageAtIsThatOfItsReceipt: the incident's message is found by what the provider gave for it, a post of its thread is not.
func TestMessageAtIsThatOfItsReceipt(t *testing.T) {
	s := opened(t)
	err := s.Update(t.Context(), func(tx *Tx) error {
		for i, n := range []incident.Notification{
			{Incident: "one", Target: "ops", Kind: incident.Message, Key: "k1", State: incident.Sent, Receipt: "C1/1.1"},
			{Incident: "one", Target: "ops", Kind: incident.Post, Key: "k2", State: incident.Sent, Receipt: "C1/1.2"},
			{Incident: "two", Target: "ops", Kind: incident.Message, Key: "k3", State: incident.Pending},
		} {
			inc := fullIncident(n.Incident)
			inc.Alerts = nil
			if err := tx.SaveIncident(t.Context(), &inc); err != nil {
				return err
			}
			n.CreatedAt, n.Due = day.Add(time.Duration(i)), day
			if _, err := tx.AddNotification(t.Context(), &n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for receipt, want := range map[string]string{"C1/1.1": "one", "C1/1.2": "", "": "", "C9/1.1": ""} {
		var got incident.Notification
		err := s.View(t.Context(), func(tx *Tx) (err error) {
			got, err = tx.MessageAt(t.Context(), receipt)
			return err
		})
		if got.Incident != want || (want == "") != errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %q, %v, want %q", receipt, got.Incident, err, want)
		}
	}
}
