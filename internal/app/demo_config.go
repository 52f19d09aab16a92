package app

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
	"time"

	"tocsin/rules"
)

// pace is how many times faster than a reader's pace a demo goes.
type pace float64

// shorter is how many times shorter the times of Prow's own configuration and rules are in a demo at a reader's pace: half a minute
// is a second.
const shorter = 30

// quiet is how long something must be quiet in a demo to be over, at a reader's pace.
const quiet = 8 * time.Second

// of is a time of the story at this pace.
func (p pace) of(d time.Duration) time.Duration { return time.Duration(float64(d) / float64(p)) }

// short is a time of Prow's own configuration in the demo.
func (p pace) short(d time.Duration) time.Duration {
	return p.of(d / shorter).Round(time.Millisecond)
}

// The least that a time may be shortened to: the probe asks once a second and not more often, and its rule wants four results.
const (
	leastWindow = 6 * time.Second
	leastQuiet  = 3 * time.Second
	leastSecond = 4 * time.Second
)

// second is when the second call of the escalation goes out: after ten minutes in Prow's own.
func (p pace) second() time.Duration { return max(p.short(10*time.Minute), leastSecond) }

// demoPlaces are where the service finds what the demo has set up.
type demoPlaces struct{ Log, Cloud, PubSub, Metrics, Hook, Slack, PagerDuty string }

// demoConfig is Prow's configuration, with files of dummy tokens and shorter times.
var demoConfig = template.Must(template.New("demo").Parse(`# The demo's configuration: Prow's own, shorter in time, and all that it speaks to is on this machine.
project: k8s-infra-prow
lateness: {{.Lateness}}
sources:
  prow-logs: {{if .Cloud}}{cloud_logging: {resource_names: [projects/k8s-infra-prow], endpoint: '{{.Cloud}}', every: 1s, buffer_window: 100ms}}
  tide-logs: {pubsub: {subscription: projects/k8s-infra-prow/subscriptions/tocsin, endpoint: '{{.PubSub}}'}}{{else}}{file: {paths: ['{{.Log}}']}}{{end}}
  hook: {http_probe: {url: '{{.Hook}}', every: 1s, timeout: 1s, healthy: [200, 405]}}
{{if .Cloud}}canary: {sources: [prow-logs], every: 10s, within: 20s, endpoint: '{{.Cloud}}'}
own_metrics: {every: 10s, endpoint: '{{.Metrics}}'}
{{end}}rules: ["rules/*.yaml"]
receivers:
  testing-ops: {slack: {channel: "#testing-ops", token_file: '{{.Dir}}/slack-token', api_url: '{{.Slack}}'}}
  prow-alerts: {slack: {channel: "#prow-alerts", token_file: '{{.Dir}}/slack-token', api_url: '{{.Slack}}'}}
  oncall: {pagerduty: {routing_key_file: '{{.Dir}}/pagerduty-key', token_file: '{{.Dir}}/pagerduty-token', url: '{{.PagerDuty}}', api_url: '{{.PagerDuty}}'}}
fallback: testing-ops
people: {oncall: {slack: U0000001, pagerduty: P000001}}
schedules: {prow: {rotation: [oncall], every: 168h, starts: 2018-01-01T09:00:00Z}}
route:
  receiver: prow-alerts
  routes:
    - {matchers: ['severity="critical"'], receiver: testing-ops, escalation: prow-oncall}
    - {matchers: ['severity="high"'], receiver: testing-ops, escalation: prow-unheard}
    - {matchers: ['severity="info"'], receiver: none}
escalation:
  prow-oncall: {steps: [{notify: [oncall]}, {after: {{.Second}}, notify: [oncall, testing-ops]}], repeat: 2, every: 1m}
  prow-unheard: {steps: [{after: {{.Unheard}}, mention: prow}]}
`))

// write writes the configuration, its rules and its tokens into dir, and returns the configuration's path.
func (p pace) write(dir string, at demoPlaces) (string, error) {
	var text bytes.Buffer
	err := demoConfig.Execute(&text, struct {
		demoPlaces
		Dir                       string
		Lateness, Second, Unheard time.Duration
	}{demoPlaces: at, Dir: dir, Lateness: max(p.short(time.Minute), time.Second/2), Second: p.second(), Unheard: p.short(30 * time.Minute)})
	if err != nil {
		return "", fmt.Errorf("write the demo's configuration: %w", err)
	}
	files := map[string][]byte{"tocsin.yaml": text.Bytes(), "slack-token": []byte("xoxb-demo"), "pagerduty-key": []byte(strings.Repeat("demo", 8)), "pagerduty-token": []byte("demo")}
	shipped, err := fs.Glob(rules.Builtin, "prow/*.yaml")
	if err != nil {
		return "", err
	}
	for _, name := range shipped {
		rule, err := fs.ReadFile(rules.Builtin, name)
		if err != nil {
			return "", err
		}
		files[filepath.Join("rules", path.Base(name))] = p.rules(rule)
	}
	if err := os.Mkdir(filepath.Join(dir, "rules"), 0o700); err != nil {
		return "", err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "tocsin.yaml"), nil
}

var (
	ruleTime = regexp.MustCompile(`\b(window|for|after): ([0-9]+[smh])\b`)
	ruleSaid = regexp.MustCompile(` (?:for|within|longer than) (?:ten minutes|six minutes|more than a minute|a quarter of an hour)`)
)

// rules is a file of shipped rules as the demo runs it: the same filters and detectors with shorter times, without the cases, and
// without the words that name the times.
func (p pace) rules(shipped []byte) []byte {
	var out []string
	cases := false
	for line := range strings.Lines(string(shipped)) {
		text := strings.TrimLeft(line, " ")
		indent := len(line) - len(text)
		switch {
		case strings.HasPrefix(text, "cases:"):
			cases = true
		case cases && strings.TrimSpace(text) != "" && indent <= len("    "):
			cases = false
		}
		switch {
		case cases:
		// Nothing is silent for so long in a demo, and a share of what is said is of minutes.
		case strings.Contains(line, "{absence: "), strings.Contains(line, "{ratio: "), strings.HasPrefix(line, "        window: "):
			out = append(out, line)
		default:
			out = append(out, ruleSaid.ReplaceAllString(ruleTime.ReplaceAllStringFunc(line, p.ruleTime), ""))
		}
	}
	return []byte(strings.Join(out, ""))
}

func (p pace) ruleTime(setting string) string {
	name, text, _ := strings.Cut(setting, ": ")
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return setting // the reader of the rules will say what is wrong
	case name == "after":
		d = max(p.of(quiet), leastQuiet)
	case name == "window":
		d = max(p.short(d), leastWindow)
	default:
		d = p.short(d)
	}
	return name + ": " + d.Round(time.Millisecond).String()
}
