package cloudsetup

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

const (
	// ackDeadline is how long a batch may take until it is committed; the client extends it.
	ackDeadline = 60
	// kept is how long what was not taken waits: as long as Pub/Sub keeps it at the most without a surcharge on the topic.
	kept = 7 * 24 * time.Hour
)

// missing says whether an error says that something is not there.
func missing(err error) bool { return status.Code(err) == codes.NotFound }

func (c *Clients) topic(name string) item {
	return item{
		thing: "topic", name: name, needs: "roles/pubsub.editor",
		look: func(ctx context.Context) (string, string, error) {
			_, err := c.topics.GetTopic(ctx, &pubsubpb.GetTopicRequest{Topic: name})
			if missing(err) {
				return Create, "", nil
			}
			return Exists, "", err
		},
		make: func(ctx context.Context) error {
			_, err := c.topics.CreateTopic(ctx, &pubsubpb.Topic{Name: name})
			return err
		},
	}
}

func (c *Clients) subscription(s Subscription) item {
	want := &pubsubpb.Subscription{Name: s.Name, Topic: s.Topic, AckDeadlineSeconds: ackDeadline,
		MessageRetentionDuration: durationpb.New(kept), ExpirationPolicy: &pubsubpb.ExpirationPolicy{}} // an empty policy: it never expires
	var paths []string
	return item{
		thing: "subscription", name: s.Name, needs: "roles/pubsub.editor",
		look: func(ctx context.Context) (string, string, error) {
			paths = nil
			is, err := c.subscriptions.GetSubscription(ctx, &pubsubpb.GetSubscriptionRequest{Subscription: s.Name})
			switch {
			case missing(err):
				return Create, "keeps what was not taken for 7 days, never expires", nil
			case err != nil:
				return "", "", err
			case is.GetTopic() != s.Topic:
				return "", "", fmt.Errorf("it is on the topic %s, not on %s: give tocsin a subscription of its own, or name that topic with --topic", is.GetTopic(), s.Topic)
			case is.GetFilter() != "":
				return "", "", fmt.Errorf("it has the filter %q, which hides entries from the rules and cannot be taken away: give tocsin a subscription of its own", is.GetFilter())
			case is.GetPushConfig().GetPushEndpoint() != "":
				return "", "", fmt.Errorf("it pushes to %s: tocsin pulls, give it a subscription of its own", is.GetPushConfig().GetPushEndpoint())
			}
			var differs []string
			if is.GetMessageRetentionDuration().AsDuration() < kept {
				paths, differs = append(paths, "message_retention_duration"), append(differs, "keeps what was not taken for less than 7 days")
			}
			if is.GetExpirationPolicy() == nil || is.GetExpirationPolicy().GetTtl() != nil {
				paths, differs = append(paths, "expiration_policy"), append(differs, "expires when nobody asks, is to be there for ever")
			}
			if len(paths) > 0 {
				return Change, strings.Join(differs, "; "), nil
			}
			return Exists, "", nil
		},
		make: func(ctx context.Context) error {
			if len(paths) == 0 {
				_, err := c.subscriptions.CreateSubscription(ctx, want)
				return err
			}
			_, err := c.subscriptions.UpdateSubscription(ctx, &pubsubpb.UpdateSubscriptionRequest{Subscription: want, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
			return err
		},
	}
}

// logSink is a sink as Cloud Logging is to have it.
func logSink(s Sink, topic string) *loggingpb.LogSink {
	return &loggingpb.LogSink{Name: s.Name, Destination: "pubsub.googleapis.com/" + topic, Filter: s.Filter,
		Description: "What tocsin's rules want; made by tocsin provision.", IncludeChildren: !strings.HasPrefix(s.Parent, "projects/")}
}

func (s Sink) full() string { return s.Parent + "/sinks/" + s.Name }

func (c *Clients) sink(s Sink, topic string) item {
	want, there := logSink(s, topic), false
	return item{
		thing: "sink", name: s.full(), needs: "roles/logging.configWriter",
		look: func(ctx context.Context) (string, string, error) {
			is, err := c.config.GetSink(ctx, &loggingpb.GetSinkRequest{SinkName: s.full()})
			switch {
			case missing(err):
				return Create, "takes " + filterText(s.Filter), nil
			case err != nil:
				return "", "", err
			case is.GetDestination() != want.GetDestination():
				return "", "", fmt.Errorf("it goes to %s, not to %s: it is not tocsin's; give another name with --name", is.GetDestination(), want.GetDestination())
			}
			there = true
			var differs []string
			if is.GetFilter() != want.GetFilter() {
				differs = append(differs, "takes "+filterText(is.GetFilter())+", the rules want "+filterText(want.GetFilter()))
			}
			if is.GetDisabled() {
				differs = append(differs, "is disabled")
			}
			if is.GetIncludeChildren() != want.GetIncludeChildren() {
				differs = append(differs, "does not take what is below its parent")
			}
			for _, e := range is.GetExclusions() {
				if !e.GetDisabled() {
					differs = append(differs, fmt.Sprintf("leaves out %s (exclusion %s)", filterText(e.GetFilter()), e.GetName()))
				}
			}
			if len(differs) > 0 {
				return Change, strings.Join(differs, "; "), nil
			}
			return Exists, "", nil
		},
		make: func(ctx context.Context) error {
			if !there {
				_, err := c.config.CreateSink(ctx, &loggingpb.CreateSinkRequest{Parent: s.Parent, Sink: want, UniqueWriterIdentity: true})
				return err
			}
			_, err := c.config.UpdateSink(ctx, &loggingpb.UpdateSinkRequest{SinkName: s.full(), Sink: want, UniqueWriterIdentity: true,
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"filter", "disabled", "include_children", "exclusions"}}})
			return err
		},
	}
}

// filterText is a filter as far as it fits into a line.
func filterText(filter string) string {
	const most = 120
	text := strings.Join(strings.Fields(filter), " ")
	if text == "" {
		return "everything"
	}
	if runes := []rune(text); len(runes) > most {
		text = fmt.Sprintf("%s... (%d characters)", string(runes[:most]), len(runes))
	}
	return text
}

// publisher lets a sink write to its topic. Who the sink writes as is known once it is there.
func (c *Clients) publisher(s Sink, topic string) item {
	b := binding{"topic", topic, c.topics, "roles/pubsub.publisher", "", "", "roles/pubsub.admin"}
	return item{
		thing: "publisher", name: topic, needs: b.needs,
		look: func(ctx context.Context) (string, string, error) {
			is, err := c.config.GetSink(ctx, &loggingpb.GetSinkRequest{SinkName: s.full()})
			if missing(err) {
				return Later, fmt.Sprintf("roles/pubsub.publisher to the account that the sink %s writes as, which is known once the sink is there", s.full()), nil
			}
			if err != nil {
				return "", "", err
			}
			b.member = is.GetWriterIdentity()
			return c.grant(b).look(ctx)
		},
		make: func(ctx context.Context) error { return c.grant(b).make(ctx) },
	}
}
