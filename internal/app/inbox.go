package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/internal/actions"
	"tocsin/internal/logs"
	"tocsin/internal/sources"
	"tocsin/internal/store"
)

// inboxMost is how many posted alerts a batch holds.
const inboxMost = 500

// inbox is where what is posted waits for the source that reads it: in the store.
type inbox struct{ a *App }

// Posted ends what was not posted again in time, and is what is new.
func (i inbox) Posted(ctx context.Context, source string, from logs.Cursor) (b logs.Batch, err error) {
	if _, err := i.a.store.PostedEnds(ctx, source, time.Now()); err != nil {
		return b, err
	}
	err = i.a.store.View(ctx, func(tx *store.Tx) (err error) {
		b, err = tx.PostedBatch(ctx, source, from, i.a.generationNow().plan.File.Project, inboxMost)
		return err
	})
	return b, err
}

// Forget deletes what was read.
func (i inbox) Forget(ctx context.Context, source string, upto logs.Cursor) error {
	return i.a.store.Update(ctx, func(tx *store.Tx) error { return tx.ForgetPosted(ctx, source, upto) })
}

// post keeps alerts for the source of kind alertmanager.
func (a *App) post(ctx context.Context, alerts []store.Posted, now time.Time) error {
	source := a.generationNow().plan.postsTo()
	if source == "" {
		return &actions.Error{Reason: "not_found", Text: "no source of kind alertmanager is configured, which would read alerts that are posted: add sources: {prometheus: {alertmanager: {}}}"}
	}
	return a.store.Update(ctx, func(tx *store.Tx) error { return tx.Post(ctx, source, now, alerts) })
}

// postsTo is the source of kind alertmanager; "" for none.
func (p *Plan) postsTo() string {
	for _, name := range slices.Sorted(maps.Keys(p.Sources)) {
		if _, ok := p.Sources[name].(*sources.Alertmanager); ok {
			return name
		}
	}
	return ""
}

// posted finds sources that would never be given anything.
func (l *loading) posted() {
	first := l.plan.postsTo()
	for _, name := range slices.Sorted(maps.Keys(l.plan.Sources)) {
		if _, ok := l.plan.Sources[name].(*sources.Alertmanager); ok && name != first {
			l.errs = append(l.errs, l.file.Root.At("sources."+name).Errorf("%s", fmt.Sprintf("a second source of kind alertmanager is never given anything: all that is posted goes to %s", first)))
		}
	}
}
