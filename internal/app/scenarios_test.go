package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/scenario"
)

// told is a line of a replay.
type told struct {
	Time     time.Time         `json:"time"`
	Type     string            `json:"type"`
	State    string            `json:"state"`
	Rule     string            `json:"rule"`
	Incident string            `json:"incident"`
	Title    string            `json:"title"`
	Severity string            `json:"severity"`
	Receiver string            `json:"receiver"`
	Notifier string            `json:"notifier"`
	Reason   string            `json:"reason"`
	Page     bool              `json:"page"`
	Quiet    bool              `json:"quiet"`
	Text     string            `json:"text"`
	Labels   map[string]string `json:"labels"`
}

// shipped is the configuration for Prow as it is shipped.
const shipped = "../../deploy/prow/tocsin.yaml"

// entriesOf writes a scenario.
func entriesOf(t *testing.T, name string, seed uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := scenario.Write(&b, name, seed); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// replayed is what a replay of entries under a configuration prints as JSON. size is how many bytes a batch holds.
func replayed(t *testing.T, config string, entries []byte, size int) []byte {
	t.Helper()
	plan, errs := Load(config)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	next, closeAll, err := Entries(nil, bytes.NewReader(entries), size, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	var out bytes.Buffer
	teller := &JSONTeller{W: &out}
	if err := (&Replay{Plan: plan, Entries: next, Tell: teller}).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func lines(t *testing.T, b []byte) []told {
	t.Helper()
	var all []told
	for _, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var v told
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, v)
	}
	return all
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// wanted is what people need of a scenario.
type wanted struct {
	begins string
	// pageBy: "" for no page. toldBy: "" for nobody may be told; "any" in either for no matter; people are the channels that people read.
	pageBy, toldBy string
	quietChannel   bool // the channel that few read must be silent too
	word           string
	// one says that all of which people are told must be one incident.
	one bool
}

var wants = map[string]wanted{
	"quiet-day":             {begins: "2026-03-03T00:00:00Z", quietChannel: true},
	"outage-2019-01-23":     {begins: "2019-01-22T23:28:49Z", pageBy: "2019-01-23T11:52:00Z", toldBy: "2019-01-22T23:33:49Z", word: "duplicated preset label"},
	"hook-panic-2019-09-24": {begins: "2019-09-24T16:02:10Z", pageBy: "2019-09-24T16:12:10Z", toldBy: "any", word: "panic"},
	"github-502-flood":      {begins: "2026-05-05T11:05:00Z", toldBy: "any"},
	"control-plane-upgrade": {begins: "2026-06-06T03:00:00Z", toldBy: "any"},
	"busy-day":              {begins: "2026-07-07T08:00:00Z"},
}

// TestScenarios replays each recorded-looking day, several seeds of it, under the shipped configuration and holds what people would
// have been told to what they need.
func TestScenarios(t *testing.T) {
	for _, name := range played(scenario.Names()) {
		want, seeds := wants[name], uint64(3)
		if want == (wanted{}) {
			want, seeds = kinds[name], 1
		}
		if raced {
			seeds = 1
		}
		if want == (wanted{}) {
			t.Errorf("scenario %s: say what people need of it", name)
			continue
		}
		for seed := uint64(1); seed <= seeds; seed++ {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				t.Parallel()
				judge(t, want, lines(t, replayed(t, shipped, entriesOf(t, name, seed), 0)))
			})
		}
	}
}

func judge(t *testing.T, want wanted, all []told) {
	var pages, people, few []told
	said := ""
	for _, v := range all {
		if v.Type != "notification" || v.Reason == "resolved" || v.Quiet {
			continue
		}
		said += v.Text + "\n"
		switch {
		case v.Page:
			pages = append(pages, v)
		case v.Receiver == "prow-alerts":
			few = append(few, v)
		default:
			people = append(people, v)
		}
		if v.Receiver != "prow-alerts" && v.Time.Before(at(want.begins)) {
			t.Errorf("tells at %s, before anything is wrong: %s", v.Time, v.Text)
		}
	}
	switch {
	case want.pageBy == "any":
	case want.pageBy == "" && len(pages) > 0:
		t.Errorf("pages at %s: %s", pages[0].Time, pages[0].Text)
	case want.pageBy != "" && (len(pages) == 0 || pages[0].Time.After(at(want.pageBy))):
		t.Errorf("pages %v, wanted one by %s", times(pages), want.pageBy)
	}
	if n := len(incidents(pages)); n > 1 {
		t.Errorf("%d incidents page", n)
	}
	if loud := incidents(append(pages, people...)); want.one && len(loud) != 1 {
		t.Errorf("%d incidents are told to people, want one: %v", len(loud), loud)
	}
	switch {
	case want.toldBy == "" && len(people) > 0:
		t.Errorf("tells people at %s: %s", people[0].Time, people[0].Text)
	case want.toldBy != "" && want.toldBy != "any" && (len(people) == 0 || people[0].Time.After(at(want.toldBy))):
		t.Errorf("tells people %v, wanted by %s", times(people), want.toldBy)
	}
	if want.quietChannel && len(few) > 0 {
		t.Errorf("tells #prow-alerts at %s: %s", few[0].Time, few[0].Text)
	}
	most := 30
	if want.pageBy == "" {
		most = 3
	}
	if len(people) > most {
		t.Errorf("%d messages to people, at most %d", len(people), most)
	}
	if !strings.Contains(said, want.word) {
		t.Errorf("nothing says %q", want.word)
	}
}

// incidents are those that are told of, each with what was said of it first.
func incidents(all []told) map[string]string {
	out := map[string]string{}
	for _, v := range all {
		if out[v.Incident] == "" {
			out[v.Incident] = v.Text
		}
	}
	return out
}

func times(all []told) []time.Time {
	var out []time.Time
	for _, v := range all {
		out = append(out, v.Time)
	}
	return out
}

// TestOutageIsOneStory holds the outage of 2019-01-23 to one incident: titled by its cause, its symptoms folded under it, paged at
// the first fatal line, over when hook is well.
func TestOutageIsOneStory(t *testing.T) {
	for _, name := range played([]string{"outage-2019-01-23"}) {
		holdsOneStory(t, lines(t, replayed(t, shipped, entriesOf(t, name, 1), 0)))
	}
}

func holdsOneStory(t *testing.T, all []told) {
	t.Helper()
	ids, rules := map[string]bool{}, map[string]bool{}
	var last told
	loud, paged := 0, false
	for _, v := range all {
		switch v.Type {
		case "incident":
			ids[v.Incident] = true
			last = v
		case "alert":
			rules[v.Rule] = true
		case "notification":
			if !v.Quiet {
				loud++
			}
			if v.Page && !v.Time.Before(at("2019-01-23T11:50:00Z")) && !v.Time.After(at("2019-01-23T11:52:00Z")) {
				paged = true
			}
		}
	}
	if len(ids) != 1 {
		t.Errorf("%d incidents, want 1", len(ids))
	}
	for _, rule := range []string{"prow-config-load-error", "prow-config-agent-fatal", "prow-crash-loop", "prow-webhook-502-probe", "prow-webhook-502-load-balancer", "prow-webhook-502-lasting"} {
		if !rules[rule] {
			t.Errorf("%s did not fire", rule)
		}
	}
	if !strings.Contains(last.Title, "duplicated preset label") || last.State != "resolved" || last.Time.After(at("2019-01-23T16:57:00Z")) {
		t.Errorf("ends %s at %s, titled %q", last.State, last.Time, last.Title)
	}
	if !paged {
		t.Error("no page within two minutes of the first fatal line")
	}
	if loud > 60 {
		t.Errorf("%d notifications that ring, at most 60", loud)
	}
}

// played are those of the days that are replayed here: all, or short ones while the race detector looks on.
func played(names []string) []string {
	if !raced {
		return names
	}
	return slices.DeleteFunc(names, func(name string) bool { return name != "hook-panic-2019-09-24" })
}

// TestCutsChangeNothing replays the same entries a line, 64 KiB and 1 MiB a batch: the same bytes must come out. A line a batch is a
// transaction for each, so of whole days there are two hours: of the outage, those in which hook dies.
func TestCutsChangeNothing(t *testing.T) {
	for _, name := range played(slices.Sorted(maps.Keys(wants))) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			o := scenario.Options{Seed: 1}
			if name == "outage-2019-01-23" || name == "busy-day" || name == "quiet-day" {
				o.From, o.Until = 13*time.Hour, 15*time.Hour
			}
			if raced { // of the panics the first minutes
				o.From, o.Until = time.Hour, 80*time.Minute
			}
			if err := scenario.WriteWith(&b, name, o); err != nil {
				t.Fatal(err)
			}
			entries := b.Bytes()
			want := replayed(t, shipped, entries, 64<<10)
			if wants[name].pageBy != "" && len(want) == 0 {
				t.Error("nothing is told of it")
			}
			for _, size := range []int{1, 1 << 20} {
				if got := replayed(t, shipped, entries, size); !bytes.Equal(got, want) {
					t.Errorf("batches of %d bytes give other bytes than batches of 64 KiB", size)
				}
			}
		})
	}
}
