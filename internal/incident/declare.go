package incident

import "strconv"

// DeclaredRule is the rule of what a person declares. No rule file may use the name.
const DeclaredRule = "declared"

// Declaration is what a person says is wrong, though no rule has found it.
type Declaration struct {
	// Title says it in one line, Description what else is known.
	Title       string
	Description string
	Severity    Severity
	// Labels say what it is about, and route it: project, cluster, service, team.
	Labels Labels
	// By is the person.
	By string
}

// Key names what is declared: the same title under the same labels is the same thing.
func (d *Declaration) Key() Key {
	group := d.Labels.Clone()
	group["declared"] = d.Title
	return Key{Rule: DeclaredRule, Group: group.Text()}
}

// Declared says that a person has made the alert: only a person ends it.
func (a *Alert) Declared() bool { return a.Rule == DeclaredRule }

// DeclaredAs is the open incident in which it has been declared already, or nil.
func (b *Book) DeclaredAs(key Key) *Incident {
	for _, inc := range b.openOnes() {
		if a := inc.Alert(key); a != nil && a.State == Firing {
			return inc
		}
	}
	return nil
}

// Declare takes what a person declares as an alert that fires: it may page, joins what is open of its service, opens again what was resolved
// lately under the same title, or opens an incident of its own. It returns the incident.
func (b *Book) Declare(d Declaration) *Incident {
	text := "Declared by " + d.By
	if d.Description != "" {
		text += ": " + d.Description
	}
	inc := b.Fire(Alert{Key: d.Key(), Labels: d.Labels.Clone(), Annotations: map[string]string{"summary": d.Title}, Severity: d.Severity, Mode: Page,
		First: b.now, Last: b.now, FiredAt: b.now, Identity: "declared by " + d.By + " at " + strconv.FormatInt(b.now.UnixNano(), 10), Count: 1,
		FirstLine: Line{Time: b.now, Text: text, Service: d.Labels["service"]}})
	for _, c := range b.order {
		for _, e := range c.events {
			if e.Kind == EventOpened || e.Kind == EventReopened || e.Kind == EventAlertFired && e.Alert == d.Key() {
				e.By = d.By
			}
		}
	}
	return inc
}

// EndByHand says which rules' alerts are over when somebody says so, and not otherwise. It is said before anything happens.
func (b *Book) EndByHand(rule func(string) bool) { b.byHand = rule }

// endDeclared ends what persons have declared, because one says that it is over, who knew of it.
func (b *Book) endDeclared(inc *Incident, said Said) {
	b.end(inc, said, func(a *Alert) bool { return a.Declared() })
}

// endByHand ends what nothing but a person can end, because one says that it is over, who knew of it: what rules have found that say so, and
// what rules that are gone have left.
func (b *Book) endByHand(inc *Incident, said Said) {
	b.end(inc, said, func(a *Alert) bool { return a.Orphaned || b.byHand != nil && b.byHand(a.Rule) })
}

// end ends those alerts that fire, and did when it was said.
func (b *Book) end(inc *Incident, said Said, which func(a *Alert) bool) {
	for i := range inc.Alerts {
		if a := &inc.Alerts[i]; a.State == Firing && which(a) && said.knew(a) {
			a.State, a.ResolvedAt = AlertResolved, b.now
		}
	}
}
