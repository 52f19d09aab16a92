package actions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/store"
)

// usualSilence is how long a silence lasts if its end is not said; lookBack how far back it is said what it would have hidden.
const (
	usualSilence = 2 * time.Hour
	lookBack     = 7 * 24 * time.Hour
)

// Affected is an incident some alert of which a silence matches.
type Affected struct {
	Incident incident.Incident
	// Hidden says that the silence hides it, or would have; if not, Why says why.
	Hidden bool
	Why    string
}

// PreviewSilence fills in what a silence leaves out, checks it, and says what it would hide: of what is open now and of what was in
// the last seven days, the newest first. Nothing is written. The zero Starts is now, the zero Ends two hours behind Starts, the zero UpTo the
// severity that its matchers ask for, else the highest that it matches, else high.
func (a *Actions) PreviewSilence(ctx context.Context, s incident.Silence, now time.Time) (incident.Silence, []Affected, error) {
	var affected []Affected
	err := a.store.View(ctx, func(tx *store.Tx) (err error) {
		s, affected, err = prepare(ctx, tx, s, now)
		return err
	})
	return s, affected, err
}

// AddSilence makes a silence, as PreviewSilence has shown it. What it hides is held from its beginning, and says so in its timeline.
func (a *Actions) AddSilence(ctx context.Context, s incident.Silence, now time.Time) (incident.Silence, []Affected, error) {
	var affected []Affected
	made := s
	err := a.store.Update(ctx, func(tx *store.Tx) (err error) {
		if made, affected, err = prepare(ctx, tx, s, now); err != nil {
			return err
		}
		made.ID, made.CreatedAt = 0, now
		made.Schedule(now)
		if err := tx.SaveSilence(ctx, &made); err != nil {
			return err
		}
		err = access.Record(ctx, tx, now, access.Deed{Who: made.Owner, Deed: "silence", About: fmt.Sprintf("silence %d", made.ID),
			Detail: fmt.Sprintf("%s until %s: %s", strings.Join(made.Matchers, ", "), made.Ends.UTC().Format(time.RFC3339), made.Reason)})
		if err != nil {
			return err
		}
		return a.desk().Reconsider(ctx, tx, now, made.Owner)
	})
	return made, affected, err
}

// EndSilence ends a silence before its time: what it hid and still fires is told and paged now.
func (a *Actions) EndSilence(ctx context.Context, id int64, by string, now time.Time) (incident.Silence, error) {
	if by = strings.TrimSpace(by); by == "" || len(by) > 200 {
		return incident.Silence{}, &Error{Reason: "invalid", Text: "say who you are, in at most 200 characters"}
	}
	var s incident.Silence
	err := a.store.Update(ctx, func(tx *store.Tx) (err error) {
		s, err = tx.Silence(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return &Error{Reason: "not_found", Text: fmt.Sprintf("no silence %d", id)}
		}
		if err != nil {
			return err
		}
		if !now.Before(s.Ends) {
			return &Error{Reason: "conflict", Text: fmt.Sprintf("silence %d has ended already", id)}
		}
		s.EndedBy, s.Ends = by, now
		if now.Before(s.Starts) { // it never began
			s.Starts = now
		}
		s.Schedule(now)
		if err := tx.SaveSilence(ctx, &s); err != nil {
			return err
		}
		if err := access.Record(ctx, tx, now, access.Deed{Who: by, Deed: "end silence", About: fmt.Sprintf("silence %d", s.ID)}); err != nil {
			return err
		}
		return a.desk().Reconsider(ctx, tx, now, by)
	})
	return s, err
}

// prepare fills in, checks and tries a silence.
func prepare(ctx context.Context, tx *store.Tx, s incident.Silence, now time.Time) (incident.Silence, []Affected, error) {
	s.Owner, s.Reason = strings.TrimSpace(s.Owner), strings.TrimSpace(s.Reason)
	if s.Starts.IsZero() || s.Starts.Before(now) {
		s.Starts = now
	}
	if s.Ends.IsZero() {
		s.Ends = s.Starts.Add(usualSilence)
	}
	if err := routing.CheckSilence(&s, now); err != nil {
		return s, nil, &Error{Reason: "invalid", Text: strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	list, err := lately(ctx, tx, now)
	if err != nil {
		return s, nil, err
	}
	try := routing.NewSilencing(s)
	list = slices.DeleteFunc(list, func(inc incident.Incident) bool {
		return !slices.ContainsFunc(inc.Alerts, func(al incident.Alert) bool { return try.Matches(&al) })
	})
	if s.UpTo == 0 {
		s.UpTo = madeFor(try, list)
	}
	try = routing.NewSilencing(s)
	affected := make([]Affected, len(list))
	for i, inc := range list {
		hidden, why := try.HidesAll(&inc)
		affected[i] = Affected{Incident: inc, Hidden: hidden, Why: why}
	}
	return s, affected, nil
}

// lately are the incidents that are open, and those that were opened in the last seven days; the newest first.
func lately(ctx context.Context, tx *store.Tx, now time.Time) ([]incident.Incident, error) {
	open, err := tx.Incidents(ctx, store.IncidentFilter{States: []incident.State{incident.Open, incident.Acknowledged}})
	if err != nil {
		return nil, err
	}
	const most = 2000
	over, err := tx.Incidents(ctx, store.IncidentFilter{States: []incident.State{incident.Resolved}, Limit: most})
	if err != nil {
		return nil, err
	}
	return append(open, slices.DeleteFunc(over, func(inc incident.Incident) bool { return now.Sub(inc.OpenedAt) > lookBack })...), nil
}

// madeFor is the severity that a silence is made for: what its matchers ask for, else the highest of what it matches, of what is open
// if any is, else high. What is worse than anybody has seen when they made it breaks it.
func madeFor(s routing.Silencing, list []incident.Incident) incident.Severity {
	if asked := s.Severity(); asked != 0 {
		return asked
	}
	var open, over incident.Severity
	for i := range list {
		for j := range list[i].Alerts {
			switch a := &list[i].Alerts[j]; {
			case !s.Matches(a):
			case a.State == incident.Firing && (list[i].State == incident.Open || list[i].State == incident.Acknowledged):
				open = max(open, a.Severity)
			default:
				over = max(over, a.Severity)
			}
		}
	}
	switch {
	case open != 0:
		return open
	case over != 0:
		return over
	}
	return incident.High
}
