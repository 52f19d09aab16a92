package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// isClear says whether an error means that the provider surely did not take it.
func isClear(err error) bool {
	return notifiers.IsPermanent(err) || errors.As(err, new(notifiers.Later))
}

// mark writes what came of an attempt, if the row is still this attempt's.
func (o *Outbox) mark(ctx context.Context, now time.Time, a *attempt, out answer) (marked bool, err error) {
	err = o.store.Update(ctx, func(tx *store.Tx) error {
		n, err := tx.Notification(ctx, a.row.ID)
		if err != nil {
			return fmt.Errorf("mark notification: %w", err)
		}
		if n.Epoch != a.row.Epoch || n.Attempts != a.row.Attempts || n.State == incident.Sent {
			return nil
		}
		if out.asked {
			if err := o.takeOver(ctx, tx, now, &n, out.keys); err != nil {
				return fmt.Errorf("mark notification %d: %w", n.ID, err)
			}
			marked = true
			return tx.SaveNotification(ctx, &n)
		}
		switch {
		case out.untold:
			n.Unclear, n.Due = false, now
			if n.State != incident.Cancelled {
				n.State = incident.Pending
			}
		case out.err != nil:
			err = o.failed(ctx, tx, now, &n, a, out)
		default:
			err = o.accepted(ctx, tx, now, &n, a, out)
		}
		if err == nil {
			err = o.verdict(ctx, tx, now, &n, a.row.RefusedAt, out)
		}
		if err != nil {
			return fmt.Errorf("mark notification %d: %w", n.ID, err)
		}
		marked = true
		return tx.SaveNotification(ctx, &n)
	})
	return marked, err
}

// accepted is for a row that the provider has.
func (o *Outbox) accepted(ctx context.Context, tx *store.Tx, now time.Time, n *incident.Notification, a *attempt, out answer) error {
	first := n.SentAt.IsZero()
	n.SentAt, n.LastError = now, ""
	if !out.found { // one that is only found may be refused again
		n.RefusedAt = time.Time{}
	}
	if n.Kind == incident.Message && n.Receipt == "" {
		if err := freePosts(ctx, tx, now, n); err != nil {
			return err
		}
	}
	switch {
	case out.receipt != "":
		n.Receipt = out.receipt
	case out.adopted && n.Kind == incident.Message:
		n.Receipt = a.notice.Parent
	}
	if !a.target.isPager(n) {
		n.Unclear = false // a pager's stays: what closes the key must wait for every attempt that may be on its way
	}
	next := incident.Sent
	if n.Kind == incident.Message {
		n.SentRevision, n.Attempts = a.revision, 0
		if out.found && a.target.Traits.Edits {
			n.SentRevision = 0 // nobody knows which one was found: an edit makes sure
		}
		every := a.target.every(&a.notice.Incident)
		switch {
		case n.Wanted > n.SentRevision:
			next, n.Due = incident.Pending, now
		case every > 0:
			next, n.Due = incident.Pending, now.Add(every)
		}
	}
	if n.State != incident.Cancelled { // what was cancelled meanwhile stays so, with its receipt
		n.State = next
	}
	var text string
	switch {
	case out.blind != "":
		text = fmt.Sprintf("%s was sent again and may be there twice: it could not be looked for the attempt before: %s", name(n), out.blind)
	case n.Kind == incident.Call:
		text = fmt.Sprintf("paged %s, round %d", n.Target, n.Round)
	case n.Kind == incident.Message && first && out.adopted:
		text = fmt.Sprintf("%s was told before: its message is continued", n.Target)
	case n.Kind == incident.Message && first:
		text = "told " + n.Target
	default:
		return nil
	}
	return tx.AppendEvent(ctx, &incident.Event{Incident: n.Incident, At: now, Kind: incident.EventSent, Text: text})
}

// freePosts lets what was refused for want of a message be said under the one that is there now.
func freePosts(ctx context.Context, tx *store.Tx, now time.Time, message *incident.Notification) error {
	rows, err := tx.Notifications(ctx, message.Incident)
	if err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		if r.Kind != incident.Post || r.Target != message.Target || r.State != incident.Pending || r.RefusedAt.IsZero() {
			continue
		}
		r.Due = earlier(r.Due, now)
		if err := tx.SaveNotification(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// rekey gives a page the key that an earlier life rang with, and what waits to be said of it as well.
func rekey(ctx context.Context, tx *store.Tx, n *incident.Notification, key string) error {
	rows, err := tx.Notifications(ctx, n.Incident)
	if err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		if r.Target != n.Target || r.Key != n.Key || r.Kind != incident.CallAcknowledge && r.Kind != incident.CallResolve {
			continue
		}
		r.Key = key
		if err := tx.SaveNotification(ctx, r); err != nil {
			return err
		}
	}
	n.Key = key
	return nil
}

// failed is for a row that is to be tried again.
func (o *Outbox) failed(ctx context.Context, tx *store.Tx, now time.Time, n *incident.Notification, a *attempt, out answer) error {
	n.LastError = bounded(out.err.Error())
	n.Unclear = out.unclear
	cancelled := n.State == incident.Cancelled
	n.State = incident.Pending
	var wait notifiers.Later
	switch {
	case errors.As(out.err, &wait):
		until, err := o.hold(ctx, tx, now, n, wait)
		if err != nil {
			return err
		}
		n.Due = until
	case notifiers.IsPermanent(out.err):
		again := n.RefusedAt.IsZero() && n.Kind == incident.Message && n.Receipt != ""
		if err := o.refused(ctx, tx, now, n, out.err); err != nil {
			return err
		}
		if again { // the message that was to be edited may be gone: if it cannot be found, it is posted anew
			n.Receipt, n.Unclear, n.Due = "", true, now
		}
	default:
		n.Due = now.Add(backoff(n.Kind, n.Attempts))
		if n.Unclear && a.target.finder(n) != nil {
			n.Due = later(n.Due, n.Deadline) // before, it might arrive behind the look for it
		}
	}
	if cancelled {
		n.State = incident.Cancelled
		return nil
	}
	if n.Kind == incident.Call && notifiers.IsPermanent(out.err) {
		return o.refusedCall(ctx, tx, now, n)
	}
	if n.Due.After(n.CreatedAt.Add(unheardAfter)) && n.SentAt.IsZero() {
		return o.instead(ctx, tx, now, n)
	}
	return nil
}

// refused is for a row that was refused for good: the timeline tells it once, the fallback says what matters in its place, and it is
// tried again seldom; what is no page is given up after a day.
func (o *Outbox) refused(ctx context.Context, tx *store.Tx, now time.Time, n *incident.Notification, why error) error {
	n.State, n.Due, n.LastError = incident.Pending, now.Add(refusedEvery), bounded(why.Error())
	if err := o.instead(ctx, tx, now, n); err != nil {
		return err
	}
	if n.RefusedAt.IsZero() {
		n.RefusedAt = now
		return tx.AppendEvent(ctx, &incident.Event{Incident: n.Incident, At: now, Kind: incident.EventFailed,
			Text: fmt.Sprintf("%s was refused: %s", name(n), n.LastError)})
	}
	if n.Kind != incident.Call && now.Sub(n.RefusedAt) >= refusedFor {
		n.State, n.Cause = incident.Cancelled, "refused"
		return tx.AppendEvent(ctx, &incident.Event{Incident: n.Incident, At: now, Kind: incident.EventFailed,
			Text: fmt.Sprintf("%s was refused for %s and is given up: %s", name(n), refusedFor, n.LastError)})
	}
	return nil
}

// name is what a row is, for the timeline.
func name(n *incident.Notification) string {
	switch n.Kind {
	case incident.Call:
		return fmt.Sprintf("the page to %s, round %d,", n.Target, n.Round)
	case incident.CallAcknowledge:
		return fmt.Sprintf("the acknowledge of round %d to %s", n.Round, n.Target)
	case incident.CallResolve:
		return fmt.Sprintf("the resolve of round %d to %s", n.Round, n.Target)
	case incident.Post:
		return "a post in the thread at " + n.Target
	default:
		return "the message to " + n.Target
	}
}

// bounded cuts a provider's words to what a row may hold.
func bounded(text string) string {
	const most = 300
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
