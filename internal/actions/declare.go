package actions

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tocsin/internal/access"
	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/store"
)

// The bounds of what somebody declares, in bytes, and how many labels it may have.
const (
	mostTitle, mostDescription   = 200, 4000
	mostLabels, mostLabelsLength = 20, 200
)

// Declare makes an incident of what a person has found and no rule has: it is routed, told and escalated as any other, and ends only by a
// person. It joins what is open of the same service. Left out, the severity is high and the project the configuration's. It returns the
// incident's id. What is declared already under the same title and labels is a conflict.
func (a *Actions) Declare(ctx context.Context, d incident.Declaration, now time.Time) (id string, err error) {
	return a.declare(ctx, d, now, nil)
}

// declare is Declare, with what else is done in its transaction; then may be nil.
func (a *Actions) declare(ctx context.Context, d incident.Declaration, now time.Time, then func(tx *store.Tx, book *incident.Book, inc *incident.Incident) error) (id string, err error) {
	if err := prepareDeclaration(&d, a.desk().Project); err != nil {
		return "", err
	}
	err = a.store.Update(ctx, func(tx *store.Tx) error {
		near, err := tx.Near(ctx, &incident.Alert{Key: d.Key(), Labels: d.Labels}, now.Add(-incident.ReopenWithin))
		if err != nil {
			return err
		}
		book := incident.NewBook(now, near)
		if already := book.DeclaredAs(d.Key()); already != nil {
			return &Error{Reason: "conflict", Text: fmt.Sprintf("that is declared already: incident %s, %s", already.ID, already.State)}
		}
		inc := book.Declare(d)
		id = inc.ID
		if then != nil {
			if err := then(tx, book, inc); err != nil {
				return err
			}
		}
		err = access.Record(ctx, tx, now, access.Deed{Who: d.By, Deed: "declare", About: "incident " + id,
			Detail: fmt.Sprintf("%s: %s %s", d.Severity, d.Title, d.Labels.Text())})
		if err != nil {
			return err
		}
		if err := a.desk().Settle(ctx, tx, now, book); err != nil {
			return err
		}
		if inc := book.Get(id); then != nil && inc.Muzzled() {
			return &Error{Reason: "conflict", Text: fmt.Sprintf("nobody is called, and nothing was declared: it would be held by %s", inc.Holds[0])}
		}
		return nil
	})
	return id, err
}

// prepareDeclaration fills in what is left out and checks the rest.
func prepareDeclaration(d *incident.Declaration, project string) error {
	d.By, d.Title, d.Description = strings.TrimSpace(d.By), strings.Join(strings.Fields(d.Title), " "), strings.TrimSpace(d.Description)
	d.Labels = d.Labels.Clone()
	maps.DeleteFunc(d.Labels, func(_, value string) bool { return value == "" })
	if d.Severity == 0 {
		d.Severity = incident.High
	}
	if d.Labels["project"] == "" && project != "" {
		d.Labels["project"] = project
	}
	hidden := func(text string) bool {
		return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' })
	}
	text := ""
	switch {
	case d.By == "" || len(d.By) > 200:
		text = "say who you are, in at most 200 characters"
	case d.Title == "" || len(d.Title) > mostTitle:
		text = fmt.Sprintf("say what is wrong in one line of 1 to %d bytes", mostTitle)
	case len(d.Description) > mostDescription:
		text = fmt.Sprintf("the description is longer than %d bytes", mostDescription)
	case hidden(d.Title) || hidden(d.Description):
		text = "the title or the description holds what is no text"
	case d.Severity < incident.Info || d.Severity > incident.Critical:
		text = "the severity is critical, high, warning or info"
	case len(d.Labels) > mostLabels:
		text = fmt.Sprintf("%d labels are more than %d", len(d.Labels), mostLabels)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Labels)) {
		if text == "" {
			text = wrongLabel(name, d.Labels[name])
		}
	}
	if text != "" {
		return &Error{Reason: "invalid", Text: text}
	}
	return nil
}

// wrongLabel says what is wrong with a label that somebody gives; "" if nothing is.
func wrongLabel(name, value string) string {
	letter := func(r rune) bool { return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
	odd := func(r rune) bool { return !letter(r) && (r < '0' || r > '9') }
	switch {
	case name == "" || len(name) > mostLabelsLength || strings.ContainsFunc(name, odd) || !letter(rune(name[0])):
		return fmt.Sprintf("%.60q is no label's name: letters, digits and underscores, not a digit first", name)
	case name == "rule" || name == "severity" || name == "declared":
		return fmt.Sprintf("the label %s is not to be given: it is known", name)
	case name == "service" && value == routing.Own:
		return "service=tocsin is for troubles of tocsin's own"
	case len(value) > mostLabelsLength || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Sprintf("the label %s holds what is no text of 1 to %d bytes", name, mostLabelsLength)
	}
	return ""
}
