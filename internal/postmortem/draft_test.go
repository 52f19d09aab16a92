package postmortem_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/app"
	"tocsin/internal/incident"
	"tocsin/internal/postmortem"
	"tocsin/internal/scenario"
)

var update = flag.Bool("update", false, "write the papers of the outage of 2019 into docs; read the difference")

// relived is the one incident of a recorded-looking day under the configuration for Prow.
func relived(t *testing.T, day string) app.Relived {
	t.Helper()
	var entries bytes.Buffer
	if err := scenario.Write(&entries, day, 1); err != nil {
		t.Fatal(err)
	}
	plan, errs := app.Load("../../deploy/prow/tocsin.yaml")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	next, closeAll, err := app.Entries(nil, &entries, 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	all, err := app.Relive(context.Background(), plan, next, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := app.Pick(all, "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestOutageOf2019 holds docs/postmortems to what is written of the outage under the rules as they are. When rules change and the
// papers with them: go test ./internal/postmortem -update.
func TestOutageOf2019(t *testing.T) {
	d := relived(t, "outage-2019-01-23")
	papers := app.PapersOf(d.Detail, d.Ended, true, "")
	for name, text := range map[string]string{"2019-01-23.md": papers.Draft, "2019-01-23-note.txt": papers.Note, "2019-01-23-mail.txt": papers.Mail} {
		name = "../../docs/postmortems/" + name
		if *update {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text); diff != "" {
			t.Errorf("%s: go test ./internal/postmortem -update writes it anew (-is +would be):\n%s", name, diff)
		}
	}
	if got := papers.Day.Format(time.DateOnly); got != "2019-01-23" {
		t.Errorf("it is called by %s, wanted the day on which hook was down", got)
	}
	l := postmortem.LagsOf(&postmortem.Record{Incident: d.Incident, Events: d.Events, Notifications: d.Notifications})
	began := time.Date(2019, 1, 22, 23, 28, 49, 0, time.UTC)
	for what, lag := range map[string]struct{ got, most time.Duration }{
		"the first evidence": {l.First.Sub(began), time.Minute},
		"told":               {l.Told.Sub(began), 5 * time.Minute},
		"the critical page":  {l.PagedWorst.Sub(l.Worst), 2 * time.Minute},
	} {
		if lag.got < 0 || lag.got > lag.most {
			t.Errorf("%s: %s, wanted at most %s", what, lag.got, lag.most)
		}
	}
}

// headings are those of Prow's post-mortems, in their order.
var headings = []string{"## Summary", "## Impact", "## Root Cause", "## Detection", "## Resolution", "## Lessons Learned", "### What went well",
	"### What went wrong", "### Where we got lucky", "## Action Items", "## Timeline", "## Appendix"}

func wantHeadings(t *testing.T, draft string) {
	t.Helper()
	at := -1
	for _, h := range headings {
		next := strings.Index(draft, "\n"+h+"\n")
		if next <= at {
			t.Errorf("%q is missing or out of its place in:\n%s", h, draft)
		}
		at = next
	}
}

var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// answered is an incident that a person had and resolved.
func answered() *postmortem.Record {
	minute := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
	inc := incident.Incident{ID: "01KJTVQG00AAAAAAAAAAAAAAAA", Project: "p", Cluster: "prow", State: incident.Resolved, Severity: incident.Critical,
		Title: "hook is down", Headline: incident.Key{Rule: "hook-down", Group: "{}"}, FirstEntry: noon, OpenedAt: minute(1), ResolvedAt: minute(50), ResolvedBy: "ben",
		Alerts: []incident.Alert{{Key: incident.Key{Rule: "hook-down", Group: "{}"}, Severity: incident.Critical, Mode: incident.Page, Impact: incident.Down,
			Labels: incident.Labels{"service": "hook"}, First: noon, Last: minute(40), FiredAt: minute(1), Count: 12, FirstLine: incident.Line{Time: noon, Text: "no backend"}}}}
	return &postmortem.Record{Incident: inc, Now: minute(60), URL: "https://tocsin.example.com/incidents/" + inc.ID,
		Events: []incident.Event{
			{At: minute(1), Kind: incident.EventOpened, Text: "hook is down"},
			{At: minute(1), Kind: incident.EventAlertFired, Text: "hook is down", Alert: inc.Headline},
			{At: minute(1), Kind: incident.EventSent, Text: "told testing-ops"},
			{At: minute(2), Kind: incident.EventFailed, Text: "oncall: 503"},
			{At: minute(20), Kind: incident.EventSent, Text: "paged oncall, round 1"},
			{At: minute(45), Kind: incident.EventAcknowledged, Text: "acknowledged by ana", By: "ana"},
			{At: minute(50), Kind: incident.EventResolved, Text: "resolved by ben", By: "ben"}},
		Notifications: []incident.Notification{
			{Target: "testing-ops", Kind: incident.Message, State: incident.Sent, CreatedAt: minute(1), SentAt: minute(50), SentRevision: 4},
			{Target: "oncall", Kind: incident.Call, Round: 1, State: incident.Sent, CreatedAt: minute(1), SentAt: minute(20), Attempts: 9},
			{Target: "oncall", Kind: incident.Call, Round: 2, State: incident.Cancelled, Cause: "acknowledged", CreatedAt: minute(30)}}}
}

// TestAnswered holds the lags, and what is made of them, to an incident that was told in time, paged late and answered late.
func TestAnswered(t *testing.T) {
	r := answered()
	draft := postmortem.Draft(r)
	wantHeadings(t, draft)
	for _, want := range []string{
		"# March 3rd, 2026: hook is down\n",
		"Incident: [01KJTVQG00AAAAAAAAAAAAAAAA](<https://tocsin.example.com/incidents/01KJTVQG00AAAAAAAAAAAAAAAA>), critical, project p, cluster prow",
		"| Told | 2026-03-03 12:01:00 (testing-ops) | 60 seconds |",
		"| First page | 2026-03-03 12:20:00 (oncall) | 20 minutes |",
		"| Acknowledged | 2026-03-03 12:45:00 (ana) | 45 minutes |",
		"| Resolved | 2026-03-03 12:50:00 (ben) | 50 minutes |",
		"- testing-ops was told 60 seconds after the first line that shows it.\n",
		"- The first page came 20 minutes after the first line that shows it.\n",
		"- ana had it only 25 minutes after the first page.\n",
		"- A notification could not be delivered, 12:02:00 UTC: oncall: 503\n",
		"- [ ] Write a runbook for `hook-down`.\n",
		"| 2026-03-03 12:20:00 | oncall | page, round 1 | sent, 9 tries |",
		"| 2026-03-03 12:30:00 | oncall | page, round 2 | not needed: acknowledged |",
		"- 12:40:00 **the last line that tells so**\n",
	} {
		if !strings.Contains(draft, want) {
			t.Errorf("%q is not in:\n%s", want, draft)
		}
	}
	if note := postmortem.Note(r); !strings.Contains(note, "*State:* over since 2026-03-03 12:50:00 UTC, after 50 minutes\n") {
		t.Error(note)
	}
}

// TestNotOver holds that nothing is claimed that has not happened.
func TestNotOver(t *testing.T) {
	r := answered()
	r.Incident.State, r.Incident.ResolvedAt, r.Incident.ResolvedBy = incident.Open, time.Time{}, ""
	r.Events, r.Notifications = nil, nil
	draft := postmortem.Draft(r)
	wantHeadings(t, draft)
	for _, want := range []string{"and is not over.", "| Told | nobody was told | |", "| First page | nobody was paged | |", "| Acknowledged | nobody acknowledged | |",
		"| Resolved | not yet | |", "from 12:00:00 to 12:40:00 UTC, 40 minutes so far", "- Nobody was paged.\n"} {
		if !strings.Contains(draft, want) {
			t.Errorf("%q is not in:\n%s", want, draft)
		}
	}
	if mail := postmortem.Mail(r); !strings.Contains(mail, "Subject: [ongoing] hook is down\n") || !strings.Contains(mail, "State:   not over\n") {
		t.Error(mail)
	}
	if draft := postmortem.Draft(&postmortem.Record{Incident: incident.Incident{ID: "x"}}); !strings.Contains(draft, "TODO: the cause.") {
		t.Errorf("of an incident without alerts:\n%s", draft)
	}
}

// TestHostile holds that what a log line brings is text and nothing else.
func TestHostile(t *testing.T) {
	r := answered()
	evil := "x\n# All is well\n```\n@kubernetes/everyone [click](https://evil.example) <img src=x> xoxb-123456-secret | \x1b[31m\u202e <!channel>"
	a := &r.Incident.Alerts[0]
	r.Incident.Title, r.Incident.Project, r.Incident.ResolvedBy = evil, evil, evil
	a.FirstLine.Text, a.FirstLine.Service = evil, evil
	a.Lines = []incident.Line{{Time: noon, Text: strings.Repeat(evil, 1000), Service: evil}}
	a.Labels = incident.Labels{"service": evil, "a": evil}
	a.Annotations = map[string]string{"summary": evil, "description": evil, "runbook_url": "javascript:alert(1)"}
	for i := range r.Events {
		r.Events[i].Text, r.Events[i].By = evil, evil
	}
	for i := range r.Notifications {
		r.Notifications[i].Text, r.Notifications[i].LastError, r.Notifications[i].Target = evil, evil, evil
	}
	for name, text := range map[string]string{"draft": postmortem.Draft(r), "note": postmortem.Note(r), "mail": postmortem.Mail(r)} {
		if strings.Contains(text, "secret") || strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("the %s lets through what must not leave:\n%q", name, text)
		}
		if len(text) > 64<<10 {
			t.Errorf("the %s has %d bytes", name, len(text))
		}
	}
	fence := ""
	for line := range strings.Lines(postmortem.Draft(r)) {
		switch {
		case fence == "" && strings.HasPrefix(line, "```"):
			fence = strings.TrimRight(line, "\ntex")
			continue
		case fence != "":
			if strings.TrimRight(line, "\n") == fence {
				fence = ""
			}
			continue
		case strings.HasPrefix(line, "# All"):
			t.Errorf("a line of a log is a heading: %q", line)
		}
		plain := outsideCode(line)
		if strings.Contains(plain, "@") || strings.Contains(plain, "://evil") || strings.Contains(strings.ReplaceAll(plain, `\<`, ""), "<img") || strings.Contains(plain, "javascript") {
			t.Errorf("this line is more than text: %q", line)
		}
	}
	if note := postmortem.Note(r); strings.Contains(note, "<!channel>") {
		t.Errorf("the note mentions the channel: %q", note)
	}
}

var ticks = regexp.MustCompile("`+")

// outsideCode is a line of markdown without what stands as code: from a run of backticks to the next of that length.
func outsideCode(line string) string {
	line = strings.ReplaceAll(line, "\\`", "")
	out := ""
	for {
		open := ticks.FindStringIndex(line)
		if open == nil {
			return out + line
		}
		out += line[:open[0]]
		fence, rest := line[open[0]:open[1]], line[open[1]:]
		end := len(rest)
		for _, run := range ticks.FindAllStringIndex(rest, -1) {
			if rest[run[0]:run[1]] == fence {
				end = run[1]
				break
			}
		}
		line = rest[end:]
	}
}
