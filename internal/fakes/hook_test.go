package fakes

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func signed(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// The rows are what the real hook answered.
func TestHookAnswers(t *testing.T) {
	const probe = `{"repository":{"full_name":"probe-org/x"}}`
	event := http.Header{"X-Github-Event": {"ping"}}
	delivery := http.Header{"X-Github-Event": {"ping"}, "X-Github-Delivery": {"1"}}
	with := func(pairs ...string) http.Header {
		h := delivery.Clone()
		h.Set("Content-Type", "application/json")
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	orgs := map[string]string{"probe-org": "key"}
	tests := map[string]struct {
		orgs         map[string]string
		method, path string
		header       http.Header
		body         string
		want         string
	}{
		"GET /":                    {nil, "GET", "/", nil, "", `200 ""`},
		"GET /hook":                {nil, "GET", "/hook", nil, "", `405 "405 Method not allowed"`},
		"HEAD /hook":               {nil, "HEAD", "/hook", nil, "", `405 ""`},
		"no headers":               {nil, "POST", "/hook", nil, "{}", `400 "400 Bad Request: Missing X-GitHub-Event Header"`},
		"event only":               {nil, "POST", "/hook", event, "{}", `400 "400 Bad Request: Missing X-GitHub-Delivery Header"`},
		"no signature":             {nil, "POST", "/hook", delivery, "{}", `403 "403 Forbidden: Missing X-Hub-Signature-256"`},
		"sha1 only":                {nil, "POST", "/hook", with("X-Hub-Signature", "sha1=00"), "{}", `403 "403 Forbidden: Missing X-Hub-Signature-256"`},
		"wrong content-type":       {nil, "POST", "/hook", with("X-Hub-Signature-256", "x", "Content-Type", "text/plain"), "{}", `400 "400 Bad Request: Hook only accepts content-type: application/json - please reconfigure this hook on GitHub"`},
		"wrong key":                {nil, "POST", "/hook", with("X-Hub-Signature-256", signed("other", "{}")), "{}", `403 "403 Forbidden: Invalid X-Hub-Signature-256 - misconfigured webhook secret from organization/repo:"`},
		"a signature of no kind":   {nil, "POST", "/hook", with("X-Hub-Signature-256", strings.TrimPrefix(signed("key", "{}"), "sha256=")), "{}", `403 "403 Forbidden: Invalid X-Hub-Signature-256 - misconfigured webhook secret from organization/repo:"`},
		"body not JSON":            {nil, "POST", "/hook", with("X-Hub-Signature-256", signed("key", "hm")), "hm", `403 "403 Forbidden: Invalid X-Hub-Signature-256 - invalid payload"`},
		"right, one secret":        {nil, "POST", "/hook", with("X-Hub-Signature-256", signed("key", "{}")), "{}", `200 "Event received. Have a nice day."`},
		"right, secrets by org":    {orgs, "POST", "/hook", with("X-Hub-Signature-256", signed("key", "{}")), "{}", `403 "403 Forbidden: Invalid X-Hub-Signature-256 - failed to get an appropriate hmac secret"`},
		"right, probe-org":         {orgs, "POST", "/hook", with("X-Hub-Signature-256", signed("key", probe)), probe, `200 "Event received. Have a nice day."`},
		"right, both signatures":   {nil, "POST", "/hook", with("X-Hub-Signature-256", signed("key", "{}"), "X-Hub-Signature", "sha1=00"), "{}", `200 "Event received. Have a nice day."`},
		"right, secret of any org": {map[string]string{"*": "key"}, "POST", "/hook", with("X-Hub-Signature-256", signed("key", "{}")), "{}", `200 "Event received. Have a nice day."`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(&Hook{Secret: "key", Orgs: tt.orgs})
			defer server.Close()
			req, err := http.NewRequest(tt.method, server.URL+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.header != nil {
				req.Header = tt.header
			}
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%d %q", resp.StatusCode, strings.TrimSpace(string(body))); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestHookStates(t *testing.T) {
	hook := &Hook{}
	server := httptest.NewServer(hook)
	defer server.Close()
	hook.Set(HookDown)
	resp, err := server.Client().Get(server.URL + "/hook")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != 502 || resp.Header.Get("Via") != "1.1 google" || !bytes.Contains(body, []byte("<h1>Error: Server Error</h1>")) {
		t.Errorf("down: %d %v %q %v", resp.StatusCode, resp.Header, body, err)
	}
	hook.Set(HookRefuse)
	if resp, err := server.Client().Get(server.URL + "/hook"); err == nil {
		resp.Body.Close()
		t.Errorf("refusing: answered %d", resp.StatusCode)
	}
	hook.Set(HookHealthy)
	if resp, err = server.Client().Get(server.URL + "/hook"); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 405 {
		t.Errorf("healthy again: %d", resp.StatusCode)
	}
}

func TestHookLog(t *testing.T) {
	var log bytes.Buffer
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	hook := &Hook{Log: &log, Project: "p", Now: func() time.Time { at = at.Add(time.Second); return at }}
	for _, write := range []func() error{func() error { return hook.Chatter(1) }, hook.ConfigError, hook.Fatal, hook.BackOff} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	ids := map[string]bool{}
	var got []string
	for line := range strings.Lines(log.String()) {
		var e struct {
			LogName, Severity, Timestamp, ReceiveTimestamp, InsertID string
			Resource                                                 struct {
				Type   string
				Labels map[string]string
			}
			Labels      map[string]string
			JSONPayload struct{ Component, Level, Msg, Error, Reason, Message string }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Timestamp != e.ReceiveTimestamp || ids[e.InsertID] || e.Labels["logging.gke.io/top_level_controller_name"] != "hook" {
			t.Errorf("entry %s", line)
		}
		ids[e.InsertID] = true
		l := e.Resource.Labels
		got = append(got, fmt.Sprintf("%s %s %s %s/%s/%s/%s/%s %s|%s|%s|%s|%s", e.Timestamp, e.LogName, e.Severity, e.Resource.Type, l["cluster_name"], l["namespace_name"],
			l["pod_name"], l["container_name"], e.JSONPayload.Level, e.JSONPayload.Msg, e.JSONPayload.Error, e.JSONPayload.Reason, e.JSONPayload.Message))
	}
	want := []string{
		"2026-11-22T10:00:01Z projects/p/logs/stderr INFO k8s_container/prow/default/hook-6d5f7c9b84-x2x7q/hook info|Comment is by an author who is not in the org.|||",
		"2026-11-22T10:00:02Z projects/p/logs/stderr ERROR k8s_container/prow/default/hook-6d5f7c9b84-x2x7q/hook error|Error loading config.|duplicated preset label : preset-aws-credential||",
		"2026-11-22T10:00:03Z projects/p/logs/stderr CRITICAL k8s_container/prow/default/hook-6d5f7c9b84-x2x7q/hook fatal|Error starting config agent.|duplicated preset label : preset-aws-credential||",
		"2026-11-22T10:00:04Z projects/p/logs/events WARNING k8s_pod/prow/default/hook-6d5f7c9b84-x2x7q/ |||BackOff|Back-off restarting failed container hook in pod hook-6d5f7c9b84-x2x7q_default(6f0a5a4e-1f2b-11e9-9f0e-42010a800fd2)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
