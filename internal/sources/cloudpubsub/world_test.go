package cloudpubsub

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"go.uber.org/goleak"

	"tocsin/internal/logs"
)

func TestMain(m *testing.M) {
	// The client's statistics have a goroutine from the beginning to the end of a process, and a stream that has ended is looked at ten
	// seconds later once more.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
		goleak.IgnoreTopFunction("cloud.google.com/go/pubsub/v2.(*messageIterator).streamKeepAliveHandler"))
}

const (
	topic        = "projects/p/topics/logs"
	subscription = "projects/p/subscriptions/tocsin"
)

// world is a stand-in of Pub/Sub with one subscription.
type world struct {
	t      *testing.T
	server *pstest.Server
}

func newWorld(t *testing.T, change func(*pubsubpb.Subscription)) *world {
	t.Helper()
	w := &world{t: t, server: pstest.NewServer()}
	t.Cleanup(func() { w.server.Close() })
	if _, err := w.server.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
		t.Fatal(err)
	}
	s := &pubsubpb.Subscription{Name: subscription, Topic: topic, AckDeadlineSeconds: 10}
	if change != nil {
		change(s)
	}
	if _, err := w.server.GServer.CreateSubscription(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return w
}

// publish publishes an entry, and gives the message's ID.
func (w *world) publish(text string) string {
	return w.server.Publish(topic, []byte(text), nil)
}

// entry is what a sink exports.
func entry(n int) string {
	return fmt.Sprintf(`{"insertId":"e%d","logName":"projects/p/logs/x","timestamp":%q,"textPayload":"line %d"}`, n, time.Now().UTC().Format(time.RFC3339Nano), n)
}

// reader is a Read that runs.
type reader struct {
	t      *testing.T
	src    *Source
	cancel context.CancelFunc
	ended  chan error

	mu    sync.Mutex
	sent  []logs.Batch
	heard []string
}

func (w *world) read(change func(*Settings)) *reader {
	w.t.Helper()
	s := Defaults()
	s.Subscription, s.Endpoint = subscription, w.server.Addr
	if change != nil {
		change(&s)
	}
	if errs := s.Validate(); errs != nil {
		w.t.Fatal(errs)
	}
	r := &reader{t: w.t}
	r.src = New("logs", s, Options{Tell: r.hear})
	r.src.times.settle = 200 * time.Millisecond
	r.begin()
	return r
}

func (r *reader) hear(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, fmt.Sprint(err))
}

// told is what the source told of.
func (r *reader) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.heard)
}

// begin begins to read; what comes is kept.
func (r *reader) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	out := make(chan logs.Batch)
	r.cancel, r.ended = cancel, make(chan error, 1)
	go func() {
		r.ended <- r.src.Read(ctx, "", out)
		close(out)
	}()
	go func() {
		for b := range out {
			r.mu.Lock()
			r.sent = append(r.sent, b)
			r.mu.Unlock()
		}
	}()
}

// stop ends it as the service does.
func (r *reader) stop() {
	r.t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		r.t.Errorf("Read returned %v when its context ended, want nil", err)
	}
}

// batches are what was sent so far.
func (r *reader) batches() []logs.Batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent)
}

// lines are the entries that were sent so far, in order of their text.
func (r *reader) lines() []string {
	var out []string
	for _, b := range r.batches() {
		for line := range bytes.Lines(b.Data) {
			out = append(out, logs.ParseLine(bytes.TrimSuffix(line, []byte("\n"))).Message())
		}
	}
	slices.Sort(out)
	return out
}

// commit says of all that was sent that it is committed.
func (r *reader) commit() {
	for _, b := range r.batches() {
		if b.Committed != nil {
			b.Committed()
		}
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	look, late := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("not within half a minute: %s", what)
		}
	}
}
