package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// ask makes one request and reads the answer. headers are pairs of name and value; Host sets the request's host.
func ask(t testing.TB, h http.Handler, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost:8440"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	answer := w.Result()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}

// filled is a service with the outage in its store, and the outage's id.
func filled(t testing.TB, change func(*Options)) (http.Handler, *store.Store, string) {
	t.Helper()
	s := openStore(t)
	inc, events, told := outage()
	fill(t, s, []incident.Incident{inc}, events, told, watched()...)
	o := options(s)
	if change != nil {
		change(&o)
	}
	return New(o), s, inc.ID
}

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

// TestEveryRoute asks each route of the table once, in order, and holds that the test knows all of them.
func TestEveryRoute(t *testing.T) {
	h, s, id := filled(t, nil)
	known := map[string]bool{}
	for _, c := range []struct {
		method, route, path, body, send string
		status                          int
		kind                            string
	}{
		{"GET", "/{$}", "/", "", "", 200, "text/html; charset=utf-8"},
		{"GET", "/incidents/{id}", "/incidents/" + id, "", "", 200, "text/html; charset=utf-8"},
		{"GET", "/incidents/{id}", "/incidents/" + strings.ToLower(id[:8]), "", "", 302, ""},
		{"GET", "/incidents/{id}", "/incidents/000000", "", "", 404, "text/html; charset=utf-8"},
		{"GET", "/incidents/{id}", "/incidents/01D1", "", "", 400, "text/html; charset=utf-8"},
		{"GET", "/incidents/{id}", "/incidents/..%2f..%2fetc", "", "", 400, "text/html; charset=utf-8"},
		{"GET", "/static/{name}", "/static/tocsin.css", "", "", 200, "text/css; charset=utf-8"},
		{"GET", "/static/{name}", "/static/tocsin.js", "", "", 200, "text/javascript; charset=utf-8"},
		{"GET", "/static/{name}", "/static/bell.svg", "", "", 200, "image/svg+xml"},
		{"GET", "/static/{name}", "/static/..%2fserver.go", "", "", 404, "text/html; charset=utf-8"},
		{"GET", "/healthz", "/healthz", "", "", 200, "text/plain; charset=utf-8"},
		{"GET", "/readyz", "/readyz", "", "", 200, "text/plain; charset=utf-8"},
		{"GET", "/metrics", "/metrics", "", "", 200, "text/plain; version=0.0.4"},
		{"GET", "/api/v1/incidents", "/api/v1/incidents?state=open,resolved&limit=3", "", "", 200, "application/json; charset=utf-8"},
		{"GET", "/api/v1/incidents/{id}", "/api/v1/incidents/" + id[:6], "", "", 200, "application/json; charset=utf-8"},
		{"GET", "/api/v1/incidents/{id}", "/api/v1/incidents/000000", "", "", 404, "application/json; charset=utf-8"},
		{"GET", "/api/v1/status", "/api/v1/status", "", "", 200, "application/json; charset=utf-8"},
		{"GET", "/api/v1/rules/{rule}/record", "/api/v1/rules/prow-config-load-error/record", "", "", 200, "application/json; charset=utf-8"},
		{"GET", "/api/v1/rules/{rule}/record", "/api/v1/rules/prow-config-load-error/record?since=2026-03-03T00:00:00Z", "", "", 200, "application/json; charset=utf-8"},
		{"GET", "/api/v1/rules/{rule}/record", "/api/v1/rules/NOSUCH/record", "", "", 404, "application/json; charset=utf-8"},
		{"GET", "/api/v1/rules/{rule}/record", "/api/v1/rules/prow-config-load-error/record?since=lately", "", "", 400, "application/json; charset=utf-8"},
		{"GET", "/api/v1/rules/{rule}/record", "/api/v1/rules/prow-config-load-error/record?for=7d", "", "", 400, "application/json; charset=utf-8"},
		{"POST", "/api/v1/incidents/{id}/split", "/api/v1/incidents/" + id + "/split", `{"by":"ana","rule":"prow-crash-loop"}`, jsonType, 200, "application/json; charset=utf-8"},
		{"POST", "/api/v1/incidents/{id}/split", "/api/v1/incidents/" + id + "/split", `{"by":"ana","rule":"nothing"}`, jsonType, 404, "application/json; charset=utf-8"},
		{"POST", "/api/v1/incidents/{id}/split", "/api/v1/incidents/" + id + "/split", `{"by":"ana"}`, jsonType, 404, "application/json; charset=utf-8"},
		{"POST", "/incidents/{id}/split", "/incidents/" + id + "/split", "by=ana&alert=" + url.QueryEscape(`prow-webhook-502-probe {"service":"hook"}`), formType, 303, ""},
		{"POST", "/incidents/{id}/split", "/incidents/" + id + "/split", "by=ana&alert=prow-config-load-error", formType, 409, "text/html; charset=utf-8"},
		{"POST", "/incidents/{id}/merge", "/incidents/" + id + "/merge", "by=ana&into=" + id, formType, 400, "text/html; charset=utf-8"},
		{"POST", "/incidents/{id}/merge", "/incidents/" + id + "/merge", "by=ana&into=x", formType, 400, "text/html; charset=utf-8"},
		{"POST", "/api/v1/incidents/{id}/merge", "/api/v1/incidents/" + id + "/merge", `{"by":"ana","into":"01D1VX0000"}`, jsonType, 404, "application/json; charset=utf-8"},
		{"POST", "/api/v1/incidents/{id}/ask", "/api/v1/incidents/" + id + "/ask", `{"by":"ana","person":"ben"}`, jsonType, 200, "application/json; charset=utf-8"},
		{"POST", "/incidents/{id}/ask", "/incidents/" + id + "/ask", "by=ana&person=ben", formType, 303, ""},
		{"POST", "/incidents/{id}/ask", "/incidents/" + id + "/ask", "by=ana&person=nobody", formType, 404, "text/html; charset=utf-8"},
		{"POST", "/api/v1/incidents/{id}/acknowledge", "/api/v1/incidents/" + id + "/acknowledge", `{"by":"ana"}`, jsonType, 200, "application/json; charset=utf-8"},
		{"POST", "/incidents/{id}/acknowledge", "/incidents/" + id + "/acknowledge", "by=ben", formType, 303, ""},
		{"POST", "/incidents/{id}/resolve", "/incidents/" + id + "/resolve", "by=ben", formType, 303, ""},
		{"POST", "/incidents/{id}/resolve", "/incidents/" + id + "/resolve", "by=ben", formType, 409, "text/html; charset=utf-8"},
		{"POST", "/api/v1/incidents/{id}/resolve", "/api/v1/incidents/" + id + "/resolve", `{"by":"ana"}`, jsonType, 409, "application/json; charset=utf-8"},
		{"POST", "/api/v1/silences", "/api/v1/silences", `{"matchers":["rule=\"a\""],"by":"ana","reason":"x","try":true}`, jsonType, 200, "application/json; charset=utf-8"},
		{"POST", "/api/v1/silences", "/api/v1/silences", `{"matchers":["rule=\"a\""],"by":"ana","reason":"x"}`, jsonType, 200, "application/json; charset=utf-8"},
		{"POST", "/api/v1/silences", "/api/v1/silences", `{"by":"ana"}`, jsonType, 400, "application/json; charset=utf-8"},
		{"POST", "/api/v1/silences", "/api/v1/silences", `{"matchers":["rule=\"a\""],"reason":"x"}`, jsonType, 400, "application/json; charset=utf-8"},
		{"GET", "/api/v1/silences", "/api/v1/silences", "", "", 200, "application/json; charset=utf-8"},
		{"GET", "/api/v1/silences", "/api/v1/silences?all=perhaps", "", "", 400, "application/json; charset=utf-8"},
		{"GET", "/api/v1/silences", "/api/v1/silences?al=true", "", "", 400, "application/json; charset=utf-8"},
		{"POST", "/api/v1/silences/{id}/expire", "/api/v1/silences/1/expire", `{"by":"ben"}`, jsonType, 200, "application/json; charset=utf-8"},
		{"POST", "/api/v1/silences/{id}/expire", "/api/v1/silences/7/expire", `{"by":"ben"}`, jsonType, 404, "application/json; charset=utf-8"},
		{"POST", "/api/v1/silences/{id}/expire", "/api/v1/silences/x/expire", `{"by":"ben"}`, jsonType, 400, "application/json; charset=utf-8"},
		{"GET", "/api/v1/silences", "/api/v1/silences?all=true", "", "", 200, "application/json; charset=utf-8"},
		{"GET", "/api/v1/oncall", "/api/v1/oncall", "", "", 200, "application/json; charset=utf-8"},
		{"POST", "/api/v1/oncall/{schedule}/overrides", "/api/v1/oncall/prow/overrides", `{"person":"ben","to":"2099-01-01T00:00:00Z","by":"ana","reason":"x"}`, jsonType, 400, "application/json; charset=utf-8"},
		{"POST", "/api/v1/oncall/{schedule}/overrides", "/api/v1/oncall/prow/overrides", `{"person":"ben","until":"2099-01-01T00:00:00Z"}`, jsonType, 400, "application/json; charset=utf-8"},
		{"POST", "/api/v1/notify-test", "/api/v1/notify-test", `{"target":"ops","by":"ana"}`, jsonType, 200, "application/json; charset=utf-8"},
		{"POST", "/incidents/{id}/note", "/incidents/" + id + "/note", "by=ana&text=the+disk+is+full", formType, 303, ""},
		{"POST", "/incidents/{id}/note", "/incidents/" + id + "/note", "by=ana&text=", formType, 400, "text/html; charset=utf-8"},
		{"POST", "/api/v1/incidents/{id}/notes", "/api/v1/incidents/" + id + "/notes", `{"by":"ana","text":"x"}`, jsonType, 200, "application/json; charset=utf-8"},
		{"POST", "/pagerduty/webhook", "/pagerduty/webhook", `{}`, jsonType, 404, "application/json; charset=utf-8"},
		{"POST", "/pagerduty/webhook", "/pagerduty/webhook", `x=y`, formType, 415, "application/json; charset=utf-8"},
		{"GET", "/incidents/{id}/postmortem", "/incidents/" + id + "/postmortem", "", "", 200, "text/markdown; charset=utf-8"},
		{"GET", "/incidents/{id}/postmortem", "/incidents/000000/postmortem", "", "", 404, "text/html; charset=utf-8"},
		{"GET", "/declare", "/declare", "", "", 200, "text/html; charset=utf-8"},
		{"POST", "/declare", "/declare", "by=ana&title=merges+hang&severity=high&labels=service%3Dtide", formType, 303, ""},
		{"POST", "/declare", "/declare", "by=ana&title=merges+hang&severity=high&labels=service%3Dtide", formType, 409, "text/html; charset=utf-8"},
		{"POST", "/declare", "/declare", "by=ana&title=x&severity=high&labels=service", formType, 400, "text/html; charset=utf-8"},
		{"POST", "/declare", "/declare", "by=ana&title=x&severity=worst", formType, 400, "text/html; charset=utf-8"},
		{"POST", "/declare", "/declare", "title=x&severity=high", formType, 400, "text/html; charset=utf-8"},
		{"POST", "/api/v1/incidents", "/api/v1/incidents", `{"title":"deck is slow","by":"ana","labels":{"service":"deck"}}`, jsonType, 200, "application/json; charset=utf-8"},
		{"POST", "/api/v1/incidents", "/api/v1/incidents", `{"title":"","by":"ana"}`, jsonType, 400, "application/json; charset=utf-8"},
		{"POST", "/api/v1/incidents", "/api/v1/incidents", `{"title":"x","severity":"worst","by":"ana"}`, jsonType, 400, "application/json; charset=utf-8"},
		{"GET", "/silences", "/silences?for=" + id, "", "", 200, "text/html; charset=utf-8"},
		{"GET", "/silences", "/silences?for=nowhere", "", "", 404, "text/html; charset=utf-8"},
		{"POST", "/silences/preview", "/silences/preview", "by=ana&for=2h&reason=x&matchers=rule%3D%22x%22", formType, 200, "text/html; charset=utf-8"},
		{"POST", "/silences/preview", "/silences/preview", "by=ana&for=9y&reason=x&matchers=x", formType, 400, "text/html; charset=utf-8"},
		{"POST", "/silences", "/silences", "by=ana&for=2h&reason=x&matchers=rule%3D%22x%22", formType, 303, ""},
		{"POST", "/silences", "/silences", "by=ana&for=2h&reason=x&matchers=+", formType, 400, "text/html; charset=utf-8"},
		{"POST", "/silences/{id}/expire", "/silences/1/expire", "by=ana", formType, 303, ""},
		{"GET", "/oncall", "/oncall", "", "", 200, "text/html; charset=utf-8"},
		{"POST", "/oncall/{schedule}/overrides", "/oncall/prow/overrides", "by=ana&for=2h&reason=x&person=ben", formType, 303, ""},
		{"POST", "/oncall/{schedule}/overrides", "/oncall/prow/overrides", "by=ana&for=2h&reason=x&person=nobody", formType, 400, "text/html; charset=utf-8"},
		{"GET", "/rules", "/rules", "", "", 200, "text/html; charset=utf-8"},
		{"GET", "/rules/{rule}", "/rules/prow-config-load-error", "", "", 200, "text/html; charset=utf-8"},
		{"GET", "/rules/{rule}", "/rules/nobody%2f..%2f", "", "", 404, "text/html; charset=utf-8"},
		{"GET", "/probes", "/probes", "", "", 200, "text/html; charset=utf-8"},
		{"GET", "/probes", "/probes?for=7d", "", "", 200, "text/html; charset=utf-8"},
		{"GET", "/probes", "/probes?for=9y", "", "", 400, "text/html; charset=utf-8"},
		{"GET", "/sources", "/sources", "", "", 200, "text/html; charset=utf-8"},
		{"GET", "/status", "/status", "", "", 200, "text/html; charset=utf-8"},
		{"POST", "/slack/{what}", "/slack/events", `{"type":"url_verification","challenge":"x"}`, jsonType, 404, "text/plain; charset=utf-8"},
		{"POST", "/api/v2/alerts", "/api/v2/alerts", `[{"labels":{"alertname":"a"}}]`, jsonType, 404, "application/json; charset=utf-8"},
		{"GET", "/login", "/login", "", "", 403, "text/html; charset=utf-8"},
		{"GET", "/login/callback", "/login/callback?code=x&state=y", "", "", 403, "text/html; charset=utf-8"},
		{"POST", "/logout", "/logout", "", formType, 303, ""},
		{"GET", "/api/v1/audit", "/api/v1/audit?before=9", "", "", 200, "application/json; charset=utf-8"},
		{"GET", "/api/v1/audit", "/api/v1/audit?before=x", "", "", 400, "application/json; charset=utf-8"},
		{"GET", "/api/v1/audit/verify", "/api/v1/audit/verify", "", "", 200, "application/json; charset=utf-8"},
		{"GET", "", "/api/v2/incidents", "", "", 404, "application/json; charset=utf-8"},
		{"GET", "", "/wp-admin", "", "", 404, "text/html; charset=utf-8"},
	} {
		known[c.method+" "+c.route] = true
		answer, text := ask(t, h, c.method, c.path, c.body, "Content-Type", c.send)
		if got := answer.Header.Get("Content-Type"); answer.StatusCode != c.status || !strings.HasPrefix(got, c.kind) || c.kind == "" && got != "" {
			t.Errorf("%s %s: %d %q, want %d %q\n%s", c.method, c.path, answer.StatusCode, answer.Header.Get("Content-Type"), c.status, c.kind, text)
		}
		if where := answer.Header.Get("Location"); (c.status == 302 || c.status == 303) && where != "/incidents/"+id && strings.HasPrefix(c.route, "/incidents") {
			t.Errorf("%s %s leads to %q", c.method, c.path, where)
		}
	}
	o := options(s)
	for _, r := range (&server{Options: o}).routes() {
		if r.path == followPath {
			continue // it goes on: TestFollow
		}
		if !known[r.method+" "+r.path] {
			t.Errorf("no case asks %s %s", r.method, r.path)
		}
	}
}

// TestOtherMethods holds that each path takes the methods of its routes and no other, and that no GET changes anything.
func TestOtherMethods(t *testing.T) {
	h, s, id := filled(t, nil)
	before := everything(t, s, id)
	paths := map[string][]string{}
	for _, r := range (&server{Options: options(s)}).routes() {
		if r.path == followPath {
			continue // it goes on: TestFollow
		}
		path := strings.NewReplacer("{id}", id, "{name}", "tocsin.css", "{rule}", "prow-config-load-error", "{$}", "").Replace(r.path)
		paths[path] = append(paths[path], r.method)
	}
	for path, methods := range paths {
		for _, other := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if other == "POST" && slices.Contains(methods, "POST") {
				continue
			}
			answer, _ := ask(t, h, other, path, `{"by":"ana"}`, "Content-Type", jsonType)
			if slices.Contains(methods, "GET") && (other == "GET" || other == "HEAD") {
				want := 200
				if strings.HasPrefix(path, "/login") {
					want = 403 // nobody signs in here
				}
				if answer.StatusCode != want {
					t.Errorf("%s %s: %d", other, path, answer.StatusCode)
				}
				continue
			}
			if answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != strings.Join(methods, ", ") {
				t.Errorf("%s %s: %d, Allow %q; want 405, Allow %q", other, path, answer.StatusCode, answer.Header.Get("Allow"), methods)
			}
		}
	}
	if diff := cmp.Diff(before, everything(t, s, id)); diff != "" {
		t.Errorf("something changed:\n%s", diff)
	}
}

// everything is all that the store holds of an incident.
func everything(t testing.TB, s *store.Store, id string) (all struct {
	Incident incident.Incident
	Events   []incident.Event
	Told     []incident.Notification
}) {
	t.Helper()
	err := s.View(t.Context(), func(tx *store.Tx) (err error) {
		if all.Incident, err = tx.Incident(t.Context(), id); err != nil {
			return err
		}
		if all.Events, err = tx.Events(t.Context(), id); err != nil {
			return err
		}
		all.Told, err = tx.Notifications(t.Context(), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestHeaders holds that every answer, also one that refuses, carries the headers that keep a page to itself.
func TestHeaders(t *testing.T) {
	h, _, id := filled(t, nil)
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
			"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		"X-Content-Type-Options": "nosniff",
		"Referrer-Policy":        "no-referrer",
		"X-Frame-Options":        "DENY",
		"Cache-Control":          "no-store",
	}
	for _, path := range []string{"/", "/incidents/" + id, "/api/v1/status", "/metrics", "/healthz", "/nowhere", "/api/nowhere", "/incidents/" + id + "/resolve"} {
		for _, host := range []string{"localhost", "evil.example"} {
			answer, _ := ask(t, h, "GET", path, "", "Host", host)
			for name, value := range want {
				if got := answer.Header.Get(name); got != value {
					t.Errorf("GET %s at %s: %s is %q, want %q", path, host, name, got, value)
				}
			}
		}
	}
}

func TestHosts(t *testing.T) {
	h, _, _ := filled(t, nil)
	for _, c := range []struct {
		host, path string
		status     int
	}{
		{"localhost", "/", 200}, {"localhost:8440", "/", 200}, {"LocalHost.", "/", 200}, {"127.0.0.1:8440", "/", 200}, {"127.9.9.9", "/", 200}, {"[::1]:8440", "/", 200}, {"[::1]", "/", 200},
		{"tocsin.example.com", "/", 200}, {"Tocsin.Example.com:443", "/", 200},
		{"evil.example", "/", 421}, {"localhost.evil.example:8440", "/", 421}, {"tocsin.example.com.evil.example", "/", 421}, {"", "/", 421}, {"10.0.0.7", "/", 421},
		{"10.0.0.7:8440", "/healthz", 200}, {"10.0.0.7:8440", "/readyz", 200}, {"[fd00::7]:8440", "/metrics", 200},
		{"evil.example", "/metrics", 421}, {"evil.example", "/api/v1/incidents", 421},
	} {
		if answer, _ := ask(t, h, "GET", c.path, "", "Host", c.host); answer.StatusCode != c.status {
			t.Errorf("Host %q, %s: %d, want %d", c.host, c.path, answer.StatusCode, c.status)
		}
	}
}

// TestOtherSites holds that a page of another site can change nothing, whichever way a browser says where it came from.
func TestOtherSites(t *testing.T) {
	h, s, id := filled(t, nil)
	before := everything(t, s, id)
	for _, path := range []string{"/incidents/" + id + "/resolve", "/api/v1/incidents/" + id + "/resolve"} {
		for _, headers := range [][]string{
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
			{"Origin", "http://localhost:9999"}, {"Sec-Fetch-Site", "cross-site", "Origin", "http://localhost:8440"},
		} {
			send := formType
			if strings.HasPrefix(path, "/api/") {
				send = jsonType
			}
			answer, _ := ask(t, h, "POST", path, "by=eve", append(headers, "Content-Type", send)...)
			if answer.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s with %q: %d, want 403", path, headers, answer.StatusCode)
			}
		}
	}
	if diff := cmp.Diff(before, everything(t, s, id)); diff != "" {
		t.Errorf("something changed:\n%s", diff)
	}
	if answer, _ := ask(t, h, "POST", "/incidents/"+id+"/resolve", "by=ana", "Sec-Fetch-Site", "same-origin", "Content-Type", formType); answer.StatusCode != 303 {
		t.Errorf("our own form: %d, want 303", answer.StatusCode)
	}
}

func TestHealth(t *testing.T) {
	var healthy, ready error
	h, _, _ := filled(t, func(o *Options) {
		o.Healthy, o.Ready = func() error { return healthy }, func() error { return ready }
	})
	expect := func(path string, status int, want string) {
		t.Helper()
		if answer, text := ask(t, h, "GET", path, ""); answer.StatusCode != status || text != want {
			t.Errorf("%s: %d %q, want %d %q", path, answer.StatusCode, text, status, want)
		}
	}
	expect("/healthz", 200, "ok\n")
	expect("/readyz", 200, "ok\n")
	ready = errors.New("source prow-logs has not\nbeen read yet")
	expect("/healthz", 200, "ok\n")
	expect("/readyz", 503, "source prow-logs has not been read yet\n")
	healthy = errors.New("the engine stands still")
	expect("/healthz", 503, "the engine stands still\n")
}

// TestFailure holds that a fault of our own is an answer in the form that was asked for, and that it tells nothing.
func TestFailure(t *testing.T) {
	h, _, id := filled(t, func(o *Options) { o.Status = func() Status { panic("secret-of-the-database") } })
	for path, kind := range map[string]string{"/": "text/html; charset=utf-8", "/api/v1/status": "application/json; charset=utf-8"} {
		answer, text := ask(t, h, "GET", path, "")
		if answer.StatusCode != 500 || answer.Header.Get("Content-Type") != kind || !strings.Contains(text, "tocsin failed at this itself") || strings.Contains(text, "secret") {
			t.Errorf("%s: %d %q\n%s", path, answer.StatusCode, answer.Header.Get("Content-Type"), text)
		}
	}
	answer, text := ask(t, h, "POST", "/api/v1/incidents/"+id+"/acknowledge", `{"by":"broken"}`, "Content-Type", jsonType)
	if answer.StatusCode != 500 || !strings.Contains(text, `"code":"internal"`) || strings.Contains(text, "secret") {
		t.Errorf("an action that fails: %d %s", answer.StatusCode, text)
	}
}

// TestStuckStore holds that nobody waits for ever for a store that does not answer, and that health and the process's own
// figures do not hang on it.
func TestStuckStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, _ := filled(t, func(o *Options) {
			o.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "other", Help: "x"}, func() float64 { return 7 }))
		})
		release, held := make(chan struct{}), make(chan struct{})
		for range 64 { // more than it has connections: they are all taken
			go s.View(t.Context(), func(*store.Tx) error { held <- struct{}{}; <-release; return nil })
		}
		go func() {
			for range held {
			}
		}()
		synctest.Wait()
		for path, status := range map[string]int{"/": 503, "/api/v1/status": 503, "/healthz": 200} {
			if answer, text := ask(t, h, "GET", path, ""); answer.StatusCode != status {
				t.Errorf("%s: %d, want %d\n%s", path, answer.StatusCode, status, text)
			}
		}
		answer, text := ask(t, h, "GET", "/metrics", "")
		if answer.StatusCode != 200 || !strings.Contains(text, "other 7") || !strings.Contains(text, "tocsin_build_info") || strings.Contains(text, "tocsin_incidents{") {
			t.Errorf("/metrics: %d\n%s", answer.StatusCode, text)
		}
		close(release)
		synctest.Wait()
		close(held)
		if answer, _ := ask(t, h, "GET", "/", ""); answer.StatusCode != 200 {
			t.Errorf("/ once it answers again: %d", answer.StatusCode)
		}
	})
}

func TestStaticIsAskedForByItsHash(t *testing.T) {
	h, _, _ := filled(t, nil)
	answer, text := ask(t, h, "GET", "/static/tocsin.js", "")
	tag := answer.Header.Get("ETag")
	if tag == "" || text == "" || answer.Header.Get("Cache-Control") != "no-cache" {
		t.Fatalf("ETag %q, Cache-Control %q, %d bytes", tag, answer.Header.Get("Cache-Control"), len(text))
	}
	if answer, text := ask(t, h, "GET", "/static/tocsin.js", "", "If-None-Match", tag); answer.StatusCode != 304 || text != "" {
		t.Errorf("asked again: %d, %d bytes", answer.StatusCode, len(text))
	}
}

func TestMetrics(t *testing.T) {
	h, s, _ := filled(t, func(o *Options) { o.Version = "v1\xff" })
	trouble(t, s, store.Trouble{Kind: "clock_jump", At: noon})
	_, text := ask(t, h, "GET", "/metrics", "")
	for _, want := range []string{
		`tocsin_incidents{state="open"} 1`, `tocsin_incidents{state="acknowledged"} 0`, `tocsin_incidents{state="resolved"} 0`, `tocsin_incidents{state="merged"} 0`,
		`tocsin_notifications{state="sent"} 2`, `tocsin_notifications{state="pending"} 1`, `tocsin_notifications{state="inflight"} 0`, `tocsin_notifications{state="cancelled"} 0`,
		`tocsin_outbox_oldest_pending_seconds 20`,
		`tocsin_source_clock_seconds{source="prow-logs"} 1.548245099e+09`,
		`tocsin_source_entries_total{source="prow-logs"} 1.204331e+06`, `tocsin_source_matches_total{source="hook"} 18`,
		`tocsin_source_broken_total{source="prow-logs"} 3`, `tocsin_source_late_total{source="prow-logs"} 1`,
		`tocsin_source_blind{source="hook"} 0`, `tocsin_source_caught_up{source="hook"} 1`,
		`tocsin_source_lag_seconds{source="hook"} 0`, `tocsin_outbox_pending{receiver=`, `tocsin_troubles{kind="clock_jump"} 1`,
		"tocsin_build_info{goversion=", "version=\"v1\ufffd\"} 1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestBadQueries(t *testing.T) {
	h, _, _ := filled(t, nil)
	for query, want := range map[string]string{
		"state=closed":  `state \"closed\" is not known: write open, acknowledged, resolved or merged`,
		"limit=0":       `limit \"0\" is not possible: write a number from 1 to 200`,
		"limit=201":     `limit \"201\" is not possible: write a number from 1 to 200`,
		"limit=ten":     `limit \"ten\" is not possible: write a number from 1 to 200`,
		"before=x":      `\"x\" is not an incident's id`,
		"stat=open":     `parameter \"stat\" is not known: there are state, limit and before`,
		"state=%zz":     `the query cannot be read`,
		"state=a%00%1b": `state \"a␀␛\" is not known`,
	} {
		answer, text := ask(t, h, "GET", "/api/v1/incidents?"+query, "")
		text = strings.ReplaceAll(text, `\u0026`, "&")
		if answer.StatusCode != 400 || !strings.Contains(text, want) || !strings.HasPrefix(text, `{"error":{"code":"invalid","text":`) {
			t.Errorf("?%s: %d %s, want 400 and %s", query, answer.StatusCode, text, want)
		}
	}
}

// TestBadBodies holds that what is not exactly a deed changes nothing and is told what would be.
func TestBadBodies(t *testing.T) {
	h, s, id := filled(t, nil)
	before := everything(t, s, id)
	for _, c := range []struct {
		send, body string
		status     int
		want       string
	}{
		{"", `{"by":"ana"}`, 415, "send the body as Content-Type: application/json"},
		{"text/plain", `{"by":"ana"}`, 415, "send the body as Content-Type: application/json"},
		{formType, `by=ana`, 415, "send the body as Content-Type: application/json"},
		{jsonType, ``, 400, "the body is not"},
		{jsonType, `null`, 400, "say who does this"},
		{jsonType, `{}`, 400, "say who does this"},
		{jsonType, `{"by":" "}`, 400, "say who does this"},
		{jsonType, `{"by":"a\nb"}`, 400, "say who does this"},
		{jsonType, `{"by":"a\u202eb"}`, 400, "say who does this"},
		{jsonType, `{"by":"` + strings.Repeat("ä", 81) + `"}`, 400, "say who does this"},
		{jsonType, `{"by":7}`, 400, "the body is not"},
		{jsonType, `["ana"]`, 400, "the body is not"},
		{jsonType, `{"by":"ana","at":"now"}`, 400, `unknown field`},
		{jsonType, `{"by":"ana"}{"by":"ben"}`, 400, "more than one value"},
		{jsonType, `{"by":"ana"`, 400, "the body is not"},
		{jsonType, `{"by":"` + strings.Repeat("a", maxBody) + `"}`, 413, fmt.Sprintf("longer than %d bytes", maxBody)},
	} {
		answer, text := ask(t, h, "POST", "/api/v1/incidents/"+id+"/acknowledge", c.body, "Content-Type", c.send)
		if answer.StatusCode != c.status || !strings.Contains(text, c.want) || !strings.Contains(text, `"code":"invalid"`) {
			t.Errorf("%s %.60s: %d %s, want %d and %s", c.send, c.body, answer.StatusCode, text, c.status, c.want)
		}
	}
	for body, status := range map[string]int{"": 400, "by=": 400, "by=a%0ab": 400, "by=%zz": 400, "by=" + strings.Repeat("a", maxBody): 413} {
		answer, text := ask(t, h, "POST", "/incidents/"+id+"/acknowledge", body, "Content-Type", formType)
		if answer.StatusCode != status {
			t.Errorf("form %.60s: %d, want %d\n%s", body, answer.StatusCode, status, text)
		}
	}
	if diff := cmp.Diff(before, everything(t, s, id)); diff != "" {
		t.Errorf("something changed:\n%s", diff)
	}
}
