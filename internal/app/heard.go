package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/actions"
	"tocsin/notifiers"
)

// hear takes what a pager tells by itself, for each receiver with whose secret it is signed. What was said counts as if it had been asked
// for: it may come again, and late, and changes nothing then.
func (a *App) hear(ctx context.Context, header http.Header, body []byte, now time.Time) error {
	targets := a.generationNow().targets
	known := false
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		l, ok := targets[name].Notifier.(notifiers.Listener)
		if !ok {
			continue
		}
		said, err := l.Hear(header, body, now)
		if errors.Is(err, notifiers.ErrForged) {
			continue
		}
		known = true
		if err == nil {
			err = a.heard(ctx, name, said, now)
		}
		errs = append(errs, err)
	}
	if !known {
		a.o.Log.Warn("a pager's webhook is refused", "error", notifiers.ErrForged)
		return &access.Error{Reason: access.Forbidden, Text: notifiers.ErrForged.Error()}
	}
	err := errors.Join(errs...)
	if errors.Is(err, notifiers.ErrStale) || errors.Is(err, notifiers.ErrUnread) {
		return &actions.Error{Reason: "invalid", Text: err.Error()}
	}
	if err != nil {
		return fmt.Errorf("take a pager's webhook: %w", err)
	}
	return nil
}

func (a *App) heard(ctx context.Context, receiver string, said notifiers.Said, now time.Time) error {
	switch {
	case said.Ask:
		a.askPagers.ring()
	case len(said.Assigned) > 0:
		return a.actions.Assigned(ctx, receiver, said.Key, said.Assigned, a.named(said.Answer), said.At, now)
	case said.Key != "" && said.State != "":
		return a.actions.Answered(ctx, receiver, said.Key, said.State, a.named(said.Answer), said.At, now)
	}
	return nil
}

// named is who answered at a pager: by the name that the configuration's people give them, else as the pager has it.
func (a *App) named(answer notifiers.Answer) string {
	if plan := a.generationNow().plan; plan != nil && answer.User != "" {
		for _, name := range slices.Sorted(maps.Keys(plan.People)) {
			if plan.People[name].PagerDuty == answer.User {
				return name
			}
		}
	}
	return answer.By
}
