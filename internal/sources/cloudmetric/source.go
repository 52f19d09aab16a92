// Package cloudmetric reads time series of one metric from Cloud Monitoring and makes an entry of each point. It is the machine of the
// source kind cloud_monitoring. What looks like a stream hides readings now and then, intervals that are complete only minutes after they
// ended, points that come later still, and the times when access was taken or the API was away.
//
// Series are asked for aligned to whole periods that begin at multiples of the period, so that an interval is the same one whenever it is
// asked for. An interval is read once it is complete by what the metric says of its own delay, and for an overlap after that again and
// again. A point that comes late is given then. One whose value has changed is given again, as the same entry: it has the identity of its
// series and interval, so that a rule which has counted it does not count it twice, and one that only the new value concerns gets it. The
// cursor is up to where all intervals were complete and read; after a restart the overlap before it comes again, with the same identities.
//
// An entry has no receiveTimestamp, so the source's clock is the end of the newest interval: minutes behind, and nothing is late for that.
package cloudmetric

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	monitoring "cloud.google.com/go/monitoring/apiv3/v2"
	"golang.org/x/time/rate"
	"google.golang.org/api/option"
	"google.golang.org/grpc"

	"tocsin/internal/logs"
	"tocsin/internal/sources/google"
)

const (
	// usualDelay is how long after its end an interval of a metric is complete that does not say.
	usualDelay = 2 * time.Minute
	// slice is how much of a backlog is read at a time.
	slice = time.Hour
	// batchBytes is how large a batch grows; only a single longer entry exceeds it.
	batchBytes = 256 << 10
	// mostPoints bounds what one reading holds.
	mostPoints = 50_000
	// cursorEvery is how often something is said while nothing comes.
	cursorEvery = time.Minute
	// callTimeout is how long one call may take.
	callTimeout = 20 * time.Second
	// callsPerMinute bounds the calls of one source; the API takes 6,000 a minute of a project.
	callsPerMinute = 60
)

// Options are what a Source is given beside its settings. But for Project all may be left out.
type Options struct {
	// Project is the configuration's: that of the entries' log.
	Project string
	// Tell hears of trouble that the source goes on from by itself, and nil when it is over.
	Tell func(error)
	// Log gets what nobody need be woken for.
	Log *slog.Logger
	// Dial, if set, stands in for the network where there is an endpoint.
	Dial google.Dialer
}

// Source reads from Cloud Monitoring. Make it with New.
type Source struct {
	Options
	name     string
	settings Settings
	limiter  *rate.Limiter // over all Reads: a restart must not break the quota
	most     int           // how many points one reading holds

	mu     sync.Mutex
	counts map[string]int64
}

// New makes the source of that name. The settings must be valid. No connection is made before Read.
func New(name string, s Settings, o Options) (*Source, error) {
	if o.Project == "" {
		return nil, fmt.Errorf("source %s: the entries of a metric need a project: set `project` in the configuration", name)
	}
	if s.ResourceName == "" {
		s.ResourceName = "projects/" + o.Project
	}
	if o.Tell == nil {
		o.Tell = func(error) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	const burst = callsPerMinute / 2
	return &Source{Options: o, name: name, settings: s, limiter: rate.NewLimiter(rate.Every(time.Minute/burst), burst), most: mostPoints,
		counts: map[string]int64{"point": 0, "late_point": 0, "revised_point": 0, "list_call": 0}}, nil
}

// Counts are what it did: points that were given, of those that came late or with another value than before, and calls.
func (s *Source) Counts() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int64, len(s.counts))
	for name, n := range s.counts {
		out[name] = n
	}
	return out
}

func (s *Source) count(name string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[name] += n
}

// position is the source's cursor: every interval that ended up to Until was complete and has been read.
type position struct {
	Kind  string    `json:"kind"`
	Until time.Time `json:"until"`
}

const positionKind = "cloud_monitoring"

// Read reads points until ctx ends. It returns an error only when no client can be made; when the API fails it tells, backs off and
// goes on, and when it can see nothing says by its batches that it is blind.
func (s *Source) Read(ctx context.Context, from logs.Cursor, out chan<- logs.Batch) error {
	client, err := s.dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("source %s: open Cloud Monitoring client: %w", s.name, err)
	}
	defer client.Close() //nolint:errcheck // nothing is written through it
	r := &reading{Source: s, client: client, out: out, sight: google.NewSight(s.name, s.Tell), watching: time.Now(), seen: map[string]point{}}
	if err := r.begin(from, time.Now()); err != nil {
		r.sight.Speak("cursor", err)
	}
	s.Log.Info("reads Cloud Monitoring", "source", s.name, "resource", s.settings.ResourceName, "metric", s.settings.metric(), "from", r.reached.UTC(),
		"plan", fmt.Sprintf("a list every %s, at most %d a minute, where the project has 6000", s.settings.Every, callsPerMinute))
	r.run(ctx)
	return nil
}

// dial makes the client. Every call it makes waits for the quota and has its own deadline.
func (s *Source) dial(ctx context.Context) (*monitoring.MetricClient, error) {
	client, err := monitoring.NewMetricClient(ctx, append(google.Options(s.settings.Endpoint, s.Dial), option.WithGRPCDialOption(grpc.WithChainUnaryInterceptor(s.call)))...)
	if err != nil {
		return nil, google.Explain(err)
	}
	// Its own retries: ours know what to say.
	client.CallOptions.ListTimeSeries, client.CallOptions.GetMetricDescriptor = nil, nil
	return client, nil
}

func (s *Source) call(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if err := s.limiter.Wait(ctx); err != nil {
		return fmt.Errorf("wait for the quota: %w", err)
	}
	s.count("list_call", 1)
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return next(ctx, method, req, reply, cc, opts...)
}

// begin sets out from the cursor, or, without one of this kind, from as far back as the settings say.
func (r *reading) begin(from logs.Cursor, now time.Time) error {
	r.reached = r.grid(now.Add(-r.settings.Start.Std()))
	r.first = r.reached
	if from == "" {
		return nil
	}
	var p position
	if err := json.Unmarshal([]byte(from), &p); err != nil {
		return fmt.Errorf("the saved cursor cannot be read, so reading begins %s back: %w", r.settings.Start, err)
	}
	if p.Kind == positionKind && !p.Until.IsZero() {
		r.reached, r.first, r.again = r.grid(p.Until), time.Time{}, true
		if last := r.grid(now); r.reached.After(last) { // it comes from a clock that was set back since
			r.reached = last
		}
	}
	return nil
}

// grid is the last end of an interval up to t: a multiple of the period since 1970.
func (s *Source) grid(t time.Time) time.Time {
	period := int64(s.settings.Period.Std() / time.Second)
	return time.Unix(t.Unix()-t.Unix()%period, 0).UTC()
}
