package fakes

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// CloudLogging is a stand-in of Cloud Logging: a gRPC server that lists the entries that were added. It honours resource
// names of projects, order_by, page sizes and tokens, and the bounds on time that its filter begins with; the rest of the filter
// is Match's. Its methods may be called at any time, from any goroutine.
type CloudLogging struct {
	loggingpb.UnimplementedLoggingServiceV2Server

	// Match decides the rest of a filter, what follows the bounds on time, for an entry as JSON. nil lists everything. An error
	// refuses the filter. Set it before the first call.
	Match func(filter string, entryJSON []byte) (bool, error)

	server   *grpc.Server
	listener net.Listener

	mu       sync.Mutex
	entries  []*loggingpb.LogEntry
	added    int
	failures []*status.Status
	requests []*loggingpb.ListLogEntriesRequest
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
	c := &CloudLogging{server: grpc.NewServer(), listener: l}
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
		c.entries = append(c.entries, e)
	}
}

// Fail makes the next n calls fail with that code and message.
func (c *CloudLogging) Fail(n int, code codes.Code, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		c.failures = append(c.failures, status.New(code, message))
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
func (c *CloudLogging) ListLogEntries(_ context.Context, req *loggingpb.ListLogEntriesRequest) (*loggingpb.ListLogEntriesResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, proto.CloneOf(req))
	if len(c.failures) > 0 {
		s := c.failures[0]
		c.failures = c.failures[1:]
		return nil, s.Err()
	}
	if len(req.GetResourceNames()) == 0 || req.GetPageSize() < 0 || len(req.GetFilter()) > 20000 {
		return nil, status.Error(codes.InvalidArgument, "no resource_names, a negative page_size, or a filter of more than 20000 characters")
	}
	if o := req.GetOrderBy(); o != "" && o != "timestamp asc" && o != "timestamp desc" {
		return nil, status.Errorf(codes.InvalidArgument, "order_by %q: only timestamp asc and timestamp desc are supported", o)
	}
	found, err := c.find(req)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "Unparseable filter: %v", err)
	}
	return page(req, found)
}

// find are the entries that a request asks for, in its order.
func (c *CloudLogging) find(req *loggingpb.ListLogEntriesRequest) ([]*loggingpb.LogEntry, error) {
	bounds, rest, err := splitBounds(req.GetFilter())
	if err != nil {
		return nil, err
	}
	if c.Match != nil && rest != "" { // a filter is refused also where there is no entry
		if _, err := c.Match(rest, []byte("{}")); err != nil {
			return nil, err
		}
	}
	var found []*loggingpb.LogEntry
	for _, e := range c.entries {
		if !within(e, bounds) || !inResources(e, req.GetResourceNames()) {
			continue
		}
		if c.Match != nil && rest != "" {
			text, err := protojson.Marshal(e)
			if err != nil {
				return nil, fmt.Errorf("write entry %s: %w", e.GetInsertId(), err)
			}
			if ok, err := c.Match(rest, text); err != nil || !ok {
				if err != nil {
					return nil, err
				}
				continue
			}
		}
		found = append(found, e)
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

// bound is one comparison with a time.
type bound struct {
	field, op string
	at        time.Time
}

var boundText = regexp.MustCompile(`^\s*(?:AND\s+)?(receiveTimestamp|timestamp)\s*(>=|<=|>|<)\s*"([^"]*)"`)

// splitBounds takes the bounds on time from the front of a filter. The rest is a filter of its own.
func splitBounds(filter string) ([]bound, string, error) {
	var bounds []bound
	for {
		m := boundText.FindStringSubmatch(filter)
		if m == nil {
			rest := strings.TrimSpace(filter)
			if len(bounds) > 0 {
				rest = strings.TrimSpace(strings.TrimPrefix(rest, "AND "))
			}
			return bounds, rest, nil
		}
		at, err := time.Parse(time.RFC3339Nano, m[3])
		if err != nil {
			return nil, "", fmt.Errorf("%s: %q is no time", m[1], m[3])
		}
		bounds = append(bounds, bound{field: m[1], op: m[2], at: at})
		filter = filter[len(m[0]):]
	}
}

func within(e *loggingpb.LogEntry, bounds []bound) bool {
	for _, b := range bounds {
		t := e.GetTimestamp()
		if b.field == "receiveTimestamp" {
			t = e.GetReceiveTimestamp()
		}
		n := t.AsTime().Compare(b.at)
		switch {
		case b.op == ">=" && n < 0, b.op == "<=" && n > 0, b.op == ">" && n <= 0, b.op == "<" && n >= 0:
			return false
		}
	}
	return true
}

// inResources says whether an entry lies in one of the resources. What lies in a folder, an organization or a view is not known
// here: they hold everything.
func inResources(e *loggingpb.LogEntry, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return !strings.HasPrefix(name, "projects/") || strings.Contains(name, "/views/") || strings.HasPrefix(e.GetLogName(), name+"/")
	})
}

// parseEntry reads a LogEntry. protojson refuses a protoPayload of a type that is not linked in: that one is taken apart here.
func parseEntry(line []byte) (*loggingpb.LogEntry, error) {
	e := &loggingpb.LogEntry{}
	lax := protojson.UnmarshalOptions{DiscardUnknown: true}
	firstErr := lax.Unmarshal(line, e)
	if firstErr == nil {
		return e, nil
	}
	var fields map[string]json.RawMessage
	var payload struct {
		Type  string `json:"@type"`
		Value []byte `json:"value"`
	}
	if json.Unmarshal(line, &fields) != nil || json.Unmarshal(fields["protoPayload"], &payload) != nil {
		return nil, fmt.Errorf("not a LogEntry: %w", firstErr)
	}
	delete(fields, "protoPayload")
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("not a LogEntry: %w", err)
	}
	e = &loggingpb.LogEntry{}
	if err := lax.Unmarshal(bytes.TrimSpace(rest), e); err != nil {
		return nil, fmt.Errorf("not a LogEntry: %w", err)
	}
	e.Payload = &loggingpb.LogEntry_ProtoPayload{ProtoPayload: &anypb.Any{TypeUrl: payload.Type, Value: payload.Value}}
	return e, nil
}
