package logs

import (
	"strings"
	"testing"
	"time"
)

func TestParseLine(t *testing.T) {
	for _, tt := range []struct{ name, line, root, time, received string }{
		{"LogEntry", `{"logName":"projects/p/logs/x","timestamp":"2019-01-23T12:00:00.5Z","receiveTimestamp":"2019-01-23T12:00:01Z","extra":1}`,
			`{"logName":"projects/p/logs/x","timestamp":"2019-01-23T12:00:00.5Z","receiveTimestamp":"2019-01-23T12:00:01Z","extra":1}`,
			"2019-01-23T12:00:00.5Z", "2019-01-23T12:00:01Z"},
		{"empty object", `{}`, `{}`, "", ""},
		{"only LogEntry fields", `{"textPayload":"x","severity":"ERROR"}`, `{"textPayload":"x","severity":"ERROR"}`, "", ""},
		{"Google's newer fields count", `{"textPayload":"x","errorGroups":[{"id":"a"}],"apphub":{},"apphubDestination":{},"apphubSource":{}}`,
			`{"textPayload":"x","errorGroups":[{"id":"a"}],"apphub":{},"apphubDestination":{},"apphubSource":{}}`, "", ""},
		{"snake_case", `{"log_name":"projects/p/logs/x","http_request":{"request_url":"/a","cache_validated_with_origin_server":true},"json_payload":{"a_b":1},"labels":{"c_d":"e"},"receive_timestamp":"2019-01-23T12:00:01Z"}`,
			`{"logName":"projects/p/logs/x","httpRequest":{"requestUrl":"/a","cacheValidatedWithOriginServer":true},"jsonPayload":{"a_b":1},"labels":{"c_d":"e"},"receiveTimestamp":"2019-01-23T12:00:01Z"}`,
			"", "2019-01-23T12:00:01Z"},
		{"plain JSON", `{"level":"error","msg":"Error loading config.","time":"2019-01-22T23:28:49Z"}`,
			`{"jsonPayload":{"level":"error","msg":"Error loading config.","time":"2019-01-22T23:28:49Z"},"severity":"ERROR","timestamp":"2019-01-22T23:28:49Z"}`,
			"2019-01-22T23:28:49Z", ""},
		{"severity before level", `{"severity":"info","level":"fatal","message":"x"}`,
			`{"jsonPayload":{"severity":"info","level":"fatal","message":"x"},"severity":"INFO"}`, "", ""},
		{"fatal", `{"level":"fatal","msg":"x"}`, `{"jsonPayload":{"level":"fatal","msg":"x"},"severity":"CRITICAL"}`, "", ""},
		{"pino's numbers", `{"level":50,"msg":"x"}`, `{"jsonPayload":{"level":50,"msg":"x"},"severity":"ERROR"}`, "", ""},
		{"a level of no meaning", `{"level":"7th","msg":"x"}`, `{"jsonPayload":{"level":"7th","msg":"x"}}`, "", ""},
		{"seconds", `{"time":1548244800.25,"msg":"x"}`, `{"jsonPayload":{"time":1548244800.25,"msg":"x"},"timestamp":"2019-01-23T12:00:00.25Z"}`, "2019-01-23T12:00:00.25Z", ""},
		{"milliseconds", `{"time":1548244800250,"msg":"x"}`, `{"jsonPayload":{"time":1548244800250,"msg":"x"},"timestamp":"2019-01-23T12:00:00.25Z"}`, "2019-01-23T12:00:00.25Z", ""},
		{"nanoseconds as text", `{"timestamp":"1548244800250000001","msg":"x"}`, `{"jsonPayload":{"timestamp":"1548244800250000001","msg":"x"},"timestamp":"2019-01-23T12:00:00.250000001Z"}`, "2019-01-23T12:00:00.250000001Z", ""},
		{"seconds and nanos", `{"timestamp":{"seconds":1548244800,"nanos":5},"msg":"x"}`, `{"jsonPayload":{"timestamp":{"seconds":1548244800,"nanos":5},"msg":"x"},"timestamp":"2019-01-23T12:00:00.000000005Z"}`, "2019-01-23T12:00:00.000000005Z", ""},
		{"with a space for the T", `{"time":"2019-01-23 12:00:00,250","msg":"x"}`, `{"jsonPayload":{"time":"2019-01-23 12:00:00,250","msg":"x"},"timestamp":"2019-01-23T12:00:00.25Z"}`, "2019-01-23T12:00:00.25Z", ""},
		{"a small number is no time", `{"time":17,"msg":"x"}`, `{"jsonPayload":{"time":17,"msg":"x"}}`, "", ""},
		{"text", `panic: runtime error`, `{"textPayload":"panic: runtime error"}`, "", ""},
		{"CRLF", "hello\r", `{"textPayload":"hello"}`, "", ""},
		{"CRLF behind JSON", "{\"a\":1}\r", `{"jsonPayload":{"a":1}}`, "", ""},
		{"text in brackets", `[GIN] 200`, `{"textPayload":"[GIN] 200"}`, "", ""},
		{"text in braces", `{foo} bar`, `{"textPayload":"{foo} bar"}`, "", ""},
		{"a JSON scalar is text", `"x"`, `{"textPayload":"\"x\""}`, "", ""},
		{"a bad timestamp is none", `{"logName":"x","timestamp":"yesterday, quite late"}`, `{"logName":"x","timestamp":"yesterday, quite late"}`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := ParseLine([]byte(tt.line))
			if e.Broken {
				t.Error("broken")
			}
			if got := string(e.Root.AppendJSON(nil)); got != tt.root {
				t.Errorf("got  %s\nwant %s", got, tt.root)
			}
			checkTime(t, "timestamp", e.Timestamp, tt.time)
			checkTime(t, "receiveTimestamp", e.ReceiveTimestamp, tt.received)
			if string(e.Raw) != tt.line {
				t.Errorf("Raw is %q", e.Raw)
			}
		})
	}
}

func checkTime(t *testing.T, what string, got time.Time, want string) {
	t.Helper()
	text := ""
	if !got.IsZero() {
		text = got.UTC().Format(time.RFC3339Nano)
	}
	if text != want {
		t.Errorf("%s is %q, want %q", what, text, want)
	}
}

func TestBrokenLines(t *testing.T) {
	for _, tt := range []struct{ name, line, root string }{
		{"cut", `{"logName":"x","jsonPay`, `{"textPayload":"{\"logName\":\"x\",\"jsonPay"}`},
		{"a brace alone", `{`, `{"textPayload":"{"}`},
		{"something behind", `{"a":1} x`, `{"textPayload":"{\"a\":1} x"}`},
		{"invalid UTF-8 in text", "a\xffb", "{\"textPayload\":\"a\uFFFDb\"}"},
		{"invalid UTF-8 in an entry keeps its structure", "{\"logName\":\"x\",\"textPayload\":\"a\xff\"}", "{\"logName\":\"x\",\"textPayload\":\"a\uFFFD\"}"},
		{"too deep", `{"a":` + strings.Repeat("[", 300), `{"textPayload":"{\"a\":` + strings.Repeat("[", 300) + `"}`},
		{"cut by its length", strings.Repeat("x", MaxLine), `{"textPayload":"` + strings.Repeat("x", MaxLine) + `"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := ParseLine([]byte(tt.line))
			if !e.Broken {
				t.Error("not broken")
			}
			if got := string(e.Root.AppendJSON(nil)); got != tt.root {
				t.Errorf("got  %.300s\nwant %.300s", got, tt.root)
			}
		})
	}
}

func FuzzParseLine(f *testing.F) {
	for _, s := range jsonSeeds {
		if len(s) < 1000 {
			f.Add([]byte(s))
		}
	}
	f.Add([]byte(`{"logName":"projects/p/logs/x","timestamp":"2019-01-23T12:00:00Z","severity":500}`))
	f.Add([]byte(`{"time":"2019-01-23 12:00:00,250","level":30}`))
	f.Add([]byte(`{"timestamp":{"seconds":99999999999999,"nanos":-1},"level":99}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e := ParseLine(line)
		if e.Root.Kind != Object {
			t.Fatalf("%q gives no object", line)
		}
		if _, err := ParseJSON(e.Root.AppendJSON(nil)); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if !e.Timestamp.IsZero() && (e.Timestamp.UTC().Year() < 0 || e.Timestamp.UTC().Year() > 10000) {
			t.Fatalf("%q has the time %v", line, e.Timestamp)
		}
	})
}
