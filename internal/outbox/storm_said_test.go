package outbox_test

import (
	"fmt"
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
		d.answers(storm.Key, incident.Acknowledged)
		d.until(10 * time.Minute)
		if got := d.state("i10"); got != incident.Acknowledged {
			t.Fatalf("i10 is %s", got)
		}
		d.worsens("i10", incident.Critical)
		d.until(10*time.Minute + 5*time.Second)
		d.answers(storm.Key, incident.Resolved)
		d.until(11 * time.Minute)
		if got := d.state("i10"); got != incident.Open {
			t.Errorf("i10 is %s, want that it stays open", got)
		}
		calls := d.oncall.calls()
		if last := calls[len(calls)-1]; d.names(calls[len(calls)-1:])[0] != "i10" || last.n.Key != d.ids["i10"]+".2" {
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
		for i := range 5 { // the receiver has had as many as it can take
			d.opens(fmt.Sprintf("more%d", i))
		}
		d.worsens("i10", incident.Critical)
		d.until(35 * time.Second) // the page that names the rise goes out at 40
		d.answers(storm.Key, incident.Acknowledged)
		d.until(3 * time.Minute)
		if got := d.state("i11"); got != incident.Acknowledged {
			t.Errorf("i11, which is as it was, is %s", got)
		}
		if got := d.state("i10"); got != incident.Open {
			t.Errorf("i10, which has become worse, is %s", got)
		}
	})
}
