package incident_test

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"tocsin/internal/actions"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/outbox"
	"tocsin/internal/routing"
	"tocsin/internal/setting"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// persons are who can be asked: ben has direct messages, eva a telephone, cleo is only mentioned.
var persons = map[string][]string{"ana": nil, "ben": nil, "cleo": {"cleo@example.com"}, "eva": nil}

// day is when scripts begin: a Wednesday, in working hours.
var day = time.Date(2019, 1, 23, 12, 0, 0, 0, time.UTC)

// traits are the receivers of the world: people and few are channels, oncall and second pagers, hook is told anew each time.
var traits = map[string]incident.Traits{
	"people": {Edits: true}, "few": {Edits: true}, "oncall": {Pages: true}, "second": {Pages: true}, "hook": {},
	"person:ben": {Edits: true, Direct: true}, "person:eva": {Direct: true},
}

// world is a store with all that works on incidents, where time goes by the commands. Providers accept everything.
type world struct {
	db      *store.Store
	desk    *store.Desk
	steps   *escalation.Escalation
	box     *outbox.Outbox
	actions *actions.Actions
	rotas   map[string]*escalation.Rota
	now     time.Time
	muted   time.Time // the channels and policies are mute until then
	route   string    // if set, the receiver of critical incidents beside people; pagers: they alone
	said    []string
	told    []notifiers.Notice
	names   map[string]string // incident ids → #1, #2
	// answered are the pages, as "receiver key", at which it was said that an incident is resolved.
	answered map[string][]string
}

type acceptor struct{ w *world }

func (a acceptor) Send(_ context.Context, n notifiers.Notice) (string, error) {
	a.w.told = append(a.w.told, n)
	if n.Kind == incident.Message && n.Parent != "" && !n.Rings {
		return n.Parent, nil
	}
	return n.Target + "/" + n.Key, nil
}
func (a acceptor) Preview(n notifiers.Notice) string { return n.Text }

func newWorld(ctx context.Context) (*world, error) {
	db, err := store.Open(ctx, ":memory:", store.Options{Now: func() time.Time { return day.Add(-24 * time.Hour) }})
	if err != nil {
		return nil, err
	}
	w := &world{db: db, now: day, names: map[string]string{}, answered: map[string][]string{}}
	intervals, wrong := routing.NewIntervals(map[string][]routing.Interval{"noon": {{Times: []routing.TimeRange{{Start: "13:00", End: "14:00"}}}}})
	holding, errs := routing.NewHolding(
		map[string]routing.Window{"upgrade": {During: []string{"noon"}, Matchers: []string{`cluster="w"`}, Reason: "nodes are replaced"}},
		[]*routing.Inhibition{{SourceMatchers: []string{`rule="big"`}, TargetMatchers: []string{`rule=~"small|big"`}, Equal: []string{"service"}}}, intervals)
	if len(wrong)+len(errs) > 0 {
		return nil, fmt.Errorf("what holds: %v %v", wrong, errs)
	}
	w.desk = &store.Desk{Direct: w.direct, Held: holding.Holders, Inhibits: true, Traits: traits, Project: "prow", People: persons, ByHand: func(rule string) bool { return rule == "hand" }}
	minute := setting.Duration(time.Minute)
	known := escalation.Known{Receivers: []string{"people", "few", "oncall", "second", "hook"}, Schedules: []string{"rota"}}
	program := escalation.Program{Plans: map[string]*escalation.Plan{}, Rotas: map[string]*escalation.Rota{}, Fallback: "people", Desk: w.desk}
	for name, p := range map[string]escalation.Policy{
		"urgent":  {Steps: []escalation.Step{{Notify: []string{"oncall", "hook"}}, {After: 10 * minute, Notify: []string{"oncall", "second"}, Mention: "rota"}}, Repeat: 1, Every: 30 * minute},
		"unheard": {Steps: []escalation.Step{{After: 30 * minute, Mention: "rota"}, {After: 60 * minute, Notify: []string{"oncall"}}}},
	} {
		plan, errs := escalation.NewPlan(p, known)
		if len(errs) > 0 {
			return nil, fmt.Errorf("policy %s: %v", name, errs)
		}
		program.Plans[name] = plan
	}
	rota, errs := escalation.NewRota(escalation.Schedule{Layer: escalation.Layer{Rotation: []string{"ana", "ben"}, Every: setting.Duration(168 * time.Hour), Starts: day}, Handover: "people"},
		[]escalation.Person{{Name: "ana"}, {Name: "ben"}}, nil)
	if len(errs) > 0 {
		return nil, fmt.Errorf("rota: %v", errs)
	}
	program.Rotas["rota"] = rota
	w.rotas = program.Rotas
	w.steps = escalation.New(db, func() escalation.Program { return program }, nil)
	targets := map[string]outbox.Target{}
	for name, t := range traits {
		targets[name] = outbox.Target{Notifier: acceptor{w}, Traits: notifiers.Traits(t)}
	}
	w.box = outbox.New(db, outbox.Options{Targets: targets, Fallback: "people", Told: w.heard})
	w.actions = actions.New(db, func() *store.Desk { return w.desk })
	return w, nil
}

// direct routes as the shipped example does: by severity.
func (w *world) direct(inc *incident.Incident, at time.Time) incident.Direction {
	d := incident.Direction{}
	switch inc.Severity {
	case incident.Critical:
		d = incident.Direction{Receivers: []string{"people"}, Policy: "urgent"}
		if w.route == "pagers" { // alone
			d.Receivers = []string{"oncall"}
		} else if w.route != "" {
			d.Receivers = append(d.Receivers, w.route)
		}
	case incident.High:
		d = incident.Direction{Receivers: []string{"people"}, Policy: "unheard"}
	case incident.Warning:
		d = incident.Direction{Receivers: []string{"few"}}
	}
	if at.Before(w.muted) {
		d = incident.Direction{Held: []incident.Holder{{By: "mute time", Until: w.muted, Receivers: d.Receivers, Policy: d.Policy}}, Recheck: w.muted}
	}
	return d
}

// name is how scripts call an incident or a key made of its id.
func (w *world) name(id string) string {
	id, rest, more := strings.Cut(id, ".")
	if w.names[id] == "" {
		w.names[id] = fmt.Sprintf("#%d", len(w.names)+1)
	}
	if more {
		return w.names[id] + "." + rest
	}
	return w.names[id]
}

func (w *world) id(name string) string {
	for id, n := range w.names {
		if n == name {
			return id
		}
	}
	return name
}

// heard writes down what was told.
func (w *world) heard(at time.Time, n notifiers.Notice, text string) {
	key := n.Key
	if n.Kind == incident.Message || n.Kind == incident.Post {
		key = n.Incident.ID
	}
	line := fmt.Sprintf("  %s %s %s %s", at.Sub(day), n.Kind, n.Target, w.name(key))
	if n.Kind != incident.CallAcknowledge && n.Kind != incident.CallResolve {
		line += " " + string(n.Reason)
	}
	if n.Rings {
		line += " rings"
	}
	if n.Kind == incident.Message {
		text = string(n.Incident.State) + " " + n.Incident.Severity.String() + " " + n.Incident.Title
	}
	if text != "" {
		line += ": " + w.plain(text)
	}
	for _, p := range n.People {
		line += " @" + p.Name
	}
	w.said = append(w.said, line)
}

// plain puts names in the place of ids.
func (w *world) plain(text string) string {
	for id, name := range w.names {
		text = strings.ReplaceAll(text, id, name)
	}
	return text
}

// run lets time go to a moment: what is due is done, the earliest first.
func (w *world) run(ctx context.Context, to time.Time) error {
	for range 10000 {
		var steps, rows time.Time
		err := w.db.View(ctx, func(tx *store.Tx) (err error) {
			if steps, err = tx.NextIncidentDue(ctx); err != nil {
				return err
			}
			rows, err = tx.NextNotificationDue(ctx, "")
			return err
		})
		if err != nil {
			return err
		}
		stepsDue, rowsDue := !steps.IsZero() && !steps.After(to), !rows.IsZero() && !rows.After(to)
		switch {
		case stepsDue && (!rowsDue || !rows.Before(steps)):
			w.now = latest(w.now, steps)
			_, err = w.steps.Step(ctx, w.now)
		case rowsDue:
			w.now = latest(w.now, rows)
			_, err = w.box.Step(ctx, w.now)
		default:
			w.now = latest(w.now, to)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("there is no end to what is due at %s", w.now.Sub(day))
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// do lets something happen among the incidents of the project, as the engine does.
func (w *world) do(ctx context.Context, what func(b *incident.Book)) error {
	return w.db.Update(ctx, func(tx *store.Tx) error {
		related, err := tx.Related(ctx, "prow", w.now.Add(-incident.ReopenWithin))
		if err != nil {
			return err
		}
		book := incident.NewBook(w.now, related)
		book.Damp(w.desk.Damping)
		what(book)
		return w.desk.Settle(ctx, tx, w.now, book)
	})
}

// firing is the alert that fires for a key, if one does.
func (w *world) firing(ctx context.Context, key incident.Key) (a incident.Alert, ok bool, err error) {
	err = w.db.View(ctx, func(tx *store.Tx) (err error) {
		a, ok, err = tx.FiringAlert(ctx, key)
		return err
	})
	return a, ok, err
}

// all are the incidents by their names.
func (w *world) all(ctx context.Context) ([]incident.Incident, error) {
	var list []incident.Incident
	err := w.db.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Incidents(ctx, store.IncidentFilter{})
		return err
	})
	slices.Reverse(list)
	for i := range list {
		w.name(list[i].ID)
	}
	sort.Slice(list, func(i, j int) bool { return w.name(list[i].ID) < w.name(list[j].ID) })
	return list, err
}

// rows are an incident's notifications.
func (w *world) rows(ctx context.Context, id string) (list []incident.Notification, err error) {
	err = w.db.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Notifications(ctx, id)
		return err
	})
	return list, err
}

// describe is an incident in a line.
func (w *world) describe(inc *incident.Incident) string {
	line := fmt.Sprintf("  %s %s %s %q", w.name(inc.ID), inc.State, inc.Severity, inc.Title)
	var firing, over []string
	for _, a := range inc.Alerts {
		if a.State == incident.Firing {
			firing = append(firing, a.Rule+a.Labels["service"])
		} else {
			over = append(over, a.Rule+a.Labels["service"])
		}
	}
	sort.Strings(firing)
	sort.Strings(over)
	line += fmt.Sprintf(" firing %v", firing)
	if len(over) > 0 {
		line += fmt.Sprintf(" over %v", over)
	}
	if inc.Acknowledgement != nil {
		line += " by " + inc.Acknowledgement.By
	}
	if inc.MergedInto != "" {
		line += " in " + w.name(inc.MergedInto)
	}
	if !inc.Due.IsZero() {
		line += " due " + inc.Due.Sub(day).String()
	}
	return line
}
