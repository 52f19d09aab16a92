package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/incident"
)

// needed is how many lines of a group the rule kill-down wants, steps how often the policy pages, ackGrace how long after an acknowledge a page that was on its way may
// still ring.
const (
	needed   = 3
	steps    = 2
	ackGrace = lateMost + 2*time.Second
	// relapseAfter is how long after it cleared a hasty group fails again, whether or not the pager has been told that it was well.
	relapseAfter = lateMost + 3*time.Second
)

// plan is what will happen to a group.
type plan int

const (
	// stays fires until the end: both steps of the policy page.
	stays plan = iota
	// ackAtPager and ackByCommand are acknowledged once they have been paged.
	ackAtPager
	ackByCommand
	// clears is well again after its page, and may fail again later.
	clears
	// relapses is like clears, but the last time it stays.
	relapses
	// brief is well again so soon that it may be that nobody is paged.
	brief
	// tooFew never reaches its threshold: nobody may hear of it.
	tooFew
)

// phase is how far a group is.
type phase int

const (
	gathering     phase = iota // its lines are being written
	ringing                    // it has crossed its threshold and must be paged
	firing                     // it has been paged
	acknowledging              // tocsin ack is being asked
	clearing                   // the line that says up is written, the pager must be told
	settled                    // nothing more is done to it
)

// group is one (rule, group) and what happened to it. Each is in a cluster of its own, so that each is an incident of its own.
type group struct {
	key              incident.Key
	project, cluster string
	plan             plan
	phase            phase
	next             time.Time
	left             int // lines until the threshold
	extra            int // lines once it fires
	again            int // how often it fails again
	hasty            bool
	crossed, cleared time.Time

	main     int // lines of the rule's own filter that were written
	episodes int // how often it has crossed its threshold
	excused  int // how many of those were over before the first page could arrive
	before   int // pages before this episode
	// rang are the pager's keys that rang, in order; status is what is with each.
	rang         []string
	status       map[string]string
	acknowledged time.Time // when `tocsin ack` said so
	// rangAt is when its first two pages rang; paged and second, if set, are closed then.
	rangAt        []time.Time
	paged, second chan struct{}
	afterAck      int // pages that rang although
}

// newGroup draws a group's fate.
func newGroup(n int, c *chance) *group {
	g := &group{project: fmt.Sprintf("kill-%d", n/perProject), cluster: fmt.Sprintf("kill-%05d-p%d", n, n%pagers), status: map[string]string{}, left: needed, hasty: c.below(2) == 0}
	rule := "kill-down"
	switch k := c.below(100); {
	case k < 20:
		g.plan, g.extra = stays, c.below(8)
	case k < 30:
		g.plan, g.extra, g.left, rule = stays, c.below(8), 1, "kill-broken"
	case k < 40:
		g.plan = ackAtPager
	case k < 50:
		g.plan = ackByCommand
	case k < 70:
		g.plan, g.again = clears, c.below(2)
	case k < 85:
		g.plan, g.again = relapses, 1
	case k < 92:
		g.plan = brief
	default:
		g.plan, g.left = tooFew, needed-1
	}
	g.key = incident.Key{Rule: rule, Group: incident.Labels{"cluster": g.cluster}.Text()}
	return g
}

// word is what its lines say.
func (g *group) word() string { return strings.TrimPrefix(g.key.Rule, "kill-") }

// incident is its incident's id, known once it has been paged.
func (g *group) incident() string {
	id, _, _ := strings.Cut(g.rang[0], ".")
	return id
}

// open counts the keys under which the pager still rings or waits.
func (g *group) open() int {
	n := 0
	for _, status := range g.status {
		if status != "resolved" {
			n++
		}
	}
	return n
}

// pagesWanted is how many rounds must have rung in the end, pagesMost how many may have.
func (g *group) pagesWanted() int {
	switch g.plan {
	case tooFew, brief:
		return 0
	case stays:
		return 2
	case relapses:
		return g.episodes - g.excused + 1
	}
	return g.episodes - g.excused
}

func (g *group) pagesMost() int {
	if g.plan == tooFew {
		return 0
	}
	return 2 * g.episodes
}

// state is what its incident must be in the end; empty if there must be none.
func (g *group) state() incident.State {
	switch g.plan {
	case stays, relapses:
		return incident.Open
	case ackAtPager, ackByCommand:
		return incident.Acknowledged
	case clears, brief:
		return incident.Resolved
	}
	return ""
}

// wrong are the pager's keys whose status is not what it must be in the end: resolved, acknowledged, or, of a group that fires, still
// ringing. Of one that was well in between, the newest rounds ring, of each step one, and those before are over.
func (g *group) wrong() []string {
	want := map[incident.State]string{incident.Acknowledged: "acknowledged", incident.Resolved: "resolved", incident.Open: "triggered"}[g.state()]
	rang := slices.Clone(g.rang) // one of before may arrive late, from a process that was frozen
	slices.SortStableFunc(rang, func(a, b string) int { return cmp.Compare(roundOf(a), roundOf(b)) })
	rings := 0 // how many of the newest ring
	if g.plan == relapses {
		for rings < len(rang) && rings < steps && g.status[rang[len(rang)-1-rings]] == want {
			rings++
		}
		rings = max(rings, 1)
	}
	var out []string
	for i, key := range rang {
		want := want
		if g.plan == relapses && (i < g.before || i < len(rang)-rings) {
			want = "resolved"
		}
		if g.status[key] != want {
			out = append(out, fmt.Sprintf("page %s of %s is %s at the pager, it should be %s", key, g.cluster, g.status[key], want))
		}
	}
	return out
}

// roundOf is the round of which a key is: the first has none.
func roundOf(key string) int {
	_, text, _ := strings.Cut(key, ".")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 1
	}
	return n
}
