package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/fakes"
	"tocsin/internal/sim/binary"
)

// TestNothingIsLostOrDoubled is the kill loop, short: each kind of kill once, on each store, from a file and from a tail, on one from Pub/Sub;
// and each way once in which it goes away and comes back day by day.
func TestNothingIsLostOrDoubled(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and kills the real binary")
	}
	tocsin := filepath.Join(t.TempDir(), "tocsin")
	if err := binary.Build(t.Context(), tocsin, raced); err != nil {
		t.Fatal(err)
	}
	for _, of := range []struct {
		store, source string
		blinds        int
	}{{"sqlite", "file", 0}, {"postgres", "file", 0}, {"sqlite", "cloud_logging", 0}, {"postgres", "cloud_logging", 0}, {"sqlite", "pubsub", 0},
		{"sqlite", "file", len(blindWays(1))}} {
		name := of.store + " " + of.source
		if of.blinds > 0 {
			name += " day by day"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			kills := len(kindsOf(of.store))
			if of.blinds > 0 {
				kills = 0
			}
			r, err := run(t.Context(), settings{kills: kills, blinds: of.blinds, store: of.store, source: of.source, life: shortLife, binary: tocsin, seed: 1, drain: 2 * time.Minute, out: &out})
			if err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			t.Log(out.String())
			if !r.well() {
				t.Error("something was lost, or said twice")
			}
			if r.kills != kills || r.pagesWanted == 0 || r.messagesWanted == 0 || r.lines == 0 {
				t.Errorf("%d kills, %d pages, %d messages, %d lines: it proves nothing", r.kills, r.pagesWanted, r.messagesWanted, r.lines)
			}
		})
	}
}

// TestTheVerdictFinds what the loop is there to find.
func TestTheVerdictFinds(t *testing.T) {
	g := newGroup(0, newChance(1))
	g.plan, g.episodes, g.phase = stays, 1, settled
	for name, c := range map[string]struct {
		rang  []string
		rings map[string]int
		count func(r *report) int
	}{
		"a lost page":            {[]string{"a"}, map[string]int{"a": 1}, func(r *report) int { return r.pagesLost }},
		"a page that rang twice": {[]string{"a", "a.2"}, map[string]int{"a": 2, "a.2": 1}, func(r *report) int { return r.pagesTwice }},
		"a page beyond the policy": {[]string{"a", "a.2", "a.3"}, map[string]int{"a": 1, "a.2": 1, "a.3": 1},
			func(r *report) int { return r.pagesBeyond }},
	} {
		r := report{drained: true}
		g.rang, g.status = c.rang, map[string]string{}
		for _, key := range c.rang {
			g.status[key] = "triggered"
		}
		r.pages([]*group{g}, nil, fakes.PagerDutySnapshot{Rings: c.rings})
		if c.count(&r) != 1 || r.well() {
			t.Errorf("%s: %+v", name, r)
		}
	}
	r := report{drained: true}
	g.rang, g.status = []string{"a", "a.2"}, map[string]string{"a": "triggered", "a.2": "triggered"}
	r.pages([]*group{g}, nil, fakes.PagerDutySnapshot{Rings: map[string]int{"a": 1, "a.2": 1}})
	if !r.well() {
		t.Errorf("all well: %+v", r)
	}
}

// TestALatePageOfBeforeIsNoFault: a process that was frozen rings for what was well again, after what has rung since; what is of before is
// over, and what is of now rings, in whatever order they came.
func TestALatePageOfBeforeIsNoFault(t *testing.T) {
	g := &group{plan: relapses, before: 2, rang: []string{"i", "i.3", "i.2", "i.4"},
		status: map[string]string{"i": "resolved", "i.2": "resolved", "i.3": "triggered", "i.4": "triggered"}}
	if wrong := g.wrong(); len(wrong) > 0 {
		t.Errorf("it is said that %q", wrong)
	}
	g.status["i.2"] = "triggered"
	if len(g.wrong()) == 0 {
		t.Error("a page of before that still rings is no fault")
	}
}

// TestTheOrderOfEvents: a trigger behind the resolve of its key is a fault, a resolve of a page that never came is none.
func TestTheOrderOfEvents(t *testing.T) {
	for name, c := range map[string]struct {
		events, behind, alone string
		frozen                map[string]int
		well                  bool
	}{
		"in order":                      {events: "ta aa ra", well: true},
		"sent again":                    {events: "ta ta ra tb rb ra", well: true},
		"one that never came":           {events: "ra ra ta.2 ra.2", alone: "x", well: true},
		"one that came behind":          {events: "ra ta", behind: "x", alone: "x"},
		"sent again behind its resolve": {events: "ta ra tb ta ra", behind: "x"},
		"by a process that was stopped": {events: "ta ra ta ra", behind: "x", frozen: map[string]int{"sending": 1}, well: true},
	} {
		var events []fakes.PagerDutyRequest
		for _, e := range strings.Fields(c.events) {
			events = append(events, fakes.PagerDutyRequest{Action: map[byte]string{'t': "trigger", 'a': "acknowledge", 'r': "resolve"}[e[0]], Key: e[1:]})
		}
		r := report{drained: true, frozen: c.frozen}
		r.inOrder(events)
		if r.pagesBehind != len(c.behind) || r.resolvesAlone != len(c.alone) || r.well() != c.well {
			t.Errorf("%s: %d behind, %d alone, well: %t", name, r.pagesBehind, r.resolvesAlone, r.well())
		}
	}
}
