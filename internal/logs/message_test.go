package logs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What a sink exports stays as it came; all else can be told when it comes again.
func TestMessages(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 5e6, time.UTC)
	const own = `"insertId":"77"`
	tests := map[string]struct {
		data, want string
		whole      bool
	}{
		"a sink's":                  {`{"insertId":"a","logName":"projects/p/logs/x","textPayload":"t"}`, `{"insertId":"a","logName":"projects/p/logs/x","textPayload":"t"}`, true},
		"white space about it":      {" {\"insert_id\":\"a\", \"textPayload\":\"t\"}\r\n", `{"insert_id":"a", "textPayload":"t"}`, true},
		"over several lines":        {"{\n  \"insertId\": \"a\",\n  \"textPayload\": \"t\"\n}", `{"insertId":"a","textPayload":"t"}`, true},
		"an entry without one":      {`{"logName":"projects/p/logs/x","timestamp":"2026-11-22T00:00:00Z"}`, `{"logName":"projects/p/logs/x","timestamp":"2026-11-22T00:00:00Z",` + own + `}`, true},
		"an empty one":              {`{"logName":"l","insertId":"","timestamp":"2026-11-22T00:00:00Z"}`, `{"logName":"l","timestamp":"2026-11-22T00:00:00Z",` + own + `}`, true},
		"one that is the payload's": {`{"level":"error","insertId":"a"}`, `{"jsonPayload":{"level":"error","insertId":"a"},"severity":"ERROR",` + own + `,"timestamp":"2026-11-23T09:00:00.005Z"}`, true},
		"no time that is one":       {`{"logName":"l","timestamp":"yesterday"}`, `{"logName":"l",` + own + `,"timestamp":"2026-11-23T09:00:00.005Z"}`, true},
		"text":                      {"boom", `{"textPayload":"boom",` + own + `,"timestamp":"2026-11-23T09:00:00.005Z"}`, true},
		"text of several lines":     {"boom\n\tat x\n", `{"textPayload":"boom\n\tat x",` + own + `,"timestamp":"2026-11-23T09:00:00.005Z"}`, true},
		"cut JSON":                  {`{"insertId":"a","textPay`, `{"textPayload":"{\"insertId\":\"a\",\"textPay",` + own + `,"timestamp":"2026-11-23T09:00:00.005Z"}`, false},
		"no UTF-8":                  {"bo\xffom", "{\"textPayload\":\"bo\ufffdom\"," + own + `,"timestamp":"2026-11-23T09:00:00.005Z"}`, false},
		"nothing":                   {" \n ", "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var m Messages
			out, whole := m.Append([]byte("before\n"), []byte(tt.data), "77", at)
			want := "before\n"
			if tt.want != "" {
				want += tt.want + "\n"
			}
			if diff := cmp.Diff(want, string(out)); diff != "" || whole != tt.whole {
				t.Errorf("whole %v, want %v; (-want +got):\n%s", whole, tt.whole, diff)
			}
		})
	}
	var m Messages
	out, whole := m.Append(nil, []byte(`{"insertId":"a","textPayload":"`+strings.Repeat("x", MaxLine)+`"}`), "77", at)
	if e := ParseLine(out[:len(out)-1]); whole || e.Root.Get("insertId").Text() != "77" || len(out) > MaxLine+200 {
		t.Errorf("one that is too long: whole %v, %d bytes, insertId %s", whole, len(out), e.Root.Get("insertId").Text())
	}
}
