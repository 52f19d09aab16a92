package app

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/fakes"
	"tocsin/rules"
)

// The demo runs what is shipped: the same rules, filters and severities, and only the times are shorter.
func TestDemoRulesAreTheShippedOnes(t *testing.T) {
	names, err := fs.Glob(rules.Builtin, "prow/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal("no shipped rules", err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(rules.Builtin, name)
		if err != nil {
			t.Fatal(err)
		}
		shipped, errs := rules.Read(name, text)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		shorter, errs := rules.Read(name, pace(1).rules(text))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		if len(shorter) != len(shipped) {
			t.Fatalf("%s: %d rules, want %d", name, len(shorter), len(shipped))
		}
		for i, r := range shorter {
			want := shipped[i]
			same := r.Name == want.Name && r.Filter.String() == want.Filter.String() && r.Severity == want.Severity && r.Mode == want.Mode &&
				r.Impact == want.Impact && slices.Equal(r.SymptomOf, want.SymptomOf) && cmp.Equal(r.Labels, want.Labels)
			if !same || r.For != want.For/30 || len(r.Cases) > 0 {
				t.Errorf("%s is another rule in the demo", want.Name)
			}
		}
	}
}

func TestDemoRuleTimes(t *testing.T) {
	const rule = `rules:
  - name: x
    detect: {threshold: {count: 4, window: 10m}}
    for: 3m
    resolves:
      on_quiet: {after: 20m}
    annotations:
      summary: 'x has been failing for ten minutes: {{ .Entry.textPayload }}'
    cases:
      - name: one
        until: 30m

  # The next.
  - name: y
    detect: {threshold: {window: 1m}}
`
	const want = `rules:
  - name: x
    detect: {threshold: {count: 4, window: 20s}}
    for: 6s
    resolves:
      on_quiet: {after: 8s}
    annotations:
      summary: 'x has been failing: {{ .Entry.textPayload }}'
  # The next.
  - name: y
    detect: {threshold: {window: 6s}}
`
	if diff := cmp.Diff(want, string(pace(1).rules([]byte(rule)))); diff != "" {
		t.Error(diff)
	}
	if got := pace(4).ruleTime("after: 20m"); got != "after: 3s" { // a probe that asks once a second must not be quiet between two results
		t.Errorf("at four times the pace: %s", got)
	}
	if got := pace(4).second(); got != 5*time.Second {
		t.Errorf("the second call after %s at four times the pace", got)
	}
}

func TestVoiceShowsWhatAnEditChanged(t *testing.T) {
	var out strings.Builder
	v := newVoice(&out, false, func(id string) string { return "#" + id })
	m := fakes.SlackMessage{Channel: "ops", TS: "1.0", Text: "fallback",
		Blocks: []byte(`[{"type":"section","text":{"text":"🔴 *Down &amp; out*"}},{"type":"section","text":{"text":"` + "```\\nthe \\u001b[31mline\\n```" + `"}},
			{"type":"section","text":{"text":"Open\n<http://127.0.0.1/i/1|Incident>"}}]`)}
	m.Blocks = []byte(strings.ReplaceAll(string(m.Blocks), "Open\n", `Open\n`))
	v.slack(fakes.SlackEvent{Kind: "posted", Message: m})
	m.Blocks = []byte(strings.ReplaceAll(string(m.Blocks), "Open", "Over"))
	v.slack(fakes.SlackEvent{Kind: "edited", Message: m})
	var got []string
	for line := range strings.Lines(out.String()) {
		_, text, _ := strings.Cut(line, "Slack       ")
		if text == "" {
			text = line
		}
		got = append(got, strings.TrimSpace(text))
	}
	want := []string{"a message in #ops:", "│ 🔴 Down & out", `│ the \x1b[31mline`, "│ Open", "│ Incident: http://127.0.0.1/i/1", "the message is edited:", "│ Over"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"one two", []string{"one two"}},
		{"one two three", []string{"one two", "three"}},
		{"äöüäöüäöü xyz", []string{"äöüäöüä", "öü xyz"}},
	} {
		if diff := cmp.Diff(c.want, wrap(c.text, 7)); diff != "" {
			t.Errorf("%q: %s", c.text, diff)
		}
	}
}
