package actions

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/escalation"
	"tocsin/internal/store"
)

// Oncall says who is on call, and puts people on call.
type Oncall struct {
	store *store.Store
	rotas func() map[string]*escalation.Rota
}

// NewOncall makes Oncall. rotas is asked each time for the schedules in force.
func NewOncall(s *store.Store, rotas func() map[string]*escalation.Rota) *Oncall {
	return &Oncall{store: s, rotas: rotas}
}

// Duty is a schedule as it is now.
type Duty struct {
	Schedule string
	// Turns are who is on call from when, the present one first; nobody in a gap. Of the last it is not known until when.
	Turns []Turn
	Gap   escalation.Gap
	// Overrides are those made by command that have not ended, in the order they were made.
	Overrides []store.Override
	// Imported says that the schedule is read from elsewhere; Copy is what was read last, without its body, and Problems what nobody
	// can make sense of in it.
	Imported bool
	Copy     escalation.Copy
	Problems []string
}

// Turn is who is on call from a time on.
type Turn struct {
	From   time.Time
	People []string
}

// mostTurns is how many handovers are shown.
const mostTurns = 3

// Duties are all schedules, by name.
func (o *Oncall) Duties(ctx context.Context, now time.Time) ([]Duty, error) {
	var out []Duty
	err := o.store.View(ctx, func(tx *store.Tx) error {
		out = nil
		rotas := o.rotas()
		for _, name := range slices.Sorted(maps.Keys(rotas)) {
			d, err := duty(ctx, tx, name, rotas[name], now)
			if err != nil {
				return err
			}
			out = append(out, d)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read schedules: %w", err)
	}
	return out, nil
}

func duty(ctx context.Context, tx *store.Tx, name string, rota *escalation.Rota, now time.Time) (Duty, error) {
	d := Duty{Schedule: name, Gap: rota.Gap(), Imported: rota.Imports()}
	rota, last, err := rota.Now(ctx, tx, name, now)
	if err != nil {
		return d, err
	}
	if d.Overrides, err = tx.Overrides(ctx, name, now); err != nil {
		return d, err
	}
	last.Body = ""
	d.Copy, d.Problems = last, rota.Problems()
	d.Turns = []Turn{{From: now, People: rota.OnCall(now)}}
	for t := now; len(d.Turns) <= mostTurns; {
		if t = rota.Change(t); t.IsZero() {
			break
		}
		d.Turns = append(d.Turns, Turn{From: t, People: rota.OnCall(t)})
	}
	return d, nil
}

// Calendar are who is on call from when, by schedule, for as long as is asked for, with the overrides that are known now.
func (o *Oncall) Calendar(ctx context.Context, now time.Time, ahead time.Duration) (map[string][]Turn, error) {
	const most = 200 // whoever takes turns of an hour is not shown for longer than that
	out := map[string][]Turn{}
	err := o.store.View(ctx, func(tx *store.Tx) error {
		for name, rota := range o.rotas() {
			rota, _, err := rota.Now(ctx, tx, name, now)
			if err != nil {
				return err
			}
			turns := []Turn{{From: now, People: rota.OnCall(now)}}
			for t := rota.Change(now); !t.IsZero() && t.Before(now.Add(ahead)) && len(turns) < most; t = rota.Change(t) {
				turns = append(turns, Turn{From: t, People: rota.OnCall(t)})
			}
			out[name] = turns
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read calendar: %w", err)
	}
	return out, nil
}

// Override puts somebody on call, in place of whom the schedule names. From may be zero: now.
func (o *Oncall) Override(ctx context.Context, wish store.Override, now time.Time) (Duty, error) {
	var d Duty
	rotas := o.rotas()
	rota := rotas[wish.Schedule]
	if rota == nil {
		return d, &Error{Reason: "not_found", Text: escalation.UnknownSchedule(wish.Schedule, rotas)}
	}
	if wish.From.IsZero() {
		wish.From = now
	}
	wish.At = now
	wish.By, wish.Reason = strings.TrimSpace(wish.By), strings.TrimSpace(wish.Reason)
	if text := wrongOverride(wish, rota, now); text != "" {
		return d, &Error{Reason: "invalid", Text: text}
	}
	err := o.store.Update(ctx, func(tx *store.Tx) error {
		added := wish
		if err := tx.AddOverride(ctx, &added); err != nil {
			return err
		}
		err := access.Record(ctx, tx, now, access.Deed{Who: wish.By, Deed: "put on call", About: "schedule " + wish.Schedule,
			Detail: fmt.Sprintf("%s from %s to %s: %s", wish.Person, wish.From.UTC().Format(time.RFC3339), wish.To.UTC().Format(time.RFC3339), wish.Reason)})
		if err != nil {
			return err
		}
		err = escalation.LookAgain(ctx, tx, wish.Schedule, now)
		if err != nil {
			return err
		}
		d, err = duty(ctx, tx, wish.Schedule, rota, now)
		return err
	})
	return d, err
}

// wrongOverride says what is wrong with an override; "" if nothing is.
func wrongOverride(wish store.Override, rota *escalation.Rota, now time.Time) string {
	switch {
	case wish.By == "" || len(wish.By) > 200:
		return "say who you are, in at most 200 characters"
	case wish.Reason == "" || len(wish.Reason) > 1000:
		return "say why, in at most 1000 characters"
	case !wish.To.After(now):
		return "it would have ended already: give to a time that is to come"
	}
	return rota.Objection(escalation.Override{Who: wish.Person, From: wish.From, To: wish.To})
}
