package words_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/words"
)

var at = time.Date(2019, 1, 22, 23, 28, 49, 0, time.UTC)

// entry is what the rules give: a value of logs.
func entry() logs.Value {
	text := func(s string) logs.Value { return logs.Value{Kind: logs.String, Str: s} }
	object := func(members ...logs.Member) logs.Value { return logs.Value{Kind: logs.Object, Members: members} }
	return object(
		logs.Member{Name: "severity", Value: text("ERROR")},
		logs.Member{Name: "labels", Value: object(logs.Member{Name: "k8s-pod/app", Value: text("hook")})},
		logs.Member{Name: "jsonPayload", Value: object(
			logs.Member{Name: "component", Value: text("hook")},
			logs.Member{Name: "error", Value: text("duplicated preset label : preset-aws-credential")},
			logs.Member{Name: "code", Value: logs.Value{Kind: logs.Number, Str: "502"}},
			logs.Member{Name: "empty", Value: text("")},
		)},
	)
}

func data() words.AnnotationData {
	return words.AnnotationData{
		Entry: words.FieldsOf(entry()), Labels: map[string]string{"cluster": "prow"}, Count: 9689, List: []string{"hook", "deck"},
		First: at, Last: at.Add(time.Hour), Value: 0.25,
	}
}

func TestAnnotation(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"no action", "no action"},
		{"it does not load: {{ .Entry.jsonPayload.error }}", "it does not load: duplicated preset label : preset-aws-credential"},
		{"[{{ .Entry.jsonPayload.missing }}]", "[]"},
		{"[{{ .Entry.nowhere.at.all }}]", "[]"},
		{"[{{ .Entry.jsonPayload.error.deeper }}]", "[]"},
		{"[{{ .Labels.missing }}]", "[]"},
		{"{{ .Entry.jsonPayload.component | toUpper }}", "HOOK"},
		{"{{ toUpper .Entry.jsonPayload.component }}", "HOOK"},
		{`{{ if eq .Entry.jsonPayload.component "hook" }}yes{{ else }}no{{ end }}`, "yes"},
		{`{{ if .Entry.jsonPayload.missing }}yes{{ else }}no{{ end }}`, "no"},
		{`{{ if .Entry.jsonPayload.empty }}yes{{ else }}no{{ end }}`, "no"},
		{`{{ with .Entry.jsonPayload.error }}because of {{ . }}{{ end }}`, "because of duplicated preset label : preset-aws-credential"},
		{`{{ with .Entry.jsonPayload }}{{ .component }}: {{ .missing }}{{ $.Labels.cluster }}{{ end }}`, "hook: prow"},
		{`{{ with $.Entry.jsonPayload }}{{ with .component }}{{ . | toUpper }}{{ end }}{{ end }}`, "HOOK"},
		{`{{ $p := .Entry.jsonPayload }}{{ $p.component }} {{ $p.code }}`, "hook 502"},
		{`{{ $c := .Entry.jsonPayload.code }}{{ $c = "x" }}{{ $c }}`, "x"},
		{`{{ index .Entry.labels "k8s-pod/app" }}`, "hook"},
		{`{{ (index .Entry.labels "k8s-pod/app") | toUpper }} {{ printf "%s!" (index .Entry.labels "nothing") }}`, "HOOK !"},
		{`{{ printf "%s/%s" .Entry.jsonPayload.component .Entry.jsonPayload.missing }}`, "hook/"},
		{`{{ match "preset-.*" .Entry.jsonPayload.error }}`, "true"},
		{`{{ reReplaceAll "label : " "" .Entry.jsonPayload.error }}`, "duplicated preset preset-aws-credential"},
		{`{{ join ", " .List }} {{ range .List }}<{{ . }} of {{ $.Entry.severity }}>{{ end }}`, "hook, deck <hook of ERROR><deck of ERROR>"},
		{`{{ .Count }} {{ .Value }} {{ printf "%.0f%%" .Value }} {{ date "15:04" .First }} {{ humanizeDuration 90 }}`, "9689 0.25 0% 23:28 1m 30s"},
		{`{{ since .First }}`, "1h0m0s"},
		{`{{ len .Entry.jsonPayload.component }} {{ slice .Entry.jsonPayload.error 0 10 }}`, "4 duplicated"},
		{`{{ .Entry.jsonPayload }}`, `{"component":"hook","error":"duplicated preset label : preset-aws-credential","code":502,"empty":""}`},
		{`{{- range 3 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}`, "02"},
		{`{{ define "x" }}[{{ . }}]{{ end }}{{ template "x" .Entry.severity }}`, "[ERROR]"},
	} {
		a, err := words.NewAnnotation(c.source)
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		got, err := a.Render(data())
		if err != nil || got != c.want {
			t.Errorf("%s\ngot  %q, %v\nwant %q", c.source, got, err, c.want)
		}
	}
}

func TestAnnotationMistakes(t *testing.T) {
	for _, c := range []struct {
		source    string
		line, col int
		say       string
	}{
		{"a {{ .Entry.x", 1, 3, "unclosed action"},
		{"ok\n  {{ nope .Count }}", 2, 6, `function "nope" not defined`},
		{"{{ .Nothing }}", 1, 4, "there are .Entry"},
		{"\n{{ $labels.cluster }}", 2, 4, "write .Labels"},
		{"{{ if .Count }}", 1, 1, "unexpected EOF"},
		{"{{ .Entry.labels.k8s-pod/app }}", 1, 21, "index"},
		{"{{ toUpper }}", 1, 4, "wrong number of args"},
		{"{{ range .Count.x }}{{ end }}", 1, 16, "can't evaluate field x"},
		{strings.Repeat("x", 70<<10), 1, 1, "at most 65536"},
	} {
		_, err := words.NewAnnotation(c.source)
		var m *words.TemplateError
		if !errors.As(err, &m) {
			t.Errorf("%.40q: no mistake found (%v)", c.source, err)
			continue
		}
		if m.Line != c.line || m.Col != c.col || !strings.Contains(m.Text, c.say) {
			t.Errorf("%.40q: %v, want %d:%d with %q", c.source, m, c.line, c.col, c.say)
		}
	}
}

// TestBounds runs templates that would take hours or all memory. The test's own time limit is the proof that they do not.
func TestBounds(t *testing.T) {
	grow := `{{ $x := "aaaaaaaaaa" }}{{ range 40 }}{{ $x = printf "%s%s" $x $x }}{{ end }}`
	for _, c := range []struct{ name, source, fallback, say string }{
		{"an endless loop that writes nothing", "stuck{{ range 1000000000000 }}{{ end }}", "stuck…", "too much"},
		{"loops in loops", "{{ range 1000000 }}{{ range 1000000 }}{{ range 1000000 }}{{ end }}{{ end }}{{ end }}", "", "too much"},
		{"recursion", `{{ define "r" }}{{ template "r" . }}{{ end }}deep {{ template "r" . }}`, "…", "more than 50 deep"},
		{"a text that doubles", "grown" + grow, "grown…", "65536"},
		{"a width", `wide {{ printf "%1000000000d" 1 }}`, "wide …", "width"},
		{"a width by argument", `wide {{ printf "%*d" 1000000000 1 }}`, "wide …", "width"},
		{"a list of lists", `{{ $x := list 1 }}{{ range 40 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}`, "", "1000 values"},
		{"a pattern that is heavy", `{{ $p := "" }}{{ range 2000 }}{{ $p = printf "%sa?" $p }}{{ end }}x {{ match $p $p }}`, "x", "too much"},
		{"a replacement that explodes", `{{ $t := "" }}{{ range 3000 }}{{ $t = printf "%sa" $t }}{{ end }}x {{ reReplaceAll "a" $t $t }}`, "x", "too much"},
		{"a function that fails", `code {{ mustToDate "2006" .Entry.severity }}`, "code …", "cannot parse"},
		{"a pattern that is none", `code {{ reReplaceAll "(" "" .Entry.severity }}`, "code …", "missing closing"},
		{"out of range", `code {{ slice .Entry.severity 3 99 }}`, "code …", "out of range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := words.NewAnnotation(c.source)
			if err != nil {
				t.Fatalf("it parses and may be loaded: %v", err)
			}
			got, err := a.Render(data())
			if err == nil || !strings.Contains(err.Error(), c.say) {
				t.Errorf("error %v, want one that says %q", err, c.say)
			}
			if c.fallback == "" && got != "" || !strings.Contains(got, c.fallback) {
				t.Errorf("fallback %q, want %q", got, c.fallback)
			}
		})
	}
	a, err := words.NewAnnotation(`{{ range 2000000 }}all work and no play {{ end }}`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Render(data())
	if n := utf8.RuneCountInString(got); err != nil || n != 500 {
		t.Errorf("an endless output is cut: %d runes, %v", n, err)
	}
}

func TestAnnotationIsCleaned(t *testing.T) {
	d := data()
	d.Entry = words.FieldsOf(logs.Value{Kind: logs.String, Str: "<!channel>\x1b[31m xoxb-1234567890-abcdef\nsecond " + strings.Repeat("y", 300<<10)})
	a, err := words.NewAnnotation("{{ .Entry }}")
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Render(d)
	if err != nil || utf8.RuneCountInString(got) != 500 || !strings.HasPrefix(got, "<!channel> <redacted> second yyy") {
		t.Errorf("%.60q, %v", got, err)
	}
}

func story() *incident.Incident {
	config := incident.Key{Rule: "prow-config-load-error", Group: `{"cluster":"prow"}`}
	crash := incident.Key{Rule: "prow-crash-loop", Group: `{"cluster":"prow","service":"hook"}`}
	return &incident.Incident{
		ID: incident.NewID(at, config, "x"), Project: "k8s-prow", State: incident.Open, Severity: incident.Critical, Headline: config,
		Title: "Prow keeps its old configuration", Labels: incident.Labels{"cluster": "prow", "severity": "critical"},
		Alerts: []incident.Alert{
			{Key: crash, State: incident.AlertResolved, Severity: incident.High, Labels: incident.Labels{"cluster": "prow", "service": "hook"},
				Annotations: map[string]string{"summary": "hook crash loop"}, First: at.Add(12 * time.Hour), ResolvedAt: at.Add(13 * time.Hour)},
			{Key: config, State: incident.Firing, Severity: incident.Critical, Labels: incident.Labels{"cluster": "prow"}, First: at,
				Annotations: map[string]string{"summary": "<!channel> Prow keeps its old configuration"}, FirstLine: incident.Line{Text: "Error loading config. <@U123>"}},
		},
	}
}

func TestData(t *testing.T) {
	d := words.Data(story(), "ops", "https://tocsin/i/1", incident.ReasonOpened, nil)
	if d.Status != "firing" || d.Receiver != "ops" || len(d.Alerts) != 2 || d.Alerts[0].Labels["alertname"] != "prow-config-load-error" {
		t.Errorf("the headline is not first: %+v", d)
	}
	if diff := cmp.Diff(map[string]string{"cluster": "prow"}, map[string]string(d.CommonLabels)); diff != "" {
		t.Errorf("common labels (-want +got):\n%s", diff)
	}
	if a := d.Alerts[1]; a.Status != "resolved" || !a.EndsAt.Equal(at.Add(13*time.Hour)) || a.Fingerprint == "" || a.Fingerprint == d.Alerts[0].Fingerprint {
		t.Errorf("the resolved alert: %+v", a)
	}
	if len(d.Alerts.Firing()) != 1 || d.Alerts[0].Annotations["line"] != "Error loading config. <@U123>" {
		t.Errorf("the line is missing: %+v", d.Alerts[0])
	}
}

func TestTemplate(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{`{{ .Status | toUpper }} {{ (index .Alerts 0).Annotations.summary }}`, "FIRING &lt;!channel&gt; Prow keeps its old configuration"},
		{`<!here> {{ .CommonLabels.cluster }}`, "<!here> prow"},
		{`{{ range .Alerts.Firing }}{{ .Labels.SortedPairs }}: {{ .Annotations.line }}{{ end }}`,
			"alertname=prow-config-load-error, cluster=prow, severity=critical: Error loading config. &lt;@U123&gt;"},
		{`{{ urlUnescape "%3C!channel%3E" }}`, "&lt;!channel&gt;"},
		{`{{ base64decode "PCFjaGFubmVsPg==" }}`, "&lt;!channel&gt;"},
		{`{{ reReplaceAll "&lt;" "<" (index .Alerts 0).Annotations.summary }}`, "&lt;!channel&gt; Prow keeps its old configuration"},
		{`{{ template "mine" . }}`, "mine: prow"},
		{`{{ template "slack.default.title" . }}`, "[FIRING:1] prow critical"},
		{`{{ .GroupLabels.severity }} {{ .ExternalURL }} {{ since (index .Alerts 0).StartsAt }}{{ .CommonLabels.nothing }}`, "critical https://tocsin/i/1 1h0m0s"},
	} {
		tmpl, err := words.NewTemplate(c.source, `{{ define "mine" }}mine: {{ .GroupLabels.cluster }}{{ end }}`)
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		got, err := tmpl.RenderSlack(story(), "ops", "https://tocsin/i/1", incident.ReasonOpened, at.Add(time.Hour))
		if err != nil || strings.TrimSpace(got) != c.want {
			t.Errorf("%s\ngot  %q, %v\nwant %q", c.source, got, err, c.want)
		}
	}
	for source, say := range map[string]string{
		"{{ range 1000000000000 }}{{ end }}":                              "too much",
		`{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" }}`: "50 deep",
		"{{ .Nothing }}": "can't evaluate field Nothing",
	} {
		tmpl, err := words.NewTemplate(source)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.Render(words.Data(story(), "ops", "", incident.ReasonOpened, nil), at, nil); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %q, %v, want an error that says %q", source, got, err, say)
		}
	}
	if _, err := words.NewTemplate("ok", "{{ define }}"); err == nil || !strings.Contains(err.Error(), "file 1") {
		t.Errorf("a broken file: %v", err)
	}
}
