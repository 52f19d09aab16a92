package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/internal/store"
)

// TestPostedAlerts: what Prometheus, amtool and an Alertmanager's webhook post is kept before the answer; what is wrong is said, beside
// what is right; what tocsin itself has handed to an Alertmanager does not come back.
func TestPostedAlerts(t *testing.T) {
	var kept []store.Posted
	var full error
	h, _, _ := serve(t, func(o *Options) {
		o.Post = func(_ context.Context, alerts []store.Posted, now time.Time) error {
			kept = append(kept, alerts...)
			return full
		}
	})
	say := func(p store.Posted) string {
		return fmt.Sprintf("%s over=%v ends=%s", p.Labels["alertname"], p.Over, p.EndsAt.Sub(noon))
	}
	stamp := func(d time.Duration) string { return noon.Add(d).Format(time.RFC3339) }
	for _, c := range []struct {
		what, body string
		status     int
		want       string // what is kept, or a part of the answer
	}{
		{"amtool's", `[{"labels":{"alertname":"a"},"annotations":{"summary":"x"},"startsAt":"0001-01-01T00:00:00.000Z","endsAt":"0001-01-01T00:00:00.000Z"}]`, 200, "a over=false ends=5m0s"},
		{"Prometheus', firing", `[{"labels":{"alertname":"a","severity":"page"},"startsAt":"` + stamp(-time.Hour) + `","endsAt":"` + stamp(4*time.Minute) + `","generatorURL":"http://prometheus/graph"}]`, 200, "a over=false ends=4m0s"},
		{"Prometheus', over", `[{"labels":{"alertname":"a"},"startsAt":"` + stamp(-time.Hour) + `","endsAt":"` + stamp(-time.Second) + `"}]`, 200, "a over=true ends=-1s"},
		{"a webhook's", `{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"a"},"startsAt":"` + stamp(-time.Hour) + `","endsAt":"0001-01-01T00:00:00Z"},{"status":"resolved","labels":{"alertname":"b"},"endsAt":"` + stamp(0) + `"}]}`, 200, "a over=false ends=24h0m0s, b over=true ends=0s"},
		{"none", `[]`, 200, ""},
		{"our own", `[{"labels":{"alertname":"a","incident":"01D1W0XQ0VABCDEFGHJKMNPQRS"}}]`, 200, ""},
		{"one is wrong", `[{"labels":{"severity":"x"}},{"labels":{"alertname":"b"}}]`, 400, "alert 0: it has no label alertname"},
		{"no JSON", `alertname=a`, 400, "the body is not"},
		{"an object that is nothing", `{}`, 400, "an object without alerts: send an array"},
		{"one alert alone", `{"labels":{"alertname":"a"}}`, 400, "an object without alerts: send an array"},
		{"a webhook's of nothing", `{"version":"4","alerts":[]}`, 200, ""},
		{"no array", `null`, 400, "the body is not [{"},
		{"a time that is none", `[{"labels":{"alertname":"a"},"startsAt":"now"}]`, 400, "the body is not"},
		{"a name that is none", `[{"labels":{"alertname":"a","\u001b[31m":"x"}}]`, 400, "is no name in its labels"},
		{"too much", `[{"labels":{"alertname":"` + strings.Repeat("x", maxAlertsBody) + `"}}]`, 413, "longer than"},
	} {
		kept = nil
		answer, text := ask(t, h.Config.Handler, "POST", alertsPath, c.body, "Content-Type", jsonType)
		var got []string
		for _, p := range kept {
			got = append(got, say(p))
		}
		if answer.StatusCode != c.status || c.status == 200 && strings.Join(got, ", ") != c.want || c.status != 200 && !strings.Contains(text, c.want) {
			t.Errorf("%s: %d %q, kept %q; want %d %q", c.what, answer.StatusCode, text, got, c.status, c.want)
		}
		if c.what == "one is wrong" && len(kept) != 1 {
			t.Errorf("what is right beside it: %q", got)
		}
		for _, p := range kept {
			if len(p.Labels["alertname"]) > maxAlertText {
				t.Errorf("%s: a label of %d bytes", c.what, len(p.Labels["alertname"]))
			}
		}
	}
	full = store.ErrManyPosted
	answer, _ := ask(t, h.Config.Handler, "POST", alertsPath, `[{"labels":{"alertname":"a"}}]`, "Content-Type", jsonType)
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("full: %d", answer.StatusCode)
	}
	if answer, _ := ask(t, h.Config.Handler, "POST", alertsPath, `[]`, "Content-Type", "text/plain"); answer.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("what a form could send: %d", answer.StatusCode)
	}
}

// TestABodyThatDoesNotCome: who stops in the middle of a body is told so after the server's time for reading, and nothing of the network.
func TestABodyThatDoesNotCome(t *testing.T) {
	h, _, _ := serve(t, nil)
	server := httptest.NewUnstartedServer(h.Config.Handler)
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	defer server.Close()
	for _, path := range []string{alertsPath, hearPath, "/api/v1/incidents/01D1VX/acknowledge"} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", path)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), "did not come in time") || strings.Contains(string(text), "127.0.0.1") {
			t.Errorf("%s: %d %s (%v)", path, answer.StatusCode, text, err)
		}
	}
}
