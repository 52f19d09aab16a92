package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"tocsin/internal/access"
	"tocsin/internal/web/client"
)

// admitted lets in whoever may do what a route does. Every route but those that everybody may ask goes through it: there is no other check
// behind it, and none before.
func (s *server) admitted(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gate := s.Gate()
		who, err := gate.Who(r)
		if err == nil {
			r = r.WithContext(access.With(r.Context(), who))
		}
		if rt.to == everyone || rt.to == public && gate.PublicStatus {
			rt.serve.ServeHTTP(w, r) // what nobody knows of changes nothing here
			return
		}
		if err == nil {
			err = who.May(rt.need)
		}
		if err == nil {
			rt.serve.ServeHTTP(w, r)
			return
		}
		s.turnAway(w, r, gate, err)
	})
}

// turnAway says no, and how to sign in to whoever has not.
func (s *server) turnAway(w http.ResponseWriter, r *http.Request, gate *access.Gate, err error) {
	is := refused(err)
	if is.code == client.Unauthenticated {
		provider, password := gate.Browser()
		api := strings.HasPrefix(r.URL.Path, "/api/")
		switch {
		case !api && provider && r.Method == http.MethodGet && r.Header.Get("Authorization") == "":
			w.Header().Set("Location", "/login?next="+url.QueryEscape(r.URL.RequestURI()))
			w.WriteHeader(http.StatusSeeOther)
			return
		case password:
			w.Header().Set("WWW-Authenticate", `Basic realm="tocsin", charset="UTF-8"`)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="tocsin"`)
		}
	}
	var known *access.Error
	if !errors.As(err, &known) {
		s.report(r, err, is)
	}
	s.refuse(is).ServeHTTP(w, r)
}

// login sends a browser to where people sign in.
func (s *server) login(w http.ResponseWriter, r *http.Request) error {
	return s.Gate().Login(w, r, r.URL.Query().Get("next"))
}

// loggedIn takes back whoever has signed in there.
func (s *server) loggedIn(w http.ResponseWriter, r *http.Request) error {
	return s.Gate().Return(w, r)
}

// logout ends what login began.
func (s *server) logout(w http.ResponseWriter, r *http.Request) error {
	return s.Gate().Logout(w, r)
}

// whose is the name under which a deed goes: that of the sign-in, else what whoever asks says of themselves.
func whose(ctx context.Context, claimed string) (string, error) {
	who := access.From(ctx)
	if claimed = strings.TrimSpace(claimed); claimed != "" || who.Name == "" {
		if err := checkName(claimed); err != nil {
			return "", err
		}
	}
	return clean(who.Says(claimed), 200), nil
}

// checkName lets through what can be a person's name: it is shown to others, so it holds nothing that cannot be seen.
func checkName(by string) error {
	hidden := strings.ContainsFunc(by, func(r rune) bool { return !unicode.IsPrint(r) })
	if by == "" || !utf8.ValidString(by) || utf8.RuneCountInString(by) > 80 || hidden {
		return invalid("say who does this: a name of 1 to 80 characters, on one line")
	}
	return nil
}
