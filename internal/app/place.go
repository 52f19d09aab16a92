package app

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"tocsin/internal/config"
	"tocsin/internal/setting"
	"tocsin/internal/store"
)

// Postgres is a PostgreSQL database as the store, which several processes may share.
type Postgres struct {
	// URL is postgres://USER@HOST:5432/DATABASE, with what else libpq knows behind a question mark, such as sslmode=verify-full. No
	// password may be in it.
	URL string `yaml:"url"`
	// PasswordFile holds the password; relative to the configuration. It is read at each connection. Left out, PGPASSFILE and
	// PGPASSWORD hold, as for PostgreSQL's own programs.
	PasswordFile string `yaml:"password_file"`
}

// Validate says what is wrong with the URL.
func (p Postgres) Validate() []setting.FieldError {
	if p.URL == "" {
		return []setting.FieldError{{Path: "url", Text: "is missing: write it as postgres://USER@HOST:5432/DATABASE"}}
	}
	if err := store.CheckURL(p.URL); err != nil {
		return []setting.FieldError{{Path: "url", Text: err.Error()}}
	}
	u, err := url.Parse(p.URL)
	if err != nil {
		return nil // CheckURL has said it
	}
	var errs []setting.FieldError
	for key, given := range u.Query() {
		known, choice := choices[key]
		switch {
		case choice && !slices.Contains(known, given[0]):
			errs = append(errs, setting.FieldError{Path: "url", Text: setting.Unknown(key, given[0], known)})
		case strings.HasPrefix(key, "ssl") && !slices.Contains(sslKeys, key):
			errs = append(errs, setting.FieldError{Path: "url", Text: setting.Unknown("parameter", key, sslKeys)})
		}
	}
	return errs
}

// choices are the parameters of a database's URL that take one of a few words, and sslKeys all that begin with ssl, as PostgreSQL's manual
// has them (libpq, Parameter Key Words) and the driver knows them.
var (
	choices = map[string][]string{
		"sslmode":              {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
		"target_session_attrs": {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"},
	}
	sslKeys = []string{"sslmode", "sslrootcert", "sslcert", "sslkey", "sslsni", "sslnegotiation", "sslcertmode"}
)

// database is where the store of a configuration is, and how to get in.
type database struct {
	path         string
	passwordFile string
}

// database reads where the store is.
func (l *loading) database() {
	l.plan.database.path = l.file.Database()
	n := l.file.Store
	if n.IsZero() {
		return
	}
	if text, ok := n.Scalar(); ok {
		if store.IsURL(text) {
			l.errs = append(l.errs, n.Locate(setting.FieldError{Text: fmt.Sprintf("a database server is written as {postgres: {url: %q}}", "postgres://USER@HOST:5432/DATABASE")})...)
		}
		return
	}
	_, spec, errs := config.DecodeKind(n, "store", map[string]func() *Postgres{"postgres": func() *Postgres { return new(Postgres) }})
	l.errs = append(l.errs, errs...)
	if len(errs) == 0 {
		l.plan.database = database{path: spec.URL, passwordFile: l.file.Resolve(spec.PasswordFile)}
	}
}
