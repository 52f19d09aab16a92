package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/actions"
	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// people are those who are called. They answer late, twice, or not at all.
type people struct {
	count int
}

// rang lets a person hear something ring.
func (w *World) rang(p *provider, n *notifiers.Notice) {
	w.model.rang(w, p, n)
	w.soon()
	if !chanceOf(w.crowd, w.weather.answer) {
		return
	}
	w.people.count++
	who := fmt.Sprintf("person-%d", w.people.count)
	after := between(w.crowd, 5*time.Second, 4*time.Minute)
	if chanceOf(w.crowd, 0.4) {
		after = between(w.crowd, time.Minute, 90*time.Minute)
	}
	key, id := n.Key, n.Incident.ID
	w.agenda.add(w.now.Add(after), func() {
		switch how := w.crowd.IntN(10); {
		case how < 5 && p.traits.Pages:
			w.answerPager(p, key, who, incident.Acknowledged)
		case how < 6 && p.traits.Pages:
			w.answerPager(p, key, who, incident.Resolved)
		case how < 9:
			w.act(id, who, incident.Acknowledged)
		default:
			w.act(id, who, incident.Resolved)
		}
	})
}

// answerPager is somebody who answers where it rang; tocsin hears of it when it asks.
func (w *World) answerPager(p *provider, key, who string, state incident.State) {
	if k := p.keys[key]; k.state == incident.Open || k.state == incident.Acknowledged && state == incident.Resolved {
		k.state, k.by, k.said = state, who, w.now
		if state == incident.Resolved {
			w.model.ends(k.incident, w.now)
		}
		w.model.answered(who, said{key: key, at: w.now, incident: k.incident})
		w.say("%s: %s %s at %s", who, state, key, p.name)
	}
	w.pollSoon(0)
}

// act is somebody who answers on tocsin's own page. If it does not answer they come back.
func (w *World) act(id, who string, state incident.State) {
	if w.life == nil || w.now.Before(w.frozen) {
		w.agenda.add(w.now.Add(time.Minute), func() { w.act(id, who, state) })
		return
	}
	if w.mayCrash("acting", w.weather.crashAt) {
		w.crash("before somebody acts")
		return
	}
	w.say("%s: %s %s", who, state, id)
	now := w.wall()
	var err error
	w.guarded("acting", func() error {
		if state == incident.Resolved {
			w.model.ends(id, w.now)
			err = w.life.actions.Resolve(w.ctx, id, who, now)
		} else {
			err = w.life.actions.Acknowledge(w.ctx, id, who, now)
		}
		var refused *actions.Error
		if errors.As(err, &refused) {
			return nil // it is over already
		}
		return err
	})
	if err == nil {
		w.tally.Commits++
		w.step()
		w.model.did(id, who, state)
		if w.planted(actsTwice) {
			w.update(func(ctx context.Context, tx *store.Tx) error {
				return tx.AppendEvent(ctx, &incident.Event{Incident: id, At: now, Kind: incident.EventKind(state), By: who})
			})
		}
		if state == incident.Acknowledged {
			w.tally.Acknowledges++
		}
	}
	if w.life != nil && w.mayCrash("acting", w.weather.crashAt) {
		w.crash("behind what somebody did")
		return
	}
	w.acted()
}
