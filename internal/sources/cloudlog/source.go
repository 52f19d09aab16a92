// Package cloudlog reads entries from Cloud Logging: a tail gives them as they come, listing sees that none is missed. It is the
// machine of the source kind cloud_logging. What looks like an endless stream hides sessions that end each hour, break off and leave
// entries out, a watermark by receive time with an overlap that is read anew, the API's quotas, and the times when access was taken or
// the API was away.
//
// The tail is only ever ahead. Nothing that it does moves the cursor: that is the receive time up to which everything has been
// listed, at a time when what was received then could be listed (the overlap later). What the tail gave is handed on at once and
// remembered by its identity until well after a listing has gone over it, so that it is not handed on again; what it did not give
// is handed on by that listing. So a session may begin late, end early, leave out, repeat, mix up or say nothing: the outcome is the same
// entries, once each, only later. After a restart listing begins at the cursor, and what was handed on and committed before comes
// again: the engine knows it by its identities, which it keeps for longer than the cursor is behind, or sees that it is too old.
//
// While a tail is steady, listing goes over what it gave once, a minute later or two. Without one, for the first minute of one, and
// after it left something out, listing goes up to the present every few seconds. One thing is taken on the tail's word: a
// span with more entries than half of the calls can list, if the same tail was there before it, said of nothing that it left it out and
// was not found to miss anything. Without that a busy tail would push the cursor further and further into the past.
//
// The engine takes what comes long after newer entries for late. So what a tail gives is handed on only if at most mostGap lies
// between what was handed on before and the tail's beginning; a longer gap is listed first, in order, up to the present.
package cloudlog

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	logging "cloud.google.com/go/logging/apiv2"
	"golang.org/x/time/rate"

	"tocsin/internal/logs"
	"tocsin/internal/sources/google"
)

const (
	// batchBytes is how large a batch grows; only a single longer entry exceeds it.
	batchBytes = 256 << 10
	// heldBytes is how much of a slice is held until it is whole: the API orders by timestamp, and tocsin's clock is the receive
	// time, so a slice is sorted before it is sent on.
	heldBytes = 32 << 20
	// A backlog is read slice by slice, so that the cursor moves in between.
	longestSlice  = 20 * time.Minute
	shortestSlice = time.Second
	// cursorEvery is how often the cursor is moved while nothing comes.
	cursorEvery = time.Minute
)

// Options are what a Source is given beside its settings. All of them may be left out.
type Options struct {
	// Filter yields what the rules want, in at most that many characters; "" is everything.
	Filter func(most int) string
	// Asked are the filters that Filter covers, by rule.
	Asked func() []Asked
	// Tell hears of trouble that the source goes on from by itself, and nil when it is over.
	Tell func(error)
	// Log gets what nobody need be woken for: the plan, and what became of the tail's sessions.
	Log *slog.Logger
	// Dial, if set, stands in for the network where there is an endpoint.
	Dial google.Dialer
}

// Asked is a filter that a rule asks of a source.
type Asked struct{ Rule, Filter string }

// Source reads from Cloud Logging. Make it with New.
type Source struct {
	Options
	name     string
	settings Settings
	limiter  *rate.Limiter // over all Reads: a restart must not break the quota

	mu      sync.Mutex
	figures Figures
}

// New makes the source of that name. The settings must be valid. No connection is made before Read.
func New(name string, s Settings, o Options) *Source {
	if o.Filter == nil {
		o.Filter = func(int) string { return "" }
	}
	if o.Asked == nil {
		o.Asked = func() []Asked { return nil }
	}
	if o.Tell == nil {
		o.Tell = func(error) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	// In no minute are there more calls than the burst and what is added within it.
	burst := max(1, s.CallsPerMinute/6)
	limiter := rate.NewLimiter(rate.Every(time.Minute/time.Duration(s.CallsPerMinute-burst)), burst)
	return &Source{Options: o, name: name, settings: s, limiter: limiter}
}

// position is the source's cursor: everything received before Received is done with.
type position struct {
	Kind     string    `json:"kind"`
	Received time.Time `json:"received"`
}

// Read tails and lists entries until ctx ends. It returns an error only when no client can be made; when the API fails it tells,
// backs off and goes on, and when it can see nothing says by its batches that it is blind.
func (s *Source) Read(ctx context.Context, from logs.Cursor, out chan<- logs.Batch) error {
	client, err := s.dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("source %s: open Cloud Logging client: %w", s.name, err)
	}
	defer client.Close() //nolint:errcheck // nothing is written through it
	r := newReading(s, client, out, time.Now())
	if err := r.begin(from, time.Now()); err != nil {
		r.sight.Speak("cursor", err)
	}
	s.Log.Info("reads Cloud Logging", "source", s.name, "resources", r.resources(), "from", r.reached.UTC(), "plan", s.plan())
	r.run(ctx)
	return nil
}

// plan is what the source takes of the API's quotas, in a line.
func (s *Source) plan() string {
	return fmt.Sprintf("1 of the project's 10 tail sessions (2 while one takes over from another), which give 60000 entries a minute; "+
		"at most %d list calls a minute, of %d entries, where the project has 60", s.settings.CallsPerMinute, s.settings.PageSize)
}

// begin sets out from the cursor, or, without one of this kind, from as far back as the settings say.
func (r *reading) begin(from logs.Cursor, now time.Time) error {
	r.reached = now.Add(-r.settings.Start.Std())
	defer func() { r.known = r.reached }()
	if from == "" {
		return nil
	}
	var p position
	if err := json.Unmarshal([]byte(from), &p); err != nil {
		return fmt.Errorf("the saved cursor cannot be read, so reading begins %s back: %w", r.settings.Start, err)
	}
	if p.Kind == "cloud_logging" && !p.Received.IsZero() {
		// A cursor from the future comes from a clock that was set back since.
		r.reached = p.Received
		if last := now.Add(-r.settings.Overlap.Std()); r.reached.After(last) {
			r.reached = last
		}
	}
	return nil
}

// reading is the state of one Read. One goroutine has it; listings and tail sessions run beside it and report to it.
type reading struct {
	*Source
	client *logging.Client
	out    chan<- logs.Batch
	lists  chan listing
	tails  chan tailed
	beside sync.WaitGroup

	// reached: all that was received before is done with, by listing. It is the cursor.
	reached time.Time
	// front is where the next slice of an unfinished backlog begins; zero when the last reading went up to its end.
	front     time.Time
	slice     time.Duration
	seen      map[identity]time.Time // of entries handed on, their receive time; from reached - again on
	busy      bool                   // a listing is under way
	listAt    time.Time              // when the next is due
	listBegan time.Time              // when the last began
	relistAt  time.Time              // when the next goes over what was listed before
	watching  time.Time              // since when what comes is seen as it comes; what was received before is caught up with

	// session is the tail that is listened to, next the one that is to take over.
	session, next *session
	live          time.Time // since when the tail goes without a gap; zero without one
	known         time.Time // up to when everything was handed on, by listing or the tail
	openAt        time.Time // when the next session may be opened
	lookAt        time.Time // when it is looked whether the rules want something else
	gathered      []piece   // what the tail gave and was not handed on yet
	giveAt        time.Time // when it is
	leftOut       int64     // how many entries the tail left out since that was said
	leftOutSaid   time.Time // when it was
	broken        int       // sessions that ended by an error, one after the other

	offset  int64
	passed  int           // entries that came and were not handed on, since the last batch
	told    bool          // the receiver knows that the source has caught up
	savedAt time.Time     // when the cursor was last sent along
	refused string        // the rules' filter that the API did not take
	refusal error         // why
	sight   *google.Sight // of the listings
}

func newReading(s *Source, client *logging.Client, out chan<- logs.Batch, now time.Time) *reading {
	return &reading{Source: s, client: client, out: out, sight: google.NewSight(s.name, s.Tell), lists: make(chan listing), tails: make(chan tailed), slice: longestSlice,
		seen: map[identity]time.Time{}, listAt: now, relistAt: now.Add(relistEvery), watching: now, openAt: now, lookAt: now}
}

// run reads until ctx ends.
func (r *reading) run(ctx context.Context) {
	own, stop := context.WithCancel(ctx)
	defer r.beside.Wait()
	defer stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		if !now.Before(r.giveAt) {
			r.give(ctx, now)
		}
		r.tend(own, now)
		if !r.busy && !now.Before(r.listAt) {
			r.list(own, now)
		}
		next := r.tailDue()
		if !r.busy && r.listAt.Before(next) {
			next = r.listAt
		}
		if len(r.gathered) > 0 && r.giveAt.Before(next) {
			next = r.giveAt
		}
		timer.Reset(max(0, time.Until(next)))
		select {
		case <-ctx.Done():
			return
		case t := <-r.tails:
			r.heard(ctx, t, time.Now())
		case l := <-r.lists:
			r.listed(ctx, l, time.Now())
		case <-timer.C:
		}
	}
}
