package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// pollLoop asks the pagers through which people answer what they said: at once, because who took a page while nothing ran must not be
// called again by the next step, then now and then.
func (a *App) pollLoop(l *lead) {
	ctx := l.ctx
	const name = "asking pagers"
	defer a.watch.ended(name)
	tick := time.NewTicker(a.o.PollEvery)
	defer tick.Stop()
	for {
		a.watch.stepped(name)
		switch err := a.poll(ctx); {
		case err == nil:
			l.asked.Store(true)
		case ctx.Err() == nil:
			a.o.Log.Warn("cannot ask a pager for answers", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.askPagers:
		}
	}
}

// poll asks each pager once about the pages that are out, all at once, and takes each answer as it comes. What fails at one holds up no other, and not what it has answered before.
func (a *App) poll(ctx context.Context) error {
	var calls []incident.Notification
	var standing []store.Trouble
	err := a.store.View(ctx, func(tx *store.Tx) (err error) {
		if calls, err = tx.UnsettledCalls(ctx); err != nil {
			return err
		}
		standing, err = tx.Standing(ctx)
		return err
	})
	if err != nil {
		return err
	}
	keys := map[string][]string{}
	for _, n := range calls {
		keys[n.Target] = append(keys[n.Target], n.Key)
	}
	pagers := map[string]notifiers.Poller{}
	for name, t := range a.generationNow().targets {
		if p, ok := t.Notifier.(notifiers.Poller); ok && len(keys[name]) > 0 {
			pagers[name] = p
		}
	}
	a.unpolled(ctx, pagers, standing)
	type reply struct {
		pager   string
		answers []notifiers.Answer
		err     error
	}
	replies := make(chan reply, len(pagers))
	for name, p := range pagers {
		go func() {
			limited, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			answers, err := p.Poll(limited, keys[name])
			replies <- reply{name, answers, err}
		}()
	}
	var errs []error
	for range pagers {
		r := <-replies
		if r.err != nil {
			errs = append(errs, fmt.Errorf("poll %s: %w", r.pager, r.err))
		}
		a.polled(ctx, r.pager, r.err)
		for _, answer := range r.answers {
			if err := a.actions.Answered(ctx, r.pager, answer.Key, answer.State, a.named(answer), answer.At, time.Now()); err != nil {
				errs = append(errs, fmt.Errorf("take answer of %s: %w", r.pager, err))
			}
		}
	}
	return errors.Join(errs...)
}

// unreadAfter is how long a pager may fail to say what people answered before that is a trouble; what it refuses for good is one at once.
const unreadAfter = 2 * time.Minute

// pagerUnread is the trouble of a pager that does not say what people answered there.
const pagerUnread = "pager_unread"

// polled keeps whether a pager could be asked, and reports it where that goes on: without answers who has a page is called again.
func (a *App) polled(ctx context.Context, receiver string, err error) {
	now := time.Now()
	a.mu.Lock()
	if a.unread == nil {
		a.unread = map[string]time.Time{}
	}
	since, failing := a.unread[receiver]
	switch {
	case err == nil:
		delete(a.unread, receiver)
	case !failing:
		since = now
		a.unread[receiver] = now
	}
	a.mu.Unlock()
	t := store.Trouble{Kind: pagerUnread, At: now, Labels: map[string]string{"receiver": receiver}}
	switch {
	case ctx.Err() != nil:
	case err == nil:
		t.Text, t.Over = "it says again what people answered", true
		a.report(ctx, t)
	case notifiers.IsPermanent(err) || now.Sub(since) >= unreadAfter:
		t.Text = "it does not say what people answered there: who has a page may be called again: " + err.Error()
		a.report(ctx, t)
	}
}

// unpolled ends what was wrong with pagers that are not asked now: nothing is out there that they could be asked about, or the
// configuration has them no more. Whatever becomes of them later begins anew.
func (a *App) unpolled(ctx context.Context, asked map[string]notifiers.Poller, standing []store.Trouble) {
	a.mu.Lock()
	for name := range a.unread {
		if asked[name] == nil {
			delete(a.unread, name)
		}
	}
	a.mu.Unlock()
	var over []store.Trouble
	for _, t := range standing {
		if t.Kind == pagerUnread && asked[t.Labels["receiver"]] == nil {
			over = append(over, store.Trouble{Kind: t.Kind, Labels: t.Labels, At: time.Now(), Over: true, Text: "there is nothing more to ask it"})
		}
	}
	if len(over) > 0 {
		a.report(ctx, over...)
	}
}
