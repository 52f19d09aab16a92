package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/internal/actions"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// calendarAhead is how far the calendar looks.
const calendarAhead = 14 * 24 * time.Hour

// oncallView is the main part of the page of who is on call.
type oncallView struct {
	Asker     asker
	Schedules []scheduleView
}

// scheduleView is one schedule: who is on call now, and a bar for each turn of the next two weeks.
type scheduleView struct {
	Name, Now, Until string
	Gap              bool
	Bars             []bar
	Label            string
	Turns            []turnView
	Overrides        []string
	Problems         []string
	Copy             string
}

// bar is a turn in the picture: X and Length in thousandths of the two weeks; Shade tells people apart.
type bar struct {
	X, Length, Shade int
	Who, Said        string
	// Fits says that there is room for the name.
	Fits bool
}

type turnView struct {
	From moment
	Who  string
	Gap  bool
}

// shades is how many the style sheet knows; 0 is a gap.
const shades = 6

// oncall shows who is on call now, and for the next two weeks.
func (s *server) oncall(w http.ResponseWriter, r *http.Request) error {
	return s.showOncall(w, r, http.StatusOK, "")
}

func (s *server) showOncall(w http.ResponseWriter, r *http.Request, code int, notice string) error {
	status, err := s.status(r.Context())
	if err != nil {
		return err
	}
	now := s.Now()
	duties, err := s.Oncall.Duties(r.Context(), now)
	if err != nil {
		return err
	}
	calendar, err := s.Oncall.Calendar(r.Context(), now, calendarAhead)
	if err != nil {
		return err
	}
	v := oncallView{Asker: askerOf(r)}
	for i := range duties {
		v.Schedules = append(v.Schedules, scheduleOf(&duties[i], calendar[duties[i].Schedule], now))
	}
	return s.show(w, r, code, oncallTemplate, frame{Title: "On call · tocsin", From: "/oncall", Nav: "/oncall", Still: true, Notice: notice, Well: wellnessOf(status), Main: v})
}

func scheduleOf(d *actions.Duty, turns []actions.Turn, now time.Time) scheduleView {
	v := scheduleView{Name: clean(d.Schedule, titleLength), Now: "nobody", Gap: true}
	people := map[string]int{}
	for _, t := range turns {
		if len(t.People) > 0 {
			people[whoOf(t)] = 0
		}
	}
	for i, name := range slices.Sorted(maps.Keys(people)) {
		people[name] = 1 + i%shades
	}
	var said []string
	for i, t := range turns {
		who := whoOf(t)
		end := now.Add(calendarAhead)
		if i+1 < len(turns) {
			end = turns[i+1].From
		}
		if i == 0 {
			v.Now, v.Gap = who, len(t.People) == 0
			if i+1 < len(turns) {
				v.Until = "until " + at(end, now).Text + ", " + at(end, now).Ago
			}
		}
		part := func(t time.Time) int { return int(1000 * t.Sub(now) / calendarAhead) }
		b := bar{X: part(t.From), Shade: people[who], Who: who, Said: fmt.Sprintf("%s from %s to %s", who, at(t.From, now).Text, at(end, now).Text)}
		b.Length = max(part(end)-b.X, 1)
		b.Fits = b.Length >= 12+7*len(who)
		v.Bars = append(v.Bars, b)
		v.Turns = append(v.Turns, turnView{at(t.From, now), who, len(t.People) == 0})
		if i < 8 {
			said = append(said, b.Said)
		}
	}
	v.Label = "The next two weeks: " + strings.Join(said, "; ")
	for _, o := range d.Overrides {
		v.Overrides = append(v.Overrides, fmt.Sprintf("%s from %s to %s, by %s: %s", clean(o.Person, 80), at(o.From, now).Text, at(o.To, now).Text, clean(o.By, 80), clean(o.Reason, titleLength)))
	}
	for _, p := range d.Problems {
		v.Problems = append(v.Problems, clean(p, titleLength))
	}
	if d.Imported {
		v.Copy = "Read from elsewhere " + exactly(d.Copy.FetchedAt, now).Ago + "."
		if d.Copy.Error != "" {
			v.Problems = append(v.Problems, "not read since: "+clean(d.Copy.Error, titleLength))
		}
	}
	return v
}

func whoOf(t actions.Turn) string {
	if len(t.People) == 0 {
		return "nobody"
	}
	return clean(strings.Join(t.People, ", "), 80)
}

// overrideByForm puts somebody on call from now on, for as long as the form says.
func (s *server) overrideByForm(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	by, err := whose(r.Context(), r.PostForm.Get("by"))
	if err == nil {
		lasts, wrong := time.ParseDuration(r.PostForm.Get("for"))
		if wrong != nil {
			return invalid("choose for how long")
		}
		now := s.Now()
		_, err = s.Oncall.Override(r.Context(), store.Override{Schedule: r.PathValue("schedule"), Person: strings.TrimSpace(r.PostForm.Get("person")), From: now, To: now.Add(lasts), By: by,
			Reason: clean(r.PostForm.Get("reason"), 600)}, now)
	}
	if err == nil {
		w.Header().Set("Location", "/oncall")
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	if is := refused(err); is.code == client.Invalid {
		return s.showOncall(w, r, is.status, is.text)
	}
	return err
}
