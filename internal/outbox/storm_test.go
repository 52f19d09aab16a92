package outbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// openAs opens incidents of a severity: name0, name1, ...
func (d *drill) openAs(severity incident.Severity, name string, n int) {
	d.t.Helper()
	for i := range n {
		name := fmt.Sprint(name, i)
		d.within("", func(b *incident.Book) {
			d.ids[name] = b.Fire(incident.Alert{Key: key(name), Labels: incident.Labels{"project": name}, Severity: severity, Mode: incident.Page,
				Annotations: map[string]string{"summary": name}, First: time.Now(), Last: time.Now()}).ID
		})
	}
}

// storms are the pages of storms that the pager took.
func (d *drill) storms() (storms []taken) {
	for _, c := range d.oncall.calls() {
		if c.n.Incident.IsStorm() {
			storms = append(storms, c)
		}
	}
	return storms
}

// TestAStormsNextPageIsNotLateBeforeItsTime: what only waits for its time is not unheard: the fallback is not called, and no trouble stands.
func TestAStormsNextPageIsNotLateBeforeItsTime(t *testing.T) {
	play(t, func(d *drill) {
		d.openAs(incident.Critical, "first", 20)
		d.until(30 * time.Second)
		d.openAs(incident.Critical, "later", 20)
		d.until(4 * time.Minute)
		if n := len(d.storms()); n != 1 {
			t.Fatalf("%d pages of storms", n)
		}
		if calls := d.ops.calls(); len(calls) != 0 {
			t.Errorf("the fallback was called: %s", calls[0].n.Text)
		}
		err := d.store.View(d.ctx, func(tx *store.Tx) error {
			standing, err := tx.Standing(d.ctx)
			for _, s := range standing {
				if s.Kind != "storm" {
					t.Errorf("there stands %s: %s", s.Kind, s.Text)
				}
			}
			if err != nil {
				return err
			}
			oldest, err := tx.OldestCall(d.ctx)
			if time.Since(oldest) > 0 {
				t.Errorf("the oldest call is %s old", time.Since(oldest))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		d.oncall.set(true) // from its time on it is late
		d.until(7 * time.Minute)
		if calls := d.ops.calls(); len(calls) != 1 || !calls[0].n.Incident.IsStorm() {
			t.Errorf("the fallback was called %d times, want once for the storm", len(calls))
		} else if at := calls[0].at.Sub(d.began); at < 6*time.Minute || at > 6*time.Minute+20*time.Second {
			t.Errorf("the fallback was called after %s, want a minute after the time of the second page", at)
		}
	})
}

// TestWhatIsWorseDoesNotWaitForAStormsTime: a storm rings at most every five minutes, but at once for what is worse than all that it has
// rung for.
func TestWhatIsWorseDoesNotWaitForAStormsTime(t *testing.T) {
	play(t, func(d *drill) {
		d.openAs(incident.High, "first", 20)
		d.until(30 * time.Second)
		d.openAs(incident.High, "later", 20)
		d.until(35 * time.Second)
		d.openAs(incident.Critical, "worst", 2)
		d.until(2 * time.Minute)
		storms := d.storms()
		if len(storms) != 2 {
			t.Fatalf("%d pages of storms, want one more for what is worse", len(storms))
		}
		if at := storms[1].at.Sub(d.began); at != 45*time.Second {
			t.Errorf("the page came after %s, want 45s", at)
		}
		if title := storms[1].n.Incident.Title; strings.Count(title, "worst") != 2 {
			t.Errorf("it says %q", title)
		}
		d.openAs(incident.Critical, "again", 20) // no worse than what it has rung for
		d.until(5*time.Minute + 40*time.Second)
		if n := len(d.storms()); n != 2 {
			t.Errorf("%d pages of storms within five minutes", n)
		}
		d.until(6 * time.Minute)
		if n := len(d.storms()); n != 3 {
			t.Errorf("%d pages of storms, want 3", n)
		}
	})
}
