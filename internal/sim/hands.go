package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"tocsin/internal/actions"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// hands are the people who do more than answer: who declare, merge, split, ask another, note, and end what only a person ends. What they
// do is drawn by itself, so that a world without them goes on as it would.
type hands struct {
	*rand.Rand
	// busy says that this world has them.
	busy  bool
	count int
	// declared is what has been declared, to be declared again.
	declared []incident.Declaration
}

func newHands(seed uint64) hands {
	r := rand.New(rand.NewPCG(seed, 4))
	return hands{Rand: r, busy: chanceOf(r, 0.28)}
}

// colleagues are the stage's people.
var colleagues = []string{"first", "second"}

// leak is a line, or two close together, that a rule finds which only a person ends: from the first to the last.
type leak struct {
	key      incident.Key
	from, to time.Time
}

// leaks writes what only a person ends: single lines, of which each one fires, and drips, of which two do.
func (s *script) leaks(clusters int) {
	h := &s.w.hands
	if !h.busy {
		return
	}
	put := func(at time.Time, cluster, service, what string) {
		received := at.Add(between(h.Rand, 0, 2*time.Second))
		s.lines = append(s.lines, line{at: at, received: received, cluster: cluster, service: service, what: what, severity: "ERROR",
			id: fmt.Sprintf("%d-%s-%s-", len(s.lines), cluster, what)})
	}
	for c := range clusters {
		for _, service := range []string{"hook", "deck", "tide"} {
			if !chanceOf(h.Rand, 0.4) {
				continue
			}
			what := []string{"leak", "leak", "drip"}[h.IntN(3)]
			cluster := fmt.Sprintf("c%d", c)
			key := incident.Key{Rule: what, Group: incident.Labels{"cluster": cluster, "service": service}.Text()}
			for at := s.w.began.Add(between(h.Rand, 30*time.Minute, 12*time.Hour)); at.Before(s.w.began.Add(span - 2*time.Hour)); {
				k := leak{key: key, from: at, to: at}
				put(at, cluster, service, what)
				if what == "drip" {
					k.to = at.Add(between(h.Rand, 3*time.Second, time.Minute))
					put(k.to, cluster, service, what)
				}
				s.w.model.leaks = append(s.w.model.leaks, k)
				at = k.to.Add(between(h.Rand, 6*time.Minute, 30*time.Minute))
				if chanceOf(h.Rand, 0.7) {
					at = at.Add(between(h.Rand, time.Hour, 9*time.Hour))
				}
			}
		}
	}
}

// plans puts what people will do into the agenda.
func (w *World) plans() {
	if !w.hands.busy {
		return
	}
	for at := w.began; at.Before(w.began.Add(span)); {
		at = at.Add(between(w.hands.Rand, time.Minute, 3*time.Hour))
		w.agenda.add(at, w.deed)
	}
}

// soon lets somebody do something while it still rings.
func (w *World) soon() {
	if w.hands.busy && !w.s.Calm && chanceOf(w.hands.Rand, 0.1) {
		w.agenda.add(w.now.Add(between(w.hands.Rand, 0, 20*time.Second)), w.deed)
	}
}

// deed is something that a person does, of what can be done just now.
func (w *World) deed() {
	if w.life == nil || w.now.Before(w.frozen) || w.healed {
		return
	}
	h := &w.hands
	h.count++
	d := deed{who: fmt.Sprintf("hand-%d", h.count)}
	alive := w.alive()
	switch n := h.IntN(14); {
	case n < 2:
		w.declare(&d)
	case n == 2 && len(h.declared) > 0:
		w.declareAgain(&d)
	case n < 6:
		w.merge(&d, alive)
	case n < 8:
		w.split(&d, alive)
	case n < 10:
		w.askFor(&d, alive)
	case n < 11:
		w.note(&d)
	default:
		w.endByHand(&d, alive)
	}
	if d.do != nil {
		w.perform(&d)
	}
}

// alive are the incidents that are open or acknowledged.
func (w *World) alive() (out []incident.Incident) {
	w.view(func(tx *store.Tx) (err error) {
		out, err = tx.Incidents(w.ctx, store.IncidentFilter{States: []incident.State{incident.Open, incident.Acknowledged}})
		return err
	})
	return out
}

// declare lets somebody declare what no rule has found.
func (w *World) declare(d *deed) {
	h := &w.hands
	what := incident.Declaration{Title: fmt.Sprintf("something is wrong, the %dth", len(h.declared)+1), By: d.who, Severity: incident.High,
		Labels: incident.Labels{"project": "k8s-prow", "cluster": fmt.Sprintf("c%d", h.IntN(2))}}
	if chanceOf(h.Rand, 0.6) {
		what.Severity = incident.Critical
	}
	if chanceOf(h.Rand, 0.5) {
		what.Labels["service"] = []string{"hook", "deck", "tide"}[h.IntN(3)]
	}
	h.declared = append(h.declared, what)
	w.declares(d, what)
}

// declareAgain lets somebody else declare what one has declared before.
func (w *World) declareAgain(d *deed) {
	what := w.hands.declared[w.hands.IntN(len(w.hands.declared))]
	what.By = d.who
	if w.firing(what.Key()) != "" {
		d.refused = "conflict"
	}
	w.declares(d, what)
}

func (w *World) declares(d *deed, what incident.Declaration) {
	var id string
	d.name = "declare"
	d.do = func(a *actions.Actions, now time.Time) (err error) {
		id, err = a.Declare(w.ctx, what, now)
		return err
	}
	d.done = func(time.Time) { w.declaredAs(d, what, id) }
}

// firing is the incident that is open or acknowledged in which a (rule, group) fires; "" for none.
func (w *World) firing(key incident.Key) string {
	for _, inc := range w.alive() {
		if a := inc.Alert(key); a != nil && a.State == incident.Firing {
			return inc.ID
		}
	}
	return ""
}

// merge lets somebody make one of two incidents; now and then one that is over already, which cannot be.
func (w *World) merge(d *deed, alive []incident.Incident) {
	h := &w.hands
	if len(alive) < 2 {
		return
	}
	i := h.IntN(len(alive))
	j := (i + 1 + h.IntN(len(alive)-1)) % len(alive)
	from, into := alive[i], alive[j]
	switch n := h.IntN(20); {
	case n == 0:
		into, d.refused = from, "invalid"
	case n == 1:
		for _, id := range w.model.order {
			if k := w.model.known[id]; k.inc.State == incident.Merged {
				into, d.refused = k.inc, "conflict"
			}
		}
	case n < 7 && into.Acknowledgement != nil:
		d.who = into.Acknowledgement.By
	case n < 10 && from.Acknowledgement != nil:
		d.who = from.Acknowledgement.By
	}
	d.name, d.about = "merge", "incident "+from.ID
	d.do = func(a *actions.Actions, now time.Time) error { return a.Merge(w.ctx, from.ID, into.ID, d.who, now) }
	d.done = func(now time.Time) { w.mergedByHand(d, &from, &into, now) }
}

// split lets somebody make an incident of its own of an alert that fires in another.
func (w *World) split(d *deed, alive []incident.Incident) {
	h := &w.hands
	alive = slices.DeleteFunc(slices.Clone(alive), func(inc incident.Incident) bool { return len(inc.Alerts) < 2 })
	if len(alive) == 0 {
		return
	}
	inc := alive[h.IntN(len(alive))]
	fires := firingOf(&inc)
	if len(fires) == 0 {
		return
	}
	key := fires[h.IntN(len(fires))]
	var own string
	d.name, d.about = "split off", "incident "+inc.ID
	d.do = func(a *actions.Actions, now time.Time) (err error) {
		own, err = a.Split(w.ctx, inc.ID, key, d.who, now)
		return err
	}
	d.done = func(now time.Time) { w.splitOff(d, &inc, key, own, now) }
}

// firingOf are the (rule, group)s that fire in an incident.
func firingOf(inc *incident.Incident) (keys []incident.Key) {
	for i := range inc.Alerts {
		if inc.Alerts[i].State == incident.Firing {
			keys = append(keys, inc.Alerts[i].Key)
		}
	}
	return keys
}

// askFor lets somebody ask one of the stage's people to take an incident.
func (w *World) askFor(d *deed, alive []incident.Incident) {
	if len(alive) == 0 {
		return
	}
	inc := alive[w.hands.IntN(len(alive))]
	person := colleagues[w.hands.IntN(len(colleagues))]
	if inc.Muzzled() {
		d.refused = "conflict"
	}
	d.name, d.about = "ask", "incident "+inc.ID
	d.do = func(a *actions.Actions, now time.Time) error { return a.Ask(w.ctx, inc.ID, person, d.who, now) }
	d.done = func(now time.Time) { w.askedFor(d, &inc, now) }
}

// note lets somebody write down what they have found, also where it is over.
func (w *World) note(d *deed) {
	if len(w.model.order) == 0 {
		return
	}
	recent := w.model.order[max(0, len(w.model.order)-6):]
	id := recent[w.hands.IntN(len(recent))]
	if !w.model.known[id].seen {
		return // it may have been rolled back
	}
	inc, _, _ := w.whole(id)
	d.name, d.about = "note", "incident "+inc.ID
	d.do = func(a *actions.Actions, now time.Time) error {
		return a.Note(w.ctx, inc.ID, d.who, "it is the disk", now)
	}
	d.done = func(time.Time) { w.noted(d, &inc) }
}

// endByHand lets somebody end an incident, rather one that nothing else ends.
func (w *World) endByHand(d *deed, alive []incident.Incident) {
	if len(alive) == 0 {
		return
	}
	inc := alive[w.hands.IntN(len(alive))]
	for i := range alive {
		if slices.ContainsFunc(alive[i].Alerts, w.onlyByHand) {
			inc = alive[i]
		}
	}
	w.resolves(d, inc)
}

func (w *World) resolves(d *deed, inc incident.Incident) {
	d.name, d.about = "resolve", "incident "+inc.ID
	said := w.now
	d.do = func(a *actions.Actions, now time.Time) error { return a.Resolve(w.ctx, inc.ID, d.who, now) }
	d.done = func(now time.Time) {
		w.model.did(inc.ID, d.who, incident.Resolved)
		w.model.ends(inc.ID, said)
		w.endedByHand(d, &inc, now)
	}
}

// onlyByHand says of an alert that fires that nothing but a person ends it, by the configuration in force.
func (w *World) onlyByHand(a incident.Alert) bool {
	return a.State == incident.Firing && (a.Rule == "leak" || a.Rule == "drip" && w.plan == 0 || a.Declared())
}

// closing lets somebody end what only a person ends, again and again once the faults have stopped: else it would stay for ever.
func (w *World) closing() {
	if !w.hands.busy {
		return
	}
	const every = 20 * time.Minute
	for at := w.now.Add(every); at.Before(w.scriptEnd().Add(drain - time.Hour)); at = at.Add(every) {
		w.agenda.add(at, func() {
			for _, inc := range w.alive() {
				if w.life == nil || w.now.Before(w.frozen) || !slices.ContainsFunc(inc.Alerts, w.onlyByHand) {
					continue
				}
				w.hands.count++
				d := deed{who: fmt.Sprintf("hand-%d", w.hands.count)}
				w.resolves(&d, inc)
				w.perform(&d)
			}
		})
	}
}
