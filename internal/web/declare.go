package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"tocsin/internal/incident"
	"tocsin/internal/web/client"
)

// declareView is the main part of the page on which one declares an incident, as it was filled in.
type declareView struct {
	Asker                          asker
	Title, Description, Labels, By string
	Severities                     []severityView
}

// severityView is a severity to choose, and whom it calls.
type severityView struct {
	Value, Text string
	Chosen      bool
}

// declare shows the form.
func (s *server) declare(w http.ResponseWriter, r *http.Request) error {
	return s.showDeclare(w, r, http.StatusOK, declareView{}, incident.High.String(), "")
}

func (s *server) showDeclare(w http.ResponseWriter, r *http.Request, code int, v declareView, severity, notice string) error {
	status, err := s.status(r.Context())
	if err != nil {
		return err
	}
	v.Asker = askerOf(r)
	for _, c := range []severityView{{Value: "critical", Text: "somebody must come now"}, {Value: "high", Text: "soon"}, {Value: "warning", Text: "by day"}, {Value: "info", Text: "to be known"}} {
		c.Chosen = c.Value == severity
		v.Severities = append(v.Severities, c)
	}
	return s.show(w, r, code, declareTemplate, frame{Title: "Declare an incident · tocsin", Nav: "/", Well: wellnessOf(status), Notice: notice, Main: v})
}

// declareByForm declares what the form says, and leads to the incident. What is refused is told above the form, as it was filled in.
func (s *server) declareByForm(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	form := func(name string) string { return r.PostForm.Get(name) }
	wish := client.Declaration{Title: form("title"), Description: form("description"), By: form("by")}
	err := wish.Severity.UnmarshalText([]byte(form("severity")))
	if err != nil {
		err = invalid("choose a severity")
	}
	if err == nil {
		wish.Labels, err = readLabels(form("labels"))
	}
	var id string
	if err == nil {
		id, err = s.declared(r.Context(), wish)
	}
	if err == nil {
		w.Header().Set("Location", "/incidents/"+id)
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	is := refused(err)
	if is.code != client.Conflict && is.code != client.Invalid {
		return err
	}
	v := declareView{Title: clean(wish.Title, titleLength), Description: cleanLines(wish.Description, lineLength), Labels: cleanLines(form("labels"), lineLength), By: clean(wish.By, 80)}
	return s.showDeclare(w, r, is.status, v, form("severity"), is.text)
}

// readLabels reads a label from each line.
func readLabels(text string) (map[string]string, error) {
	labels := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		switch name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`); {
		case ok:
			labels[name] = value
		case name != "":
			return nil, invalid(fmt.Sprintf("%q is no label: write service=tide", clean(name, 60)))
		}
	}
	return labels, nil
}

// declareByJSON declares what comes as a client.Declaration and answers with the incident.
func (s *server) declareByJSON(w http.ResponseWriter, r *http.Request) error {
	var wish client.Declaration
	if err := readJSON(r, &wish, `{"title": "merges hang", "severity": "high", "labels": {"service": "tide"}, "by": "your name"}`); err != nil {
		return err
	}
	id, err := s.declared(r.Context(), wish)
	if err != nil {
		return err
	}
	return s.answerDetail(w, r, id)
}

func (s *server) declared(ctx context.Context, wish client.Declaration) (string, error) {
	by, err := whose(ctx, wish.By)
	if err != nil {
		return "", err
	}
	return s.Actions.Declare(ctx, incident.Declaration{Title: wish.Title, Description: wish.Description, Severity: wish.Severity, Labels: wish.Labels, By: by}, s.Now())
}
