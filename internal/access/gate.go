package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tocsin/internal/store"
)

// Settings are the ways to sign in, and who has which role.
type Settings struct {
	Tokens []Token
	// Users are the names of those with a password and its bcrypt hash, asked at each use; nil for nobody.
	Users func() (map[string]string, error)
	IAP   *IAP
	OIDC  *OIDC
	// Roles are who has a role: a name, "*@example.com", "group:NAME", or "*" for whoever has signed in. The highest that fits holds.
	Roles map[Role][]string
	// PublicStatus shows everybody whether something is wrong.
	PublicStatus bool
	// Address is that under which the pages are reached, without a slash at its end.
	Address string
	// Client makes requests to whoever issues identities, and Now is the clock; left out, they are the usual ones.
	Client *http.Client
	Now    func() time.Time
	Log    *slog.Logger
}

// Gate tells who asks.
type Gate struct {
	Settings
	store     *store.Store
	passwords passwords
	iap       verifier
	oidc      *provider
}

// NewGate makes a gate. Nothing is asked of anybody yet. The store keeps who has signed in with a browser.
func NewGate(s *store.Store, o Settings) *Gate {
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 8 * time.Second}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gate{Settings: o, store: s, passwords: newPasswords()}
	if o.IAP != nil {
		g.iap = g.newIAP()
	}
	if o.OIDC != nil {
		g.oidc = &provider{g: g}
	}
	return g
}

// Required says that nobody gets in without signing in.
func (g *Gate) Required() bool {
	return len(g.Tokens) > 0 || g.Users != nil || g.IAP != nil || g.OIDC != nil
}

// Browser says how a person with a browser can sign in: by a provider, else by a password that the browser asks for.
func (g *Gate) Browser() (provider, password bool) {
	return g.OIDC != nil, g.Users != nil && g.OIDC == nil
}

// Who says who makes a request. The first credential that is there decides: what Google's proxy has added, then what the request says
// itself, then the session of a browser. One that is wrong is an Error, and no other is looked at.
func (g *Gate) Who(r *http.Request) (Identity, error) {
	if known := From(r.Context()); known.Way != "" {
		return known, nil
	}
	if !g.Required() {
		return Identity{Role: Admin, Way: Open}, nil
	}
	if assertion := r.Header.Get(iapHeader); g.IAP != nil && assertion != "" {
		return g.byIAP(r.Context(), assertion)
	}
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, value, _ := strings.Cut(header, " ")
		switch {
		case strings.EqualFold(scheme, "Bearer"):
			return g.byToken(strings.TrimSpace(value))
		case strings.EqualFold(scheme, "Basic") && g.Users != nil:
			return g.byPassword(r)
		}
		return Identity{}, g.refuse(r.Context(), "a credential of a kind that is not taken here", nil)
	}
	if c, err := r.Cookie(g.cookie()); err == nil && g.OIDC != nil {
		return g.bySession(r.Context(), c.Value)
	}
	return Identity{}, &Error{Unauthenticated, "sign in first" + g.how()}
}

// how says how one signs in.
func (g *Gate) how() string {
	var ways []string
	if len(g.Tokens) > 0 {
		ways = append(ways, "with a token (Authorization: Bearer)")
	}
	if g.Users != nil {
		ways = append(ways, "with a name and a password (Authorization: Basic)")
	}
	if g.OIDC != nil {
		ways = append(ways, "in a browser at /login")
	}
	if g.IAP != nil {
		ways = append(ways, "through Google's Identity-Aware Proxy")
	}
	return ": " + strings.Join(ways, ", or ")
}

// refuse logs why a credential was not taken; who sent it hears only that it was not.
func (g *Gate) refuse(ctx context.Context, what string, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	g.Log.Warn("sign-in refused", "credential", what, "error", cause)
	return &Error{Unauthenticated, "that is not valid here, or not any more: " + what}
}

// person is somebody whom a sign-in has named.
func (g *Gate) person(name, way string, groups []string) Identity {
	return Identity{Name: name, Way: way, Role: g.RoleOf([]string{name}, groups)}
}

// Mapped is one of the configuration's people, whom a provider has named: their role is that of any of their names, the first of which they
// go by. Without a sign-in they may do what everybody may.
func (g *Gate) Mapped(way string, names ...string) Identity {
	if !g.Required() {
		return Identity{Name: names[0], Way: way, Role: Admin}
	}
	return Identity{Name: names[0], Way: way, Role: g.RoleOf(names, nil)}
}

// RoleOf is the highest role of somebody who goes by these names and is in these groups; 0 for none. Letters of the alphabet are the same in
// upper and lower case.
func (g *Gate) RoleOf(names, groups []string) Role {
	for role := Admin; role >= Viewer; role-- {
		for _, entry := range g.Roles[role] {
			if fits(entry, names, groups) {
				return role
			}
		}
	}
	return 0
}

func fits(entry string, names, groups []string) bool {
	if group, ok := strings.CutPrefix(entry, "group:"); ok {
		for _, g := range groups {
			if g == group {
				return true
			}
		}
		return false
	}
	entry = lower(entry)
	for _, name := range names {
		name = lower(name)
		domain, any := strings.CutPrefix(entry, "*@")
		_, of, _ := strings.Cut(name, "@")
		if name != "" && (entry == "*" || entry == name || any && of == domain && domain != "") {
			return true
		}
	}
	return false
}

// lower is a text with A to Z in lower case: other letters that some writing takes for the same are others.
func lower(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// secure says that the pages are reached under https.
func (g *Gate) secure() bool {
	u, err := url.Parse(g.Address)
	return err == nil && u.Scheme == "https"
}

// cookie is the name of the browser's session.
func (g *Gate) cookie() string { return g.cookieName("tocsin") }

// cookieName marks a cookie, under https, as one that only this very host can have set.
func (g *Gate) cookieName(name string) string {
	if g.secure() {
		return "__Host-" + name
	}
	return name
}

// hashed is the hash by which a secret is known here.
func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// bySession is whoever has signed in with this browser. Their role is that of the configuration in force.
func (g *Gate) bySession(ctx context.Context, secret string) (Identity, error) {
	var s store.Session
	var ok bool
	err := g.store.View(ctx, func(tx *store.Tx) (err error) {
		s, ok, err = tx.Session(ctx, hashed(secret), g.Now())
		return err
	})
	switch {
	case err != nil:
		return Identity{}, fmt.Errorf("look for session: %w", err)
	case !ok:
		return Identity{}, &Error{Unauthenticated, "your session is over: sign in again"}
	}
	return g.person(s.Name, "oidc", s.Groups), nil
}
