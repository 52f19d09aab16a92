package cloudmetric

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"google.golang.org/protobuf/types/known/structpb"

	"tocsin/internal/logs"
)

// entry is a point on its way to be an entry.
type entry struct {
	end  time.Time
	key  string // of its series
	id   string // of its series and interval
	line []byte
	// value is what may change of it.
	value string
}

// keyOf names a series among those of a source.
func keyOf(s *monitoringpb.TimeSeries) string {
	var b strings.Builder
	add := func(name string, labels map[string]string) {
		fmt.Fprintf(&b, "%q", name)
		for _, k := range slices.Sorted(maps.Keys(labels)) {
			fmt.Fprintf(&b, " %q=%q", k, labels[k])
		}
		b.WriteByte('\n')
	}
	add(s.GetMetric().GetType(), s.GetMetric().GetLabels())
	add(s.GetResource().GetType(), s.GetResource().GetLabels())
	add("", s.GetMetadata().GetUserLabels())
	for _, k := range slices.Sorted(maps.Keys(s.GetMetadata().GetSystemLabels().GetFields())) {
		fmt.Fprintf(&b, " %q=%v", k, plainOf(s.GetMetadata().GetSystemLabels().GetFields()[k]).Text())
	}
	return b.String()
}

// entry writes a point as a LogEntry, in the form that docs/configuration.md promises to rules.
func (s *Source) entry(series *monitoringpb.TimeSeries, key string, end time.Time, value *monitoringpb.TypedValue) entry {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", s.name, key, end.UnixNano()))
	e := entry{end: end, key: key, id: hex.EncodeToString(sum[:10])}
	payload := []logs.Member{
		{Name: "metric", Value: text(series.GetMetric().GetType())},
		{Name: "labels", Value: labels(series.GetMetric().GetLabels())},
	}
	measured := measure(value)
	for _, m := range measured {
		e.value += m.Name + "=" + m.Value.Text() + " "
	}
	payload = append(payload, measured...)
	if series.GetUnit() != "" {
		payload = append(payload, logs.Member{Name: "unit", Value: text(series.GetUnit())})
	}
	payload = append(payload, logs.Member{Name: "start", Value: stamp(end.Add(-s.settings.Period.Std()))}, logs.Member{Name: "end", Value: stamp(end)})
	members := []logs.Member{
		{Name: "logName", Value: text("projects/" + s.Project + "/logs/tocsin%2Fmetric")},
		{Name: "resource", Value: object(
			logs.Member{Name: "type", Value: text(series.GetResource().GetType())},
			logs.Member{Name: "labels", Value: labels(series.GetResource().GetLabels())})},
		{Name: "labels", Value: object(logs.Member{Name: "metric", Value: text(s.name)})},
		{Name: "severity", Value: text("INFO")},
		{Name: "jsonPayload", Value: object(payload...)},
		{Name: "timestamp", Value: stamp(end)},
		{Name: "insertId", Value: text(e.id)},
	}
	if meta := metadata(series); len(meta) > 0 {
		members = append(members, logs.Member{Name: "metadata", Value: object(meta...)})
	}
	e.line = object(members...).AppendJSON(nil)
	return e
}

// measure is what a value says: `value`, and of a distribution, whose mean that is, its `count` too. What JSON has no number for is left out.
func measure(v *monitoringpb.TypedValue) []logs.Member {
	switch v := v.GetValue().(type) {
	case *monitoringpb.TypedValue_BoolValue:
		return []logs.Member{{Name: "value", Value: logs.Value{Kind: logs.Bool, Bool: v.BoolValue}}}
	case *monitoringpb.TypedValue_Int64Value:
		return []logs.Member{{Name: "value", Value: logs.Value{Kind: logs.Number, Str: strconv.FormatInt(v.Int64Value, 10)}}}
	case *monitoringpb.TypedValue_DoubleValue:
		return number("value", v.DoubleValue)
	case *monitoringpb.TypedValue_StringValue:
		return []logs.Member{{Name: "value", Value: text(bounded(v.StringValue))}}
	case *monitoringpb.TypedValue_DistributionValue:
		d := v.DistributionValue
		return append(number("value", d.GetMean()), logs.Member{Name: "count", Value: logs.Value{Kind: logs.Number, Str: strconv.FormatInt(d.GetCount(), 10)}})
	}
	return nil
}

func number(name string, f float64) []logs.Member {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return []logs.Member{{Name: name, Value: logs.Value{Kind: logs.Number, Str: strconv.FormatFloat(f, 'g', -1, 64)}}}
}

// metadata is what a reduction by metadata has kept of it.
func metadata(series *monitoringpb.TimeSeries) []logs.Member {
	var out []logs.Member
	if system := series.GetMetadata().GetSystemLabels().GetFields(); len(system) > 0 {
		var m []logs.Member
		for _, k := range slices.Sorted(maps.Keys(system)) {
			m = append(m, logs.Member{Name: k, Value: plainOf(system[k])})
		}
		out = append(out, logs.Member{Name: "systemLabels", Value: object(m...)})
	}
	if user := series.GetMetadata().GetUserLabels(); len(user) > 0 {
		out = append(out, logs.Member{Name: "userLabels", Value: labels(user)})
	}
	return out
}

// plainOf is a value of the system's labels: text, or what JSON makes of it.
func plainOf(v *structpb.Value) logs.Value {
	if s, ok := v.GetKind().(*structpb.Value_StringValue); ok {
		return text(bounded(s.StringValue))
	}
	b, err := v.MarshalJSON()
	if err != nil {
		return logs.Value{Kind: logs.Null}
	}
	return text(bounded(string(b)))
}

func labels(of map[string]string) logs.Value {
	var m []logs.Member
	for _, k := range slices.Sorted(maps.Keys(of)) {
		m = append(m, logs.Member{Name: k, Value: text(bounded(of[k]))})
	}
	return object(m...)
}

// maxText bounds what a label or a text value takes of an entry, in bytes; the API's own bound is 1024.
const maxText = 1024

func bounded(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

func text(s string) logs.Value           { return logs.Value{Kind: logs.String, Str: s} }
func stamp(t time.Time) logs.Value       { return text(t.UTC().Format(time.RFC3339Nano)) }
func object(m ...logs.Member) logs.Value { return logs.Value{Kind: logs.Object, Members: m} }
