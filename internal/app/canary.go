package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"

	"google.golang.org/api/option"

	"tocsin/internal/config"
	"tocsin/internal/heartbeat"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/setting"
	"tocsin/internal/sources"
	"tocsin/internal/sources/google"
	"tocsin/internal/store"
	"tocsin/internal/words"
	"tocsin/rules"
)

// Canary is what is written to logs to see whether it comes back, with the project that is written to for each source.
type Canary struct {
	heartbeat.CanarySettings
	Projects map[string]string
}

// canary reads what is to come back through which sources.
func (l *loading) canary() {
	n := l.file.Canary
	if n.IsZero() {
		return
	}
	c := &Canary{CanarySettings: heartbeat.CanaryDefaults(), Projects: map[string]string{}}
	errs := config.Decode(n, &c.CanarySettings)
	l.errs = append(l.errs, errs...)
	for i, name := range c.Sources {
		at := fmt.Sprintf("sources.%d", i)
		kind, ok := l.plan.Kinds[name]
		switch {
		case !ok:
			l.errs = append(l.errs, n.Locate(setting.FieldError{Path: at, Text: setting.Unknown("source", name, slices.Sorted(maps.Keys(l.plan.Kinds)))})...)
		case kind != "cloud_logging" && kind != "pubsub":
			l.errs = append(l.errs, n.Locate(setting.FieldError{Path: at, Text: fmt.Sprintf("%s is of kind %s, through which nothing comes back that is written to Cloud Logging: name one of kind cloud_logging or pubsub", name, kind)})...)
		}
		if c.Projects[name] = l.written(c.Project, name); c.Projects[name] == "" {
			l.errs = append(l.errs, n.Locate(setting.FieldError{Path: at, Text: fmt.Sprintf("%s names no project whose log the line could be written to: set `project` here, or that of the configuration", name)})...)
		}
	}
	if len(errs) == 0 && len(c.Sources) > 0 {
		l.plan.Canary = c
	}
}

// written is the project that a source's line is written to: as set, else the first that it reads, else the configuration's.
func (l *loading) written(set, source string) string {
	if set != "" {
		return set
	}
	if s, ok := l.plan.Sources[source].(*sources.CloudLogging); ok {
		for _, r := range s.ResourceNames {
			if project, ok := strings.CutPrefix(r, "projects/"); ok {
				project, _, _ = strings.Cut(project, "/")
				return project
			}
		}
	}
	return l.file.Project
}

// lostRule is the rule's name that says that nothing comes back.
const lostRule = "tocsin-canary-lost"

// lostText is that rule. It is asked of the sources alone that the canary is to come back through, so it can be in no file; its cases are in
// the test. A trouble that says that no line can be written is a sign of life: it is said by itself, and nothing is lost then.
var lostText = template.Must(template.New("canary").Parse(`
rules:
  - name: ` + lostRule + `
    sources: [{{range .Sources}}{{printf "%q" .}}, {{end}}tocsin]
    filter: |
      jsonPayload.source=({{range $i, $s := .Sources}}{{if $i}} OR {{end}}{{printf "%q" $s}}{{end}})
      (logName=({{range $i, $p := .Projects}}{{if $i}} OR {{end}}"projects/{{$p}}/logs/tocsin%2Fcanary"{{end}})
      OR (log_id("tocsin/self") jsonPayload.trouble="` + heartbeat.CanaryUnwritten + `" jsonPayload.over=false))
    group_by: {source: jsonPayload.source}
    labels: {service: tocsin}
    detect: {absence: {after: {{.Within}}, groups: [{{range $i, $s := .Sources}}{{if $i}}, {{end}}{source: {{printf "%q" $s}}}{{end}}]}}
    severity: high
    mode: tell
    annotations:
      summary: 'What tocsin writes to a log has not come back through {{"{{ .Labels.source }}"}} for {{.Long}}: what is logged there may go unnoticed'
      description: >-
        Tocsin writes a line to the log tocsin/canary of {{.Where}} every {{.Every}}, can write it, and is told of no trouble by the source. So it is lost on the way: kept out by an
        exclusion, missing in the sink's filter, a subscription that its sink has left, a source that reads another project.
        Look for it in the Logs Explorer with log_id("tocsin/canary"), then at tocsin doctor.
      runbook_url: docs/runbooks.md#` + lostRule + `
`))

// text writes the rule of a canary.
func (c *Canary) text(to io.Writer) error {
	projects := slices.Compact(slices.Sorted(maps.Values(c.Projects)))
	return lostText.Execute(to, struct {
		Sources, Projects []string
		Where             string
		Within            time.Duration
		Long, Every       string
	}{c.Sources, projects, strings.Join(projects, ", "), c.Within.Std(), words.Duration(c.Within.Std()), words.Duration(c.Every.Std())})
}

// lost makes the rule of a canary. It pages: it fires for want of lines, and who writes them can only keep it from that.
func (c *Canary) lost() ([]*rules.Rule, config.Errors) {
	var text bytes.Buffer
	if err := c.text(&text); err != nil {
		return nil, config.Errors{{Text: err.Error()}}
	}
	list, errs := rules.Read(ownRules+"canary.yaml", text.Bytes())
	for _, r := range list {
		r.Mode = incident.Page
	}
	return list, errs
}

// newCanary makes the canary of a plan; nil if it has none.
func (a *App) newCanary(plan *Plan) *heartbeat.Canary {
	if plan.Canary == nil {
		return nil
	}
	return heartbeat.NewCanary(a.store, heartbeat.CanaryOptions{Settings: plan.Canary.CanarySettings, Projects: plan.Canary.Projects,
		Writer: heartbeat.NewCloudWriter(a.google(plan.Canary.Endpoint)...), Seen: seenLine, Log: a.o.Log,
		Returned: func(source string, after time.Duration) {
			a.returned.WithLabelValues(source).Observe(after.Seconds())
		}})
}

// google are the options of a client of Google's APIs.
func (a *App) google(endpoint string) []option.ClientOption {
	return google.Options(endpoint, a.o.Dial)
}

// seenLine is the newest of a canary's lines that its rule has matched. The state of the rule's group has the newest lines.
func seenLine(ctx context.Context, tx *store.Tx, source string, lines []heartbeat.Line) (heartbeat.Line, bool, error) {
	if len(lines) == 0 {
		return heartbeat.Line{}, false, nil
	}
	row, ok, err := tx.State(ctx, incident.Key{Rule: lostRule, Group: incident.Labels{"source": source}.Text()})
	if err != nil || !ok {
		return heartbeat.Line{}, false, err
	}
	st, err := rules.DecodeState(row.Body)
	if err != nil {
		return heartbeat.Line{}, false, err
	}
	for _, l := range slices.Backward(lines) {
		for _, run := range st.Runs {
			if slices.ContainsFunc(run.Gathered.Newest, func(n incident.Line) bool { return strings.Contains(n.Text, l.Nonce) }) {
				return l, true, nil
			}
		}
	}
	return heartbeat.Line{}, false, nil
}

// withoutCanary is the plan as it is where nothing is written, so that nothing can come back.
func (p *Plan) withoutCanary() *Plan {
	if p.Canary == nil {
		return p
	}
	without := *p
	without.Canary = nil
	without.Rules = rules.NewSet(slices.DeleteFunc(slices.Clone(p.Rules.Rules), func(r *rules.Rule) bool { return r.Name == lostRule }))
	return &without
}

// goneCanaries ends the troubles of lines that are no longer to be written.
func (a *App) goneCanaries(standing []store.Trouble, now time.Time) []store.Trouble {
	var want []string
	if c := a.generationNow().plan.Canary; c != nil {
		want = c.Sources
	}
	var out []store.Trouble
	for _, t := range standing {
		if name := t.Labels["source"]; t.Kind == heartbeat.CanaryUnwritten && name != logs.OwnSource && !slices.Contains(want, name) {
			out = append(out, store.Trouble{Kind: t.Kind, Labels: t.Labels, At: now, Over: true, Text: "it is no longer in the configuration"})
		}
	}
	return out
}
