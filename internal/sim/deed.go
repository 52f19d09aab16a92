package sim

import (
	"errors"
	"time"

	"tocsin/internal/actions"
	"tocsin/internal/store"
)

// deed is what one person does beside answering.
type deed struct {
	who string
	// name and about are what the audit trail says of it.
	name, about string
	// do does it. Left nil, there is nothing to be done.
	do func(a *actions.Actions, now time.Time) error
	// refused is the reason for which it has to be refused, "" if it has to be done.
	refused string
	// done holds the service to what it has to have done.
	done func(now time.Time)
}

// perform lets somebody do something, and looks whether it was done as it has to be: once, with one line of the audit trail; and not at
// all, where it is refused or the disk fails.
func (w *World) perform(d *deed) {
	if w.mayCrash("acting", w.weather.crashAt) {
		w.crash("before somebody acts")
		return
	}
	w.committed()
	before := w.lastTrace()
	w.say("%s: %s %s", d.who, d.name, d.about)
	now := w.wall()
	var err error
	w.guarded("acting", func() error {
		err = d.do(w.life.actions, now)
		var refused *actions.Error
		if errors.As(err, &refused) {
			return nil
		}
		return err
	})
	if w.life == nil || w.unfinished != nil {
		return
	}
	w.plantDone(d)
	w.judged(d, err, before, now)
	if w.life != nil && w.mayCrash("acting", w.weather.crashAt) {
		w.crash("behind what somebody did")
		return
	}
	w.acted()
}

// judged is what came of a deed.
func (w *World) judged(d *deed, err error, before int64, now time.Time) {
	last := w.lastTrace()
	written := int(last - before)
	var refused *actions.Error
	switch {
	case errors.As(err, &refused):
		if d.refused != refused.Reason {
			w.fail("I16", "%s: %s %s is refused as %s: %v, it had to be %q", d.who, d.name, d.about, refused.Reason, err, d.refused)
		}
		if written != 0 {
			w.fail("I16", "%s: %s %s is refused, and stands in the audit trail", d.who, d.name, d.about)
		}
		w.tally.Denied++
		return
	case err != nil && written == 0:
		return // the disk failed before it was done
	case d.refused != "":
		w.fail("I16", "%s: %s %s is done, it had to be refused as %s", d.who, d.name, d.about, d.refused)
		return
	case written != 1:
		w.fail("I16", "%s: %s %s has %d lines in the audit trail", d.who, d.name, d.about, written)
		return
	}
	w.tally.Commits++
	w.tally.Deeds++
	w.step()
	w.traced(d, last)
	d.done(now)
}

// lastTrace is the number of the newest line of the audit trail.
func (w *World) lastTrace() (id int64) {
	w.view(func(tx *store.Tx) error {
		t, err := tx.LastTrace(w.ctx)
		id = t.ID
		return err
	})
	return id
}

// traced checks what the audit trail says of a deed.
func (w *World) traced(d *deed, id int64) {
	w.view(func(tx *store.Tx) error {
		t, err := tx.LastTrace(w.ctx)
		if t.ID != id || t.Who != d.who || t.Deed != d.name || d.about != "" && t.About != d.about {
			w.fail("I16", "%s: %s %s stands in the audit trail as %s: %s %s", d.who, d.name, d.about, t.Who, t.Deed, t.About)
		}
		return err
	})
}
