package actions

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/store"
)

// mostHushed is how many silences one deed makes.
const mostHushed = 10

// Hush silences what fires in an incident, each rule and group of it, until a time. It returns the silences.
func (a *Actions) Hush(ctx context.Context, id, by, reason string, until, now time.Time) ([]incident.Silence, error) {
	var made []incident.Silence
	err := a.store.Update(ctx, func(tx *store.Tx) error {
		inc, err := a.hushable(ctx, tx, id)
		if err != nil {
			return err
		}
		made = nil
		for i := range inc.Alerts {
			if al := &inc.Alerts[i]; al.State == incident.Firing {
				s, err := a.hush(ctx, tx, al, by, reason, until, now)
				if err != nil {
					return err
				}
				made = append(made, s)
			}
		}
		switch {
		case len(made) == 0:
			return &Error{Reason: "conflict", Text: "nothing fires in it any more: there is nothing to silence"}
		case len(made) > mostHushed:
			return &Error{Reason: "conflict", Text: fmt.Sprintf("%d alerts fire in it: make one silence that fits them, on the page of silences", len(made))}
		}
		return a.desk().Reconsider(ctx, tx, now, by)
	})
	return made, err
}

// NotUseful says that an incident's headline told nothing worth knowing: its rule and group are silenced until a time, and its lines are
// written, as a case by which the rule can be mended, into the timeline and the threads of its messages. proof makes the case.
func (a *Actions) NotUseful(ctx context.Context, id, by string, proof func(*incident.Alert) string, until, now time.Time) (incident.Silence, error) {
	var made incident.Silence
	err := a.store.Update(ctx, func(tx *store.Tx) error {
		inc, err := a.hushable(ctx, tx, id)
		if err != nil {
			return err
		}
		fires := func(al incident.Alert) bool { return al.State == incident.Firing }
		i := slices.IndexFunc(inc.Alerts, func(al incident.Alert) bool { return al.Key == inc.Headline })
		if i < 0 || !fires(inc.Alerts[i]) && slices.ContainsFunc(inc.Alerts, fires) {
			i = slices.IndexFunc(inc.Alerts, fires)
		}
		if i < 0 {
			return &Error{Reason: "conflict", Text: "nothing of it is left that could be silenced"}
		}
		al := &inc.Alerts[i]
		if made, err = a.hush(ctx, tx, al, by, "not useful", until, now); err != nil {
			return err
		}
		e := &incident.Event{Incident: inc.ID, At: now, Kind: incident.EventCase, By: by, Alert: al.Key, Lines: []incident.Line{{Text: proof(al)}},
			Text: fmt.Sprintf("%s finds %s not useful: here is a case that stays silent, to mend the rule by", by, al.Rule)}
		if err := a.say(ctx, tx, now, e, ""); err != nil {
			return err
		}
		return a.desk().Reconsider(ctx, tx, now, by)
	})
	return made, err
}

// hushable is an incident whose alerts can be silenced, or why they cannot.
func (a *Actions) hushable(ctx context.Context, tx *store.Tx, id string) (incident.Incident, error) {
	inc, err := find(ctx, tx, id)
	switch {
	case err != nil:
		return inc, err
	case inc.IsStorm():
		return inc, &Error{Reason: "conflict", Text: "this stands for other incidents: silence those"}
	case inc.State != incident.Open && inc.State != incident.Acknowledged:
		return inc, &Error{Reason: "conflict", Text: fmt.Sprintf("incident %s is %s already", inc.ID, inc.State)}
	}
	return inc, nil
}

// hush makes the silence of one alert's rule and group.
func (a *Actions) hush(ctx context.Context, tx *store.Tx, al *incident.Alert, by, reason string, until, now time.Time) (incident.Silence, error) {
	s := incident.Silence{Matchers: routing.MatchersFor(al), Starts: now, Ends: until, Owner: by, Reason: reason}
	switch {
	case al.Declared():
		return s, &Error{Reason: "conflict", Text: "a person has declared it: it can be resolved, and not be silenced"}
	case al.Service() == routing.Own:
		return s, &Error{Reason: "conflict", Text: "tocsin's own troubles are never silenced"}
	}
	s, _, err := prepare(ctx, tx, s, now)
	if err != nil {
		return s, err
	}
	s.CreatedAt = now
	s.Schedule(now)
	if err := tx.SaveSilence(ctx, &s); err != nil {
		return s, err
	}
	return s, access.Record(ctx, tx, now, access.Deed{Who: by, Deed: "silence", About: fmt.Sprintf("silence %d", s.ID),
		Detail: fmt.Sprintf("%s until %s: %s", strings.Join(s.Matchers, ", "), s.Ends.UTC().Format(time.RFC3339), s.Reason)})
}
