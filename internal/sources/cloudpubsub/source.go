// Package cloudpubsub reads entries from a subscription of Pub/Sub. It is the machine of the source kind pubsub. What looks like a
// stream without an end hides that messages come twice and out of order, that each has a lease which is to be extended, and that the
// streams break off.
//
// There is no cursor: what is not acknowledged comes again, to whoever reads then. A message is acknowledged once the batch that it went
// into is committed, and given back (so that another takes it at once) when reading ends before. Each line that is handed on has an
// insertId, so the engine knows what it has seen.
//
// Any number of processes may read one subscription; each gets some of the messages.
package cloudpubsub

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"

	"tocsin/internal/logs"
	"tocsin/internal/sources/google"
)

const (
	// batchBytes is how large a batch grows, gather how long its first message waits for more.
	batchBytes = 256 << 10
	gather     = 20 * time.Millisecond
	// perExtension is for how long a lease is extended at a time.
	perExtension = 20 * time.Second
)

// times are how long the source waits for what may come: tests, which cannot move the client library's clock, wait less.
type times struct {
	// settle is how long, when reading ends, is waited for the commit of what was handed on.
	settle time.Duration
	// silent is how long a stream must have been listened to without an error to count as one that is there: on a subscription without
	// messages nothing says so.
	silent time.Duration
	// blind is how long there may be no stream before the source counts as blind. The client library opens them again by itself, and
	// says nothing.
	blind time.Duration
	// While messages come that are older than fresh, and for quiet after, the source is not caught up.
	fresh, quiet time.Duration
	// look is how often it is looked how the source is, speak how often that is said at the least.
	look, speak time.Duration
}

var usual = times{settle: 8 * time.Second, silent: 5 * time.Second, blind: 15 * time.Second, fresh: 30 * time.Second, quiet: 5 * time.Second, look: time.Second, speak: 20 * time.Second}

// Options are what a Source is given beside its settings. All of them may be left out.
type Options struct {
	// Tell hears of trouble that the source goes on from by itself, and nil when it is over.
	Tell func(error)
	// Log gets what nobody need be woken for.
	Log *slog.Logger
	// Dial, if set, stands in for the network where there is an endpoint.
	Dial google.Dialer
}

// Source reads a subscription. Make it with New.
type Source struct {
	Options
	name     string
	settings Settings
	options  []option.ClientOption
	times    times

	mu     sync.Mutex
	counts map[string]int64
}

// New makes the source of that name. The settings must be valid. No connection is made before Read.
func New(name string, s Settings, o Options) *Source {
	if o.Tell == nil {
		o.Tell = func(error) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	counts := map[string]int64{}
	for _, c := range []string{messages, acknowledged, givenBack, unacknowledged, bad, streams, breaks} {
		counts[c] = 0
	}
	return &Source{Options: o, name: name, settings: s, times: usual, counts: counts}
}

// What is counted, by name: messages that came, of them acknowledged, given back, and held too long to be acknowledged (these come
// again); bad ones, which were not what they look like; streams that were opened and that broke off.
const (
	messages       = "message"
	acknowledged   = "acknowledged"
	givenBack      = "given_back"
	unacknowledged = "acknowledge_failed"
	bad            = "bad_message"
	streams        = "stream"
	breaks         = "stream_break"
)

func (s *Source) count(what string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what] += int64(n)
}

// Counts are what the source did since it was made, for the metrics.
func (s *Source) Counts() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int64, len(s.counts))
	for name, n := range s.counts {
		out[name] = n
	}
	return out
}

// Read hands on what comes until ctx ends; from is not asked. It returns an error when Pub/Sub refuses for good; while there is no way
// to it, it tells, goes on trying, and says by its batches that it is blind. When ctx ends it waits a while for the commit of what was
// handed on, and gives the rest back.
func (s *Source) Read(ctx context.Context, _ logs.Cursor, out chan<- logs.Batch) error {
	began := time.Now()
	way := &way{source: s, down: began, listening: map[*watched]time.Time{}}
	client, err := s.dial(ctx, way)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("source %s: open Pub/Sub client: %w", s.name, err)
	}
	defer client.Close() //nolint:errcheck // nothing is written through it
	sub := client.Subscriber(s.settings.Subscription)
	sub.ReceiveSettings = pubsub.ReceiveSettings{MaxExtension: s.settings.MaxExtension.Std(), MaxDurationPerAckExtension: perExtension,
		MaxOutstandingMessages: max(1, s.settings.MaxOutstandingMessages/s.settings.Streams), MaxOutstandingBytes: s.settings.MaxOutstandingBytes / s.settings.Streams,
		EnablePerStreamFlowControl: true, NumGoroutines: s.settings.Streams}
	s.Log.Info("reads Pub/Sub", "source", s.name, "subscription", s.settings.Subscription, "most messages", s.settings.MaxOutstandingMessages)
	r := newReading(s, way, out, began)
	over := make(chan struct{})
	own, stop := context.WithCancel(ctx)
	go func() {
		defer close(over)
		r.run(own)
	}()
	err = sub.Receive(ctx, func(_ context.Context, m *pubsub.Message) { r.take(m) })
	stop()
	<-over
	r.acks.Wait()
	if err == nil || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("source %s: %w", s.name, s.explained(err))
}

// dial makes the client. The streams that it opens are watched.
func (s *Source) dial(ctx context.Context, w *way) (*pubsub.Client, error) {
	options := append(google.Options(s.settings.Endpoint, s.Dial), option.WithGRPCDialOption(grpc.WithChainStreamInterceptor(w.stream)))
	client, err := pubsub.NewClient(ctx, strings.Split(s.settings.Subscription, "/")[1], append(options, s.options...)...)
	if err != nil {
		return nil, google.Explain(err)
	}
	return client, nil
}
