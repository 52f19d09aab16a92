package cloudlog

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	logtype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// testdata/entries.jsonl are entries as the REST API gives them, compact, with the names in AppendJSON's order: they must come back
// byte for byte.
func TestAppendJSONKeepsEntries(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("testdata", "entries.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(file) {
		n++
		var e loggingpb.LogEntry
		if err := protojson.Unmarshal(line, &e); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		got := append(AppendJSON(nil, &e), '\n')
		if diff := cmp.Diff(string(line), string(got)); diff != "" {
			t.Errorf("line %d (-want +got):\n%s", n, diff)
		}
	}
	if n < 5 {
		t.Errorf("only %d entries", n)
	}
}

func everything(t testing.TB) *loggingpb.LogEntry {
	t.Helper()
	payload, err := structpb.NewStruct(map[string]any{"msg": "quote \" and \u2028 line", "pr": 11702, "big": 1e21, "small": -0.25, "none": nil, "ok": true,
		"list": []any{1, "a", map[string]any{}}, "": "empty name"})
	if err != nil {
		t.Fatal(err)
	}
	return &loggingpb.LogEntry{
		LogName: "projects/p/logs/stderr", Resource: &monitoredres.MonitoredResource{Type: "k8s_container", Labels: map[string]string{"b": "2", "a": "1"}},
		Timestamp: timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)), ReceiveTimestamp: timestamppb.New(time.Date(2026, 1, 2, 3, 4, 6, 500_000_000, time.UTC)),
		Severity: logtype.LogSeverity_CRITICAL, InsertId: "id", Labels: map[string]string{"k8s-pod/app": "hook"}, Trace: "t", SpanId: "s", TraceSampled: true,
		HttpRequest: &logtype.HttpRequest{RequestMethod: "POST", RequestUrl: "https://x/", RequestSize: math.MaxInt64, Status: 502, ResponseSize: 488, UserAgent: "a", RemoteIp: "1.2.3.4",
			ServerIp: "5.6.7.8", Referer: "r", Latency: durationpb.New(25 * time.Millisecond), CacheLookup: true, CacheHit: true, CacheValidatedWithOriginServer: true, CacheFillBytes: 7, Protocol: "HTTP/2"},
		Operation:      &loggingpb.LogEntryOperation{Id: "o", Producer: "p", First: true, Last: true},
		SourceLocation: &loggingpb.LogEntrySourceLocation{File: "main.go", Line: 208, Function: "main"},
		Split:          &loggingpb.LogSplit{Uid: "u", Index: 1, TotalSplits: 3},
		Payload:        &loggingpb.LogEntry_JsonPayload{JsonPayload: payload},
	}
}

// What is written reads back as the same message, every field of it.
func TestAppendJSONIsWhole(t *testing.T) {
	e := everything(t)
	fields := e.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.ContainingOneof() == nil && !e.ProtoReflect().Has(f) {
			t.Errorf("the test sets no %s", f.FullName())
		}
	}
	text := AppendJSON(nil, e)
	var back loggingpb.LogEntry
	if err := protojson.Unmarshal(text, &back); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if !proto.Equal(e, &back) {
		t.Errorf("it reads back as\n%s\nfrom\n%s", protojson.Format(&back), text)
	}
}

// What protojson cannot write is written all the same.
func TestAppendJSONOddities(t *testing.T) {
	known, err := anypb.New(wrapperspb.String("a \"text\""))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		entry *loggingpb.LogEntry
		want  string
	}{
		"empty":                      {&loggingpb.LogEntry{}, `{}`},
		"text that is empty":         {&loggingpb.LogEntry{Payload: &loggingpb.LogEntry_TextPayload{}}, `{"textPayload":""}`},
		"a payload of unknown type":  {&loggingpb.LogEntry{InsertId: "i", Payload: &loggingpb.LogEntry_ProtoPayload{ProtoPayload: &anypb.Any{TypeUrl: "type.googleapis.com/no.such.Type", Value: []byte{1, 2, 255}}}}, `{"insertId":"i","protoPayload":{"@type":"type.googleapis.com/no.such.Type","value":"AQL/"}}`},
		"a payload of a broken type": {&loggingpb.LogEntry{Payload: &loggingpb.LogEntry_ProtoPayload{ProtoPayload: &anypb.Any{TypeUrl: known.GetTypeUrl(), Value: []byte{255}}}}, `{"protoPayload":{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"/w=="}}`},
		"a payload of no type":       {&loggingpb.LogEntry{Payload: &loggingpb.LogEntry_ProtoPayload{}}, `{"protoPayload":{}}`},
		"one unknown type within a known one": {&loggingpb.LogEntry{Payload: &loggingpb.LogEntry_ProtoPayload{ProtoPayload: &anypb.Any{TypeUrl: "type.googleapis.com/google.cloud.audit.AuditLog", Value: []byte("\x42\x01m\x7a\x07\x0a\x02/t\x12\x01x")}}},
			`{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","methodName":"m","serviceData":{"@type":"/t","value":"eA=="}}}`},
		"a payload of a known type": {&loggingpb.LogEntry{Payload: &loggingpb.LogEntry_ProtoPayload{ProtoPayload: known}}, `{"protoPayload":{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"a \"text\""}}`},
		"numbers that JSON lacks": {&loggingpb.LogEntry{Payload: &loggingpb.LogEntry_JsonPayload{JsonPayload: &structpb.Struct{Fields: map[string]*structpb.Value{
			"a": structpb.NewNumberValue(math.NaN()), "b": structpb.NewNumberValue(math.Inf(1)), "c": structpb.NewNumberValue(math.Inf(-1)), "d": {}, "e": nil}}}},
			`{"jsonPayload":{"a":"NaN","b":"Infinity","c":"-Infinity","d":null,"e":null}}`},
		"a severity between two": {&loggingpb.LogEntry{Severity: 450}, `{"severity":450}`},
		"latencies":              {&loggingpb.LogEntry{HttpRequest: &logtype.HttpRequest{Latency: &durationpb.Duration{Seconds: 3, Nanos: 100_000_000}}}, `{"httpRequest":{"latency":"3.1s"}}`},
		"a negative latency":     {&loggingpb.LogEntry{HttpRequest: &logtype.HttpRequest{Latency: &durationpb.Duration{Nanos: -1}}}, `{"httpRequest":{"latency":"-0.000000001s"}}`},
		"a latency of nothing":   {&loggingpb.LogEntry{HttpRequest: &logtype.HttpRequest{Latency: &durationpb.Duration{}}}, `{"httpRequest":{"latency":"0s"}}`},
		"text that is no text":   {&loggingpb.LogEntry{Payload: &loggingpb.LogEntry_TextPayload{TextPayload: "a\xff\x00\nb"}}, "{\"textPayload\":\"a\ufffd\\u0000\\nb\"}"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := string(AppendJSON(nil, tt.entry))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !json.Valid([]byte(got)) {
				t.Error("it is not JSON")
			}
		})
	}
}

// Whatever the bytes of a message, one line of JSON comes out.
func FuzzAppendJSON(f *testing.F) {
	whole, err := proto.Marshal(everything(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		var e loggingpb.LogEntry
		if proto.Unmarshal(b, &e) != nil {
			return
		}
		got := AppendJSON(nil, &e)
		if !json.Valid(got) || bytes.ContainsAny(got, "\n\r") {
			t.Errorf("%q is not one line of JSON", got)
		}
	})
}
