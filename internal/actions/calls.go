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
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// Calls lets people call others: the next step of a policy, or one person.
type Calls struct {
	*Actions
	program func() escalation.Program
}

// NewCalls makes Calls. program is asked each time for the policies and schedules in force.
func NewCalls(a *Actions, program func() escalation.Program) *Calls { return &Calls{a, program} }

// Escalate lets the next step of an incident's policy be taken now, whatever its time; those behind it count from there. Who has
// acknowledged it has it no more.
func (c *Calls) Escalate(ctx context.Context, id, by string, now time.Time) error {
	if by = strings.TrimSpace(by); by == "" || len(by) > 200 {
		return &Error{Reason: "invalid", Text: "say who you are, in at most 200 characters"}
	}
	return c.store.Update(ctx, func(tx *store.Tx) error {
		inc, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		p := c.program()
		plan := p.Plans[inc.Policy]
		if text := c.unescalated(&inc, plan); text != "" {
			return &Error{Reason: "conflict", Text: text}
		}
		hastened, ok := plan.Hasten(inc.Escalation, now)
		if !ok {
			return &Error{Reason: "conflict", Text: fmt.Sprintf("policy %s leaves it to the pager to escalate: do it there", inc.Policy)}
		}
		if hastened.Next.After(now) {
			return &Error{Reason: "conflict", Text: fmt.Sprintf("the next step waits for its time of day, until %s: call somebody by name", hastened.Next.UTC().Format("Mon 15:04 UTC"))}
		}
		book := incident.NewBook(now, []incident.Incident{inc})
		book.Escalate(book.Get(inc.ID), by, hastened)
		if err := access.Record(ctx, tx, now, access.Deed{Who: by, Deed: "escalate", About: "incident " + inc.ID}); err != nil {
			return err
		}
		return c.desk().Settle(ctx, tx, now, book)
	})
}

// unescalated says why nobody can be called for an incident; "" if somebody can.
func (c *Calls) unescalated(inc *incident.Incident, plan *escalation.Plan) string {
	switch {
	case inc.State != incident.Open && inc.State != incident.Acknowledged:
		return fmt.Sprintf("incident %s is %s already", inc.ID, inc.State)
	case inc.IsStorm():
		return "this stands for other incidents: escalate those"
	case inc.Policy == "" && len(inc.Holds) > 0:
		return fmt.Sprintf("nobody is called: it is held by %s", inc.Holds[0])
	case plan == nil:
		return "no escalation policy belongs to it, so that there is no step to take; call somebody by name"
	}
	return ""
}

// Call declares an incident by which one person is called now, beside whom the routes tell: who is the name of one of the people, or of a
// schedule for whoever is on call in it. It returns the incident's id and whom it calls.
func (c *Calls) Call(ctx context.Context, who string, d incident.Declaration, now time.Time) (id string, called []string, err error) {
	if err := prepareDeclaration(&d, c.desk().Project); err != nil {
		return "", nil, err
	}
	id, err = c.declare(ctx, d, now, func(tx *store.Tx, book *incident.Book, inc *incident.Incident) error {
		var targets []string
		if called, targets, err = c.reach(ctx, tx, who, now); err != nil {
			return err
		}
		book.Ring(inc, incident.Ringing{Targets: targets, Reason: incident.ReasonEscalated, Kind: incident.EventEscalated,
			Who: strings.Join(called, ", "), Text: fmt.Sprintf("called by %s: %s", d.By, d.Title)})
		return access.Record(ctx, tx, now, access.Deed{Who: d.By, Deed: "call", About: "incident " + inc.ID, Detail: strings.Join(called, ", ")})
	})
	return id, called, err
}

// reach is whom a name stands for, and how each is told directly.
func (c *Calls) reach(ctx context.Context, tx *store.Tx, who string, now time.Time) (people, targets []string, err error) {
	traits := c.desk().Traits
	known := []string{}
	for target := range traits {
		if name, ok := strings.CutPrefix(target, escalation.PersonTarget("")); ok {
			known = append(known, name)
		}
	}
	people = []string{who}
	rotas := c.program().Rotas
	if _, direct := traits[escalation.PersonTarget(who)]; !direct && rotas[who] != nil {
		rota, _, err := rotas[who].Now(ctx, tx, who, now)
		if err != nil {
			return nil, nil, err
		}
		if people = rota.OnCall(now); len(people) == 0 {
			return nil, nil, &Error{Reason: "conflict", Text: fmt.Sprintf("nobody is on call in schedule %s now: name a person", who)}
		}
	}
	for _, name := range people {
		target := escalation.PersonTarget(name)
		if _, ok := traits[target]; !ok {
			slices.Sort(known)
			return nil, nil, &Error{Reason: "not_found", Text: fmt.Sprintf("%.60q is nobody who can be told directly, and no schedule; there are %s", name,
				strings.Join(append(known, slices.Sorted(maps.Keys(rotas))...), ", "))}
		}
		targets = append(targets, target)
	}
	return people, targets, nil
}
