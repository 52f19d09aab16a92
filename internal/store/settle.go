package store

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"tocsin/internal/incident"
)

// Desk is how what happens to incidents is settled and written: by the engine, the escalation and by what people do, alike.
type Desk struct {
	// Direct says who hears of an incident now.
	Direct func(inc *incident.Incident, at time.Time) incident.Direction
	// Held, if set, says what holds an incident whole: silences and what is like them.
	Held func(inc *incident.Incident, now incident.Around) []incident.Holder
	// Traits are those of each receiver.
	Traits map[string]incident.Traits
	// Changed, if set, is called within the transaction with each incident that changed.
	Changed func(at time.Time, inc *incident.Incident)
}

// Router reads what may hold incidents at a time, and says who hears of one then.
func (d *Desk) Router(ctx context.Context, tx *Tx, at time.Time) (func(inc *incident.Incident) incident.Direction, error) {
	if d.Held == nil {
		return func(inc *incident.Incident) incident.Direction { return d.Direct(inc, at) }, nil
	}
	silences, err := tx.ActiveSilences(ctx, at)
	if err != nil {
		return nil, err
	}
	around := incident.Around{At: at, Silences: silences}
	return func(inc *incident.Incident) incident.Direction { return d.Direct(inc, at).Hold(d.Held(inc, around)) }, nil
}

// Settle works out what the transitions of a book ask for, and writes all of it in tx.
func (d *Desk) Settle(ctx context.Context, tx *Tx, at time.Time, book *incident.Book) error {
	direct, err := d.Router(ctx, tx, at)
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
		p.Notification.Key += strconv.FormatInt(p.Event.ID, 10)
		if _, err := tx.AddNotification(ctx, p.Notification); err != nil {
			return err
		}
	}
	return nil
}

// Reconsider routes those open incidents anew that are held by something else than what is stored of them. by is who changed that; empty
// if nobody did.
func (d *Desk) Reconsider(ctx context.Context, tx *Tx, at time.Time, by string) error {
	open, err := tx.Incidents(ctx, IncidentFilter{States: []incident.State{incident.Open, incident.Acknowledged}})
	if err != nil {
		return err
	}
	direct, err := d.Router(ctx, tx, at)
	if err != nil {
		return err
	}
	var changed []incident.Incident
	slices.SortFunc(open, func(a, b incident.Incident) int { return cmp.Compare(a.ID, b.ID) }) // they are locked in one order
	for i := range open {
		if sameHolders(direct(&open[i]).Held, open[i].Holds) {
			continue
		}
		inc, err := tx.Incident(ctx, open[i].ID)
		if err != nil {
			return err
		}
		changed = append(changed, inc)
	}
	book := incident.NewBook(at, changed)
	book.Recheck(by)
	return d.Settle(ctx, tx, at, book)
}

// sameHolders says whether an incident is held by the same, until the same time.
func sameHolders(a, b []incident.Holder) bool {
	return slices.EqualFunc(a, b, func(x, y incident.Holder) bool { return x.By == y.By && x.Until.Equal(y.Until) })
}
