package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/incident"
)

// Router reads what may hold incidents at a time, and says who hears of one then. Those that are given are as they are now, not as they
// are stored.
func (d *Desk) Router(ctx context.Context, tx *Tx, at time.Time, now ...*incident.Incident) (func(inc *incident.Incident) (incident.Direction, error), error) {
	if d.Held == nil {
		return func(inc *incident.Incident) (incident.Direction, error) { return d.Direct(inc, at), nil }, nil
	}
	silences, err := tx.ActiveSilences(ctx, at)
	if err != nil {
		return nil, err
	}
	around := incident.Around{At: at, Silences: silences}
	var failed error
	if d.Inhibits {
		var told []incident.Alert
		read := false
		around.Told = func() []incident.Alert {
			if !read && failed == nil {
				told, failed = tx.toldAlerts(ctx, now)
				read = true
			}
			return told
		}
	}
	return func(inc *incident.Incident) (incident.Direction, error) {
		return d.Direct(inc, at).Hold(d.Held(inc, around)), failed
	}, nil
}

const selectTold = " JOIN incidents i ON i.id = alerts.incident WHERE i.state IN ('open', 'acknowledged') AND i.holds = '' AND alerts.state = 'firing' ORDER BY i.first_entry, i.id, alerts.first, alerts.rule, alerts.grp"

// toldAlerts are the alerts that fire in incidents that are open and that nothing holds, the oldest incident's first.
func (tx *Tx) toldAlerts(ctx context.Context, now []*incident.Incident) ([]incident.Alert, error) {
	all, err := list(ctx, tx, scanAlert, "SELECT "+alertColumns.of("alerts")+" FROM alerts"+selectTold)
	if err != nil {
		return nil, fmt.Errorf("read alerts that are told: %w", err)
	}
	all = slices.DeleteFunc(all, func(a incident.Alert) bool {
		return slices.ContainsFunc(now, func(inc *incident.Incident) bool { return inc.ID == a.Incident })
	})
	for _, inc := range now {
		if inc.State != incident.Open && inc.State != incident.Acknowledged || len(inc.Holds) > 0 {
			continue
		}
		for _, a := range inc.Alerts {
			if a.State == incident.Firing {
				all = append(all, a)
			}
		}
	}
	return all, nil
}

const selectHeldBy = " WHERE state IN ('open', 'acknowledged') AND holds LIKE $1 ORDER BY id"

// release asks for those incidents to be routed again that are held by one that has changed: it may be over, or held itself.
func (d *Desk) release(ctx context.Context, tx *Tx, at time.Time, changes incident.Changes) error {
	if !d.Inhibits {
		return nil
	}
	var done []string
	for _, e := range changes.Events {
		if slices.Contains(done, e.Incident) {
			continue
		}
		done = append(done, e.Incident)
		held, err := tx.incidents(ctx, selectIncidents+selectHeldBy, `%"incident `+e.Incident+`"%`)
		if err != nil {
			return fmt.Errorf("read what incident %s holds: %w", e.Incident, err)
		}
		for i := range held {
			held[i].RecheckAt(at)
			if err := tx.SaveIncident(ctx, &held[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// atOnce is how many incidents one transaction routes anew because what holds them has changed.
const atOnce = 50

// Reconsider routes those open incidents anew that are held by something else than what is stored of them: the first fifty now, the others
// by the steps that follow, behind what has one to take, so that a page does not wait for the thousands that a silence holds. by is who
// changed that; empty if nobody did. The timelines of the first name them, those of the others what changed.
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
	slices.SortFunc(open, func(a, b incident.Incident) int { return cmp.Compare(a.ID, b.ID) }) // alike in every process
	for i := range open {
		now, err := direct(&open[i])
		if err != nil {
			return err
		}
		if sameHolders(now.Held, open[i].Holds) {
			continue
		}
		if len(changed) == atOnce {
			if err := tx.recheck(ctx, open[i].ID, at); err != nil {
				return err
			}
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

// sameHolders says whether an incident is held by the same, until the same time. Other incidents, which have no such time, are left
// aside: those that they hold are asked for when they change.
func sameHolders(a, b []incident.Holder) bool {
	bounded := func(list []incident.Holder) []incident.Holder {
		return slices.DeleteFunc(slices.Clone(list), func(h incident.Holder) bool { return h.Until.IsZero() })
	}
	return slices.EqualFunc(bounded(a), bounded(b), func(x, y incident.Holder) bool { return x.By == y.By && x.Until.Equal(y.Until) })
}
