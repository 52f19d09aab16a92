package web

import (
	"context"
	"net/http"
	"time"

	"tocsin/internal/actions"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// Oncall is what a person can ask and do about who is called.
type Oncall interface {
	Duties(ctx context.Context, now time.Time) ([]actions.Duty, error)
	// Calendar are who is on call from when, by schedule, for as long as is asked for.
	Calendar(ctx context.Context, now time.Time, ahead time.Duration) (map[string][]actions.Turn, error)
	Override(ctx context.Context, wish store.Override, now time.Time) (actions.Duty, error)
	// Try sends a message to a receiver or a person that says that it is a test by somebody, or with dry only words it. answer is why
	// it was not taken; "" if it was.
	Try(ctx context.Context, target, by string, dry bool) (text, answer string, err error)
}

func (s *server) listDuties(w http.ResponseWriter, r *http.Request) error {
	duties, err := s.Oncall.Duties(r.Context(), s.Now())
	if err != nil {
		return err
	}
	list := client.DutyList{Schedules: []client.Duty{}}
	for i := range duties {
		list.Schedules = append(list.Schedules, dutyOf(&duties[i]))
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

func dutyOf(d *actions.Duty) client.Duty {
	out := client.Duty{Schedule: d.Schedule, Gap: string(d.Gap), Turns: []client.Turn{}, Problems: d.Problems}
	for _, t := range d.Turns {
		out.Turns = append(out.Turns, client.Turn{From: t.From.UTC(), People: append([]string{}, t.People...)})
	}
	for _, o := range d.Overrides {
		out.Overrides = append(out.Overrides, client.Override{Person: o.Person, From: o.From, To: o.To, By: o.By, Reason: o.Reason, At: o.At})
	}
	if d.Imported {
		out.Copy = &client.Copy{FetchedAt: d.Copy.FetchedAt, Error: d.Copy.Error, FailedAt: d.Copy.FailedAt}
	}
	return out
}

// overrideSchedule puts somebody on call, as a client.OverrideWish says.
func (s *server) overrideSchedule(w http.ResponseWriter, r *http.Request) error {
	var wish client.OverrideWish
	if err := readJSON(r, &wish, `{"person": "ana", "to": "2026-12-27T09:00:00Z", "by": "your name", "reason": "why"}`); err != nil {
		return err
	}
	by, err := whose(r.Context(), wish.By)
	if err != nil {
		return err
	}
	d, err := s.Oncall.Override(r.Context(), store.Override{Schedule: r.PathValue("schedule"), Person: wish.Person, From: wish.From, To: wish.To, By: by,
		Reason: clean(wish.Reason, 600)}, s.Now())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, dutyOf(&d))
	return nil
}

// try tests a way to be told.
func (s *server) try(w http.ResponseWriter, r *http.Request) error {
	var wish client.TrialWish
	if err := readJSON(r, &wish, `{"target": "a-receiver", "by": "your name"}`); err != nil {
		return err
	}
	by, err := whose(r.Context(), wish.By)
	if err != nil {
		return err
	}
	text, answer, err := s.Oncall.Try(r.Context(), wish.Target, by, wish.Dry)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, client.Trial{Target: wish.Target, Text: text, Sent: !wish.Dry && answer == "", Error: clean(answer, 600)})
	return nil
}

// noOncall is for a service that has no schedules.
type noOncall struct{}

func (noOncall) Duties(context.Context, time.Time) ([]actions.Duty, error) { return nil, nil }

func (noOncall) Calendar(context.Context, time.Time, time.Duration) (map[string][]actions.Turn, error) {
	return nil, nil
}

func (noOncall) Override(context.Context, store.Override, time.Time) (actions.Duty, error) {
	return actions.Duty{}, &refusal{http.StatusNotFound, client.NotFound, "there are no schedules here"}
}

func (noOncall) Try(context.Context, string, string, bool) (string, string, error) {
	return "", "", &refusal{http.StatusNotFound, client.NotFound, "there are no receivers here"}
}
