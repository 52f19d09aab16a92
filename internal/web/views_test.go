package web

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

var update = flag.Bool("update", false, "write the golden files anew")

// watchedBefore is a source that an earlier configuration had.
var watchedBefore = store.SourceState{Name: "gone", Entries: 5, Blind: true}

// golden compares the main part of a page with testdata/name.
func golden(t *testing.T, name, page string) {
	t.Helper()
	_, main, _ := strings.Cut(page, "<main id=\"main\">\n")
	main, _, _ = strings.Cut(main, "</main>")
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(main), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), main); diff != "" {
		t.Errorf("%s:\n%s", name, diff)
	}
}

// expect holds that a page has each of some texts and none of others ("!" before them), whatever its markup.
func expect(t *testing.T, page string, texts ...string) {
	t.Helper()
	seen := visible(page)
	for _, text := range texts {
		if not, ok := strings.CutPrefix(text, "!"); ok {
			if strings.Contains(seen, not) {
				t.Errorf("%q is in\n%s", not, seen)
			}
		} else if !strings.Contains(seen, text) {
			t.Errorf("%q is not in\n%s", text, seen)
		}
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

// visible is about what a person reads of a page.
func visible(page string) string {
	page = strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&#43;", "+", "&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(tags.ReplaceAllString(page, " "))
	return strings.Join(strings.Fields(page), " ")
}

func TestViews(t *testing.T) {
	h, s, id := filled(t, nil)
	fill(t, s, []incident.Incident{
		small("tide-502", clock(21, 14, 2, 0), incident.Warning, incident.Resolved, "GitHub answers 502 to tide; ours is well"),
	}, nil, nil)
	_, page := ask(t, h, "GET", "/", "")
	golden(t, "overview.html", page)
	expect(t, page, "well: 2 sources, none blind, seen up to 12 s ago", "!tocsin itself is not well")
	_, page = ask(t, h, "GET", "/incidents/"+id, "")
	golden(t, "incident.html", page)
}

// TestWhoHasIt holds that the pages say who has an incident, what happens next, and offer what can be done, in each state.
func TestWhoHasIt(t *testing.T) {
	h, s, id := filled(t, nil)
	look := func(forms, disabled int, texts ...string) {
		t.Helper()
		_, page := ask(t, h, "GET", "/incidents/"+id, "")
		if f, d := strings.Count(page, "<form"), strings.Count(page, " disabled>Acknowledge<"); f != forms || d != disabled {
			t.Errorf("%d forms and %d disabled buttons, want %d and %d", f, d, forms, disabled)
		}
		expect(t, page, texts...)
	}
	post := func(deed, by string) {
		t.Helper()
		if answer, text := ask(t, h, "POST", "/incidents/"+id+"/"+deed, "by="+by, "Content-Type", formType); answer.StatusCode != 303 {
			t.Fatalf("%s: %d\n%s", deed, answer.StatusCode, text)
		}
	}
	look(1, 0, "Open since Jan 22, 23:28, 12 h 36 min; nobody has it.", "It escalates at 12:13, in 8 min, unless somebody acknowledges.", "Acknowledge Resolve Silence… as")
	post("acknowledge", "ana")
	look(1, 1, "12 h 36 min; ana has had it since 12:05.", "!escalates", "Silence… as")
	if _, page := ask(t, h, "GET", "/", ""); !strings.Contains(visible(page), "Somebody has it.") {
		t.Errorf("overview: %s", visible(page))
	}
	post("resolve", "ben+the+second")
	look(0, 0, "Since Jan 22, 23:28, resolved by ben the second at 12:05, after 12 h 36 min.", "!Silence… as")
	_, page := ask(t, h, "GET", "/", "")
	expect(t, page, "No incident is open", "resolved by ben the second")

	answer, page := ask(t, h, "POST", "/incidents/"+id+"/acknowledge", "by=late", "Content-Type", formType)
	expect(t, page, "it is resolved already", "resolved by ben the second")
	if answer.StatusCode != 409 {
		t.Errorf("acknowledging what is over: %d", answer.StatusCode)
	}
	if got := everything(t, s, id).Incident; got.State != incident.Resolved || got.ResolvedBy != "ben the second" {
		t.Errorf("%s by %q", got.State, got.ResolvedBy)
	}
}

// TestNextStep words what waits for an incident that nobody has.
func TestNextStep(t *testing.T) {
	for want, inc := range map[string]incident.Incident{
		"calls nobody": {State: incident.Open},
		"":             {State: incident.Acknowledged, Escalation: incident.Escalation{Next: noon}},
		"escalates now": {State: incident.Open, Policy: "p",
			Escalation: incident.Escalation{Next: noon.Add(-time.Second)}},
		"escalates at 12:06, in 60 s, unless somebody acknowledges": {State: incident.Open, Policy: "p",
			Escalation: incident.Escalation{Next: noon.Add(time.Minute)}},
		"nobody answered; calls again at 13:05, in 1 h": {State: incident.Open, Policy: "p",
			Escalation: incident.Escalation{Exhausted: true, Next: noon.Add(time.Hour)}},
		"nobody answered, and nobody is left to call": {State: incident.Open, Policy: "p",
			Escalation: incident.Escalation{Exhausted: true}},
	} {
		if got := next(&inc, noon); got != want {
			t.Errorf("%+v: %q, want %q", inc, got, want)
		}
	}
}

// TestNotWell holds that each thing that is wrong with the service itself is said at the top of the first page, and that every
// page's header says that something is.
func TestNotWell(t *testing.T) {
	h, s, id := filled(t, func(o *Options) {
		well := o.Status
		o.Status = func() Status {
			is := well()
			is.Config.ReloadError, is.Config.ReloadFailedAt = "tocsin.yaml:12:3: unknown key \"recever\"\nrules/x.yaml:4:1: <b>\x1b", clock(23, 11, 40, 0)
			is.Sources = append(is.Sources, client.Source{Name: "events", Kind: "file", Error: "open events.json: permission denied"})
			return is
		}
		o.Ready = func() error { return errors.New("no rule is loaded") }
	})
	blind := watched()[1]
	blind.Blind = true
	fill(t, s, nil, nil, []incident.Notification{{Incident: id, Target: "prow-alerts", Kind: incident.Message, Key: "late", Reason: incident.ReasonOpened,
		State: incident.Pending, CreatedAt: noon.Add(-4 * time.Minute), Attempts: 3, LastError: "slack: token_revoked"}}, blind)
	_, page := ask(t, h, "GET", "/", "")
	expect(t, page, "tocsin is not well: 5 troubles", "tocsin itself is not well",
		"It is not ready: no rule is loaded",
		"prow-alerts has not got what waits for it since 4 min (3 tries): slack: token_revoked",
		"Source hook is blind", "Source events cannot be read: open events.json: permission denied",
		`The new configuration was refused at 11:40 . The old one is still in force. tocsin.yaml:12:3: unknown key "recever" rules/x.yaml:4:1: <b>␛`,
		"!oncall has not got") // that one waits for 20 s only
	_, page = ask(t, h, "GET", "/incidents/"+id, "")
	expect(t, page, "tocsin is not well: 5 troubles")
}

// TestHostileText fills every text of an incident with what somebody who can write a log line would write, and holds that
// pages show it as text: no markup of theirs, nothing that cannot be seen, nothing without end, no link but to the web.
func TestHostileText(t *testing.T) {
	evil := "</pre></title><script>alert(1)</script><img src=x onerror=alert(1)>\"' onmouseover='alert(1) {{.}} \x1b[2J\x00\u202egnp.exe\u2069\u200b\xff\xfe " + strings.Repeat("W", 20_000)
	inc, events, told := outage()
	inc.Title, inc.Cluster, inc.Escalation.News, inc.Receivers = evil, evil, evil, []string{evil}
	inc.State, inc.Acknowledgement = incident.Acknowledged, &incident.Acknowledgement{By: evil, At: noon}
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		a.Labels = incident.Labels{evil: evil, "service": evil}
		a.Annotations = map[string]string{"summary": evil, "description": evil + "\n", "runbook_url": "javascript:alert(1)//" + evil}
		a.FirstLine, a.List = incident.Line{Time: a.First, Text: evil, Service: evil}, []string{evil}
		for j := range a.Lines {
			a.Lines[j].Text, a.Lines[j].Service = evil, evil
		}
	}
	for i := range events {
		events[i].Text, events[i].By, events[i].Lines = evil, evil, []incident.Line{{Time: noon, Text: evil, Service: evil}}
	}
	events[2].Kind = incident.EventKind(evil)
	for i := range told {
		told[i].Text, told[i].Receipt, told[i].LastError, told[i].Target, told[i].Cause = evil, evil, evil, evil, evil
	}
	over := small("over", clock(20, 1, 0, 0), incident.High, incident.Resolved, evil)
	over.ResolvedBy = evil
	h, s, _ := filled(t, func(o *Options) {
		o.Status = func() Status {
			return Status{Sources: []client.Source{{Name: evil, Kind: evil, Error: evil}}, Config: client.Configuration{ReloadError: evil}}
		}
		o.Healthy = func() error { return errors.New(evil) }
		o.Rules = func() []Rule { return []Rule{{Name: evil, Severity: "high", Mode: evil, Filter: evil, Where: evil}} }
		o.Maintenance = func(time.Time) []incident.Holder {
			return []incident.Holder{{By: "maintenance " + evil, Why: evil, Until: noon}}
		}
	})
	inc.Holds = []incident.Holder{{By: "silence 1", Until: noon.Add(time.Hour)}, {By: "maintenance " + evil, Until: noon}}
	fill(t, s, []incident.Incident{inc, over}, events, told)
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.AddOverride(t.Context(), &store.Override{Schedule: "prow", Person: evil, From: noon, To: noon.Add(time.Hour), By: evil, Reason: evil, At: noon}); err != nil {
			return err
		}
		return tx.SaveSilence(t.Context(), &incident.Silence{Matchers: []string{"rule=~" + strconv.Quote(evil)}, Starts: noon.Add(-time.Minute), Ends: noon.Add(time.Hour), Owner: evil, Reason: evil, UpTo: incident.High, CreatedAt: noon})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/silences", "/silences?for=" + inc.ID, "/oncall", "/rules", "/sources", "/status", "/incidents/" + inc.ID, "/incidents/" + over.ID, "/healthz", "/nowhere/%3Cscript%3Ealert(1)%1b%E2%80%AE"} {
		answer, page := ask(t, h, "GET", path, "")
		if answer.StatusCode >= 500 && path != "/healthz" {
			t.Fatalf("%s: %d\n%s", path, answer.StatusCode, page)
		}
		if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
			for _, bad := range []string{"<script>", "<img", "</pre></title>", "javascript:alert(1)//&", "ZgotmplZ", "' onmouseover"} {
				if strings.Contains(page, bad) {
					t.Errorf("%s holds %q", path, bad)
				}
			}
		}
		for _, r := range page {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Errorf("%s holds %U", path, r)
				break
			}
		}
		if strings.Contains(page, strings.Repeat("W", lineLength+1)) || len(page) > 1<<20 {
			t.Errorf("%s: a text without end; %d bytes in all", path, len(page))
		}
	}
	_, page := ask(t, h, "GET", "/incidents/"+inc.ID, "")
	if strings.Contains(page, `href="javascript`) || !strings.Contains(page, "alert(1)") {
		t.Errorf("the text is to be shown, and not to be a link")
	}
}

// TestManyIncidents holds that a storm leaves the first page readable, the gravest first.
func TestManyIncidents(t *testing.T) {
	var all []incident.Incident
	for i := range 240 {
		all = append(all, small(fmt.Sprintf("rule-%d", i), clock(23, 9, 0, 0).Add(time.Duration(i)*time.Second), incident.Warning, incident.Open, fmt.Sprintf("thing %d.", i)))
	}
	all[200].Severity, all[201].Severity = incident.Critical, incident.Critical
	all[201].State = incident.Acknowledged
	h, s, _ := filled(t, nil)
	fill(t, s, all, nil, nil)
	_, page := ask(t, h, "GET", "/", "")
	expect(t, page, "241 incidents are open", "Nobody has 240 of them yet.", "and 41 more: tocsin incidents lists them all")
	if cards, rows := strings.Count(page, "<article"), strings.Count(page, `<td class="wide">`); cards != mostCards || rows != mostRows {
		t.Errorf("%d cards and %d rows", cards, rows)
	}
	first, second, third := strings.Index(page, "thing 200."), strings.Index(page, "thing 201."), strings.Index(page, "thing 239.")
	if first < 0 || first > second || second > third {
		t.Errorf("critical at %d, taken critical at %d, newest warning at %d", first, second, third)
	}
}

// TestLongTimeline holds that a page shows how it began and what is new, and says what it leaves out.
func TestLongTimeline(t *testing.T) {
	h, s, id := filled(t, nil)
	var events []incident.Event
	for i := range 300 {
		events = append(events, incident.Event{Incident: id, At: clock(23, 11, 51, 0), Kind: incident.EventSent, Text: fmt.Sprintf("event %d.", i)})
	}
	fill(t, s, nil, events, nil) // behind the six of the outage
	_, page := ask(t, h, "GET", "/incidents/"+id, "")
	expect(t, page, "opened the new configuration does not load", "event 13.", "106 events are left out here", "!event 14.", "!event 119.", "event 120.", "event 299.")
}

// TestPolicyHolds holds that no page needs what the content security policy forbids.
func TestPolicyHolds(t *testing.T) {
	h, _, id := filled(t, nil)
	for _, path := range []string{"/", "/incidents/" + id, "/nowhere"} {
		_, page := ask(t, h, "GET", path, "")
		if found := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?: [^>]*)?>[^<]|(?:src|href|action)="(?:https?:)?//[^"]*\.(?:js|css)`).FindString(page); found != "" {
			t.Errorf("%s holds %q", path, found)
		}
	}
}

// TestServices holds that a list that a rule collects counts as services only where it is one.
func TestServices(t *testing.T) {
	inc := incident.Incident{Alerts: []incident.Alert{
		{FirstLine: incident.Line{Service: "hook"}, List: []string{"deck", "hook"}},
		{Key: key("b", ""), Labels: incident.Labels{"service": "tide"}, FirstLine: incident.Line{Service: "tide"}, List: []string{"some error"}},
	}}
	if diff := cmp.Diff([]string{"hook", "deck", "tide"}, services(&inc)); diff != "" {
		t.Error(diff)
	}
}

// trouble reports a trouble of tocsin's own.
func trouble(t *testing.T, s *store.Store, one store.Trouble) {
	t.Helper()
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.Report(t.Context(), one) }); err != nil {
		t.Fatal(err)
	}
}

// The page says how tocsin itself is: what its audit finds, why no heartbeat goes out, what it has reported of itself.
func TestTheViewOfItself(t *testing.T) {
	h, s, _ := filled(t, func(o *Options) {
		before := o.Status
		o.Status = func() Status {
			is := before()
			is.Audit.Findings = []string{"an open incident waits for no next step: 01D1<b>"}
			is.Heartbeat.Blocked = []string{"a page has waited for 6m0s", "source hook: blind"}
			return is
		}
	})
	trouble(t, s, store.Trouble{Kind: "rule_quarantined", Labels: map[string]string{"rule": "hook-crash-loop"}, Text: "index <i>out of range", At: noon})
	trouble(t, s, store.Trouble{Kind: "clock_jump", At: noon})
	trouble(t, s, store.Trouble{Kind: "clock_jump", At: noon, Over: true})
	_, page := ask(t, h, "GET", "/", "")
	expect(t, page, "tocsin is not well: 2 troubles", "The audit fails: an open incident waits for no next step: 01D1<b>",
		"rule quarantined (hook-crash-loop): index <i>out of range", "!clock jump", "Its own audit, 8 s ago: 1 finding.",
		"Its heartbeat is held back: a page has waited for 6m0s; source hook: blind.")
	h, _, _ = filled(t, func(o *Options) {
		before := o.Status
		o.Status = func() Status {
			is := before()
			is.Heartbeat = nil
			return is
		}
	})
	_, page = ask(t, h, "GET", "/", "")
	expect(t, page, "Its own audit, 8 s ago: clean. No heartbeat is configured: if tocsin dies, nobody outside notices, save an alert policy of tocsin provision if there is one.")
}
