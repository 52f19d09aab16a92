package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/incident"
	"tocsin/notifiers"
)

// answer is what came of an attempt.
type answer struct {
	receipt string
	err     error
	// unclear says that the row may have arrived, by this attempt or one before, although there is an error.
	unclear bool
	// found says that nothing was sent: an earlier attempt had arrived. adopted says that an earlier life had told.
	found, adopted bool
	// blind is why it could not be looked for an earlier attempt that may have arrived; "" where it could, or need not.
	blind string
	// asked says that nothing was sent: it was asked which keys an earlier life has left open, and answered if answered says so.
	asked, answered bool
	keys            []string
	// untold says that no attempt arrived, and that none was made now: a digest tells it.
	untold bool
}

// errLate is why nothing was sent by an attempt whose time is over: others may be at it already.
var errLate = errors.New("the process was paused before it could send")

// call makes the attempt, until ctx ends: it looks for what an earlier attempt, or an earlier life, has done, and sends what is left to do.
func (o *Outbox) call(ctx context.Context, a *attempt) answer {
	if a.ask {
		found, err := o.earlier(ctx, a)
		if err != nil { // a page is rather said twice than not at all
			o.o.Log.Warn("a pager does not say what is open there", "target", a.row.Target, "incident", a.row.Incident, "error", err)
		}
		return answer{asked: true, answered: err == nil, keys: found.Keys}
	}
	out := answer{unclear: a.row.Unclear}
	page := a.row.Kind == incident.Call
	if a.look {
		receipt, found, err := o.find(ctx, a)
		switch {
		case found:
			return answer{receipt: receipt, found: true}
		case err == nil && a.stale, a.over && (err == nil || notifiers.IsPermanent(err)):
			return answer{untold: true}
		case err == nil:
			out.unclear = false
		case !page && (!notifiers.IsPermanent(err) || !a.row.RefusedAt.IsZero()):
			out.err = fmt.Errorf("look for an earlier attempt: %w", err)
			return out
		}
		if err != nil {
			out.blind = bounded(err.Error())
		}
		// A page is rather said twice than not at all, and so is what can never be looked for, unless it is refused itself: what has
		// a token revoked may take it back between the look and the sending.
	}
	if a.over {
		return answer{untold: true}
	}
	if a.adopt {
		switch found, err := o.earlier(ctx, a); {
		case found.Receipt != "":
			a.notice.Parent, a.notice.Rings, out.adopted = found.Receipt, false, true
		case err != nil && !notifiers.IsPermanent(err) && a.row.Attempts < 3:
			out.err = fmt.Errorf("look for an earlier life's message: %w", err)
			return out
		}
	}
	o.nameOncall(ctx, a)
	out.err = guard(func() (err error) {
		now := time.Now()
		if end, ok := ctx.Deadline(); ok && !now.Before(end) || !now.Before(a.until) {
			return errLate
		}
		out.receipt, err = a.target.Notifier.Send(ctx, a.notice)
		return err
	})
	if out.err != nil {
		out.unclear = out.unclear || !isClear(out.err)
	}
	if out.err != nil && out.blind != "" {
		out.err = fmt.Errorf("%w; an earlier attempt may have arrived, and cannot be looked for: %s", out.err, out.blind)
	}
	return out
}

// nameOncall says in a message who is on call while nobody has the incident.
func (o *Outbox) nameOncall(ctx context.Context, a *attempt) {
	if o.o.Oncall == nil || a.row.Kind != incident.Message || a.notice.Incident.State != incident.Open {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	a.notice.Oncall = o.o.Oncall(ctx, &a.notice.Incident, a.notice.Now)
}

// find asks the provider for an earlier attempt, leaving time to send.
func (o *Outbox) find(ctx context.Context, a *attempt) (receipt string, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.o.Deadline/2)
	defer cancel()
	err = guard(func() (err error) {
		receipt, found, err = a.target.finder(&a.row).Find(ctx, a.notice)
		return err
	})
	return receipt, found && err == nil, err
}

// preview is what the notifier would say.
func preview(a *attempt) (text string) {
	err := guard(func() error {
		text = a.target.Notifier.Preview(a.notice)
		return nil
	})
	if err != nil {
		return err.Error()
	}
	return text
}

// guard makes a notifier's panic an error: it must not stop every other notification.
func guard(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the notifier panicked: %v", p)
		}
	}()
	return do()
}

// backoff is how long to wait after so many attempts, an answer of which is not known.
func backoff(kind incident.NotificationKind, attempts int) time.Duration {
	longest := 5 * time.Minute
	if kind == incident.Call {
		longest = 30 * time.Second
	}
	return min(longest, time.Second<<min(max(attempts-1, 0), 20))
}
