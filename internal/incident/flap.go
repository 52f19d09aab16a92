package incident

import (
	"fmt"
	"time"
)

// Damping says when an alert flaps: once it fires for the Times-th time within Within. The zero Damping is none.
type Damping struct {
	Times  int
	Within time.Duration
}

// Flap is what is known of an alert that fires and resolves in turns. Once it flaps it stays firing, and neither its ends nor its
// returns are told, until it has been over for as long as Damping's Within.
type Flap struct {
	// Fires are the times at which it fired lately, the newest last.
	Fires []time.Time `json:"fires,omitempty"`
	// Since is since when it flaps; zero while it does not.
	Since time.Time `json:"since,omitzero"`
	// Until is when its last end counts, if it does not fire again; zero while it fires.
	Until time.Time `json:"until,omitzero"`
	// Back is how many ends and returns were not told.
	Back int `json:"back,omitempty"`
}

// Damp lets alerts that flap be held open. It is said before anything happens.
func (b *Book) Damp(d Damping) { b.damping = d }

// Flaps says whether the alert is held open because it flaps.
func (a *Alert) Flaps() bool { return a.Flap != nil && !a.Flap.Since.IsZero() }

// refired notes that an alert fires, as the member that it is from now on. before is what was known of it.
func (b *Book) refired(inc *Incident, a *Alert, before *Flap) {
	d := b.damping
	a.Flap = nil
	if d.Times <= 0 {
		return
	}
	f := &Flap{}
	if before != nil {
		*f = *before
		f.Fires = nil
		for _, t := range before.Fires {
			if b.now.Sub(t) < d.Within {
				f.Fires = append(f.Fires, t)
			}
		}
	}
	f.Fires = append(f.Fires, b.now)
	f.Until = time.Time{}
	if len(f.Fires) > d.Times {
		f.Fires = f.Fires[len(f.Fires)-d.Times:]
	}
	if f.Since.IsZero() && len(f.Fires) == d.Times {
		f.Since = b.now
		e := b.say(inc, EventFlapping, "%s flaps, it fired %d times within %s: it stays open until it has been over for %s", a.Summary(), d.Times,
			shortly(d.Within), shortly(d.Within))
		e.Alert = a.Key
	}
	a.Flap = f
}

// damped takes an alert that fires again while it is held open, and says whether that is all there is to it: what is worse than it was, or
// may page for the first time, is told as ever.
func (b *Book) damped(inc *Incident, a *Alert) bool {
	m := inc.Alert(a.Key)
	if m == nil || !m.Flaps() || m.Flap.Until.IsZero() || m.State != Firing || a.Severity > m.Severity || a.Mode == Page && m.Mode != Page ||
		a.Impact == Down && m.Impact != Down || inc.State != Open && inc.State != Acknowledged {
		return false
	}
	f := *m.Flap
	f.Until = time.Time{}
	f.Back++
	was := *m
	*m = *a
	m.Incident, m.State, m.Flap = inc.ID, Firing, &f
	m.First, m.FirstLine, m.Identity = was.First, was.FirstLine, was.Identity
	m.Count += was.Count
	if m.Severity < was.Severity { // until it is steady it is as bad as it was at its worst
		m.Severity = was.Severity
	}
	inc.refresh()
	b.touch(inc).visible = true
	return true
}

// heldOpen lets the end of an alert that flaps wait, and says whether it does.
func (b *Book) heldOpen(inc *Incident, m *Alert) bool {
	if !m.Flaps() || b.damping.Times <= 0 || inc.State != Open && inc.State != Acknowledged {
		return false
	}
	m.Flap.Until = b.now.Add(b.damping.Within)
	m.Flap.Back++
	b.touch(inc).visible = true
	return true
}

// steady ends the alerts of an incident that flapped and have been over for long enough. It says whether there were any.
func (b *Book) steady(inc *Incident) bool {
	var ended []Key
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		if u := inc.steadyAt(a); !u.IsZero() && !b.now.Before(u) {
			ended = append(ended, a.Key)
		}
	}
	for _, key := range ended {
		a := inc.Alert(key)
		how := fmt.Sprintf("it is steady; it flapped since %s, and %d ends and returns were not told", a.Flap.Since.UTC().Format("15:04 UTC"), a.Flap.Back)
		a.Flap = nil
		b.Clear(inc.ID, key, how)
	}
	return len(ended) > 0
}

// steadyAt is when an alert that flapped counts as over; zero if it fires.
func (inc *Incident) steadyAt(a *Alert) time.Time {
	if a.State != Firing || !a.Flaps() {
		return time.Time{}
	}
	return a.Flap.Until
}

// shortly is a duration without the zeros at its end.
func shortly(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.Round(time.Second).String()
}
