package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// unheard are the calls that the fallback has not heard of, oldest first: pages, and what a step of a policy says in a thread, which may
// be all that it does.
func (o *Outbox) unheard(ctx context.Context, tx *store.Tx) ([]incident.Notification, error) {
	if o.o.Fallback == "" {
		return nil, nil
	}
	calls, err := tx.UnheardCalls(ctx, o.o.Fallback)
	if err != nil {
		return nil, err
	}
	posts, err := tx.UnheardPosts(ctx, o.o.Fallback)
	for i := range posts {
		if o.o.Targets[o.o.Fallback].Traits.Pages {
			inc, err := tx.Incident(ctx, posts[i].Incident)
			if err != nil {
				return nil, err
			}
			if !inc.MayPage() {
				continue
			}
		}
		calls = append(calls, posts[i])
	}
	slices.SortStableFunc(calls, func(a, b incident.Notification) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return calls, err
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

// secondCall calls the fallback for one that has waited for so long.
func (o *Outbox) secondCall(ctx context.Context, tx *store.Tx, now time.Time, c *incident.Notification, waited time.Duration) error {
	why, err := whyUnheard(ctx, tx, c)
	if err != nil {
		return err
	}
	waited = waited.Truncate(time.Second)
	err = tx.Report(ctx, store.Trouble{Kind: pageUnheard, At: now, Labels: map[string]string{"receiver": c.Target},
		Text: fmt.Sprintf("no answer for %s: %s", waited, why)})
	if err != nil {
		return err
	}
	add := &incident.Notification{
		Incident: c.Incident, Target: o.o.Fallback, Kind: incident.Call, Round: c.Round, Key: c.Key, Reason: incident.ReasonEscalated, Rings: true,
		Text:  fmt.Sprintf("the page to %s has not been accepted for %s: %s", c.Target, waited, why),
		State: incident.Pending, CreatedAt: now, Due: now,
	}
	if c.Kind == incident.Post {
		add.Text = fmt.Sprintf("%s; %s has not taken it for %s: %s", c.Text, c.Target, waited, why)
		add.Event, add.Mention = c.Event, c.Mention
		if add.Kind = incident.Post; o.o.Targets[o.o.Fallback].Traits.Edits {
			add.Key = fmt.Sprintf("%s/%s/%d", c.Incident, o.o.Fallback, c.Event)
		} else if err := ringing(ctx, tx, add); err != nil {
			return err
		}
	}
	_, err = tx.AddNotification(ctx, add)
	return err
}

// refusedCall calls the fallback for a page that its provider refuses for good, of an open incident at high or above: once a round, and
// without the minute of one that may be taken yet. The refusal is a trouble of its own.
func (o *Outbox) refusedCall(ctx context.Context, tx *store.Tx, now time.Time, n *incident.Notification) error {
	fallback, known := o.o.Targets[o.o.Fallback]
	if !known || n.Target == o.o.Fallback || !n.SentAt.IsZero() {
		return nil
	}
	inc, err := tx.Incident(ctx, n.Incident)
	if err != nil || inc.State != incident.Open || inc.Severity < incident.High || fallback.Traits.Pages && !inc.MayPage() {
		return err
	}
	rows, err := tx.Notifications(ctx, n.Incident)
	if err != nil || slices.ContainsFunc(rows, func(r incident.Notification) bool {
		return r.Kind == incident.Call && r.Target == o.o.Fallback && r.Round == n.Round
	}) {
		return err
	}
	_, err = tx.AddNotification(ctx, &incident.Notification{
		Incident: n.Incident, Target: o.o.Fallback, Kind: incident.Call, Round: n.Round, Key: n.Key, Reason: incident.ReasonEscalated, Rings: true,
		Text:  fmt.Sprintf("the page to %s was refused: %s", n.Target, n.LastError),
		State: incident.Pending, CreatedAt: now, Due: now,
	})
	return err
}

// ringing makes a post a call with a round of its own, where there are no threads: the key of another may be open.
func ringing(ctx context.Context, tx *store.Tx, n *incident.Notification) error {
	inc, err := tx.Incident(ctx, n.Incident)
	if err != nil {
		return err
	}
	inc.Round++
	n.Kind, n.Round, n.Key = incident.Call, inc.Round, inc.CallKey(inc.Round)
	return tx.SaveIncident(ctx, &inc)
}

// whyUnheard is what its provider answered last; to a post that waits for its message, what it answered to that.
func whyUnheard(ctx context.Context, tx *store.Tx, c *incident.Notification) (string, error) {
	if c.LastError != "" {
		return c.LastError, nil
	}
	if c.Kind == incident.Post {
		rows, err := tx.Notifications(ctx, c.Incident)
		for i := range rows {
			if r := &rows[i]; r.Kind == incident.Message && r.Target == c.Target && r.LastError != "" {
				return r.LastError, nil
			}
		}
		if err != nil {
			return "", err
		}
	}
	return "no answer yet", nil
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
