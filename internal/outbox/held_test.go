package outbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// until is what holds everything until a time.
func until(ends time.Time) func(*incident.Incident, incident.Around) incident.Held {
	return func(_ *incident.Incident, now incident.Around) incident.Held {
		if !now.At.Before(ends) {
			return incident.Held{}
		}
		return incident.Held{By: []incident.Holder{{By: "silence 1", Until: ends}}}
	}
}

// silenced lets a silence hold everything from now until a time after the beginning.
func (d *drill) silenced(after time.Duration) {
	d.t.Helper()
	d.hold(until(d.began.Add(after)))
	d.reconsiders()
}

// reconsiders routes what is open anew, because what holds it has changed.
func (d *drill) reconsiders() {
	d.t.Helper()
	err := d.store.Update(d.ctx, func(tx *store.Tx) error { return d.desk.Reconsider(d.ctx, tx, time.Now(), "ana") })
	if err != nil {
		d.t.Error(err)
	}
	d.ring(d.bells)
}

// storm is the first page of a storm that was taken.
func (d *drill) storm() notifiers.Notice {
	d.t.Helper()
	for _, c := range d.oncall.calls() {
		if c.n.Incident.IsStorm() {
			return c.n
		}
	}
	d.t.Error("there is no page of a storm")
	return notifiers.Notice{}
}

// TestAPageWithoutAnswerDoesNotRingUnderASilence: a pager that was down when somebody silenced what it was to ring for does not ring once
// it is back; it is told the end of what may have arrived all the same. When the silence ends, what still fires rings by a key of its own.
func TestAPageWithoutAnswerDoesNotRingUnderASilence(t *testing.T) {
	play(t, func(d *drill) {
		d.oncall.set(true)
		d.opens("tried")
		d.until(2*time.Minute - 5*time.Second) // the newest page is on its way when the hold begins
		d.opens("under way")
		d.until(2 * time.Minute)
		d.silenced(4 * time.Hour)
		d.until(time.Hour)
		d.oncall.set(false)
		d.until(3 * time.Hour)
		if calls := d.oncall.calls(); len(calls) != 0 {
			t.Errorf("it rang for %v under the silence", d.names(calls))
		}
		ends := slices.DeleteFunc(d.oncall.took(), func(c taken) bool { return c.n.Kind != incident.CallResolve })
		if len(ends) != 2 {
			t.Errorf("it was told the end of %d pages that may have arrived, want 2", len(ends))
		}
		d.until(5 * time.Hour)
		calls := d.oncall.calls()
		if got := slices.Sorted(slices.Values(d.names(calls))); !slices.Equal(got, []string{"tried", "under way"}) {
			t.Errorf("after the silence it rang for %v", got)
		}
		for _, c := range calls {
			if c.n.Key == c.n.Incident.ID {
				t.Errorf("it rang by the key of a page that was closed: %s", c.n.Key)
			}
		}
	})
}

// TestAMessageThatWasNotSentIsHeldToo: what a channel that was down has not been told is not told under a silence, and is after it.
func TestAMessageThatWasNotSentIsHeldToo(t *testing.T) {
	play(t, func(d *drill) {
		d.direct.Store(&incident.Direction{Receivers: []string{"ops"}})
		ends := d.began.Add(2 * time.Hour)
		err := d.store.Update(d.ctx, func(tx *store.Tx) error { // it is silenced before its message could go out
			book := incident.NewBook(time.Now(), nil)
			book.Fire(incident.Alert{Key: key("i"), Labels: incident.Labels{"project": "i"}, Severity: incident.Critical, Mode: incident.Page,
				First: time.Now(), Last: time.Now()})
			if err := d.desk.Settle(d.ctx, tx, time.Now(), book); err != nil {
				return err
			}
			d.hold(until(ends))
			return d.desk.Reconsider(d.ctx, tx, time.Now(), "ana")
		})
		if err != nil {
			t.Fatal(err)
		}
		d.ring(d.bells)
		d.until(time.Hour)
		if n := len(d.ops.took()); n != 0 {
			t.Errorf("the channel heard %d times under the silence", n)
		}
		d.until(3 * time.Hour)
		if len(d.ops.took()) == 0 || d.ops.took()[0].n.Kind != incident.Message || d.ops.took()[0].n.Reason != incident.ReasonOpened {
			t.Errorf("after the silence the channel heard %v", d.ops.took())
		}
	})
}

// TestAStormDoesNotNameWhatIsSilenced: what a silence has hidden entirely is not in the page of the storm that it had joined.
func TestAStormDoesNotNameWhatIsSilenced(t *testing.T) {
	play(t, func(d *drill) {
		for i := range 20 {
			d.opens(fmt.Sprintf("i%02d", i))
		}
		d.until(5 * time.Second) // all have been called or rolled in, and the storm's page waits for the others
		silenced, called := "", d.names(d.oncall.calls())
		for name := range d.ids {
			if !slices.Contains(called, name) {
				silenced = name
			}
		}
		d.hold(func(inc *incident.Incident, now incident.Around) incident.Held {
			if inc.Title != silenced {
				return incident.Held{}
			}
			return incident.Held{By: []incident.Holder{{By: "silence 1", Until: d.began.Add(time.Hour)}}}
		})
		d.reconsiders()
		d.until(time.Minute)
		storm := d.storm()
		others := 20 - len(d.oncall.calls()) // less the silenced one, and the storm's page is one of the calls
		if want := fmt.Sprintf("Storm: %d incidents at once", others); !strings.HasPrefix(storm.Incident.Title, want) || strings.Contains(storm.Incident.Title, silenced) {
			t.Errorf("it says %q, want %q without %s", storm.Incident.Title, want, silenced)
		}
	})
}
