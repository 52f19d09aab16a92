package google

import (
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// blindAfter is how long calls may fail before a source counts as blind.
const blindAfter = 30 * time.Second

// Sight is what a source knows of its own: since when its calls fail, and what it told of last. One goroutine has it.
type Sight struct {
	name string
	tell func(error)

	spoken   string
	failures int
	since    time.Time
}

// NewSight makes the sight of a source. tell hears of trouble, and nil when it is over.
func NewSight(source string, tell func(error)) *Sight { return &Sight{name: source, tell: tell} }

// Failed takes the error of a call that began at started. It says how long to wait before the next, from a second to half a minute, up
// to two where the quota is used up, and whether calls have failed for so long that the source is blind: that is known within half a minute.
func (s *Sight) Failed(err error, started, now time.Time) (pause time.Duration, blind bool) {
	if s.failures == 0 {
		s.since = started
	}
	s.failures++
	least, most := time.Second, 30*time.Second
	if status.Code(err) == codes.ResourceExhausted {
		least, most = 10*time.Second, 2*time.Minute
	}
	pause = min(most, least<<min(s.failures-1, 10))
	pause -= rand.N(pause / 5)
	left := s.since.Add(blindAfter).Sub(now)
	if left > 0 {
		pause = min(pause, left)
	}
	return pause, left <= 0
}

// Failing says whether the last call failed.
func (s *Sight) Failing() bool { return s.failures > 0 }

// Works notes that a call succeeded. What was told of stands until Speak takes it back.
func (s *Sight) Works() { s.failures = 0 }

// Speak tells of trouble of a kind, once as long as it is the same; "" says that there is none any more.
func (s *Sight) Speak(kind string, err error) {
	if kind == s.spoken {
		return
	}
	s.spoken = kind
	if err != nil {
		err = fmt.Errorf("source %s: %w", s.name, err)
	}
	s.tell(err)
}
