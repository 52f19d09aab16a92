package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// refresh works out again what follows from the alerts: severity, headline, title, shared labels.
func (inc *Incident) refresh() {
	firing := inc.firing()
	var top Severity
	shared := Labels(nil)
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		if firing && a.State != Firing {
			continue
		}
		top = max(top, a.Severity)
		if shared == nil {
			shared = a.Labels.Clone()
		}
		for k, v := range shared {
			if a.Labels[k] != v {
				delete(shared, k)
			}
		}
	}
	inc.Severity = top
	h := inc.headline()
	inc.Headline, inc.Title = h.Key, inc.title(h)
	inc.Labels = shared
	inc.Labels["rule"], inc.Labels["severity"] = h.Rule, top.String()
	if inc.Drill() {
		inc.Title = "DRILL: " + inc.Title
	}
}

// DrillLabel is, with the value true, the label of what is only practised. Whatever is told of it says so.
const DrillLabel = "drill"

// Drill says that all that fires in it is only practised.
func (inc *Incident) Drill() bool { return inc.Labels[DrillLabel] == "true" }

// title is the headline's summary. Troubles of tocsin's own are one incident whatever they are, and no cause stands above the others: there it
// is the worst that fires, with how many others do.
func (inc *Incident) title(h *Alert) string {
	if h.Service() != "tocsin" {
		return h.Summary()
	}
	worst, others := h, -1
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		if a.State != Firing {
			continue
		}
		if others++; others == 0 || moreTelling(a, worst) {
			worst = a
		}
	}
	if others < 1 {
		return worst.Summary()
	}
	more := "another trouble"
	if others > 1 {
		more = fmt.Sprintf("%d other troubles", others)
	}
	return fmt.Sprintf("%s (and %s of tocsin's own)", worst.Summary(), more)
}

// Alert is the member of that (rule, group), or nil.
func (inc *Incident) Alert(key Key) *Alert {
	for i := range inc.Alerts {
		if inc.Alerts[i].Key == key {
			return &inc.Alerts[i]
		}
	}
	return nil
}

// Lines is how many entries its alerts counted.
func (inc *Incident) Lines() int64 {
	var n int64
	for i := range inc.Alerts {
		n += inc.Alerts[i].Count
	}
	return n
}

// MayPage says whether an alert that fires is allowed to page.
func (inc *Incident) MayPage() bool {
	return slices.ContainsFunc(inc.Alerts, func(a Alert) bool { return a.State == Firing && a.Mode == Page })
}

// rings notes that a page is asked for, of what fires now.
func (inc *Incident) rings() {
	inc.PagedSeverity = max(inc.PagedSeverity, inc.Severity)
	for i := range inc.Alerts {
		if a := &inc.Alerts[i]; a.State == Firing && !slices.Contains(inc.Escalation.Rang, a.Key) {
			inc.Escalation.Rang = append(inc.Escalation.Rang, a.Key)
		}
	}
}

// rangFor says whether a page has been asked for of something that fires now and is as severe as the incident is.
func (inc *Incident) rangFor() bool {
	return inc.Severity <= inc.PagedSeverity && slices.ContainsFunc(inc.Alerts, func(a Alert) bool {
		return a.State == Firing && a.Severity >= inc.Severity && slices.Contains(inc.Escalation.Rang, a.Key)
	})
}

func (inc *Incident) firing() bool {
	return slices.ContainsFunc(inc.Alerts, func(a Alert) bool { return a.State == Firing })
}

// headline is the most upstream alert: one that no other alert explains; of several the most severe, then the oldest.
func (inc *Incident) headline() *Alert {
	var best *Alert
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		if best == nil || inc.explained(a) != inc.explained(best) && inc.explained(best) ||
			inc.explained(a) == inc.explained(best) && moreTelling(a, best) {
			best = a
		}
	}
	return best
}

func moreTelling(a, b *Alert) bool {
	return cmp.Or(cmp.Compare(b.Severity, a.Severity), a.First.Compare(b.First), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Group, b.Group)) < 0
}

// explained says whether another alert of the incident is a cause of this one.
func (inc *Incident) explained(a *Alert) bool {
	return slices.ContainsFunc(inc.Alerts, func(c Alert) bool { return c.Rule != a.Rule && explains(&c, a) })
}

// covered says whether the acknowledge covers an alert: it fired then, or is a symptom of one that did.
func (inc *Incident) covered(a *Alert) bool {
	return slices.ContainsFunc(inc.Acknowledgement.Covers, func(k Key) bool {
		cause := inc.Alert(k)
		return k == a.Key || cause != nil && explains(cause, a)
	})
}
