package fakes

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	metricpb "google.golang.org/genproto/googleapis/api/metric"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// CloudMonitoring is a stand-in of Cloud Monitoring's time series: a gRPC server that keeps the points that were added, or written to it,
// and lists them by filter, aligned and reduced. Of a filter it knows comparisons of metric.type, resource.type and labels with = and !=,
// joined by AND or nothing. Its methods may be called at any time, from any goroutine.
type CloudMonitoring struct {
	monitoringpb.UnimplementedMetricServiceServer

	server   *grpc.Server
	listener net.Listener

	mu          sync.Mutex
	descriptors map[string]*metricpb.MetricDescriptor
	series      []*keptSeries
	byKey       map[string]*keptSeries
	failures    []*status.Status
	refused     map[string]*status.Status
	requests    []*monitoringpb.ListTimeSeriesRequest
	written     []*monitoringpb.TimeSeries
}

// keptSeries is one time series of a project.
type keptSeries struct {
	name   string // projects/P
	about  *monitoringpb.TimeSeries
	points []keptPoint // by end
}

// keptPoint is a point and from when on it can be read.
type keptPoint struct {
	*monitoringpb.Point
	visible time.Time
}

func (p keptPoint) end() time.Time { return p.GetInterval().GetEndTime().AsTime() }

// NewCloudMonitoring starts a server on a free port of the loopback address.
func NewCloudMonitoring() (*CloudMonitoring, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the stand-in of Cloud Monitoring: %w", err)
	}
	return ServeCloudMonitoring(l), nil
}

// ServeCloudMonitoring starts a server on l, which it closes in the end.
func ServeCloudMonitoring(l net.Listener) *CloudMonitoring {
	c := &CloudMonitoring{server: grpc.NewServer(), listener: l, descriptors: map[string]*metricpb.MetricDescriptor{}, refused: map[string]*status.Status{},
		byKey: map[string]*keptSeries{}}
	monitoringpb.RegisterMetricServiceServer(c.server, c)
	go func() { _ = c.server.Serve(l) }() // it ends with Close
	return c
}

// Addr is the server's host:port, for the setting endpoint.
func (c *CloudMonitoring) Addr() string { return c.listener.Addr().String() }

// Close ends the server and every call to it.
func (c *CloudMonitoring) Close() { c.server.Stop() }

// Describe makes metrics known. Only a metric that is known can be asked for.
func (c *CloudMonitoring) Describe(descriptors ...*metricpb.MetricDescriptor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range descriptors {
		c.descriptors[d.GetType()] = proto.CloneOf(d)
	}
}

// Add adds the points of a series of a resource (projects/P), which can be read from visible on; the zero time is always.
func (c *CloudMonitoring) Add(name string, series *monitoringpb.TimeSeries, visible time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.kept(name, series)
	for _, p := range series.GetPoints() {
		kept.points = append(kept.points, keptPoint{proto.CloneOf(p), visible})
	}
	slices.SortStableFunc(kept.points, func(a, b keptPoint) int { return a.end().Compare(b.end()) })
}

// kept is the series that is kept, made if need be. The lock is held.
func (c *CloudMonitoring) kept(name string, series *monitoringpb.TimeSeries) *keptSeries {
	key := fmt.Sprint(name, series.GetMetric().GetType(), series.GetMetric().GetLabels(), series.GetResource().GetType(), series.GetResource().GetLabels())
	if s := c.byKey[key]; s != nil {
		return s
	}
	s := &keptSeries{name: name, about: &monitoringpb.TimeSeries{Metric: proto.CloneOf(series.GetMetric()), Resource: proto.CloneOf(series.GetResource())}}
	c.series, c.byKey[key] = append(c.series, s), s
	return s
}

// Fail makes the next n calls that read fail with that code and message.
func (c *CloudMonitoring) Fail(n int, code codes.Code, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		c.failures = append(c.failures, status.New(code, message))
	}
}

// Recover forgets the failures that are yet to come.
func (c *CloudMonitoring) Recover() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = nil
}

// Refuse makes every writing call fail from now on; codes.OK takes that back.
func (c *CloudMonitoring) Refuse(code codes.Code, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused["write"] = status.New(code, message); code == codes.OK {
		delete(c.refused, "write")
	}
}

// Requests are the lists that were asked for, failed ones too.
func (c *CloudMonitoring) Requests() []*monitoringpb.ListTimeSeriesRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

// Written are the series that were written, each with its one point, in order.
func (c *CloudMonitoring) Written() []*monitoringpb.TimeSeries {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.written)
}

// failing is the next failure; nil if none is to come. The lock is held.
func (c *CloudMonitoring) failing() error {
	if len(c.failures) == 0 {
		return nil
	}
	s := c.failures[0]
	c.failures = c.failures[1:]
	return s.Err()
}

// GetMetricDescriptor answers as the service does.
func (c *CloudMonitoring) GetMetricDescriptor(_ context.Context, req *monitoringpb.GetMetricDescriptorRequest) (*metricpb.MetricDescriptor, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failing(); err != nil {
		return nil, err
	}
	_, metric, _ := strings.Cut(req.GetName(), "/metricDescriptors/")
	if d := c.descriptors[metric]; d != nil {
		return proto.CloneOf(d), nil
	}
	return nil, noMetric(metric)
}

func noMetric(metric string) error {
	return status.Errorf(codes.NotFound, "Cannot find metric(s) that match type = %q. If a metric was created recently, it could take up to 10 minutes to become available. Please try again soon.", metric)
}

// ListTimeSeries answers as the service does.
func (c *CloudMonitoring) ListTimeSeries(_ context.Context, req *monitoringpb.ListTimeSeriesRequest) (*monitoringpb.ListTimeSeriesResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, proto.CloneOf(req))
	if err := c.failing(); err != nil {
		return nil, err
	}
	terms, err := metricTerms(req.GetFilter())
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "Field filter had an invalid value of %q: %v", req.GetFilter(), err)
	}
	metric := metricOf(terms)
	d := c.descriptors[metric]
	switch {
	case metric == "":
		return nil, status.Errorf(codes.InvalidArgument, "Field filter had an invalid value of %q: must specify a restriction on \"metric.type\" in the filter; see \"https://cloud.google.com/monitoring/api/resources\" for a list of available metric types.", req.GetFilter())
	case d == nil:
		return nil, noMetric(metric)
	}
	q, err := newQuery(d, req)
	if err != nil {
		return nil, err
	}
	var found []*monitoringpb.TimeSeries
	now := time.Now()
	for _, s := range c.series {
		if s.name == req.GetName() && wantsSeries(terms, s.about) {
			if out := q.align(s, now); len(out.GetPoints()) > 0 {
				found = append(found, out)
			}
		}
	}
	return metricPage(req, q.reduce(found))
}

// metricPage cuts a page of whole series; the token is the number of the next.
func metricPage(req *monitoringpb.ListTimeSeriesRequest, found []*monitoringpb.TimeSeries) (*monitoringpb.ListTimeSeriesResponse, error) {
	size := int(req.GetPageSize())
	if size == 0 {
		size = 100_000
	}
	from := 0
	if token := req.GetPageToken(); token != "" {
		var err error
		if from, err = strconv.Atoi(token); err != nil || from > len(found) {
			return nil, status.Errorf(codes.InvalidArgument, "Field pageToken had an invalid value of %q", token)
		}
	}
	answer := &monitoringpb.ListTimeSeriesResponse{}
	points, i := 0, from
	for ; i < len(found) && (points == 0 || points+len(found[i].GetPoints()) <= size); i++ {
		answer.TimeSeries = append(answer.TimeSeries, found[i])
		points += len(found[i].GetPoints())
	}
	if i < len(found) {
		answer.NextPageToken = strconv.Itoa(i)
	}
	return answer, nil
}

// leastApart is how far apart two points of a series that is written must be.
const leastApart = 5 * time.Second

// CreateTimeSeries keeps points of custom metrics, as the service does: one a series, in order, and not too often.
func (c *CloudMonitoring) CreateTimeSeries(_ context.Context, req *monitoringpb.CreateTimeSeriesRequest) (*emptypb.Empty, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.refused["write"]; s != nil {
		return nil, s.Err()
	}
	if n := len(req.GetTimeSeries()); n == 0 || n > 200 {
		return nil, status.Errorf(codes.InvalidArgument, "Field timeSeries had an invalid value: %d series, must be 1 to 200", n)
	}
	for i, s := range req.GetTimeSeries() {
		wrong := func(format string, args ...any) error {
			return status.Errorf(codes.InvalidArgument, "Field timeSeries[%d] had an invalid value: %s", i, fmt.Sprintf(format, args...))
		}
		if !strings.HasPrefix(s.GetMetric().GetType(), "custom.googleapis.com/") || s.GetResource().GetType() == "" || len(s.GetPoints()) != 1 {
			return nil, wrong("a custom metric, a resource and one point are needed")
		}
		kept, p := c.kept(req.GetName(), s), keptPoint{Point: proto.CloneOf(s.GetPoints()[0])}
		if n := len(kept.points); n > 0 && p.end().Before(kept.points[n-1].end().Add(leastApart)) {
			return nil, wrong("One or more points were written more frequently than the maximum sampling period configured for the metric.")
		}
		if p.end().After(time.Now().Add(5*time.Minute)) || p.end().Before(time.Now().Add(-25*time.Hour)) {
			return nil, wrong("Data points cannot be written more than 25h4m0s in the past, or 5m in the future")
		}
		kept.points = append(kept.points, p)
		c.written = append(c.written, proto.CloneOf(s))
		if metric := s.GetMetric().GetType(); c.descriptors[metric] == nil {
			c.descriptors[metric] = &metricpb.MetricDescriptor{Type: metric, MetricKind: metricpb.MetricDescriptor_GAUGE, ValueType: valueType(p.GetValue())}
		}
	}
	return &emptypb.Empty{}, nil
}

// valueType is that of a value.
func valueType(v *monitoringpb.TypedValue) metricpb.MetricDescriptor_ValueType {
	switch v.GetValue().(type) {
	case *monitoringpb.TypedValue_BoolValue:
		return metricpb.MetricDescriptor_BOOL
	case *monitoringpb.TypedValue_Int64Value:
		return metricpb.MetricDescriptor_INT64
	case *monitoringpb.TypedValue_StringValue:
		return metricpb.MetricDescriptor_STRING
	case *monitoringpb.TypedValue_DistributionValue:
		return metricpb.MetricDescriptor_DISTRIBUTION
	}
	return metricpb.MetricDescriptor_DOUBLE
}

// Series is a time series out of what is convenient to write: a metric with its labels and a resource with its, as "TYPE {JSON}".
func Series(metric, resource string, points ...*monitoringpb.Point) *monitoringpb.TimeSeries {
	s := &monitoringpb.TimeSeries{Metric: &metricpb.Metric{}, Resource: newResource(), Points: points}
	s.Metric.Type, s.Metric.Labels = typeAndLabels(metric)
	s.Resource.Type, s.Resource.Labels = typeAndLabels(resource)
	return s
}

func typeAndLabels(text string) (string, map[string]string) {
	name, object, ok := strings.Cut(text, " ")
	if !ok {
		return name, nil
	}
	var labels map[string]string
	if err := json.Unmarshal([]byte(object), &labels); err != nil {
		panic(fmt.Sprintf("%q: %v", text, err)) // a slip of whoever wrote the test
	}
	return name, labels
}
