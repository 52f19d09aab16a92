package app

import (
	"context"
	"time"

	"tocsin/internal/engine"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// Steps are what the three steps work by under a plan, for whoever drives them on a clock of their own, as the simulation does.
type Steps struct {
	Desk       *store.Desk
	Engine     engine.Program
	Escalation escalation.Program
}

// Steps makes them. changed may be nil; it is called within the transaction with each incident that changed.
func (p *Plan) Steps(changed func(at time.Time, inc *incident.Incident)) Steps {
	desk := p.desk(changed)
	return Steps{Desk: desk, Engine: p.program(desk), Escalation: p.escalation(desk)}
}

// Reroute has every open incident routed anew if the store has not seen this plan yet, as serve does at a start and a reload.
func (p *Plan) Reroute(ctx context.Context, s *store.Store, now time.Time) error {
	return reroute(ctx, s, p.escalation(p.desk(nil)), now)
}
