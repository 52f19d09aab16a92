package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"tocsin/internal/engine"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/notifiers"
	"tocsin/rules"
)

// Replay says what a plan would have told to whom and when, had it seen these entries, without sending anything. Time goes by the
// entries: the same entries give the same telling, however they are cut into batches. Nobody acknowledges.
type Replay struct {
	Plan *Plan
	// Entries yields the batches in order; io.EOF ends them.
	Entries func() (logs.Batch, error)
	// Until is when to stop; zero is the last entry.
	Until time.Time
	// Tell gets what happens, in time order.
	Tell Teller
	// Keep, if set, gets the store when the replay has come to its end; it is gone once Run returns.
	Keep func(ctx context.Context, db *store.Store) error
	// Read, if set, hears of each batch that was read: the time of its first entry, and up to when it brought the clock.
	Read func(from, to time.Time)
	// Counts are what was read, and Ended when it ended, once Run has returned.
	Counts engine.Counts
	Ended  time.Time
	// Begun, if set, is given what says of which rules alerts fire, before the first entry.
	Begun func(firing func(rule string) bool)
}

// Teller hears what a replay comes to.
type Teller interface {
	Alert(at time.Time, a incident.Alert, incidentID string)
	Incident(at time.Time, inc *incident.Incident)
	Notification(at time.Time, n notifiers.Notice, kind string, page bool, text string)
}

// Run replays to the end, or until ctx ends.
func (r *Replay) Run(ctx context.Context) error {
	db, err := store.Open(ctx, ":memory:", store.Options{})
	if err != nil {
		return fmt.Errorf("open a store in memory: %w", err)
	}
	defer db.Close()
	desk := r.Plan.desk(r.Tell.Incident)
	eng, err := engine.New(ctx, db, engine.Options{Program: r.Plan.withoutCanary().program(desk), Virtual: true,
		Changed: func(c rules.Change, id string) { r.Tell.Alert(c.At, c.Alert, id) }})
	if err != nil {
		return err
	}
	if r.Begun != nil {
		r.Begun(eng.Firing)
	}
	targets, err := r.Plan.targets()
	if err != nil {
		return err
	}
	for name, t := range targets {
		t.Notifier = recorder{t.Notifier}
		targets[name] = t
	}
	box := outbox.New(db, outbox.Options{Targets: targets, People: r.Plan.People, URL: r.Plan.url, Fallback: r.Plan.File.Fallback,
		Told: func(at time.Time, n notifiers.Notice, text string) {
			r.Tell.Notification(at, n, r.Plan.kindOf(n.Target), n.Kind == incident.Call && targets[n.Target].Traits.Pages, text)
		}})
	esc := escalation.New(db, func() escalation.Program { return r.Plan.escalation(desk) }, nil)
	entries := recorded{next: r.Entries}
	defer func() { r.Counts = eng.Counts() }()
	d := driver{store: db, engine: eng, escalation: esc, outbox: box}
	if err := r.play(ctx, &entries, &d); err != nil {
		return err
	}
	end := entries.end(eng.Clock())
	if !r.Until.IsZero() {
		end = r.Until
	}
	r.Ended = end
	if err := d.run(ctx, end); err != nil || r.Keep == nil {
		return err
	}
	return r.Keep(ctx, db)
}

// play offers the entries and does what is due between them, up to the last entry or to Until.
func (r *Replay) play(ctx context.Context, entries *recorded, d *driver) error {
	for {
		b, err := entries.batch()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := d.engine.Offer(ctx, b); err != nil {
			return err
		}
		clock := d.engine.Clock()
		if r.Read != nil {
			r.Read(firstTime(b), clock)
		}
		if !r.Until.IsZero() && clock.After(r.Until) {
			return nil
		}
		if clock.IsZero() || !d.may(clock) {
			continue
		}
		if err := d.run(ctx, clock.Add(-1)); err != nil { // more entries of that very instant may follow
			return err
		}
	}
}

// firstTime is that of the first entry of a batch that says one.
func firstTime(b logs.Batch) (at time.Time) {
	b.Walk(time.Time{}, func(e *logs.Entry) bool {
		at = e.Time()
		return at.IsZero()
	})
	return at
}

// driver runs the three steps in virtual time from one goroutine, earliest first; of what is due at one instant the engine first,
// then the escalation, then the outbox.
type driver struct {
	store      *store.Store
	engine     *engine.Engine
	escalation *escalation.Escalation
	outbox     *outbox.Outbox
	// next is when something was due, as run saw it last; zero for nothing.
	next time.Time
	ran  bool
}

// Matches are judged together, because each time the states of their groups are read and written: as soon as so many wait, or the first
// does for so long by the clock of the entries. Beyond that it would be asked in vain who is alive of what does not fire.
const (
	manyWait = 1000
	longWait = 2 * time.Minute
)

// may says whether anything can have become due before clock since run saw it last, or enough waits.
func (d *driver) may(clock time.Time) bool {
	if !d.ran || !d.next.IsZero() && d.next.Before(clock) {
		return true
	}
	n, age := d.engine.Waiting()
	return n >= manyWait || age >= longWait
}

// run does all that is due up to limit, itself included.
func (d *driver) run(ctx context.Context, limit time.Time) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		matches, err := d.engine.Next(ctx)
		if err != nil {
			return err
		}
		var steps, rows time.Time
		err = d.store.View(ctx, func(tx *store.Tx) (err error) {
			if steps, err = tx.NextIncidentDue(ctx); err != nil {
				return err
			}
			rows, err = tx.NextNotificationDue(ctx, "")
			return err
		})
		if err != nil {
			return err
		}
		others := least(steps, rows)
		d.next, d.ran = least(matches, others), true
		switch {
		case !matches.IsZero() && !matches.After(limit) && (others.IsZero() || !others.Before(matches)):
			to := limit
			if !others.IsZero() && others.Before(to) {
				to = others
			}
			_, err = d.engine.Step(ctx, to)
		case others.IsZero() || others.After(limit):
			return nil
		case steps.Equal(others):
			_, err = d.escalation.Step(ctx, steps)
		default:
			_, err = d.outbox.Step(ctx, rows)
		}
		if err != nil {
			return err
		}
	}
}

// least is the earlier of two times, of which zero is none.
func least(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// recorder accepts everything and sends nothing.
type recorder struct{ notifiers.Notifier }

func (recorder) Send(_ context.Context, n notifiers.Notice) (string, error) {
	if n.Parent != "" {
		return n.Parent, nil
	}
	return "replay/" + n.Key, nil
}

// url is the address of an incident's page.
func (p *Plan) url(id string) string {
	if p.File.URL == "" {
		return ""
	}
	return p.File.URL + "/incidents/" + id
}

// kindOf is a receiver's kind of notifier.
func (p *Plan) kindOf(receiver string) string {
	if direct, ok := p.Direct[receiver]; ok {
		receiver = direct.Via
	}
	if m := p.File.Receivers[receiver].Members(); len(m) > 0 {
		return m[0].Key
	}
	return ""
}

// Remarks are what somebody should know who reads the result: entries that were not what they promise, or came too late to count.
func (r *Replay) Remarks() []string {
	var out []string
	c := r.Counts
	if c.Entries == 0 {
		out = append(out, "there were no entries")
	}
	if c.Broken > 0 {
		out = append(out, fmt.Sprintf("%d of %d entries were broken (cut, not UTF-8, or nested too deep) and were read as text", c.Broken, c.Entries))
	}
	if c.Future > 0 {
		out = append(out, fmt.Sprintf("%d entries are dated more than a day ahead", c.Future))
	}
	for _, rule := range slices.Sorted(maps.Keys(r.Plan.Rules.Aside())) {
		out = append(out, fmt.Sprintf("the rule %s panicked and was asked no further: %s", rule, r.Plan.Rules.Aside()[rule].Why))
	}
	if c.Late > 0 {
		out = append(out, fmt.Sprintf("%d entries that matched came too late to count: lines must be in the order they were received, oldest first (an array that gcloud writes is turned, lines are not)", c.Late))
	}
	return out
}
