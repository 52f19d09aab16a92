package google

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Calls that go on failing make a source blind after half a minute, by when it is asked whatever the pause; then less and less often, up to
// a bound.
func TestSightFailing(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		bound time.Duration
	}{
		"away":  {status.Error(codes.Unavailable, "away"), 30 * time.Second},
		"quota": {status.Error(codes.ResourceExhausted, "used up"), 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewSight("logs", func(error) {})
			began := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
			now, last, blindAt := began, time.Duration(0), time.Time{}
			for now.Before(began.Add(20 * time.Minute)) {
				pause, blind := s.Failed(c.err, now, now)
				if pause <= 0 || pause > c.bound {
					t.Fatalf("after %s a pause of %s", now.Sub(began), pause)
				}
				if blind && blindAt.IsZero() {
					blindAt = now
				}
				now, last = now.Add(pause), pause
			}
			if took := blindAt.Sub(began); took != 30*time.Second {
				t.Errorf("blind after %s", took)
			}
			if last < c.bound*4/5 {
				t.Errorf("a pause of %s in the end", last)
			}
			if !s.Failing() {
				t.Error("it does not fail")
			}
			s.Works()
			if _, blind := s.Failed(c.err, now, now); blind {
				t.Error("blind at the first failure after one that worked")
			}
		})
	}
}

// Trouble is told once as long as it is of a kind, and that it is over once.
func TestSightSpeaks(t *testing.T) {
	var told []string
	s := NewSight("logs", func(err error) { told = append(told, fmt.Sprint(err)) })
	for _, kind := range []string{"", "denied", "denied", "away", "", "", "away"} {
		var err error
		if kind != "" {
			err = errors.New(kind)
		}
		s.Speak(kind, err)
	}
	if diff := cmp.Diff([]string{"source logs: denied", "source logs: away", "<nil>", "source logs: away"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// What is no endpoint is said; one of Google's is asked as ever, any other without credentials.
func TestEndpoint(t *testing.T) {
	for endpoint, wrong := range map[string]bool{"": false, "localhost:8085": false, "[::1]:1": false, "logging.googleapis.com:443": false, "https://x": true, "x": true} {
		if errs := CheckEndpoint(endpoint); (len(errs) > 0) != wrong {
			t.Errorf("%q: %v", endpoint, errs)
		}
	}
	if n, own, other := len(Options("", nil)), len(Options("europe-logging.googleapis.com:443", nil)), len(Options("localhost:1", nil)); n != 0 || own != 1 || other < 4 {
		t.Errorf("%d, %d and %d options", n, own, other)
	}
}
