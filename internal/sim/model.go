package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// model is what the world knows of the service beside the service: who was rung, who did what, and what each incident was when it
// was looked at last.
type model struct {
	episodes []episode
	known    map[string]*known
	order    []string // of known
	dirty    []string
	// epoch is that of the life before, cursors are how far the store said it had read.
	epoch   int64
	cursors map[string]int
	swept   int // when all was looked at last, in steps
	story   map[string]string
	// said is what somebody answered at a pager.
	said map[string]said
	// leaks are what is logged that only a person ends, ended when people ended what, by incident; apart are the incidents that they have split,
	// byHand those that they have merged, one into the other.
	leaks  []leak
	ended  map[string][]time.Time
	apart  [][2]string
	byHand map[string]bool
}

// said is an answer at a pager: to which key of which incident, when, and what fired in it then.
type said struct {
	key      string
	at       time.Time
	incident string
	firing   []incident.Key
}

// known is an incident as it was when it was looked at last.
type known struct {
	seen bool
	inc  incident.Incident
	rows map[int64]incident.Notification
	// rang are the times at which somebody was rung for it, acted what people did that the service said yes to.
	rang  []time.Time
	acted map[string]int
	// since is when, in the world's time, it was opened or an acknowledge of it was taken back last.
	since time.Time
	// acknowledged, over and held say that it was so at when it was so at least once.
	acknowledged, over, held bool
}

func newModel() model {
	return model{known: map[string]*known{}, cursors: map[string]int{}, story: map[string]string{}, said: map[string]said{},
		ended: map[string][]time.Time{}, byHand: map[string]bool{}}
}

func (m *model) of(id string) *known {
	k := m.known[id]
	if k == nil {
		k = &known{rows: map[int64]incident.Notification{}, acted: map[string]int{}}
		m.known[id] = k
		m.order = append(m.order, id)
	}
	return k
}

// touch says that an incident is to be looked at.
func (m *model) touch(id string) {
	if !slices.Contains(m.dirty, id) {
		m.dirty = append(m.dirty, id)
	}
}

// started checks what a new life is.
func (m *model) started(w *World) {
	if e := w.db.Epoch(); e <= m.epoch {
		w.fail("I14", "a life began with epoch %d, that before it had %d", e, m.epoch)
	}
	m.epoch = w.db.Epoch()
}

// rang puts down that somebody was rung.
func (m *model) rang(w *World, p *provider, n *notifiers.Notice) {
	k := m.of(n.Incident.ID)
	k.rang = append(k.rang, w.now)
	w.say("%s rings for %s", p.name, n.Key)
}

// answered puts down what somebody answers at a pager, with what fires now.
func (m *model) answered(who string, s said) {
	inc := &m.of(s.incident).inc
	for i := range inc.Alerts {
		if inc.Alerts[i].State == incident.Firing {
			s.firing = append(s.firing, inc.Alerts[i].Key)
		}
	}
	m.said[who] = s
}

func (m *model) did(id, who string, state incident.State) {
	m.of(id).acted[string(state)+" "+who]++
}

// ends puts down when somebody has ended an incident.
func (m *model) ends(id string, at time.Time) { m.ended[id] = append(m.ended[id], at) }

// claimed looks at a row that has just been claimed.
func (m *model) claimed(w *World, n *notifiers.Notice) {
	m.touch(n.Incident.ID)
	if n.Kind == incident.Call && n.Incident.State != incident.Open {
		w.fail("I11", "%s was claimed for %s although the incident is %s", n.Key, n.Target, n.Incident.State)
	}
}

// refused is for what people were refused, which they never are but for their own mistakes.
func (m *model) refused(w *World, what string, err error) {
	if errors.Is(err, errDisk) {
		return
	}
	w.fail("I24", "%s: %v", what, err)
}

// committed looks at what a transaction may have changed.
func (w *World) committed() {
	m := &w.model
	for len(m.dirty) > 0 && w.violation == nil {
		id := m.dirty[0]
		m.dirty = m.dirty[1:]
		w.look(id)
	}
	if w.tally.Steps-m.swept >= sweepEvery {
		w.sweep()
	}
}

// flushed is committed for a life that has ended.
func (m *model) flushed(w *World) { w.committed() }

// sweepEvery is after how many steps everything is looked at.
const sweepEvery = 60

// look reads one incident and holds it against what it was.
func (w *World) look(id string) {
	var inc incident.Incident
	var rows []incident.Notification
	found := false
	w.view(func(tx *store.Tx) error {
		var err error
		inc, err = tx.Incident(w.ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil // it was rolled back
		}
		if err != nil {
			return err
		}
		found = true
		rows, err = tx.Notifications(w.ctx, id)
		return err
	})
	if !found || w.unfinished != nil {
		return
	}
	k := w.model.of(id)
	if !k.seen {
		w.tally.Incidents++
	}
	if !k.seen || inc.Escalation.Retaken.After(k.inc.Escalation.Retaken) { // a clock that was set back moves it back, too
		k.since = w.now
	}
	w.narrate(k, &inc)
	w.transition(k, &inc, rows)
	w.wakeFor(rows)
	w.plantLooked(&inc, rows)
	k.seen, k.inc = true, inc
	for _, n := range rows {
		k.rows[n.ID] = n
	}
	k.acknowledged = k.acknowledged || inc.State == incident.Acknowledged
	k.held = k.held || len(inc.Holds) > 0
	k.over = k.over || inc.State == incident.Resolved || inc.State == incident.Merged
}

// narrate puts down what changed in an incident.
func (w *World) narrate(k *known, inc *incident.Incident) {
	if inc.State != k.inc.State {
		w.say("incident %s is %s, %s, policy %q", inc.ID, inc.State, inc.Severity, inc.Policy)
	}
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		if before := k.inc.Alert(a.Key); before == nil || before.State != a.State || before.Count != a.Count {
			w.say("  %s %s is %s, %d lines", a.Rule, a.Group, a.State, a.Count)
		}
	}
}

// sweep looks at everything: what is open, what waits, where the sources are.
func (w *World) sweep() {
	m := &w.model
	m.swept = w.tally.Steps
	var open []incident.Incident
	rows := map[string][]incident.Notification{}
	w.view(func(tx *store.Tx) error {
		var err error
		open, err = tx.Incidents(w.ctx, store.IncidentFilter{States: []incident.State{incident.Open, incident.Acknowledged}})
		if err != nil {
			return err
		}
		for i := range open {
			if rows[open[i].ID], err = tx.Notifications(w.ctx, open[i].ID); err != nil {
				return err
			}
		}
		for _, l := range w.logs {
			st, err := tx.Source(w.ctx, l.name)
			if err != nil {
				return err
			}
			m.cursor(w, l, st.Cursor)
		}
		return nil
	})
	if w.unfinished != nil {
		return
	}
	alone := map[incident.Key]string{}
	for i := range open {
		inc := &open[i]
		for _, a := range inc.Alerts {
			if a.State != incident.Firing {
				continue
			}
			if other := alone[a.Key]; other != "" {
				w.fail("I4", "%s %s fires in %s and in %s", a.Rule, a.Group, other, inc.ID)
			}
			alone[a.Key] = inc.ID
		}
		w.standing(inc, rows[inc.ID])
		w.wakeFor(rows[inc.ID])
	}
}

// cursor checks that a source is never read back.
func (m *model) cursor(w *World, l *sourceLog, c logs.Cursor) {
	at := place(c)
	if at < m.cursors[l.name] {
		w.fail("I2", "the cursor of %s went back from %d to %d", l.name, m.cursors[l.name], at)
	}
	m.cursors[l.name] = at
}

// describe is a row in a few words.
func describe(n *incident.Notification) string {
	return fmt.Sprintf("%s %s for %s (row %d, %s%s, attempts %d)", n.Kind, n.Key, n.Target, n.ID, n.State, cause(n), n.Attempts)
}

func cause(n *incident.Notification) string {
	if n.Cause == "" {
		return ""
	}
	return ", " + n.Cause
}
