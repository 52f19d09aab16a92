package cloudmetric

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	metricpb "google.golang.org/genproto/googleapis/api/metric"
	"google.golang.org/protobuf/types/known/durationpb"

	"tocsin/internal/fakes"
	"tocsin/internal/logs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a source that reads from a stand-in of Cloud Monitoring, with the real client, in a bubble.
type world struct {
	t      *testing.T
	server *fakes.CloudMonitoring
	src    *Source
	began  time.Time // a whole minute
	cancel context.CancelFunc
	ended  chan error

	mu   sync.Mutex
	sent []logs.Batch
	said []string
}

const requestCount = "loadbalancing.googleapis.com/https/request_count"

func bubble(t *testing.T, change func(*Settings), test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := fakes.NewPipes()
		w := &world{t: t, server: fakes.ServeCloudMonitoring(l)}
		defer w.server.Close()
		w.server.Describe(&metricpb.MetricDescriptor{Type: requestCount, MetricKind: metricpb.MetricDescriptor_DELTA, ValueType: metricpb.MetricDescriptor_INT64,
			Metadata: &metricpb.MetricDescriptor_MetricDescriptorMetadata{IngestDelay: durationpb.New(210 * time.Second)}})
		s := Defaults()
		s.Filter = `metric.type="` + requestCount + `" AND resource.type="https_lb_rule"`
		if change != nil {
			change(&s)
		}
		if errs := s.Validate(); errs != nil {
			t.Fatal(errs)
		}
		src, err := New("lb", s, Options{Project: "prow", Tell: func(err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.said = append(w.said, fmt.Sprint(err))
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.src = src
		src.settings.Endpoint, src.Dial = "memory:1", l.Dial
		time.Sleep(24 * time.Hour) // so that there is a past
		w.began = time.Now().UTC()
		test(w)
		if w.cancel != nil {
			w.stop()
		}
	})
}

// read begins a Read.
func (w *world) read(from logs.Cursor) {
	ctx, cancel := context.WithCancel(context.Background())
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
}

// stop ends the Read and returns its cursor.
func (w *world) stop() logs.Cursor {
	w.t.Helper()
	w.cancel()
	w.cancel = nil
	if err := <-w.ended; err != nil {
		w.t.Errorf("Read returned %v when its context ended", err)
	}
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var c logs.Cursor
	for _, b := range w.sent {
		if b.Cursor != "" {
			c = b.Cursor
		}
	}
	return c
}

// until lets time pass up to a time after the beginning.
func (w *world) until(after time.Duration) {
	time.Sleep(time.Until(w.began.Add(after)))
	synctest.Wait()
}

// add puts a count of requests into the minute that ends at end, to be read from visible on.
func (w *world) add(class string, end time.Duration, n int64, visible time.Duration) {
	at := w.began.Add(end)
	w.server.Add("projects/prow", fakes.Series(requestCount+` {"response_code_class": "`+class+`"}`, `https_lb_rule {"project_id": "prow", "url_map_name": "hook"}`,
		fakes.Int(at.Add(-time.Minute), at, n)), w.began.Add(visible))
}

// got are the points that were given, in order, a line each.
func (w *world) got() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, b := range w.sent {
		for line := range strings.Lines(string(b.Data)) {
			var e struct {
				Timestamp time.Time
				Payload   struct {
					Labels map[string]string
					Value  json.Number
				} `json:"jsonPayload"`
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				w.t.Fatalf("%v: %s", err, line)
			}
			text := fmt.Sprintf("%s %s %s", e.Timestamp.Sub(w.began), e.Payload.Labels["response_code_class"], e.Payload.Value)
			if b.Backlog {
				text += " backlog"
			}
			out = append(out, text)
		}
	}
	return out
}

// ids are the identities of the entries that were given, in order.
func (w *world) ids() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, b := range w.sent {
		b.Entries(time.Time{}, func(e *logs.Entry) bool {
			out = append(out, e.Timestamp.UTC().Format(time.RFC3339)+" "+e.Root.Get("insertId").Text())
			return true
		})
	}
	return out
}

func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.said)
}

func (w *world) last() logs.Batch {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sent) == 0 {
		return logs.Batch{}
	}
	return w.sent[len(w.sent)-1]
}

func (w *world) want(what string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.got()); diff != "" {
		w.t.Errorf("%s: -want +got:\n%s", what, diff)
	}
}
