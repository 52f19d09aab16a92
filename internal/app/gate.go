package app

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"tocsin/internal/access"
	"tocsin/internal/config"
)

// gate makes the way in that a configuration says. What it needs of files is read at each use, but whether passwords are there at all.
func (a *App) gate(plan *Plan) (*access.Gate, error) {
	o := access.Settings{Address: strings.TrimSuffix(plan.File.URL, "/"), Log: a.o.Log}
	in := plan.File.SignIn
	if in == nil {
		return access.NewGate(a.store.ForPages(), o), nil
	}
	o.PublicStatus = in.PublicStatus
	for name, t := range in.Tokens {
		token := access.Token{Name: name, Hash: t.SHA256, File: plan.File.Resolve(t.File)}
		if err := token.Role.UnmarshalText([]byte(t.Role)); err != nil {
			return nil, fmt.Errorf("token %s: %w", name, err)
		}
		o.Tokens = append(o.Tokens, token)
	}
	if in.WebConfig != "" {
		path := plan.File.Resolve(in.WebConfig)
		web, err := config.ReadWebConfig(path)
		if err != nil {
			return nil, err
		}
		if len(web.Users) > 0 {
			o.Users = func() (map[string]string, error) {
				web, err := config.ReadWebConfig(path)
				return web.Users, err
			}
		}
	}
	if in.IAP != nil {
		o.IAP = &access.IAP{Audience: in.IAP.Audience}
	}
	if p := in.OIDC; p != nil {
		o.OIDC = &access.OIDC{Issuer: p.Issuer, ClientID: p.ClientID, SecretFile: plan.File.Resolve(p.SecretFile), Scopes: p.Scopes}
		if p.Scopes == nil {
			o.OIDC.Scopes = []string{"profile", "email"}
		}
	}
	o.Roles = map[access.Role][]string{access.Viewer: in.Roles.Viewer, access.Responder: in.Roles.Responder, access.Silencer: in.Roles.Silencer, access.Admin: in.Roles.Admin}
	return access.NewGate(a.store.ForPages(), o), nil
}

// listenable says what is wrong with an address to serve the pages on. Without a sign-in they are for this machine alone.
func listenable(address string, signIn bool, pages string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen on %q: %w: write an address such as 127.0.0.1:8480", address, err)
	}
	if isLoopback(host) {
		return nil
	}
	if !signIn {
		return fmt.Errorf("listen on %s: without a sign-in the pages are for this machine only: write sign_in, or listen on 127.0.0.1 and reach it through a port-forward", address)
	}
	if u, err := url.Parse(pages); err != nil || u.Hostname() == "" {
		return fmt.Errorf("listen on %s: url is missing: write the address under which people reach the pages; they are served under no other name", address)
	}
	return nil
}

// isLoopback says that only this machine reaches what listens on a host.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// guarded says why a service that listens where others reach it cannot take a way in; nil if it can.
func (a *App) guarded(g *access.Gate) error {
	host, _, err := net.SplitHostPort(a.listener.Addr().String())
	if err == nil && !isLoopback(host) && !g.Required() {
		err = fmt.Errorf("tocsin listens on %s, and in this configuration nobody signs in: write sign_in; a web_config alone needs basic_auth_users", a.listener.Addr())
	}
	return err
}

// secured makes the server speak TLS where a web_config names a certificate. Each connection is met by what the files hold then.
func (a *App) secured(plan *Plan) error {
	if plan.File.SignIn == nil || plan.File.SignIn.WebConfig == "" {
		return nil
	}
	web, err := config.ReadWebConfig(plan.File.Resolve(plan.File.SignIn.WebConfig))
	if err == nil && web.TLS != nil {
		a.server.TLSConfig, a.secure = web.TLS, true // what net/http makes of it while it serves is its own
	}
	return err
}

// servePages serves until the server is closed.
func (a *App) servePages() error {
	if a.secure {
		return a.server.ServeTLS(a.listener, "", "")
	}
	return a.server.Serve(a.listener)
}
