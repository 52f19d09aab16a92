package actions

import (
	"fmt"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// TestAnAcknowledgeOfAStormIsOfWhatItHadNamed: whoever took the storm's first page did not know of what only its second named, though
// that rang before the answer was heard. The page of that goes out by itself.
func TestAnAcknowledgeOfAStormIsOfWhatItHadNamed(t *testing.T) {
	p := newPaged(t, time.Time{}, call(1, at(0)))
	storm := incident.NewStorm(at(0), "oncall", p.inc.ID, incident.Critical)
	other := p.inc
	other.Headline.Group = `{"n":"2"}`
	other.ID = incident.NewID(at(6*time.Minute), other.Headline, "second")
	other.OpenedAt, other.FirstEntry = at(6*time.Minute), at(6*time.Minute)
	other.Alerts = []incident.Alert{p.inc.Alerts[0]}
	other.Alerts[0].Key, other.Alerts[0].Incident = other.Headline, other.ID
	rows := map[string]*incident.Notification{}
	p.must(p.s.Update(t.Context(), func(tx *store.Tx) error {
		ctx := t.Context()
		for _, inc := range []*incident.Incident{&storm, &other} {
			if err := tx.SaveIncident(ctx, inc); err != nil {
				return err
			}
		}
		for round, sent := range map[int]time.Time{1: at(10 * time.Second), 2: at(6*time.Minute + 10*time.Second)} {
			n := call(round, sent)
			n.Incident, n.Target, n.Key, n.State = storm.ID, "oncall", storm.CallKey(round), incident.Sent
			if _, err := tx.AddNotification(ctx, &n); err != nil {
				return err
			}
		}
		for round, inc := range map[int]*incident.Incident{1: &p.inc, 2: &other} {
			n := incident.Notification{Incident: inc.ID, Target: "oncall", Kind: incident.Call, Round: 7, Key: inc.CallKey(7), CreatedAt: inc.OpenedAt,
				State: incident.Cancelled, Cause: incident.StormCause(storm.ID)}
			if _, err := tx.AddNotification(ctx, &n); err != nil {
				return err
			}
			rows[inc.ID] = &n
			if err := tx.AddStormMember(ctx, storm.ID, store.StormMember{Incident: inc.ID, Round: round}); err != nil {
				return err
			}
		}
		return nil
	}))
	p.must(p.a.Answered(t.Context(), "oncall", storm.ID, incident.Acknowledged, "alice", at(6*time.Minute), at(6*time.Minute+15*time.Second)))
	p.must(p.s.View(t.Context(), func(tx *store.Tx) error {
		for id, want := range map[string]incident.State{storm.ID: incident.Acknowledged, p.inc.ID: incident.Acknowledged, other.ID: incident.Open} {
			inc, err := tx.Incident(t.Context(), id)
			if err != nil || inc.State != want {
				t.Errorf("%q is %s, not %s (%v)", inc.Title, inc.State, want, err)
			}
		}
		for id, want := range map[string]incident.NotificationState{p.inc.ID: incident.Cancelled, other.ID: incident.Pending} {
			n, err := tx.Notification(t.Context(), rows[id].ID)
			if err != nil || n.State != want {
				t.Errorf("the page of %s is %s, not %s (%v)", id, n.State, want, err)
			}
		}
		return nil
	}))
}

// TestWhatGoesOutByItselfAfterAll: of what called for an incident that the storm's page had not named, the newest does if it was rolled in, a
// message with what waited under it. One that rings by itself since stands for it.
func TestWhatGoesOutByItselfAfterAll(t *testing.T) {
	const message, call, post = incident.Message, incident.Call, incident.Post
	type row struct {
		kind   incident.NotificationKind
		minute int
		rings  bool
		rolled bool
		want   incident.NotificationState
	}
	for name, rows := range map[string][]row{
		"page":                           {{call, 0, true, true, incident.Cancelled}, {call, 1, true, true, incident.Pending}},
		"page, rung since":               {{call, 0, true, true, incident.Cancelled}, {call, 1, true, false, incident.Sent}},
		"message":                        {{message, 0, true, true, incident.Pending}, {post, 0, false, true, incident.Pending}},
		"message, rung for under it":     {{message, 0, true, true, incident.Pending}, {post, 1, true, true, incident.Pending}},
		"message that called again":      {{message, 2, true, true, incident.Pending}, {post, 1, true, false, incident.Sent}},
		"post under what was told":       {{message, 0, true, false, incident.Sent}, {post, 1, true, true, incident.Pending}, {post, 1, false, false, incident.Sent}},
		"posts, of which the newer rang": {{message, 0, true, false, incident.Sent}, {post, 1, true, true, incident.Cancelled}, {post, 2, true, false, incident.Sent}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPaged(t, time.Time{})
			storm := incident.NewStorm(at(0), "ana", p.inc.ID, incident.Critical)
			ids := make([]int64, len(rows))
			p.must(p.s.Update(t.Context(), func(tx *store.Tx) error {
				ctx := t.Context()
				if err := tx.SaveIncident(ctx, &storm); err != nil {
					return err
				}
				for i, r := range rows {
					at := at(time.Duration(r.minute) * time.Minute)
					n := incident.Notification{Incident: p.inc.ID, Target: "ana", Kind: r.kind, Round: i, Key: fmt.Sprint("row", i), Rings: r.rings, CreatedAt: at,
						State: incident.Sent, SentAt: at}
					if r.rolled {
						n.State, n.SentAt, n.Cause = incident.Cancelled, time.Time{}, incident.StormCause(storm.ID)
					}
					if _, err := tx.AddNotification(ctx, &n); err != nil {
						return err
					}
					ids[i] = n.ID
				}
				return tx.AddStormMember(ctx, storm.ID, store.StormMember{Incident: p.inc.ID, Round: 1})
			}))
			p.must(p.a.Acknowledge(t.Context(), storm.ID, "ben", at(5*time.Minute)))
			p.must(p.s.View(t.Context(), func(tx *store.Tx) error {
				for i, r := range rows {
					if n, err := tx.Notification(t.Context(), ids[i]); err != nil || n.State != r.want {
						t.Errorf("row %d is %s, want %s (%v)", i, n.State, r.want, err)
					}
				}
				return nil
			}))
		})
	}
}

// TestAnAnswerToAStormOfAnEarlierLife: nobody knows any more which incidents that storm's page had named.
func TestAnAnswerToAStormOfAnEarlierLife(t *testing.T) {
	p := newPaged(t, time.Time{}, call(1, at(0)))
	storm, before := incident.NewStorm(at(0), "oncall", p.inc.ID, incident.Critical), incident.NewStorm(at(-time.Hour), "oncall", p.inc.ID, incident.Critical)
	p.must(p.s.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.SaveIncident(t.Context(), &storm); err != nil {
			return err
		}
		for key, cause := range map[string]string{storm.ID: "", before.ID: incident.Adopted} {
			n := incident.Notification{Incident: storm.ID, Target: "oncall", Kind: incident.Call, Key: key, Cause: cause, State: incident.Sent, CreatedAt: at(0), SentAt: at(0)}
			if _, err := tx.AddNotification(t.Context(), &n); err != nil {
				return err
			}
		}
		return tx.AddStormMember(t.Context(), storm.ID, store.StormMember{Incident: p.inc.ID})
	}))
	for _, said := range []time.Time{at(-time.Minute), at(time.Minute)} {
		for _, state := range []incident.State{incident.Acknowledged, incident.Resolved} {
			p.must(p.a.Answered(t.Context(), "oncall", before.ID, state, "alice", said, at(2*time.Minute)))
		}
	}
	p.must(p.s.View(t.Context(), func(tx *store.Tx) error {
		for _, id := range []string{storm.ID, p.inc.ID} {
			if inc, err := tx.Incident(t.Context(), id); err != nil || inc.State != incident.Open {
				t.Errorf("%q is %s (%v)", inc.Title, inc.State, err)
			}
		}
		return nil
	}))
}
