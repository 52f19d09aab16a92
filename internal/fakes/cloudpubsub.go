package fakes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// CloudPubSub is a stand-in of Pub/Sub with one topic and one subscription of it, on a gRPC server. What holds for messages and leases is
// the client library's own stand-in; what can be done to it beside stands here. Its methods may be called at any time, from any goroutine.
type CloudPubSub struct {
	// Lease, if not 0, is for how long a message is held at the most, whatever is asked for: one that is not acknowledged by then is given
	// again. Set it before the first call, to whole seconds.
	Lease time.Duration

	server   *grpc.Server
	listener net.Listener
	pubsub   *pstest.Server
	topic    string
	name     string

	mu       sync.Mutex
	pulls    map[*pulling]bool
	refused  *status.Status // of streams; nil if they may be opened
	withheld bool
}

// NewCloudPubSub starts a server on a free port of the loopback address, with a subscription (projects/P/subscriptions/S).
func NewCloudPubSub(subscription string) (*CloudPubSub, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the stand-in of Pub/Sub: %w", err)
	}
	return ServeCloudPubSub(l, subscription)
}

// ServeCloudPubSub starts a server on l, which it closes in the end.
func ServeCloudPubSub(l net.Listener, subscription string) (*CloudPubSub, error) {
	p := &CloudPubSub{listener: l, name: subscription, topic: strings.Replace(subscription, "/subscriptions/", "/topics/", 1), pubsub: pstest.NewServerWithAddress("127.0.0.1:0"), pulls: map[*pulling]bool{}}
	if err := p.closeOwn(); err != nil {
		return nil, err
	}
	g := &p.pubsub.GServer
	if _, err := g.CreateTopic(context.Background(), &pubsubpb.Topic{Name: p.topic}); err != nil {
		return nil, fmt.Errorf("make %s: %w", p.topic, err)
	}
	if _, err := g.CreateSubscription(context.Background(), &pubsubpb.Subscription{Name: p.name, Topic: p.topic, AckDeadlineSeconds: 10}); err != nil {
		return nil, fmt.Errorf("make %s: %w", p.name, err)
	}
	p.server = grpc.NewServer(grpc.UnaryInterceptor(p.call), grpc.StreamInterceptor(p.stream))
	pubsubpb.RegisterPublisherServer(p.server, g)
	pubsubpb.RegisterSubscriberServer(p.server, g)
	go func() { _ = p.server.Serve(l) }() // it ends with Close
	return p, nil
}

// closeOwn closes the library's own way in, which is not used: in a bubble nobody may listen at a real socket. It complains if it has not begun
// to listen by then; it has once it speaks.
func (p *CloudPubSub) closeOwn() error {
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.pubsub.Addr)
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
		err = errors.Join(err, conn.Close())
	}
	return errors.Join(err, p.pubsub.Close())
}

// Addr is the server's host:port, for the setting endpoint.
func (p *CloudPubSub) Addr() string { return p.listener.Addr().String() }

// Close ends the server and every call to it.
func (p *CloudPubSub) Close() {
	p.server.Stop()
	_, _ = p.pubsub.GServer.DeleteSubscription(context.Background(), &pubsubpb.DeleteSubscriptionRequest{Subscription: p.name}) // it ends what delivers
}

// Publish publishes a message and returns its id.
func (p *CloudPubSub) Publish(data []byte) string { return p.pubsub.Publish(p.topic, data, nil) }

// Refuse ends the streams and makes those that are opened from now on fail; codes.OK takes that back.
func (p *CloudPubSub) Refuse(code codes.Code, message string) {
	p.mu.Lock()
	p.refused = nil
	if code != codes.OK {
		p.refused = status.New(code, message)
	}
	p.mu.Unlock()
	if code != codes.OK {
		p.Break(code, message)
	}
}

// Break ends the streams that are open.
func (p *CloudPubSub) Break(code codes.Code, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.pulls {
		s.why = status.Error(code, message)
		close(s.broken)
		delete(p.pulls, s)
	}
}

// Withhold makes no message come from now on, though streams are open and answer, until it is called off: so it looks where another reads
// the subscription, or its sink has left it. What was withheld is given after its lease.
func (p *CloudPubSub) Withhold(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.withheld = yes
}

// Published is how many messages were published.
func (p *CloudPubSub) Published() int { return len(p.pubsub.Messages()) }

// Waiting is how many messages are not acknowledged.
func (p *CloudPubSub) Waiting() int {
	return p.count(func(m *pstest.Message) bool { return m.Acks == 0 })
}

// Again is how many messages were given more than once.
func (p *CloudPubSub) Again() int {
	return p.count(func(m *pstest.Message) bool { return m.Deliveries > 1 })
}

func (p *CloudPubSub) count(is func(m *pstest.Message) bool) (n int) {
	for _, m := range p.pubsub.Messages() {
		if is(m) {
			n++
		}
	}
	return n
}

// call bounds what is asked for a lease.
func (p *CloudPubSub) call(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if r, ok := req.(*pubsubpb.ModifyAckDeadlineRequest); ok && p.Lease > 0 {
		r.AckDeadlineSeconds = min(r.GetAckDeadlineSeconds(), int32(p.Lease/time.Second))
	}
	return next(ctx, req)
}

// pulling is a stream that messages are given through.
type pulling struct {
	grpc.ServerStream
	from   *CloudPubSub
	broken chan struct{} // closed when it is to end
	why    error         // set before that
}

func (p *CloudPubSub) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	s := &pulling{ServerStream: stream, from: p, broken: make(chan struct{})}
	p.mu.Lock()
	if r := p.refused; r != nil {
		p.mu.Unlock()
		return r.Err()
	}
	p.pulls[s] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.pulls, s)
	}()
	return next(srv, s)
}

// RecvMsg takes what the client asks, until the stream is to end.
func (s *pulling) RecvMsg(m any) error {
	got := make(chan error, 1)
	go func() { got <- s.ServerStream.RecvMsg(m) }() // it ends with the stream
	select {
	case <-s.broken:
		return s.why
	case err := <-got:
		if r, ok := m.(*pubsubpb.StreamingPullRequest); ok && s.from.Lease > 0 && err == nil {
			r.StreamAckDeadlineSeconds = min(r.GetStreamAckDeadlineSeconds(), int32(s.from.Lease/time.Second))
		}
		return err
	}
}

// SendMsg gives messages, if any may be.
func (s *pulling) SendMsg(m any) error {
	s.from.mu.Lock()
	withheld := s.from.withheld
	s.from.mu.Unlock()
	if r, ok := m.(*pubsubpb.StreamingPullResponse); ok && withheld && len(r.GetReceivedMessages()) > 0 {
		return nil
	}
	return s.ServerStream.SendMsg(m)
}
