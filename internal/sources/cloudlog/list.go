package cloudlog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tocsin/internal/sources/google"
)

const (
	// callTimeout is how long one call may take.
	callTimeout = 20 * time.Second
	// mostCalls is how many calls one listing may take before it is cut into smaller slices. One that cannot be cut may take
	// endlessCalls; a server that has still more pages then has no end of them.
	mostCalls    = 200
	endlessCalls = 1000
	// excerptBytes is how much of a filter is told.
	excerptBytes = 500
)

// errTooMany says that a slice holds more than is kept in memory.
var errTooMany = errors.New("too many entries for one slice")

// dial makes the client. Every call it makes, a repeated one too, waits for the quota and has its own deadline.
func (s *Source) dial(ctx context.Context) (*logging.Client, error) {
	client, err := logging.NewClient(ctx, append(google.Options(s.settings.Endpoint, s.Dial), option.WithGRPCDialOption(grpc.WithChainUnaryInterceptor(s.call)))...)
	if err != nil {
		return nil, google.Explain(err)
	}
	// Its own retries: ours know the quota, and what to say.
	client.CallOptions.ListLogEntries, client.CallOptions.TailLogEntries = nil, nil
	return client, nil
}

// gathering is a context's value: what a listing's calls gave so far, and how much more they may.
type gathering struct {
	// calls is how many are left, bytes how much may be held; without calls err is what to say, with too many bytes errTooMany.
	calls, bytes int
	err          error
	// began is when what has no receive time counts as received.
	began   time.Time
	entries []piece
}

type gatheringKey struct{}

// call is what every call goes through. The entries of a listing are gathered here: read and written again by the client they would cost most of what a
// full tail costs.
func (s *Source) call(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	g, ok := ctx.Value(gatheringKey{}).(*gathering)
	if ok {
		if g.calls--; g.calls < 0 {
			return g.err
		}
	}
	if err := s.limiter.Wait(ctx); err != nil {
		return fmt.Errorf("wait for the quota: %w", err)
	}
	s.count(func(f *Figures) { f.Calls++ })
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := next(ctx, method, req, reply, cc, opts...)
	answer, is := reply.(*loggingpb.ListLogEntriesResponse)
	if !ok || !is || err != nil {
		return err
	}
	entries := piecesOf(answer, g.began)
	s.count(func(f *Figures) { f.Listed += int64(len(entries)) })
	g.entries = append(g.entries, entries...)
	for _, e := range entries {
		g.bytes -= len(e.wire)
	}
	if g.bytes < 0 {
		return errTooMany
	}
	return nil
}

// listing is what is to be listed, and what came of it.
type listing struct {
	// since and until bound the receive time; until is zero for up to the present. last says that nothing is left behind it, over
	// that it goes over what the tail gave.
	since, until time.Time
	last, over   bool
	// trusted says that the span holds more than can be listed, and is taken on the word of a tail that had no gap in it and left nothing out.
	trusted bool
	rules   string // the rules' filter, "" if it is not pushed down

	began   time.Time
	came    int // how many entries came in all, of those that led to an error too
	entries []piece
	err     error
	refused error // why the rules' filter was not taken, if everything was listed in its place
}

// list begins the next listing.
func (r *reading) list(ctx context.Context, now time.Time) {
	l, ok := r.plan(now)
	if !ok {
		r.listAt = now.Add(goOverEvery)
		return
	}
	if l.trusted {
		r.count(func(f *Figures) { f.Trusted++ })
		r.listAt = now.Add(goOverEvery)
		r.give(ctx, now)
		r.advance(&l)
		r.send(ctx, nil, 0, true, true)
		return
	}
	r.busy, r.listBegan, r.listAt = true, now, now.Add(r.settings.Every.Std())
	r.beside.Go(func() {
		r.read(ctx, r.client, &l)
		select {
		case r.lists <- l:
		case <-ctx.Done():
		}
	})
}

// plan works out what to list next. It says false if there is nothing.
func (r *reading) plan(now time.Time) (listing, bool) {
	l := listing{since: r.reached, last: true, rules: r.wanted(), began: now}
	if !r.front.IsZero() {
		l.since = r.front
	}
	end := now
	if l.over = r.steady(now); l.over {
		end = now.Add(-r.lag())
		covered := r.covered()
		switch {
		case !end.After(l.since):
			return l, false
		case l.since.Before(covered):
			if covered.Before(end) {
				end, l.last = covered, false
			}
		case r.gave(l.since, end) > r.listable(end.Sub(l.since)):
			l.trusted = true
		case !now.Before(r.relistAt) && r.front.IsZero():
			l.since = l.since.Add(-again)
			r.relistAt = now.Add(relistEvery)
		}
		l.until = end
	}
	if !l.trusted && end.Sub(l.since) > r.slice {
		l.until, l.last = l.since.Add(r.slice), false
	}
	return l, true
}

// read lists all entries of a listing. Its error errTooMany says to ask for less.
func (s *Source) read(ctx context.Context, client *logging.Client, l *listing) {
	l.entries, l.err = s.readWith(ctx, client, l, l.rules)
	if status.Code(l.err) != codes.InvalidArgument || l.rules == "" {
		return
	}
	// Perhaps the API does not take the rules' filters. Better to read everything than nothing.
	why := status.Convert(l.err).Message()
	entries, err := s.readWith(ctx, client, l, "")
	if err == nil || errors.Is(err, errTooMany) {
		l.entries, l.err = entries, err
		l.refused = s.blame(ctx, client, l, why)
	}
}

func (s *Source) readWith(ctx context.Context, client *logging.Client, l *listing, rules string) ([]piece, error) {
	req := &loggingpb.ListLogEntriesRequest{ResourceNames: s.settings.ResourceNames, Filter: s.filterFor(l.since, l.until, rules),
		OrderBy: "timestamp asc", PageSize: int32(s.settings.PageSize)}
	end := l.until
	if end.IsZero() {
		end = l.began
	}
	g := &gathering{calls: mostCalls, bytes: heldBytes, err: errTooMany, began: l.began}
	if end.Sub(l.since) <= shortestSlice {
		g.calls, g.bytes, g.err = endlessCalls, math.MaxInt, fmt.Errorf("a listing of one second had no end after %d calls", endlessCalls)
	}
	it := client.ListLogEntries(context.WithValue(ctx, gatheringKey{}, g), req, gax.WithGRPCOptions(grpc.ForceCodec(rawEntries{})))
	_, err := it.Next() // the last page's end: call keeps what the pages hold from it
	l.came += len(g.entries)
	if !errors.Is(err, iterator.Done) {
		return nil, err
	}
	return g.entries, nil
}

// boundsLength is how many characters of a filter are left for the bounds of time, and for what joins the parts.
const boundsLength = 300

// rules is the rules' filter, in the length that is left for it; "" if nothing is wanted in particular.
func (s *Source) rules() string {
	most := s.settings.Room()
	rules := s.Filter(most)
	if utf8.RuneCountInString(rules) > most {
		return ""
	}
	return rules
}

// wanted is the rules' filter, "" where it is not pushed down: nothing is wanted in particular, or the API has refused it.
func (r *reading) wanted() string {
	rules := r.rules()
	if rules == r.refused {
		return ""
	}
	return rules
}

// filterFor writes a listing's filter.
func (s *Source) filterFor(since, until time.Time, rules string) string {
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	bounds := []string{fmt.Sprintf("receiveTimestamp>=%q", stamp(since))}
	if !until.IsZero() {
		bounds = append(bounds, fmt.Sprintf("receiveTimestamp<%q", stamp(until)))
	}
	return s.join(append(bounds, fmt.Sprintf("timestamp>=%q", stamp(since.Add(-s.settings.Late.Std())))), rules)
}

// join writes a request's filter. The setting's and the rules' stand in parentheses on lines of their own, so that a comment at
// their end hides nothing.
func (s *Source) join(parts []string, rules string) string {
	for _, part := range []string{s.settings.Filter, rules} {
		if strings.TrimSpace(part) != "" {
			parts = append(parts, "("+part+"\n)")
		}
	}
	return strings.Join(parts, " AND ")
}

func (s *Source) resources() string { return strings.Join(s.settings.ResourceNames, ", ") }
