package probe

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/logs"
)

// answers is a network that answers as a function says.
type answers func(*http.Request) (*http.Response, error)

func (f answers) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func answer(code int, body string, header http.Header) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

func hookSettings() Settings {
	s := Defaults()
	s.URL, s.Healthy = "https://prow.k8s.io/hook", []int{200, 405}
	return s
}

func newSource(t *testing.T, s Settings, network http.RoundTripper, told *[]string) *Source {
	t.Helper()
	if errs := s.Validate(); errs != nil {
		t.Fatalf("settings: %v", errs)
	}
	tell := func(err error) {
		text := "well"
		if err != nil {
			text = err.Error()
		}
		if told != nil {
			*told = append(*told, text)
		}
	}
	src, err := New("hook", "k8s-infra-prow", s, network, tell)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// one is the entry of one probe, as written, and its batch.
func one(t *testing.T, src *Source) (map[string]any, logs.Batch) {
	t.Helper()
	b := src.probe(t.Context())
	var e map[string]any
	if err := json.Unmarshal(b.Data, &e); err != nil || b.Data[len(b.Data)-1] != '\n' {
		t.Fatalf("entry %q: %v", b.Data, err)
	}
	return e, b
}

// The form of the entry is a promise to rules.
func TestEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(t, hookSettings(), answers(func(req *http.Request) (*http.Response, error) {
			if req.UserAgent() != "tocsin-probe/1" || req.Method != "GET" || req.URL.String() != "https://prow.k8s.io/hook" {
				t.Errorf("request %s %s of %s", req.Method, req.URL, req.UserAgent())
			}
			time.Sleep(81234 * time.Microsecond)
			return answer(405, "405 Method not allowed\n", nil), nil
		}), nil)
		b := src.probe(t.Context())
		id := insertID(t, b.Data)
		want := `{"logName":"projects/k8s-infra-prow/logs/tocsin%2Fprobe",` +
			`"resource":{"type":"uptime_url","labels":{"project_id":"k8s-infra-prow","host":"prow.k8s.io"}},"labels":{"probe":"hook"},"severity":"INFO",` +
			`"httpRequest":{"requestMethod":"GET","requestUrl":"https://prow.k8s.io/hook","status":405,"latency":"0.081234s","userAgent":"tocsin-probe/1"},` +
			`"jsonPayload":{"probe":"hook","success":true,"error":"","answeredBy":"service","phases":{"transfer":0}},` +
			`"timestamp":"2000-01-01T00:00:00Z","receiveTimestamp":"2000-01-01T00:00:00.081234Z","insertId":"` + id + `"}` + "\n"
		if diff := cmp.Diff(want, string(b.Data)); diff != "" {
			t.Errorf("entry (-want +got):\n%s", diff)
		}
		if !b.CaughtUp || b.Blind || b.Source != "hook" || b.Form != logs.Lines {
			t.Errorf("batch %+v", b)
		}
		if again := insertID(t, src.probe(t.Context()).Data); again == id {
			t.Error("two probes have the same insertId")
		}
	})
}

func insertID(t *testing.T, data []byte) string {
	t.Helper()
	var e struct {
		InsertID string `json:"insertId"`
	}
	if err := json.Unmarshal(data, &e); err != nil || e.InsertID == "" {
		t.Fatalf("no insertId in %s: %v", data, err)
	}
	return e.InsertID
}

func TestReadProbesAtOnceAndThenEverySoOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		src := newSource(t, hookSettings(), answers(func(*http.Request) (*http.Response, error) {
			at = append(at, time.Since(start))
			time.Sleep(3 * time.Second)
			return answer(405, "", nil), nil
		}), nil)
		ctx, cancel := context.WithCancel(t.Context())
		out := make(chan logs.Batch, 100)
		ended := make(chan error, 1)
		go func() { ended <- src.Read(ctx, "", out) }()
		time.Sleep(95 * time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Read returned %v, want nil", err)
		}
		want := []time.Duration{0, 30 * time.Second, 60 * time.Second, 90 * time.Second}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Errorf("probed at (-want +got):\n%s", diff)
		}
		if len(out) != 4 {
			t.Errorf("%d entries, want 4", len(out))
		}
	})
}

// A probe that is ended by tocsin's own end says nothing of the service.
func TestReadEndsInMidProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(t, hookSettings(), answers(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}), nil)
		ctx, cancel := context.WithCancel(t.Context())
		out := make(chan logs.Batch, 1)
		ended := make(chan error, 1)
		go func() { ended <- src.Read(ctx, "", out) }()
		time.Sleep(time.Second)
		cancel()
		if err := <-ended; err != nil || len(out) != 0 {
			t.Errorf("Read returned %v and sent %d entries, want nil and none", err, len(out))
		}
	})
}

func TestControlTarget(t *testing.T) {
	refused := errors.New("connect: connection refused")
	healthy := func() (*http.Response, error) { return answer(405, "", nil), nil }
	down := func() (*http.Response, error) { return nil, refused }
	broken := func() (*http.Response, error) { return answer(503, "", nil), nil }
	tests := map[string]struct {
		hook, control func() (*http.Response, error)
		want          map[string]any
		severity      string
		blind         bool
	}{
		"all is well": {healthy, down, map[string]any{"success": true, "error": ""}, "INFO", false},
		"only the service is away": {down, func() (*http.Response, error) { return answer(204, "", nil), nil },
			map[string]any{"success": false, "error": "connect: connection refused", "cause": "connect"}, "ERROR", false},
		"the network is away": {down, down,
			map[string]any{"blind": true, "error": "connect: connection refused; the control target fails too: connect: connection refused", "cause": "connect"}, "WARNING", true},
		"the way out is broken": {broken, broken,
			map[string]any{"blind": true, "error": "status 503 Service Unavailable, healthy is 200 or 405; the control target fails too: status 503", "cause": "status"}, "WARNING", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := hookSettings()
			s.Control = "https://www.gstatic.com/generate_204"
			var told []string
			asked := 0
			src := newSource(t, s, answers(func(req *http.Request) (*http.Response, error) {
				if req.URL.Host == "www.gstatic.com" {
					asked++
					return tt.control()
				}
				return tt.hook()
			}), &told)
			e, b := one(t, src)
			payload := e["jsonPayload"].(map[string]any)
			for _, name := range []string{"probe", "phases", "answeredBy"} {
				delete(payload, name)
			}
			if diff := cmp.Diff(tt.want, payload); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
			if e["severity"] != tt.severity || b.Blind != tt.blind || (len(told) == 1) != tt.blind {
				t.Errorf("severity %v, blind %v, told %q", e["severity"], b.Blind, told)
			}
			if name == "all is well" && asked > 0 {
				t.Error("the control target was asked though nothing failed")
			}
		})
	}
}

// The control target is told of once when it goes and once when it is back.
func TestBlindIsToldOnce(t *testing.T) {
	s := hookSettings()
	s.Control = "https://www.gstatic.com/generate_204"
	var told []string
	err := errors.New("network is unreachable")
	src := newSource(t, s, answers(func(*http.Request) (*http.Response, error) {
		if err != nil {
			return nil, err
		}
		return answer(405, "", nil), nil
	}), &told)
	one(t, src)
	one(t, src)
	err = nil
	one(t, src)
	one(t, src)
	want := []string{"source hook: probe https://prow.k8s.io/hook: network is unreachable; the control target fails too: network is unreachable", "well"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestHostileAnswer(t *testing.T) {
	src := newSource(t, hookSettings(), answers(func(*http.Request) (*http.Response, error) {
		return answer(500, strings.Repeat("\x1b[31m\u202e<!channel>\n\xff\"", 1<<20), nil), nil
	}), nil)
	e, b := one(t, src)
	if len(b.Data) > 2000 || strings.Count(string(b.Data), "\n") != 1 {
		t.Errorf("the entry has %d bytes and %d lines", len(b.Data), strings.Count(string(b.Data), "\n"))
	}
	excerpt, _ := e["jsonPayload"].(map[string]any)["body"].(string)
	if excerpt == "" || strings.ContainsAny(excerpt, "\x1b\n") || len(excerpt) > excerptBytes+len("…") {
		t.Errorf("excerpt %q", excerpt)
	}
}

func TestProjectIsNeeded(t *testing.T) {
	if _, err := New("hook", "", hookSettings(), nil, nil); err == nil || !strings.Contains(err.Error(), "set `project`") {
		t.Errorf("New without a project: %v", err)
	}
}
