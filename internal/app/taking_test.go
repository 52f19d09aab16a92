package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/store/pgtest"
)

const (
	sharedTopic        = "projects/p/topics/logs"
	sharedSubscription = "projects/p/subscriptions/tocsin"
)

const sharedConfig = `
project: p
store: {postgres: {url: %q}}
sources: {logs: {pubsub: {subscription: ` + sharedSubscription + `, endpoint: %q}}}
rules: [rules.yaml]
receivers: {ops: {console: {}}}
route: {receiver: ops}
`

// Each line counts, and the count is the rule's only if those that different replicas have taken are counted together.
const sharedRules = `
rules:
  - name: boom
    filter: jsonPayload.message="boom"
    group_by: {cluster: jsonPayload.cluster}
    detect: {threshold: {count: 60, window: 10m}}
    resolves: by_hand
    severity: high
    cases:
      - {name: one, entries: [{jsonPayload: {message: boom, cluster: a}}], fires: []}
`

// shared is some replicas on one database that read one subscription.
type shared struct {
	t        *testing.T
	dir      string
	cloud    *pstest.Server
	place    string
	replicas []*App
	stops    []context.CancelFunc
	ended    []chan error
	db       *store.Store
	n        int
}

// newShared starts replicas; each calls its failpoint.
func newShared(t *testing.T, failpoints ...func(name string)) *shared {
	t.Helper()
	s := &shared{t: t, dir: t.TempDir(), cloud: pstest.NewServer(), place: pgtest.Database(t)}
	t.Cleanup(func() { s.cloud.Close() })
	if _, err := s.cloud.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: sharedTopic}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.cloud.GServer.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: sharedSubscription, Topic: sharedTopic, AckDeadlineSeconds: 10}); err != nil {
		t.Fatal(err)
	}
	s.write("rules.yaml", sharedRules)
	s.write("tocsin.yaml", fmt.Sprintf(sharedConfig, s.place, s.cloud.Addr))
	for i, failpoint := range failpoints {
		app, err := New(t.Context(), Options{Config: filepath.Join(s.dir, "tocsin.yaml"), Listen: "127.0.0.1:0", Failpoint: failpoint,
			Log: slog.New(slog.NewTextHandler(t.Output(), nil)).With("replica", i)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		s.replicas, s.stops, s.ended = append(s.replicas, app), append(s.stops, stop), append(s.ended, ended)
	}
	t.Cleanup(func() {
		for i := range s.replicas {
			s.end(i)
		}
	})
	var err error
	if s.db, err = store.Open(t.Context(), s.place, store.Options{Life: time.Hour}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	eventually(t, "all replicas read", func() bool { return s.live() == len(failpoints) })
	return s
}

// live is how many replicas read.
func (s *shared) live() (n int) {
	for _, r := range s.readings() {
		if r.Lives {
			n++
		}
	}
	return n
}

func (s *shared) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// end stops a replica, if it still runs.
func (s *shared) end(i int) {
	s.stops[i]()
	if s.ended[i] == nil {
		return
	}
	if err := <-s.ended[i]; err != nil {
		s.t.Errorf("replica %d ended with %v", i, err)
	}
	s.ended[i] = nil
}

func (s *shared) readings() (out []store.Reading) {
	s.t.Helper()
	err := s.db.View(s.t.Context(), func(tx *store.Tx) (err error) {
		out, err = tx.Readings(s.t.Context(), "logs")
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// publish publishes so many lines that count for a cluster, each with some others.
func (s *shared) publish(lines, others int, cluster string) {
	for range lines {
		for i := range 1 + others {
			s.n++
			message := "fine"
			if i == 0 {
				message = "boom"
			}
			at := time.Now().UTC().Format(time.RFC3339Nano)
			s.cloud.Publish(sharedTopic, fmt.Appendf(nil, `{"insertId":"e%d","logName":"projects/p/logs/x","timestamp":%q,"receiveTimestamp":%q,"jsonPayload":{"message":%q,"cluster":%q}}`,
				s.n, at, at, message, cluster), nil)
		}
	}
}

// count is how many lines the alert of a cluster has, 0 while it does not fire; state is the source's.
func (s *shared) count(cluster string) (n int64, state store.SourceState) {
	s.t.Helper()
	err := s.db.View(s.t.Context(), func(tx *store.Tx) error {
		a, ok, err := tx.FiringAlert(s.t.Context(), incident.Key{Rule: "boom", Group: incident.Labels{"cluster": cluster}.Text()})
		if ok {
			n = a.Count
		}
		if err != nil {
			return err
		}
		state, err = tx.Source(s.t.Context(), "logs")
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n, state
}

// acknowledged is how many of the messages are.
func (s *shared) acknowledged() (n int) {
	for _, m := range s.cloud.Messages() {
		n += min(1, m.Acks)
	}
	return n
}

func calm(string) {}

// TestTwoReplicasShareASubscription: each takes its part of the lines, and a threshold that none of the parts would reach counts them
// all, once.
func TestTwoReplicasShareASubscription(t *testing.T) {
	t.Parallel()
	s := newShared(t, calm, calm)
	s.publish(80, 4, "a")
	eventually(t, "all is counted", func() bool { n, st := s.count("a"); return n >= 80 && st.Entries >= 400 })
	eventually(t, "all is acknowledged", func() bool { return s.acknowledged() == 400 })
	n, st := s.count("a")
	if n != 80 || st.Entries != 400 || st.Matches != 80 || st.Late != 0 || st.Broken != 0 {
		t.Errorf("the alert has %d lines, want 80; the source %+v", n, st)
	}
	for i, app := range s.replicas {
		if took := app.counts()["logs"]["acknowledged"]; took < 100 || took > 300 {
			t.Errorf("replica %d took %d of 400 messages", i, took)
		}
	}
	eventually(t, "the source has caught up", func() bool { _, st := s.count("a"); return st.CaughtUp })
	eventually(t, "what was handed over is forgotten", func() bool {
		var rows []store.Handed
		err := s.db.View(t.Context(), func(tx *store.Tx) (err error) {
			rows, err = tx.Handed(t.Context(), "logs", 0, 10)
			return err
		})
		return err == nil && len(rows) == 0
	})
	// The one that leads stops: the other leads, reads all, and goes on counting where it was.
	lead := 0
	if s.replicas[1].leading() != nil {
		lead = 1
	}
	s.publish(20, 4, "a")
	s.end(lead)
	s.publish(20, 4, "a")
	eventually(t, "all is counted by the other", func() bool { n, _ := s.count("a"); return n >= 120 })
	eventually(t, "all is acknowledged by the other", func() bool { return s.acknowledged() == 600 })
	if n, st := s.count("a"); n != 120 || st.Late != 0 {
		t.Errorf("the alert has %d lines, want 120; the source %+v", n, st)
	}
	if r := s.readings(); len(r) != 1 {
		t.Errorf("readings: %+v, want that of the one that is left", r)
	}
}

// TestHandedOverTwice: the reading of one replica dies between the commit of what it has handed over and the acknowledgement. The
// messages come again, to the other, and count once.
func TestHandedOverTwice(t *testing.T) {
	t.Parallel()
	var dies atomic.Bool
	died := make(chan bool)
	s := newShared(t, calm, func(name string) {
		if name == "taking.committed" && dies.CompareAndSwap(true, false) {
			close(died)
			runtime.Goexit()
		}
	})
	dies.Store(true)
	s.publish(80, 0, "b")
	<-died
	start := time.Now()
	s.cloud.SetTimeNowFunc(func() time.Time { return time.Now().Add(30 * time.Since(start)) }) // so that leases are over soon
	eventually(t, "all is acknowledged in the end", func() bool { return s.acknowledged() == 80 })
	eventually(t, "what was handed over twice is read twice, and the rest", func() bool { n, st := s.count("b"); return st.Entries > 80 && n >= 80 })
	if n, st := s.count("b"); n != 80 || st.Late != 0 {
		t.Errorf("the alert has %d lines, want 80; the source %+v", n, st)
	}
}

// TestOtherRulesDoNotSift: a replica that has loaded other rules than the one that leads does not read, so that no line is left out that a
// rule in force asks for; once the one that leads has them too, both read.
func TestOtherRulesDoNotSift(t *testing.T) {
	t.Parallel()
	s := newShared(t, calm, calm)
	leads, follows := 0, 1
	if s.replicas[1].leading() != nil {
		leads, follows = 1, 0
	}
	s.write("rules.yaml", strings.ReplaceAll(sharedRules, "boom", "bang"))
	if err := s.replicas[follows].Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the one with other rules reads no longer", func() bool { return s.live() == 1 })
	s.publish(80, 0, "c")
	eventually(t, "all is acknowledged", func() bool { return s.acknowledged() == 80 })
	eventually(t, "all is counted", func() bool { n, _ := s.count("c"); return n == 80 })
	if err := s.replicas[leads].Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both read", func() bool { return s.live() == 2 })
}
