package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"

	"tocsin/internal/fakes"
)

// wire takes lines in the place of a file. It does to them what the real one may, all the while.
type wire interface {
	// add takes a line.
	add(line string) error
	// source is the settings of the source that reads it.
	source() string
	// lateness is how much later than its time a line may come.
	lateness() time.Duration
	// waiting is how many lines nobody has acknowledged, doubled how many were given more than once; zero where it is not known.
	waiting() int
	doubled() int
	close()
}

// newWire makes the wire of that kind.
func newWire(kind string, c *chance) (wire, error) {
	switch kind {
	case "cloud_logging":
		cloud, err := fakes.NewCloudLogging()
		if err != nil {
			return nil, err
		}
		return &tail{cloud, c}, nil
	case "pubsub":
		p, err := fakes.NewCloudPubSub("projects/kill/subscriptions/tocsin")
		if err != nil {
			return nil, err
		}
		p.Lease = lease
		return &subscription{p, c}, nil
	}
	return nil, fmt.Errorf("a source %q is not known: file, cloud_logging or pubsub", kind)
}

// tail is Cloud Logging, whose tail breaks off, before a line or after it, or leaves some out now and then.
type tail struct {
	*fakes.CloudLogging
	chance *chance
}

func (t *tail) add(line string) error {
	switch t.chance.below(60) {
	case 0:
		t.Break(codes.Unavailable, "broken off")
	case 1:
		t.Suppress(1+t.chance.below(5), loggingpb.TailLogEntriesResponse_SuppressionInfo_NOT_CONSUMED)
	case 2:
		defer t.Break(codes.OutOfRange, "its time is up")
	}
	return t.Add([]byte(line))
}

func (t *tail) source() string {
	return fmt.Sprintf("{cloud_logging: {resource_names: [folders/1], endpoint: %q, every: 1s, buffer_window: 0s, calls_per_minute: 6000}}", t.Addr())
}

// The next listing has what a tail leaves out.
func (t *tail) lateness() time.Duration { return 4 * time.Second }
func (t *tail) waiting() int            { return 0 }
func (t *tail) doubled() int            { return 0 }
func (t *tail) close()                  { t.Close() }

// lease is for how long a message of Pub/Sub is held by whoever got it, if it is not acknowledged: a tenth of what is usual at the most, so
// that those of a process that was killed come again soon, and now and then one that lives gets a message twice.
const lease = 2 * time.Second

// subscription is Pub/Sub, whose streams break off and which gives messages twice and in any order.
type subscription struct {
	*fakes.CloudPubSub
	chance *chance
}

func (s *subscription) add(line string) error {
	switch s.chance.below(40) {
	case 0:
		s.Break(codes.Unavailable, "broken off")
	case 1: // the sink has sent it twice; without an insertId these would be two
		if strings.Contains(line, `"insertId"`) {
			s.Publish([]byte(line))
		}
	case 2: // it comes after others that are younger
		time.AfterFunc(rand.N(lease), func() { s.Publish([]byte(line)) })
		return nil
	}
	s.Publish([]byte(line))
	return nil
}

func (s *subscription) source() string {
	return fmt.Sprintf("{pubsub: {subscription: projects/kill/subscriptions/tocsin, endpoint: %q}}", s.Addr())
}

// A message may be lost with several lives, one after the other.
func (s *subscription) lateness() time.Duration { return 8 * lease }
func (s *subscription) waiting() int            { return s.Waiting() }
func (s *subscription) doubled() int            { return s.Again() }
func (s *subscription) close()                  { s.Close() }
