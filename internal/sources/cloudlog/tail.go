package cloudlog

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	// renewAfter is how old a session is when the next is opened: the API ends one about an hour after it began.
	renewAfter = 55 * time.Minute
	// lookEvery is how often it is looked whether the rules want something else of the tail.
	lookEvery = 10 * time.Second
	// mostGap is how much may lie between what was handed on and a session's beginning for what it gives to be handed on before
	// that was listed. It is less than the engine still takes as being in time, whatever a rule's window.
	mostGap = 4 * time.Minute
	// settles is how long after its opening, and the buffer window, a session is sure to give what is received.
	settles = 5 * time.Second
	// gather is how long what follows soon after something else is gathered: each batch is a commit.
	gather = 200 * time.Millisecond
	// skew is how far this machine's clock may be from the API's.
	skew = 15 * time.Second
)

// session is one tail session.
type session struct {
	opened time.Time
	filter string // the rules', as it was then
	end    context.CancelFunc
}

// tailed is what a session gave, or why it ended.
type tailed struct {
	session *session
	answer  *loggingpb.TailLogEntriesResponse
	err     error
}

// tailDue is when the tail has to be tended.
func (r *reading) tailDue() time.Time {
	switch {
	case r.next != nil:
		return r.next.opened.Add(r.established())
	case r.session == nil:
		return r.openAt
	}
	return later(r.lookAt, r.openAt)
}

// established is how long after its opening a session is sure to give what is received.
func (r *reading) established() time.Duration { return r.settings.BufferWindow.Std() + settles }

// tend opens a session where one is missing, and the one that is to follow, which takes over once it is sure to give everything.
func (r *reading) tend(ctx context.Context, now time.Time) {
	switch {
	case r.next != nil:
		if now.Sub(r.next.opened) >= r.established() {
			r.session.end()
			r.session, r.next, r.broken = r.next, nil, 0
		}
	case now.Before(r.openAt):
	case r.session == nil:
		r.session = r.open(ctx, now)
		r.live = now
	case !now.Before(r.lookAt):
		r.lookAt = now.Add(lookEvery)
		if now.Sub(r.session.opened) >= renewAfter || r.wanted() != r.session.filter {
			r.next = r.open(ctx, now)
		}
	}
}

// open opens a session.
func (r *reading) open(ctx context.Context, now time.Time) *session {
	own, end := context.WithCancel(ctx)
	s := &session{opened: now, filter: r.wanted(), end: end}
	r.count(func(f *Figures) { f.Sessions++ })
	req := &loggingpb.TailLogEntriesRequest{ResourceNames: r.settings.ResourceNames, Filter: r.join(nil, s.filter),
		BufferWindow: durationpb.New(r.settings.BufferWindow.Std())}
	r.beside.Go(func() {
		defer end()
		r.follow(own, s, req)
	})
	return s
}

// follow passes on what a session gives until it ends.
func (r *reading) follow(ctx context.Context, s *session, req *loggingpb.TailLogEntriesRequest) {
	pass := func(t tailed) bool {
		t.session = s
		select {
		case r.tails <- t:
			return true
		case <-ctx.Done():
			return false
		}
	}
	stream, err := r.client.TailLogEntries(ctx, gax.WithGRPCOptions(grpc.ForceCodec(rawEntries{})))
	if err == nil {
		err = stream.Send(req)
	}
	for {
		// A request that could not be sent is told by what is received.
		answer, heard := (*loggingpb.TailLogEntriesResponse)(nil), err
		if stream != nil {
			answer, heard = stream.Recv()
		}
		if heard != nil {
			pass(tailed{err: heard})
			return
		}
		if !pass(tailed{answer: answer}) {
			return
		}
	}
}

// heard takes what a session gave, or its end.
func (r *reading) heard(ctx context.Context, t tailed, now time.Time) {
	var entries []piece
	if t.err == nil {
		entries = piecesOf(t.answer, now)
	}
	r.count(func(f *Figures) { f.Tailed += int64(len(entries)) })
	switch {
	case t.session != r.session && t.session != r.next: // one that another has taken over from
		r.pass(len(entries))
		return
	case t.err != nil:
		r.ended(t, now)
		return
	}
	for _, s := range t.answer.GetSuppressionInfo() {
		r.suppressed(s, now)
	}
	if !r.follows() {
		// Much is still to be listed that is older. Handed on now these would make it come too late; they are listed in their turn.
		r.live = now
		r.pass(len(entries))
		return
	}
	r.known = later(r.known, now)
	r.gathered = append(r.gathered, entries...)
	if !now.Before(r.giveAt) {
		r.give(ctx, now)
	}
}

// give hands on what the tail gave since it was done last.
func (r *reading) give(ctx context.Context, now time.Time) {
	entries := r.gathered
	r.gathered = nil
	if len(entries) > 0 {
		r.giveAt = now.Add(gather)
		r.send(ctx, entries, len(entries), r.told, false)
	}
}

// follows says whether what the tail gives may be handed on.
func (r *reading) follows() bool { return !r.live.IsZero() && r.live.Sub(r.known) <= mostGap }

// suppressed notes that the API left entries out: they are to be listed.
func (r *reading) suppressed(info *loggingpb.TailLogEntriesResponse_SuppressionInfo, now time.Time) {
	r.count(func(f *Figures) { f.Suppressed += int64(max(1, info.GetSuppressedCount())) })
	r.leftOut += int64(info.GetSuppressedCount())
	if now.Sub(r.leftOutSaid) >= time.Minute {
		r.Log.Warn("the tail left entries out: they are listed", "source", r.name, "reason", info.GetReason().String(), "at_least", r.leftOut)
		r.leftOut, r.leftOutSaid = 0, now
	}
	was := r.steady(now)
	r.live = now
	if was {
		r.listSoon(now)
	}
}

// drop ends all sessions; another is opened.
func (r *reading) drop(now time.Time) {
	for _, s := range []*session{r.session, r.next} {
		if s != nil {
			s.end()
		}
	}
	r.session, r.next, r.live, r.openAt = nil, nil, time.Time{}, now
	r.listSoon(now)
}

// ended takes a session's end.
func (r *reading) ended(t tailed, now time.Time) {
	code := status.Code(t.err)
	planned := code == codes.OutOfRange || code == codes.DeadlineExceeded
	if !planned {
		r.broken++
		r.openAt = now.Add(r.pauseAfter(code))
		r.count(func(f *Figures) { f.Breaks++ })
		r.Log.Warn("a tail session broke off: what it missed is listed", "source", r.name, "error", t.err, "again_in", r.openAt.Sub(now))
	}
	t.session.end()
	if t.session == r.next {
		r.next = nil
		return
	}
	if r.follows() {
		r.known = later(r.known, now)
	}
	r.session, r.next = r.next, nil
	switch {
	case r.session == nil:
		r.live = time.Time{}
	case now.Sub(r.session.opened) < r.established():
		r.live = r.session.opened
	default:
		return // it was there before the other ended: there is no gap
	}
	if now.Sub(t.session.opened) < settles {
		return // nothing was lost with it
	}
	if r.openAt = later(r.openAt, now); r.session == nil && r.openAt.Sub(now) < time.Second {
		now = r.openAt.Add(time.Second) // better once the next can be trusted to be there
	}
	r.listSoon(now)
}

// pauseAfter is how long to wait after a session that broke off.
func (r *reading) pauseAfter(code codes.Code) time.Duration {
	least, most := 250*time.Millisecond, 30*time.Second
	switch code {
	case codes.ResourceExhausted:
		least, most = 10*time.Second, 5*time.Minute
	case codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument, codes.NotFound, codes.Unimplemented:
		least, most = 10*time.Second, time.Minute
	}
	pause := min(most, least<<min(r.broken-1, 10))
	return pause - rand.N(pause/5)
}

// listSoon has the next listing begin at once.
func (r *reading) listSoon(now time.Time) {
	if at := later(now, r.listBegan.Add(time.Second)); !r.sight.Failing() && r.listAt.After(at) {
		r.listAt = at
	}
}

// steady says whether the tail has gone without a gap and left nothing out for so long that listing need only go over what it gave.
func (r *reading) steady(now time.Time) bool {
	return r.follows() && now.Sub(r.live) >= r.lag()+r.settings.Every.Std()
}

// covered is from when on the tail has given all that was received, though this machine's clock is somewhat off.
func (r *reading) covered() time.Time { return r.live.Add(r.established() + skew) }

// lag is how far behind the present a listing stays that goes over what the tail gave: by then it must have been given, and be listed.
func (r *reading) lag() time.Duration {
	return max(r.settings.Overlap.Std(), r.settings.BufferWindow.Std()+30*time.Second)
}

// pass counts entries that came and are not handed on.
func (r *reading) pass(n int) {
	r.passed += n
	r.count(func(f *Figures) { f.Passed += int64(n) })
}

func later(a, b time.Time) time.Time { return slices.MaxFunc([]time.Time{a, b}, time.Time.Compare) }
