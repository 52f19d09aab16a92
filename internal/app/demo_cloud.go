package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"

	"tocsin/internal/cloudsetup"
	"tocsin/internal/fakes"
)

// cloudStage is a demo's stand-ins of Google's APIs.
type cloudStage struct {
	logging *fakes.CloudLogging
	pubsub  *fakes.CloudPubSub
	metrics *fakes.CloudMonitoring
	project *fakes.CloudProject
}

// newCloudStage starts them; with an error nothing is left.
func newCloudStage() (*cloudStage, error) {
	logging, err := fakes.NewCloudLogging()
	if err != nil {
		return nil, err
	}
	pubsub, err := fakes.NewCloudPubSub("projects/k8s-infra-prow/subscriptions/tocsin")
	if err != nil {
		logging.Close()
		return nil, err
	}
	metrics, err := fakes.NewCloudMonitoring()
	if err != nil {
		logging.Close()
		pubsub.Close()
		return nil, err
	}
	project, err := fakes.NewCloudProject()
	if err != nil {
		logging.Close()
		pubsub.Close()
		metrics.Close()
		return nil, err
	}
	return &cloudStage{logging, pubsub, metrics, project}, nil
}

// provision makes in the stand-in of the project what the demo's configuration needs, as `tocsin provision --apply` does.
func (c *cloudStage) provision(ctx context.Context, config string) error {
	o := Provisioning{Config: config, Name: "tocsin", Channels: []string{"projects/k8s-infra-prow/notificationChannels/1"}}
	steps, err := Provision(ctx, o, c.project.Addr(), true)
	for _, s := range steps {
		if s.Action == cloudsetup.Failed {
			err = errors.Join(err, fmt.Errorf("make %s %s: %s", s.Thing, s.Name, s.Detail))
		}
	}
	return err
}

func (c *cloudStage) close() {
	c.logging.Close()
	c.pubsub.Close()
	c.metrics.Close()
	c.project.Close()
}

// toCloud gives lines to a stand-in of Cloud Logging, whose tail breaks off at every hundredth.
type toCloud struct{ *fakes.CloudLogging }

func (c toCloud) Write(line []byte) (int, error) {
	if err := c.Add(bytes.TrimSpace(line)); err != nil {
		return 0, err
	}
	if c.Added()%100 == 0 {
		c.Break(codes.Unavailable, "broken off, for the demo")
	}
	return len(line), nil
}

// toPubSub gives lines to a stand-in of Pub/Sub, as a sink does; its streams break off at every twentieth.
type toPubSub struct{ *fakes.CloudPubSub }

func (p toPubSub) Write(line []byte) (int, error) {
	p.Publish(bytes.TrimSpace(line))
	if p.Published()%20 == 0 {
		p.Break(codes.Unavailable, "broken off, for the demo")
	}
	return len(line), nil
}

// renamed writes what hook logs as what another component logs.
type renamed struct{ w io.Writer }

func (r renamed) Write(line []byte) (int, error) {
	if _, err := r.w.Write(bytes.ReplaceAll(line, []byte("hook"), []byte("tide"))); err != nil {
		return 0, err
	}
	return len(line), nil
}
