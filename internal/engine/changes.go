package engine

import (
	"context"
	"maps"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// noteChanges lets an alert carry what changed last before it began, as rules in mode shadow saw it: it is part of the first message.
func noteChanges(ctx context.Context, tx *store.Tx, a *incident.Alert) error {
	if a.Service() == "tocsin" {
		return nil
	}
	changes, err := tx.Shadowed(ctx, a.First.Add(-incident.ChangeAge))
	if err != nil {
		return err
	}
	said := a.Before(changes)
	if said == "" {
		return nil
	}
	notes := map[string]string{incident.BeforeNote: said}
	maps.Copy(notes, a.Annotations) // a rule's own words stand
	a.Annotations = notes
	return nil
}
