package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// oncallFor names who is on call in the schedules that an incident's policy calls or mentions. A schedule that cannot be read names nobody:
// a message does not wait for it.
func (a *App) oncallFor(plan *Plan) func(ctx context.Context, inc *incident.Incident, now time.Time) []string {
	return func(ctx context.Context, inc *incident.Incident, now time.Time) (names []string) {
		policy := plan.Policies[inc.Policy]
		if policy == nil {
			return nil
		}
		var schedules []string
		for _, step := range policy.Steps() {
			if step.Mention != "" {
				schedules = append(schedules, step.Mention)
			}
			for _, target := range step.Notify {
				if name, ok := strings.CutPrefix(target, "schedule:"); ok {
					schedules = append(schedules, name)
				}
			}
		}
		slices.Sort(schedules)
		err := a.store.View(ctx, func(tx *store.Tx) error {
			names = nil
			for _, name := range slices.Compact(schedules) {
				rota := plan.Rotas[name]
				if rota == nil {
					continue
				}
				turn, _, err := rota.Now(ctx, tx, name, now)
				if err != nil {
					return err
				}
				names = append(names, turn.OnCall(now)...)
			}
			return nil
		})
		if err != nil {
			return nil
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
}
