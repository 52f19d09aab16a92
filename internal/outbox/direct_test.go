package outbox

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/notifiers"
)

// TestADirectMessageStopsLikeAPage: what calls a person directly and has not come to them is not sent once somebody has the incident, or it
// is over; where its answer is not known it is looked for, and only that.
func TestADirectMessageStopsLikeAPage(t *testing.T) {
	arrived := func(*provider) {}
	for name, c := range map[string]struct {
		first func(p *provider)
		blind error
		state incident.State
		said  int
		row   string
	}{
		"put off, then acknowledged": {func(p *provider) {
			p.before = failing(1, notifiers.Later{Err: errors.New("busy"), After: 30 * time.Second})
		}, nil, incident.Acknowledged, 0, "message me cancelled (acknowledged)"},
		"put off, then resolved": {func(p *provider) {
			p.before = failing(1, notifiers.Later{Err: errors.New("busy"), After: 30 * time.Second})
		}, nil, incident.Resolved, 0, "message me cancelled (resolved)"},
		"lost, then acknowledged":        {func(p *provider) { p.before = failing(1, errors.New("reset")) }, nil, incident.Acknowledged, 0, "message me cancelled (acknowledged)"},
		"lost, cannot be looked for":     {func(p *provider) { p.before = failing(1, errors.New("reset")) }, notifiers.Permanent{Err: errors.New("missing_scope")}, incident.Acknowledged, 0, "message me cancelled (acknowledged)"},
		"came with its answer lost":      {func(p *provider) { p.after = failing(1, errors.New("reset")) }, nil, incident.Acknowledged, 1, "message me sent"},
		"came, then edited all the same": {arrived, nil, incident.Acknowledged, 1, "message me sent"},
	} {
		t.Run(name, func(t *testing.T) {
			me := &channel{provider: provider{name: "me"}, blind: c.blind}
			c.first(&me.provider)
			w := newWorld(t, func(w *world) { w.o.Targets["me"] = Target{me, notifiers.Traits{Edits: true, Direct: true}} })
			w.incident("A", incident.Open, 1)
			w.add(message("A", "me", 1))
			w.run(0)
			w.now = at(1)
			w.incident("A", c.state, 1)
			w.run(300)
			posted := 0
			for _, n := range me.taken {
				if n.Parent == "" { // the others are edits
					posted++
				}
			}
			if posted != c.said {
				t.Errorf("said %q", me.said())
			}
			w.equal("row", w.rows("A"), c.row)
		})
	}
}

// TestDirectMessagesAreRolled: a person has as many direct messages in a minute as a pager has pages, of incidents and of later steps
// alike; what comes beyond is one word of a storm.
func TestDirectMessagesAreRolled(t *testing.T) {
	me := &channel{provider: provider{name: "me"}}
	w := newWorld(t, func(w *world) { w.o.Targets["me"] = Target{me, notifiers.Traits{Edits: true, Direct: true}} })
	for i := range 12 {
		id := fmt.Sprintf("I%02d", i)
		w.incident(id, incident.Open, 1)
		w.add(message(id, "me", 1))
		w.post(id, "me", "quiet of "+id)
	}
	w.run(11)
	messages, storms := 0, 0
	for _, n := range me.taken {
		switch {
		case n.Incident.IsStorm():
			storms++
		case n.Kind == incident.Message:
			messages++
		case n.Parent == "":
			t.Errorf("%s is said of an incident of which nothing was told", n.Key)
		}
	}
	if messages != mostPages || storms != 1 {
		t.Errorf("%d messages and %d of storms in 11 s, want %d and 1: %s", messages, storms, mostPages, me.said())
	}
}
