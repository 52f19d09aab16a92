package web

import (
	"strings"
	"testing"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/store"
)

// TestProbes: the page says of each probe how it is, what its newest request brought phase by phase, when it failed and why, and for how
// long its certificate is valid; what needs a look comes first.
func TestProbes(t *testing.T) {
	h, s, _ := filled(t, nil)
	charted(t, s)
	_, page := ask(t, h, "GET", "/probes", "")
	expect(t, page, "3 of 3 need a look.",
		"hook fails since about 11:50 https://prow.example.com/hook status 502 Bad Gateway from the load balancer itself",
		"502 in 81 ms (DNS 2 ms, connect 11 ms, TLS 24 ms, first byte 43 ms, body 1 ms), 12 s ago",
		"2,791 of 2,830 requests were well (98.62 %)", "40 could not see", "valid for 63 days",
		"About 11:50 to now : 30 of 30 requests failed : status 502", "About 04:00 to 04:15 : 9 of 30 requests failed : timeout: no whole answer within 10s",
		"deck healthy, but its certificate runs out in 9 days", "all 2,870 requests were well", "new nothing yet")
	if strings.Index(page, `id="probe-hook"`) >= strings.Index(page, `id="probe-deck"`) {
		t.Error("what fails does not come first")
	}
	for _, phase := range []string{"dns", "connect", "tls", "first-byte", "body"} {
		if !strings.Contains(page, `<path class="phase-`+phase+`" d="M`) {
			t.Errorf("no bars of phase %s", phase)
		}
	}
	for _, was := range []string{"well", "some", "down", "unseen"} {
		if !strings.Contains(page, `<rect class="was-`+was+`"`) {
			t.Errorf("the strip has no stretch that was %s", was)
		}
	}
	_, page = ask(t, h, "GET", "/probes?for=3h", "")
	expect(t, page, "30 of 30 requests failed", "!04:00 to 04:15")

	h, s, _ = filled(t, func(o *Options) {
		o.Probes = func() []Probe {
			return []Probe{{Name: "deck", URL: "https://prow.example.com/", Every: 30 * time.Second, Timeout: 10 * time.Second}}
		}
	})
	charted(t, s)
	_, page = ask(t, h, "GET", "/probes", "")
	expect(t, page, "1 of 1 need a look.")
	h, _, _ = filled(t, func(o *Options) { o.Probes = nil })
	_, page = ask(t, h, "GET", "/probes", "")
	expect(t, page, "Nothing is probed: the configuration names no source of kind http_probe.")
}

// TestFailureThatIsOver: of a probe that is healthy again it is not said that it fails, though the span goes on in which it did.
func TestFailureThatIsOver(t *testing.T) {
	failed := []store.ProbePoint{{At: noon.Add(-7 * time.Minute), Probes: 10, Failed: 10}, {At: noon.Add(-2 * time.Minute), Probes: 4, Failed: 1, Error: "status 502"}}
	p := Probe{Name: "hook", Every: 30 * time.Second, Timeout: time.Second, Newest: &store.ProbePoint{Newest: noon, Probes: 1, Answered: 1, Failed: 1}}
	if v := probeOf(p, probeRead{failed: failed}, noon); len(v.Failures) != 1 || !v.Failures[0].Goes || v.State != "fails since about 11:58" || v.Failures[0].Lasted != "11 of 14 requests failed" {
		t.Errorf("while it fails: %+v", v)
	}
	p.Newest.Failed = 0
	if v := probeOf(p, probeRead{failed: failed}, noon); v.State != "healthy" || v.Failures[0].Goes || v.Failures[0].To.Text != "12:05" {
		t.Errorf("once it is over: %+v", v)
	}
}

// TestSilentProbe: of a probe that was not asked for long it is not said that it is healthy.
func TestSilentProbe(t *testing.T) {
	p := Probe{Name: "hook", Every: 30 * time.Second, Timeout: 10 * time.Second, Newest: &store.ProbePoint{Newest: noon.Add(-3 * time.Minute), Probes: 1, Answered: 1}}
	if v := probeOf(p, probeRead{}, noon); v.State != "not asked since 12:02:00" || v.Tone != "critical" {
		t.Errorf("%s, %s", v.State, v.Tone)
	}
	p.Newest.Newest = noon.Add(-2 * time.Minute)
	if v := probeOf(p, probeRead{}, noon); v.State != "healthy" {
		t.Error(v.State)
	}
	p.Newest.Blind, p.Newest.Answered = 1, 0
	if v := probeOf(p, probeRead{}, noon); v.State != "cannot see" || v.Last != "no answer, 2 min ago" {
		t.Errorf("%s, %s", v.State, v.Last)
	}
}

// TestOneRule: the page of a rule says how it stands, how often it matched and fired, what it matched last, what it cost, and what stands in its way.
func TestOneRule(t *testing.T) {
	h, s, id := filled(t, nil)
	charted(t, s)
	_, page := ask(t, h, "GET", "/rules/prow-config-load-error", "")
	expect(t, page, "high fires page prow-config-load-error Fired last at 12:05:00",
		`Detects threshold {"count":1,"window":"15m"}`, "Asked of prow-logs", "Stands in builtin:prow/config.yaml:3",
		"Prow keeps its old configuration, the new one does not load firing · 9,689 lines, the newest at 12:04:31 · cluster=prow and project=k8s-infra-prow",
		"Sources all that it is asked of are up to date", "Filter 1,405 matches in 7 days, the newest in the hour of 12:00", "Detector threshold: it fires",
		"tocsin explain --config tocsin.yaml --rule prow-config-load-error --at 2019-01-23T12:05:00Z",
		"To ask 2 rules together took 900 ns an entry: 2.2 s for 2,400,000 entries in 24 hours.", "To judge and record its 321 matches took 963 ms, 3 ms each:")
	if !strings.Contains(page, `<path class="matches" d="M`) || strings.Count(page, `<circle class="dot-called"`) != 5 || !strings.Contains(page, `href="/incidents/`+id+`"`) {
		t.Error("a chart with five marks and a link to the incident are wanted")
	}
	_, page = ask(t, h, "GET", "/rules/tide-does-not-sync", "")
	expect(t, page, "It has not fired in what is kept.", "For only what goes on for 12 min", "Nothing has matched.", "It has made no alert in what is kept.",
		"Filter nothing has matched in 7 days", "Detector rate, for 12 min: it has never fired", "tell: it is told and never pages", "Asked of every source")
	if answer, page := ask(t, h, "GET", "/rules/nobody", ""); answer.StatusCode != 404 || !strings.Contains(page, "no rule nobody is loaded") {
		t.Errorf("%d %s", answer.StatusCode, page)
	}
}

// TestRuleGates: what stands between an entry and a rule is named: a source that is blind, that it panicked, that it tells nobody.
func TestRuleGates(t *testing.T) {
	h, s, _ := filled(t, func(o *Options) {
		o.Rules = func() []Rule {
			return []Rule{{Name: "shy", Severity: "high", Mode: "shadow", Filter: "x", Kind: "absence"}, {Name: "quiet", Severity: "high", Mode: "page", Kind: "absence", Silence: true}, {Name: "lost", Severity: "high", Mode: "page", Sources: []string{"nowhere"}, Kind: "threshold"}}
		}
	})
	blind := watched()[1]
	blind.Blind = true
	fill(t, s, nil, nil, nil, blind, store.SourceState{Name: "gone", Cursor: logs.Cursor("x")})
	trouble(t, s, store.Trouble{Kind: "rule_quarantined", Labels: map[string]string{"rule": "shy"}, Text: "index <i>out of range", At: noon})
	_, page := ask(t, h, "GET", "/rules/shy", "")
	expect(t, page, "put aside", "It panicked and is put aside until the next start or reload: index <i>out of range", "Source hook blind", "!Source gone", "shadow: it is recorded and told to nobody")
	_, page = ask(t, h, "GET", "/rules/quiet", "")
	expect(t, page, "absence: what has never been seen is not missed")
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		return tx.AddRulePoint(t.Context(), store.RulePoint{Rule: "quiet", At: noon.Truncate(time.Hour), Matches: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	_, page = ask(t, h, "GET", "/rules/quiet", "")
	expect(t, page, "1 match in 7 days", "absence: what it waits for has not been missing for long enough")
	_, page = ask(t, h, "GET", "/rules/lost", "")
	expect(t, page, "none of those that it is asked of is configured: nowhere", "!Source hook")
	_, page = ask(t, h, "GET", "/rules", "")
	expect(t, page, "put aside", "shy index <i>out of range")
}

// TestTopOfAChart: a few values that stand out far are cut, and it is said.
func TestTopOfAChart(t *testing.T) {
	values := []float64{100, 90, 110, 100, 95, 105, 100, 100, 100, 4000}
	if top, highest := topOf(values); highest != 4000 || top != 4000 { // one in ten is no outlier
		t.Errorf("%v, %v", top, highest)
	}
	for range 10 {
		values = append(values, 100)
	}
	if top, highest := topOf(values); highest != 4000 || top != 330 {
		t.Errorf("%v, %v", top, highest)
	}
	for v, want := range map[float64]float64{0.2: 1, 1: 1, 1.5: 2, 3: 5, 7: 10, 11: 20, 340: 500, 1000: 1000} {
		if got := niceStep(v); got != want {
			t.Errorf("niceStep(%v) = %v, want %v", v, got, want)
		}
	}
}
