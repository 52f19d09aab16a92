package routing

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
)

// Holding is what may hold incidents back beside the mute times of their routes: silences, maintenance windows, inhibition. The zero
// Holding knows silences alone.
type Holding struct {
	windows     []window
	inhibitions []inhibition
}

// NewHolding makes the maintenance windows and the inhibitions of a configuration. The paths of its errors begin with maintenance.NAME and
// inhibit_rules.N. It is never nil: with mistakes it holds what could be made out. An inhibition that is nil is left out.
func NewHolding(windows map[string]Window, inhibitions []*Inhibition, intervals map[string]Intervals) (*Holding, []setting.FieldError) {
	h := &Holding{}
	var errs []setting.FieldError
	for _, name := range slices.Sorted(maps.Keys(windows)) {
		w, wrong := windows[name].compile(name, intervals)
		errs = append(errs, within("maintenance."+name, wrong)...)
		h.windows = append(h.windows, w)
	}
	for i, rule := range inhibitions {
		if rule == nil {
			continue
		}
		compiled, wrong := rule.compile()
		errs = append(errs, within(fmt.Sprintf("inhibit_rules.%d", i), wrong)...)
		h.inhibitions = append(h.inhibitions, compiled)
	}
	return h, errs
}

// InForce are the maintenance windows that are in force at a time, as they hold incidents.
func (h *Holding) InForce(at time.Time) []incident.Holder {
	var all []incident.Holder
	for _, w := range h.windows {
		if w.times.Contains(at) {
			all = append(all, w.holder(at))
		}
	}
	return all
}

// holder is the window as it holds incidents at a time.
func (w window) holder(at time.Time) incident.Holder {
	return incident.Holder{By: "maintenance " + w.name, Why: w.reason, Until: w.times.End(at)}
}

// Inhibits says whether an incident may be held by others.
func (h *Holding) Inhibits() bool { return len(h.inhibitions) > 0 }

// Holders are what holds an incident whole, each with nobody and nothing named: it is all receivers and the policy. An incident is
// held only while each of its alerts that fire is hidden, by whatever; one that is not lets all be told. A window that begins within a day
// is to be looked for then.
func (h *Holding) Holders(inc *incident.Incident, around incident.Around) incident.Held {
	j := &judging{h: h, inc: inc, around: around}
	for _, s := range around.Silences {
		if s.ActiveAt(around.At) {
			j.silences = append(j.silences, NewSilencing(s))
		}
	}
	var held incident.Held
	if len(j.silences)+len(h.windows)+len(h.inhibitions) == 0 {
		return held
	}
	all, fires := true, false
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		if a.State != incident.Firing {
			continue
		}
		fires = true
		if !j.hidden(a, &held) {
			all = false
		}
	}
	if !all || !fires {
		held.By = nil
	}
	return held
}

// judging is Holders at work on one incident.
type judging struct {
	h        *Holding
	inc      *incident.Incident
	around   incident.Around
	silences []Silencing
}

// hidden says whether something hides an alert, and adds what does.
func (j *judging) hidden(a *incident.Alert, held *incident.Held) bool {
	hidden := false
	add := func(h incident.Holder) {
		hidden = true
		if !slices.ContainsFunc(held.By, func(o incident.Holder) bool { return o.By == h.By }) {
			held.By = append(held.By, h)
		}
	}
	for _, s := range j.silences {
		if ok, _ := s.Hides(a); ok {
			add(s.Holder())
		}
	}
	if a.Service() == Own || a.Impact == incident.Down {
		return hidden // no window and no other incident holds these
	}
	labels := LabelsOf(a)
	for _, w := range j.h.windows {
		switch {
		case !w.matchers.Match(labels):
		case w.times.Contains(j.around.At):
			add(w.holder(j.around.At))
		default:
			held.Recheck = earliest(held.Recheck, w.times.begins(j.around.At))
		}
	}
	for _, i := range j.h.inhibitions {
		if !i.target.Match(labels) {
			continue
		}
		told := j.told()
		for n := range told {
			source := &told[n]
			if source.Incident != j.inc.ID && i.hides(source, a, labels) {
				add(incident.Holder{By: "incident " + source.Incident, Why: source.Summary()})
				break
			}
		}
	}
	return hidden
}

// told are the alerts that fire in incidents that nothing holds.
func (j *judging) told() []incident.Alert {
	if j.around.Told == nil {
		return nil
	}
	return j.around.Told()
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

// unmutable says whether an incident is one that no mute time holds.
func unmutable(inc *incident.Incident) bool {
	return inc.Labels["service"] == Own || slices.ContainsFunc(inc.Alerts, func(a incident.Alert) bool {
		return a.State == incident.Firing && (a.Impact == incident.Down || a.Service() == Own)
	})
}

// Inhibitors are, of each inhibition that may hold an alert back, what an alert of another incident must match for that, as text.
func (h *Holding) Inhibitors(a *incident.Alert) []string {
	if a.Service() == Own || a.Impact == incident.Down {
		return nil
	}
	var out []string
	for _, i := range h.inhibitions {
		if i.target.Match(LabelsOf(a)) {
			out = append(out, i.source.list.String())
		}
	}
	return out
}
