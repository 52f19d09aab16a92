package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kinds is what people need of each kind of failure, and of what only looks like one: who should hear, and how soon, is Prow's oncall's
// own word. A crash loop is paged once it has lasted ten to twelve minutes; what is GitHub's pages nobody.
var kinds = map[string]wanted{
	"boskos-crd-2019-03-26":       {begins: "2019-03-26T09:44:13Z", pageBy: "2019-03-26T09:57:00Z", toldBy: "any", word: "storage version", one: true},
	"config-too-large-2019-03-08": {begins: "2019-03-08T19:51:01Z", pageBy: "any", toldBy: "2019-03-08T19:54:00Z", word: "Too long", one: true},
	"tide-stuck-2019-02-20":       {begins: "2019-02-20T19:00:00Z", pageBy: "2019-02-20T19:30:00Z", toldBy: "any", word: "tide", one: true},
	"mounts-2019-11-12":           {begins: "2019-11-12T19:40:00Z", pageBy: "2019-11-12T19:53:00Z", toldBy: "2019-11-12T19:46:00Z", word: "oauth-token", one: true},
	"probes-kill-hook-2020-08-20": {begins: "2020-08-20T17:05:00Z", pageBy: "2020-08-20T17:12:00Z", toldBy: "any", word: "Before it: rollout of hook", one: true},
	"tokens-2019-07-18":           {begins: "2019-07-18T08:40:00Z", pageBy: "any", toldBy: "2019-07-18T09:00:00Z", word: "token reset", one: true},
	"plugin-2021-08-18":           {begins: "2021-08-18T22:05:00Z", pageBy: "any", toldBy: "2021-08-18T22:35:00Z", word: "Before it: rollout of hook", one: true},
	"usage-error":                 {begins: "2026-02-10T09:30:00Z", pageBy: "2026-02-10T09:43:00Z", toldBy: "any", word: "flag provided but not defined", one: true},
	"silent-crash-loop":           {begins: "2026-02-11T09:30:00Z", pageBy: "2026-02-11T09:45:00Z", toldBy: "any", word: "hook", one: true},
	"no-room":                     {begins: "2026-02-12T09:30:00Z", pageBy: "2026-02-12T09:43:00Z", toldBy: "2026-02-12T09:36:00Z", word: "Insufficient memory", one: true},
	"nodes-come-and-go":           {begins: "2026-02-13T09:30:00Z", pageBy: "any", toldBy: "2026-02-13T09:40:00Z", word: "gke-prow-default-pool", one: true},
	"all-silent":                  {begins: "2026-02-14T09:30:00Z", pageBy: "2026-02-14T09:45:00Z", toldBy: "any", word: "silent", one: true},
	"all-silent-2019":             {begins: "2019-05-14T09:30:00Z", pageBy: "2019-05-14T09:45:00Z", toldBy: "any", word: "silent", one: true},
	"certificate-expires":         {begins: "2026-02-15T09:30:00Z", toldBy: "2026-02-15T09:35:00Z", word: "14 days", one: true},
	"certificate-expired":         {begins: "2026-02-16T09:30:00Z", pageBy: "2026-02-16T09:35:00Z", toldBy: "any", word: "certificate has expired", one: true},
	"github-not-sending":          {begins: "2026-02-17T09:30:00Z", toldBy: "2026-02-17T09:50:00Z", word: "GitHub", one: true},
	"github-errors":               {begins: "2026-02-18T10:20:00Z", toldBy: "2026-02-18T10:40:00Z", word: "theirs, not ours", one: true},
	"github-stops-merges":         {begins: "2019-06-02T10:20:00Z", pageBy: "2019-06-02T11:30:00Z", toldBy: "2019-06-02T10:40:00Z", word: "theirs, not ours", one: true},
	"jobs-fail":                   {begins: "2026-02-19T09:30:00Z", pageBy: "2026-02-19T10:00:00Z", toldBy: "any", word: "heartbeat", one: true},
	"webhooks-slow":               {begins: "2026-02-20T09:30:00Z", pageBy: "2026-02-20T09:45:00Z", toldBy: "any", word: "too slowly", one: true},
	"restarts-unsaid":             {begins: "2026-03-02T09:30:00Z", pageBy: "2026-03-02T09:45:00Z", toldBy: "any", word: "starting again and again", one: true},
	"map-missing":                 {begins: "2026-03-04T09:30:00Z", pageBy: "2026-03-04T09:43:00Z", toldBy: "any", word: `configmap "plugins" not found`, one: true},
	"webhooks-refused":            {begins: "2026-03-05T09:30:00Z", pageBy: "any", toldBy: "2026-03-05T09:46:00Z", word: "403", one: true},
	"no-more-pods-2019":           {begins: "2019-03-06T09:30:00Z", pageBy: "any", toldBy: "2019-03-06T09:40:00Z", word: "exceeded quota", one: true},
	"github-silent-for-long":      {begins: "2026-03-17T17:30:00Z", toldBy: "2026-03-17T18:20:00Z", word: "GitHub", one: true},

	"test-job-flood":      {begins: "2026-03-10T09:10:00Z", quietChannel: true},
	"test-job-flood-2019": {begins: "2019-03-10T09:10:00Z", quietChannel: true},
	"node-pool-upgrade":   {begins: "2026-03-11T09:30:00Z", quietChannel: true},
	"refusals":            {begins: "2026-03-12T09:10:00Z", quietChannel: true},
	"sunday-night":        {begins: "2026-03-15T02:00:00Z", quietChannel: true},
	"early-day":           {begins: "2019-10-08T14:00:00Z", quietChannel: true},
	"one-restart-each":    {begins: "2026-03-16T09:30:00Z"},
}

// TestDisorderChangesNothing doubles every fifth entry of outages and shuffles all within 40 s, as an ingestion that has trouble of its own
// does: the same incidents, with the same alerts, and the same calls. The instants may differ by so much.
func TestDisorderChangesNothing(t *testing.T) {
	for _, name := range played([]string{"outage-2019-01-23", "hook-panic-2019-09-24", "boskos-crd-2019-03-26", "no-room", "jobs-fail"}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries := entriesOf(t, name, 1)
			want := storyOf(lines(t, replayed(t, shipped, entries, 0)))
			got := storyOf(lines(t, replayed(t, shipped, disordered(t, entries), 0)))
			if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
				t.Errorf("in disorder (-in order +in disorder):\n%s", diff)
			}
		})
	}
}

// storyOf is what came of entries without its instants: each incident's title, severity and rules, and how often each receiver was called.
func storyOf(all []told) []string {
	count := map[string]int{}
	for _, v := range all {
		switch {
		case v.Type == "incident" && v.State == "open":
			count["incident "+v.Severity+" "+v.Title]++
		case v.Type == "alert" && v.State == "firing":
			count["alert "+v.Rule+" "+v.Labels["service"]]++
		case v.Type == "notification" && v.Page:
			count["page "+v.Receiver+" "+v.Reason]++
		}
	}
	var story []string
	for what, n := range count {
		story = append(story, fmt.Sprintf("%s: %d", what, n))
	}
	slices.Sort(story)
	return story
}

// disordered doubles every fifth entry and lets each come up to 40 s later than it did.
func disordered(t *testing.T, entries []byte) []byte {
	t.Helper()
	type late struct {
		at   time.Time
		text []byte
	}
	random := rand.New(rand.NewPCG(40, 5))
	var all []late
	for n, line := range bytes.Split(bytes.TrimSpace(entries), []byte("\n")) {
		var e map[string]json.RawMessage
		var at time.Time
		if err := errors.Join(json.Unmarshal(line, &e), json.Unmarshal(e["receiveTimestamp"], &at)); err != nil {
			t.Fatal(err)
		}
		times := 1
		if n%5 == 0 {
			times = 2
		}
		for range times {
			came := at.Add(time.Duration(random.Int64N(int64(40 * time.Second))))
			e["receiveTimestamp"] = json.RawMessage(came.Format(`"2006-01-02T15:04:05.000000Z"`))
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, late{came, text})
		}
	}
	slices.SortStableFunc(all, func(a, b late) int { return a.at.Compare(b.at) })
	var out bytes.Buffer
	for _, l := range all {
		out.Write(append(l.text, '\n'))
	}
	return out.Bytes()
}
