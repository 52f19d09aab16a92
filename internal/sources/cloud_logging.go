package sources

import (
	"context"
	"time"

	"tocsin/internal/setting"
	"tocsin/internal/sources/cloudlog"
)

// CloudLogging is the settings of kind cloud_logging; see cloudlog.Settings.
type CloudLogging cloudlog.Settings

func newCloudLogging() *CloudLogging {
	s := CloudLogging(cloudlog.Defaults())
	return &s
}

// Validate says everything that is wrong with the settings.
func (s *CloudLogging) Validate() []setting.FieldError { return (*cloudlog.Settings)(s).Validate() }

// Room is how many characters of filter the rules have of a request; see cloudlog.Settings.Room.
func (s *CloudLogging) Room() int { return (*cloudlog.Settings)(s).Room() }

// New makes the source. It reads what env.Filter wants.
func (s *CloudLogging) New(name string, env Env) (Source, error) {
	return cloudlog.New(name, cloudlog.Settings(*s), cloudlog.Options{Filter: env.Filter, Asked: env.Asked, Tell: env.Trouble, Log: env.Log, Dial: env.Dial}), nil
}

// Speaks is how often it says at the least that it is well.
func (s *CloudLogging) Speaks() time.Duration { return max(time.Minute, s.Every.Std()) }

// Past reads what the source received from one time until another; see cloudlog.Past.
func (s *CloudLogging) Past(ctx context.Context, name string, env Env, since, until time.Time) (Past, error) {
	return cloudlog.NewPast(ctx, name, cloudlog.Settings(*s), cloudlog.Options{Filter: env.Filter, Asked: env.Asked, Log: env.Log, Dial: env.Dial}, since, until)
}

// PastCalls is how many calls a minute that takes at the most, and for how much of the past one call is, at the most.
func (s *CloudLogging) PastCalls() (perMinute int, slice time.Duration) {
	return cloudlog.PastCalls(cloudlog.Settings(*s)), cloudlog.PastSlice
}
