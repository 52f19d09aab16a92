package outbox_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// flooded opens twenty incidents at once, of which most are rolled into a storm, and waits for its page.
func (d *drill) flooded() {
	d.t.Helper()
	for i := range 20 {
		d.opens(fmt.Sprintf("i%02d", i))
	}
	d.until(30 * time.Second)
}

// rolled are those that were rolled into a storm, by the names they were opened by: which they are is the loops' that run beside.
func (d *drill) rolled(storm string) (names []string) {
	d.t.Helper()
	err := d.store.View(d.ctx, func(tx *store.Tx) error {
		members, err := tx.StormMembers(d.ctx, storm)
		for name, id := range d.ids {
			if slices.ContainsFunc(members, func(m store.StormMember) bool { return m.Incident == id }) {
				names = append(names, name)
			}
		}
		return err
	})
	if err != nil || len(names) < 2 {
		d.t.Errorf("%d are in the storm: %v", len(names), err)
		return []string{"", ""}
	}
	slices.Sort(names)
	return names
}

// worsens adds a critical alert to an incident: it takes back an acknowledge that does not cover it.
func (d *drill) worsens(name string, severity incident.Severity) {
	d.t.Helper()
	id := d.ids[name]
	d.within(id, func(b *incident.Book) {
		b.Get(id).Alerts[0].Labels["service"] = "x"
		b.Fire(incident.Alert{Key: key("new"), Labels: incident.Labels{"project": name, "service": "x"}, Severity: severity, Mode: incident.Page,
			Annotations: map[string]string{"summary": "new"}, First: time.Now(), Last: time.Now()})
	})
}

func (d *drill) answers(key string, state incident.State) {
	d.t.Helper()
	if err := d.people.Answered(d.ctx, "oncall", key, state, "Ada", time.Now(), time.Now()); err != nil {
		d.t.Error(err)
	}
	d.ring(d.bells)
}

func (d *drill) state(name string) (state incident.State) {
	d.t.Helper()
	err := d.store.View(d.ctx, func(tx *store.Tx) error {
		inc, err := tx.Incident(d.ctx, d.ids[name])
		state = inc.State
		return err
	})
	if err != nil {
		d.t.Error(err)
	}
	return state
}

// TestTheEndOfAStormIsNotOfWhatIsNew: a storm that somebody had is resolved at the pager after a member's acknowledge was taken back. What
// is new in that member was in no page of the storm: it goes on ringing.
func TestTheEndOfAStormIsNotOfWhatIsNew(t *testing.T) {
	play(t, func(d *drill) {
		d.flooded()
		storm := d.storm()
		member := d.rolled(storm.Incident.ID)[0]
		d.answers(storm.Key, incident.Acknowledged)
		d.until(10 * time.Minute)
		if got := d.state(member); got != incident.Acknowledged {
			t.Fatalf("%s is %s", member, got)
		}
		d.worsens(member, incident.Critical)
		d.until(10*time.Minute + 5*time.Second)
		d.answers(storm.Key, incident.Resolved)
		d.until(11 * time.Minute)
		if got := d.state(member); got != incident.Open {
			t.Errorf("%s is %s, want that it stays open", member, got)
		}
		calls := d.oncall.calls()
		if last := calls[len(calls)-1]; d.names(calls[len(calls)-1:])[0] != member || last.n.Key != d.ids[member]+".2" {
			t.Errorf("the last call is of %s by %s", d.names(calls[len(calls)-1:])[0], last.n.Key)
		}
	})
}

// TestAnAcknowledgeOfAStormIsNotOfARiseItDidNotName: a member becomes worse after the storm's page and is rolled in again, into its next
// page. Whoever takes the first has not heard of that: the page of it goes out by itself.
func TestAnAcknowledgeOfAStormIsNotOfARiseItDidNotName(t *testing.T) {
	play(t, func(d *drill) {
		d.severity = incident.High
		d.flooded()
		storm := d.storm()
		in := d.rolled(storm.Incident.ID)
		member, other := in[0], in[1]
		for i := range 5 { // the receiver has had as many as it can take
			d.opens(fmt.Sprintf("more%d", i))
		}
		d.worsens(member, incident.Critical)
		d.until(35 * time.Second) // the page that names the rise goes out at 40
		d.answers(storm.Key, incident.Acknowledged)
		d.until(3 * time.Minute)
		if got := d.state(other); got != incident.Acknowledged {
			t.Errorf("%s, which is as it was, is %s", other, got)
		}
		if got := d.state(member); got != incident.Open {
			t.Errorf("%s, which has become worse, is %s", member, got)
		}
	})
}
