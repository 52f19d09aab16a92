package app

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"tocsin/internal/cloudsetup"
	"tocsin/internal/setting"
)

// TestDoctorSaysWhoNotices: of the heartbeat and the alert policy that is made for tocsin's silence it says which of them watch, and what
// keeps the policy from it. Only where neither is there nobody notices.
func TestDoctorSaysWhoNotices(t *testing.T) {
	const channel = "projects/prow/notificationChannels/1"
	made := func(query string, channels ...string) func(s *surgery, t *testing.T) {
		return func(s *surgery, t *testing.T) {
			t.Helper()
			clients, err := cloudsetup.Dial(t.Context(), s.cloud.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer clients.Close()
			for _, step := range clients.Apply(t.Context(), cloudsetup.Wanted{Project: "prow", Silent: cloudsetup.Silent{Query: query, Channels: channels}}) {
				if step.Action == cloudsetup.Failed {
					t.Fatal(step.Detail)
				}
			}
		}
	}
	const policy = `the alert policy "tocsin is silent" of projects/prow `
	const nobody = "warn: nobody outside is known to notice: no heartbeat is configured, and "
	unseen := func(s *surgery, _ *testing.T) { s.cloud.Refuse("ListAlertPolicies", codes.PermissionDenied, "no") }
	deaf := func(text string) string { return text[:strings.Index(text, "heartbeat:")] }
	own := func(text string) string { return deaf(text) + "own_metrics: {project: ops}\n" }
	for _, c := range []struct {
		name   string
		config func(string) string
		harm   func(s *surgery, t *testing.T)
		want   []string
	}{
		{"a heartbeat", nil, nil, []string{"ok: whoever takes the heartbeat of every 60 seconds notices; no alert policy of tocsin provision is in projects/prow"}},
		{"both", nil, made(silence, channel), []string{
			"ok: " + policy + "notices, and tells Cloud Monitoring's channels (1)", "ok: whoever takes the heartbeat of every 60 seconds notices"}},
		{"the policy", deaf, made(silence, channel, channel+"2"), []string{
			"ok: " + policy + "notices, and tells Cloud Monitoring's channels (2)", "ok: no heartbeat is configured: the alert policy alone notices"}},
		{"a policy that tells nobody", deaf, made(silence), []string{"warn: " + policy + "does not watch as it should: it tells nobody"}},
		{"a policy that is off, beside a heartbeat", nil, func(s *surgery, t *testing.T) {
			t.Helper()
			made(silence, channel)(s, t)
			s.cloud.Alerts(func(p *monitoringpb.AlertPolicy) { p.Enabled = wrapperspb.Bool(false) })
		}, []string{"warn: " + policy + "does not watch as it should: it is disabled", "ok: whoever takes the heartbeat of every 60 seconds notices"}},
		{"a policy on what is not written", deaf, made("up == 0", channel), []string{
			"warn: " + policy + "does not watch as it should: it fires when up == 0, is to fire when " + silence}},
		{"somebody else's policy", deaf, func(s *surgery, t *testing.T) {
			t.Helper()
			made(silence, channel)(s, t)
			s.cloud.Alerts(func(p *monitoringpb.AlertPolicy) { p.UserLabels = nil })
		}, []string{nobody + "no alert policy of tocsin provision is in projects/prow"}},
		{"one in another project than the own metrics", own, made(silence, channel), []string{
			nobody + "no alert policy of tocsin provision is in projects/ops"}},
		{"one that cannot be looked at", deaf, unseen, []string{nobody + "whether an alert policy of projects/prow does cannot be looked at: no"}},
		{"a heartbeat, and a policy that cannot be looked at", nil, unseen, []string{
			"ok: whoever takes the heartbeat of every 60 seconds notices; whether an alert policy of projects/prow does cannot be looked at: no"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSurgery(t)
			if c.config != nil {
				s.config = c.config
			}
			if c.harm != nil {
				c.harm(s, t)
			}
			var got []string
			for _, f := range s.examine(t) {
				if f.About == "when tocsin is gone" {
					got = append(got, fmt.Sprintf("%s: %s", f.Level, f.Text))
					if (f.Mend == "") != (f.Level == "ok") {
						t.Errorf("%s: %s -> %q", f.Level, f.Text, f.Mend)
					}
				}
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestDoctorOfTheDemo: the demo's stand-ins of Google Cloud can be examined as a whole, with nothing asked of Google, and nothing is broken.
func TestDoctorOfTheDemo(t *testing.T) {
	asked := httptest.NewServer(http.NotFoundHandler())
	defer asked.Close()
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(asked.URL, "http://"))
	s, err := newStage(t.Context(), DemoOptions{Out: io.Discard, Speed: 10, Cloud: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.clear()
	defer s.app.store.Close()
	defer s.app.listener.Close()
	found, err := Doctor(t.Context(), Examining{Config: s.config, Endpoint: s.cloud.project.Addr()}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	about := map[string]string{}
	for _, f := range found {
		if f.Level == setting.Broken {
			t.Errorf("%s: %s -> %s", f.About, f.Text, f.Mend)
		}
		about[f.About] += f.Text + "\n"
	}
	for name, want := range map[string]string{
		"clock": "a stand-in does not tell the time", "load balancer": "a stand-in has none", "quota": "more than half of the quotas",
		"source prow-logs": "projects/k8s-infra-prow can be read", "source tide-logs": "entries can be taken from projects/k8s-infra-prow/subscriptions/tocsin",
		"canary": "this account has logging.logEntries.create", "own metrics": "this account has monitoring.timeSeries.create", "receiver testing-ops": "the bot is in the channel", "when tocsin is gone": `the alert policy "tocsin is silent" of projects/k8s-infra-prow notices`,
	} {
		if text, ok := about[name]; !ok || !strings.Contains(text, want) {
			t.Errorf("about %s it says %q, want %q", name, text, want)
		}
	}
}

// TestDoctorPointsTheSources: a source without an endpoint of its own is examined where --endpoint says.
func TestDoctorPointsTheSources(t *testing.T) {
	s := newSurgery(t)
	s.config = func(text string) string {
		return strings.Replace(strings.Replace(text, `, endpoint: "`+s.logging.Addr()+`"`, "", 1), `, endpoint: "`+s.metrics.Addr()+`"`, "", 1)
	}
	for _, f := range s.examine(t) {
		if strings.HasPrefix(f.About, "source logs") && (f.Level != setting.Broken || !strings.Contains(f.Text, "unknown service google.logging.v2.LoggingServiceV2")) {
			t.Errorf("the stand-in of the project was not asked for entries, which it does not have: %s", f.Text)
		}
	}
}
