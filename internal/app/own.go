package app

import (
	"context"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/setting"
	"tocsin/internal/sources"
	"tocsin/internal/store"
)

// report keeps troubles of tocsin's own in a transaction of their own, for what is noticed outside of any. A store that cannot take
// them is told of in the log, and by the steps that fail on it.
func (a *App) report(ctx context.Context, troubles ...store.Trouble) {
	err := a.store.Update(ctx, func(tx *store.Tx) error {
		for _, t := range troubles {
			if t.At.IsZero() {
				t.At = time.Now()
			}
			if err := tx.Report(ctx, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		a.o.Log.Error("a trouble of tocsin's own cannot be kept", "trouble", troubles[0].Kind, "error", err)
	}
}

// ownTroubles is the source that is always there: tocsin's own troubles, as the store has them.
type ownTroubles struct{ a *App }

// Validate finds nothing: there is nothing to set.
func (ownTroubles) Validate() []setting.FieldError { return nil }

// New makes the source.
func (o ownTroubles) New(string, sources.Env) (sources.Source, error) { return o, nil }

// ownEvery is how often it is looked for new troubles, ownMost how many a batch holds.
const (
	ownEvery = time.Second
	ownMost  = 200
)

// Read sends what is reported after a cursor.
func (o ownTroubles) Read(ctx context.Context, from logs.Cursor, out chan<- logs.Batch) error {
	tick := time.NewTicker(ownEvery)
	defer tick.Stop()
	for told := false; ; {
		var b logs.Batch
		err := o.a.store.View(ctx, func(tx *store.Tx) (err error) {
			b, err = tx.TroubleBatch(ctx, from, o.a.generationNow().plan.File.Project, ownMost)
			return err
		})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if len(b.Data) > 0 || !told {
			b.Received = time.Now()
			select {
			case out <- b:
				from, told = b.Cursor, b.CaughtUp
			case <-ctx.Done():
				return nil
			}
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
