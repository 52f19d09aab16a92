package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"tocsin/internal/actions"
	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// makeSilence makes a silence that comes as a client.SilenceWish, or only says what it would hide.
func (s *server) makeSilence(w http.ResponseWriter, r *http.Request) error {
	var wish client.SilenceWish
	if err := readJSON(r, &wish, `{"matchers": ["rule=\"a-rule\""], "by": "your name", "reason": "why"}`); err != nil {
		return err
	}
	by, err := checkName(wish.By)
	if err != nil {
		return err
	}
	do := s.Actions.AddSilence
	if wish.Try {
		do = s.Actions.PreviewSilence
	}
	made, affected, err := do(r.Context(), incident.Silence{Matchers: wish.Matchers, Starts: wish.Starts, Ends: wish.Ends, Owner: by,
		Reason: clean(wish.Reason, 600), UpTo: wish.UpTo}, s.Now())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, client.SilenceMade{Silence: made, Affected: affectedOf(affected)})
	return nil
}

func affectedOf(list []actions.Affected) []client.Affected {
	out := []client.Affected{}
	for i := range list {
		inc := &list[i].Incident
		out = append(out, client.Affected{ID: inc.ID, State: inc.State, Severity: inc.Severity, Title: inc.Title, OpenedAt: inc.OpenedAt,
			Hidden: list[i].Hidden, Why: list[i].Why})
	}
	return out
}

// listSilences lists those that have not ended; ?all=true those of the last 30 days too.
func (s *server) listSilences(w http.ResponseWriter, r *http.Request) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid("the query cannot be read: " + clean(err.Error(), 200))
	}
	since := s.Now()
	for name := range values {
		switch all, err := strconv.ParseBool(values.Get(name)); {
		case name != "all":
			return invalid(fmt.Sprintf("parameter %q is not known: there is all", clean(name, 50)))
		case err != nil:
			return invalid("all is true or false")
		case all:
			since = since.Add(-routing.MostHeld)
		}
	}
	list := client.SilenceList{Silences: []incident.Silence{}}
	err = s.Store.View(r.Context(), func(tx *store.Tx) error {
		found, err := tx.SilencesSince(r.Context(), since)
		list.Silences = append(list.Silences, found...)
		return err
	})
	if err != nil {
		return fmt.Errorf("list silences: %w", err)
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// expireSilence ends a silence now.
func (s *server) expireSilence(w http.ResponseWriter, r *http.Request) error {
	var body client.Deed
	if err := readJSON(r, &body, `{"by": "your name"}`); err != nil {
		return err
	}
	by, err := checkName(body.By)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return invalid(fmt.Sprintf("%q is no silence's number", clean(r.PathValue("id"), 50)))
	}
	ended, err := s.Actions.EndSilence(r.Context(), id, by, s.Now())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, ended)
	return nil
}
