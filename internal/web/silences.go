package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"tocsin/internal/actions"
	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/web/client"
)

// makeSilence makes a silence that comes as a client.SilenceWish, or only says what it would hide.
func (s *server) makeSilence(w http.ResponseWriter, r *http.Request) error {
	var wish client.SilenceWish
	if err := readJSON(r, &wish, `{"matchers": ["rule=\"a-rule\""], "by": "your name", "reason": "why"}`); err != nil {
		return err
	}
	by, err := whose(r.Context(), wish.By)
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
	writeJSON(w, http.StatusOK, client.SilenceMade{Silence: made, Affected: affectedOf(affected), Warnings: s.Unmatched(made.Matchers)})
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

// listSilences lists those that have not ended; ?all=true those of the last 30 days too; and the maintenance windows in force.
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
	list, err := s.silencesNow(r.Context(), since)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// hiddenBy are those of the incidents that the holder of that name holds.
func hiddenBy(held []incident.Incident, name string) client.Hidden {
	out := client.Hidden{Incidents: []client.HiddenIncident{}}
	for i := range held {
		inc := &held[i]
		if _, holds := inc.HeldBy(name); !holds {
			continue
		}
		if len(out.Incidents) == client.MostHidden {
			out.More++
			continue
		}
		out.Incidents = append(out.Incidents, client.HiddenIncident{ID: inc.ID, Severity: inc.Severity, Title: inc.Title})
	}
	return out
}

// expireSilence ends a silence now.
func (s *server) expireSilence(w http.ResponseWriter, r *http.Request) error {
	var body client.Deed
	if err := readJSON(r, &body, `{"by": "your name"}`); err != nil {
		return err
	}
	by, err := whose(r.Context(), body.By)
	if err != nil {
		return err
	}
	id, err := silenceID(r)
	if err != nil {
		return err
	}
	ended, err := s.Actions.EndSilence(r.Context(), id, by, s.Now())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, ended)
	return nil
}
