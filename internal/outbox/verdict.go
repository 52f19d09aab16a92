package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// The troubles of tocsin's own that an outbox reports; each names its receiver.
const (
	deliveryRefused = "delivery_refused"
	pageUnheard     = "page_unheard"
)

// verdict keeps what an attempt says of its receiver: since when it has taken nothing, since when it refuses for good, and that it
// takes again what it is sent. What only one quiet post was refused for says nothing of a receiver. before is since when the row itself
// was refused.
func (o *Outbox) verdict(ctx context.Context, tx *store.Tx, now time.Time, n *incident.Notification, before time.Time, out answer) error {
	if errors.As(out.err, new(notifiers.Later)) || notifiers.IsPermanent(out.err) && n.Kind == incident.Post && !n.Rings {
		return nil
	}
	h, err := tx.Hold(ctx, receiverHold(n.Target))
	if err != nil {
		return err
	}
	trouble := store.Trouble{At: now, Labels: map[string]string{"receiver": n.Target}}
	switch {
	case out.err == nil:
		if h.FailingSince.IsZero() && h.RefusedSince.IsZero() {
			return nil
		}
		return o.takesAgain(ctx, tx, now, n, h, !before.IsZero())
	case notifiers.IsPermanent(out.err):
		trouble.Kind, trouble.Text = deliveryRefused, bounded(out.err.Error())
		if err := tx.Report(ctx, trouble); err != nil {
			return err
		}
		if h.RefusedSince.IsZero() {
			h.RefusedSince = now
		}
	}
	if h.FailingSince.IsZero() {
		h.FailingSince = now
	}
	return tx.SaveHold(ctx, h)
}

// takesAgain is for a row that a receiver takes after it took none: what waited is tried at once, the newest page first. Refusals are
// over once none waits: a receiver may refuse one row and take all others.
func (o *Outbox) takesAgain(ctx context.Context, tx *store.Tx, now time.Time, n *incident.Notification, h store.Hold, refused bool) error {
	left, err := tx.Refused(ctx, n.Target, n.ID)
	if err != nil {
		return err
	}
	if !left && !h.RefusedSince.IsZero() {
		err := tx.Report(ctx, store.Trouble{Kind: deliveryRefused, At: now, Labels: map[string]string{"receiver": n.Target}, Over: true,
			Text: n.Target + " takes again what it is sent"})
		if err != nil {
			return err
		}
	}
	// What was refused before others were taken is refused for its own sake, unless one of them was taken just now.
	again := store.Hastening{Since: h.FailingSince, Pause: refusedAgain - o.o.Deadline}
	switch {
	case refused:
		again = store.Hastening{Pause: -longestLater}
	case h.FailingSince.IsZero():
		again.Since = now
	}
	h.FailingSince = time.Time{}
	if !left {
		h.RefusedSince = time.Time{}
	}
	if err := tx.SaveHold(ctx, h); err != nil {
		return err
	}
	return tx.HastenNotifications(ctx, n.Target, now, again)
}

// instead lets the fallback say what another receiver refuses, or does not take for a minute, of incidents at high or above that are not
// over. A page has its second path. From then on the fallback is told all that follows.
func (o *Outbox) instead(ctx context.Context, tx *store.Tx, now time.Time, n *incident.Notification) error {
	fallback, known := o.o.Targets[o.o.Fallback]
	if !known || n.Target == o.o.Fallback || n.Kind != incident.Message && (n.Kind != incident.Post || !n.Rings) {
		return nil
	}
	inc, err := tx.Incident(ctx, n.Incident)
	if err != nil {
		return err
	}
	if inc.Severity < incident.High || inc.State != incident.Open && inc.State != incident.Acknowledged {
		return nil
	}
	add := &incident.Notification{Incident: inc.ID, Target: o.o.Fallback, Kind: incident.Message, Key: inc.ID + "/" + o.o.Fallback,
		Reason: incident.ReasonOpened, Rings: true, Wanted: inc.Revision, CreatedAt: now, Due: now}
	if fallback.Traits.Pages {
		if inc.State != incident.Open || !inc.MayPage() {
			return nil
		}
		round := max(inc.Round, 1)
		add.Kind, add.Round, add.Key, add.Reason, add.Wanted = incident.Call, round, inc.CallKey(round), incident.ReasonEscalated, 0
		add.Text = fmt.Sprintf("%s is not taken: %s", name(n), n.LastError)
	}
	_, err = tx.AddNotification(ctx, add)
	return err
}

// late is what a call says, with its age where it comes late: it, or the rounds before it that gave way to it, were tried in vain.
func late(n *incident.Notification, inc *incident.Incident, rows []incident.Notification, now time.Time) string {
	asked := now
	for i := range rows {
		r := &rows[i]
		if r.Kind == n.Kind && r.Target == n.Target && !r.SentAt.IsZero() {
			asked = now // that one was not late, or said so
			continue
		}
		if r.ID == n.ID || r.Kind == n.Kind && r.Target == n.Target && r.Cause == "superseded" {
			if r.Attempts > 1 || r.Attempts > 0 && r.ID != n.ID { // n's own attempt is the one that is made now
				asked = earlier(asked, r.CreatedAt)
			}
		}
	}
	waited := now.Sub(asked)
	if !isCall(n) || waited < unheardAfter {
		return n.Text
	}
	began := inc.FirstEntry
	if began.IsZero() {
		began = inc.OpenedAt
	}
	text := fmt.Sprintf("since %s; this comes %s late: %s did not take it before", lasting(now.Sub(began)), lasting(waited), n.Target)
	if n.Text != "" {
		text = n.Text + "; " + text
	}
	return text
}

// lasting is a duration as people say it: "5 h 12 min", "3 min", "40 s".
func lasting(d time.Duration) string {
	switch h, m := int(d.Hours()), int(d.Minutes())%60; {
	case h >= 48:
		return fmt.Sprintf("%d days", h/24)
	case h > 0 && m > 0:
		return fmt.Sprintf("%d h %d min", h, m)
	case h > 0:
		return fmt.Sprintf("%d h", h)
	case m > 0:
		return fmt.Sprintf("%d min", m)
	}
	return fmt.Sprintf("%d s", max(int(d.Seconds()), 0))
}
