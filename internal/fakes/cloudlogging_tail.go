package fakes

import (
	"slices"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Tails is what is done to those who tail. The zero value does what the service does at its best, but for the hourly end.
type Tails struct {
	// Life is how old a session grows before it ends with OUT_OF_RANGE; 0 is for ever, the service's is about an hour.
	Life time.Duration
	// Late, if set, says by how much an entry is given later than the buffer window asks for: so responses are not in order.
	Late func() time.Duration
	// Twice, if set, says whether an entry is given twice.
	Twice func() bool
	// Sessions is how many may be open at once, 10 if 0; Most how many entries a minute all of them get together, 60,000 if 0.
	Sessions, Most int
	// Deaf sessions are given nothing.
	Deaf func() bool
}

const (
	// tailGrid is how exactly a session keeps its times: what is due within it is given in one response.
	tailGrid = 50 * time.Millisecond
	// unconsumed is how many entries may wait for one who does not read.
	unconsumed = 100_000
)

type reason = loggingpb.TailLogEntriesResponse_SuppressionInfo_Reason

const (
	rateLimit   = loggingpb.TailLogEntriesResponse_SuppressionInfo_RATE_LIMIT
	notConsumed = loggingpb.TailLogEntriesResponse_SuppressionInfo_NOT_CONSUMED
)

// tailing is one session. Its fields are the server's mutex's.
type tailing struct {
	server *CloudLogging
	filter *filtering
	window time.Duration
	deaf   bool

	queue    []due
	suppress map[reason]int // how many of the next are to be left out
	left     map[reason]int // how many were, and it was not said yet
	broken   chan *status.Status
	wake     chan struct{}
}

// due is an entry and when it is to be given.
type due struct {
	entry *held
	at    time.Time
}

// FailTails makes the next n sessions fail as they are opened.
func (c *CloudLogging) FailTails(n int, code codes.Code, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		c.broken = append(c.broken, status.New(code, message))
	}
}

// RecoverTails forgets the failures of sessions that are yet to come.
func (c *CloudLogging) RecoverTails() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = nil
}

// Break ends all open sessions with that code, and says how many. What they had not given yet is lost to them.
func (c *CloudLogging) Break(code codes.Code, message string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.sessions {
		select {
		case s.broken <- status.New(code, message):
		default: // it is ending
		}
	}
	return len(c.sessions)
}

// Suppress lets each open session leave out the next n entries that it would give, and say why.
func (c *CloudLogging) Suppress(n int, why loggingpb.TailLogEntriesResponse_SuppressionInfo_Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.sessions {
		s.suppress[why] += n
	}
}

// TailLogEntries answers as the service does.
func (c *CloudLogging) TailLogEntries(stream loggingpb.LoggingServiceV2_TailLogEntriesServer) error {
	req, err := stream.Recv()
	if err != nil {
		return err
	}
	s, err := c.openTail(req)
	if err != nil {
		return err
	}
	defer c.closeTail(s)
	var end <-chan time.Time
	if c.Tails.Life > 0 {
		life := time.NewTimer(c.Tails.Life)
		defer life.Stop()
		end = life.C
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if !c.hangs(stream.Context()) {
			return stream.Context().Err()
		}
		answer, next := s.ready(time.Now())
		if answer != nil {
			if err := stream.Send(answer); err != nil {
				return err
			}
			continue
		}
		timer.Reset(next)
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-end:
			return status.Error(codes.OutOfRange, "The session has reached its maximum duration")
		case why := <-s.broken:
			return why.Err()
		case <-s.wake:
		case <-timer.C:
		}
	}
}

func (c *CloudLogging) openTail(req *loggingpb.TailLogEntriesRequest) (*tailing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.broken) > 0 {
		s := c.broken[0]
		c.broken = c.broken[1:]
		return nil, s.Err()
	}
	sessions := c.Tails.Sessions
	if sessions == 0 {
		sessions = 10
	}
	if len(c.sessions) >= sessions {
		return nil, status.Errorf(codes.ResourceExhausted, "Quota exceeded for quota metric 'Log entries tail sessions': %d are open", len(c.sessions))
	}
	window := 2 * time.Second
	if req.GetBufferWindow() != nil {
		window = req.GetBufferWindow().AsDuration()
	}
	if len(req.GetResourceNames()) == 0 || utf8.RuneCountInString(req.GetFilter()) > 20000 || window < 0 || window > time.Minute {
		return nil, status.Error(codes.InvalidArgument, "no resource_names, a filter of more than 20000 characters, or a buffer_window out of range")
	}
	f, err := c.filtering(req.GetResourceNames(), req.GetFilter())
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "Unparseable filter: %v", err)
	}
	s := &tailing{server: c, filter: f, window: window, suppress: map[reason]int{}, left: map[reason]int{}, broken: make(chan *status.Status, 1), wake: make(chan struct{}, 1)}
	s.deaf = c.Tails.Deaf != nil && c.Tails.Deaf()
	c.sessions[s] = true
	c.sent.Opened++
	return s, nil
}

func (c *CloudLogging) closeTail(s *tailing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, s)
}

// take queues an entry that came; the server's mutex is held.
func (s *tailing) take(h *held) {
	if s.deaf || !s.filter.wants(h) {
		return
	}
	t := &s.server.Tails
	at := time.Now().Add(s.window)
	if t.Late != nil {
		at = at.Add(t.Late())
	}
	s.queue = append(s.queue, due{h, at.Add(tailGrid - 1).Truncate(tailGrid)})
	if t.Twice != nil && t.Twice() {
		s.queue = append(s.queue, due{h, at.Add(5 * tailGrid).Truncate(tailGrid)})
	}
	if len(s.queue) > unconsumed {
		s.left[notConsumed] += len(s.queue) - unconsumed
		s.queue = slices.Delete(s.queue, 0, len(s.queue)-unconsumed)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// ready is the response that is due now, or nil and how long until the next is.
func (s *tailing) ready(now time.Time) (*loggingpb.TailLogEntriesResponse, time.Duration) {
	c := s.server
	c.mu.Lock()
	defer c.mu.Unlock()
	next := time.Hour
	answer := &loggingpb.TailLogEntriesResponse{}
	const most = 1000 // in a response
	kept := s.queue[:0]
	for _, d := range s.queue {
		switch {
		case d.at.After(now):
			next = min(next, d.at.Sub(now))
			kept = append(kept, d)
		case len(answer.Entries) == most:
			kept = append(kept, d)
		case !s.leaveOut(now):
			answer.Entries = append(answer.Entries, d.entry.LogEntry)
		}
	}
	clear(s.queue[len(kept):])
	s.queue = kept
	for _, why := range []reason{rateLimit, notConsumed} {
		if n := s.left[why]; n > 0 {
			answer.SuppressionInfo = append(answer.SuppressionInfo, &loggingpb.TailLogEntriesResponse_SuppressionInfo{Reason: why, SuppressedCount: int32(n)})
			c.sent.Suppressed += n
			delete(s.left, why)
		}
	}
	if len(answer.Entries) == 0 && len(answer.SuppressionInfo) == 0 {
		return nil, next
	}
	slices.SortStableFunc(answer.Entries, compareEntries)
	c.sent.Tailed += len(answer.Entries)
	return answer, 0
}

// leaveOut says whether the next entry is not given, and counts it.
func (s *tailing) leaveOut(now time.Time) bool {
	for _, why := range []reason{rateLimit, notConsumed} {
		if s.suppress[why] > 0 {
			s.suppress[why]--
			s.left[why]++
			return true
		}
	}
	c := s.server
	most := c.Tails.Most
	if most == 0 {
		most = 60000
	}
	if minute := now.Truncate(time.Minute); !minute.Equal(c.minute) {
		c.minute, c.inMinute = minute, 0
	}
	if c.inMinute++; c.inMinute > most {
		s.left[rateLimit]++
		return true
	}
	return false
}
