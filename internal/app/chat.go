package app

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

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
		Ears:   func() []notifiers.Hearing { return ears(a.generationNow().targets) },
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

// ears are the targets at which people answer, one for each account, by name.
func ears(targets map[string]outbox.Target) []notifiers.Hearing {
	var out []notifiers.Hearing
	known := map[string]bool{"": true}
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		if h, ok := targets[name].Notifier.(notifiers.Hearing); ok && !known[h.Ear()] {
			known[h.Ear()] = true
			out = append(out, h)
		}
	}
	return out
}

// longestDeaf is the longest pause before it is tried again to hear.
const longestDeaf = 30 * time.Second

// listenTo hears what people do at a provider that is listened to, until ctx ends. Others go on calling meanwhile: what cannot be heard is
// logged, and acknowledged elsewhere.
func (a *App) listenTo(ctx context.Context, ear notifiers.Hearing) {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = longestDeaf
	connected := func() {
		pause.Reset()
		a.o.Log.Info("what people do in Slack comes in over Socket Mode")
	}
	heard := func(ctx context.Context, h notifiers.Heard) (string, error) { return a.chat.Hear(ctx, ear, h) }
	for ctx.Err() == nil {
		err := ear.Listen(ctx, connected, heard)
		if err == nil {
			return // there is nothing to listen to, or it is over
		}
		a.o.Log.Error("what people do in Slack does not come in: trying again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause.NextBackOff()):
		}
	}
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
