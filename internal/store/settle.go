package store

import (
	"context"
	"strconv"
	"time"

	"tocsin/internal/incident"
)

// Desk is how what happens to incidents is settled and written: by the engine, the escalation and by what people do, alike.
type Desk struct {
	// Direct says who hears of an incident now.
	Direct func(inc *incident.Incident, at time.Time) incident.Direction
	// Held, if set, says what holds an incident whole: silences and what is like them.
	Held func(inc *incident.Incident, now incident.Around) incident.Held
	// Inhibits says that an incident may be held by others.
	Inhibits bool
	// Damping says when an alert flaps.
	Damping incident.Damping
	// ByHand, if set, says which rules' alerts end only when a person says so.
	ByHand func(rule string) bool
	// Traits are those of each receiver.
	Traits map[string]incident.Traits
	// Project is that of what a person declares without saying of which.
	Project string
	// People are those whom the configuration names, each with the names by which they may be known elsewhere.
	People map[string][]string
	// Changed, if set, is called within the transaction with each incident that changed.
	Changed func(at time.Time, inc *incident.Incident)
}

// Settle works out what the transitions of a book ask for, and writes all of it in tx.
func (d *Desk) Settle(ctx context.Context, tx *Tx, at time.Time, book *incident.Book) error {
	direct, err := d.Router(ctx, tx, at, book.Changed()...)
	if err != nil {
		return err
	}
	changes, err := book.Settle(incident.Desk{
		Direct: direct,
		Traits: d.Traits,
		Have:   func(id string) ([]incident.Notification, error) { return tx.Notifications(ctx, id) },
	})
	if err != nil {
		return err
	}
	for _, inc := range changes.Incidents {
		if err := tx.SaveIncident(ctx, inc); err != nil {
			return err
		}
		if d.Changed != nil {
			d.Changed(at, inc)
		}
	}
	if err := wake(ctx, tx, at, changes.Incidents); err != nil {
		return err
	}
	if err := d.release(ctx, tx, at, changes); err != nil {
		return err
	}
	for _, e := range changes.Events {
		if err := tx.AppendEvent(ctx, e); err != nil {
			return err
		}
	}
	for _, n := range changes.Save {
		if err := tx.SaveNotification(ctx, n); err != nil {
			return err
		}
	}
	for _, n := range changes.Add {
		if _, err := tx.AddNotification(ctx, n); err != nil {
			return err
		}
	}
	for _, p := range changes.Posts {
		p.Notification.Event = p.Event.ID
		if p.Notification.Kind == incident.Post {
			p.Notification.Key += strconv.FormatInt(p.Event.ID, 10)
		}
		if _, err := tx.AddNotification(ctx, p.Notification); err != nil {
			return err
		}
	}
	return nil
}

// wake lets the engine look at the groups whose alerts somebody has just ended: one that waits for nothing else would be kept for ever.
func wake(ctx context.Context, tx *Tx, at time.Time, changed []*incident.Incident) error {
	for _, inc := range changed {
		if inc.State != incident.Resolved || inc.ResolvedBy == "" || !inc.ResolvedAt.Equal(at) {
			continue
		}
		for i := range inc.Alerts {
			a := &inc.Alerts[i]
			if a.State == incident.AlertResolved && a.ResolvedAt.Equal(at) && !a.Orphaned { // what a rule that is gone has left has its own time
				if err := tx.WakeState(ctx, a.Key, at); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
