package actions

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// Merge makes one of two open incidents: into takes in that of id, with its alerts. What rings for it is ended with a word where it went;
// into is paged for it if it was not, unless by has one of the two, and so both.
func (a *Actions) Merge(ctx context.Context, id, into, by string, now time.Time) error {
	return a.byHand(ctx, id, by, func(tx *store.Tx, inc incident.Incident, by string) error {
		to, err := find(ctx, tx, into)
		if err != nil {
			return err
		}
		switch {
		case inc.ID == to.ID:
			return &Error{Reason: "invalid", Text: "an incident is not merged into itself"}
		case !alive(&to):
			return &Error{Reason: "conflict", Text: fmt.Sprintf("incident %s is %s already", to.ID, to.State)}
		case inc.IsStorm() || to.IsStorm():
			return &Error{Reason: "conflict", Text: "a storm is not merged: it stands for its incidents, which can be"}
		case inc.Project != to.Project:
			return &Error{Reason: "conflict", Text: fmt.Sprintf("they are of the projects %q and %q", inc.Project, to.Project)}
		}
		book := incident.NewBook(now, []incident.Incident{inc, to})
		book.MergeInto(book.Get(to.ID), book.Get(inc.ID), by)
		if err := access.Record(ctx, tx, now, access.Deed{Who: by, Deed: "merge", About: "incident " + inc.ID, Detail: "into " + to.ID}); err != nil {
			return err
		}
		return a.desk().Settle(ctx, tx, now, book)
	})
}

// Split makes an incident of its own of an alert that fires in that of id, and returns its id. Of a key without Group the rule must have
// one alert that fires there.
func (a *Actions) Split(ctx context.Context, id string, key incident.Key, by string, now time.Time) (own string, err error) {
	err = a.byHand(ctx, id, by, func(tx *store.Tx, inc incident.Incident, by string) error {
		whole, err := member(&inc, key)
		if err != nil {
			return err
		}
		book := incident.NewBook(now, []incident.Incident{inc})
		own = book.Split(book.Get(inc.ID), whole, by).ID
		if err := access.Record(ctx, tx, now, access.Deed{Who: by, Deed: "split off", About: "incident " + inc.ID,
			Detail: fmt.Sprintf("%s %s into %s", whole.Rule, whole.Group, own)}); err != nil {
			return err
		}
		return a.desk().Settle(ctx, tx, now, book)
	})
	return own, err
}

// member is the key of the alert that is to be split off.
func member(inc *incident.Incident, key incident.Key) (incident.Key, error) {
	var found []incident.Key
	for i := range inc.Alerts {
		if m := &inc.Alerts[i]; m.State == incident.Firing && m.Rule == key.Rule && (key.Group == "" || m.Group == key.Group) {
			found = append(found, m.Key)
		}
	}
	switch {
	case len(found) == 0:
		return key, &Error{Reason: "not_found", Text: fmt.Sprintf("no alert of rule %.100q fires in incident %s", key.Rule, inc.ID)}
	case len(inc.Alerts) == 1:
		return key, &Error{Reason: "conflict", Text: "it is the incident's only alert"}
	case len(found) > 1:
		var groups []string
		for _, k := range found {
			groups = append(groups, k.Group)
		}
		slices.Sort(groups)
		return key, &Error{Reason: "invalid", Text: fmt.Sprintf("say which group, one of %s", strings.Join(groups[:min(len(groups), 10)], ", "))}
	}
	return found[0], nil
}

// Ask asks one of the configuration's people to take an incident, directly where they can be told so, and in its threads. While somebody
// has it it is a hand-over: theirs until it is acknowledged anew; if that is not within incident.AskFor it is open again and calls from the
// first step.
func (a *Actions) Ask(ctx context.Context, id, person, by string, now time.Time) error {
	return a.byHand(ctx, id, by, func(tx *store.Tx, inc incident.Incident, by string) error {
		desk := a.desk()
		if _, known := desk.People[person]; !known {
			return &Error{Reason: "not_found", Text: escalation.UnknownPerson(person, desk.People)}
		}
		var targets []string
		if _, ok := desk.Traits[escalation.PersonTarget(person)]; ok {
			targets = append(targets, escalation.PersonTarget(person))
		}
		channel := slices.ContainsFunc(inc.Receivers, func(r string) bool { t, known := desk.Traits[r]; return known && !t.Pages })
		why := by + " asks for it to be taken"
		switch ack := inc.Acknowledgement; {
		case inc.Muzzled():
			return &Error{Reason: "conflict", Text: fmt.Sprintf("nobody is asked: it is held by %s", inc.Holds[0])}
		case inc.IsStorm():
			return &Error{Reason: "conflict", Text: "a storm is not handed over: it stands for its incidents, which can be"}
		case ack != nil && escalation.Named(desk.People, ack.By) == person:
			return &Error{Reason: "conflict", Text: person + " has it already"}
		case len(targets) == 0 && !channel:
			return &Error{Reason: "conflict", Text: fmt.Sprintf("nothing reaches %s here: no receiver can tell them directly, and the incident goes to no channel", person)}
		case ack != nil:
			why = by + " asks for it to be taken over"
		}
		book := incident.NewBook(now, []incident.Incident{inc})
		book.Ask(book.Get(inc.ID), []string{person}, targets, by, why)
		if err := access.Record(ctx, tx, now, access.Deed{Who: by, Deed: "ask", About: "incident " + inc.ID, Detail: person}); err != nil {
			return err
		}
		return desk.Settle(ctx, tx, now, book)
	})
}

// byHand does something to an incident that is not over.
func (a *Actions) byHand(ctx context.Context, id, by string, do func(tx *store.Tx, inc incident.Incident, by string) error) error {
	if by = strings.TrimSpace(by); by == "" || len(by) > 200 {
		return &Error{Reason: "invalid", Text: "say who you are, in at most 200 characters"}
	}
	return a.store.Update(ctx, func(tx *store.Tx) error {
		inc, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		if !alive(&inc) {
			return &Error{Reason: "conflict", Text: fmt.Sprintf("incident %s is %s already", inc.ID, inc.State)}
		}
		return do(tx, inc, by)
	})
}

func alive(inc *incident.Incident) bool {
	return inc.State == incident.Open || inc.State == incident.Acknowledged
}
