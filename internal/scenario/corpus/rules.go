package corpus

import (
	"fmt"
	"math/rand"
	"strconv"
	"strings"
)

// Rule is one thing to look for, as a filter and as the text that a tool without a language looks for.
type Rule struct{ Filter, Text string }

// Live are the rules that match something in a corpus: the needle, 0.2 % and 0.4 % of the entries.
var Live = []Rule{
	{Filter: `jsonPayload.msg=` + strconv.Quote(Needle), Text: Needle},
	{Filter: `resource.type="http_load_balancer" httpRequest.status=502`, Text: `"status":502`},
	{Filter: `jsonPayload.reason="BackOff"`, Text: `"reason":"BackOff"`},
}

// Rules are n rules, the live ones first; the others never match.
func Rules(n int) []Rule {
	r := rand.New(rand.NewSource(7))
	out := append([]Rule{}, Live[:min(n, len(Live))]...)
	seen := map[string]bool{}
	pick := func(s []string) string { return s[r.Intn(len(s))] }
	for len(out) < n {
		var id strings.Builder
		for range 4 + r.Intn(6) {
			id.WriteByte("abcdefghijklmnopqrstuvwxyz0123456789-"[r.Intn(37)])
		}
		text := strings.NewReplacer("{v}", pick(verbs), "{n}", pick(things), "{x}", id.String()).Replace(pick(forms))
		if !seen[text] {
			seen[text] = true
			out = append(out, Rule{Filter: fmt.Sprintf("resource.labels.cluster_name=\"prow\" jsonPayload.msg:%q", text), Text: text})
		}
	}
	return out
}

// Unselective are n rules without a text that tells a line: bounds and patterns. They match few entries or none.
func Unselective(n int) []Rule {
	out := []Rule{
		{Filter: `severity>=CRITICAL`},
		{Filter: `resource.type="k8s_container" jsonPayload.file=~"[0-9]{5}$"`},
		{Filter: `timestamp<"2020-01-01T00:00:00Z"`},
	}
	for i := len(out); i < n; i++ {
		out = append(out, Rule{Filter: fmt.Sprintf(`jsonPayload.pr>%d severity>=ERROR`, 1_000_000+i)})
	}
	return out[:n]
}

var (
	verbs  = strings.Fields("start load sync list watch create delete update patch fetch parse decode report merge clone mount attach resolve dial renew rotate evict drain schedule bind probe scrape flush commit")
	things = strings.Split("config agent|prowjob|pull request|pod spec|branch protection|webhook secret|cookie file|tide pool|status context|artifact bucket|build cluster|kubeconfig|plugin config|inrepoconfig|OWNERS alias|github token|cache partition|lease lock|job queue|pubsub topic|service account|certificate|endpoint slice|volume claim|node lease|image digest|bigquery row|slack channel|jira issue|trace span", "|")
	forms  = []string{"Error {v}ing {n} {x}", "Failed to {v} {n}: {x}", "could not {v} {n} {x}", "unable to {v} {n} in {x}", "timed out waiting to {v} {n} {x}", "panic: {n} {x} while trying to {v}", "{n} {x} is unhealthy, cannot {v}"}
)
