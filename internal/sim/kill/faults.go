package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"tocsin/internal/fakes"
)

// faults decides what goes wrong at the stand-ins. It is safe for concurrent use.
type faults struct {
	chance *chance
	// onHeld, if set, hears of each trigger that is held and will have its effect late.
	onHeld func(key string)

	mu   sync.Mutex
	on   bool
	trap *trap
}

func newFaults(c *chance) *faults { return &faults{chance: c} }

// trap waits for a request in order to hold it while tocsin is killed.
type trap struct {
	// method is what it waits for: a method of Slack's, or enqueue.
	method string
	// mode says what becomes of the request: its deed is done late, after the kill, or never, or at once and only the answer is held.
	mode trapMode
	// caught is closed once a request is held, released by whoever has killed the process.
	caught, release chan struct{}
	late            time.Duration
	// from is the address that the request came from, once it is caught.
	from string
}

type trapMode int

const (
	deedLate trapMode = iota
	deedNever
	deedDone
)

// holdMost is how long an answer is held at the most, if nobody kills the process meanwhile.
const holdMost = 5 * time.Second

// lateMost is how much later than the death of its sender a request may have its effect: well within the deadline of a claim.
const lateMost = 2 * time.Second

// arm sets a trap for a request of a random kind.
func (f *faults) arm() *trap {
	methods := []string{"chat.postMessage", "chat.postMessage", "chat.update", "enqueue", "enqueue"}
	t := &trap{method: methods[f.chance.below(len(methods))], mode: []trapMode{deedLate, deedLate, deedNever, deedDone}[f.chance.below(4)],
		caught: make(chan struct{}), release: make(chan struct{}), late: time.Duration(f.chance.below(int(lateMost)))}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trap = t
	return t
}

// disarm takes the trap away and lets go what it holds.
func (f *faults) disarm(t *trap) {
	f.mu.Lock()
	if f.trap == t {
		f.trap = nil
	}
	f.mu.Unlock()
	close(t.release)
}

// set turns the faults on and off.
func (f *faults) set(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = on
}

func (f *faults) slack(method string, r *http.Request) fakes.Fault {
	return f.before(method, r.RemoteAddr, nil)
}

func (f *faults) pagerduty(method string, r *http.Request) fakes.Fault {
	// What has been sent arrives, though its sender is dead meanwhile.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fakes.Fault{Refuse: true}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return f.before(method, r.RemoteAddr, body)
}

// before is asked before each request, from an address, what is to go wrong with it. body is an event's.
func (f *faults) before(method, from string, body []byte) fakes.Fault {
	f.mu.Lock()
	on, t := f.on, f.trap
	if t != nil && t.method == method {
		f.trap = nil
	} else {
		t = nil
	}
	f.mu.Unlock()
	switch {
	case t != nil:
		var event struct {
			Action string `json:"event_action"`
			Key    string `json:"dedup_key"`
		}
		if t.mode == deedLate && f.onHeld != nil && json.Unmarshal(body, &event) == nil && event.Action == "trigger" {
			f.onHeld(event.Key)
		}
		t.from = from
		return t.hold()
	case !on:
		return fakes.Fault{}
	}
	switch n := f.chance.below(1000); {
	case n < 15: // the answer is lost
		return fakes.Fault{Drop: true}
	case n < 25:
		return fakes.Fault{Refuse: true}
	case n < 45:
		return fakes.Fault{Status: []int{500, 502, 503}[n%3], Body: "no"}
	case n < 48:
		return fakes.Fault{Status: http.StatusTooManyRequests, RetryAfter: 1}
	case n < 100:
		return fakes.Fault{Delay: time.Duration(n) * time.Millisecond}
	case n < 150:
		return fakes.Fault{Hang: time.Duration(n/2) * time.Millisecond}
	}
	return fakes.Fault{}
}

// hold holds a request until the process is dead.
func (t *trap) hold() fakes.Fault {
	close(t.caught)
	if t.mode == deedDone {
		return fakes.Fault{Hang: holdMost}
	}
	select {
	case <-t.release:
	case <-time.After(holdMost):
	}
	if t.mode == deedNever {
		return fakes.Fault{Refuse: true}
	}
	time.Sleep(t.late)
	return fakes.Fault{}
}
