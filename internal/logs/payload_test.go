package logs

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// TestPayloadAsJSON draws messages of every type that is read inside, and holds Payload against what Google's own library writes.
func TestPayloadAsJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	n := 0
	for name := range payloadTypes() {
		typ, err := protoregistry.GlobalTypes.FindMessageByName(name)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			m := typ.New()
			drawMessage(r, m, 0)
			a, err := anypb.New(m.Interface())
			if err != nil {
				t.Fatal(err)
			}
			written, err := protojson.Marshal(a)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			want, err := ParseJSON(written)
			if err != nil {
				t.Fatal(err)
			}
			got := Payload(a.GetTypeUrl(), a.GetValue())
			if a, b := floats(plain(got)), floats(plain(want)); !reflect.DeepEqual(a, b) {
				t.Fatalf("%s\ngot  %v\nwant %v", name, a, b)
			}
			n++
		}
	}
	if n < 5000 {
		t.Errorf("only %d messages", n)
	}
}

// floats makes numbers float64, in which spellings do not differ; texts stay as they are written.
func floats(v any) any {
	switch v := v.(type) {
	case interface{ Float64() (float64, error) }:
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = floats(v[k])
		}
	}
	return v
}

var drawnTexts = []string{"", "a", "héllo", "12", "1.5s", "2026-01-01T00:00:00Z", "projects/p", "storage.objects.get"}

// drawMessage fills a message.
func drawMessage(r *rand.Rand, m protoreflect.Message, depth int) {
	switch x := m.Interface().(type) {
	case *structpb.Struct:
		proto.Merge(x, drawStruct(r, depth))
		return
	case *structpb.Value:
		proto.Merge(x, drawValue(r, depth))
		return
	case *structpb.ListValue:
		x.Values = append(x.Values, drawValue(r, depth), drawValue(r, depth))
		return
	case *timestamppb.Timestamp:
		x.Seconds, x.Nanos = r.Int64N(4e9)-2e9, []int32{0, 500_000_000, 1_000, 7}[r.IntN(4)]
		return
	case *durationpb.Duration:
		x.Seconds, x.Nanos = r.Int64N(1000), []int32{0, 500_000_000, 1_000, 7}[r.IntN(4)]
		return
	case *anypb.Any:
		inner := &structpb.Struct{}
		if r.IntN(2) == 0 {
			proto.Merge(inner, drawStruct(r, depth))
		}
		if err := x.MarshalFrom(inner); err != nil {
			panic(err)
		}
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if r.IntN(3) == 0 || depth > 4 && fd.Kind() == protoreflect.MessageKind {
			continue
		}
		switch {
		case fd.IsMap():
			for range r.IntN(3) {
				m.Mutable(fd).Map().Set(drawScalar(r, fd.MapKey()).MapKey(), drawField(r, fd.MapValue(), m.Mutable(fd).Map().NewValue, depth))
			}
		case fd.IsList():
			for range r.IntN(3) {
				m.Mutable(fd).List().Append(drawField(r, fd, m.Mutable(fd).List().NewElement, depth))
			}
		default:
			m.Set(fd, drawField(r, fd, func() protoreflect.Value { return m.NewField(fd) }, depth))
		}
	}
}

func drawField(r *rand.Rand, fd protoreflect.FieldDescriptor, empty func() protoreflect.Value, depth int) protoreflect.Value {
	if fd.Kind() != protoreflect.MessageKind {
		return drawScalar(r, fd)
	}
	v := empty()
	drawMessage(r, v.Message(), depth+1)
	return v
}

func drawScalar(r *rand.Rand, fd protoreflect.FieldDescriptor) protoreflect.Value {
	n := []int64{0, 1, -1, 1000, math.MaxInt32, math.MinInt32}[r.IntN(6)]
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n > 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber([]int32{0, 1, 2, 999}[r.IntN(4)]))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(n << 20)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(n))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32([]float32{0, 0.1, -2.5, 1e30, float32(math.Inf(1))}[r.IntN(5)])
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0, 0.1, -2.5, 1e300, math.NaN()}[r.IntN(5)])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{1, 2, byte(n)})
	}
	return protoreflect.ValueOfString(drawnTexts[r.IntN(len(drawnTexts))])
}

func drawStruct(r *rand.Rand, depth int) *structpb.Struct {
	s := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for range r.IntN(4) {
		s.Fields[drawnTexts[r.IntN(len(drawnTexts))]] = drawValue(r, depth)
	}
	return s
}

func drawValue(r *rand.Rand, depth int) *structpb.Value {
	switch n := r.IntN(6); {
	case n == 0:
		return structpb.NewNullValue()
	case n == 1:
		return structpb.NewBoolValue(r.IntN(2) == 0)
	case n == 2:
		return structpb.NewNumberValue([]float64{0, -1, 1.5, 1e21}[r.IntN(4)])
	case n == 3 && depth < 5:
		return structpb.NewStructValue(drawStruct(r, depth+1))
	case n == 4 && depth < 5:
		return structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{drawValue(r, depth+1)}})
	}
	return structpb.NewStringValue(drawnTexts[r.IntN(len(drawnTexts))])
}

// A payload that cannot be read inside is kept, and does not break what is around it.
func TestPayloadIsKept(t *testing.T) {
	audit := "type.googleapis.com/google.cloud.audit.AuditLog"
	tests := map[string]struct {
		typ, b, want string
	}{
		"no type":                {"", "", `{}`},
		"no type but bytes":      {"", "\xff", `{"@type":"","value":"/w=="}`},
		"unknown":                {"type.googleapis.com/no.such.Type", "\x01", `{"@type":"type.googleapis.com/no.such.Type","value":"AQ=="}`},
		"unknown and empty":      {"type.googleapis.com/no.such.Type", "", `{"@type":"type.googleapis.com/no.such.Type"}`},
		"cut":                    {audit, "\x42\x05a", `{"@type":"` + audit + `","value":"QgVh"}`},
		"empty":                  {audit, "", `{"@type":"` + audit + `"}`},
		"another host":           {"example.com/x/google.cloud.audit.AuditLog", "\x42\x01m", `{"@type":"example.com/x/google.cloud.audit.AuditLog","methodName":"m"}`},
		"another wire type":      {audit, "\x40\x01\x3a\x01s", `{"@type":"` + audit + `","serviceName":"s"}`},
		"a field of tomorrow":    {audit, "\xfa\xff\x01\x01x\x3a\x01s", `{"@type":"` + audit + `","serviceName":"s"}`},
		"said twice":             {audit, "\x3a\x01a\x3a\x01b", `{"@type":"` + audit + `","serviceName":"b"}`},
		"a status of nothing":    {audit, "\x12\x00", `{"@type":"` + audit + `","status":{}}`},
		"a nested one, opaque":   {audit, "\x7a\x04\x0a\x02tt", `{"@type":"` + audit + `","serviceData":{"@type":"tt"}}`},
		"bytes that are no text": {audit, "\x3a\x01\xff", `{"@type":"` + audit + `","serviceName":"` + "\uFFFD" + `"}`},
		"too deep": {"type.googleapis.com/google.protobuf.Struct", deepStruct(300),
			`{"@type":"type.googleapis.com/google.protobuf.Struct","value":"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := string(Payload(tt.typ, []byte(tt.b)).AppendJSON(nil))
			if got != tt.want && (!strings.HasSuffix(tt.want, `"value":"`) || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// deepStruct is the wire bytes of Structs in Structs.
func deepStruct(n int) string {
	v := structpb.NewStringValue("x")
	for range n {
		v = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"a": v}})
	}
	b, err := proto.Marshal(v.GetStructValue())
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestWrittenAuditLog reads an audit entry from the wire as it is in JSON, in the order of names that Cloud Logging uses.
func TestWrittenAuditLog(t *testing.T) {
	line := `{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","status":{"code":7,"message":"denied"},` +
		`"authenticationInfo":{"principalEmail":"a@b"},"requestMetadata":{"callerIp":"1.2.3.4","requestAttributes":{"time":"2026-01-01T00:00:00.120Z","auth":{}}},` +
		`"serviceName":"s","methodName":"m","authorizationInfo":[{"resource":"r","permission":"p","granted":true},{"resource":"q"}],` +
		`"numResponseItems":"12","request":{"@type":"x","n":1},"metadata":{"end_time":null}}}`
	want, err := ParseJSON([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	var got []*Entry
	b := Batch{Form: Proto, Data: onWire(t, line)}
	b.Entries(time.Time{}, func(e *Entry) bool { got = append(got, e); return true })
	if len(got) != 1 || !reflect.DeepEqual(floats(plain(got[0].Root)), floats(plain(want))) {
		t.Errorf("got %s\nwant %s", got[0].Root.AppendJSON(nil), line)
	}
}

// onWire is the bytes of a batch of one entry, written as JSON.
func onWire(t *testing.T, line string) []byte {
	t.Helper()
	var m loggingpb.LogEntry
	if err := protojson.Unmarshal([]byte(line), &m); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := protodelim.MarshalTo(&b, &m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
