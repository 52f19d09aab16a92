package fakes

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/resourcemanager/apiv3/resourcemanagerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// CloudProject is a stand-in of what administers Google Cloud: sinks and exclusions of Cloud Logging, topics and subscriptions of
// Pub/Sub, alert policies of Cloud Monitoring, and IAM policies of projects, folders and organizations, on one gRPC server. It knows
// nothing of entries and messages. Its methods may be called at any time, from any goroutine.
type CloudProject struct {
	server   *grpc.Server
	listener net.Listener

	mu            sync.Mutex
	sinks         map[string]*loggingpb.LogSink
	exclusions    map[string][]*loggingpb.LogExclusion // by parent
	topics        map[string]*pubsubpb.Topic
	subscriptions map[string]*pubsubpb.Subscription
	alerts        map[string]*monitoringpb.AlertPolicy
	iam           map[string]*iampb.Policy
	writes        []string
	refused       map[string]*status.Status
	racing        int
	denied        []string         // permissions
	quotas        map[string]int64 // what is in force, by the metric's last part and the quota's name
}

// NewCloudProject starts a server on a free port of the loopback address.
func NewCloudProject() (*CloudProject, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the stand-in of Google Cloud's administration: %w", err)
	}
	c := &CloudProject{listener: l, sinks: map[string]*loggingpb.LogSink{}, exclusions: map[string][]*loggingpb.LogExclusion{}, topics: map[string]*pubsubpb.Topic{},
		subscriptions: map[string]*pubsubpb.Subscription{}, alerts: map[string]*monitoringpb.AlertPolicy{}, iam: map[string]*iampb.Policy{}, refused: map[string]*status.Status{}}
	c.server = grpc.NewServer(grpc.UnaryInterceptor(c.judge))
	loggingpb.RegisterConfigServiceV2Server(c.server, cloudSinks{c: c})
	pubsubpb.RegisterPublisherServer(c.server, cloudTopics{c: c})
	pubsubpb.RegisterSubscriberServer(c.server, cloudSubscriptions{c: c})
	monitoringpb.RegisterAlertPolicyServiceServer(c.server, cloudAlerts{c: c})
	monitoringpb.RegisterMetricServiceServer(c.server, cloudQuotas{c: c})
	iampb.RegisterIAMPolicyServer(c.server, cloudIAM{c: c})
	resourcemanagerpb.RegisterProjectsServer(c.server, cloudProjects{policies: cloudIAM{c: c}})
	resourcemanagerpb.RegisterFoldersServer(c.server, cloudFolders{policies: cloudIAM{c: c}})
	resourcemanagerpb.RegisterOrganizationsServer(c.server, cloudOrganizations{policies: cloudIAM{c: c}})
	go func() { _ = c.server.Serve(l) }() // it ends with Close
	return c, nil
}

// Addr is the server's host:port.
func (c *CloudProject) Addr() string { return c.listener.Addr().String() }

// Close ends the server and every call to it.
func (c *CloudProject) Close() { c.server.Stop() }

// Refuse makes every call of a method (CreateTopic) fail from now on; codes.OK takes that back.
func (c *CloudProject) Refuse(method string, code codes.Code, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused[method] = status.New(code, message); code == codes.OK {
		delete(c.refused, method)
	}
}

// Race makes somebody else change the IAM policy before each of the next n writes.
func (c *CloudProject) Race(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.racing = n
}

// Writes are the calls that changed something, in order, as METHOD NAME.
func (c *CloudProject) Writes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.writes)
}

// Bind adds members to a role on a resource, as somebody else would.
func (c *CloudProject) Bind(resource, role string, members ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.policy(resource)
	p.Bindings = append(p.Bindings, &iampb.Binding{Role: role, Members: members})
	c.iam[resource] = p
}

// Policy is the IAM policy of a resource, as lines "ROLE MEMBER[ if CONDITION]", sorted.
func (c *CloudProject) Policy(resource string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, b := range c.policy(resource).GetBindings() {
		for _, m := range b.GetMembers() {
			line := b.GetRole() + " " + m
			if e := b.GetCondition().GetExpression(); e != "" {
				line += " if " + e
			}
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

// Deny takes permissions from whoever asks.
func (c *CloudProject) Deny(permissions ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denied = append(c.denied, permissions...)
}

// Quota says how much of a quota of Cloud Logging (logging.googleapis.com/read_requests) one minute has used, and its limit.
func (c *CloudProject) Quota(name string, used, limit int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quotas = map[string]int64{"net_usage " + name: used, "limit " + name: limit}
}

// Exclude adds an exclusion to a parent (projects/P), as somebody else would.
func (c *CloudProject) Exclude(parent, name, filter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exclusions[parent] = append(c.exclusions[parent], &loggingpb.LogExclusion{Name: name, Filter: filter})
}

// Sink is a sink by its full name, nil if there is none. Edit, if given, changes it first.
func (c *CloudProject) Sink(name string, edit ...func(*loggingpb.LogSink)) *loggingpb.LogSink {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range edit {
		f(c.sinks[name])
	}
	return proto.CloneOf(c.sinks[name])
}

// Subscription is a subscription by its full name, nil if there is none. Edit, if given, changes it first.
func (c *CloudProject) Subscription(name string, edit ...func(*pubsubpb.Subscription)) *pubsubpb.Subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range edit {
		f(c.subscriptions[name])
	}
	return proto.CloneOf(c.subscriptions[name])
}

// Alerts are the alert policies. Edit, if given, changes each first.
func (c *CloudProject) Alerts(edit ...func(*monitoringpb.AlertPolicy)) []*monitoringpb.AlertPolicy {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*monitoringpb.AlertPolicy
	for _, name := range slices.Sorted(maps.Keys(c.alerts)) {
		for _, f := range edit {
			f(c.alerts[name])
		}
		out = append(out, proto.CloneOf(c.alerts[name]))
	}
	return out
}

// judge refuses what was told to be refused.
func (c *CloudProject) judge(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	method := info.FullMethod[strings.LastIndex(info.FullMethod, "/")+1:]
	c.mu.Lock()
	refused := c.refused[method]
	c.mu.Unlock()
	if refused != nil {
		return nil, refused.Err()
	}
	return handle(ctx, req)
}

// wrote notes a change. The lock is held.
func (c *CloudProject) wrote(method, name string) { c.writes = append(c.writes, method+" "+name) }

// policy is a resource's, with an etag for each state of it. The lock is held.
func (c *CloudProject) policy(resource string) *iampb.Policy {
	p := proto.CloneOf(c.iam[resource])
	if p == nil {
		p = &iampb.Policy{}
	}
	p.Etag = fmt.Appendf(nil, "%d-%d", len(c.writes), proto.Size(c.iam[resource]))
	return p
}

func notFound(name string) error {
	return status.Errorf(codes.NotFound, "Resource not found (resource=%s).", name)
}

func alreadyThere(name string) error {
	return status.Errorf(codes.AlreadyExists, "Resource already exists (resource=%s).", name)
}

// cloudSinks is the sinks' service.
type cloudSinks struct {
	loggingpb.UnimplementedConfigServiceV2Server
	c *CloudProject
}

func (s cloudSinks) GetSink(_ context.Context, req *loggingpb.GetSinkRequest) (*loggingpb.LogSink, error) {
	if sink := s.c.Sink(req.GetSinkName()); sink != nil {
		return sink, nil
	}
	return nil, notFound(req.GetSinkName())
}

func (s cloudSinks) CreateSink(_ context.Context, req *loggingpb.CreateSinkRequest) (*loggingpb.LogSink, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	name := req.GetParent() + "/sinks/" + req.GetSink().GetName()
	if s.c.sinks[name] != nil {
		return nil, alreadyThere(name)
	}
	sink := proto.CloneOf(req.GetSink())
	sink.WriterIdentity = "serviceAccount:service-" + strings.ReplaceAll(req.GetParent(), "/", "-") + "@gcp-sa-logging.iam.gserviceaccount.com"
	s.c.sinks[name] = sink
	s.c.wrote("CreateSink", name)
	return sink, nil
}

func (s cloudSinks) UpdateSink(_ context.Context, req *loggingpb.UpdateSinkRequest) (*loggingpb.LogSink, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	is := s.c.sinks[req.GetSinkName()]
	if is == nil {
		return nil, notFound(req.GetSinkName())
	}
	masked(is, req.GetSink(), req.GetUpdateMask().GetPaths())
	s.c.wrote("UpdateSink", req.GetSinkName())
	return is, nil
}

func (s cloudSinks) ListExclusions(_ context.Context, req *loggingpb.ListExclusionsRequest) (*loggingpb.ListExclusionsResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return &loggingpb.ListExclusionsResponse{Exclusions: s.c.exclusions[req.GetParent()]}, nil
}

// masked sets the fields of a mask, and clears those that are not set in from.
func masked(into, from proto.Message, paths []string) {
	to, is := into.ProtoReflect(), from.ProtoReflect()
	fields := to.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !slices.Contains(paths, string(f.Name())) {
			continue
		}
		if to.Clear(f); is.Has(f) {
			to.Set(f, is.Get(f))
		}
	}
}

// cloudTopics is the topics' service.
type cloudTopics struct {
	pubsubpb.UnimplementedPublisherServer
	c *CloudProject
}

func (s cloudTopics) GetTopic(_ context.Context, req *pubsubpb.GetTopicRequest) (*pubsubpb.Topic, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if t := s.c.topics[req.GetTopic()]; t != nil {
		return t, nil
	}
	return nil, notFound(req.GetTopic())
}

func (s cloudTopics) CreateTopic(_ context.Context, t *pubsubpb.Topic) (*pubsubpb.Topic, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.c.topics[t.GetName()] != nil {
		return nil, alreadyThere(t.GetName())
	}
	s.c.topics[t.GetName()] = t
	s.c.wrote("CreateTopic", t.GetName())
	return t, nil
}

// cloudSubscriptions is the subscriptions' service.
type cloudSubscriptions struct {
	pubsubpb.UnimplementedSubscriberServer
	c *CloudProject
}

func (s cloudSubscriptions) GetSubscription(_ context.Context, req *pubsubpb.GetSubscriptionRequest) (*pubsubpb.Subscription, error) {
	if sub := s.c.Subscription(req.GetSubscription()); sub != nil {
		return sub, nil
	}
	return nil, notFound(req.GetSubscription())
}

func (s cloudSubscriptions) CreateSubscription(_ context.Context, sub *pubsubpb.Subscription) (*pubsubpb.Subscription, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	switch {
	case s.c.topics[sub.GetTopic()] == nil:
		return nil, notFound(sub.GetTopic())
	case s.c.subscriptions[sub.GetName()] != nil:
		return nil, alreadyThere(sub.GetName())
	}
	s.c.subscriptions[sub.GetName()] = sub
	s.c.wrote("CreateSubscription", sub.GetName())
	return sub, nil
}

func (s cloudSubscriptions) UpdateSubscription(_ context.Context, req *pubsubpb.UpdateSubscriptionRequest) (*pubsubpb.Subscription, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	name := req.GetSubscription().GetName()
	is := s.c.subscriptions[name]
	if is == nil {
		return nil, notFound(name)
	}
	masked(is, req.GetSubscription(), req.GetUpdateMask().GetPaths())
	s.c.wrote("UpdateSubscription", name)
	return is, nil
}

// cloudAlerts is the alert policies' service.
type cloudAlerts struct {
	monitoringpb.UnimplementedAlertPolicyServiceServer
	c *CloudProject
}

func (s cloudAlerts) ListAlertPolicies(_ context.Context, req *monitoringpb.ListAlertPoliciesRequest) (*monitoringpb.ListAlertPoliciesResponse, error) {
	answer := &monitoringpb.ListAlertPoliciesResponse{}
	for _, p := range s.c.Alerts() {
		if strings.HasPrefix(p.GetName(), req.GetName()+"/") {
			answer.AlertPolicies = append(answer.AlertPolicies, p)
		}
	}
	return answer, nil
}

func (s cloudAlerts) CreateAlertPolicy(_ context.Context, req *monitoringpb.CreateAlertPolicyRequest) (*monitoringpb.AlertPolicy, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	p := proto.CloneOf(req.GetAlertPolicy())
	p.Name = fmt.Sprintf("%s/alertPolicies/%d", req.GetName(), len(s.c.alerts)+1)
	s.c.alerts[p.Name] = p
	s.c.wrote("CreateAlertPolicy", p.Name)
	return p, nil
}

func (s cloudAlerts) UpdateAlertPolicy(_ context.Context, req *monitoringpb.UpdateAlertPolicyRequest) (*monitoringpb.AlertPolicy, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	name := req.GetAlertPolicy().GetName()
	is := s.c.alerts[name]
	if is == nil {
		return nil, notFound(name)
	}
	masked(is, req.GetAlertPolicy(), req.GetUpdateMask().GetPaths())
	s.c.wrote("UpdateAlertPolicy", name)
	return is, nil
}
