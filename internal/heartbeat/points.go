package heartbeat

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	monitoring "cloud.google.com/go/monitoring/apiv3/v2"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"google.golang.org/api/option"
	metricpb "google.golang.org/genproto/googleapis/api/metric"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/internal/setting"
	"tocsin/internal/sources/google"
	"tocsin/internal/store"
)

// PointsSettings say where tocsin's own metrics are written.
type PointsSettings struct {
	// Project is the project in Cloud Monitoring; the configuration's if left out.
	Project string `yaml:"project"`
	// Every is the time from one writing to the next, 1m if left out.
	Every setting.Duration `yaml:"every"`
	// Endpoint is written to instead of monitoring.googleapis.com, as host:port.
	Endpoint string `yaml:"endpoint"`
}

// PointsDefaults are the settings with what holds where nothing is said.
func PointsDefaults() PointsSettings { return PointsSettings{Every: setting.Duration(time.Minute)} }

// Validate says everything that is wrong with the settings.
func (s *PointsSettings) Validate() []setting.FieldError {
	var errs []setting.FieldError
	if s.Project != "" && !projectID.MatchString(s.Project) {
		errs = append(errs, setting.FieldError{Path: "project", Text: fmt.Sprintf("%q is no project: write its id, such as k8s-infra-prow", s.Project)})
	}
	if s.Every.Std() < 10*time.Second || s.Every.Std() > time.Minute {
		errs = append(errs, setting.FieldError{Path: "every", Text: fmt.Sprintf("%s is not between 10s and 1m: the alert policy on tocsin's silence waits three minutes", s.Every)})
	}
	return append(errs, google.CheckEndpoint(s.Endpoint)...)
}

const (
	// PointsPrefix begins the types of the metrics, PointsResource is the type of their resource.
	PointsPrefix, PointsResource = "custom.googleapis.com/tocsin/", "generic_task"
	// PointsUnwritten is the kind of the trouble that they cannot be written.
	PointsUnwritten = "metrics_unwritten"
	// mostSeries is what the API takes in a call.
	mostSeries = 200
)

// Point is one value of one of tocsin's own metrics.
type Point struct {
	// Metric is its name behind PointsPrefix.
	Metric string
	Labels map[string]string
	Value  float64
}

// PointsOptions are what Points are made of beside their store.
type PointsOptions struct {
	Settings PointsSettings
	// Namespace and Task are of the resource: what is watched, and which process it is.
	Namespace, Task string
	// Values are what is to be written; none while nothing is to be heard of tocsin.
	Values func(now time.Time) []Point
	// Client are the options of the client.
	Client []option.ClientOption
	Log    *slog.Logger
}

// Points writes tocsin's own metrics to Cloud Monitoring now and then.
type Points struct {
	store    *store.Store
	o        PointsOptions
	client   *monitoring.MetricClient // nil before the first writing
	due      time.Time
	failures int
	reported bool // the trouble may stand: one before this process may have left it
}

// NewPoints makes them; no connection is made before the first writing.
func NewPoints(s *store.Store, o PointsOptions) *Points {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Points{store: s, o: o, reported: true}
}

// Close ends the connection. They must not be stepped any more.
func (p *Points) Close() {
	if p.client != nil {
		_ = p.client.Close() // each writing was waited for
	}
}

// Step writes, if it is time. That it cannot be written is a trouble of tocsin's own, and no error of the step: that is the store's.
func (p *Points) Step(ctx context.Context, now time.Time) (next time.Time, err error) {
	every := p.o.Settings.Every.Std()
	if now.Before(p.due) && p.due.Sub(now) <= every { // further off: a clock was set back
		return p.due, nil
	}
	values := p.o.Values(now)
	if len(values) == 0 {
		return now.Add(lookEvery), nil
	}
	failure := p.write(ctx, now, values)
	t := store.Trouble{Kind: PointsUnwritten, At: now, Severity: "WARNING"}
	var report bool
	if failure == nil {
		p.failures, p.due = 0, now.Add(every)
		t.Over, t.Severity, t.Text, report = true, "", "they can be written again", p.reported
	} else {
		p.failures, p.due = p.failures+1, now.Add(every/4)
		text, lasting := p.explain(failure)
		t.Text, report = text, lasting || p.failures >= failuresTold
		p.o.Log.Warn("tocsin's own metrics cannot be written", "error", failure)
	}
	if !report || stopped(ctx) {
		return p.due, nil
	}
	if err := p.store.Update(ctx, func(tx *store.Tx) error { return tx.Report(ctx, t) }); err != nil {
		return p.due, fmt.Errorf("report what became of tocsin's own metrics: %w", err)
	}
	p.reported = !t.Over
	return p.due, nil
}

// write writes one point of each series.
func (p *Points) write(ctx context.Context, now time.Time, values []Point) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if p.client == nil {
		client, err := monitoring.NewMetricClient(context.WithoutCancel(ctx), p.o.Client...)
		if err != nil {
			return fmt.Errorf("open Cloud Monitoring client: %w", google.Explain(err))
		}
		p.client = client
	}
	resource := &monitoredres.MonitoredResource{Type: PointsResource, Labels: map[string]string{"project_id": p.o.Settings.Project, "location": "global",
		"namespace": p.o.Namespace, "job": "tocsin", "task_id": p.o.Task}}
	var series []*monitoringpb.TimeSeries
	for _, v := range values {
		series = append(series, &monitoringpb.TimeSeries{Metric: &metricpb.Metric{Type: PointsPrefix + v.Metric, Labels: v.Labels}, Resource: resource,
			Points: []*monitoringpb.Point{{Interval: &monitoringpb.TimeInterval{EndTime: timestamppb.New(now)},
				Value: &monitoringpb.TypedValue{Value: &monitoringpb.TypedValue_DoubleValue{DoubleValue: v.Value}}}}})
	}
	slices.SortFunc(series, func(a, b *monitoringpb.TimeSeries) int { return strings.Compare(seriesName(a), seriesName(b)) })
	for some := range slices.Chunk(series, mostSeries) {
		if err := p.client.CreateTimeSeries(ctx, &monitoringpb.CreateTimeSeriesRequest{Name: "projects/" + p.o.Settings.Project, TimeSeries: some}); err != nil {
			return err
		}
	}
	return nil
}

func seriesName(s *monitoringpb.TimeSeries) string {
	name := s.GetMetric().GetType()
	for _, k := range slices.Sorted(maps.Keys(s.GetMetric().GetLabels())) {
		name += " " + k + "=" + s.GetMetric().GetLabels()[k]
	}
	return name
}

// explain words an error of write with its mend, and says whether it lasts until somebody does something.
func (p *Points) explain(err error) (text string, lasting bool) {
	where := "write to projects/" + p.o.Settings.Project + ": "
	switch status.Code(err) {
	case codes.PermissionDenied, codes.Unauthenticated:
		return fmt.Sprintf("%saccess denied, grant roles/monitoring.metricWriter on it to the account that tocsin runs as: %s", where, words(err)), true
	case codes.NotFound, codes.InvalidArgument:
		return fmt.Sprintf("%sit was refused, look at project under own_metrics: %s", where, words(err)), false // a point may come too soon after one of the process before
	case codes.ResourceExhausted:
		return fmt.Sprintf("%sthe quota for writing time series is used up: %s", where, words(err)), false
	case codes.Unavailable, codes.DeadlineExceeded:
		return fmt.Sprintf("%sno answer, look at the way out to monitoring.googleapis.com:443 and at status.cloud.google.com: %s", where, words(err)), false
	}
	return where + words(err), false
}

// stopped says that tocsin ends: what failed then says nothing.
func stopped(ctx context.Context) bool { return ctx.Err() != nil }
