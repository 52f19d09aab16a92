package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ChangeLabel is the label of alerts in mode shadow that tell of a change rather than of a failure: a rollout, a configuration, a node.
// BeforeNote is the annotation in which an alert carries the changes before it.
const (
	ChangeLabel = "change"
	BeforeNote  = "before"
)

// How long before an alert a change is still named: most failures of a rollout are seen within hours, the longest took 27; what happens to
// nodes is felt at once.
const (
	ChangeAge = 28 * time.Hour
	nodeAge   = time.Hour
)

// maxChange bounds what is said of one change, in runes.
const maxChange = 160

// Before says what changed last before the alert began, the newest first: of each kind of change the last one, of its own service if there is one.
// It is "" if nothing did. changes are alerts that carry ChangeLabel, of any place.
func (a *Alert) Before(changes []Alert) string {
	last := map[string]*Alert{}
	for i := range changes {
		c := &changes[i]
		kind, ago := c.Labels[ChangeLabel], a.First.Sub(c.begun(a.First))
		if kind == "" || ago < 0 || ago > ChangeAge || kind == "node" && ago > nodeAge ||
			c.Labels["project"] != a.Labels["project"] || a.Labels["cluster"] != "" && c.Labels["cluster"] != a.Labels["cluster"] {
			continue
		}
		if other := last[kind]; other == nil || a.nearer(c, other) {
			last[kind] = c
		}
	}
	var named []*Alert
	for _, c := range last {
		named = append(named, c)
	}
	slices.SortFunc(named, func(x, y *Alert) int {
		return cmp.Or(y.begun(a.First).Compare(x.begun(a.First)), strings.Compare(x.Rule+x.Group, y.Rule+y.Group))
	})
	var said []string
	for _, c := range named {
		at := c.begun(a.First)
		said = append(said, fmt.Sprintf("%s, %s earlier (%s UTC)", shortened(c.Summary()), ago(a.First.Sub(at)), at.UTC().Format("15:04")))
	}
	return strings.Join(said, "; ")
}

// begun is when a change happened, or if it was seen several times, when last before that time.
func (a *Alert) begun(before time.Time) time.Time {
	if !a.Last.After(before) {
		return a.Last
	}
	return a.First
}

// nearer says whether change c explains the alert rather than other: it is of the alert's own service, or later.
func (a *Alert) nearer(c, other *Alert) bool {
	own, others := c.Service() == a.Service(), other.Service() == a.Service()
	if own != others {
		return own
	}
	return cmp.Or(c.begun(a.First).Compare(other.begun(a.First)), strings.Compare(other.Group, c.Group)) > 0
}

func shortened(s string) string {
	if r := []rune(s); len(r) > maxChange {
		return string(r[:maxChange-1]) + "…"
	}
	return s
}

// ago is a time as people say it: in minutes, and in hours from one on.
func ago(d time.Duration) string {
	if d < time.Hour {
		return fmt.Sprintf("%dm", int(d.Minutes()))
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
