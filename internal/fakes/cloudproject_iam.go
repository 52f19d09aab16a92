package fakes

import (
	"context"
	"slices"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"cloud.google.com/go/resourcemanager/apiv3/resourcemanagerpb"
	metricpb "google.golang.org/genproto/googleapis/api/metric"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// cloudIAM is the IAM policies' service of Pub/Sub.
type cloudIAM struct {
	iampb.UnimplementedIAMPolicyServer
	c *CloudProject
}

// GetIamPolicy leaves conditions out for whoever does not say that they know them, as the service does.
func (s cloudIAM) GetIamPolicy(_ context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	name := req.GetResource()
	if strings.Contains(name, "/topics/") && s.c.topics[name] == nil || strings.Contains(name, "/subscriptions/") && s.c.subscriptions[name] == nil {
		return nil, notFound(name)
	}
	p := s.c.policy(name)
	if req.GetOptions().GetRequestedPolicyVersion() < 3 {
		for _, b := range p.GetBindings() {
			b.Condition = nil
		}
	}
	return p, nil
}

func (s cloudIAM) SetIamPolicy(_ context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	name := req.GetResource()
	if s.c.racing > 0 {
		s.c.racing--
		s.c.wrote("somebody else", name)
	}
	if is := s.c.policy(name); string(is.GetEtag()) != string(req.GetPolicy().GetEtag()) {
		return nil, status.Error(codes.Aborted, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.")
	}
	s.c.iam[name] = proto.CloneOf(req.GetPolicy())
	s.c.wrote("SetIamPolicy", name)
	return s.c.policy(name), nil
}

// TestIamPermissions answers with those that were not taken.
func (s cloudIAM) TestIamPermissions(_ context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if name := req.GetResource(); strings.Contains(name, "/subscriptions/") && s.c.subscriptions[name] == nil {
		return nil, notFound(name)
	}
	answer := &iampb.TestIamPermissionsResponse{}
	for _, p := range req.GetPermissions() {
		if !slices.Contains(s.c.denied, p) {
			answer.Permissions = append(answer.Permissions, p)
		}
	}
	return answer, nil
}

// cloudQuotas is the service of time series, of those on quotas.
type cloudQuotas struct {
	monitoringpb.UnimplementedMetricServiceServer
	c *CloudProject
}

func (s cloudQuotas) ListTimeSeries(_ context.Context, req *monitoringpb.ListTimeSeriesRequest) (*monitoringpb.ListTimeSeriesResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	answer := &monitoringpb.ListTimeSeriesResponse{}
	for key, n := range s.c.quotas {
		metric, name, _ := strings.Cut(key, " ")
		if strings.Contains(req.GetFilter(), metric+`"`) {
			answer.TimeSeries = append(answer.TimeSeries, &monitoringpb.TimeSeries{
				Metric: &metricpb.Metric{Type: metric, Labels: map[string]string{"quota_metric": name}},
				Points: []*monitoringpb.Point{{Value: &monitoringpb.TypedValue{Value: &monitoringpb.TypedValue_Int64Value{Int64Value: n}}}}})
		}
	}
	return answer, nil
}

// cloudProjects, cloudFolders and cloudOrganizations are the IAM policies of Resource Manager.
type cloudProjects struct {
	resourcemanagerpb.UnimplementedProjectsServer
	policies cloudIAM
}

func (s cloudProjects) GetIamPolicy(ctx context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return s.policies.GetIamPolicy(ctx, req)
}

func (s cloudProjects) SetIamPolicy(ctx context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	return s.policies.SetIamPolicy(ctx, req)
}

func (s cloudProjects) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	return s.policies.TestIamPermissions(ctx, req)
}

type cloudFolders struct {
	resourcemanagerpb.UnimplementedFoldersServer
	policies cloudIAM
}

func (s cloudFolders) GetIamPolicy(ctx context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return s.policies.GetIamPolicy(ctx, req)
}

func (s cloudFolders) SetIamPolicy(ctx context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	return s.policies.SetIamPolicy(ctx, req)
}

func (s cloudFolders) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	return s.policies.TestIamPermissions(ctx, req)
}

type cloudOrganizations struct {
	resourcemanagerpb.UnimplementedOrganizationsServer
	policies cloudIAM
}

func (s cloudOrganizations) GetIamPolicy(ctx context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return s.policies.GetIamPolicy(ctx, req)
}

func (s cloudOrganizations) SetIamPolicy(ctx context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	return s.policies.SetIamPolicy(ctx, req)
}

func (s cloudOrganizations) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	return s.policies.TestIamPermissions(ctx, req)
}
