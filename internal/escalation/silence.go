package escalation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/store"
)

// silence does what is due of a silence: at its beginning what it hides is held from then on, before its end the channel hears what
// is about to be told. Its end needs nothing: each incident that it holds is due then itself.
func (e *Escalation) silence(ctx context.Context, tx *store.Tx, p Program, s incident.Silence, now time.Time) error {
	if err := p.Desk.Reconsider(ctx, tx, now, ""); err != nil {
		return err
	}
	if warn := s.Warn(); !now.Before(warn) && s.WarnedAt.IsZero() {
		if err := warnOf(ctx, tx, p, &s, now); err != nil {
			return err
		}
		s.WarnedAt = now
	}
	s.Schedule(now)
	return tx.SaveSilence(ctx, &s)
}

// warnOf says in each channel that would hear it what still fires under a silence that is about to end: once, in the worst incident. Where an
// incident has pagers alone the fallback hears it, if that is no pager itself: what still fires pages when the silence is over.
func warnOf(ctx context.Context, tx *store.Tx, p Program, s *incident.Silence, now time.Time) error {
	open, err := tx.Incidents(ctx, store.IncidentFilter{States: []incident.State{incident.Open, incident.Acknowledged}})
	if err != nil {
		return err
	}
	then, err := p.Desk.Router(ctx, tx, s.Ends)
	if err != nil {
		return err
	}
	book := incident.NewBook(now, open)
	worst := map[string]*incident.Incident{} // by receiver
	count := map[string]int{}
	var order []string
	for i := range open {
		inc := book.Get(open[i].ID)
		d, err := then(inc)
		if err != nil {
			return err
		}
		for _, r := range p.warned(inc, routing.SilenceName(s.ID), d) {
			if worst[r] == nil {
				order = append(order, r)
			}
			if worst[r] == nil || inc.Severity > worst[r].Severity || inc.Severity == worst[r].Severity && inc.ID < worst[r].ID {
				worst[r] = inc
			}
			count[r]++
		}
	}
	for _, r := range order {
		more := ""
		if count[r] > 1 {
			more = fmt.Sprintf(" (and %d more)", count[r]-1)
		}
		text := fmt.Sprintf("silence %d of %s ends at %s while this still fires%s: then it is told. Another silence holds it longer: %s",
			s.ID, s.Owner, s.Ends.UTC().Format("15:04 UTC"), more, worst[r].Title)
		book.Warn(worst[r], []string{r}, []string{s.Owner}, text)
	}
	return p.Desk.Settle(ctx, tx, now, book)
}

// warned are who hears that what that name holds an incident by ends, where it is told as d says then.
func (p Program) warned(inc *incident.Incident, name string, d incident.Direction) []string {
	receivers, held := inc.HeldBy(name)
	if !held {
		return nil
	}
	var told []string
	channel, pages := false, d.Policy != ""
	for _, r := range receivers {
		switch {
		case !slices.Contains(d.Receivers, r): // something else holds it longer
			channel = channel || !p.Desk.Traits[r].Pages
		case p.Desk.Traits[r].Pages:
			pages = true
		default:
			channel = true
			told = append(told, r)
		}
	}
	if !channel && pages && p.Fallback != "" {
		told = append(told, p.Fallback)
	}
	return told
}
