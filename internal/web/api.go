package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// Sizes of an answer: how many incidents unless asked, and at most.
const (
	usualLimit = 50
	mostLimit  = 200
)

// handler answers a request or says why not.
type handler func(w http.ResponseWriter, r *http.Request) error

// deed is what a person does about an incident.
type deed func(ctx context.Context, id, by string, now time.Time) error

// api makes a handler of one that speaks JSON.
func (s *server) api(serve handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := serve(w, r)
		if err == nil {
			return
		}
		is := refused(err)
		s.report(r, err, is)
		writeJSON(w, is.status, client.Failure{Error: client.Problem{Code: is.code, Text: is.text}})
	})
}

// writeJSON answers. That the asker is gone by now is not worth a word.
func writeJSON(w http.ResponseWriter, status int, answer any) {
	data, err := json.Marshal(answer)
	if err != nil { // the nouns marshal; a time outside year 9999 is the one thing that does not
		status, data = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","text":"the answer cannot be written as JSON"}}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}

func (s *server) listIncidents(w http.ResponseWriter, r *http.Request) error {
	f, err := incidentFilter(r.URL.RawQuery)
	if err != nil {
		return err
	}
	limit := f.Limit
	f.Limit++ // one more tells whether there is another page
	var found []incident.Incident
	list := client.IncidentList{Incidents: []incident.Incident{}}
	err = s.Store.View(r.Context(), func(tx *store.Tx) (err error) {
		if found, err = tx.Incidents(r.Context(), f); err != nil {
			return err
		}
		counts, err := tx.CountIncidents(r.Context())
		for state, n := range counts {
			if len(f.States) == 0 || slices.Contains(f.States, state) {
				list.Total += n
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	if len(found) > limit {
		found = found[:limit]
		list.Next = found[limit-1].ID
	}
	list.Incidents = append(list.Incidents, found...)
	writeJSON(w, http.StatusOK, list)
	return nil
}

// incidentFilter reads ?state=&limit=&before=. state may be given several times, or as a list with commas.
func incidentFilter(query string) (store.IncidentFilter, error) {
	f := store.IncidentFilter{Limit: usualLimit}
	values, err := url.ParseQuery(query)
	if err != nil {
		return f, invalid("the query cannot be read: " + clean(err.Error(), 200))
	}
	for name, given := range values {
		switch name {
		case "state":
			for _, state := range strings.Split(strings.Join(given, ","), ",") {
				switch state := incident.State(state); state {
				case incident.Open, incident.Acknowledged, incident.Resolved, incident.Merged:
					if !slices.Contains(f.States, state) {
						f.States = append(f.States, state)
					}
				case "":
				default:
					return f, invalid(fmt.Sprintf("state %q is not known: write open, acknowledged, resolved or merged", clean(string(state), 50)))
				}
			}
		case "limit":
			f.Limit, err = strconv.Atoi(given[0])
			if err != nil || f.Limit < 1 || f.Limit > mostLimit {
				return f, invalid(fmt.Sprintf("limit %q is not possible: write a number from 1 to %d", clean(given[0], 50), mostLimit))
			}
		case "before":
			if given[0] == "" {
				continue
			}
			if f.Before, err = checkID(given[0]); err != nil {
				return f, err
			}
		default:
			return f, invalid(fmt.Sprintf("parameter %q is not known: there are state, limit and before", clean(name, 50)))
		}
	}
	return f, nil
}

func (s *server) getIncident(w http.ResponseWriter, r *http.Request) error {
	return s.answerDetail(w, r, r.PathValue("id"))
}

// deedByJSON does a deed that comes as a client.Deed and answers with the incident as it is then.
func (s *server) deedByJSON(do deed) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var body client.Deed
		if err := readJSON(r, &body, `{"by": "your name"}`); err != nil {
			return err
		}
		return s.answerDone(w, r, body.By, do)
	}
}

// answerDone does a deed and answers with the incident as it is then.
func (s *server) answerDone(w http.ResponseWriter, r *http.Request, by string, do deed) error {
	id, err := s.done(r.Context(), do, r.PathValue("id"), by)
	if err != nil {
		return err
	}
	return s.answerDetail(w, r, id)
}

// answerDetail answers with an incident.
func (s *server) answerDetail(w http.ResponseWriter, r *http.Request, id string) error {
	d, err := s.detail(r.Context(), id)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, d)
	return nil
}

// noteByJSON writes down what comes as a client.Note and answers with the incident as it is then.
func (s *server) noteByJSON(w http.ResponseWriter, r *http.Request) error {
	var body client.Note
	if err := readJSON(r, &body, `{"text": "what you found", "by": "your name"}`); err != nil {
		return err
	}
	return s.answerDone(w, r, body.By, func(ctx context.Context, id, by string, now time.Time) error {
		return s.Actions.Note(ctx, id, by, cleanLines(body.Text, noteLength), now)
	})
}

// readJSON reads a body; example is one that is right.
func readJSON(r *http.Request, into any, example string) error {
	if err := checkType(r, "application/json"); err != nil {
		return err
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return unreadable(err, example)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("the body holds more than one value: write " + example)
	}
	return nil
}

func (s *server) getStatus(w http.ResponseWriter, r *http.Request) error {
	status, err := s.status(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, status)
	return nil
}

// done does a deed for the incident of that id or unique beginning of one, and returns its whole id.
func (s *server) done(ctx context.Context, do deed, id, by string) (string, error) {
	by, err := whose(ctx, by)
	if err != nil {
		return "", err
	}
	if id, err = checkID(id); err != nil {
		return "", err
	}
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		inc, err := tx.FindIncident(ctx, id)
		id = inc.ID
		return err
	})
	if err != nil {
		return "", fmt.Errorf("find incident: %w", err)
	}
	return id, do(ctx, id, by, s.Now())
}

// detail reads one incident whole.
func (s *server) detail(ctx context.Context, id string) (client.Detail, error) {
	d := client.Detail{Events: []incident.Event{}, Notifications: []incident.Notification{}}
	id, err := checkID(id)
	if err != nil {
		return d, err
	}
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		if d.Incident, err = tx.FindIncident(ctx, id); err != nil {
			return err
		}
		events, err := tx.Events(ctx, d.Incident.ID)
		if err != nil {
			return err
		}
		d.Events = append(d.Events, events...)
		told, err := tx.Notifications(ctx, d.Incident.ID)
		d.Notifications = append(d.Notifications, told...)
		return err
	})
	if err != nil {
		return d, fmt.Errorf("read incident: %w", err)
	}
	return d, nil
}

// checkID lets through what can be an incident's id or at least six characters of its beginning.
func checkID(id string) (string, error) {
	plain := strings.IndexFunc(id, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) < 0
	if !plain || len(id) < 6 || len(id) > 26 {
		return "", invalid(fmt.Sprintf("%q is not an incident's id: write all 26 letters and digits of it, or at least the first 6", clean(id, 50)))
	}
	return strings.ToUpper(id), nil
}

// checkType refuses a body of another type than the one that is read here.
func checkType(r *http.Request, want string) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != want {
		return &refusal{http.StatusUnsupportedMediaType, client.Invalid, "send the body as Content-Type: " + want}
	}
	return nil
}

// unreadable says what is wrong with a body. Of the network's own errors it says no more than that the body did not come: they name addresses.
func unreadable(err error, example string) error {
	var long *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &long):
		return &refusal{http.StatusRequestEntityTooLarge, client.Invalid, fmt.Sprintf("the body is longer than %d bytes", long.Limit)}
	case errors.As(err, &network) && network.Timeout():
		return &refusal{http.StatusRequestTimeout, client.Invalid, "the body did not come in time"}
	case network != nil:
		return invalid("the body did not come whole")
	}
	return invalid("the body is not " + example + ": " + clean(err.Error(), 200))
}
