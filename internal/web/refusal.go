package web

import (
	"context"
	"errors"
	"net/http"

	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// Coded is an error that says what kind it is: not_found, conflict, invalid or internal. Its text may be shown to whoever
// asked, except that of internal, which goes to the log.
type Coded interface{ Code() string }

// statuses is the one table from codes to HTTP.
var statuses = map[string]int{
	client.NotFound: http.StatusNotFound,
	client.Conflict: http.StatusConflict,
	client.Invalid:  http.StatusBadRequest,
	client.Internal: http.StatusInternalServerError,

	client.Unauthenticated: http.StatusUnauthorized,
	client.Forbidden:       http.StatusForbidden,
}

// refusal is an error of this package: what HTTP has a status of its own for keeps it beside the code.
type refusal struct {
	status     int
	code, text string
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Code() string  { return r.code }

// invalid is a request that could never be done.
func invalid(text string) error { return &refusal{http.StatusBadRequest, client.Invalid, text} }

// refused makes of any error what the outside is told. An error that carries no code and is not the store's "not found" is
// internal: its text stays here, it could tell what is none of the asker's business.
func refused(err error) *refusal {
	var own *refusal
	if errors.As(err, &own) {
		return own
	}
	var coded Coded
	if errors.As(err, &coded) {
		if status, ok := statuses[coded.Code()]; ok && coded.Code() != client.Internal {
			return &refusal{status, coded.Code(), clean(err.Error(), 1000)}
		}
	}
	if errors.Is(err, store.ErrAmbiguous) {
		return &refusal{http.StatusBadRequest, client.Invalid, clean(err.Error(), 1000)}
	}
	if errors.Is(err, store.ErrNotFound) {
		return &refusal{http.StatusNotFound, client.NotFound, "there is no such incident"}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &refusal{http.StatusServiceUnavailable, client.Internal, "tocsin did not manage this in time; its log says more"}
	}
	return &refusal{http.StatusInternalServerError, client.Internal, "tocsin failed at this itself; its log says why"}
}

// report logs an internal error, once, at the place where it ends: the answer hides it. Who went away needs no answer.
func (s *server) report(r *http.Request, err error, is *refusal) {
	if is.code == client.Internal && !errors.Is(err, context.Canceled) {
		s.Log.Error("answer request", "method", r.Method, "path", clean(r.URL.Path, 200), "error", err)
	}
}
