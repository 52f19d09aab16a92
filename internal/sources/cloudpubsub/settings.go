package cloudpubsub

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"tocsin/internal/setting"
	"tocsin/internal/sources/google"
)

// Settings are those of kind pubsub: entries that a sink of Cloud Logging exports to a Pub/Sub topic, or that anybody publishes there,
// by a subscription with pull delivery. The account that tocsin runs as needs roles/pubsub.subscriber on the subscription. A message is
// acknowledged once what it came to is committed; one that comes again changes nothing. Any number of replicas on one PostgreSQL
// database share the messages of one subscription.
type Settings struct {
	// Subscription is what to read: projects/P/subscriptions/S. Nobody else may read it: each message comes to one reader only.
	// tocsin provision makes it, and the sink.
	Subscription string `yaml:"subscription"`
	// MaxOutstandingMessages bounds how many messages each replica holds that are not yet acknowledged, 20000 if left out.
	MaxOutstandingMessages int `yaml:"max_outstanding_messages"`
	// MaxOutstandingBytes bounds their data, 67108864 (64 MiB) if left out. A replica takes about three times as much memory when it is
	// used up.
	MaxOutstandingBytes int `yaml:"max_outstanding_bytes"`
	// MaxExtension is for how long a message is held that cannot be committed, 10m if left out; after that Pub/Sub gives it to anybody
	// again. Each extension lasts 20 seconds at the most: so late are the messages of a replica that was killed.
	MaxExtension setting.Duration `yaml:"max_extension"`
	// Streams is how many streams each replica pulls by, 1 if left out. Pub/Sub lets about 10 MB a second through each.
	Streams int `yaml:"streams"`
	// Endpoint is asked instead of pubsub.googleapis.com, as host:port. One in googleapis.com is asked with TLS and the account's
	// credentials, any other without both: it is taken for an emulator on this machine.
	Endpoint string `yaml:"endpoint"`
}

// Defaults are the settings before any is read.
func Defaults() Settings {
	return Settings{MaxOutstandingMessages: 20000, MaxOutstandingBytes: 64 << 20, MaxExtension: setting.Duration(10 * time.Minute), Streams: 1}
}

var (
	subscriptionName = regexp.MustCompile(`^projects/[^/\s]+/subscriptions/[^/\s]+$`)
	topicName        = regexp.MustCompile(`^projects/[^/\s]+/topics/[^/\s]+$`)
)

// Validate says everything that is wrong with the settings.
func (s *Settings) Validate() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	switch {
	case s.Subscription == "":
		wrong("subscription", "no subscription: name what to read, such as projects/k8s-infra-prow/subscriptions/tocsin")
	case topicName.MatchString(s.Subscription):
		wrong("subscription", "%q is a topic: name a subscription of it, projects/P/subscriptions/S", s.Subscription)
	case subscriptionName.MatchString(strings.TrimPrefix(s.Subscription, "//pubsub.googleapis.com/")) && strings.HasPrefix(s.Subscription, "//"):
		wrong("subscription", "%q is a full resource name: write %s", s.Subscription, strings.TrimPrefix(s.Subscription, "//pubsub.googleapis.com/"))
	case !subscriptionName.MatchString(s.Subscription):
		wrong("subscription", "%q is no subscription: write projects/P/subscriptions/S", s.Subscription)
	}
	within := func(path string, n, least, most int) {
		if n < least || n > most {
			wrong(path, "%d is out of range: %d to %d", n, least, most)
		}
	}
	within("max_outstanding_messages", s.MaxOutstandingMessages, 1, 1_000_000)
	within("max_outstanding_bytes", s.MaxOutstandingBytes, 1<<20, 4<<30)
	if d := s.MaxExtension.Std(); d < time.Minute || d > time.Hour {
		wrong("max_extension", "%s is out of range: 1m to 1h", s.MaxExtension)
	}
	within("streams", s.Streams, 1, 16)
	errs = append(errs, google.CheckEndpoint(s.Endpoint)...)
	return errs
}
