package cloudlog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

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

// budget is a context's value: how many calls a listing has left, what to say when there are none, and how many entries came.
type budget struct {
	calls int
	err   error
	came  int
}

type budgetKey struct{}

func (s *Source) call(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	b, ok := ctx.Value(budgetKey{}).(*budget)
	if ok {
		if b.calls--; b.calls < 0 {
			return b.err
		}
	}
	if err := s.limiter.Wait(ctx); err != nil {
		return fmt.Errorf("wait for the quota: %w", err)
	}
	s.count(func(f *Figures) { f.Calls++ })
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := next(ctx, method, req, reply, cc, opts...)
	if answer, is := reply.(*loggingpb.ListLogEntriesResponse); ok && is && err == nil {
		b.came += len(answer.GetEntries())
		s.count(func(f *Figures) { f.Listed += int64(len(answer.GetEntries())) })
	}
	return err
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
	smallest := end.Sub(l.since) <= shortestSlice
	left := &budget{calls: mostCalls, err: errTooMany}
	if smallest {
		left = &budget{calls: endlessCalls, err: fmt.Errorf("a listing of one second had no end after %d calls", endlessCalls)}
	}
	defer func() { l.came += left.came }()
	it := client.ListLogEntries(context.WithValue(ctx, budgetKey{}, left), req)
	var entries []piece
	held := 0
	for {
		e, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
		wire, err := proto.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("write entry %s: %w", e.GetInsertId(), err)
		}
		entries = append(entries, newPiece(wire, l.began))
		held += len(wire)
		if !smallest && held > heldBytes {
			return nil, errTooMany
		}
	}
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
