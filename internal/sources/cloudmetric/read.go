package cloudmetric

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	monitoring "cloud.google.com/go/monitoring/apiv3/v2"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"google.golang.org/api/iterator"
	metricpb "google.golang.org/genproto/googleapis/api/metric"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/internal/logs"
	"tocsin/internal/sources/google"
)

// reading is the state of one Read.
type reading struct {
	*Source
	client *monitoring.MetricClient
	out    chan<- logs.Batch

	// delay and aligner are as set, or as the metric says; known says that they are there.
	delay   time.Duration
	aligner monitoringpb.Aggregation_Aligner
	known   bool
	// reached is up to where every interval was complete and has been read. again says that what is before it was read by an earlier Read,
	// first, if set, is where reading began that had nothing to go on from.
	reached, first time.Time
	again          bool
	// seen are the points of the overlap that were given, by their ids.
	seen map[string]point
	// watching is since when what comes is seen as it comes.
	watching time.Time

	offset  int64
	passed  int
	told    bool // the receiver knows that it has caught up
	savedAt time.Time
	sight   *google.Sight
}

// point is what is known of a point that was given.
type point struct {
	end   time.Time
	value string
}

// errTooMany says that one reading came to more points than are held.
var errTooMany = errors.New("too many points")

// run reads until ctx ends.
func (r *reading) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		next, err := r.read(ctx, began)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			next = r.fail(ctx, err, began)
		}
		timer.Reset(max(0, time.Until(next)))
	}
}

// read reads the next slice, with the overlap before it, and says when to read again.
func (r *reading) read(ctx context.Context, now time.Time) (time.Time, error) {
	if err := r.learn(ctx); err != nil {
		return now, err
	}
	last := r.grid(now.Add(-r.delay))
	from := r.grid(r.reached.Add(-max(r.settings.Overlap.Std(), r.settings.Period.Std())))
	if from.Before(r.first) {
		from = r.first
	}
	until := last
	if most := r.grid(r.reached.Add(max(slice, r.settings.Period.Std()))); most.Before(until) {
		until = most
	}
	if !until.After(from) { // nothing is complete yet
		return now.Add(r.settings.Every.Std()), r.say(ctx, nil, true)
	}
	points, err := r.list(ctx, from, until)
	if err != nil {
		return now, err
	}
	r.sight.Works()
	r.sight.Speak("", nil)
	fresh := r.sift(points, from)
	if until.After(r.reached) {
		r.reached, r.again = until, false
	}
	if err := r.say(ctx, fresh, until.Equal(last)); err != nil {
		return now, err
	}
	if until.Before(last) {
		return now, nil
	}
	return now.Add(r.settings.Every.Std()), nil
}

// learn asks what kind of metric it is, once, if something of that is not set.
func (r *reading) learn(ctx context.Context) error {
	if r.known {
		return nil
	}
	r.delay, r.aligner = r.settings.Delay.Std(), monitoringpb.Aggregation_Aligner(monitoringpb.Aggregation_Aligner_value[r.settings.Aligner])
	if r.delay == 0 || r.settings.Aligner == "" {
		d, err := r.client.GetMetricDescriptor(ctx, &monitoringpb.GetMetricDescriptorRequest{Name: r.settings.ResourceName + "/metricDescriptors/" + r.settings.metric()})
		if err != nil {
			return err
		}
		if r.delay == 0 {
			r.delay = cmp.Or(d.GetMetadata().GetIngestDelay().AsDuration(), usualDelay)
		}
		if r.settings.Aligner == "" {
			r.aligner = usualAligner(d)
		}
	}
	r.known = true
	r.Log.Info("reads a metric", "source", r.name, "metric", r.settings.metric(), "period", r.settings.Period, "delay", r.delay, "aligner", r.aligner)
	return nil
}

// usualAligner is the aligner for a metric where none is set.
func usualAligner(d *metricpb.MetricDescriptor) monitoringpb.Aggregation_Aligner {
	if d.GetMetricKind() != metricpb.MetricDescriptor_GAUGE {
		return monitoringpb.Aggregation_ALIGN_DELTA
	}
	switch d.GetValueType() {
	case metricpb.MetricDescriptor_INT64, metricpb.MetricDescriptor_DOUBLE, metricpb.MetricDescriptor_MONEY:
		return monitoringpb.Aggregation_ALIGN_MEAN
	}
	return monitoringpb.Aggregation_ALIGN_NEXT_OLDER
}

// list asks for the points of the intervals that ended after from, up to until.
func (r *reading) list(ctx context.Context, from, until time.Time) ([]entry, error) {
	it := r.client.ListTimeSeries(ctx, &monitoringpb.ListTimeSeriesRequest{Name: r.settings.ResourceName, Filter: r.settings.Filter,
		Interval: &monitoringpb.TimeInterval{StartTime: timestamppb.New(from), EndTime: timestamppb.New(until)},
		Aggregation: &monitoringpb.Aggregation{AlignmentPeriod: durationpb.New(r.settings.Period.Std()), PerSeriesAligner: r.aligner,
			CrossSeriesReducer: monitoringpb.Aggregation_Reducer(monitoringpb.Aggregation_Reducer_value[r.settings.Reducer]), GroupByFields: r.settings.GroupBy}})
	var out []entry
	for {
		series, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return nil, err
		}
		key := keyOf(series)
		for _, p := range series.GetPoints() {
			end := p.GetInterval().GetEndTime().AsTime()
			if !end.After(from) || end.After(until) {
				continue
			}
			if len(out) == r.most {
				return nil, fmt.Errorf("%w: more than %d in %s", errTooMany, r.most, until.Sub(from))
			}
			out = append(out, r.entry(series, key, end, p.GetValue()))
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return cmp.Or(a.end.Compare(b.end), cmp.Compare(a.key, b.key)) })
	return out, nil
}

// sift leaves out what was given before with the same value, and forgets what is not read any more.
func (r *reading) sift(points []entry, from time.Time) []entry {
	maps.DeleteFunc(r.seen, func(_ string, p point) bool { return !p.end.After(from) })
	fresh := points[:0]
	for _, e := range points {
		before, ok := r.seen[e.id]
		switch {
		case ok && before.value == e.value:
			r.passed++
			continue
		case ok:
			r.count("revised_point", 1)
		case !e.end.After(r.reached) && !r.again:
			r.count("late_point", 1)
		}
		r.count("point", 1)
		r.seen[e.id] = point{end: e.end, value: e.value}
		fresh = append(fresh, e)
	}
	return fresh
}

// say hands on entries, and with the last batch the cursor.
func (r *reading) say(ctx context.Context, entries []entry, caughtUp bool) error {
	now := time.Now()
	if len(entries) == 0 && r.told == caughtUp && now.Sub(r.savedAt) < cursorEvery {
		return nil
	}
	var b logs.Batch
	for _, e := range entries {
		backlog := e.end.Add(r.delay).Before(r.watching)
		if len(b.Data) > 0 && (backlog != b.Backlog || len(b.Data)+len(e.line) > batchBytes) {
			if err := r.hand(ctx, b); err != nil {
				return err
			}
			b = logs.Batch{}
		}
		b.Backlog = backlog
		b.Data = append(append(b.Data, e.line...), '\n')
	}
	cursor, err := json.Marshal(position{Kind: positionKind, Until: r.reached})
	if err == nil { // it cannot fail; without it the batch would just not move the cursor
		b.Cursor = logs.Cursor(cursor)
	}
	b.CaughtUp, r.savedAt = caughtUp, now
	return r.hand(ctx, b)
}

// hand sends a batch.
func (r *reading) hand(ctx context.Context, b logs.Batch) error {
	b.Source, b.Form, b.Offset, b.Received = r.name, logs.Lines, r.offset, time.Now()
	b.Passed, r.passed = r.passed, 0
	select {
	case r.out <- b:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.offset += int64(len(b.Data))
	r.told = b.CaughtUp
	return nil
}
