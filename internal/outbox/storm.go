package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// The bounds of how often a receiver is paged: mostPages in a minute, by themselves; what comes beyond is rolled into a storm's page,
// which waits gather for the others, and rings again for those that came after it stormAgain later at the earliest.
const (
	mostPages  = 5
	gather     = 10 * time.Second
	stormAgain = 5 * time.Minute
)

// stormTrouble is the kind of the trouble of tocsin's own that tells of a storm.
const stormTrouble = "storm"

// pages is the bucket of a receiver's pages, in the terms of a provider's.
func pages(target string) notifiers.Limits {
	return notifiers.Limits{Bucket: "pages " + target, Every: time.Minute / mostPages, Burst: mostPages}
}

// counts says whether a row is one of the pages that its receiver has only so many of: one that was tried already goes on by itself, and
// so does a storm's.
func (c *claimer) counts(n *incident.Notification) bool {
	return c.calls(n) && n.Attempts == 0 && !c.incidents[n.Incident].IsStorm()
}

// rolled says whether a page is rolled into a storm, and does so: its receiver has had as many as it can take.
func (c *claimer) rolled(ctx context.Context, n *incident.Notification) (bool, error) {
	if !c.counts(n) {
		return false, nil
	}
	l := pages(n.Target)
	h, err := c.hold(ctx, l.Bucket)
	if err != nil || !c.free(h, l).After(c.now) {
		return false, err
	}
	return true, c.join(ctx, n, h)
}

// join rolls a page into the receiver's storm: the one that nobody has acknowledged, else a new one.
func (c *claimer) join(ctx context.Context, n *incident.Notification, h *store.Hold) error {
	inc := c.incidents[n.Incident]
	storm, err := c.stormOf(ctx, n, h)
	if err != nil {
		return err
	}
	round, err := c.stormPage(ctx, storm, n.Target, inc.Severity > storm.PagedSeverity)
	if err != nil {
		return err
	}
	if err := c.tx.AddStormMember(ctx, storm.ID, store.StormMember{Incident: inc.ID, Round: round}); err != nil {
		return err
	}
	if inc.Severity > storm.Severity {
		storm.Severity = inc.Severity
		if err := c.tx.SaveIncident(ctx, storm); err != nil {
			return err
		}
	}
	for i := range c.rows[n.Incident] { // with a message goes what waits to be said under it
		r := &c.rows[n.Incident][i]
		under := n.Kind == incident.Message && r.Kind == incident.Post && r.Target == n.Target && r.State == incident.Pending
		if r.ID != n.ID && !under {
			continue
		}
		r.State, r.Cause = incident.Cancelled, incident.StormCause(storm.ID)
		if err := c.tx.SaveNotification(ctx, r); err != nil {
			return err
		}
	}
	return c.tx.AppendEvent(ctx, &incident.Event{Incident: inc.ID, At: c.now, Kind: incident.EventSent,
		Text: fmt.Sprintf("%s is said by that of storm %s: more than %d in a minute", name(n), storm.ID, mostPages)})
}

func (c *claimer) stormOf(ctx context.Context, n *incident.Notification, h *store.Hold) (*incident.Incident, error) {
	if h.Storm != "" {
		err := c.load(ctx, h.Storm)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if storm := c.incidents[h.Storm]; err == nil && storm.State == incident.Open {
			return storm, nil
		}
	}
	storm := incident.NewStorm(c.now, n.Target, n.Incident, c.incidents[n.Incident].Severity)
	text := fmt.Sprintf("more than %d pages to %s in a minute: the others are rolled into one", mostPages, n.Target)
	if err := c.tx.SaveIncident(ctx, &storm); err != nil {
		return nil, err
	}
	if err := c.tx.AppendEvent(ctx, &incident.Event{Incident: storm.ID, At: c.now, Kind: incident.EventOpened, Text: text}); err != nil {
		return nil, err
	}
	err := c.tx.Report(ctx, store.Trouble{Kind: stormTrouble, At: c.now, Labels: map[string]string{"receiver": n.Target}, Text: text})
	if err != nil {
		return nil, err
	}
	h.Storm = storm.ID
	if err := c.tx.SaveHold(ctx, *h); err != nil {
		return nil, err
	}
	return &storm, nil
}

// stormPage is the round of a storm's page that will name who joins now: one that surely told nobody yet, else a new one. worse says that
// no page of it has rung for anything as severe: that does not wait for the storm's next time. A page is made as of that time: only
// behind it is it late.
func (c *claimer) stormPage(ctx context.Context, storm *incident.Incident, target string, worse bool) (round int, err error) {
	rows, err := c.tx.Notifications(ctx, storm.ID)
	if err != nil {
		return 0, err
	}
	soon := c.now.Add(gather)
	due := soon
	for i := range rows {
		r := &rows[i]
		if r.Kind != incident.Call || r.Target != target {
			continue
		}
		if r.State == incident.Pending && !r.Unclear {
			if worse && r.Attempts == 0 && r.CreatedAt.After(soon) {
				r.CreatedAt, r.Due = soon, soon
				err = c.tx.SaveNotification(ctx, r)
			}
			return r.Round, err
		}
		if again := later(r.SentAt, r.CreatedAt).Add(stormAgain); r.State != incident.Cancelled && !worse {
			due = later(due, again)
		}
	}
	storm.Round++
	if err := c.tx.SaveIncident(ctx, storm); err != nil {
		return 0, err
	}
	_, err = c.tx.AddNotification(ctx, &incident.Notification{Incident: storm.ID, Target: target, Kind: incident.Call, Round: storm.Round,
		Key: storm.CallKey(storm.Round), Reason: incident.ReasonOpened, Rings: true, CreatedAt: due, Due: due})
	return storm.Round, err
}

// entitle brings a storm's title up to date before its page goes out: how many are wrong now, and the worst of them. quiet says that none
// is left that nobody has and nothing holds.
func (c *claimer) entitle(ctx context.Context, storm *incident.Incident) (quiet bool, err error) {
	members, err := c.tx.StormMembers(ctx, storm.ID)
	if err != nil {
		return false, err
	}
	members = slices.DeleteFunc(members, func(m store.StormMember) bool { return m.State != incident.Open || m.Muzzled })
	if len(members) == 0 {
		return true, nil
	}
	slices.SortStableFunc(members, func(a, b store.StormMember) int { return cmp.Compare(b.Severity, a.Severity) })
	storm.PagedSeverity = max(storm.PagedSeverity, members[0].Severity)
	titles := make([]string, len(members))
	for i, m := range members {
		titles[i] = m.Title
	}
	if title := incident.StormTitle(titles); title != storm.Title {
		storm.Title, storm.UpdatedAt = title, c.now
		storm.Revision++
	}
	return false, c.tx.SaveIncident(ctx, storm)
}
