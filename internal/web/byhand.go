package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// mostOthers is how many open incidents are offered to merge one into.
const mostOthers = 50

// others are the open incidents beside one, the gravest first.
func (s *server) others(ctx context.Context, id string) ([]row, error) {
	var open []incident.Incident
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		open, err = tx.Incidents(ctx, store.IncidentFilter{States: []incident.State{incident.Open, incident.Acknowledged}, Limit: mostOthers + 1})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read open incidents: %w", err)
	}
	byUrgency(open)
	var out []row
	for i := range open {
		if inc := &open[i]; inc.ID != id && !inc.IsStorm() {
			out = append(out, row{ID: inc.ID, Severity: inc.Severity.String(), Title: clean(inc.Title, 80)})
		}
	}
	return out, nil
}

func (s *server) merge(into string) deed {
	return func(ctx context.Context, id, by string, now time.Time) error {
		into, err := checkID(into)
		if err != nil {
			return err
		}
		return s.Actions.Merge(ctx, id, into, by, now)
	}
}

// mergeByForm merges the incident into that which the form names.
func (s *server) mergeByForm(w http.ResponseWriter, r *http.Request) error {
	return s.deedByForm(func(ctx context.Context, id, by string, now time.Time) error {
		return s.merge(r.PostForm.Get("into"))(ctx, id, by, now)
	})(w, r)
}

// mergeByJSON merges, as a client.Merge says, and answers with the incident that took it in.
func (s *server) mergeByJSON(w http.ResponseWriter, r *http.Request) error {
	var body client.Merge
	if err := readJSON(r, &body, `{"into": "the other incident's id", "by": "your name"}`); err != nil {
		return err
	}
	if _, err := s.done(r.Context(), s.merge(body.Into), r.PathValue("id"), body.By); err != nil {
		return err
	}
	return s.answerDetail(w, r, body.Into)
}

// splitByForm splits off the alert that the button names, by its rule and its group.
func (s *server) splitByForm(w http.ResponseWriter, r *http.Request) error {
	return s.deedByForm(func(ctx context.Context, id, by string, now time.Time) error {
		rule, group, _ := strings.Cut(r.PostForm.Get("alert"), " ")
		_, err := s.Actions.Split(ctx, id, incident.Key{Rule: rule, Group: group}, by, now)
		return err
	})(w, r)
}

// splitByJSON splits off, as a client.Split says, and answers with the alert's own incident.
func (s *server) splitByJSON(w http.ResponseWriter, r *http.Request) error {
	var body client.Split
	if err := readJSON(r, &body, `{"rule": "the alert's rule", "by": "your name"}`); err != nil {
		return err
	}
	var own string
	_, err := s.done(r.Context(), func(ctx context.Context, id, by string, now time.Time) (err error) {
		own, err = s.Actions.Split(ctx, id, incident.Key{Rule: body.Rule, Group: body.Group}, by, now)
		return err
	}, r.PathValue("id"), body.By)
	if err != nil {
		return err
	}
	return s.answerDetail(w, r, own)
}

// askByForm asks whom the form names to take the incident.
func (s *server) askByForm(w http.ResponseWriter, r *http.Request) error {
	return s.deedByForm(func(ctx context.Context, id, by string, now time.Time) error {
		return s.Actions.Ask(ctx, id, r.PostForm.Get("person"), by, now)
	})(w, r)
}

// askByJSON asks somebody to take the incident, as a client.Ask says, and answers with it as it is then.
func (s *server) askByJSON(w http.ResponseWriter, r *http.Request) error {
	var body client.Ask
	if err := readJSON(r, &body, `{"person": "who is to take it", "by": "your name"}`); err != nil {
		return err
	}
	return s.answerDone(w, r, body.By, func(ctx context.Context, id, by string, now time.Time) error {
		return s.Actions.Ask(ctx, id, body.Person, by, now)
	})
}

// postmortem gives the draft of an incident's post-mortem as a file to keep.
func (s *server) postmortem(w http.ResponseWriter, r *http.Request) error {
	d, err := s.detail(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	address := ""
	if base := s.Gate().Address; base != "" {
		address = base + "/incidents/" + d.Incident.ID
	}
	w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="postmortem-`+d.Incident.ID+`.md"`)
	_, _ = io.WriteString(w, s.Postmortem(d, s.Now(), address)) // that the asker is gone by now is not worth a word
	return nil
}
