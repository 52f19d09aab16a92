package cloudpubsub

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// way is what is known of the way to Pub/Sub, by the streams.
type way struct {
	source *Source

	mu sync.Mutex
	// down is since when there is no stream; zero while there is one.
	down time.Time
	err  error
	// listening is since when each stream is waited for.
	listening map[*watched]time.Time
}

// stream opens one, and watches it.
func (w *way) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		w.failed(err)
		return nil, err
	}
	w.source.count(streams, 1)
	return &watched{s, w}, nil
}

// watched is a stream of which the way hears.
type watched struct {
	grpc.ClientStream
	way *way
}

// RecvMsg takes the next answer.
func (s *watched) RecvMsg(m any) error {
	s.way.mu.Lock()
	s.way.listening[s] = time.Now()
	s.way.mu.Unlock()
	err := s.ClientStream.RecvMsg(m)
	s.way.mu.Lock()
	delete(s.way.listening, s)
	if err == nil {
		s.way.down = time.Time{}
	}
	s.way.mu.Unlock()
	if err == nil {
		return nil
	}
	s.way.source.count(breaks, 1)
	s.way.failed(err)
	return err
}

func (w *way) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	if w.down.IsZero() {
		w.down = time.Now()
	}
}

// lost is since when there is no way, and why; zero if there is one.
func (w *way) lost(now time.Time) (since time.Time, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, began := range w.listening {
		if now.Sub(began) >= w.source.times.silent {
			w.down = time.Time{}
		}
	}
	return w.down, w.err
}

// explained is an error with what is to be done about it.
func (s *Source) explained(err error) error {
	name := s.settings.Subscription
	parts := strings.Split(name, "/")
	switch status.Code(err) {
	case codes.PermissionDenied, codes.Unauthenticated:
		return fmt.Errorf("read %s: access denied, grant roles/pubsub.subscriber on it to the account that tocsin runs as: "+
			"gcloud pubsub subscriptions add-iam-policy-binding %s --project=%s --role=roles/pubsub.subscriber --member=serviceAccount:ACCOUNT: %w", name, parts[3], parts[1], err)
	case codes.NotFound:
		return fmt.Errorf("read %s: it does not exist, make it by tocsin provision or by gcloud pubsub subscriptions create %s --project=%s --topic=TOPIC, "+
			"TOPIC being the one that the sink writes to: %w", name, parts[3], parts[1], err)
	case codes.FailedPrecondition, codes.InvalidArgument:
		return fmt.Errorf("read %s: it cannot be pulled from, perhaps it was made for push delivery or is detached from its topic: %w", name, err)
	case codes.ResourceExhausted:
		return fmt.Errorf("read %s: the project's quota is used up, look at IAM & Admin, Quotas, Cloud Pub/Sub: %w", name, err)
	}
	return fmt.Errorf("read %s: %w", name, err)
}

// away says that there is no way to Pub/Sub.
func (s *Source) away(why error) error {
	if why == nil {
		why = fmt.Errorf("no stream could be opened within %s", s.times.blind)
	}
	return fmt.Errorf("read %s: no answer, look at the way out to pubsub.googleapis.com:443 and at status.cloud.google.com: %w", s.settings.Subscription, why)
}
