package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"tocsin/internal/web/client"
)

// policy lets a page load what this service serves, send forms to it, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// maxBody bounds the body of a request, in bytes: all that is ever sent, alerts aside, is a name.
const maxBody = 16 << 10

// chatPath begins where Slack sends what people do there; maxChatBody is for what it sends: the whole message that a button is of.
const (
	chatPath    = "/slack/"
	maxChatBody = 256 << 10
)

// requestTime is how long a request may take: a store that is stuck must not look like a page that loads.
const requestTime = 10 * time.Second

// guarded puts in front of every route what all of them need: headers, the check of the Host header, refusal of what other
// sites send, the bounds on bodies and time, and an answer even when a handler panics.
func (s *server) guarded(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(s.refuse(&refusal{http.StatusForbidden, client.Invalid, "this came from another site, and is refused"}))
	next = cross.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.recover(w, r)
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !s.hostAllowed(r.Host, r.URL.Path) {
			s.refuse(&refusal{http.StatusMisdirectedRequest, client.Invalid, fmt.Sprintf(
				"this tocsin is not reached as %q: ask for 127.0.0.1 or localhost, or have the name allowed", clean(r.Host, 100))}).ServeHTTP(w, r)
			return
		}
		most := int64(maxBody)
		switch r.URL.Path {
		case alertsPath:
			most = maxAlertsBody
		case hearPath:
			most = hearMost
		}
		if strings.HasPrefix(r.URL.Path, chatPath) {
			most = maxChatBody
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		ctx, cancel := r.Context(), func() {}
		if r.URL.Path != followPath {
			ctx, cancel = context.WithTimeout(ctx, requestTime)
		}
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// recover answers for a handler that panicked, unless net/http itself asked for it.
func (s *server) recover(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	s.Log.Error("panic", "method", r.Method, "path", clean(r.URL.Path, 200), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	s.refuse(&refusal{http.StatusInternalServerError, client.Internal, "tocsin failed at this itself; its log says why"}).ServeHTTP(w, r)
}

// refuse answers with a refusal in the form that the path speaks.
func (s *server) refuse(is *refusal) http.Handler {
	no := func(http.ResponseWriter, *http.Request) error { return is }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			s.api(no).ServeHTTP(w, r)
			return
		}
		s.view(no).ServeHTTP(w, r)
	})
}

// hostAllowed says whether a request for that Host may be answered. A page of another site that has its name rebound to
// this address still asks under its own name, which is not in the list. Kubelets and scrapers ask by address, which cannot be
// rebound: for what they ask, any address will do.
func (s *server) hostAllowed(host, path string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if name == "localhost" {
		return true
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr.Unmap().IsLoopback() || path == "/healthz" || path == "/readyz" || path == "/metrics" {
			return true
		}
	}
	return slices.ContainsFunc(s.Hosts, func(allowed string) bool { return strings.EqualFold(allowed, name) })
}
