package fakes_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/fakes"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

func enqueue(t *testing.T, url, action, key string) int {
	t.Helper()
	body := fmt.Sprintf(`{"routing_key":"r","event_action":%q,"dedup_key":%q,"payload":{"summary":"s","source":"x","severity":"critical"}}`, action, key)
	resp, err := http.Post(url+"/v2/enqueue", "application/json", bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestPagerDutyRings holds the stand-in to what a key means: it rings when it is new or was resolved, never while it is open.
func TestPagerDutyRings(t *testing.T) {
	fake := fakes.NewPagerDuty()
	var seen []string
	fake.Observe = func(e fakes.PagerDutyEvent) { seen = append(seen, e.Kind+" "+e.Alert.Key) }
	server := httptest.NewServer(fake)
	defer server.Close()
	for _, step := range []struct {
		action string
		rings  int
		status string
	}{
		{"trigger", 1, "triggered"}, {"trigger", 1, "triggered"}, {"acknowledge", 1, "acknowledged"}, {"trigger", 1, "acknowledged"},
		{"resolve", 1, "resolved"}, {"resolve", 1, "resolved"}, {"acknowledge", 1, "resolved"}, {"trigger", 2, "triggered"},
	} {
		if code := enqueue(t, server.URL, step.action, "k"); code != http.StatusAccepted {
			t.Errorf("%s: %d", step.action, code)
		}
		s := fake.Snapshot()
		if last := s.Alerts[len(s.Alerts)-1]; s.Rings["k"] != step.rings || last.Status != step.status {
			t.Errorf("after %s: %d rings, %s; want %d, %s", step.action, s.Rings["k"], last.Status, step.rings, step.status)
		}
	}
	if code := enqueue(t, server.URL, "resolve", "never"); code != http.StatusAccepted {
		t.Errorf("a resolve of nothing is accepted: %d", code)
	}
	if diff := cmp.Diff([]string{"trigger after a resolve of k", "resolve before any trigger of never"}, fake.Snapshot().Wrong); diff != "" {
		t.Errorf("wrong (-want +got):\n%s", diff)
	}
	if code := enqueue(t, server.URL, "shout", "k"); code != http.StatusBadRequest {
		t.Errorf("an action that is none: %d", code)
	}
	if diff := cmp.Diff([]string{"rang k", "acknowledged k", "resolved k", "rang k"}, seen); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
	if !fake.Acknowledge("k", "Ada") || fake.Acknowledge("k", "Grace") || fake.Resolve("nothing", "Ada") {
		t.Error("only what is open, and not so already, can be answered")
	}
}

func TestPagerDutyIncidents(t *testing.T) {
	fake := fakes.NewPagerDuty()
	fake.Token = "t"
	server := httptest.NewServer(fake)
	defer server.Close()
	for i := range 5 {
		enqueue(t, server.URL, "trigger", fmt.Sprint("k", i))
	}
	fake.Acknowledge("k1", "Ada")
	fake.Resolve("k2", "Grace")
	get := func(token, query string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/incidents?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Token token="+token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			More      bool `json:"more"`
			Incidents []struct {
				Key    string `json:"incident_key"`
				Status string `json:"status"`
			} `json:"incidents"`
		}
		if resp.StatusCode == http.StatusOK {
			if err := json.Unmarshal(body, &answer); err != nil {
				t.Fatal(err)
			}
		}
		var out []string
		for _, in := range answer.Incidents {
			out = append(out, in.Key+" "+in.Status)
		}
		return resp.StatusCode, fmt.Sprint(strings.Join(out, ", "), " ", answer.More)
	}
	for query, want := range map[string]string{
		"incident_key=k2": "k2 resolved false", "incident_key=nothing": " false",
		"statuses[]=triggered&statuses[]=acknowledged&sort_by=created_at:desc&limit=2":          "k4 triggered, k3 triggered true",
		"statuses[]=triggered&statuses[]=acknowledged&sort_by=created_at:desc&limit=2&offset=2": "k1 acknowledged, k0 triggered false",
	} {
		if code, got := get("t", query); code != http.StatusOK || got != want {
			t.Errorf("%s: %d %q, want %q", query, code, got, want)
		}
	}
	if code, _ := get("wrong", ""); code != http.StatusUnauthorized {
		t.Errorf("another token: %d", code)
	}
}
