package cloudmetric

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tocsin/internal/logs"
)

// fail notes a failed reading and returns when to try again.
func (r *reading) fail(ctx context.Context, err error, started time.Time) time.Time {
	now := time.Now()
	pause, long := r.sight.Failed(err, started, now)
	if kind, text, atOnce := r.explain(err); atOnce || long {
		r.sight.Speak(kind, fmt.Errorf("read metric %s of %s: %s: %w", r.settings.metric(), r.settings.ResourceName, text, err))
	}
	if long {
		r.watching = now
		_ = r.hand(ctx, logs.Batch{Blind: true}) // it fails when ctx ends, which run notices
	}
	return now.Add(pause)
}

// explain words what is wrong and the mend, and says whether it is told at once: what does not pass by itself is.
func (r *reading) explain(err error) (kind, text string, atOnce bool) {
	if errors.Is(err, errTooMany) {
		return "too many", "narrow the filter, or put series together with reducer and group_by", true
	}
	switch status.Code(err) {
	case codes.PermissionDenied, codes.Unauthenticated:
		return "denied", "access denied, grant roles/monitoring.viewer on it to the account that tocsin runs as", true
	case codes.InvalidArgument:
		return "refused", "the request was refused, look at " + refused(status.Convert(err).Message()), true
	case codes.NotFound:
		return "not found", "there is no such metric there, or no such resource; look at metric.type in filter, and at resource_name", true
	case codes.ResourceExhausted:
		return "quota", "the quota is used up (time series queries a minute of the project), which everybody who reads its metrics shares; read less often (every) or have it raised", false
	case codes.Unavailable, codes.DeadlineExceeded:
		return "away", "no answer, look at the way out to monitoring.googleapis.com:443 and at status.cloud.google.com", false
	default:
		return "other", "it fails", false
	}
}

// refused are the settings that the API's words are about.
func refused(message string) string {
	for _, s := range []struct{ words, setting string }{
		{"perseriesaligner", "aligner"}, {"crossseriesreducer", "reducer"}, {"groupbyfields", "group_by"}, {"alignmentperiod", "period"}, {"filter", "filter"},
	} {
		if strings.Contains(strings.ToLower(strings.ReplaceAll(message, "_", "")), s.words) {
			return s.setting
		}
	}
	return "filter, aligner, reducer and group_by"
}
