package cloudlog

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	logging "cloud.google.com/go/logging/apiv2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tocsin/internal/logs"
)

// fail notes a failed listing and returns when to try again.
func (r *reading) fail(ctx context.Context, err error, started time.Time) time.Time {
	now := time.Now()
	pause, long := r.sight.Failed(err, started, now)
	code := status.Code(err)
	switch code {
	case codes.PermissionDenied, codes.Unauthenticated:
		r.sight.Speak(code.String(), fmt.Errorf("read entries of %s: access denied, grant roles/logging.viewer on it to the account that tocsin runs as "+
			"(roles/logging.viewAccessor on a view): %w", r.resources(), err))
	case codes.InvalidArgument:
		r.sight.Speak(code.String(), fmt.Errorf("read entries of %s: the request was refused: %w; its filter is: %s", r.resources(), err, brief(r.filterFor(started, time.Time{}, r.wanted()))))
	case codes.NotFound:
		r.sight.Speak(code.String(), fmt.Errorf("read entries of %s: it does not exist, look at resource_names: %w", r.resources(), err))
	case codes.ResourceExhausted:
		if long {
			r.sight.Speak(code.String(), fmt.Errorf("read entries of %s: the quota is used up, which everybody who reads these logs shares; "+
				"set calls_per_minute lower or have it raised: %w", r.resources(), err))
		}
	case codes.Unavailable, codes.DeadlineExceeded:
		if long {
			r.sight.Speak("away", fmt.Errorf("read entries of %s: no answer, look at the way out to logging.googleapis.com:443 and at status.cloud.google.com: %w", r.resources(), err))
		}
	default:
		if long {
			r.sight.Speak("other", fmt.Errorf("read entries of %s: %w", r.resources(), err))
		}
	}
	if long && r.live.IsZero() {
		r.watching = now
		r.hand(ctx, logs.Batch{Blind: true})
	}
	return now.Add(pause)
}

// recover notes that a call succeeded.
func (r *reading) recover() {
	r.sight.Works()
	if r.refused != "" && r.refused == r.rules() {
		r.sight.Speak("refused", r.refusal)
		return
	}
	r.sight.Speak("", nil)
}

// blame says whose filter the API did not take, asking it for less and less; why are its words.
func (s *Source) blame(ctx context.Context, client *logging.Client, l *listing, why string) error {
	refuses := func(some []Asked) bool {
		one := *l
		one.until = one.since.Add(time.Second) // it need not find anything
		_, err := s.readWith(ctx, client, &one, together(some))
		return status.Code(err) == codes.InvalidArgument
	}
	all := s.Asked()
	for len(all) > 0 {
		some := all[:1]
		for len(some) < len(all) && utf8.RuneCountInString(together(all[:len(some)+1])) <= s.settings.Room() {
			some = all[:len(some)+1]
		}
		all = all[len(some):]
		if !refuses(some) {
			continue
		}
		for len(some) > 1 {
			if half := some[:len(some)/2]; refuses(half) {
				some = half
			} else {
				some = some[len(half):]
			}
		}
		return fmt.Errorf("read entries of %s: the filter of rule %s was refused, so everything is read: %s; it is: %s", s.resources(), some[0].Rule, why, brief(some[0].Filter))
	}
	return fmt.Errorf("read entries of %s: the rules' filters together were refused, so everything is read: %s; they are: %s", s.resources(), why, brief(l.rules))
}

// together is a filter that takes what any of some takes.
func together(some []Asked) string {
	filters := make([]string, len(some))
	for i, a := range some {
		filters[i] = "(" + a.Filter + "\n)"
	}
	return strings.Join(filters, " OR ")
}

// brief is the beginning of a filter, on one line.
func brief(filter string) string {
	filter = strings.Join(strings.Fields(filter), " ")
	if len(filter) > excerptBytes {
		return strings.ToValidUTF8(filter[:excerptBytes], "") + "…"
	}
	return filter
}
