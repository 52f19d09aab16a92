package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/engine"
	"tocsin/internal/escalation"
	"tocsin/internal/heartbeat"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// refusing takes nothing, for good.
type refusing struct{ notifiers.Notifier }

func (refusing) Send(context.Context, notifiers.Notice) (string, error) {
	return "", notifiers.Permanent{Err: errors.New("invalid_auth")}
}

// A trouble about telling a trouble must not multiply: with everybody refusing everything for an hour there is one incident, a trouble a
// receiver, and a row of each a minute at the most. Once they take what they are sent, all of it is over by itself.
func TestTroublesAboutTellingTroubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tocsin.yaml")
		text := `
project: p
receivers:
  channel: {slack: {channel: "#c", token_file: t}}
  oncall: {pagerduty: {routing_key_file: k}}
fallback: channel
route: {receiver: channel, routes: [{matchers: ['severity=~"high|critical"'], receiver: channel, escalation: call}]}
escalation: {call: {steps: [{notify: [oncall]}]}}
`
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		plan, errs := Load(path)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		ctx := context.Background()
		db, err := store.Open(ctx, filepath.Join(t.TempDir(), "tocsin.db"), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		desk := plan.desk(nil)
		eng, err := engine.New(ctx, db, engine.Options{Program: plan.program(desk)})
		if err != nil {
			t.Fatal(err)
		}
		esc := escalation.New(db, func() escalation.Program { return plan.escalation(desk) }, nil)
		box := func(wrap func(notifiers.Notifier) notifiers.Notifier) *outbox.Outbox {
			targets, err := plan.targets()
			if err != nil {
				t.Fatal(err)
			}
			for name, target := range targets {
				target.Notifier = wrap(target.Notifier)
				targets[name] = target
			}
			return outbox.New(db, outbox.Options{Targets: targets, Fallback: plan.File.Fallback})
		}
		d := driver{store: db, engine: eng, escalation: esc, outbox: box(func(n notifiers.Notifier) notifiers.Notifier { return refusing{n} })}
		audit := heartbeat.NewAudit(db, heartbeat.AuditOptions{Since: time.Now(), Traits: func() map[string]incident.Traits { return desk.Traits }})
		pass := func(long time.Duration) {
			t.Helper()
			for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(10 * time.Second) {
				offerTroubles(t, db, eng)
				if _, err := eng.Step(ctx, time.Now()); err != nil {
					t.Fatal(err)
				}
				if err := d.run(ctx, time.Now()); err != nil {
					t.Fatal(err)
				}
				if _, err := audit.Step(ctx, time.Now()); err != nil {
					t.Fatal(err)
				}
				if found := audit.Last().Findings; len(found) > 0 {
					t.Fatalf("the audit finds %v", found)
				}
			}
		}
		report := func(over bool) {
			t.Helper()
			err := db.Update(ctx, func(tx *store.Tx) error {
				return tx.Report(ctx, store.Trouble{Kind: "source_blind", Labels: map[string]string{"source": "prow"}, At: time.Now(), Text: "x", Over: over})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		report(false)
		pass(time.Hour)
		incidents, rows, standing := sumUp(t, db)
		if len(incidents) != 1 || rows > 3*62 {
			t.Errorf("after an hour there are the incidents %q and %d rows of troubles", incidents, rows)
		}
		want := []string{"delivery_refused channel", "delivery_refused oncall", "source_blind prow"} // what is refused is told at once, and is not unheard beside it
		if diff := cmp.Diff(want, standing); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		d.outbox = box(func(n notifiers.Notifier) notifiers.Notifier { return recorder{n} })
		report(true)
		pass(20 * time.Minute)
		incidents, _, standing = sumUp(t, db)
		if len(standing) > 0 || !slices.Equal(incidents, []string{"resolved"}) {
			t.Errorf("all take what they are sent: incidents %q, troubles %q", incidents, standing)
		}
	})
}

// sumUp is the states of all incidents, how many rows of troubles there are, and which stand.
func sumUp(t *testing.T, db *store.Store) (incidents []string, rows int, standing []string) {
	t.Helper()
	ctx := context.Background()
	err := db.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Incidents(ctx, store.IncidentFilter{})
		if err != nil {
			return err
		}
		for _, inc := range all {
			incidents = append(incidents, string(inc.State))
		}
		b, err := tx.TroubleBatch(ctx, "", "p", 10000)
		if err != nil {
			return err
		}
		for _, c := range b.Data {
			if c == '\n' {
				rows++
			}
		}
		stand, err := tx.Standing(ctx)
		for _, s := range stand {
			standing = append(standing, s.Kind+" "+s.Labels["receiver"]+s.Labels["source"])
		}
		slices.Sort(standing)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return incidents, rows, standing
}

// TestWhoIsWoken: what a commit leaves for one receiver wakes the loop of that one alone.
func TestWhoIsWoken(t *testing.T) {
	a := &App{wakeSteps: newBell()}
	a.current.wake = map[string]bell{"one": newBell(), "other": newBell()}
	a.wakeFor(store.Left{Targets: map[string]bool{"one": true, "gone": true}})
	if one, other, steps := len(a.current.wake["one"]), len(a.current.wake["other"]), len(a.wakeSteps); one != 1 || other != 0 || steps != 0 {
		t.Errorf("for one: %d, other %d, escalation %d", one, other, steps)
	}
	a.wakeFor(store.Left{Steps: true})
	if other, steps := len(a.current.wake["other"]), len(a.wakeSteps); other != 0 || steps != 1 {
		t.Errorf("for the steps: other %d, escalation %d", other, steps)
	}
}

// offerTroubles offers an engine what has been reported of tocsin itself since it was offered last.
func offerTroubles(t *testing.T, db *store.Store, eng *engine.Engine) {
	t.Helper()
	var b logs.Batch
	err := db.View(t.Context(), func(tx *store.Tx) error {
		st, err := tx.Source(t.Context(), logs.OwnSource)
		if err != nil {
			return err
		}
		b, err = tx.TroubleBatch(t.Context(), st.Cursor, "p", 100)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Received = time.Now()
	if err := eng.Offer(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}
