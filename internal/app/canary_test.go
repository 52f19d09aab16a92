package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"tocsin/internal/cloudsetup"
	"tocsin/internal/heartbeat"
	"tocsin/rules"
)

const canaried = `
project: ops
sources:
  prow-logs: {cloud_logging: {resource_names: [folders/1, projects/k8s-infra-prow/locations/global/buckets/b/views/v]}}
  more:      {cloud_logging: {resource_names: [folders/1]}}
  in:        {file: {paths: [a.log]}}
canary: {sources: [prow-logs, more]}
`

// canaryCases are the proof of the canary's rule, which is in no file.
const canaryCases = `
cases:
  - name: it comes back
    entries:
      - {timestamp: "2026-11-22T18:00:00Z", insertId: a, logName: projects/k8s-infra-prow/logs/tocsin%2Fcanary, resource: {type: global}, jsonPayload: {canary: A, source: prow-logs}}
      - {timestamp: "2026-11-22T18:00:01Z", insertId: x, logName: projects/ops/logs/tocsin%2Fcanary, resource: {type: global}, jsonPayload: {canary: X, source: more}}
      - {timestamp: "2026-11-22T18:01:00Z", insertId: b, logName: projects/k8s-infra-prow/logs/tocsin%2Fcanary, resource: {type: global}, jsonPayload: {canary: B, source: prow-logs}}
    fires: []
  - name: one source has it no more, of another project the same line does not count
    entries:
      - {timestamp: "2026-11-22T18:00:00Z", insertId: a, logName: projects/k8s-infra-prow/logs/tocsin%2Fcanary, resource: {type: global}, jsonPayload: {canary: A, source: prow-logs}}
      - {timestamp: "2026-11-22T18:00:01Z", insertId: x, logName: projects/ops/logs/tocsin%2Fcanary, resource: {type: global}, jsonPayload: {canary: X, source: more}}
      - {timestamp: "2026-11-22T18:01:00Z", insertId: b, logName: projects/somebody/logs/tocsin%2Fcanary, resource: {type: global}, jsonPayload: {canary: B, source: prow-logs}}
      - {timestamp: "2026-11-22T18:01:01Z", insertId: y, logName: projects/ops/logs/tocsin%2Fcanary, resource: {type: global}, jsonPayload: {canary: Y, source: more}}
      - {timestamp: "2026-11-22T18:02:01Z", insertId: z, logName: projects/ops/logs/tocsin%2Fcanary, resource: {type: global}, jsonPayload: {canary: Z, source: more}}
      - {timestamp: "2026-11-22T18:03:30Z", insertId: c, logName: projects/k8s-infra-prow/logs/tocsin%2Fcanary, resource: {type: global}, jsonPayload: {canary: C, source: prow-logs}}
    fires: [{at: 2m, labels: {source: prow-logs, service: tocsin}}]
    resolves: [{at: 3m30s, labels: {source: prow-logs}}]
  - name: no line can be written, which is said by itself
    entries:
      - {timestamp: "2026-11-22T18:00:00Z", insertId: a, logName: projects/k8s-infra-prow/logs/tocsin%2Fcanary, resource: {type: global}, jsonPayload: {canary: A, source: prow-logs}}
      - {timestamp: "2026-11-22T18:00:01Z", insertId: x, logName: projects/ops/logs/tocsin%2Fcanary, resource: {type: global}, jsonPayload: {canary: X, source: more}}
      - {timestamp: "2026-11-22T18:01:00Z", insertId: t1, logName: projects/ops/logs/tocsin%2Fself, resource: {type: global}, jsonPayload: {trouble: canary_unwritten, source: prow-logs, over: false}}
      - {timestamp: "2026-11-22T18:01:01Z", insertId: y, logName: projects/ops/logs/tocsin%2Fcanary, resource: {type: global}, jsonPayload: {canary: Y, source: more}}
      - {timestamp: "2026-11-22T18:02:30Z", insertId: t2, logName: projects/ops/logs/tocsin%2Fself, resource: {type: global}, jsonPayload: {trouble: canary_unwritten, source: prow-logs, over: false}}
    fires: []
`

// The canary's rule says that nothing comes back, and of which source, and pages.
func TestTheCanarysRule(t *testing.T) {
	plan, errs := loaded(t, canaried, nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if p := plan.Canary.Projects; p["prow-logs"] != "k8s-infra-prow" || p["more"] != "ops" {
		t.Errorf("it is written to %v", p)
	}
	r := plan.Rules.Rule(lostRule)
	if r == nil {
		t.Fatal("no rule")
	}
	if plan.withoutCanary().Rules.Rule(lostRule) != nil {
		t.Error("a replay would miss lines that nobody wrote")
	}
	var text strings.Builder
	if err := plan.Canary.text(&text); err != nil {
		t.Fatal(err)
	}
	var indented string
	for line := range strings.Lines(strings.TrimSpace(canaryCases)) {
		indented += "    " + line
	}
	proved, errs := rules.Read("builtin:tocsin/canary.yaml", []byte(text.String()+indented))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, c := range proved[0].Cases {
		diff, err := proved[0].Prove(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range diff {
			t.Errorf("%s: %s", c.Name, d)
		}
	}
	if len(proved[0].Cases) != 3 || r.Mode != "page" {
		t.Errorf("%d cases, mode %s", len(proved[0].Cases), r.Mode)
	}
}

func TestCanaryMistakes(t *testing.T) {
	for settings, want := range map[string]string{
		"{}":                                  "canary.sources: no source: name those that the line is to come back through",
		"{sources: [prow-log]}":               `canary.sources.0: unknown source "prow-log": did you mean "prow-logs"?`,
		"{sources: [in]}":                     "canary.sources.0: in is of kind file, through which nothing comes back that is written to Cloud Logging",
		"{sources: [prow-logs], within: 90s}": "within: 1m30s is not between 2m0s, in which two lines are written, and 1h",
		"{sources: [prow-logs], project: projects/x}":     `project: "projects/x" is no project: write its id`,
		"{sources: [prow-logs, prow-logs]}":               "sources.1: prow-logs is named twice",
		"{sources: [prow-logs], evry: 1m}":                `unknown key "evry": did you mean "every"?`,
		"{sources: [prow-logs], endpoint: 'https://x/y'}": `"https://x/y" is not host:port`,
		"{sources: [prow-logs], every: 1s}":               "1s is not between 10s and 10m",
	} {
		_, errs := loaded(t, strings.Replace(canaried, "{sources: [prow-logs, more]}", settings, 1), nil)
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), strings.TrimPrefix(want, "canary.")) || !strings.Contains(errs[0].Error(), fmt.Sprintf("tocsin.yaml:%d:", 7)) {
			t.Errorf("%s: %v\nwant %s", settings, errs, want)
		}
	}
}

const canaryVigil = `
project: prow
sources: {logs: {cloud_logging: {resource_names: [projects/prow], endpoint: "logging:1"}}}
canary: {sources: [logs], endpoint: "logging:1"}
receivers: {ops: {slack: {channel: "#ops", token_file: t}}}
fallback: ops
route: {receiver: ops}
`

// Lines come back, all day, and it is known how long they take; over a restart too. Nobody hears anything.
func TestTheCanaryComesBack(t *testing.T) {
	keepVigil(t, canaryVigil, func(v *vigil) {
		v.pass(5*time.Minute + 30*time.Second)
		state := v.app.current.canary.States()["logs"]
		if ago := time.Since(state.ReturnedAt); ago > 90*time.Second || state.After > 10*time.Second || state.After <= 0 || len(state.Waiting) > 0 {
			t.Errorf("after five minutes: %+v", state)
		}
		v.stop()
		v.pass(10 * time.Minute)
		v.serve()
		v.pass(5 * time.Minute)
		if state := v.app.current.canary.States()["logs"]; time.Since(state.ReturnedAt) > 90*time.Second {
			t.Errorf("after a restart: %+v", state)
		}
		if n := v.logging.Added(); n < 10 || n > 14 {
			t.Errorf("%d lines in ten minutes of one a minute", n)
		}
		if said := v.heard(); said != "" {
			t.Errorf("all is well, and it says:\n%s", said)
		}
	})
}

// What does not come back is an incident, three minutes after the last that did, and over with the next that does; a restart makes neither.
func TestTheCanaryIsLost(t *testing.T) {
	keepVigil(t, canaryVigil, func(v *vigil) {
		v.pass(4 * time.Minute)
		v.logging.LoseWrites(true)
		v.pass(2 * time.Minute)
		if said := v.heard(); said != "" {
			t.Errorf("too early:\n%s", said)
		}
		v.stop()
		v.serve()
		v.pass(4 * time.Minute)
		if said := v.heard(); strings.Count(said, "ops told:\n    🟠 What tocsin writes to a log has not come back through logs for 2 minutes: ") != 1 {
			t.Errorf("lost, and it says:\n%s", said)
		}
		v.logging.LoseWrites(false)
		v.pass(3 * time.Minute)
		if said := v.heard(); !strings.Contains(said, "resolved") {
			t.Errorf("back, and it says:\n%s", said)
		}
	})
}

// That it cannot be written is said with the role, and only that: nothing is lost that nobody could write.
func TestTheCanaryCannotBeWritten(t *testing.T) {
	keepVigil(t, canaryVigil, func(v *vigil) {
		v.pass(4 * time.Minute)
		v.logging.RefuseWrites(codes.PermissionDenied, "Permission 'logging.logEntries.create' denied on resource")
		v.pass(6 * time.Minute)
		said := v.heard()
		if !strings.Contains(said, "write to the log tocsin/canary of projects/prow: access denied, grant roles/logging.logWriter on it") || strings.Contains(said, "has not come back") {
			t.Errorf("it says:\n%s", said)
		}
		v.logging.RefuseWrites(codes.OK, "")
		v.pass(2 * time.Minute)
		if left := v.standing(); len(left) > 0 {
			t.Errorf("well again, and there stands %q", left)
		}
	})
}

// A source that cannot see is said by itself: what does not come back through it is not said too.
func TestTheCanaryOfASourceThatIsBlind(t *testing.T) {
	keepVigil(t, canaryVigil, func(v *vigil) {
		v.pass(4 * time.Minute)
		v.logging.Fail(100000, codes.PermissionDenied, "denied")
		v.logging.FailTails(100000, codes.PermissionDenied, "denied")
		v.logging.Break(codes.PermissionDenied, "denied")
		v.pass(8 * time.Minute)
		if said := v.heard(); !strings.Contains(said, "What logs watches is not seen as it should be") || strings.Contains(said, "has not come back") {
			t.Errorf("it says:\n%s", said)
		}
	})
}

// Own metrics are written while tocsin lives, the heartbeat 0 while something is wrong, and what keeps them from it is said with the role.
func TestOwnMetrics(t *testing.T) {
	keepVigil(t, canaryVigil+"own_metrics: {project: ops, endpoint: \"metrics:1\"}\n", func(v *vigil) {
		newest := func() map[string]float64 {
			out := map[string]float64{}
			for _, s := range v.metrics.Written() {
				out[s.GetMetric().GetType()+s.GetMetric().GetLabels()["source"]] = s.GetPoints()[0].GetValue().GetDoubleValue()
			}
			return out
		}
		v.pass(5 * time.Minute)
		got := newest()
		latency := got["custom.googleapis.com/tocsin/canary_latency_secondslogs"]
		if got["custom.googleapis.com/tocsin/heartbeat"] != 1 || latency <= 0 || latency > 10 || got["custom.googleapis.com/tocsin/source_lag_secondslogs"] != 0 {
			t.Errorf("written: %v", got)
		}
		if r := v.metrics.Written()[0].GetResource(); r.GetType() != heartbeat.PointsResource || r.GetLabels()["namespace"] != "prow" || r.GetLabels()["project_id"] != "ops" {
			t.Errorf("of %v", r)
		}
		if n := len(v.metrics.Written()); n < 4*3 || n > 6*4 {
			t.Errorf("%d points in five minutes", n)
		}
		v.metrics.Refuse(codes.PermissionDenied, "Permission monitoring.timeSeries.create denied")
		v.logging.Fail(100000, codes.PermissionDenied, "denied")
		v.logging.FailTails(100000, codes.PermissionDenied, "denied")
		v.logging.Break(codes.PermissionDenied, "denied")
		v.pass(5 * time.Minute)
		if said := v.heard(); !strings.Contains(said, "write to projects/ops: access denied, grant roles/monitoring.metricWriter on it") {
			t.Errorf("it says:\n%s", said)
		}
		v.metrics.Refuse(codes.OK, "")
		v.pass(5 * time.Minute)
		if got := newest(); got["custom.googleapis.com/tocsin/heartbeat"] != 0 {
			t.Errorf("while a source is blind: %v", got)
		}
		for _, s := range v.standing() {
			if strings.HasPrefix(s, heartbeat.PointsUnwritten) {
				t.Errorf("well again, and there stands %s", s)
			}
		}
	})
}

// Whoever writes needs the roles for it, and the alert policy goes by what is written.
func TestGrantsOfWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(path, []byte(canaried+"own_metrics: {project: far}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := Provisioning{Config: path, Project: "ops", Member: "user:a@b"}.wanted()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []cloudsetup.Grant{{Resource: "projects/k8s-infra-prow", Role: "roles/logging.logWriter"}, {Resource: "projects/ops", Role: "roles/logging.logWriter"},
		{Resource: "projects/far", Role: "roles/monitoring.metricWriter"}} {
		if !slices.Contains(w.Grants, want) {
			t.Errorf("no %v among %v", want, w.Grants)
		}
	}
	if w.Project != "far" || !strings.Contains(w.Silent.Query, `custom_googleapis_com:tocsin_heartbeat{monitored_resource="generic_task",namespace="ops"}`) {
		t.Errorf("in %s it asks %s", w.Project, w.Silent.Query)
	}
}
