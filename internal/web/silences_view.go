package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// silencesView is the main part of the page of silences.
type silencesView struct {
	Asker    asker
	Silences []silenceView
	Windows  []silenceView
	// Form is what somebody has typed, Preview what that would hide.
	Form    silenceForm
	Preview *previewView
}

// silenceView is a silence or a maintenance window; Hides are the incidents that it hides now.
type silenceView struct {
	ID                         int64
	Name, Matchers, By, Reason string
	UpTo                       string
	State                      string
	From, Until                moment
	Hides                      []row
	More                       string
	Ended                      bool
}

// silenceForm is a wish as the form has it.
type silenceForm struct {
	Matchers, For, Reason, By string
	Lengths                   []length
}

type length struct {
	Value, Text string
	Chosen      bool
}

// lengths are how long a silence may be made for on the page.
var lengths = []length{{"1h", "1 hour", false}, {"2h", "2 hours", false}, {"8h", "8 hours", false}, {"24h", "1 day", false}, {"72h", "3 days", false}, {"168h", "7 days", false}}

// previewView is what a silence would hide.
type previewView struct {
	Said     string
	Warnings []string
	Affected []affectedView
}

type affectedView struct {
	row
	State, Why string
	Hidden     bool
}

// silences shows what is silenced, and the form for another; ?for=ID fills it in for an incident.
func (s *server) silences(w http.ResponseWriter, r *http.Request) error {
	form := silenceForm{For: "2h"}
	if id := r.URL.Query().Get("for"); id != "" {
		d, err := s.detail(r.Context(), id)
		if err != nil {
			return err
		}
		form.Matchers = strings.Join(matchersOf(&d.Incident), "\n")
	}
	return s.showSilences(w, r, http.StatusOK, form, nil, "")
}

// matchersOf are those that hide an incident's headline: its rule and its labels of group.
func matchersOf(inc *incident.Incident) []string {
	a := headline(inc)
	if a == nil {
		return nil
	}
	out := []string{"rule=" + strconv.Quote(clean(a.Rule, titleLength))}
	for _, name := range []string{"cluster", "service"} {
		if value := a.Labels[name]; value != "" && value == clean(value, titleLength) { // what cannot be read cannot be checked either
			out = append(out, name+"="+strconv.Quote(value))
		}
	}
	return out
}

func (s *server) showSilences(w http.ResponseWriter, r *http.Request, code int, form silenceForm, preview *previewView, notice string) error {
	status, err := s.status(r.Context())
	if err != nil {
		return err
	}
	now := s.Now()
	list, err := s.silencesNow(r.Context(), now.Add(-24*time.Hour))
	if err != nil {
		return err
	}
	v := silencesView{Asker: askerOf(r), Form: form, Preview: preview}
	for _, l := range lengths {
		l.Chosen = l.Value == form.For
		v.Form.Lengths = append(v.Form.Lengths, l)
	}
	for i := range list.Silences {
		v.Silences = append(v.Silences, silenceOf(&list.Silences[i], now))
	}
	for _, m := range list.Maintenance {
		view := silenceView{Name: clean(m.Name, titleLength), Reason: clean(m.Reason, titleLength), Until: at(m.Until, now)}
		view.Hides, view.More = hidesOf(m.Hides)
		v.Windows = append(v.Windows, view)
	}
	from := "/silences"
	if preview != nil {
		from = "" // what somebody looks at stays
	}
	return s.show(w, r, code, silencesTemplate, frame{Title: "Silences · tocsin", From: from, Nav: "/silences", Still: true, Notice: notice, Well: wellnessOf(status), Main: v})
}

func silenceOf(s *client.Silenced, now time.Time) silenceView {
	v := silenceView{ID: s.ID, Matchers: clean(strings.Join(s.Matchers, ", "), titleLength), By: clean(s.Owner, titleLength), Reason: clean(s.Reason, titleLength),
		UpTo: s.UpTo.String(), From: at(s.Starts, now), Until: at(s.Ends, now), Ended: !now.Before(s.Ends)}
	switch {
	case v.Ended && s.EndedBy != "":
		v.State = "ended by " + clean(s.EndedBy, titleLength)
	case v.Ended:
		v.State = "over"
	case now.Before(s.Starts):
		v.State = "begins " + v.From.Ago
	default:
		v.State = "for " + span(s.Ends.Sub(now)) + " more"
	}
	v.Hides, v.More = hidesOf(s.Hides)
	return v
}

func hidesOf(h client.Hidden) (rows []row, more string) {
	for _, inc := range h.Incidents {
		rows = append(rows, row{ID: inc.ID, Severity: inc.Severity.String(), Title: clean(inc.Title, titleLength)})
	}
	if h.More > 0 {
		more = fmt.Sprintf("and %d more", h.More)
	}
	return rows, more
}

// wishOf reads the form. One matcher stands on a line.
func (s *server) wishOf(r *http.Request) (silenceForm, incident.Silence, error) {
	f := silenceForm{Matchers: cleanLines(r.PostForm.Get("matchers"), lineLength), For: r.PostForm.Get("for"), Reason: clean(r.PostForm.Get("reason"), 600), By: clean(r.PostForm.Get("by"), 80)}
	if !slices.ContainsFunc(lengths, func(l length) bool { return l.Value == f.For }) {
		return f, incident.Silence{}, invalid("choose for how long")
	}
	by, err := whose(r.Context(), r.PostForm.Get("by"))
	if err != nil {
		return f, incident.Silence{}, err
	}
	lasts, err := time.ParseDuration(f.For)
	if err != nil {
		return f, incident.Silence{}, invalid("choose for how long")
	}
	wish := incident.Silence{Owner: by, Reason: f.Reason, Starts: s.Now(), Ends: s.Now().Add(lasts)}
	for line := range strings.Lines(f.Matchers) {
		if line = strings.TrimSpace(line); line != "" {
			wish.Matchers = append(wish.Matchers, line)
		}
	}
	return f, wish, nil
}

// previewByForm says what the silence of the form would hide, and makes none.
func (s *server) previewByForm(w http.ResponseWriter, r *http.Request) error {
	return s.silencing(w, r, func(ctx context.Context, form silenceForm, wish incident.Silence) error {
		made, affected, err := s.Actions.PreviewSilence(ctx, wish, s.Now())
		if err != nil {
			return err
		}
		now := s.Now()
		p := &previewView{Warnings: s.Unmatched(made.Matchers)}
		hidden := 0
		for i := range affected {
			a := &affected[i]
			if a.Hidden {
				hidden++
			}
			if i < mostRows {
				inc := &a.Incident
				p.Affected = append(p.Affected, affectedView{row{ID: inc.ID, Severity: inc.Severity.String(), Title: clean(inc.Title, titleLength), When: at(inc.OpenedAt, now)},
					string(inc.State), clean(a.Why, titleLength), a.Hidden})
			}
		}
		some := number(int64(hidden))
		if hidden == 0 {
			some = "none"
		}
		p.Said = fmt.Sprintf("Until %s, up to severity %s, it would hide %s of the %s that it matches, of what is open and of the last seven days.", at(made.Ends, now).Text, made.UpTo,
			some, plural(int64(len(affected)), "incident"))
		if len(affected) == 0 {
			p.Said = "It matches nothing that is open, and nothing of the last seven days."
		}
		return s.showSilences(w, r, http.StatusOK, form, p, "")
	})
}

// silenceByForm makes the silence of the form.
func (s *server) silenceByForm(w http.ResponseWriter, r *http.Request) error {
	return s.silencing(w, r, func(ctx context.Context, _ silenceForm, wish incident.Silence) error {
		_, _, err := s.Actions.AddSilence(ctx, wish, s.Now())
		if err != nil {
			return err
		}
		w.Header().Set("Location", "/silences")
		w.WriteHeader(http.StatusSeeOther)
		return nil
	})
}

// silencing reads the form and does something with it; what is refused is told above the form, as it was filled in.
func (s *server) silencing(w http.ResponseWriter, r *http.Request, do func(context.Context, silenceForm, incident.Silence) error) error {
	if err := readForm(r); err != nil {
		return err
	}
	form, wish, err := s.wishOf(r)
	if err == nil {
		err = do(r.Context(), form, wish)
	}
	if err == nil {
		return nil
	}
	is := refused(err)
	if is.code != client.Invalid {
		return err
	}
	return s.showSilences(w, r, is.status, form, nil, is.text)
}

// expireByForm ends a silence now.
func (s *server) expireByForm(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	by, err := whose(r.Context(), r.PostForm.Get("by"))
	if err != nil {
		return err
	}
	id, err := silenceID(r)
	if err != nil {
		return err
	}
	if _, err = s.Actions.EndSilence(r.Context(), id, by, s.Now()); err != nil {
		return err
	}
	w.Header().Set("Location", "/silences")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// silenceID is the number in the path.
func silenceID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, invalid(fmt.Sprintf("%q is no silence's number", clean(r.PathValue("id"), 50)))
	}
	return id, nil
}

// silencesNow are the silences that end, or have ended, after a time, and the maintenance windows in force, with what each hides now.
func (s *server) silencesNow(ctx context.Context, since time.Time) (client.SilenceList, error) {
	list := client.SilenceList{Silences: []client.Silenced{}, Maintenance: []client.Maintained{}}
	var silences []incident.Silence
	var held []incident.Incident
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		if silences, err = tx.SilencesSince(ctx, since); err == nil {
			held, err = tx.HeldIncidents(ctx)
		}
		return err
	})
	if err != nil {
		return list, fmt.Errorf("list silences: %w", err)
	}
	for i := range silences {
		list.Silences = append(list.Silences, client.Silenced{Silence: silences[i], Hides: hiddenBy(held, routing.SilenceName(silences[i].ID))})
	}
	for _, window := range s.Maintenance(s.Now()) {
		list.Maintenance = append(list.Maintenance, client.Maintained{Name: strings.TrimPrefix(window.By, "maintenance "), Until: window.Until,
			Reason: window.Why, Hides: hiddenBy(held, window.By)})
	}
	return list, nil
}
