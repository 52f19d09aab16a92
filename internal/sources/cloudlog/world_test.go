package cloudlog

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/internal/fakes"
	"tocsin/internal/logs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a source that reads from a stand-in of Cloud Logging, with the real client, in a bubble.
type world struct {
	t      *testing.T
	server *fakes.CloudLogging
	src    *Source
	filter atomic.Value // a string
	cancel context.CancelFunc
	ended  chan error

	mu   sync.Mutex
	sent []logs.Batch
	said []string
}

// batches are what was sent since the last read began.
func (w *world) batches() []logs.Batch {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent)
}

// told is what the source told of.
func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.said)
}

// withoutTail is a bubble whose service does not tail: all is by listing.
func withoutTail(t *testing.T, change func(*Settings), test func(w *world)) {
	t.Helper()
	bubble(t, change, func(w *world) {
		w.server.FailTails(5000, codes.Unimplemented, "no tail here")
		test(w)
	})
}

func bubble(t *testing.T, change func(*Settings), test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := fakes.NewPipes()
		w := &world{t: t, server: fakes.ServeCloudLogging(l)}
		defer w.server.Close()
		s := Defaults()
		s.ResourceNames = []string{"projects/p"}
		if change != nil {
			change(&s)
		}
		if errs := s.Validate(); errs != nil {
			t.Fatal(errs)
		}
		w.filter.Store("")
		w.src = New("prow", s, Options{Filter: func(int) string { return w.filter.Load().(string) }, Tell: func(err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.said = append(w.said, fmt.Sprint(err))
		}})
		w.src.settings.Endpoint, w.src.Dial = "memory:1", l.Dial
		time.Sleep(24 * time.Hour) // so that there is a past
		test(w)
		w.stop()
	})
}

// read begins to read, and waits for the first round.
func (w *world) read(from logs.Cursor) {
	ctx, cancel := context.WithCancel(w.t.Context())
	out := make(chan logs.Batch)
	w.cancel, w.ended, w.sent = cancel, make(chan error, 1), nil
	go func() {
		w.ended <- w.src.Read(ctx, from, out)
		close(out)
	}()
	go func() {
		for b := range out {
			w.mu.Lock()
			w.sent = append(w.sent, b)
			w.mu.Unlock()
		}
	}()
	w.wait(time.Millisecond)
}

func (w *world) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// stop ends the reading and returns the cursor to go on from.
func (w *world) stop() logs.Cursor {
	if w.cancel != nil {
		w.cancel()
		if err := <-w.ended; err != nil {
			w.t.Errorf("Read returned %v when its context ended, want nil", err)
		}
		w.cancel = nil
		synctest.Wait()
	}
	var c logs.Cursor
	for _, b := range w.batches() {
		if b.Cursor != "" {
			c = b.Cursor
		}
	}
	return c
}

// add adds an entry that was received so long ago.
func (w *world) add(id string, ago time.Duration) {
	at := time.Now().Add(-ago)
	w.server.AddEntries(&loggingpb.LogEntry{LogName: "projects/p/logs/stderr", InsertId: id, Timestamp: timestamppb.New(at.Add(-time.Second)), ReceiveTimestamp: timestamppb.New(at)})
}

// lines are the entries of a batch as the REST API would write them.
func lines(b logs.Batch) iter.Seq[string] {
	return func(yield func(string) bool) {
		b.Entries(time.Time{}, func(e *logs.Entry) bool { return yield(string(e.Root.AppendJSON(nil)) + "\n") })
	}
}

// ids are the insertIds of what was read, in order.
func (w *world) ids() []string {
	ids := []string{}
	for _, b := range w.batches() {
		for line := range lines(b) {
			var e struct {
				InsertID string `json:"insertId"`
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				w.t.Fatalf("%q: %v", line, err)
			}
			ids = append(ids, e.InsertID)
		}
	}
	return ids
}

func (w *world) want(ids ...string) {
	w.t.Helper()
	if diff := cmp.Diff(ids, w.ids()); diff != "" {
		w.t.Errorf("entries read (-want +got):\n%s", diff)
	}
}

func (w *world) last() logs.Batch {
	batches := w.batches()
	if len(batches) == 0 {
		return logs.Batch{}
	}
	return batches[len(batches)-1]
}
