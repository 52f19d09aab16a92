package outbox

import (
	"context"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// gate is until when a target's rows are held back: those that call somebody, and the others.
type gate struct{ calls, others time.Time }

func (g gate) opens(n *incident.Notification) time.Time {
	if isCall(n) {
		return g.calls
	}
	return g.others
}

// receiverHold is the name under which a receiver's own hold is kept.
func receiverHold(target string) string { return "receiver " + target }

// limits are a target's. One whose provider says nothing of them has an account of its own, and no bucket.
func (o *Outbox) limits(target string) notifiers.Limits {
	if l, ok := o.o.Targets[target].Notifier.(notifiers.Limited); ok {
		return l.Limits()
	}
	return notifiers.Limits{Account: receiverHold(target)}
}

// hold is what is kept under a name, read once in a transaction.
func (c *claimer) hold(ctx context.Context, name string) (*store.Hold, error) {
	if h := c.holds[name]; h != nil {
		return h, nil
	}
	h, err := c.tx.Hold(ctx, name)
	c.holds[name] = &h
	return &h, err
}

// gate is until when a target is to be left alone: because its provider asks for it, or because what it takes at once is used up.
// What the clock has been turned back before is void: nobody waits an hour longer for it.
func (c *claimer) gate(ctx context.Context, target string) (gate, error) {
	var g gate
	l := c.o.limits(target)
	h, err := c.hold(ctx, l.Account)
	if err != nil {
		return g, err
	}
	if !c.now.Before(h.Since) {
		g.others = h.Until
		g.calls = earlier(h.Until, h.Since.Add(longestCallLater))
	}
	if l.Bucket == "" {
		return g, nil
	}
	b, err := c.hold(ctx, l.Bucket)
	if err != nil {
		return g, err
	}
	free := c.free(b, l)
	return gate{later(g.calls, free), later(g.others, free)}, nil
}

// spent is until when a bucket has to fill: now for one that is full, and for one whose time can only come from a clock that was
// turned back since.
func (c *claimer) spent(b *store.Hold, l notifiers.Limits) time.Time {
	if b.Spent.Before(c.now) || b.Spent.After(c.now.Add(time.Duration(l.Burst)*l.Every)) {
		return c.now
	}
	return b.Spent
}

// free is from when on something can be taken out of a bucket.
func (c *claimer) free(b *store.Hold, l notifiers.Limits) time.Time {
	return c.spent(b, l).Add(-time.Duration(l.Burst-1) * l.Every)
}

// spend takes a row's request out of its target's bucket, and a page that was not tried before out of that of its receiver's pages.
func (c *claimer) spend(ctx context.Context, n *incident.Notification) error {
	buckets := []notifiers.Limits{c.o.limits(n.Target)}
	if c.counts(n) {
		buckets = append(buckets, pages(n.Target))
	}
	for _, l := range buckets {
		if l.Bucket == "" {
			continue
		}
		b, err := c.hold(ctx, l.Bucket)
		if err != nil {
			return err
		}
		b.Spent = c.spent(b, l).Add(l.Every)
		if err := c.tx.SaveHold(ctx, *b); err != nil {
			return err
		}
	}
	return nil
}

// holdBack puts off what is due at a target that is to be left alone; where that is for long, the fallback says what matters. A receiver that is gone from the configuration has no limits.
func (c *claimer) holdBack(ctx context.Context, target string) error {
	if _, known := c.o.o.Targets[target]; !known {
		return nil
	}
	g, err := c.gate(ctx, target)
	if err != nil {
		return err
	}
	if g.others.After(c.now.Add(unheardAfter)) {
		due, err := c.tx.DueNotifications(ctx, c.now, target, 0)
		if err != nil {
			return err
		}
		for i := range due {
			if n := &due[i]; n.SentAt.IsZero() && !isCall(n) {
				if err := c.o.instead(ctx, c.tx, c.now, n); err != nil {
					return err
				}
			}
		}
	}
	for _, each := range []struct {
		calls bool
		until time.Time
	}{{true, g.calls}, {false, g.others}} {
		if each.until.After(c.now) {
			if err := c.tx.DelayNotifications(ctx, target, each.calls, each.until); err != nil {
				return err
			}
		}
	}
	return nil
}

// hold keeps that a provider asks to be left alone, and says until when the row that it told so waits.
func (o *Outbox) hold(ctx context.Context, tx *store.Tx, now time.Time, n *incident.Notification, wait notifiers.Later) (time.Time, error) {
	h, err := tx.Hold(ctx, o.limits(n.Target).Account)
	if err != nil {
		return time.Time{}, err
	}
	until := now.Add(min(max(wait.After, time.Second), longestLater))
	if now.Before(h.Since) || until.After(h.Until) {
		h.Until = until
	}
	h.Since, h.Why = now, bounded(wait.Error())
	if err := tx.SaveHold(ctx, h); err != nil {
		return time.Time{}, err
	}
	if isCall(n) {
		until = earlier(until, now.Add(longestCallLater))
	}
	return until, nil
}
