package app

import (
	"maps"
	"slices"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/actions"
	"tocsin/internal/chat"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/outbox"
	"tocsin/notifiers"
)

// newChat is what hears people in chats.
func (a *App) newChat() *chat.Chat {
	calls := actions.NewCalls(a.actions, func() escalation.Program { return a.generationNow().steps })
	return chat.New(chat.Options{Store: a.store, Actions: calls, Oncall: a.newOncall().Duties, Now: time.Now, Log: a.o.Log,
		Gate:   func() *access.Gate { return a.generationNow().gate },
		People: func() map[string]notifiers.Person { return a.generationNow().plan.People },
		Ears: func() (out []notifiers.Hearing) {
			targets := a.generationNow().targets
			for _, name := range ears(targets) {
				out = append(out, targets[name].Notifier.(notifiers.Hearing))
			}
			return out
		},
		URL: func(id string) string {
			plan := a.generationNow().plan
			if id == "" {
				return plan.File.URL
			}
			return plan.url(id)
		},
		Morning: func(now time.Time) time.Time { return a.generationNow().plan.morning(now) },
		Proof: func(al *incident.Alert, by string, now time.Time) string {
			return a.generationNow().plan.proof(al, by, now)
		}})
}

// ears are the targets at which people answer, one for each account: their names, in order.
func ears(targets map[string]outbox.Target) []string {
	var out []string
	known := map[string]bool{"": true}
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		if h, ok := targets[name].Notifier.(notifiers.Hearing); ok && !known[h.Ear()] {
			known[h.Ear()] = true
			out = append(out, name)
		}
	}
	return out
}

// morningHour is when the morning is, by the clock of those who are on call.
const morningHour = 9

// morning is the next one that is at least an hour ahead, in the time zone of the first schedule by name; without one in UTC.
func (p *Plan) morning(now time.Time) time.Time {
	zone := time.UTC
	for _, name := range slices.Sorted(maps.Keys(p.Rotas)) {
		if r := p.Rotas[name]; r != nil {
			zone = r.Zone()
			break
		}
	}
	local := now.Add(time.Hour).In(zone)
	next := time.Date(local.Year(), local.Month(), local.Day(), morningHour, 0, 0, 0, zone)
	if next.Before(local) {
		next = time.Date(local.Year(), local.Month(), local.Day()+1, morningHour, 0, 0, 0, zone)
	}
	return next
}
