package fakes

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/internal/logs"
)

// CloudLogging is a stand-in of Cloud Logging: a gRPC server that lists and tails the entries that were added. It honours resource
// names of projects, filters, order_by, page sizes and tokens, and what the service does to those who tail (see Tails). Its methods
// may be called at any time, from any goroutine.
type CloudLogging struct {
	loggingpb.UnimplementedLoggingServiceV2Server

	// Tails is what is done to those who tail. Set it before the first call.
	Tails Tails
	// ListLate, if set, says how long after its coming an entry can be listed first. Set it before the first call.
	ListLate func() time.Duration

	server   *grpc.Server
	listener net.Listener

	mu       sync.Mutex
	entries  []*held
	added    int
	sessions map[*tailing]bool
	broken   []*status.Status // of sessions that are yet to be opened
	minute   time.Time
	inMinute int // how many entries were given to tails in it
	sent     Sent
	failures []*status.Status
	refuse   func(filter string) error
	hang     chan struct{} // closed when it is over; nil while nothing hangs
	requests []*loggingpb.ListLogEntriesRequest
	// unwritable is how writes fail, nil if they do not; losing says that they lead to nothing.
	unwritable *status.Status
	losing     bool
	sink       *CloudPubSub
}

// held is an entry that came.
type held struct {
	*loggingpb.LogEntry
	parsed       *logs.Entry
	listable     time.Time
	at, received time.Time // the entry's own times, which each request asks of each entry
	newest       time.Time // the newest received of it and those before it
}

// Sent is what was given away.
type Sent struct {
	// Tailed and Listed are how many entries were given, Suppressed how many a tail was told that it does not get.
	Tailed, Listed, Suppressed int
	// Opened is how many tail sessions were opened, Open how many are.
	Opened, Open int
}

// Sent is what was given away so far.
func (c *CloudLogging) Sent() Sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.sent
	out.Open = len(c.sessions)
	return out
}

// NewCloudLogging starts a server on a free port of the loopback address.
func NewCloudLogging() (*CloudLogging, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the stand-in of Cloud Logging: %w", err)
	}
	return ServeCloudLogging(l), nil
}

// ServeCloudLogging starts a server on l, which it closes in the end.
func ServeCloudLogging(l net.Listener) *CloudLogging {
	c := &CloudLogging{server: grpc.NewServer(), listener: l, sessions: map[*tailing]bool{}}
	loggingpb.RegisterLoggingServiceV2Server(c.server, c)
	go func() { _ = c.server.Serve(l) }() // it ends with Close
	return c
}

// Addr is the server's host:port, for the setting endpoint.
func (c *CloudLogging) Addr() string { return c.listener.Addr().String() }

// Close ends the server and every call to it.
func (c *CloudLogging) Close() { c.server.Stop() }

// Add adds entries, one LogEntry as JSON each. One without a receiveTimestamp is received now, one without a timestamp
// happened then, one without an insertId gets one, as the real service does it. On an error none is added.
func (c *CloudLogging) Add(lines ...[]byte) error {
	var entries []*loggingpb.LogEntry
	for i, line := range lines {
		e, err := parseEntry(line)
		if err != nil {
			return fmt.Errorf("read entry %d: %w", i+1, err)
		}
		entries = append(entries, e)
	}
	c.AddEntries(entries...)
	return nil
}

// AddEntries adds entries as messages; see Add.
func (c *CloudLogging) AddEntries(entries ...*loggingpb.LogEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range entries {
		e = proto.CloneOf(e)
		c.added++
		if e.ReceiveTimestamp == nil {
			e.ReceiveTimestamp = timestamppb.Now()
		}
		if e.Timestamp == nil {
			e.Timestamp = e.ReceiveTimestamp
		}
		if e.InsertId == "" {
			e.InsertId = fmt.Sprintf("fake%08d", c.added)
		}
		h := &held{LogEntry: e, listable: time.Now(), at: e.GetTimestamp().AsTime(), received: e.GetReceiveTimestamp().AsTime()}
		if c.ListLate != nil {
			h.listable = h.listable.Add(c.ListLate())
		}
		if h.newest = h.received; len(c.entries) > 0 && h.newest.Before(c.entries[len(c.entries)-1].newest) {
			h.newest = c.entries[len(c.entries)-1].newest
		}
		c.entries = append(c.entries, h)
		if c.sink != nil {
			c.sink.Publish(export(e))
		}
		for s := range c.sessions {
			s.take(h)
		}
	}
}

// Export exports each entry that comes from now on to a topic of Pub/Sub, as a sink does; nil ends that.
func (c *CloudLogging) Export(to *CloudPubSub) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sink = to
}

// export is an entry as a sink writes it.
func export(e *loggingpb.LogEntry) []byte {
	b, err := protojson.Marshal(e)
	if err != nil { // a payload of a type that nobody knows here
		e = proto.CloneOf(e)
		e.Payload = &loggingpb.LogEntry_TextPayload{TextPayload: err.Error()}
		b, _ = protojson.Marshal(e)
	}
	return b
}

// Added is how many entries came so far.
func (c *CloudLogging) Added() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.added
}

// Fail makes the next n calls fail with that code and message.
func (c *CloudLogging) Fail(n int, code codes.Code, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		c.failures = append(c.failures, status.New(code, message))
	}
}

// SetRefuse sets what says why a filter is refused that can be parsed; nil refuses none.
func (c *CloudLogging) SetRefuse(refuse func(filter string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = refuse
}

// Hang lets all that is asked for from now on wait until its caller gives up, or until it is called off.
func (c *CloudLogging) Hang(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hang != nil {
		close(c.hang)
		c.hang = nil
	}
	if yes {
		c.hang = make(chan struct{})
	}
}

// hangs waits while the server hangs. It says false if the caller gave up.
func (c *CloudLogging) hangs(ctx context.Context) bool {
	c.mu.Lock()
	hang := c.hang
	c.mu.Unlock()
	if hang == nil {
		return true
	}
	select {
	case <-hang:
		return true
	case <-ctx.Done():
		return false
	}
}

// Recover forgets the failures that are yet to come.
func (c *CloudLogging) Recover() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = nil
}

// Calls is how many calls were made, failed ones too.
func (c *CloudLogging) Calls() int { return len(c.Requests()) }

// Requests are the calls that were made, failed ones too.
func (c *CloudLogging) Requests() []*loggingpb.ListLogEntriesRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

// ListLogEntries answers as the service does.
func (c *CloudLogging) ListLogEntries(ctx context.Context, req *loggingpb.ListLogEntriesRequest) (*loggingpb.ListLogEntriesResponse, error) {
	if !c.hangs(ctx) {
		return nil, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, proto.CloneOf(req))
	if len(c.failures) > 0 {
		s := c.failures[0]
		c.failures = c.failures[1:]
		return nil, s.Err()
	}
	if len(req.GetResourceNames()) == 0 || req.GetPageSize() < 0 || utf8.RuneCountInString(req.GetFilter()) > 20000 {
		return nil, status.Error(codes.InvalidArgument, "no resource_names, a negative page_size, or a filter of more than 20000 characters")
	}
	if o := req.GetOrderBy(); o != "" && o != "timestamp asc" && o != "timestamp desc" {
		return nil, status.Errorf(codes.InvalidArgument, "order_by %q: only timestamp asc and timestamp desc are supported", o)
	}
	found, err := c.find(req)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "Unparseable filter: %v", err)
	}
	answer, err := page(req, found)
	c.sent.Listed += len(answer.GetEntries())
	return answer, err
}

// filtering parses a filter; an error refuses it, also where there is no entry.
func (c *CloudLogging) filtering(resources []string, filter string) (*filtering, error) {
	if c.refuse != nil {
		if err := c.refuse(filter); err != nil {
			return nil, err
		}
	}
	return newFiltering(resources, filter)
}

// find are the entries that a request asks for, in its order.
func (c *CloudLogging) find(req *loggingpb.ListLogEntriesRequest) ([]*loggingpb.LogEntry, error) {
	f, err := c.filtering(req.GetResourceNames(), req.GetFilter())
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var found []*loggingpb.LogEntry
	first := sort.Search(len(c.entries), func(i int) bool { return !c.entries[i].newest.Before(f.since()) })
	for _, e := range c.entries[first:] { // a day is listed a few minutes at a time
		if !e.listable.After(now) && f.wants(e) {
			found = append(found, e.LogEntry)
		}
	}
	slices.SortStableFunc(found, compareEntries)
	if req.GetOrderBy() == "timestamp desc" {
		slices.Reverse(found)
	}
	return found, nil
}

func compareEntries(a, b *loggingpb.LogEntry) int {
	if n := a.GetTimestamp().AsTime().Compare(b.GetTimestamp().AsTime()); n != 0 {
		return n
	}
	return cmp.Or(strings.Compare(a.GetInsertId(), b.GetInsertId()), strings.Compare(a.GetLogName(), b.GetLogName()))
}

// page cuts a page out of what was found. A token is good only for the request that it was given for.
func page(req *loggingpb.ListLogEntriesRequest, found []*loggingpb.LogEntry) (*loggingpb.ListLogEntriesResponse, error) {
	size := int(req.GetPageSize())
	if size == 0 {
		size = 50
	}
	size = min(size, 1000)
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %q %q", req.GetResourceNames(), req.GetFilter(), req.GetOrderBy())
	sum := fmt.Sprintf("%x", h.Sum64())
	if token := req.GetPageToken(); token != "" {
		last, err := readToken(token, sum)
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "page_token: %v", err)
		}
		sign := 1
		if req.GetOrderBy() == "timestamp desc" {
			sign = -1
		}
		// It goes on behind the last entry of the page before, so entries that come in between do not shift it.
		i := slices.IndexFunc(found, func(e *loggingpb.LogEntry) bool { return sign*compareEntries(e, last) > 0 })
		if i < 0 {
			i = len(found)
		}
		found = found[i:]
	}
	resp := &loggingpb.ListLogEntriesResponse{Entries: found}
	if len(found) > size {
		resp.Entries = found[:size]
		last := found[size-1]
		resp.NextPageToken = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s",
			sum, last.GetTimestamp().AsTime().Format(time.RFC3339Nano), last.GetInsertId(), last.GetLogName()))
	}
	return resp, nil
}

func readToken(token, sum string) (*loggingpb.LogEntry, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, fmt.Errorf("not one of ours: %w", err)
	}
	parts := strings.Split(string(b), "\x00")
	if len(parts) != 4 || parts[0] != sum {
		return nil, fmt.Errorf("it was given for another request")
	}
	t, err := time.Parse(time.RFC3339Nano, parts[1])
	if err != nil {
		return nil, fmt.Errorf("not one of ours: %w", err)
	}
	return &loggingpb.LogEntry{Timestamp: timestamppb.New(t), InsertId: parts[2], LogName: parts[3]}, nil
}
