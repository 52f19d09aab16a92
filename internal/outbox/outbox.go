// Package outbox is step 3: due rows of the outbox go to the notifiers. A row is claimed in one transaction, the provider is
// called in none, and the answer is marked in another: so a crash at any moment leaves either a row that was not tried or one in
// flight, which the next life settles. A page is sent again under its own key until a provider accepts it, however long that
// takes; a message, whose provider knows no keys, is first looked for.
package outbox

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// Target is a receiver that notifications go to.
type Target struct {
	Notifier notifiers.Notifier
	Traits   notifiers.Traits
}

// Options are the settings of an outbox.
type Options struct {
	// Targets are the receivers by name.
	Targets map[string]Target
	// People are those who may be mentioned, by name.
	People map[string]notifiers.Person
	// URL is the address of an incident's page; may be nil.
	URL func(incidentID string) string
	// Oncall names who is on call for an incident now; nil: no message says it. It is asked within a second, outside of any transaction.
	Oncall func(ctx context.Context, inc *incident.Incident, now time.Time) []string
	// Fallback is the receiver that hears when a page is not accepted within a minute; empty for none.
	Fallback string
	// Deadline is how long one attempt may take; 0 means 10 s.
	Deadline time.Duration
	// Strangers says whether rows for receivers that are not among Targets are this outbox's to refuse; nil: they are. Of several
	// processes that get a new configuration one after the other, only one that also makes rows may say that a receiver is gone.
	Strangers func() bool
	// Failpoint, if set, is called with "outbox.claimed", "outbox.sent" (the answer is in and not marked) and "outbox.marked":
	// tests kill the process there.
	Failpoint func(name string)
	// Told, if set, is called after a row was marked sent, with the notice as it went out and the notifier's preview of it. What
	// an earlier life had told and this one only found is not told again.
	Told func(now time.Time, n notifiers.Notice, text string)
	// Log hears of attempts that failed; nil: nobody does.
	Log *slog.Logger
}

// The times that decide how long a row waits.
const (
	// unheardAfter is how long a page may go unaccepted until the fallback hears of it.
	unheardAfter = time.Minute
	// refusedEvery is how often what was refused for good is tried again all the same, refusedFor for how long, pages aside.
	refusedEvery = 5 * time.Minute
	refusedFor   = 24 * time.Hour
	// refusedAgain is how long after an attempt what was refused is tried again, once its receiver takes something else.
	refusedAgain = time.Minute
	// longestLater bounds how long a provider may ask to be left alone, longestCallLater for what calls somebody.
	longestLater     = time.Hour
	longestCallLater = time.Minute
	// lookEvery is how often it is looked whether what others are sending has been sent.
	lookEvery = time.Second
	// young is the age of a store up to which an earlier life's messages are looked for.
	young = time.Hour
)

// batch is how many due rows are looked at to find one that can go out.
const batch = 32

// Outbox sends what is due. It keeps nothing in memory that matters: several may work on one store, each on targets of its own.
type Outbox struct {
	store *store.Store
	o     Options

	mu sync.Mutex
	// asked are the incidents, with their targets, of which a pager was asked what an earlier life has left open, deaf until when one is
	// not to be; of the first hour only.
	asked map[string]bool
	deaf  map[string]time.Time
}

// New makes an outbox for a store.
func New(s *store.Store, o Options) *Outbox {
	if o.Deadline <= 0 {
		o.Deadline = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Failpoint == nil {
		o.Failpoint = func(string) {}
	}
	return &Outbox{store: s, o: o}
}

// Step makes at most one attempt of what is due at now, for all targets. Next is when there is more to do: now if something is
// due already, zero if nothing waits. When ctx ends an attempt that was begun is finished and marked all the same. A provider's refusal is no error: it is in the row. An error is the store's, or ctx's.
func (o *Outbox) Step(ctx context.Context, now time.Time) (next time.Time, err error) {
	return o.step(ctx, now, "")
}

// StepTarget is Step for one target alone, so that one that is slow holds up nobody else. That of the fallback (or, without
// one, of the first target by name) also does what belongs to none: the second path of pages that nobody accepts, and rows for
// receivers that are no longer there.
func (o *Outbox) StepTarget(ctx context.Context, now time.Time, target string) (next time.Time, err error) {
	return o.step(ctx, now, target)
}

func (o *Outbox) step(ctx context.Context, now time.Time, target string) (time.Time, error) {
	next, err := o.next(ctx, now, target)
	if err != nil || next.IsZero() || next.After(now) {
		return next, err
	}
	// The attempt's time runs from before its claim, as its row's deadline does: after a pause in between nothing is sent any more. The
	// end of ctx does not cut it: what is cut may have arrived, and nobody would know.
	attempting, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.o.Deadline)
	defer cancel()
	until := time.Now().Round(0).Add(o.o.Deadline) // in a machine that is suspended only the wall clock goes on
	a, err := o.claim(ctx, now, target)
	if err != nil {
		return time.Time{}, err
	}
	if a != nil {
		a.until = until
		o.o.Failpoint("outbox.claimed")
		answer := o.call(attempting, a)
		o.o.Failpoint("outbox.sent")
		// The answer is marked even when ctx has ended meanwhile: else the next life would have to ask again.
		marked, err := o.mark(context.WithoutCancel(ctx), now, a, answer)
		if err != nil {
			return time.Time{}, err
		}
		if answer.asked && marked {
			o.isAsked(now, &a.row, answer.answered)
		}
		o.o.Failpoint("outbox.marked")
		o.report(now, a, answer, marked)
	}
	return o.next(ctx, now, target)
}

// isCall says whether a row calls somebody: a page, or a post that rings.
func isCall(n *incident.Notification) bool {
	return n.Kind == incident.Call || n.Kind == incident.Post && n.Rings
}

// report says what came of an attempt.
func (o *Outbox) report(now time.Time, a *attempt, answer answer, marked bool) {
	silent := answer.found || answer.untold || answer.asked || isRefresh(&a.row, a.revision) // nothing was said by this attempt
	switch {
	case answer.err != nil:
		o.o.Log.Warn("notification not accepted", "target", a.row.Target, "kind", string(a.row.Kind), "incident", a.row.Incident,
			"attempt", a.row.Attempts, "error", answer.err)
	case o.o.Told != nil && marked && !silent:
		o.o.Told(now, a.notice, preview(a))
	}
}

// next is when step has something to do, and not before now.
func (o *Outbox) next(ctx context.Context, now time.Time, target string) (next time.Time, err error) {
	earliest := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	err = o.store.View(ctx, func(tx *store.Tx) error {
		next = time.Time{}
		served, err := o.served(ctx, tx, target)
		if err != nil {
			return err
		}
		for _, t := range served {
			due, err := tx.NextNotificationDue(ctx, t)
			if err != nil {
				return err
			}
			earliest(due)
		}
		if !o.keeps(target) {
			return nil
		}
		calls, err := o.unheard(ctx, tx)
		if len(calls) > 0 {
			earliest(calls[0].CreatedAt.Add(unheardAfter))
		}
		if err != nil {
			return err
		}
		heard, err := o.heard(ctx, tx, now)
		if len(heard) > 0 {
			earliest(now)
		}
		return err
	})
	if !next.IsZero() && next.Before(now) {
		next = now
	}
	return next, err
}

// served are the targets that a step for target works on; "" stands for all.
func (o *Outbox) served(ctx context.Context, tx *store.Tx, target string) ([]string, error) {
	if target == "" || !o.keeps(target) || o.o.Strangers != nil && !o.o.Strangers() {
		return []string{target}, nil
	}
	waiting, err := tx.WaitingTargets(ctx)
	served := []string{target}
	for _, t := range waiting {
		if _, known := o.o.Targets[t]; !known {
			served = append(served, t)
		}
	}
	return served, err
}

// keeps says whether a step for target also does what belongs to no target.
func (o *Outbox) keeps(target string) bool { return target == "" || target == o.keeper() }

// keeper is the target whose steps do what belongs to no target.
func (o *Outbox) keeper() string {
	if o.o.Fallback != "" {
		return o.o.Fallback
	}
	least := ""
	for t := range o.o.Targets {
		if least == "" || t < least {
			least = t
		}
	}
	return least
}

// isPager says whether a row is a call that a pager rings for, or tells a pager of one: repeated under its key it does no harm.
func (t Target) isPager(n *incident.Notification) bool {
	return t.Traits.Pages && slices.Contains([]incident.NotificationKind{incident.Call, incident.CallAcknowledge, incident.CallResolve}, n.Kind)
}

// finder is what can look for an earlier attempt at a row, or nil: either the provider cannot be asked, or it need not.
func (t Target) finder(n *incident.Notification) notifiers.Finder {
	if t.isPager(n) {
		return nil
	}
	f, _ := t.Notifier.(notifiers.Finder)
	return f
}

// every is how often what is said of an incident is to be said anew, because the provider forgets it; 0 for never.
func (t Target) every(inc *incident.Incident) time.Duration {
	r, ok := t.Notifier.(notifiers.Refresher)
	if !ok || inc.State != incident.Open && inc.State != incident.Acknowledged {
		return 0
	}
	return r.Every()
}

// isRefresh says whether a row only says anew what its target was told.
func isRefresh(n *incident.Notification, revision int64) bool {
	return n.Kind == incident.Message && n.SentRevision > 0 && n.SentRevision >= revision
}
