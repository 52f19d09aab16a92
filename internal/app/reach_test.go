package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReach: what would leave a page unheard is found when the configuration is read, at its place, with the mend. Each case changes one
// line of a configuration with which nothing is wrong.
func TestReach(t *testing.T) {
	good := map[string]string{
		"receivers": `{oncall: {pagerduty: {routing_key_file: k, token_file: t}}, again: {pagerduty: {routing_key_file: k}}, ops: {slack: {channel: "#ops", token_file: s}}, few: {slack: {channel: "#few", token_file: s}}, hook: {webhook: {url: https://x/}}}`,
		"fallback":  `ops`,
		"people":    `{ana: {slack: U0000001, pagerduty: P000001}, bob: {slack: U0000002}, eve: {pagerduty: P000003}}`,
		"schedules": `{prow: {rotation: [ana, bob], every: 7d, starts: 2026-11-23T09:00:00Z}, mail: {rotation: [eve], every: 7d, starts: 2026-11-23T09:00:00Z}}`,
		"route":     `{receiver: few, routes: [{matchers: ['severity="critical"'], receiver: ops, escalation: urgent}, {matchers: ['severity="high"'], receiver: ops, escalation: unheard}]}`,
		"urgent":    `{steps: [{notify: [oncall]}, {after: 10m, mention: prow}]}`,
		"unheard":   `{steps: [{after: 30m, mention: prow}]}`,
	}
	for _, test := range []struct{ what, key, value, want string }{
		{"nothing is wrong", "", "", ""},
		{"a mention where the route's receiver is none", "route", `{receiver: few, routes: [{matchers: ['severity="high"'], receiver: none, escalation: unheard}]}`,
			"10:12: the policy reaches nobody for the incidents of receiver none: nobody of schedule prow can be mentioned there; give people slack"},
		{"a mention where the route's receiver is a pager", "route", `{receiver: few, routes: [{matchers: ['severity="high"'], receiver: oncall, escalation: unheard}]}`,
			"10:12: the policy reaches nobody for the incidents of receiver oncall"},
		{"a mention of people without slack", "unheard", `{steps: [{after: 30m, mention: mail}]}`,
			"10:12: the policy reaches nobody for the incidents of receiver ops: nobody of schedule mail can be mentioned there"},
		{"a mention where the message names them", "route", `{receiver: few, routes: [{matchers: ['severity="high"'], receiver: hook, escalation: unheard}]}`, ""},
		{"a mention of one without slack beside a call", "urgent", `{steps: [{notify: [oncall]}, {after: 10m, notify: [ops], mention: mail}]}`,
			"warning 5:83: eve is mentioned by schedule mail and has no slack"},
		{"a critical policy on one pager", "urgent", `{steps: [{notify: [oncall]}, {after: 10m, notify: [oncall, again]}]}`,
			"warning 9:11: critical incidents go by this policy, and all that it calls (again, oncall) hangs on one provider"},
		{"a critical policy on one Slack token", "urgent", `{steps: [{notify: [ops]}, {after: 10m, notify: ["schedule:prow"]}]}`,
			"warning 9:11: critical incidents go by this policy, and all that it calls (ops, person:ana, person:bob) hangs on one provider"},
		{"one provider is enough for what is not critical", "unheard", `{steps: [{notify: [oncall]}]}`, ""},
		{"the fallback is the pager", "fallback", "again", "warning 4:11: the fallback hangs on the same provider as what pages (again, oncall)"},
		{"a pager escalates, and its acknowledges cannot be seen", "urgent", `{escalates: pager, steps: [{notify: [again]}, {after: 10m, mention: prow}]}`,
			"warning 9:11: the pager escalates, and without its token_file"},
		{"a person who cannot be told directly", "urgent", `{steps: [{notify: [oncall, "person:eve", ops]}]}`,
			"9:38: steps.0.notify.1: eve cannot be called: no receiver can tell one person by what people has for them; give eve slack"},
		{"a schedule with a person who cannot be told directly", "urgent", `{steps: [{notify: [oncall, "schedule:mail", ops]}]}`,
			"9:38: steps.0.notify.1: eve, of schedule mail, cannot be called"},
		{"a person on a schedule whom nothing can reach", "people", `{ana: {slack: U0000001}, bob: {slack: U0000002}, eve: {github: eve}, joe: {github: joe}}`,
			"warning 5:63: eve is on schedule mail and nothing can reach them: give them slack, their user's id (U...), or pagerduty"},
		{"a person who cannot be reached at all", "people", `{ana: {slack: U0000001}, bob: {slack: U0000002}, eve: {}}`, "cannot be reached: write at least one of slack"},
	} {
		t.Run(test.what, func(t *testing.T) {
			line := func(key string) string {
				if key == test.key {
					return test.value
				}
				return good[key]
			}
			text := fmt.Sprintf("project: p\nrules: [\"builtin:prow/config.yaml\"]\nreceivers: %s\nfallback: %s\npeople: %s\nschedules: %s\nroute: %s\nescalation:\n  urgent: %s\n  unheard: %s\n",
				line("receivers"), line("fallback"), line("people"), line("schedules"), line("route"), line("urgent"), line("unheard"))
			path := filepath.Join(t.TempDir(), "tocsin.yaml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			plan, errs := load(path)
			var got []string
			for _, e := range errs {
				got = append(got, strings.TrimPrefix(e.Error(), path+":"))
			}
			for _, w := range plan.Warnings {
				got = append(got, "warning "+strings.TrimPrefix(w.Error(), path+":"))
			}
			if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
				t.Errorf("%q\nwant %q\nin\n%s", got, test.want, text)
			}
		})
	}
}

// TestNoFallback: without one the log alone would say that nothing can be told, which is warned of wherever somebody is told elsewhere.
func TestNoFallback(t *testing.T) {
	const begin = "warning 2:12: no fallback: while the store cannot be written nothing else can be told, and only tocsin's log says so"
	for _, test := range []struct{ what, text, want string }{
		{"a channel", "receivers: {ops: {slack: {channel: C0123456789, token_file: t}}}", begin + "; name the receiver to be told directly, such as fallback: ops"},
		{"a pager before a channel", "receivers: {call: {pagerduty: {routing_key_file: k, token_file: t}}, ops: {slack: {channel: C0123456789, token_file: t}}}", begin + "; name the receiver to be told directly, such as fallback: ops"},
		{"a heartbeat", "receivers: {hook: {webhook: {url: https://x/}}}\nheartbeat: {url: https://x/}", begin + ", and the heartbeat that stops; name the receiver to be told directly, such as fallback: hook"},
		{"it is there", "receivers: {ops: {slack: {channel: C0123456789, token_file: t}}}\nfallback: ops", ""},
		{"a screen", "receivers: {screen: {console: {}}}", ""},
		{"nobody is told at all", "lateness: 10s", ""},
	} {
		path := filepath.Join(t.TempDir(), "tocsin.yaml")
		if err := os.WriteFile(path, []byte("project: p\n"+test.text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		plan, errs := load(path)
		if len(errs) > 0 {
			t.Fatalf("%s: %v", test.what, errs)
		}
		got := ""
		for _, w := range plan.Warnings {
			got += "warning " + strings.TrimPrefix(w.Error(), path+":")
		}
		if got != test.want {
			t.Errorf("%s: %q\nwant %q", test.what, got, test.want)
		}
	}
}
