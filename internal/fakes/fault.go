package fakes

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Fault is what a stand-in does to one request in place of answering it as it should. The zero Fault does nothing.
type Fault struct {
	// Delay holds the request up before anything is done, as long as its client waits.
	Delay time.Duration
	// Status, if not 0, refuses the request with that HTTP status, RetryAfter seconds, and Body.
	Status     int
	RetryAfter int
	Body       string
	// Error, if not empty, refuses it as the provider words it ("channel_not_found").
	Error string
	// Refuse closes the connection before anything is done.
	Refuse bool
	// Drop does what was asked, then closes the connection without an answer; Hang does what was asked, then keeps the answer
	// back so long.
	Drop bool
	Hang time.Duration
}

// hold applies what comes before the deed, and says whether the request is over.
func (f Fault) hold(w http.ResponseWriter, r *http.Request) bool {
	if !wait(r, f.Delay) {
		return true
	}
	if f.Refuse {
		panic(http.ErrAbortHandler)
	}
	if f.Status != 0 {
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		w.WriteHeader(f.Status)
		fmt.Fprint(w, f.Body)
		return true
	}
	return false
}

// swallow applies what comes after the deed, and says whether the answer is lost.
func (f Fault) swallow(r *http.Request) bool {
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	return !wait(r, f.Hang)
}

// wait waits, and says whether the client still does.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
