package sources

import (
	"time"

	"tocsin/internal/setting"
	"tocsin/internal/sources/cloudpubsub"
)

// PubSub is the settings of kind pubsub; see cloudpubsub.Settings.
type PubSub cloudpubsub.Settings

func newPubSub() *PubSub {
	s := PubSub(cloudpubsub.Defaults())
	return &s
}

// Validate says everything that is wrong with the settings.
func (s *PubSub) Validate() []setting.FieldError { return (*cloudpubsub.Settings)(s).Validate() }

// New makes the source.
func (s *PubSub) New(name string, env Env) (Source, error) {
	return cloudpubsub.New(name, cloudpubsub.Settings(*s), cloudpubsub.Options{Tell: env.Trouble, Log: env.Log, Dial: env.Dial}), nil
}

// Speaks is how often it says at the least that it is well.
func (s *PubSub) Speaks() time.Duration { return time.Minute }

// Shared says that any number of processes may read one subscription.
func (s *PubSub) Shared() {}
