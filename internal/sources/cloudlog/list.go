package cloudlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"tocsin/internal/logs"
)

const (
	// callTimeout is how long one call may take.
	callTimeout = 30 * time.Second
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
	options := []option.ClientOption{option.WithGRPCDialOption(grpc.WithChainUnaryInterceptor(s.call))}
	if e := s.settings.Endpoint; e != "" {
		options = append(options, option.WithEndpoint(e))
		if host, _, err := net.SplitHostPort(e); err != nil || !strings.HasSuffix(strings.ToLower(host), ".googleapis.com") {
			options = append(options, option.WithoutAuthentication(), option.WithTelemetryDisabled(),
				option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
		}
	}
	client, err := logging.NewClient(ctx, append(options, s.options...)...)
	if err != nil {
		return nil, fmt.Errorf("%w (tocsin uses the application default credentials)", err)
	}
	client.CallOptions.ListLogEntries = nil // its own retries: ours know the quota, and what to say
	return client, nil
}

// budget is a context's value: how many calls a listing has left, and what to say when there are none.
type budget struct {
	calls int
	err   error
}

type budgetKey struct{}

func (s *Source) call(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if b, ok := ctx.Value(budgetKey{}).(*budget); ok {
		if b.calls--; b.calls < 0 {
			return b.err
		}
	}
	if err := s.limiter.Wait(ctx); err != nil {
		return fmt.Errorf("wait for the quota: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return next(ctx, method, req, reply, cc, opts...)
}

// list reads all entries received from since on and, unless until is zero, before until. errTooMany says to ask for less.
func (r *reading) list(ctx context.Context, since, until time.Time) ([]*loggingpb.LogEntry, error) {
	rules := r.filter()
	entries, err := r.listWith(ctx, since, until, rules)
	if status.Code(err) != codes.InvalidArgument || !r.pushed(rules) {
		return entries, err
	}
	// Perhaps the API does not take the rules' filters. Better to read everything than nothing.
	why := status.Convert(err).Message()
	entries, err = r.listWith(ctx, since, until, "")
	if err == nil || errors.Is(err, errTooMany) {
		r.refused = rules
		r.refusal = fmt.Errorf("read entries of %s: the rules' filters together were refused, so everything is read: %s; they are: %s", r.resources(), why, brief(rules))
	}
	return entries, err
}

// pushed says whether the rules' filter is part of the request.
func (r *reading) pushed(rules string) bool {
	return rules != "" && rules != r.refused && len(rules)+len(r.settings.Filter)+500 <= maxFilter
}

func (r *reading) listWith(ctx context.Context, since, until time.Time, rules string) ([]*loggingpb.LogEntry, error) {
	req := &loggingpb.ListLogEntriesRequest{ResourceNames: r.settings.ResourceNames, Filter: r.filterFor(since, until, rules),
		OrderBy: "timestamp asc", PageSize: int32(r.settings.PageSize)}
	end := until
	if end.IsZero() {
		end = time.Now()
	}
	smallest := end.Sub(since) <= shortestSlice
	left := &budget{calls: mostCalls, err: errTooMany}
	if smallest {
		left = &budget{calls: endlessCalls, err: fmt.Errorf("a listing of one second had no end after %d calls", endlessCalls)}
	}
	it := r.client.ListLogEntries(context.WithValue(ctx, budgetKey{}, left), req)
	var entries []*loggingpb.LogEntry
	held := 0
	for {
		e, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
		held += proto.Size(e)
		if !smallest && held > heldBytes {
			return nil, errTooMany
		}
	}
}

// filterFor writes the request's filter. Each part stands in parentheses on lines of its own, so that a comment at its end
// hides nothing.
func (r *reading) filterFor(since, until time.Time, rules string) string {
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	var b strings.Builder
	fmt.Fprintf(&b, "receiveTimestamp>=%q", stamp(since))
	if !until.IsZero() {
		fmt.Fprintf(&b, " AND receiveTimestamp<%q", stamp(until))
	}
	fmt.Fprintf(&b, " AND timestamp>=%q", stamp(since.Add(-r.settings.Late.Std())))
	if !r.pushed(rules) {
		rules = ""
	}
	for _, part := range []string{r.settings.Filter, rules} {
		if strings.TrimSpace(part) != "" {
			fmt.Fprintf(&b, " AND (%s\n)", part)
		}
	}
	return b.String()
}

func (r *reading) resources() string { return strings.Join(r.settings.ResourceNames, ", ") }

// fail notes a failed call and returns how long after the round's start to try again.
func (r *reading) fail(ctx context.Context, err error, started time.Time) time.Duration {
	now := time.Now()
	if r.failures == 0 {
		r.failingAt = started
	}
	r.failures++
	least, most := time.Second, 30*time.Second
	code := status.Code(err)
	if code == codes.ResourceExhausted {
		least, most = 10*time.Second, 2*time.Minute
	}
	pause := min(most, least<<min(r.failures-1, 10))
	pause -= rand.N(pause / 5)
	long := now.Sub(r.failingAt) >= blindAfter
	switch code {
	case codes.PermissionDenied, codes.Unauthenticated:
		r.speak(code.String(), fmt.Errorf("read entries of %s: access denied, grant roles/logging.viewer on it to the account that tocsin runs as "+
			"(roles/logging.viewAccessor on a view): %w", r.resources(), err))
	case codes.InvalidArgument:
		r.speak(code.String(), fmt.Errorf("read entries of %s: the request was refused: %w; its filter is: %s", r.resources(), err, brief(r.filterFor(started, time.Time{}, r.filter()))))
	case codes.NotFound:
		r.speak(code.String(), fmt.Errorf("read entries of %s: it does not exist, look at resource_names: %w", r.resources(), err))
	case codes.ResourceExhausted:
		if long {
			r.speak(code.String(), fmt.Errorf("read entries of %s: the quota is used up, which everybody who reads these logs shares; "+
				"set calls_per_minute lower or have it raised: %w", r.resources(), err))
		}
	default:
		if long {
			r.speak("other", fmt.Errorf("read entries of %s: %w", r.resources(), err))
		}
	}
	if long {
		r.hand(ctx, logs.Batch{Blind: true})
	}
	return now.Sub(started) + pause
}

// recover notes that a call succeeded.
func (r *reading) recover() {
	r.failures = 0
	if r.refused != "" && r.refused == r.filter() {
		r.speak("refused", r.refusal)
		return
	}
	r.speak("", nil)
}

// brief is the beginning of a filter, on one line.
func brief(filter string) string {
	filter = strings.Join(strings.Fields(filter), " ")
	if len(filter) > excerptBytes {
		return strings.ToValidUTF8(filter[:excerptBytes], "") + "…"
	}
	return filter
}

// speak tells of trouble of that kind, once.
func (r *reading) speak(kind string, err error) {
	if kind == r.spoken {
		return
	}
	r.spoken = kind
	if err != nil {
		err = fmt.Errorf("source %s: %w", r.name, err)
	}
	r.tell(err)
}
