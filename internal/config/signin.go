package config

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"tocsin/internal/setting"
)

// SignIn says who may see the pages and use the API, and what they may do there. Without it nobody signs in, and tocsin listens to its own
// machine alone.
type SignIn struct {
	// Tokens are for programs and commands, by name.
	Tokens map[string]Token `yaml:"tokens"`
	// WebConfig is a file in the form of Prometheus' exporter-toolkit, relative to this one: names with the bcrypt hashes of their
	// passwords (basic_auth_users), and a certificate (tls_server_config).
	WebConfig string `yaml:"web_config"`
	// IAP takes who has signed in at Google's Identity-Aware Proxy.
	IAP *IAP `yaml:"iap"`
	// OIDC lets people sign in at a provider of OpenID Connect.
	OIDC *OIDC `yaml:"oidc"`
	// Roles say who may do what.
	Roles Roles `yaml:"roles"`
	// PublicStatus shows everybody a page that says whether something is wrong, and nothing else.
	PublicStatus bool `yaml:"public_status"`
}

// Token is a secret that a program shows: exactly one of SHA256 and File.
type Token struct {
	// Role is viewer, responder, silencer or admin.
	Role string `yaml:"role"`
	// SHA256 is the token's SHA-256, in hex.
	SHA256 string `yaml:"sha256"`
	// File is the file that holds the token, relative to this one.
	File string `yaml:"token_file"`
}

// IAP is Google's Identity-Aware Proxy in front of tocsin.
type IAP struct {
	// Audience is the backend service: /projects/NUMBER/global/backendServices/ID.
	Audience string `yaml:"audience"`
}

// OIDC is a provider of OpenID Connect.
type OIDC struct {
	// Issuer is its address.
	Issuer string `yaml:"issuer"`
	// ClientID is what it calls tocsin.
	ClientID string `yaml:"client_id"`
	// SecretFile is the file that holds the client's secret.
	SecretFile string `yaml:"client_secret_file"`
	// Scopes are asked for beside openid; profile and email if not said.
	Scopes []string `yaml:"scopes"`
}

// Roles are who has which role: names, "*@example.com", "group:NAME", or "*" for whoever has signed in.
type Roles struct {
	Viewer    []string `yaml:"viewer"`
	Responder []string `yaml:"responder"`
	Silencer  []string `yaml:"silencer"`
	Admin     []string `yaml:"admin"`
}

// Ways says whether there is a way to sign in. A web_config may hold one: only serve opens it.
func (s *SignIn) Ways() bool {
	return s != nil && (len(s.Tokens) > 0 || s.WebConfig != "" || s.IAP != nil || s.OIDC != nil)
}

// Validate says what cannot be.
func (s *SignIn) Validate() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if !s.Ways() && !s.PublicStatus {
		wrong("", "there is no way to sign in: write tokens, web_config, iap or oidc")
	}
	owner := map[string]string{} // whose the hash is
	for _, name := range slices.Sorted(maps.Keys(s.Tokens)) {
		t, at := s.Tokens[name], "tokens."+name
		if !slices.Contains([]string{"viewer", "responder", "silencer", "admin"}, t.Role) {
			wrong(at+".role", "role %q is none: write viewer, responder, silencer or admin", t.Role)
		}
		switch raw, err := hex.DecodeString(t.SHA256); {
		case (t.SHA256 == "") == (t.File == ""):
			wrong(at, "write sha256, the SHA-256 of the token in hex, or token_file, the file that holds it")
		case t.SHA256 != "" && (err != nil || len(raw) != 32 || strings.ToLower(t.SHA256) != t.SHA256):
			wrong(at+".sha256", "sha256 is not 64 digits and letters a to f: write what `printf %%s TOKEN | sha256sum` says, not the token itself")
		case t.SHA256 != "" && owner[t.SHA256] != "":
			wrong(at+".sha256", "sha256 is that of tokens.%s too: give each a token of its own, for nobody could say which of the two it is", owner[t.SHA256])
		}
		owner[t.SHA256] = name
	}
	if s.IAP != nil && !strings.HasPrefix(s.IAP.Audience, "/projects/") {
		wrong("iap.audience", "audience %q is none: write /projects/NUMBER/global/backendServices/ID, as the console shows it under \"Get JWT audience code\"", s.IAP.Audience)
	}
	if s.OIDC != nil {
		if !strings.HasPrefix(s.OIDC.Issuer, "https://") && !localAddress(s.OIDC.Issuer) {
			wrong("oidc.issuer", "issuer %q is no address: write it as https://accounts.google.com", s.OIDC.Issuer)
		}
		if s.OIDC.ClientID == "" {
			wrong("oidc.client_id", "client_id is missing: write what the provider calls tocsin")
		}
	}
	some := false
	for _, r := range []struct {
		name string
		list []string
	}{{"viewer", s.Roles.Viewer}, {"responder", s.Roles.Responder}, {"silencer", s.Roles.Silencer}, {"admin", s.Roles.Admin}} {
		some = some || len(r.list) > 0
		for i, entry := range r.list {
			if text := wrongEntry(entry); text != "" {
				wrong(fmt.Sprintf("roles.%s.%d", r.name, i), "%s", text)
			}
		}
	}
	if !some && (s.WebConfig != "" || s.IAP != nil || s.OIDC != nil) {
		wrong("roles", "roles is missing: nobody who signs in might do anything; write for example {viewer: [\"*\"], responder: [\"*@example.com\"]}")
	}
	return errs
}

// localAddress says that something is asked of this machine itself.
func localAddress(address string) bool {
	rest, ok := strings.CutPrefix(address, "http://")
	host, _, _ := strings.Cut(rest, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ok && (host == "localhost" || ip != nil && ip.IsLoopback())
}

func wrongEntry(entry string) string {
	switch name, group := strings.CutPrefix(entry, "group:"); {
	case entry == "" || group && name == "":
		return "is empty: write a name, *@example.com, group:NAME or *"
	case !group && entry != "*" && strings.Contains(strings.TrimPrefix(entry, "*@"), "*"):
		return fmt.Sprintf("%q stands for nobody: a star can only stand for all before the @ (*@example.com), or alone for whoever signs in", entry)
	}
	return ""
}
