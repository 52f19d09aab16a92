package cloudlog

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	logtype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/internal/logs"
)

// AppendJSON appends the entry in the shape of the REST API: camelCase names, fields that are not set left out, 64-bit integers
// as strings, RFC 3339 times, names in a fixed order. It cannot fail, as protojson would on a payload of an unknown type or on
// a number that JSON does not have.
func AppendJSON(b []byte, e *loggingpb.LogEntry) []byte {
	var o object
	o.text("logName", e.GetLogName())
	if r := e.GetResource(); r != nil {
		var res object
		res.text("type", r.GetType())
		res.labels("labels", r.GetLabels())
		o.add("resource", res.value())
	}
	o.time("timestamp", e.GetTimestamp())
	o.time("receiveTimestamp", e.GetReceiveTimestamp())
	if s := e.GetSeverity(); s != 0 {
		if name, ok := logtype.LogSeverity_name[int32(s)]; ok {
			o.text("severity", name)
		} else {
			o.add("severity", integer(int64(s)))
		}
	}
	o.text("insertId", e.GetInsertId())
	if r := e.GetHttpRequest(); r != nil {
		o.add("httpRequest", request(r))
	}
	o.labels("labels", e.GetLabels())
	if op := e.GetOperation(); op != nil {
		o.add("operation", operation(op))
	}
	o.text("trace", e.GetTrace())
	o.text("spanId", e.GetSpanId())
	o.flag("traceSampled", e.GetTraceSampled())
	if l := e.GetSourceLocation(); l != nil {
		o.add("sourceLocation", location(l))
	}
	if p := e.GetSplit(); p != nil {
		o.add("split", split(p))
	}
	switch p := e.GetPayload().(type) {
	case *loggingpb.LogEntry_TextPayload:
		o.add("textPayload", text(p.TextPayload))
	case *loggingpb.LogEntry_JsonPayload:
		o.add("jsonPayload", fromStruct(p.JsonPayload))
	case *loggingpb.LogEntry_ProtoPayload:
		o.add("protoPayload", logs.Payload(p.ProtoPayload.GetTypeUrl(), p.ProtoPayload.GetValue()))
	}
	return o.value().AppendJSON(b)
}

func operation(op *loggingpb.LogEntryOperation) logs.Value {
	var v object
	v.text("id", op.GetId())
	v.text("producer", op.GetProducer())
	v.flag("first", op.GetFirst())
	v.flag("last", op.GetLast())
	return v.value()
}

func location(l *loggingpb.LogEntrySourceLocation) logs.Value {
	var v object
	v.text("file", l.GetFile())
	v.long("line", l.GetLine())
	v.text("function", l.GetFunction())
	return v.value()
}

func split(s *loggingpb.LogSplit) logs.Value {
	var v object
	v.text("uid", s.GetUid())
	v.int("index", int64(s.GetIndex()))
	v.int("totalSplits", int64(s.GetTotalSplits()))
	return v.value()
}

func request(r *logtype.HttpRequest) logs.Value {
	var v object
	v.text("requestMethod", r.GetRequestMethod())
	v.text("requestUrl", r.GetRequestUrl())
	v.long("requestSize", r.GetRequestSize())
	v.int("status", int64(r.GetStatus()))
	v.long("responseSize", r.GetResponseSize())
	v.text("userAgent", r.GetUserAgent())
	v.text("remoteIp", r.GetRemoteIp())
	v.text("serverIp", r.GetServerIp())
	v.text("referer", r.GetReferer())
	if d := r.GetLatency(); d != nil {
		v.text("latency", seconds(d))
	}
	v.flag("cacheLookup", r.GetCacheLookup())
	v.flag("cacheHit", r.GetCacheHit())
	v.flag("cacheValidatedWithOriginServer", r.GetCacheValidatedWithOriginServer())
	v.long("cacheFillBytes", r.GetCacheFillBytes())
	v.text("protocol", r.GetProtocol())
	return v.value()
}

// seconds writes a duration as its seconds, with as many digits as it has: 0.025s.
func seconds(d *durationpb.Duration) string {
	sec, nano := d.GetSeconds(), int64(d.GetNanos())
	sign := ""
	if sec < 0 || nano < 0 {
		sign, sec, nano = "-", -sec, -nano
	}
	out := sign + strconv.FormatInt(sec, 10)
	if nano > 0 {
		digits := strconv.FormatInt(1_000_000_000+nano, 10)[1:]
		for digits[len(digits)-1] == '0' {
			digits = digits[:len(digits)-1]
		}
		out += "." + digits
	}
	return out + "s"
}

func fromStruct(s *structpb.Struct) logs.Value {
	var o object
	for _, name := range slices.Sorted(maps.Keys(s.GetFields())) {
		o.add(name, fromValue(s.GetFields()[name]))
	}
	return o.value()
}

func fromValue(v *structpb.Value) logs.Value {
	switch k := v.GetKind().(type) {
	case *structpb.Value_BoolValue:
		return logs.Value{Kind: logs.Bool, Bool: k.BoolValue}
	case *structpb.Value_NumberValue:
		return number(k.NumberValue)
	case *structpb.Value_StringValue:
		return text(k.StringValue)
	case *structpb.Value_StructValue:
		return fromStruct(k.StructValue)
	case *structpb.Value_ListValue:
		list := logs.Value{Kind: logs.Array}
		for _, item := range k.ListValue.GetValues() {
			list.Items = append(list.Items, fromValue(item))
		}
		return list
	default:
		return logs.Value{Kind: logs.Null}
	}
}

// number writes a double as JavaScript does; NaN and the infinities become text, since JSON has none.
func number(f float64) logs.Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		name := map[bool]string{true: "Infinity", false: "-Infinity"}[f > 0]
		if math.IsNaN(f) {
			name = "NaN"
		}
		return text(name)
	}
	b, err := json.Marshal(f)
	if err != nil {
		return logs.Value{Kind: logs.Null} // cannot be: f is finite
	}
	return logs.Value{Kind: logs.Number, Str: string(b)}
}

// object is a JSON object under construction: its methods leave out what is not set, as the REST API does.
type object []logs.Member

func (o *object) add(name string, v logs.Value) { *o = append(*o, logs.Member{Name: name, Value: v}) }

func (o *object) text(name, s string) {
	if s != "" {
		o.add(name, text(s))
	}
}

func (o *object) flag(name string, b bool) {
	if b {
		o.add(name, logs.Value{Kind: logs.Bool, Bool: true})
	}
}

func (o *object) int(name string, n int64) {
	if n != 0 {
		o.add(name, integer(n))
	}
}

// long adds a 64-bit integer: as text, so that no reader rounds it.
func (o *object) long(name string, n int64) {
	if n != 0 {
		o.add(name, text(strconv.FormatInt(n, 10)))
	}
}

func (o *object) time(name string, t *timestamppb.Timestamp) {
	if t != nil {
		o.add(name, text(t.AsTime().Format(time.RFC3339Nano)))
	}
}

func (o *object) labels(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	var v object
	for _, k := range slices.Sorted(maps.Keys(m)) {
		v.add(k, text(m[k]))
	}
	o.add(name, v.value())
}

func (o object) value() logs.Value { return logs.Value{Kind: logs.Object, Members: o} }

func text(s string) logs.Value   { return logs.Value{Kind: logs.String, Str: s} }
func integer(n int64) logs.Value { return logs.Value{Kind: logs.Number, Str: strconv.FormatInt(n, 10)} }
