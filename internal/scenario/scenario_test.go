package scenario_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/scenario"
)

// entry is what the tests look at.
type entry struct {
	LogName          string
	Severity         string
	Timestamp        time.Time
	ReceiveTimestamp time.Time
	InsertID         string `json:"insertId"`
	TextPayload      string
	JSONPayload      struct{ Level, Msg, Reason, Message, StatusDetails string }
	HTTPRequest      struct{ Status int }
	Resource         struct {
		Type   string
		Labels map[string]string
	}
}

func read(t *testing.T, name string, o scenario.Options) []entry {
	t.Helper()
	var b bytes.Buffer
	if err := scenario.WriteWith(&b, name, o); err != nil {
		t.Fatal(err)
	}
	var list []entry
	for line := range bytes.Lines(b.Bytes()) {
		if len(line) > 8<<10 {
			t.Fatalf("an entry of %d bytes: %.100s", len(line), line)
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		list = append(list, e)
	}
	return list
}

// wholes keeps what whole has read: a day is 60,000 entries.
var wholes = map[string][]entry{}

// whole is a scenario with seed 1.
func whole(t *testing.T, name string) []entry {
	t.Helper()
	if wholes[name] == nil {
		wholes[name] = read(t, name, scenario.Options{Seed: 1})
	}
	return wholes[name]
}

func TestSameBytes(t *testing.T) {
	sum := func(name string, seed uint64) [32]byte {
		h := sha256.New()
		// All that is random is drawn whatever the window: an hour and a half tells.
		if err := scenario.WriteWith(h, name, scenario.Options{Seed: seed, Until: 90 * time.Minute}); err != nil {
			t.Fatal(err)
		}
		return [32]byte(h.Sum(nil))
	}
	for _, name := range scenario.Names() {
		first := sum(name, 1)
		if sum(name, 1) != first {
			t.Errorf("%s: the same seed gives other bytes", name)
		}
		if sum(name, 2) == first {
			t.Errorf("%s: another seed gives the same bytes", name)
		}
	}
}

func TestEntries(t *testing.T) {
	for _, name := range scenario.Names() {
		s, err := scenario.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		var last time.Time
		outOfOrder := 0
		var newest time.Time
		for _, e := range whole(t, name) {
			if e.ReceiveTimestamp.Before(last) {
				t.Fatalf("%s: received at %s, after one of %s", name, e.ReceiveTimestamp, last)
			}
			last = e.ReceiveTimestamp
			if e.Timestamp.Before(s.Start) || !e.Timestamp.Before(s.End) || e.ReceiveTimestamp.Before(e.Timestamp) {
				t.Fatalf("%s: an entry of %s, received at %s", name, e.Timestamp, e.ReceiveTimestamp)
			}
			if e.Timestamp.Before(newest) {
				outOfOrder++
			} else {
				newest = e.Timestamp
			}
			if id := e.LogName + e.Timestamp.String() + e.InsertID; e.InsertID == "" || seen[id] {
				t.Fatalf("%s: identity %q is empty or there already", name, id)
			} else {
				seen[id] = true
			}
			if p := e.Resource.Labels["project_id"]; !strings.HasPrefix(e.LogName, "projects/"+p+"/logs/") {
				t.Fatalf("%s: log %s of project %s", name, e.LogName, p)
			}
		}
		if outOfOrder == 0 {
			t.Errorf("%s: all timestamps are in order, Cloud Logging's are not", name)
		}
	}
}

// kind sorts entries by what the rules and those who read them look for.
func kind(e entry) string {
	service := e.Resource.Labels["container_name"]
	switch place := e.Resource.Labels["namespace_name"] + e.Resource.Labels["namespace_id"]; {
	case e.Resource.Type == "uptime_url":
		return map[bool]string{true: "probe well", false: "probe failed"}[e.HTTPRequest.Status == 405]
	case e.Resource.Type == "http_load_balancer":
		return map[bool]string{true: "request served", false: "request " + e.JSONPayload.StatusDetails}[e.HTTPRequest.Status == 200]
	case e.JSONPayload.Reason == "BackOff":
		return place + " BackOff"
	case e.JSONPayload.Reason != "":
		return e.JSONPayload.Reason
	case strings.HasPrefix(e.TextPayload, "panic: "):
		return place + " panic"
	case e.TextPayload != "":
		return "stack"
	case e.JSONPayload.Level == "fatal" && place == "default":
		return "fatal " + e.JSONPayload.Msg
	case e.JSONPayload.Level == "fatal":
		return place + " fatal"
	case e.JSONPayload.Msg == "Error loading config.":
		return "does not load " + service
	default:
		return e.JSONPayload.Level
	}
}

type bounds struct{ least, most int }

// The bounds follow from the paces that the scenarios are described by, with room for jitter.
func TestCounts(t *testing.T) {
	const agent, api = "fatal Error starting config agent.", "fatal Error getting Kubernetes client for infrastructure cluster."
	tests := map[string]map[string]bounds{
		"quiet-day": {"info": {38000, 43000}, "request served": {10000, 11500}, "probe well": {2860, 2900}, "error": {80, 115},
			"request backend_connection_closed_before_data_sent_to_client": {12, 22}, "default BackOff": {}, "test-pods BackOff": {}, api: {}, "default panic": {}},
		"outage-2019-01-23": {
			// 16 h 43 min at 75 s; of hook four pods until between 11:50 and 12:47
			"does not load tide": {760, 850}, "does not load hook": {2300, 2650}, "does not load ghproxy": {},
			// four pods for between 3 h 25 and 4 h 22, every 302 s after the first ten minutes
			agent: {180, 225}, "default BackOff": {180, 225}, "request failed_to_pick_backend": {2000, 2350},
			"request failed_to_connect_to_backend": {22, 42}, "probe failed": {430, 445}, "probe well": {1825, 1850},
		},
		"hook-panic-2019-09-24": {"default panic": {20, 20}, "stack": {80, 80}, "default BackOff": {20, 20}, api: {}, "probe failed": {}},
		"github-502-flood":      {"error": {330, 450}, "default BackOff": {}, "probe failed": {}, "request failed_to_pick_backend": {}},
		"control-plane-upgrade": {api: {65, 75}, "default BackOff": {65, 75}, "probe failed": {}}, // 13 pods, five deaths each
		// An hour of back-off is its first ten minutes' seven deaths and one every 302 s; what goes on at a pace has its share of jitter.
		"boskos-crd-2019-03-26":       {"test-pods BackOff": {16, 18}, "test-pods fatal": {16, 18}, "default BackOff": {}},
		"config-too-large-2019-03-08": {"error": {10, 30}, "default BackOff": {}},
		"tide-stuck-2019-02-20":       {"error": {110, 150}, "default BackOff": {}},
		"mounts-2019-11-12":           {"FailedMount": {270, 345}, "default BackOff": {}},
		"probes-kill-hook-2020-08-20": {"Unhealthy": {80, 160}, "Killing": {40, 80}, "default BackOff": {40, 80}, "request failed_to_pick_backend": {500, 700}},
		"tokens-2019-07-18":           {"error": {55, 90}},
		"plugin-2021-08-18":           {"error": {380, 450}, "ScalingReplicaSet": {9, 9}},
		"usage-error":                 {"stack": {80, 100}, "default BackOff": {20, 25}},
		"silent-crash-loop":           {"default BackOff": {18, 18}},
		"no-room":                     {"FailedScheduling": {400, 470}},
		"nodes-come-and-go":           {"NodeNotReady": {36, 48}, "NodeReady": {36, 48}},
		"all-silent":                  {"info": {850, 1250}, "error": {1, 12}, "probe failed": {}},
		"all-silent-2019":             {"info": {850, 1250}, "error": {1, 12}, "probe failed": {}},
		"certificate-expires":         {"probe well": {235, 245}, "probe failed": {}},
		"certificate-expired":         {"probe failed": {98, 102}, "probe well": {135, 145}},
		"github-not-sending":          {"request served": {600, 760}, "probe failed": {}},
		"github-errors":               {"error": {600, 720}, "default BackOff": {}},
		"github-stops-merges":         {"error": {950, 1150}, "default BackOff": {}},
		"jobs-fail":                   {"error": {5, 12}, "default BackOff": {}},
		"webhooks-slow":               {"request client_disconnected_before_any_response": {600, 740}, "probe failed": {}},
		"restarts-unsaid":             {"Started": {15, 20}, "default BackOff": {}, "probe failed": {}},
		"map-missing":                 {"Failed": {80, 105}, "default BackOff": {}},
		"webhooks-refused":            {"request served": {610, 740}, "request response_sent_by_backend": {400, 500}, "probe failed": {}},
		"no-more-pods-2019":           {"error": {105, 150}, "default BackOff": {}},
		"github-silent-for-long":      {"request served": {820, 980}, "probe failed": {}},
		"test-job-flood":              {"test-pods fatal": {1800, 2400}, "default BackOff": {}, "default panic": {}},
		"test-job-flood-2019":         {"test-pods fatal": {1800, 2400}, "default BackOff": {}, "default panic": {}},
		"node-pool-upgrade":           {"NodeNotReady": {15, 21}, "FailedScheduling": {45, 63}, "default BackOff": {}},
		"refusals":                    {"request served": {700, 1000}, "default BackOff": {}},
		"sunday-night":                {"request served": {165, 195}},
		"early-day":                   {"ScalingReplicaSet": {18, 18}, "Killing": {28, 28}},
		"one-restart-each":            {"fatal Error starting secrets agent.": {9, 9}, "default BackOff": {9, 9}},
		"busy-day": {api: {78, 78}, "default BackOff": {78, 78}, "test-pods BackOff": {250, 330}, "test-pods fatal": {15, 21}, "test-pods panic": {15, 21},
			"FailedScheduling": {200, 360}, "Killing": {28, 28}, "ScalingReplicaSet": {18, 18}, "probe failed": {}},
	}
	for _, name := range scenario.Names() {
		got := map[string]int{}
		for _, e := range whole(t, name) {
			got[kind(e)]++
		}
		for k, b := range tests[name] {
			if n := got[k]; n < b.least || n > b.most {
				t.Errorf("%s: %d entries of %q, want %d to %d", name, n, k, b.least, b.most)
			}
		}
		if tests[name] == nil {
			t.Errorf("%s is not counted", name)
		}
	}
}

// What the outage of 2019 is on record for: when its lines begin and end.
func TestOutageTimes(t *testing.T) {
	first, last := map[string]string{}, map[string]string{}
	for _, e := range whole(t, "outage-2019-01-23") {
		k := kind(e)
		if at := e.Timestamp.Format("02 15:04"); first[k] == "" || at < first[k] {
			first[k] = at
		}
		if at := e.Timestamp.Format("02 15:04"); at > last[k] {
			last[k] = at
		}
	}
	const agent = "fatal Error starting config agent."
	if got := first[agent]; got != "23 11:50" {
		t.Errorf("the first pod dies at %s, want 11:50", got)
	}
	if got := first["does not load deck"]; got < "22 23:28" || got > "22 23:30" {
		t.Errorf("the first complaint is of %s, want just after 23:28:49", got)
	}
	for k, bound := range map[string]string{agent: "23 16:12", "does not load tide": "23 16:12", "does not load hook": "23 12:47", "probe failed": "23 16:27"} {
		if last[k] >= bound {
			t.Errorf("the last %q is of %s, want before %s", k, last[k], bound)
		}
	}
}

func TestEras(t *testing.T) {
	tests := []struct{ name, resource, infoSeverity string }{
		{"outage-2019-01-23", "container", "ERROR"},
		{"hook-panic-2019-09-24", "k8s_container", "ERROR"},
		{"quiet-day", "k8s_container", "INFO"},
	}
	for _, tt := range tests {
		for _, e := range read(t, tt.name, scenario.Options{Seed: 1, Until: 10 * time.Minute}) {
			if e.JSONPayload.Level != "info" {
				continue
			}
			if e.Resource.Type != tt.resource || e.Severity != tt.infoSeverity {
				t.Fatalf("%s: an info line is %s %s, want %s %s", tt.name, e.Resource.Type, e.Severity, tt.resource, tt.infoSeverity)
			}
		}
	}
}

// A window holds what the whole holds there, moved.
func TestWindow(t *testing.T) {
	const name = "outage-2019-01-23"
	s, err := scenario.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	from, until := 14*time.Hour+15*time.Minute, 14*time.Hour+25*time.Minute
	start := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	shift := start.Sub(s.Start.Add(from))
	var want []entry
	for _, e := range whole(t, name) {
		if d := e.Timestamp.Sub(s.Start); d >= from && d < until {
			e.Timestamp, e.ReceiveTimestamp = e.Timestamp.Add(shift), e.ReceiveTimestamp.Add(shift)
			want = append(want, e)
		}
	}
	got := read(t, name, scenario.Options{Seed: 1, From: from, Until: until, Start: start})
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 100 {
		t.Errorf("%d entries; -whole +window:\n%s", len(got), diff)
	}
	if last := got[len(got)-1].Timestamp; got[0].Timestamp.Before(start) || !last.Before(start.Add(10*time.Minute)) {
		t.Errorf("the window is from %s to %s", got[0].Timestamp, last)
	}
}

func TestRefused(t *testing.T) {
	tests := []struct {
		name string
		o    scenario.Options
		want string
	}{
		{"nosuch", scenario.Options{}, "there are quiet-day, outage-2019-01-23,"},
		{"quiet-day", scenario.Options{From: time.Hour, Until: time.Hour}, "the window is empty"},
		{"quiet-day", scenario.Options{From: 25 * time.Hour}, "the window is empty"},
		{"quiet-day", scenario.Options{From: -time.Hour}, "the window is empty"},
	}
	for _, tt := range tests {
		if err := scenario.WriteWith(io.Discard, tt.name, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %+v: %v, want %q", tt.name, tt.o, err, tt.want)
		}
	}
	full := failing{}
	if err := scenario.Write(full, "github-502-flood", 1); err == nil || !strings.Contains(err.Error(), io.ErrShortWrite.Error()) {
		t.Errorf("a full disk: %v", err)
	}
}

// failing takes nothing.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
