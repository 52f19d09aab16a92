package sim

import (
	"context"
	"errors"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// plantOffered does what a bug does when a batch has been taken.
func (w *World) plantOffered(l *sourceLog) {
	if w.planted(cursorFirst) {
		w.saveCursor(l.name, l.pos)
	}
}

// plantStepped does what a bug does when a loop has run a step.
func (w *World) plantStepped(l *loop) {
	switch {
	case w.planted(cursorSlice) && l.name == "engine":
		for _, src := range w.logs {
			w.saveCursor(src.name, src.pos)
		}
	case w.planted(staysDue) && l.name == "escalation":
		w.reopen(func(inc *incident.Incident) bool {
			if inc.State != incident.Acknowledged {
				return false
			}
			inc.Due, l.due = w.wall(), w.now
			return true
		})
	case w.planted(noHoldOff) && l.target != "":
		w.rewrite(func(n *incident.Notification) bool {
			unclear := n.Kind == incident.Call && n.Unclear && n.Target == l.target
			n.Unclear = false
			return unclear
		})
	}
}

// plantRestart does what a bug does between two lives.
func (w *World) plantRestart() {
	switch {
	case w.planted(timersInMemory):
		w.reopen(func(inc *incident.Incident) bool {
			inc.Due = time.Time{}
			return true
		})
	case w.planted(stranded):
		w.rewrite(func(n *incident.Notification) bool {
			inFlight := n.State == incident.InFlight
			n.Epoch, n.Deadline, n.Unclear = w.db.Epoch(), w.wall().Add(1000*time.Hour), true // not clear: nobody asks each second
			return inFlight
		})
	case w.planted(noHoldOff):
		w.rewrite(func(n *incident.Notification) bool {
			inFlight := n.State == incident.InFlight && n.Kind == incident.Call
			n.State, n.Deadline, n.Due = incident.Pending, time.Time{}, w.wall()
			return inFlight
		})
	}
}

// plantSource does what a bug does when a source is begun, before it is read.
func (w *World) plantSource(l *sourceLog) {
	if w.planted(absenceAtStart) && w.life != nil { // it may have crashed at the source before this one
		b := logs.Batch{Source: l.name, Received: w.began, CaughtUp: true}
		w.guarded("reading", func() error { return w.life.engine.Offer(w.ctx, b) })
	}
}

// plantDesk changes what a desk decides.
func (w *World) plantDesk(d *store.Desk) {
	direct := d.Direct
	switch {
	case w.planted(raiseUnheard):
		had := map[string]*incident.Acknowledgement{}
		d.Direct = func(inc *incident.Incident, at time.Time) incident.Direction {
			ack := had[inc.ID]
			raised := inc.State == incident.Open && inc.Escalation.Retaken.Equal(at)
			if ack != nil && raised && at.Sub(ack.At) < incident.Rearm && (ack.Asked == nil || at.Before(ack.Asked.Until)) {
				inc.State, inc.Acknowledgement = incident.Acknowledged, ack
			}
			had[inc.ID] = inc.Acknowledgement
			return direct(inc, at)
		}
	case w.planted(policyForgotten):
		d.Direct = func(inc *incident.Incident, at time.Time) incident.Direction {
			to := direct(inc, at)
			if inc.Round > 0 && inc.PagedSeverity == 0 {
				to.Policy = ""
			}
			return to
		}
	}
}

// plantOutbox changes an outbox's options.
func (w *World) plantOutbox(o *outbox.Options) {
	if w.planted(noSecondPath) {
		o.Fallback = ""
	}
}

// plantNotifier changes what a notifier can do.
func (w *World) plantNotifier(p *provider, n notifiers.Notifier) notifiers.Notifier {
	if w.planted(noLookUp) && p.traits.Edits {
		return struct{ notifiers.Notifier }{n}
	}
	return n
}

// plantSend does what a bug does before a call.
func (w *World) plantSend(p *provider, n *notifiers.Notice) {
	switch {
	case w.planted(markFirst):
		w.row(n.ID, func(r *incident.Notification) {
			r.State, r.SentAt, r.Receipt, r.SentRevision = incident.Sent, w.wall(), p.name+"/0", n.Incident.Revision
			if n.Kind == incident.Message {
				r.Receipt = n.Parent
			}
		})
	case w.planted(keyFingerprint) && p.traits.Pages:
		n.Key = incident.HashOf(n.Key)
	}
}

// plantFailed does what a bug does when a call was not accepted.
func (w *World) plantFailed(n *notifiers.Notice, err error) {
	var limited notifiers.Later
	errors.As(err, &limited)
	switch {
	case w.planted(givesUp) && n.Kind == incident.Call && n.Attempts >= 4:
		w.row(n.ID, func(r *incident.Notification) { r.State, r.Cause = incident.Cancelled, "attempts" })
	case w.planted(limitBlocks) && limited.Err != nil:
		w.blocked = w.now.Add(limited.After + 10*time.Minute)
	}
}

// plantLooked does what a bug does to an incident that has changed.
func (w *World) plantLooked(inc *incident.Incident, rows []incident.Notification) {
	switch {
	case w.planted(ackForever) && inc.State == incident.Acknowledged && !inc.Due.IsZero():
		inc.Due = time.Time{}
		w.update(func(ctx context.Context, tx *store.Tx) error { return tx.SaveIncident(ctx, inc) })
	case w.planted(mergeDropsPage) && inc.State == incident.Merged && inc.MergedInto != "":
		into := inc.MergedInto
		w.reopen(func(o *incident.Incident) bool {
			o.Due, o.Escalation.Next = time.Time{}, o.Escalation.Next.Add(1000*time.Hour)
			return o.ID == into
		})
	case w.planted(wrongClock):
		w.countFromAsking(inc, rows)
	case w.planted(resolveDropped), w.planted(editDropped):
		w.drop(rows)
	case w.planted(silenceHides) && inc.State == incident.Resolved && len(w.model.known[inc.ID].inc.Holds) > 0:
		w.hide(rows)
	}
}

// drop loses one in four of what waits.
func (w *World) drop(rows []incident.Notification) {
	for i := range rows {
		n := &rows[i]
		switch {
		case n.State != incident.Pending || n.ID%4 != 0:
		case w.planted(resolveDropped) && n.Kind == incident.CallResolve:
			w.row(n.ID, func(r *incident.Notification) { r.State, r.Cause = incident.Cancelled, "superseded" })
		case w.planted(editDropped) && n.Kind == incident.Message && n.Receipt != "":
			w.row(n.ID, func(r *incident.Notification) { r.State, r.SentRevision = incident.Sent, r.Wanted })
		}
	}
}

// hide lets nobody hear how an incident ended.
func (w *World) hide(rows []incident.Notification) {
	for i := range rows {
		n := &rows[i]
		switch {
		case n.State != incident.Pending:
		case n.Kind == incident.CallResolve:
			w.row(n.ID, func(r *incident.Notification) { r.State, r.Cause = incident.Cancelled, "held" })
		case n.Kind == incident.Message && n.Receipt != "":
			w.row(n.ID, func(r *incident.Notification) { r.State, r.SentRevision = incident.Sent, r.Wanted })
		}
	}
}

// countFromAsking takes the time back that a call took to be accepted.
func (w *World) countFromAsking(inc *incident.Incident, rows []incident.Notification) {
	e := &inc.Escalation
	if inc.State != incident.Open || e.Counted != inc.Round || e.Next.IsZero() {
		return
	}
	var took time.Duration
	for i := range rows {
		if n := &rows[i]; n.Kind == incident.Call && n.Round == inc.Round && n.State == incident.Sent && (took == 0 || n.SentAt.Sub(n.CreatedAt) < took) {
			took = n.SentAt.Sub(n.CreatedAt)
		}
	}
	if took <= 0 {
		return
	}
	e.Counted = -1 // once is enough
	e.Start, e.Next, inc.Due = e.Start.Add(-took), e.Next.Add(-took), inc.Due.Add(-took)
	w.update(func(ctx context.Context, tx *store.Tx) error { return tx.SaveIncident(ctx, inc) })
}

// plantDone does what a bug does when somebody has done something.
func (w *World) plantDone(d *deed) {
	switch {
	case w.planted(mergeForgets) && d.name == "merge":
		w.reopen(func(inc *incident.Incident) bool {
			merged := "incident "+inc.ID != d.about && inc.UpdatedAt.Equal(w.wall())
			inc.Due, inc.Escalation.Next = time.Time{}, time.Time{}
			return merged
		})
	case w.planted(splitForgotten) && d.name == "split off":
		w.reopen(func(inc *incident.Incident) bool {
			inc.Apart = nil
			return true
		})
	}
}

// plantUnread says that a bug keeps a line from being read.
func (w *World) plantUnread(x *line) bool {
	return w.planted(notAnew) && x.what == "leak" &&
		w.endedSince(incident.Key{Rule: x.what, Group: incident.Labels{"cluster": x.cluster, "service": x.service}.Text()}, w.began)
}

// row changes one row behind the product's back.
func (w *World) row(id int64, do func(n *incident.Notification)) {
	w.update(func(ctx context.Context, tx *store.Tx) error {
		n, err := tx.Notification(ctx, id)
		if err != nil {
			return err
		}
		do(&n)
		return tx.SaveNotification(ctx, &n)
	})
}

// rewrite changes the rows of open incidents for which do says yes.
func (w *World) rewrite(do func(n *incident.Notification) bool) {
	w.update(func(ctx context.Context, tx *store.Tx) error {
		open, err := tx.Incidents(ctx, store.IncidentFilter{})
		if err != nil {
			return err
		}
		for i := range open[:min(len(open), 30)] {
			rows, err := tx.Notifications(ctx, open[i].ID)
			if err != nil {
				return err
			}
			for j := range rows {
				if n := rows[j]; do(&n) {
					if err := tx.SaveNotification(ctx, &n); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

// reopen changes the open incidents for which do says yes.
func (w *World) reopen(do func(inc *incident.Incident) bool) {
	w.update(func(ctx context.Context, tx *store.Tx) error {
		open, err := tx.Incidents(ctx, store.IncidentFilter{States: []incident.State{incident.Open, incident.Acknowledged}})
		if err != nil {
			return err
		}
		for i := range open {
			if do(&open[i]) {
				if err := tx.SaveIncident(ctx, &open[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// staleSteps is the escalation's step as it would be in two transactions: what it read in the first is written back in the second.
func (w *World) staleSteps(l *life) func(ctx context.Context, now time.Time) (time.Time, error) {
	return func(ctx context.Context, now time.Time) (time.Time, error) {
		var due []incident.Incident
		w.view(func(tx *store.Tx) (err error) {
			due, err = tx.DueIncidents(ctx, now, 1)
			return err
		})
		if len(due) > 0 && due[0].State == incident.Open {
			if !w.pause(w.now.Add(between(w.chance, 10*time.Millisecond, 20*time.Second))) {
				panic(killed{})
			}
			w.update(func(ctx context.Context, tx *store.Tx) error {
				now, err := tx.Incident(ctx, due[0].ID)
				if err != nil || now.State != incident.Acknowledged {
					return err
				}
				return tx.SaveIncident(ctx, &due[0])
			})
		}
		return l.escalation.Step(ctx, now)
	}
}
