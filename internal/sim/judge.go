package sim

import (
	"fmt"
	"slices"

	"tocsin/internal/access"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// judge looks at a world in which the faults have stopped and everything has had time to end.
func (w *World) judge() {
	w.sweep()
	var all []incident.Incident
	rows := map[string][]incident.Notification{}
	events := map[string][]incident.Event{}
	w.view(func(tx *store.Tx) error {
		var err error
		if all, err = tx.Incidents(w.ctx, store.IncidentFilter{}); err != nil {
			return err
		}
		for i := range all {
			id := all[i].ID
			if rows[id], err = tx.Notifications(w.ctx, id); err != nil {
				return err
			}
			if events[id], err = tx.Events(w.ctx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if w.unfinished != nil {
		return
	}
	for _, l := range w.logs {
		if w.model.cursors[l.name] != len(l.lines) {
			w.fail("I24", "%s is read up to %d of %d", l.name, w.model.cursors[l.name], len(l.lines))
		}
	}
	counts := map[incident.Key]int64{}
	for i := range all {
		inc := &all[i]
		if !silent(inc) {
			w.drained(inc, rows[inc.ID])
			w.told(inc, rows[inc.ID])
		}
		w.audited(inc, events[inc.ID])
		for _, a := range inc.Alerts {
			counts[a.Key] += a.Count
		}
	}
	w.accounts(counts)
	w.view(func(tx *store.Tx) error {
		v, err := access.Verify(w.ctx, tx, "")
		if v.Broken != "" {
			w.fail("I16", "the audit trail is broken: %s", v.Broken)
		}
		return err
	})
}

// silent says whether an incident goes on for want of the beats that end with the log.
func silent(inc *incident.Incident) bool {
	return slices.ContainsFunc(inc.Alerts, func(a incident.Alert) bool { return a.State == incident.Firing && a.Rule == "silent" })
}

// drained checks that nothing of an incident is left to do.
func (w *World) drained(inc *incident.Incident, rows []incident.Notification) {
	for i := range rows {
		if n := &rows[i]; n.State == incident.Pending || n.State == incident.InFlight {
			w.fail("I24", "%s is left, %s after the faults stopped: %s", describe(n), drain, n.LastError)
		}
	}
	if inc.State == incident.Open || inc.State == incident.Acknowledged {
		var fires []string
		for i := range inc.Alerts {
			if a := &inc.Alerts[i]; a.State == incident.Firing {
				fires = append(fires, a.Rule+" "+a.Group)
			}
		}
		w.fail("I24", "%s (%s) is %s, and all that it was about is over; there fires %v", inc.ID, inc.Title, inc.State, fires)
	}
}

// told checks what the providers show of an incident that is over.
func (w *World) told(inc *incident.Incident, rows []incident.Notification) {
	for i := range rows {
		n := &rows[i]
		p := w.providers[n.Target]
		switch {
		case n.Kind == incident.Message && p.traits.Edits && n.State == incident.Sent:
			if m := p.nonces[n.Key]; len(m) != 1 || m[0].state != inc.State || m[0].revision != inc.Revision {
				w.fail("I24", "%s at %s does not show how it ended: %s, revision %d: %v", inc.ID, p.name, inc.State, inc.Revision, m)
			}
		case n.Kind == incident.Call && p.traits.Pages:
			if k := p.keys[n.Key]; k != nil && k.triggers > 0 && k.state != incident.Resolved {
				w.fail("I24", "%s is %s at %s, the incident is %s", n.Key, k.state, p.name, inc.State)
			}
		}
	}
}

// audited checks that each thing that somebody did is in the timeline once.
func (w *World) audited(inc *incident.Incident, events []incident.Event) {
	k := w.model.known[inc.ID]
	if k == nil {
		return
	}
	for what, n := range k.acted {
		said := 0
		for _, e := range events {
			if string(e.Kind)+" "+e.By == what {
				said++
			}
		}
		if said != n {
			w.fail("I16", "%s: %q was done %d times and stands in the timeline %d times", inc.ID, what, n, said)
		}
	}
}

// accounts checks that each line was counted once, and keeps what was detected for the comparison with a calm world. By a clock that is
// some seconds ahead the lateness is as much shorter: "older entries are counted as late and change nothing".
func (w *World) accounts(counts map[incident.Key]int64) {
	written := map[incident.Key]int64{}
	for _, l := range w.logs {
		for i := range l.lines {
			if x := &l.lines[i]; x.what == "down" || x.what == "leak" {
				written[incident.Key{Rule: x.what, Group: incident.Labels{"cluster": x.cluster, "service": x.service}.Text()}]++
			}
		}
	}
	var late int64
	if w.tally.ClockSteps > 0 {
		w.view(func(tx *store.Tx) error {
			for _, l := range w.logs {
				st, err := tx.Source(w.ctx, l.name)
				if err != nil {
					return err
				}
				late += st.Late
			}
			return nil
		})
	}
	for _, key := range sorted(written) {
		if short := written[key] - counts[key]; short > 0 && short <= late {
			late -= short
			continue
		}
		if counts[key] != written[key] {
			w.fail("I1", "%s %s was logged %d times and counted %d times", key.Rule, key.Group, written[key], counts[key])
		}
	}
	for _, key := range sorted(counts) {
		if w.tally.ClockSteps+w.tally.Reloads > 0 && !w.s.Calm {
			break // other rules, or another time: nothing to compare
		}
		if key.Rule == "drip" || key.Rule == incident.DeclaredRule {
			continue // that is up to what people do
		}
		w.model.story[key.Rule+" "+key.Group] = fmt.Sprint(counts[key])
	}
}

func sorted(m map[incident.Key]int64) []incident.Key {
	var keys []incident.Key
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b incident.Key) int {
		if a.Rule != b.Rule {
			if a.Rule < b.Rule {
				return -1
			}
			return 1
		}
		if a.Group < b.Group {
			return -1
		}
		return 1
	})
	return keys
}
