package web

import (
	"fmt"
	"io"
	"net/http"
)

// hearPath is where PagerDuty sends its webhooks, hearMost how many bytes one may have.
const (
	hearPath = "/pagerduty/webhook"
	hearMost = 1 << 20
)

// hear takes what a pager tells by itself. Its signature says whose it is: nobody signs in.
func (s *server) hear(w http.ResponseWriter, r *http.Request) error {
	if err := checkType(r, "application/json"); err != nil {
		return err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return unreadable(err, "an event of PagerDuty's webhooks v3")
	}
	if err := s.Hear(r.Context(), r.Header, body, s.Now()); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
	return nil
}
