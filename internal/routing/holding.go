package routing

import (
	"slices"
	"strings"

	"tocsin/internal/incident"
)

// Holding is what may hold incidents back beside the mute times of their routes: silences now.
type Holding struct{}

// Holders are what holds an incident whole, each with nobody and nothing named: it is all receivers and the policy. An incident is
// held only while each of its alerts that fire is hidden, by whatever; one that is not lets all be told.
func (h *Holding) Holders(inc *incident.Incident, around incident.Around) []incident.Holder {
	var out []incident.Holder
	var silences []Silencing
	for _, s := range around.Silences {
		if s.ActiveAt(around.At) {
			silences = append(silences, NewSilencing(s))
		}
	}
	if len(silences) == 0 {
		return nil
	}
	fires := false
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		if a.State != incident.Firing {
			continue
		}
		fires = true
		hidden := false
		for _, s := range silences {
			if ok, _ := s.Hides(a); ok {
				hidden = true
				out = with(out, s.Holder())
			}
		}
		if !hidden {
			return nil
		}
	}
	if !fires {
		return nil
	}
	return out
}

// with adds a holder that is not there yet.
func with(list []incident.Holder, h incident.Holder) []incident.Holder {
	if slices.ContainsFunc(list, func(o incident.Holder) bool { return o.By == h.By }) {
		return list
	}
	return append(list, h)
}

// Direct says who hears of an incident: the routes' decision less what mute times hold. They hold no incident that says that a
// service is down, and none of tocsin's own.
func Direct(inc *incident.Incident, d Decision) incident.Direction {
	out := incident.Direction{Receivers: d.Receivers, Policy: d.Policy}
	if len(d.Muted) == 0 || unmutable(inc) {
		return out
	}
	out.Recheck = d.MutedUntil
	if len(d.Held) == 0 && !d.PolicyHeld {
		return out
	}
	muted := incident.Holder{By: "mute time " + strings.Join(d.Muted, ", "), Until: d.MutedUntil, Receivers: d.Held}
	if d.PolicyHeld {
		muted.Policy, out.Policy = d.Policy, ""
	}
	out.Held = []incident.Holder{muted}
	out.Receivers = slices.DeleteFunc(slices.Clone(d.Receivers), func(r string) bool { return slices.Contains(d.Held, r) })
	return out
}

// unmutable says whether an incident is one that no mute time, window or inhibition holds.
func unmutable(inc *incident.Incident) bool {
	return inc.Labels["service"] == Own || slices.ContainsFunc(inc.Alerts, func(a incident.Alert) bool {
		return a.State == incident.Firing && (a.Impact == incident.Down || a.Service() == Own)
	})
}
