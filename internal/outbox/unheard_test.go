package outbox

import (
	"context"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// TestTheTroubleOfAnUnheardPageEnds: with the page, however that ends, and also where no attempt has failed.
func TestTheTroubleOfAnUnheardPageEnds(t *testing.T) {
	end := func(w *world, state incident.State) {
		w.update(func(ctx context.Context, tx *store.Tx) error {
			inc, err := tx.Incident(ctx, "a")
			if err != nil {
				return err
			}
			inc.State, inc.Acknowledgement = state, &incident.Acknowledgement{By: "first", At: w.now}
			return tx.SaveIncident(ctx, &inc)
		})
	}
	for name, then := range map[string]func(w *world){
		"accepted":     func(*world) {},
		"acknowledged": func(w *world) { end(w, incident.Acknowledged) },
		"resolved":     func(w *world) { end(w, incident.Resolved) },
		"held": func(w *world) {
			w.update(func(ctx context.Context, tx *store.Tx) error {
				n := w.row(ctx, tx, "a")
				n.State, n.Cause = incident.Cancelled, "held"
				return tx.SaveNotification(ctx, &n)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.o.Fallback = "ops" })
			w.severe("a", incident.Critical)
			taken := name == "accepted"
			w.oncall.before = failing(3, later429(45*time.Minute)) // a provider that wants to be left alone has not failed
			w.add(page("a", "oncall", 1))
			w.run(70)
			w.equal("troubles", w.standing(), "page_unheard oncall")
			w.run(110)
			w.equal("troubles while it waits", w.standing(), "page_unheard oncall")
			then(w)
			w.run(115)
			if !taken {
				w.equal("troubles", w.standing(), "")
			}
			w.run(600)
			w.equal("troubles", w.standing(), "")
			if taken != (len(w.oncall.taken) == 1) {
				t.Errorf("the pager took %d pages", len(w.oncall.taken))
			}
		})
	}
}
