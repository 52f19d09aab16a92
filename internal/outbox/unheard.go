package outbox

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// unheard are the calls that the fallback has not heard of, oldest first.
func (o *Outbox) unheard(ctx context.Context, tx *store.Tx) ([]incident.Notification, error) {
	if o.o.Fallback == "" {
		return nil, nil
	}
	return tx.UnheardCalls(ctx, o.o.Fallback)
}

// secondPath calls the fallback for each page that nobody has accepted for too long, and says so until there is none any more.
func (o *Outbox) secondPath(ctx context.Context, tx *store.Tx, now time.Time, target string) error {
	if !o.keeps(target) {
		return nil
	}
	calls, err := o.unheard(ctx, tx)
	if err != nil {
		return err
	}
	for i := range calls {
		c := &calls[i]
		waited := now.Sub(c.CreatedAt)
		if waited < unheardAfter {
			break
		}
		if err := o.secondCall(ctx, tx, now, c, waited); err != nil {
			return err
		}
	}
	heard, err := o.heard(ctx, tx, now)
	for _, receiver := range heard {
		err := tx.Report(ctx, store.Trouble{Kind: pageUnheard, At: now, Labels: map[string]string{"receiver": receiver}, Over: true,
			Text: "no page to " + receiver + " waits unheard any more"})
		if err != nil {
			return err
		}
	}
	return err
}

// secondCall calls the fallback for a page that has waited for so long.
func (o *Outbox) secondCall(ctx context.Context, tx *store.Tx, now time.Time, c *incident.Notification, waited time.Duration) error {
	why := c.LastError
	if why == "" {
		why = "no answer yet"
	}
	err := tx.Report(ctx, store.Trouble{Kind: pageUnheard, At: now, Labels: map[string]string{"receiver": c.Target},
		Text: fmt.Sprintf("no answer for %s: %s", waited.Truncate(time.Second), why)})
	if err != nil {
		return err
	}
	_, err = tx.AddNotification(ctx, &incident.Notification{
		Incident: c.Incident, Target: o.o.Fallback, Kind: incident.Call, Round: c.Round, Key: c.Key, Reason: incident.ReasonEscalated, Rings: true,
		Text:  fmt.Sprintf("the page to %s has not been accepted for %s: %s", c.Target, waited.Truncate(time.Second), why),
		State: incident.Pending, CreatedAt: now, Due: now,
	})
	return err
}

// heard are the receivers of which it still stands that a page to them is unheard, and no page waits that long any more: it was
// accepted, or somebody has it by another way, or it is over, or held.
func (o *Outbox) heard(ctx context.Context, tx *store.Tx, now time.Time) ([]string, error) {
	standing, err := tx.Standing(ctx)
	if err != nil {
		return nil, err
	}
	var heard []string
	for i := range standing {
		if standing[i].Kind != pageUnheard {
			continue
		}
		receiver := standing[i].Labels["receiver"]
		waits, err := tx.CallWaits(ctx, receiver, now.Add(-unheardAfter))
		if err != nil {
			return nil, err
		}
		if !waits {
			heard = append(heard, receiver)
		}
	}
	return heard, nil
}
