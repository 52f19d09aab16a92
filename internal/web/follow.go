package web

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// followPath is where a page hears that something has changed. What it hears is no more than that: it fetches itself anew.
const followPath = "/events"

// A page that follows asks for nothing while nothing changes. After followFor it asks anew, and is asked anew who it is.
const (
	followEvery = time.Second
	followFor   = 5 * time.Minute
	mostFollow  = 200
)

// followers counts the pages that follow.
type followers struct{ n atomic.Int64 }

// follow tells a page, as server-sent events, each time that something has changed.
func (s *server) follow(w http.ResponseWriter, r *http.Request) {
	if s.following.n.Add(1) > mostFollow {
		s.following.n.Add(-1)
		s.refuse(&refusal{http.StatusServiceUnavailable, client.Internal, "too many pages follow already: this one looks by itself"}).ServeHTTP(w, r)
		return
	}
	defer s.following.n.Add(-1)
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not keep it back
	say := func(text string) error {
		err := out.SetWriteDeadline(time.Now().Add(requestTime))
		if err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := fmt.Fprint(w, text); err != nil {
			return err
		}
		return out.Flush()
	}
	if say("retry: 3000\n\n") != nil {
		return // it is gone
	}
	look := time.NewTicker(followEvery)
	defer look.Stop()
	end := time.NewTimer(followFor)
	defer end.Stop()
	known, said := "", time.Now()
	for {
		var mark string
		err := s.Store.View(r.Context(), func(tx *store.Tx) (err error) {
			mark, err = tx.Mark(r.Context())
			return err
		})
		switch {
		case err != nil: // the page's own look says why
		case known == "":
			known = mark
		case mark != known:
			known, said = mark, time.Now()
			if say("event: changed\ndata: 1\n\n") != nil {
				return
			}
		case time.Since(said) > 15*time.Second:
			said = time.Now()
			if say(": nothing new\n\n") != nil { // so that whoever is between keeps it open
				return
			}
		}
		select {
		case <-look.C:
		case <-end.C:
			return
		case <-s.Stopping:
			return
		case <-r.Context().Done():
			return
		}
	}
}
