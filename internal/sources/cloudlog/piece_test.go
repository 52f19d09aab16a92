package cloudlog

import (
	"bytes"
	"encoding/json"
	"fmt"
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

	"tocsin/internal/logs"
)

// pieces are entries as a listing has them.
func pieces(entries []*loggingpb.LogEntry, now time.Time) ([]piece, error) {
	out := make([]piece, len(entries))
	for i, e := range entries {
		wire, err := proto.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("write entry %s: %w", e.GetInsertId(), err)
		}
		out[i] = newPiece(wire, now)
	}
	return out, nil
}

// handedOn is an entry as whoever reads the batches sees it.
func handedOn(t testing.TB, e *loggingpb.LogEntry) string {
	t.Helper()
	all, err := pieces([]*loggingpb.LogEntry{e}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	logs.Batch{Form: logs.Proto, Data: all[0].append(nil)}.Entries(time.Time{}, func(read *logs.Entry) bool {
		out = append(out, string(read.Root.AppendJSON(nil)))
		return true
	})
	if len(out) != 1 {
		t.Fatalf("%d entries of one", len(out))
	}
	return out[0]
}

func same(t *testing.T, want, got string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(want), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(got), &b); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// testdata/entries.jsonl are entries as the REST API gives them: they must read the same.
func TestPiecesKeepEntries(t *testing.T) {
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
		same(t, string(line), handedOn(t, &e))
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

// Every field of an entry is handed on.
func TestPiecesAreWhole(t *testing.T) {
	e := everything(t)
	fields := e.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.ContainingOneof() == nil && !e.ProtoReflect().Has(f) {
			t.Errorf("the test sets no %s", f.FullName())
		}
	}
	text := handedOn(t, e)
	var back loggingpb.LogEntry
	if err := protojson.Unmarshal([]byte(text), &back); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if !proto.Equal(e, &back) {
		t.Errorf("it reads back as\n%s\nfrom\n%s", protojson.Format(&back), text)
	}
}

// What protojson cannot write is handed on all the same.
func TestPiecesOddities(t *testing.T) {
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
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { same(t, tt.want, handedOn(t, tt.entry)) })
	}
}

// A response of either call gives the pieces of its entries, and its other fields.
func TestRawEntries(t *testing.T) {
	e, now := everything(t), time.Now()
	other := proto.CloneOf(e)
	other.InsertId, other.ReceiveTimestamp = "other", nil
	written := proto.MarshalOptions{Deterministic: true}
	wire, err := written.Marshal(&loggingpb.TailLogEntriesResponse{Entries: []*loggingpb.LogEntry{e, other},
		SuppressionInfo: []*loggingpb.TailLogEntriesResponse_SuppressionInfo{{Reason: 1, SuppressedCount: 7}}})
	if err != nil {
		t.Fatal(err)
	}
	var m loggingpb.TailLogEntriesResponse
	if err := (rawEntries{}).Unmarshal(wire, &m); err != nil {
		t.Fatal(err)
	}
	got := piecesOf(&m, now)
	want, err := pieces([]*loggingpb.LogEntry{e, other}, now)
	if err != nil || len(got) != 2 || len(m.Entries) != 0 || m.SuppressionInfo[0].SuppressedCount != 7 {
		t.Fatalf("%d pieces of %v, %v", len(got), &m, err)
	}
	if wire, err = written.Marshal(&loggingpb.ListLogEntriesResponse{Entries: []*loggingpb.LogEntry{e, other}, NextPageToken: "next"}); err != nil {
		t.Fatal(err)
	}
	var page loggingpb.ListLogEntriesResponse
	if err := (rawEntries{}).Unmarshal(wire, &page); err != nil || page.GetNextPageToken() != "next" || len(page.Entries) != 0 {
		t.Fatalf("%v, %v", &page, err)
	}
	if diff := cmp.Diff(got, piecesOf(&page, now), cmp.AllowUnexported(piece{})); diff != "" {
		t.Errorf("a listing's pieces are not a tail's (-tail +listing):\n%s", diff)
	}
	for i := range want {
		if got[i].id != want[i].id || !got[i].received.Equal(want[i].received) {
			t.Errorf("piece %d: %v, want %v", i, got[i], want[i])
		}
	}
	if want[0].id == want[1].id || !want[0].received.Equal(e.GetReceiveTimestamp().AsTime()) || !want[1].received.Equal(now) {
		t.Errorf("%v, %v", want[0].received, want[1].received)
	}
	e.Timestamp = timestamppb.New(e.GetTimestamp().AsTime().Add(1))
	if again, err := pieces([]*loggingpb.LogEntry{e}, now); err != nil || again[0].id == want[0].id {
		t.Errorf("another timestamp is the same entry: %v", err)
	}
}

// Whatever the bytes of a response, nothing panics, and each entry is one for those who read the batch.
func FuzzRawEntries(f *testing.F) {
	whole, err := proto.Marshal(&loggingpb.TailLogEntriesResponse{Entries: []*loggingpb.LogEntry{everything(f), {}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte("\x0a\x02\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m loggingpb.TailLogEntriesResponse
		if (rawEntries{}).Unmarshal(b, &m) != nil {
			return
		}
		var data []byte
		all := piecesOf(&m, time.Now())
		for i := range all {
			data = all[i].append(data)
		}
		n := 0
		logs.Batch{Form: logs.Proto, Data: data}.Entries(time.Time{}, func(*logs.Entry) bool { n++; return true })
		if n != len(all) {
			t.Errorf("%d pieces, %d entries", len(all), n)
		}
	})
}
