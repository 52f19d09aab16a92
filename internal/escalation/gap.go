package escalation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/store"
)

const (
	// lookAtGap is how often a schedule is asked again for whose people a step waits: an override or another calendar may end the gap
	// sooner than is known.
	lookAtGap = 5 * time.Minute
	// longestUnknown is how long a step waits where it is not known when somebody is on call again; then the fallback is told.
	longestUnknown = 96 * time.Hour
)

// called are those whom a step calls, and what it has nobody for.
type called struct {
	targets, mention []string
	gaps             []gap
}

func (c *called) empty() bool { return len(c.targets)+len(c.mention) == 0 }

func (c *called) add(target string) {
	if target != "" && !slices.Contains(c.targets, target) {
		c.targets = append(c.targets, target)
	}
}

// join adds those of another step.
func (c *called) join(other called) {
	for _, t := range other.targets {
		c.add(t)
	}
	for _, m := range other.mention {
		if !slices.Contains(c.mention, m) {
			c.mention = append(c.mention, m)
		}
	}
	c.gaps = append(c.gaps, other.gaps...)
}

// gap is somebody missing.
type gap struct {
	// schedule is that on which nobody is on call; empty where it is the step's own times that are not now.
	schedule string
	// next is when there is somebody, as far as is known.
	next time.Time
	// location is where its people are.
	location *time.Location
	// hold says that the step waits, else the fallback is told. known says that it was said before.
	hold, known bool
	// unreachable are the people who are on call and cannot be told directly.
	unreachable []string
}

// text says it to people.
func (g gap) text(fallback string) string {
	until := ""
	if !g.next.IsZero() {
		location := g.location
		if location == nil {
			location = time.UTC
		}
		until = " until " + g.next.In(location).Format("Mon 2006-01-02 15:04 MST")
	}
	text := fmt.Sprintf("nobody is on call in %s%s", g.schedule, until)
	switch {
	case g.schedule == "":
		text = "nobody is called" + until
	case len(g.unreachable) > 0:
		text = fmt.Sprintf("%s cannot be told directly", strings.Join(g.unreachable, ", "))
	case until == "":
		text += ", and it is not known until when"
	}
	if g.hold {
		return text + "; the step waits"
	}
	return text + "; " + fallback + " hears of it"
}

// look is when a gap is to be looked at again.
func look(now time.Time, g gap) time.Time {
	again := now.Add(lookAtGap)
	if g.schedule == "" || !g.next.IsZero() && g.next.Before(again) {
		return g.next
	}
	return again
}

// LookAgain lets the steps that wait for a schedule look at once, and whoever comes on shift by it hear of it: somebody was put on call, or another copy of it was read.
func LookAgain(ctx context.Context, tx *store.Tx, schedule string, now time.Time) error {
	if err := tx.LookAtShift(ctx, schedule, now); err != nil {
		return err
	}
	soon, err := tx.DueIncidents(ctx, now.Add(lookAtGap), 100_000) // none that waits for a schedule looks later
	if err != nil {
		return err
	}
	for i := range soon {
		inc := &soon[i]
		waits := false
		for n := range inc.Escalation.Held {
			if h := &inc.Escalation.Held[n]; h.Schedule == schedule && h.Look.After(now) {
				h.Look, waits = now, true
			}
		}
		if !waits {
			continue
		}
		inc.Due = earlier(inc.Due, now)
		if err := tx.SaveIncident(ctx, inc); err != nil {
			return err
		}
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// all stands for all that a step calls, in the place of one schedule.
const all = ""

// calls works out whom a step calls now: all of it, or of it alone those of one schedule.
func (c *climbing) calls(step int, part string) (called, error) {
	var out called
	s := &c.plan.policy.Steps[step]
	policy := c.plan.policy.Gap
	if part == all && policy != "" {
		if opens := c.plan.opens(step, c.now); opens.After(c.now) {
			out.gaps = []gap{{next: opens, hold: policy == GapHold}}
			return out, nil
		}
	}
	for _, schedule := range s.Schedules() {
		if part != all && part != schedule {
			continue
		}
		if err := c.callSchedule(&out, s, schedule); err != nil {
			return out, err
		}
	}
	if part != all {
		return out, nil
	}
	// Receivers stand before the people whom schedules name, in the order of the step.
	people := out.targets
	out.targets = nil
	for _, name := range s.Notify {
		if !strings.HasPrefix(name, schedulePrefix) {
			out.add(name)
		}
	}
	for _, name := range people {
		out.add(name)
	}
	return out, nil
}

// callSchedule adds those who are on call, or the gap.
func (c *climbing) callSchedule(out *called, s *Step, schedule string) error {
	rota := c.p.Rotas[schedule]
	if rota == nil { // another configuration had it
		return nil
	}
	rota, _, err := rota.Now(c.ctx, c.tx, schedule, c.now)
	if err != nil {
		return err
	}
	rule := rota.Gap()
	if c.plan.policy.Gap != "" {
		rule = c.plan.policy.Gap
	}
	oncall := rota.OnCall(c.now)
	if len(oncall) == 0 {
		out.gaps = append(out.gaps, gap{schedule: schedule, next: rota.Next(c.now), location: rota.location, hold: rule == GapHold})
		return nil
	}
	if s.Mention == schedule {
		out.mention = append(out.mention, oncall...)
	}
	if !slices.Contains(s.Notify, schedulePrefix+schedule) {
		return nil
	}
	var unreachable []string
	for _, name := range oncall {
		if _, ok := c.p.Desk.Traits[PersonTarget(name)]; ok {
			out.add(PersonTarget(name))
		} else {
			unreachable = append(unreachable, name)
		}
	}
	if len(unreachable) == len(oncall) {
		out.gaps = append(out.gaps, gap{schedule: schedule, unreachable: unreachable})
	}
	return nil
}

// Copy is what was read last of a schedule that is imported: a fact in the store, so that a restart while its place is out of reach
// goes on with it.
type Copy struct {
	// Of says where it was read; a copy of another place does not count.
	Of string `json:"of"`
	// Body is what was read at FetchedAt; the last that was good.
	Body      string    `json:"body"`
	FetchedAt time.Time `json:"fetched_at,omitzero"`
	// Error is why it could not be read since, at FailedAt; empty if it could.
	Error    string    `json:"error,omitempty"`
	FailedAt time.Time `json:"failed_at,omitzero"`
}

func copyFact(schedule string) string { return "schedule." + schedule }

// ReadCopy is the last copy of an imported schedule; the zero Copy if there is none of that place.
func ReadCopy(ctx context.Context, tx *store.Tx, schedule, of string) (Copy, error) {
	text, err := tx.Fact(ctx, copyFact(schedule))
	if err != nil || text == "" {
		return Copy{}, err
	}
	var c Copy
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return Copy{}, fmt.Errorf("read copy of schedule %s: %w", schedule, err)
	}
	if c.Of != of {
		return Copy{}, nil
	}
	return c, nil
}

// SaveCopy keeps a copy, in the place of the one before.
func SaveCopy(ctx context.Context, tx *store.Tx, schedule string, c Copy) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("keep copy of schedule %s: %w", schedule, err)
	}
	return tx.SetFact(ctx, copyFact(schedule), string(text))
}

// Now is the rota as it is at a time: with the copy of what it imports, and the overrides that were made by command. A copy that
// cannot be read is as none; reading it when it came has said so.
func (r *Rota) Now(ctx context.Context, tx *store.Tx, schedule string, now time.Time) (*Rota, Copy, error) {
	var c Copy
	if from, ok := r.Import(); ok {
		var err error
		if c, err = ReadCopy(ctx, tx, schedule, from.Place()); err != nil {
			return nil, c, err
		}
		if c.Body == "" {
			c.Body = r.first
		}
		if with, err := r.Reading([]byte(c.Body), now); err == nil {
			r = with
		}
	}
	made, err := tx.Overrides(ctx, schedule, now)
	if err != nil {
		return nil, c, err
	}
	overrides := make([]Override, len(made))
	for i, o := range made {
		overrides[i] = Override{Who: o.Person, From: o.From, To: o.To}
	}
	return r.Over(overrides), c, nil
}
