package outbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// unasked says whether a pager is still to be asked what an earlier life has left open there of the incident that a page is of: once in
// the life of an outbox, before the page counts as one of those that its receiver can take. Asking again does no harm.
func (c *claimer) unasked(n *incident.Notification, target Target) bool {
	if n.Kind != incident.Call || !target.Traits.Pages || c.now.Sub(c.o.store.Born()) >= young {
		return false
	}
	if _, adopter := target.Notifier.(notifiers.Adopter); !adopter {
		return false
	}
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	return !c.o.asked[n.Incident+"/"+n.Target] && !c.now.Before(c.o.deaf[n.Target])
}

// isAsked notes that a pager need not be asked again of an incident, or, if it gave no answer, of none for a while: pages do not wait for
// it one after the other.
func (o *Outbox) isAsked(now time.Time, n *incident.Notification, answered bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asked == nil {
		o.asked, o.deaf = map[string]bool{}, map[string]time.Time{}
	}
	o.asked[n.Incident+"/"+n.Target] = true
	if !answered {
		o.deaf[n.Target] = now.Add(deafFor)
	}
}

// deafFor is how long a pager that does not say what is open there is not asked.
const deafFor = time.Minute

// ask claims a page for that question. It is no attempt at the page.
func (c *claimer) ask(ctx context.Context, n *incident.Notification, target Target) (*attempt, error) {
	n.State, n.Epoch, n.Deadline = incident.InFlight, c.o.store.Epoch(), c.now.Add(c.o.o.Deadline)
	n.Attempts++
	return &attempt{row: *n, target: target, ask: true}, c.tx.SaveNotification(ctx, n)
}

// earlier asks the provider what an earlier life has told of the same (rule, group), leaving time to send. What this store has told itself,
// of an incident before this one, is not to be taken over.
func (o *Outbox) earlier(ctx context.Context, a *attempt) (found notifiers.Earlier, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.o.Deadline/2)
	defer cancel()
	err = guard(func() (err error) {
		found, err = a.target.Notifier.(notifiers.Adopter).Adopt(ctx, incident.HashOf(a.row.Incident))
		return err
	})
	if err != nil {
		return notifiers.Earlier{}, err
	}
	var foreign notifiers.Earlier
	err = o.store.View(ctx, func(tx *store.Tx) error {
		if found.Receipt != "" {
			switch ours, err := tx.ToldElsewhere(ctx, a.row.ID, "", found.Receipt); {
			case err != nil:
				return err
			case !ours:
				foreign.Receipt = found.Receipt
			}
		}
		for _, key := range found.Keys {
			switch ours, err := tx.ToldElsewhere(ctx, a.row.ID, key, ""); {
			case err != nil:
				return err
			case !ours:
				foreign.Keys = append(foreign.Keys, key)
			}
		}
		return nil
	})
	return foreign, err
}

// takeOver writes what a pager said to the question of what is open there. Nobody is rung for what an earlier life has rung for and nobody has
// ended: the page is that of the newest key, and has been sent. The other keys are acknowledged and resolved with it, and the rounds that
// follow have numbers, so keys, that are not among them: a pager rings for no key that is open.
//
// Where it is not known that those keys stand for what the page says, it rings, and they are only ended with it: those of a storm, whose
// incidents nobody knows any more, and those of an incident that this store, restored from a backup, has paged for before.
func (o *Outbox) takeOver(ctx context.Context, tx *store.Tx, now time.Time, n *incident.Notification, keys []string) error {
	n.Attempts--
	if n.State != incident.Cancelled {
		n.State, n.Due = incident.Pending, now
	}
	if len(keys) == 0 {
		return nil
	}
	inc, err := tx.Incident(ctx, n.Incident)
	if err != nil {
		return err
	}
	rows, err := tx.Notifications(ctx, n.Incident)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s was paged before, and its alerts %s are still open: it is paged again, nobody knows what they named", n.Target, strings.Join(keys, ", "))
	if again := slices.ContainsFunc(rows, func(r incident.Notification) bool {
		return r.ID != n.ID && r.Kind == incident.Call && r.Target == n.Target && !r.SentAt.IsZero()
	}); !inc.IsStorm() && (!again || n.Unclear && slices.Contains(keys, n.Key)) {
		text = fmt.Sprintf("%s was paged before, and its alert %s is still open: nobody is paged again", n.Target, keys[0])
		n.SentAt, n.Receipt = now, keys[0]
		if n.State != incident.Cancelled {
			n.State, n.Cause = incident.Sent, incident.Adopted
		}
		if err := rekey(ctx, tx, n, keys[0]); err != nil {
			return err
		}
	}
	for _, key := range keys {
		if id, _, _ := strings.Cut(key, "."); id == inc.ID {
			inc.Round = max(inc.Round, roundOf(key))
		}
	}
	if err := renumber(ctx, tx, &inc, n, rows, keys); err != nil {
		return err
	}
	for _, key := range keys {
		if key == n.Key {
			continue
		}
		if err := keep(ctx, tx, now, &inc, n, key); err != nil {
			return err
		}
	}
	if err := tx.SaveIncident(ctx, &inc); err != nil {
		return err
	}
	return tx.AppendEvent(ctx, &incident.Event{Incident: n.Incident, At: now, Kind: incident.EventSent, Text: text})
}

// keep makes a row of a key that an earlier life has left open, of no round of this one, so that what is said of the incident is said of it
// too: at once, if somebody has the incident or it is over by now.
func keep(ctx context.Context, tx *store.Tx, now time.Time, inc *incident.Incident, n *incident.Notification, key string) error {
	row := incident.Notification{Incident: inc.ID, Target: n.Target, Kind: incident.Call, Key: key, Reason: n.Reason, State: incident.Sent, Cause: incident.Adopted,
		CreatedAt: now, Due: now, SentAt: now, Receipt: key}
	if _, err := tx.AddNotification(ctx, &row); err != nil {
		return err
	}
	kind := incident.CallResolve
	switch inc.State {
	case incident.Open:
		return nil
	case incident.Acknowledged:
		kind = incident.CallAcknowledge
	}
	_, err := tx.AddNotification(ctx, &incident.Notification{Incident: inc.ID, Target: n.Target, Kind: kind, Key: key, Reason: incident.ReasonResolved,
		State: incident.Pending, CreatedAt: now, Due: now})
	return err
}

// renumber saves a page, and gives it and others that wait, and must ring, keys that are not open.
func renumber(ctx context.Context, tx *store.Tx, inc *incident.Incident, n *incident.Notification, rows []incident.Notification, open []string) error {
	if n.State == incident.Pending && slices.Contains(open, n.Key) {
		inc.Round++
		n.Round, n.Key = inc.Round, inc.CallKey(inc.Round)
	}
	if err := tx.SaveNotification(ctx, n); err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		if r.ID == n.ID || r.Kind != incident.Call || r.Target != n.Target || r.State != incident.Pending || r.Attempts > 0 || !slices.Contains(open, r.Key) {
			continue
		}
		inc.Round++
		r.Round, r.Key = inc.Round, inc.CallKey(inc.Round)
		if err := tx.SaveNotification(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// roundOf is the round whose page has a key.
func roundOf(key string) int {
	_, number, more := strings.Cut(key, ".")
	round, err := strconv.Atoi(number)
	if !more || err != nil {
		return 1
	}
	return round
}
