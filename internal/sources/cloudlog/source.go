package cloudlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"golang.org/x/time/rate"
	"google.golang.org/api/option"

	"tocsin/internal/logs"
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
	// blindAfter is how long the API may fail before the source counts as blind.
	blindAfter = time.Minute
	// cursorEvery is how often the cursor is moved while nothing comes.
	cursorEvery = time.Minute
)

// Source reads from Cloud Logging. Make it with New.
type Source struct {
	name     string
	settings Settings
	filter   func() string
	tell     func(error)
	limiter  *rate.Limiter // over all Reads: a restart must not break the quota
	options  []option.ClientOption
}

// New makes the source of that name. filter yields what the rules want, "" being everything; tell hears of trouble that the
// source goes on from by itself, and nil when it is over. Both may be nil. The settings must be valid. No connection is made
// before Read.
func New(name string, s Settings, filter func() string, tell func(error)) *Source {
	if filter == nil {
		filter = func() string { return "" }
	}
	if tell == nil {
		tell = func(error) {}
	}
	// In no minute are there more calls than the burst and what is added within it.
	burst := max(1, s.CallsPerMinute/6)
	limiter := rate.NewLimiter(rate.Every(time.Minute/time.Duration(s.CallsPerMinute-burst)), burst)
	return &Source{name: name, settings: s, filter: filter, tell: tell, limiter: limiter}
}

// position is the source's cursor: everything received before Received is done with.
type position struct {
	Kind     string    `json:"kind"`
	Received time.Time `json:"received"`
}

// Read lists entries until ctx ends. It returns an error only when no client can be made; when the API fails it tells, backs
// off and goes on, and after a minute says by its batches that it is blind.
func (s *Source) Read(ctx context.Context, from logs.Cursor, out chan<- logs.Batch) error {
	client, err := s.dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("source %s: open Cloud Logging client: %w", s.name, err)
	}
	defer client.Close() //nolint:errcheck // nothing is written through it
	r := &reading{Source: s, client: client, out: out, slice: longestSlice, seen: map[identity]time.Time{}}
	if err := r.begin(from, time.Now()); err != nil {
		s.tell(fmt.Errorf("source %s: %w", s.name, err))
		r.spoken = "cursor"
	}
	for {
		started := time.Now()
		pause := r.round(ctx, started)
		if ctx.Err() != nil {
			return nil
		}
		timer := time.NewTimer(max(0, pause-time.Since(started)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// identity is a hash of what makes an entry the same: its log's name, timestamp and insertId.
type identity [16]byte

func identityOf(e *loggingpb.LogEntry) identity {
	t := e.GetTimestamp()
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d.%d\x00%s", e.GetLogName(), t.GetSeconds(), t.GetNanos(), e.GetInsertId()))
	return identity(sum[:16])
}

// reading is the state of one Read.
type reading struct {
	*Source
	client *logging.Client
	out    chan<- logs.Batch

	// reached: all that was received before is done with. It is the cursor.
	reached time.Time
	// front is where the next slice of an unfinished backlog begins; zero when the last reading went up to the present.
	front time.Time
	slice time.Duration
	seen  map[identity]time.Time // of entries sent, their receive time; from reached on

	offset    int64
	told      bool      // the receiver knows that the source has caught up
	savedAt   time.Time // when the cursor was last sent along
	refused   string    // the rules' filter that the API did not take
	refusal   error     // why
	spoken    string    // what was told of last
	failures  int
	failingAt time.Time
}

// begin sets out from the cursor, or, without one of this kind, from as far back as the settings say.
func (r *reading) begin(from logs.Cursor, now time.Time) error {
	r.reached = now.Add(-r.settings.Start.Std())
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

// round lists one slice and sends what is new. It returns how long after its start the next round is due.
func (r *reading) round(ctx context.Context, now time.Time) time.Duration {
	since, until := r.reached, time.Time{}
	if !r.front.IsZero() {
		since = r.front
	}
	if now.Sub(since) > r.slice {
		until = since.Add(r.slice)
	}
	entries, err := r.list(ctx, since, until)
	switch {
	case ctx.Err() != nil:
		return 0
	case errors.Is(err, errTooMany):
		end := until
		if end.IsZero() {
			end = now
		}
		r.slice = max(shortestSlice, end.Sub(since)/2)
		return 0
	case err != nil:
		return r.fail(ctx, err, now)
	}
	r.recover()
	r.advance(since, until, now)
	if !r.send(ctx, entries, until.IsZero()) || !until.IsZero() {
		return 0
	}
	return r.settings.Every.Std()
}

// advance moves what is done with after a slice was listed at now. What was received within the overlap may still turn up.
func (r *reading) advance(since, until, now time.Time) {
	final := now.Add(-r.settings.Overlap.Std())
	if !until.IsZero() && until.Before(final) {
		final = until
	}
	if !since.After(r.reached) && final.After(r.reached) {
		r.reached = final
	}
	r.front = until
	if !until.IsZero() {
		r.slice = min(2*r.slice, longestSlice)
	}
}

// send passes on the entries that were not sent before, by receive time, and with the last batch the cursor. caughtUp says that
// they go up to the present. It says false when ctx ended.
func (r *reading) send(ctx context.Context, entries []*loggingpb.LogEntry, caughtUp bool) bool {
	entries = slices.DeleteFunc(entries, func(e *loggingpb.LogEntry) bool { _, ok := r.seen[identityOf(e)]; return ok })
	slices.SortStableFunc(entries, func(a, b *loggingpb.LogEntry) int {
		return a.GetReceiveTimestamp().AsTime().Compare(b.GetReceiveTimestamp().AsTime())
	})
	var data bytes.Buffer
	for _, e := range entries {
		id := identityOf(e)
		if _, ok := r.seen[id]; ok {
			continue // twice in one listing
		}
		r.seen[id] = e.GetReceiveTimestamp().AsTime()
		line := append(AppendJSON(nil, e), '\n')
		if data.Len() > 0 && data.Len()+len(line) > batchBytes {
			if !r.hand(ctx, logs.Batch{Data: bytes.Clone(data.Bytes())}) {
				return false
			}
			data.Reset()
		}
		data.Write(line)
	}
	maps.DeleteFunc(r.seen, func(_ identity, received time.Time) bool { return received.Before(r.reached) })
	now := time.Now()
	if data.Len() == 0 && r.told == caughtUp && now.Sub(r.savedAt) < cursorEvery {
		return true
	}
	last := logs.Batch{CaughtUp: caughtUp}
	if data.Len() > 0 {
		last.Data = bytes.Clone(data.Bytes())
	}
	cursor, err := json.Marshal(position{Kind: "cloud_logging", Received: r.reached.UTC()})
	if err == nil { // it cannot fail; without it the batch would just not move the cursor
		last.Cursor = logs.Cursor(cursor)
	}
	r.savedAt = now
	return r.hand(ctx, last)
}

// hand sends a batch.
func (r *reading) hand(ctx context.Context, b logs.Batch) bool {
	b.Source, b.Offset, b.Received = r.name, r.offset, time.Now()
	select {
	case r.out <- b:
	case <-ctx.Done():
		return false
	}
	r.offset += int64(len(b.Data))
	r.told = b.CaughtUp
	return true
}
