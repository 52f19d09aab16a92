package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"slices"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

// The pages: each is the layout with its own main part.
var (
	overviewTemplate = parseTemplate("overview.html")
	incidentTemplate = parseTemplate("incident.html")
	refusalTemplate  = parseTemplate("refusal.html")
	silencesTemplate = parseTemplate("silences.html")
	sourcesTemplate  = parseTemplate("sources.html")
	rulesTemplate    = parseTemplate("rules.html")
	oncallTemplate   = parseTemplate("oncall.html")
	publicTemplate   = parseTemplate("public.html")
	declareTemplate  = parseTemplate("declare.html")
	probesTemplate   = parseTemplate("probes.html")
	ruleTemplate     = parseTemplate("rule.html")
)

func parseTemplate(name string) *template.Template {
	return template.Must(template.ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/"+name))
}

// frame is what the layout needs, and Main, which the page's own part needs.
type frame struct {
	Title string
	// From is where the script fetches the page anew; empty for a page that stays as it is.
	From string
	// Still says that a browser without script must not reload the page: somebody may be typing in it.
	Still bool
	// Well is the line that says how the service is; nil where that is not known.
	Well *wellness
	// Notice tells that what was asked for could not be done.
	Notice string
	AsOf   moment
	// Nav is the entry of the navigation that this page is behind; Bare leaves navigation out.
	Nav  string
	Bare bool
	// Who is the name of whoever has signed in, Out that they can sign out here.
	Who  string
	Out  bool
	Main any
}

// Pages are the entries of the navigation.
func (frame) Pages() []struct{ Path, Name string } {
	return []struct{ Path, Name string }{{"/", "Incidents"}, {"/silences", "Silences"}, {"/oncall", "On call"}, {"/rules", "Rules"}, {"/sources", "Sources"}, {"/probes", "Probes"}}
}

// show answers with a page for whoever asks.
func (s *server) show(w http.ResponseWriter, r *http.Request, code int, view *template.Template, f frame) error {
	who, now := access.From(r.Context()), s.Now()
	f.Who, f.Out, f.AsOf = clean(who.Name, 80), who.Way == "oidc", exactly(now, now)
	return render(w, code, view, f)
}

// wellness is the line at the top that says how the service itself is.
type wellness struct {
	Good bool
	Text string
}

// How much the overview shows: cards, then rows, then a number.
const (
	mostCards    = 30
	mostRows     = 170
	mostResolved = 10
)

// view makes a handler of one that speaks HTML.
func (s *server) view(serve handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := serve(w, r)
		if err == nil {
			return
		}
		is := refused(err)
		s.report(r, err, is)
		title := http.StatusText(is.status)
		err = render(w, is.status, refusalTemplate, frame{Title: title, AsOf: exactly(s.Now(), s.Now()), Main: refusalView{title, is.text}})
		if err != nil { // our own template: a test renders it
			s.Log.Error("render page", "error", err)
		}
	})
}

// render answers with a page. It renders into memory first, so that a fault in a template is an answer of its own.
func render(w http.ResponseWriter, status int, view *template.Template, f frame) error {
	var b bytes.Buffer
	if err := view.ExecuteTemplate(&b, "layout.html", f); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // that the asker is gone by now is not worth a word
	return nil
}

// overview shows what is open, what was lately, and whether the service itself is well.
func (s *server) overview(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	status, err := s.status(ctx)
	if err != nil {
		return err
	}
	var open, over []incident.Incident
	told := map[string][]incident.Notification{}
	err = s.Store.View(ctx, func(tx *store.Tx) (err error) {
		open, err = tx.Incidents(ctx, store.IncidentFilter{
			States: []incident.State{incident.Open, incident.Acknowledged}, Limit: mostCards + mostRows})
		if err != nil {
			return err
		}
		byUrgency(open)
		var ids []string
		for _, inc := range open[:min(len(open), mostCards)] {
			ids = append(ids, inc.ID)
		}
		if told, err = tx.NotificationsOf(ctx, ids); err != nil {
			return err
		}
		over, err = tx.Incidents(ctx, store.IncidentFilter{States: []incident.State{incident.Resolved}, Limit: mostResolved})
		return err
	})
	if err != nil {
		return fmt.Errorf("read overview: %w", err)
	}
	now := s.Now()
	view := overviewOf(status, open, told, over, now)
	view.Asker = askerOf(r)
	return s.show(w, r, http.StatusOK, overviewTemplate, frame{Title: view.Short + " · tocsin", From: "/", Nav: "/", Well: wellnessOf(status), Main: view})
}

// incident shows one incident. An id that is only the beginning of one leads to the whole one.
func (s *server) incident(w http.ResponseWriter, r *http.Request) error {
	d, err := s.detail(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if d.Incident.ID != r.PathValue("id") {
		w.Header().Set("Location", "/incidents/"+d.Incident.ID)
		w.WriteHeader(http.StatusFound)
		return nil
	}
	return s.showIncident(w, r, http.StatusOK, d, "")
}

func (s *server) showIncident(w http.ResponseWriter, r *http.Request, code int, d client.Detail, notice string) error {
	status, err := s.status(r.Context())
	if err != nil {
		return err
	}
	view := incidentOf(d, s.Now())
	view.Asker = askerOf(r)
	rules := s.Rules()
	for i := range view.Alerts {
		a := &view.Alerts[i]
		a.Loaded = slices.ContainsFunc(rules, func(r Rule) bool { return r.Name == a.Rule })
	}
	if view.Doable && view.Asker.MayAct {
		view.People = s.People()
		if view.Others, err = s.others(r.Context(), d.Incident.ID); err != nil {
			return err
		}
	}
	return s.show(w, r, code, incidentTemplate, frame{Title: view.Title + " · tocsin", From: "/incidents/" + d.Incident.ID, Nav: "/", Still: view.Doable, Notice: notice,
		Well: wellnessOf(status), Main: view})
}

// asker is what the forms of a page need of whoever looks at it.
type asker struct {
	// Name is the sign-in's: it need not be typed. MayAct and MaySilence say which forms are there.
	Name               string
	MayAct, MaySilence bool
}

func askerOf(r *http.Request) asker {
	who := access.From(r.Context())
	return asker{Name: clean(who.Name, 80), MayAct: who.May(access.Responder) == nil, MaySilence: who.May(access.Silencer) == nil}
}

// readForm reads what a page's form sends.
func readForm(r *http.Request) error {
	if err := checkType(r, "application/x-www-form-urlencoded"); err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return unreadable(err, "by=your+name")
	}
	return nil
}

// noteByForm writes down what the form on an incident's page says.
func (s *server) noteByForm(w http.ResponseWriter, r *http.Request) error {
	return s.deedByForm(func(ctx context.Context, id, by string, now time.Time) error {
		return s.Actions.Note(ctx, id, by, cleanLines(r.PostForm.Get("text"), noteLength), now)
	})(w, r)
}

// deedByForm does a deed that comes from the form on an incident's page, and leads back there. What is refused is told above
// the page, as the incident is by then.
func (s *server) deedByForm(do deed) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := readForm(r); err != nil {
			return err
		}
		id, err := s.done(r.Context(), do, r.PathValue("id"), r.PostForm.Get("by"))
		if err == nil {
			return seeOther(w, "/incidents/"+id)
		}
		is := refused(err)
		if is.code != client.Conflict && is.code != client.Invalid {
			return err
		}
		d, missing := s.detail(r.Context(), r.PathValue("id"))
		if missing != nil {
			return err
		}
		return s.showIncident(w, r, is.status, d, is.text)
	}
}

// seeOther leads to another page.
func seeOther(w http.ResponseWriter, path string) error {
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// static serves the style sheet, the script and the icon. They are asked for again each time and answered by their hash.
func (s *server) static(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	data, err := staticFiles.ReadFile(path.Join("static", path.Base(name)))
	if err != nil {
		return nowhere(w, r)
	}
	sum := sha256.Sum256(data)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
	return nil
}

// refusalView is the main part of a page that says no.
type refusalView struct{ Title, Text string }
