package app

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// routedBy is the fact that names the configuration by which all open incidents have been routed, or are about to be.
const routedBy = "routed_by"

// reroute has every open incident routed anew by the escalation's next steps, if the store has not seen this plan yet: who hears of it by
// the new routes must not wait for its next entry.
func reroute(ctx context.Context, s *store.Store, plan *Plan, now time.Time) error {
	err := s.Update(ctx, func(tx *store.Tx) error {
		seen, err := tx.Fact(ctx, routedBy)
		if err != nil || seen == plan.revision() {
			return err
		}
		open, err := tx.Incidents(ctx, store.IncidentFilter{States: []incident.State{incident.Open, incident.Acknowledged}})
		if err != nil {
			return err
		}
		for i := range open {
			open[i].Escalation.Recheck, open[i].Due = now, now
			if err := tx.SaveIncident(ctx, &open[i]); err != nil {
				return err
			}
		}
		return tx.SetFact(ctx, routedBy, plan.revision())
	})
	if err != nil {
		return fmt.Errorf("route open incidents anew: %w", err)
	}
	return nil
}
