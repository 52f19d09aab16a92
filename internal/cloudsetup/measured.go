package cloudsetup

import (
	"context"
	"errors"
	"slices"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	monitoring "cloud.google.com/go/monitoring/apiv3/v2"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/internal/setting"
	"tocsin/internal/sources/google"
)

// Measuring is a source that reads time series, as far as an examination asks.
type Measuring struct {
	// Resource is whose: projects/P, folders/N or organizations/N.
	Resource string
	Filter   string
	// Endpoint is where it reads, if not at Google; see Dial.
	Endpoint string
}

// ExamineMeasuring says what keeps a source of kind cloud_monitoring from working. The findings' About is left to the caller.
func ExamineMeasuring(ctx context.Context, m Measuring, now time.Time) []setting.Finding {
	client, err := monitoring.NewMetricClient(ctx, google.Options(m.Endpoint, nil)...)
	if err != nil {
		return []setting.Finding{{Level: setting.Broken, Text: "no client of Cloud Monitoring can be made: " + err.Error(), Mend: "gcloud auth application-default login"}}
	}
	defer client.Close()                    //nolint:errcheck // nothing is written through it
	client.CallOptions.ListTimeSeries = nil // no retries: what is found is told
	x := &examination{}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err = client.ListTimeSeries(ctx, &monitoringpb.ListTimeSeriesRequest{Name: m.Resource, Filter: m.Filter, View: monitoringpb.ListTimeSeriesRequest_HEADERS, PageSize: 1,
		Interval:    &monitoringpb.TimeInterval{StartTime: timestamppb.New(now.Add(-lately)), EndTime: timestamppb.New(now)},
		Aggregation: &monitoringpb.Aggregation{AlignmentPeriod: durationpb.New(lately), PerSeriesAligner: monitoringpb.Aggregation_ALIGN_COUNT}}).Next()
	switch {
	case errors.Is(err, iterator.Done):
		x.add(setting.Doubtful, "does the filter fit what there is? Metrics Explorer shows it", "%s can be read, and nothing was measured in the last hour that the filter takes: %s", m.Resource, m.Filter)
	case status.Code(err) == codes.PermissionDenied:
		x.add(setting.Broken, "grant roles/monitoring.viewer on "+m.Resource+" to the account that tocsin runs as: tocsin provision --apply --member MEMBER", "the metrics of %s cannot be read: %s", m.Resource, status.Convert(err).Message())
	case status.Code(err) == codes.Unauthenticated:
		x.add(setting.Broken, "gcloud auth application-default login; in a cluster: Workload Identity, see deploy/README.md", "the metrics of %s cannot be read, nobody is signed in: %s", m.Resource, status.Convert(err).Message())
	case status.Code(err) == codes.NotFound, status.Code(err) == codes.InvalidArgument:
		x.add(setting.Broken, "look at filter and resource_name: Metrics Explorer takes the same filter", "Cloud Monitoring refuses the filter: %s", status.Convert(err).Message())
	case err != nil:
		x.add(setting.Broken, "is monitoring.googleapis.com reachable from here, and the API enabled?", "the metrics of %s cannot be read: %s", m.Resource, status.Convert(err).Message())
	default:
		x.add(setting.Fine, "", "the metric can be read from %s", m.Resource)
	}
	return x.found
}

// May says whether this account has a permission on a project (projects/P), and the role that would give it.
func (c *Clients) May(ctx context.Context, project, permission, role string) setting.Finding {
	answer, err := c.projects.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: project, Permissions: []string{permission}})
	switch {
	case err != nil:
		return setting.Finding{Level: setting.Doubtful, Text: "what this account may do in " + project + " cannot be looked at: " + status.Convert(err).Message(),
			Mend: "is cloudresourcemanager.googleapis.com reachable from here, and the API enabled?"}
	case !slices.Contains(answer.GetPermissions(), permission):
		return setting.Finding{Level: setting.Broken, Text: "this account lacks " + permission + " in " + project,
			Mend: "grant " + role + " on it to the account that tocsin runs as: tocsin provision --apply --member MEMBER"}
	}
	return setting.Finding{Level: setting.Fine, Text: "this account has " + permission + " in " + project}
}
