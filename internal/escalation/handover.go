package escalation

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

const (
	// lookAtShift is how often it is looked who is on call, beside the changes that are known: a calendar may have another by then.
	lookAtShift = time.Hour
	// mostSaid is how many incidents, and silences, are listed at a change of shift; longestSaid how much of each, in runes.
	mostSaid, longestSaid = 15, 120
	// usualShift is for how long it is said which silences end, where nobody knows when the shift does.
	usualShift = 24 * time.Hour
)

// WatchesShifts says whether the schedules that are watched for changes of shift are those of rotas.
func WatchesShifts(ctx context.Context, tx *store.Tx, rotas map[string]*Rota) (bool, error) {
	shifts, err := tx.Shifts(ctx)
	known := len(shifts) == len(rotas)
	for _, s := range shifts {
		known = known && rotas[s.Schedule] != nil
	}
	return known, err
}

// WatchShifts has the schedules of rotas watched for changes of shift from now on, and no others. Those that are watched already are looked
// at anew.
func WatchShifts(ctx context.Context, tx *store.Tx, rotas map[string]*Rota, now time.Time) error {
	shifts, err := tx.Shifts(ctx)
	if err != nil {
		return err
	}
	watched := map[string]bool{}
	for _, s := range shifts {
		watched[s.Schedule] = true
		if rotas[s.Schedule] == nil {
			err = tx.ForgetShift(ctx, s.Schedule)
		} else {
			err = tx.LookAtShift(ctx, s.Schedule, now)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rotas)) {
		if watched[name] {
			continue
		}
		rota, _, err := rotas[name].Now(ctx, tx, name, now)
		if err != nil {
			return err
		}
		if err := tx.SaveShift(ctx, store.Shift{Schedule: name, People: rota.OnCall(now), Due: nextLook(rota, now)}); err != nil {
			return err
		}
	}
	return nil
}

// nextLook is when a schedule is looked at next.
func nextLook(rota *Rota, now time.Time) time.Time {
	at := now.Add(lookAtShift)
	if change := rota.Change(now); !change.IsZero() && change.Before(at) {
		at = change
	}
	return at
}

// shift looks whether others are on call by a schedule than when it was looked at last; while nobody is, the last are still remembered.
func (e *Escalation) shift(ctx context.Context, tx *store.Tx, p Program, s store.Shift, now time.Time) error {
	rota := p.Rotas[s.Schedule]
	if rota == nil {
		return tx.ForgetShift(ctx, s.Schedule)
	}
	rota, _, err := rota.Now(ctx, tx, s.Schedule, now)
	if err != nil {
		return err
	}
	if people := rota.OnCall(now); len(people) > 0 && !same(people, s.People) {
		c := change{ctx: ctx, tx: tx, p: p, schedule: s.Schedule, rota: rota, from: s.People, to: people, now: now}
		if err := c.over(); err != nil {
			return err
		}
		s.People = people
	}
	s.Due = nextLook(rota, now)
	return tx.SaveShift(ctx, s)
}

func same(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// change is a change of shift, within one transaction.
type change struct {
	ctx      context.Context
	tx       *store.Tx
	p        Program
	schedule string
	rota     *Rota
	from, to []string
	now      time.Time
	book     *incident.Book
}

// over hands over: whoever has an incident and is off shift has the next asked for it, and the channel is told what is open, if anything is.
func (c *change) over() error {
	all, err := c.tx.Incidents(c.ctx, store.IncidentFilter{States: []incident.State{incident.Open, incident.Acknowledged}})
	if err != nil {
		return err
	}
	c.book = incident.NewBook(c.now, all)
	var open []*incident.Incident
	for i := range all {
		inc := c.book.Get(all[i].ID)
		if inc.IsStorm() || !c.concerns(inc) {
			continue
		}
		open = append(open, inc)
		if err := c.ask(inc); err != nil {
			return err
		}
	}
	if len(open) == 0 {
		return nil // a quiet day is silent
	}
	if to := c.rota.schedule.Handover; to != "" {
		if err := c.tell(to, open); err != nil {
			return err
		}
	}
	return c.p.Desk.Settle(c.ctx, c.tx, c.now, c.book)
}

// calls says whether an incident's policy calls the schedule.
func (c *change) calls(inc *incident.Incident) bool {
	return slices.Contains(c.p.called(inc), c.schedule)
}

// called are the schedules that an incident's policy calls or mentions.
func (p Program) called(inc *incident.Incident) []string {
	var out []string
	if plan := p.Plans[inc.Policy]; plan != nil {
		for i := range plan.policy.Steps {
			out = append(out, plan.policy.Steps[i].Schedules()...)
		}
	}
	return out
}

// concerns says whether an incident is told of to who comes on: its policy calls them, or it goes to the channel that is told.
func (c *change) concerns(inc *incident.Incident) bool {
	return c.calls(inc) || c.rota.schedule.Handover != "" && slices.Contains(inc.Receivers, c.rota.schedule.Handover)
}

// ask asks who comes on to take over an incident that somebody has who is off now.
func (c *change) ask(inc *incident.Incident) error {
	ack := inc.Acknowledgement
	if ack == nil || ack.Asked != nil {
		return nil
	}
	holder := Named(c.p.Desk.People, ack.By)
	if !slices.Contains(c.from, holder) || slices.Contains(c.to, holder) {
		return nil
	}
	for _, other := range c.p.called(inc) {
		rota := c.p.Rotas[other]
		if rota == nil || other == c.schedule {
			continue
		}
		rota, _, err := rota.Now(c.ctx, c.tx, other, c.now)
		if err != nil {
			return err
		}
		if slices.Contains(rota.OnCall(c.now), holder) {
			return nil // on call still
		}
	}
	var targets []string
	for _, name := range c.to {
		if _, ok := c.p.Desk.Traits[PersonTarget(name)]; ok {
			targets = append(targets, PersonTarget(name))
		}
	}
	channel := slices.ContainsFunc(inc.Receivers, func(r string) bool { t, known := c.p.Desk.Traits[r]; return known && !t.Pages })
	if len(targets) == 0 && !channel && c.p.Fallback != "" {
		targets = append(targets, c.p.Fallback)
	}
	c.book.Ask(inc, c.to, targets, "", fmt.Sprintf("%s has it and is off shift in %s", holder, c.schedule))
	return nil
}

// tell tells a channel, in one message, what is open and who has it, and which silences end during the shift.
func (c *change) tell(receiver string, open []*incident.Incident) error {
	slices.SortStableFunc(open, func(a, b *incident.Incident) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), strings.Compare(string(b.State), string(a.State)), strings.Compare(a.ID, b.ID))
	})
	ends, until := c.now.Add(usualShift), ""
	if next := c.rota.Change(c.now); !next.IsZero() {
		ends = next
		until = ", until " + c.at(next)
	}
	silences, err := c.tx.ActiveSilences(c.ctx, c.now)
	if err != nil {
		return err
	}
	silences = slices.DeleteFunc(silences, func(s incident.Silence) bool { return s.Ends.After(ends) })
	var lines []incident.Line
	for i, inc := range open[:min(len(open), mostSaid)] {
		text := fmt.Sprintf("%s, %s, since %s: %s", inc.Severity, who(inc), c.at(inc.FirstEntry), short(inc.Title))
		if more := len(open) - mostSaid; i == mostSaid-1 && more > 0 {
			text += fmt.Sprintf(" (and %d more)", more)
		}
		lines = append(lines, incident.Line{Text: text})
	}
	for i, s := range silences[:min(len(silences), mostSaid)] {
		text := fmt.Sprintf("silence %d of %s ends at %s: %s", s.ID, s.Owner, c.at(s.Ends), short(s.Reason))
		if more := len(silences) - mostSaid; i == mostSaid-1 && more > 0 {
			text += fmt.Sprintf(" (and %d more)", more)
		}
		lines = append(lines, incident.Line{Text: text})
	}
	said := fmt.Sprintf("%s: %s on call now%s; %s", c.schedule, on(c.to), until, many(len(open), "incident is", "incidents are")+" open")
	if len(silences) > 0 {
		said += ", " + many(len(silences), "silence ends", "silences end")
	}
	c.book.HandOver(open[0], receiver, c.to, said, lines)
	return nil
}

// at is a time where the schedule's people are.
func (c *change) at(t time.Time) string {
	location := c.rota.location
	if location == nil {
		location = time.UTC
	}
	return t.In(location).Format("Mon 02 Jan 15:04 MST")
}

// who is who has an incident.
func who(inc *incident.Incident) string {
	switch ack := inc.Acknowledgement; {
	case ack == nil:
		return "nobody has it"
	case ack.Asked != nil:
		return fmt.Sprintf("%s has it and %s asked to take it over", ack.By, on(ack.Asked.To))
	default:
		return ack.By + " has it"
	}
}

// on is "ben is", or of several "ben and eva are".
func on(people []string) string {
	if len(people) == 1 {
		return people[0] + " is"
	}
	return strings.Join(people, " and ") + " are"
}

func many(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// short is the beginning of a text.
func short(text string) string {
	if runes := []rune(text); len(runes) > longestSaid {
		return string(runes[:longestSaid-1]) + "…"
	}
	return text
}
