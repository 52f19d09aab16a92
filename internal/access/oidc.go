package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"tocsin/internal/store"
)

// OIDC is a provider of OpenID Connect where people sign in with their browser.
type OIDC struct {
	Issuer, ClientID string
	// SecretFile holds the client's secret, read at each sign-in; "" for a client that has none.
	SecretFile string
	// Scopes are asked for beside openid.
	Scopes []string
}

// How long a sign-in lasts, and how long one may take.
const (
	sessionTime = 24 * time.Hour
	loginTime   = 10 * time.Minute
)

// Callback is the path to which the provider sends people back.
const Callback = "/login/callback"

// provider is the provider, once it has been asked what it is.
type provider struct {
	g     *Gate
	mu    sync.Mutex
	known *oidc.Provider
}

// discovered asks the provider what it is, once. One that is away now is asked at the next sign-in: it keeps nothing from starting.
func (p *provider) discovered(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.g.Client), p.g.OIDC.Issuer)
		if err != nil {
			return nil, fmt.Errorf("ask %s how to sign in: %w", p.g.OIDC.Issuer, err)
		}
		p.known = found
	}
	return p.known, nil
}

func (p *provider) oauth(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	found, err := p.discovered(ctx)
	if err != nil {
		return nil, nil, err
	}
	o := p.g.OIDC
	c := &oauth2.Config{ClientID: o.ClientID, Endpoint: found.Endpoint(), RedirectURL: p.g.Address + Callback, Scopes: append([]string{oidc.ScopeOpenID}, o.Scopes...)}
	if o.SecretFile != "" {
		secret, err := os.ReadFile(o.SecretFile)
		if err != nil {
			return nil, nil, fmt.Errorf("read secret of sign-in: %w", err)
		}
		c.ClientSecret = strings.TrimSpace(string(secret))
	}
	return found, c, nil
}

// login is what a browser keeps while somebody signs in at the provider: only the one that began can end it.
type login struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Next     string    `json:"u"`
	Ends     time.Time `json:"e"`
}

// errNoProvider is for a gate without one.
var errNoProvider = &Error{Forbidden, "nobody signs in with a browser here"}

// Login sends a browser to the provider, and remembers in it where to go back to: a path of our own.
func (g *Gate) Login(w http.ResponseWriter, r *http.Request, next string) error {
	if g.oidc == nil {
		return errNoProvider
	}
	_, c, err := g.oidc.oauth(r.Context())
	if err != nil {
		return err
	}
	l := login{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: ownPath(next), Ends: g.Now().Add(loginTime)}
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	g.setCookie(w, "tocsin-login", base64.RawURLEncoding.EncodeToString(data), l.Ends)
	w.Header().Set("Location", c.AuthCodeURL(l.State, oidc.Nonce(l.Nonce), oauth2.S256ChallengeOption(l.Verifier)))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// ownPath is a path of this service; what leads anywhere else becomes the first page.
func ownPath(next string) string {
	if len(next) > 500 || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

// Return ends a sign-in: the provider has sent the browser back with a code, good once, which is exchanged for a signed identity.
func (g *Gate) Return(w http.ResponseWriter, r *http.Request) error {
	if g.oidc == nil {
		return errNoProvider
	}
	l, err := g.begun(r)
	g.setCookie(w, "tocsin-login", "", time.Time{}) // whatever comes of it, it was used
	if err != nil {
		return g.refuse(r.Context(), "this sign-in: begin anew", err)
	}
	name, groups, err := g.exchange(r, l)
	if err != nil {
		return err
	}
	secret := rand.Text() + rand.Text()
	s := store.Session{ID: hashed(secret), Name: name, Groups: groups, Ends: g.Now().Add(sessionTime)}
	err = g.store.Update(r.Context(), func(tx *store.Tx) error {
		if err := tx.AddSession(r.Context(), &s, g.Now()); err != nil {
			return err
		}
		return Record(r.Context(), tx, g.Now(), Deed{Who: name, Way: "oidc", Deed: "sign in"})
	})
	if err != nil {
		return err
	}
	g.setCookie(w, "tocsin", secret, s.Ends)
	w.Header().Set("Location", l.Next)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// begun is the sign-in that this browser has begun, if what comes back belongs to it.
func (g *Gate) begun(r *http.Request) (login, error) {
	var l login
	c, err := r.Cookie(g.cookieName("tocsin-login"))
	if err != nil {
		return l, errors.New("this browser has begun none")
	}
	data, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	query := r.URL.Query()
	switch {
	case err != nil:
		return l, fmt.Errorf("read what was begun: %w", err)
	case !g.Now().Before(l.Ends):
		return l, errors.New("it took too long")
	case l.State == "" || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(l.State)) != 1:
		return l, errors.New("the state is another's")
	case query.Get("error") != "":
		return l, fmt.Errorf("the provider says %.200q", query.Get("error")+" "+query.Get("error_description"))
	}
	l.Next = ownPath(l.Next)
	return l, nil
}

// exchange gives the code to the provider and reads who it is.
func (g *Gate) exchange(r *http.Request, l login) (name string, groups []string, err error) {
	found, c, err := g.oidc.oauth(r.Context())
	if err != nil {
		return "", nil, err
	}
	ctx := oidc.ClientContext(r.Context(), g.Client)
	const what = "what the provider says of you"
	token, err := c.Exchange(ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(l.Verifier))
	if err != nil {
		return "", nil, g.refuse(ctx, what, err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := found.VerifierContext(ctx, &oidc.Config{ClientID: g.OIDC.ClientID, Now: g.Now}).Verify(ctx, raw)
	if err != nil {
		return "", nil, g.refuse(ctx, what, err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(l.Nonce)) != 1 {
		return "", nil, g.refuse(ctx, what, errors.New("it answers another sign-in"))
	}
	var claims struct {
		Email    string   `json:"email"`
		Verified *bool    `json:"email_verified"`
		User     string   `json:"preferred_username"`
		Groups   []string `json:"groups"`
	}
	if err := id.Claims(&claims); err != nil {
		return "", nil, g.refuse(ctx, what, err)
	}
	switch {
	case claims.Email != "" && (claims.Verified == nil || *claims.Verified):
		name = claims.Email
	case claims.User != "" && !strings.Contains(claims.User, "@"): // an address that nobody has verified is anybody's
		name = claims.User
	default:
		name = id.Subject
	}
	if name == "" || len(name) > 200 || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "", nil, g.refuse(ctx, what, errors.New("it names nobody"))
	}
	return name, claims.Groups, nil
}

// Logout ends the session of a browser.
func (g *Gate) Logout(w http.ResponseWriter, r *http.Request) error {
	if c, err := r.Cookie(g.cookie()); err == nil {
		who, known := g.bySession(r.Context(), c.Value)
		if known == nil {
			err = g.store.Update(r.Context(), func(tx *store.Tx) error {
				if err := tx.EndSession(r.Context(), hashed(c.Value)); err != nil {
					return err
				}
				return Record(r.Context(), tx, g.Now(), Deed{Who: who.Name, Way: who.Way, Deed: "sign out"})
			})
			if err != nil {
				return err
			}
		}
	}
	g.setCookie(w, "tocsin", "", time.Time{})
	w.Header().Set("Location", "/")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// setCookie gives a browser something to keep until a time; the zero time takes it away.
func (g *Gate) setCookie(w http.ResponseWriter, name, value string, ends time.Time) {
	c := &http.Cookie{Name: g.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: g.secure(), SameSite: http.SameSiteLaxMode, Expires: ends} //nolint:gosec // without https there is none to ask for
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}
