package fakes

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	metricpb "google.golang.org/genproto/googleapis/api/metric"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func newResource() *monitoredres.MonitoredResource { return &monitoredres.MonitoredResource{} }

// Int is a point of a whole number over an interval; with equal ends, of a moment.
func Int(start, end time.Time, n int64) *monitoringpb.Point {
	return &monitoringpb.Point{Interval: interval(start, end), Value: &monitoringpb.TypedValue{Value: &monitoringpb.TypedValue_Int64Value{Int64Value: n}}}
}

// Bool is a point of a moment.
func Bool(at time.Time, b bool) *monitoringpb.Point {
	return &monitoringpb.Point{Interval: interval(at, at), Value: &monitoringpb.TypedValue{Value: &monitoringpb.TypedValue_BoolValue{BoolValue: b}}}
}

func interval(start, end time.Time) *monitoringpb.TimeInterval {
	return &monitoringpb.TimeInterval{StartTime: timestamppb.New(start), EndTime: timestamppb.New(end)}
}

// metricTerm is one comparison of a filter.
type metricTerm struct{ path, op, value string }

var metricTermText = regexp.MustCompile(`^\s*(?:AND\s+)?(metric\.type|resource\.type|(?:metric|resource)\.labels?\.[A-Za-z_]+)\s*(!?=)\s*"([^"]*)"\s*`)

func metricTerms(filter string) ([]metricTerm, error) {
	var out []metricTerm
	for rest := filter; strings.TrimSpace(rest) != ""; {
		m := metricTermText.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("could not parse at %q", rest)
		}
		out = append(out, metricTerm{strings.Replace(m[1], ".label.", ".labels.", 1), m[2], m[3]})
		rest = rest[len(m[0]):]
	}
	return out, nil
}

func metricOf(terms []metricTerm) string {
	for _, t := range terms {
		if t.path == "metric.type" && t.op == "=" {
			return t.value
		}
	}
	return ""
}

// fieldOf is what a path of a filter, or of group_by, leads to.
func fieldOf(s *monitoringpb.TimeSeries, path string) (string, bool) {
	path = strings.Replace(path, ".label.", ".labels.", 1)
	switch {
	case path == "metric.type":
		return s.GetMetric().GetType(), true
	case path == "resource.type":
		return s.GetResource().GetType(), true
	}
	if name, ok := strings.CutPrefix(path, "metric.labels."); ok {
		v, ok := s.GetMetric().GetLabels()[name]
		return v, ok
	}
	v, ok := s.GetResource().GetLabels()[strings.TrimPrefix(path, "resource.labels.")]
	return v, ok
}

func wantsSeries(terms []metricTerm, s *monitoringpb.TimeSeries) bool {
	return !slices.ContainsFunc(terms, func(t metricTerm) bool {
		v, _ := fieldOf(s, t.path)
		return (v == t.value) != (t.op == "=")
	})
}

// query is how series are to be aligned and reduced.
type query struct {
	kind        metricpb.MetricDescriptor_MetricKind
	from, until time.Time
	*monitoringpb.Aggregation
}

// newQuery refuses what the service would.
func newQuery(d *metricpb.MetricDescriptor, req *monitoringpb.ListTimeSeriesRequest) (*query, error) {
	q := &query{kind: d.GetMetricKind(), from: req.GetInterval().GetStartTime().AsTime(), until: req.GetInterval().GetEndTime().AsTime(), Aggregation: req.GetAggregation()}
	gauge := d.GetMetricKind() == metricpb.MetricDescriptor_GAUGE
	wrong := ""
	switch a := q.GetPerSeriesAligner(); {
	case !q.from.Before(q.until):
		wrong = "Field interval.startTime had an invalid value: The start time must be before the end time."
	case a == monitoringpb.Aggregation_ALIGN_COUNT: // of anything
	case a == monitoringpb.Aggregation_ALIGN_NONE:
		wrong = "Field aggregation.perSeriesAligner had an invalid value of \"ALIGN_NONE\": this stand-in only aligns."
	case q.GetAlignmentPeriod().AsDuration() < time.Minute:
		wrong = fmt.Sprintf("Field aggregation.alignmentPeriod had an invalid value of %q: The alignment period must be at least 60 seconds.", q.GetAlignmentPeriod().AsDuration())
	case gauge && (a == monitoringpb.Aggregation_ALIGN_DELTA || a == monitoringpb.Aggregation_ALIGN_RATE), !gauge && (a == monitoringpb.Aggregation_ALIGN_MEAN || a == monitoringpb.Aggregation_ALIGN_NEXT_OLDER || a == monitoringpb.Aggregation_ALIGN_MAX):
		wrong = fmt.Sprintf("Field aggregation.perSeriesAligner had an invalid value of %q: The aligner cannot be applied to metrics with kind %s and value type %s.", a, d.GetMetricKind(), d.GetValueType())
	case !gauge && q.GetCrossSeriesReducer() == monitoringpb.Aggregation_REDUCE_COUNT_TRUE:
		wrong = fmt.Sprintf("Field aggregation.crossSeriesReducer had an invalid value of %q: The reducer cannot be applied to value type %s.", q.GetCrossSeriesReducer(), d.GetValueType())
	}
	if wrong != "" {
		return nil, status.Error(codes.InvalidArgument, wrong)
	}
	return q, nil
}

// align is a series with a point for each whole period, newest first.
func (q *query) align(s *keptSeries, now time.Time) *monitoringpb.TimeSeries {
	out := &monitoringpb.TimeSeries{Metric: s.about.GetMetric(), Resource: s.about.GetResource()}
	period := q.GetAlignmentPeriod().AsDuration()
	for end := q.until; end.After(q.from); end = end.Add(-period) {
		var before, within []keptPoint
		for _, p := range s.points {
			switch at := p.end(); {
			case p.visible.After(now) || at.After(end):
			case at.After(end.Add(-period)):
				within = append(within, p)
			default:
				before = append(before, p)
			}
		}
		if v, ok := q.value(before, within, period); ok {
			out.Points = append(out.Points, &monitoringpb.Point{Interval: interval(end.Add(-period), end), Value: v})
		}
	}
	return out
}

// value is what the points of a period come to; before are the series' earlier ones.
func (q *query) value(before, within []keptPoint, period time.Duration) (*monitoringpb.TypedValue, bool) {
	if len(within) == 0 {
		return nil, false
	}
	last := within[len(within)-1].GetValue()
	sum, most := 0.0, numberOf(within[0].GetValue())
	for _, p := range within {
		sum, most = sum+numberOf(p.GetValue()), max(most, numberOf(p.GetValue()))
	}
	if q.kind == metricpb.MetricDescriptor_CUMULATIVE {
		if sum = numberOf(last); len(before) > 0 {
			first := before[len(before)-1]
			if first.GetInterval().GetStartTime().AsTime().Equal(within[len(within)-1].GetInterval().GetStartTime().AsTime()) { // else it began anew
				sum -= numberOf(first.GetValue())
			}
		}
	}
	switch q.GetPerSeriesAligner() {
	case monitoringpb.Aggregation_ALIGN_DELTA, monitoringpb.Aggregation_ALIGN_SUM:
		return numberLike(last, sum), true
	case monitoringpb.Aggregation_ALIGN_RATE:
		return double(sum / period.Seconds()), true
	case monitoringpb.Aggregation_ALIGN_COUNT:
		return &monitoringpb.TypedValue{Value: &monitoringpb.TypedValue_Int64Value{Int64Value: int64(len(within))}}, true
	case monitoringpb.Aggregation_ALIGN_MEAN:
		return double(sum / float64(len(within))), true
	case monitoringpb.Aggregation_ALIGN_MAX:
		return numberLike(last, most), true
	}
	return proto.CloneOf(last), true
}

func numberOf(v *monitoringpb.TypedValue) float64 {
	if n, ok := v.GetValue().(*monitoringpb.TypedValue_Int64Value); ok {
		return float64(n.Int64Value)
	}
	return v.GetDoubleValue()
}

func double(f float64) *monitoringpb.TypedValue {
	return &monitoringpb.TypedValue{Value: &monitoringpb.TypedValue_DoubleValue{DoubleValue: f}}
}

func numberLike(v *monitoringpb.TypedValue, f float64) *monitoringpb.TypedValue {
	if _, ok := v.GetValue().(*monitoringpb.TypedValue_Int64Value); ok {
		return &monitoringpb.TypedValue{Value: &monitoringpb.TypedValue_Int64Value{Int64Value: int64(f)}}
	}
	return double(f)
}

// reduce puts series together that have the same values of what they are grouped by.
func (q *query) reduce(found []*monitoringpb.TimeSeries) []*monitoringpb.TimeSeries {
	if q.GetCrossSeriesReducer() == monitoringpb.Aggregation_REDUCE_NONE {
		return found
	}
	groups := map[string]*monitoringpb.TimeSeries{}
	values := map[string]map[time.Time][]*monitoringpb.TypedValue{}
	for _, s := range found {
		kept := &monitoringpb.TimeSeries{Metric: &metricpb.Metric{Type: s.GetMetric().GetType(), Labels: map[string]string{}},
			Resource: &monitoredres.MonitoredResource{Type: s.GetResource().GetType(), Labels: map[string]string{}}}
		for _, field := range q.GetGroupByFields() {
			v, ok := fieldOf(s, field)
			name := field[strings.LastIndex(field, ".")+1:]
			switch {
			case ok && strings.HasPrefix(field, "metric.label"):
				kept.Metric.Labels[name] = v
			case ok && strings.HasPrefix(field, "resource.label"):
				kept.Resource.Labels[name] = v
			}
		}
		key := fmt.Sprint(kept.GetMetric().GetLabels(), kept.GetResource().GetType(), kept.GetResource().GetLabels())
		if groups[key] == nil {
			groups[key], values[key] = kept, map[time.Time][]*monitoringpb.TypedValue{}
		}
		for _, p := range s.GetPoints() {
			end := p.GetInterval().GetEndTime().AsTime()
			values[key][end] = append(values[key][end], p.GetValue())
		}
	}
	var out []*monitoringpb.TimeSeries
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		ends := slices.SortedFunc(maps.Keys(values[key]), func(a, b time.Time) int { return cmp.Compare(b.UnixNano(), a.UnixNano()) })
		for _, end := range ends {
			groups[key].Points = append(groups[key].Points, &monitoringpb.Point{Interval: interval(end.Add(-q.GetAlignmentPeriod().AsDuration()), end), Value: q.together(values[key][end])})
		}
		out = append(out, groups[key])
	}
	return out
}

// together is what the values of several series at one time come to.
func (q *query) together(values []*monitoringpb.TypedValue) *monitoringpb.TypedValue {
	sum, most := 0.0, numberOf(values[0])
	for _, v := range values {
		sum, most = sum+numberOf(v), max(most, numberOf(v))
	}
	switch q.GetCrossSeriesReducer() {
	case monitoringpb.Aggregation_REDUCE_MEAN:
		return double(sum / float64(len(values)))
	case monitoringpb.Aggregation_REDUCE_MAX:
		return numberLike(values[0], most)
	case monitoringpb.Aggregation_REDUCE_COUNT:
		return &monitoringpb.TypedValue{Value: &monitoringpb.TypedValue_Int64Value{Int64Value: int64(len(values))}}
	}
	return numberLike(values[0], sum)
}
