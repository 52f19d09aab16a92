package cloudsetup

import (
	"cmp"
	"context"
	"fmt"

	"cloud.google.com/go/iam/apiv1/iampb"
	logging "cloud.google.com/go/logging/apiv2"
	monitoring "cloud.google.com/go/monitoring/apiv3/v2"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	resourcemanager "cloud.google.com/go/resourcemanager/apiv3"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"

	"tocsin/internal/sources/google"
)

// Clients speak to Google's APIs as whoever runs the command (application default credentials).
type Clients struct {
	config        *logging.ConfigClient
	topics        *pubsub.TopicAdminClient
	subscriptions *pubsub.SubscriptionAdminClient
	policies      *monitoring.AlertPolicyClient
	metrics       *monitoring.MetricClient
	projects      *resourcemanager.ProjectsClient
	folders       *resourcemanager.FoldersClient
	organizations *resourcemanager.OrganizationsClient
	close         []func() error
}

// policyHolder is what the clients of all that has an IAM policy have in common.
type policyHolder interface {
	GetIamPolicy(ctx context.Context, req *iampb.GetIamPolicyRequest, opts ...gax.CallOption) (*iampb.Policy, error)
	SetIamPolicy(ctx context.Context, req *iampb.SetIamPolicyRequest, opts ...gax.CallOption) (*iampb.Policy, error)
}

// Dial makes the clients; no connection is made before the first call. An endpoint (host:port) is asked instead of Google, without
// credentials: it is taken for a stand-in on this machine.
func Dial(ctx context.Context, endpoint string) (*Clients, error) {
	c, o := &Clients{}, google.Options(endpoint, nil)
	if err := cmp.Or( // what one cannot, none can: it is said once
		open(ctx, c, &c.config, logging.NewConfigClient, o),
		open(ctx, c, &c.topics, pubsub.NewTopicAdminClient, o),
		open(ctx, c, &c.subscriptions, pubsub.NewSubscriptionAdminClient, o),
		open(ctx, c, &c.policies, monitoring.NewAlertPolicyClient, o),
		open(ctx, c, &c.metrics, monitoring.NewMetricClient, o),
		open(ctx, c, &c.projects, resourcemanager.NewProjectsClient, o),
		open(ctx, c, &c.folders, resourcemanager.NewFoldersClient, o),
		open(ctx, c, &c.organizations, resourcemanager.NewOrganizationsClient, o),
	); err != nil {
		c.Close()
		return nil, fmt.Errorf("sign in at Google Cloud (gcloud auth application-default login; in a cluster Workload Identity, see deploy/README.md): %w", err)
	}
	return c, nil
}

// open makes one client and notes that it is to be closed.
func open[C interface{ Close() error }](ctx context.Context, c *Clients, into *C, dial func(context.Context, ...option.ClientOption) (C, error), o []option.ClientOption) error {
	client, err := dial(ctx, o...)
	if err != nil {
		return err
	}
	*into = client
	c.close = append(c.close, client.Close)
	return nil
}

// Close ends the connections.
func (c *Clients) Close() {
	for _, f := range c.close {
		_ = f() // nothing is written through them any more
	}
}
