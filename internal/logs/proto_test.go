package logs

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// TestProtoAsJSON decodes LogEntries from the wire and from the JSON that Google's own library writes of them.
func TestProtoAsJSON(t *testing.T) {
	texts := []string{
		`{}`,
		`{"logName":"projects/p/logs/x","textPayload":"héllo","severity":"ERROR","insertId":"i","timestamp":"2019-01-23T12:00:00.000000005Z","receiveTimestamp":"2019-01-23T12:00:01Z"}`,
		`{"resource":{"type":"k8s_container","labels":{"a":"b","c":"d","":""}},"labels":{"x":"y"},"traceSampled":true,"trace":"t","spanId":"s"}`,
		`{"jsonPayload":{"n":5,"f":-1.5,"big":1e300,"b":false,"null":null,"s":"x","l":[1,[],{"a":null}],"o":{}}}`,
		`{"httpRequest":{"requestMethod":"GET","requestUrl":"u","status":502,"requestSize":"9007199254740993","latency":"1.500s","cacheHit":true,"serverIp":"1.2.3.4"}}`,
		`{"httpRequest":{"latency":"-0.000000001s"},"operation":{"id":"o","first":true},"sourceLocation":{"file":"f","line":"7"},"split":{"uid":"u","index":1,"totalSplits":2}}`,
		`{"severity":"NOTICE","protoPayload":{"@type":"type.googleapis.com/google.protobuf.Empty","value":{}}}`,
	}
	var data bytes.Buffer
	var want []any
	for _, text := range texts {
		var m loggingpb.LogEntry
		if err := protojson.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if _, err := protodelim.MarshalTo(&data, &m); err != nil {
			t.Fatal(err)
		}
		written, err := protojson.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		v, err := ParseJSON(written)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, normal(plain(v)))
	}
	var got []any
	p := Batch{Form: Proto, Data: data.Bytes()}.Entries(time.Time{}, func(e *Entry) bool {
		got = append(got, normal(plain(e.Root)))
		return true
	})
	for i := range want {
		if i >= len(got) || !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%s\ngot  %v\nwant %v", texts[i], got[i], want[i])
		}
	}
	Batch{Form: Proto, Data: data.Bytes()}.Entries(time.Time{}, func(e *Entry) bool {
		checkMessage(t, new(Picker), e)
		return true
	})
	if p.Entries != len(texts) || p.Broken != 0 || !p.Clock.Equal(time.Date(2019, 1, 23, 12, 0, 1, 0, time.UTC)) {
		t.Errorf("progress %+v", p)
	}
}

// normal makes numbers floats and durations and times one spelling, in which JSON writers differ.
func normal(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64()
		return f
	case string:
		if t := ParseTime(v); !t.IsZero() {
			return t.UnixNano()
		}
		if d, err := time.ParseDuration(v); err == nil {
			return d
		}
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = normal(v[k])
		}
	}
	return v
}

func FuzzProto(f *testing.F) {
	m := &loggingpb.LogEntry{LogName: "x", Labels: map[string]string{"a": "b"}, Payload: &loggingpb.LogEntry_TextPayload{TextPayload: "t"}}
	b, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte{byte(len(b))}, b...))
	f.Add([]byte{0xff})
	f.Add([]byte{3, 0x32, 1, 0x0a})
	for name := range payloadTypes() {
		b, err := proto.Marshal(&loggingpb.LogEntry{Payload: &loggingpb.LogEntry_ProtoPayload{ProtoPayload: &anypb.Any{TypeUrl: "/" + string(name), Value: []byte{10, 2, 10, 0, 18, 2, 8, 1}}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte{byte(len(b))}, b...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p Picker
		Batch{Form: Proto, Data: data}.Entries(time.Time{}, func(e *Entry) bool {
			checkMessage(t, &p, e)
			if _, err := ParseJSON(e.Root.AppendJSON(nil)); err != nil {
				t.Fatalf("%x: %v", data, err)
			}
			return true
		})
	})
}

// checkMessage reads parts of an entry's message and holds them against the whole.
func checkMessage(t *testing.T, p *Picker, e *Entry) {
	t.Helper()
	paths := [][]string{{"logName"}, {"severity"}, {"timestamp"}, {"textPayload"}, {"jsonPayload", "s"}, {"jsonPayload", "l"}, {"jsonPayload", "l", "a"}, {"resource", "labels", "a"}, {"httpRequest"}, {"labels"}, {"traceSampled"},
		{"protoPayload", "x"}, {"jsonPayload"}, {"split", "index"}}
	for i := range paths {
		w := NewWant(paths[i], paths[(i+1)%len(paths)])
		got, odd := p.Message(e.Raw, w)
		if got.Broken != e.Broken || !got.Timestamp.Equal(e.Timestamp) || !got.ReceiveTimestamp.Equal(e.ReceiveTimestamp) || e.Broken && !odd {
			t.Fatalf("%x: broken %v, odd %v, times %v, %v; whole %v, %v, %v", e.Raw, got.Broken, odd, got.Timestamp, got.ReceiveTimestamp, e.Broken, e.Timestamp, e.ReceiveTimestamp)
		}
		if a, b := string(at(got.Root, paths[i]).AppendJSON(nil)), string(at(e.Root, paths[i]).AppendJSON(nil)); a != b {
			t.Fatalf("%x: %v is %s, whole %s", e.Raw, paths[i], a, b)
		}
		if text := e.Root.AppendJSON(nil); !odd && wide(text) {
			t.Fatalf("%x is not odd, but holds %s", e.Raw, text)
		}
	}
}
