package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/incident"
)

var notificationColumns = columns{
	"incident", "target", "kind", "round", "key", "reason", "event", "text", "mention", "rings", "wanted", "sent_revision", "state", "cause",
	"created_at", "due", "epoch", "deadline", "attempts", "unclear", "refused_at", "sent_at", "receipt", "last_error",
}

// elsewhere is that the life of an attempt still lasts, and is another process's.
const elsewhere = "EXISTS (SELECT 1 FROM lives WHERE lives.epoch = notifications.epoch AND " + alive + ")"

// settling is an attempt that nobody will finish: its process is gone, or its time is over. $1 is now, $2 our epoch.
const settling = "state = 'inflight' AND (epoch <> $2 AND NOT " + elsewhere + " OR deadline IS NULL OR deadline <= $1)"

// urgent is what calls somebody: a page, or a post that rings. turn is the order in which what is due at one target goes out: what
// calls, what tells a pager of it, new messages, posts, edits.
const (
	urgent = "(kind = 'call' OR kind = 'post' AND rings)"
	turn   = "CASE WHEN " + urgent + " THEN 0 WHEN kind IN ('call_acknowledge', 'call_resolve') THEN 1 " +
		"WHEN kind = 'message' AND receipt = '' THEN 2 WHEN kind = 'post' THEN 3 ELSE 4 END"
)

var (
	selectNotifications       = "SELECT id, " + notificationColumns.list() + " FROM notifications"
	selectNotificationsOf     = selectNotifications + " WHERE incident = $1 ORDER BY id"
	selectNotificationsOfSome = selectNotifications + " WHERE incident IN (" + someList + ") ORDER BY id"
	selectNotification        = selectNotifications + " WHERE id = $1"
	selectDueAny              = selectNotifications + " WHERE state = 'pending' AND due <= $1 OR " + settling + " ORDER BY due, id LIMIT $3"
	selectDueTarget           = selectNotifications + " WHERE state = 'pending' AND target = $4 AND due <= $1 OR target = $4 AND " + settling +
		" ORDER BY " + turn + ", CASE WHEN " + urgent + " THEN incident ELSE '' END DESC, due, id LIMIT $3"
	selectNextAny    = "SELECT due FROM notifications WHERE state = 'pending' ORDER BY due LIMIT 1"
	selectNextTarget = "SELECT due FROM notifications WHERE state = 'pending' AND target = $1 ORDER BY due LIMIT 1"
	// A row in flight is due when its call can no longer be on its way; one of an earlier life is due now.
	selectNextSettle = "SELECT CASE WHEN epoch <> $1 AND NOT " + elsewhere + " OR deadline IS NULL THEN due ELSE deadline END AS next FROM notifications " +
		"WHERE state = 'inflight' AND ($2 = '' OR target = $2) ORDER BY next LIMIT 1"
	selectUnsettled = selectNotifications + " WHERE kind = 'call' AND (state IN ('sent', 'inflight') OR state = 'pending' AND attempts > 0) AND " +
		ofIncident("IN ('open', 'acknowledged')") + " ORDER BY id"
	selectUnheard = selectNotifications + " WHERE state IN ('pending', 'inflight') AND kind = 'call' AND target <> $1 AND " +
		ofIncident("= 'open'") + " AND NOT EXISTS (SELECT 1 FROM notifications f WHERE " +
		"f.incident = notifications.incident AND f.round = notifications.round AND f.kind = 'call' AND f.target = $1) ORDER BY created_at, id"
	// What a step of a policy says in a thread; what it says at $1 in its place names the same event.
	unheardPost        = " WHERE state IN ('pending', 'inflight') AND kind = 'post' AND rings AND reason IN ('escalated', 'repeated') AND " + ofIncident("= 'open'")
	selectUnheardPosts = selectNotifications + unheardPost + " AND target <> $1 AND NOT EXISTS (SELECT 1 FROM notifications f WHERE " +
		"f.incident = notifications.incident AND f.event = notifications.event AND f.target = $1) ORDER BY created_at, id"
	selectWaitingPost = "SELECT id FROM notifications" + unheardPost + " AND target = $1 AND created_at <= $2 LIMIT 1"
	selectWaitingCall = "SELECT id FROM notifications WHERE state IN ('pending', 'inflight') AND kind = 'call' AND target = $1 AND created_at <= $2 AND " +
		ofIncident("= 'open'") + " LIMIT 1"
	selectUntold = selectNotifications + " WHERE state = 'pending' AND target = $1 AND kind = 'message' AND receipt = '' AND sent_at IS NULL AND " +
		ofIncident("= 'resolved'") + " ORDER BY created_at, id"
	insertNotification = "INSERT INTO notifications (" + notificationColumns.list() + ") VALUES (" + notificationColumns.values() +
		") ON CONFLICT (incident, round, kind, target, event, key) DO NOTHING RETURNING id"
	updateNotification = "UPDATE notifications SET " +
		notificationColumns.assign(0, func(_ string, n int) string { return fmt.Sprintf("$%d", n) }) +
		fmt.Sprintf(" WHERE id = $%d", len(notificationColumns)+1)
)

// ofIncident is a condition on the state of a notification's incident. It is asked of each row: a list of all incidents in that state
// would be made anew whenever one row is to be looked at.
func ofIncident(state string) string {
	return "EXISTS (SELECT 1 FROM incidents i WHERE i.id = notifications.incident AND i.state " + state + ")"
}

func scanNotification(r row, n *incident.Notification) error {
	return r.Scan(&n.ID, &n.Incident, &n.Target, (*string)(&n.Kind), &n.Round, &n.Key, (*string)(&n.Reason), &n.Event, &n.Text,
		nestedInto{&n.Mention}, &n.Rings, &n.Wanted, &n.SentRevision, (*string)(&n.State), &n.Cause, stampInto{&n.CreatedAt},
		stampInto{&n.Due}, &n.Epoch, stampInto{&n.Deadline}, &n.Attempts, &n.Unclear, stampInto{&n.RefusedAt}, stampInto{&n.SentAt},
		&n.Receipt, &n.LastError)
}

// notificationValues are the values of notificationColumns. A row without a due time would wait for ever: it is due when it
// was made.
func notificationValues(n *incident.Notification) ([]any, error) {
	if n.Due.IsZero() {
		n.Due = n.CreatedAt
	}
	mention, err := nested(n.Mention, len(n.Mention) == 0)
	if err != nil {
		return nil, err
	}
	return []any{n.Incident, n.Target, string(n.Kind), n.Round, n.Key, string(n.Reason), n.Event, n.Text, mention, n.Rings, n.Wanted,
		n.SentRevision, string(n.State), n.Cause, stamp(n.CreatedAt), bound(n.Due, earliest), n.Epoch, stamp(n.Deadline), n.Attempts,
		n.Unclear, stamp(n.RefusedAt), stamp(n.SentAt), n.Receipt, n.LastError}, nil
}

// Notifications are the outbox rows of an incident, oldest first.
func (tx *Tx) Notifications(ctx context.Context, incidentID string) ([]incident.Notification, error) {
	all, err := list(ctx, tx, scanNotification, selectNotificationsOf, incidentID)
	if err != nil {
		return nil, fmt.Errorf("read notifications of incident %s: %w", incidentID, err)
	}
	return all, nil
}

// NotificationsOf are the outbox rows of some incidents, by incident, oldest first.
func (tx *Tx) NotificationsOf(ctx context.Context, incidents []string) (map[string][]incident.Notification, error) {
	all, err := ofSome(ctx, tx, scanNotification, selectNotificationsOfSome, incidents)
	if err != nil {
		return nil, fmt.Errorf("read notifications of %d incidents: %w", len(incidents), err)
	}
	out := make(map[string][]incident.Notification, len(incidents))
	for _, n := range all {
		out[n.Incident] = append(out[n.Incident], n)
	}
	return out, nil
}

// Notification is the outbox row of that id.
func (tx *Tx) Notification(ctx context.Context, id int64) (incident.Notification, error) {
	n, ok, err := first(ctx, tx, scanNotification, selectNotification, id)
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return n, fmt.Errorf("notification %d: %w", id, err)
	}
	return n, nil
}

// AddNotification adds a row to the outbox unless the same one (incident, round, kind, target, event, key) is there, which
// then stays as it is. n.ID is set to the row's in both cases. A row without a state is pending.
func (tx *Tx) AddNotification(ctx context.Context, n *incident.Notification) (added bool, err error) {
	if n.State == "" {
		n.State = incident.Pending
	}
	added, err = tx.addNotification(ctx, n)
	if err != nil {
		return false, fmt.Errorf("add %s for %s to incident %s: %w", n.Kind, n.Target, n.Incident, err)
	}
	return added, nil
}

func (tx *Tx) addNotification(ctx context.Context, n *incident.Notification) (bool, error) {
	values, err := notificationValues(n)
	if err != nil {
		return false, err
	}
	id, added, err := tx.inserted(ctx, insertNotification, values...)
	if err == nil && !added {
		id, _, err = first(ctx, tx, func(r row, id *int64) error { return r.Scan(id) },
			"SELECT id FROM notifications WHERE incident = $1 AND round = $2 AND kind = $3 AND target = $4 AND event = $5 AND key = $6",
			n.Incident, n.Round, string(n.Kind), n.Target, n.Event, n.Key)
	}
	if err != nil {
		return false, err
	}
	n.ID = id
	if added && n.State == incident.Pending {
		tx.waits(n.Target)
	}
	return added, nil
}

// SaveNotification rewrites the row of n.ID.
func (tx *Tx) SaveNotification(ctx context.Context, n *incident.Notification) error {
	values, err := notificationValues(n)
	if err == nil {
		var changed int64
		changed, err = tx.exec(ctx, updateNotification, append(values, n.ID)...)
		if err == nil && changed == 0 {
			err = ErrNotFound
		}
	}
	if err != nil {
		return fmt.Errorf("save notification %d: %w", n.ID, err)
	}
	if n.State == incident.Pending {
		tx.waits(n.Target)
	}
	return nil
}

// DueNotifications are at most limit rows (0: all) of a target ("": of any) that are to be worked on at until: pending ones
// that are due, and those in flight whose attempt nobody will finish, of an earlier epoch or past their deadline. The
// earliest due first, then by id.
func (tx *Tx) DueNotifications(ctx context.Context, until time.Time, target string, limit int) ([]incident.Notification, error) {
	text, args := selectDueAny, []any{stamp(until), tx.s.Epoch(), most(limit)}
	if target != "" {
		text, args = selectDueTarget, append(args, target)
	}
	all, err := list(ctx, tx, scanNotification, text, args...)
	if err != nil {
		return nil, fmt.Errorf("read due notifications: %w", err)
	}
	return all, nil
}

// NextNotificationDue is when DueNotifications will have a row for the target ("": for any); zero when none waits. It may be
// long ago.
func (tx *Tx) NextNotificationDue(ctx context.Context, target string) (time.Time, error) {
	text, args := selectNextAny, []any(nil)
	if target != "" {
		text, args = selectNextTarget, []any{target}
	}
	pending, err1 := tx.least(ctx, text, args...)
	settle, err2 := tx.least(ctx, selectNextSettle, tx.s.Epoch(), target)
	if err := errors.Join(err1, err2); err != nil {
		return time.Time{}, fmt.Errorf("read next due notification: %w", err)
	}
	if pending.IsZero() || !settle.IsZero() && settle.Before(pending) {
		return settle, nil
	}
	return pending, nil
}

// DelayNotifications puts off pending rows of a target that are due before until, until then: those that call somebody (pages, posts
// that ring), or the others.
func (tx *Tx) DelayNotifications(ctx context.Context, target string, calls bool, until time.Time) error {
	which := "NOT " + urgent
	if calls {
		which = urgent
	}
	_, err := tx.exec(ctx, "UPDATE notifications SET due = $2 WHERE state = 'pending' AND target = $1 AND due < $2 AND "+which, target, stamp(until))
	if err != nil {
		return fmt.Errorf("put off notifications for %s: %w", target, err)
	}
	return nil
}

// Hastening says which of the notifications that a target refused for good are tried again, once it takes something.
type Hastening struct {
	// Since: those that were refused first at that time or later.
	Since time.Time
	// Pause is how long after an attempt's deadline at the earliest.
	Pause time.Duration
}

// HastenNotifications lets what waits at a target be tried at now, because the target takes again what it is sent. What may still be on
// its way waits until it cannot be, a page that was not tried yet for what it waits for.
func (tx *Tx) HastenNotifications(ctx context.Context, target string, now time.Time, refused Hastening) error {
	const waits = " WHERE state = 'pending' AND target = $1 AND due > $2 AND (attempts > 0 OR kind <> 'call')"
	const at = "CASE WHEN deadline IS NULL OR deadline + $3 <= $2 THEN $2 ELSE deadline + $3 END"
	_, err1 := tx.exec(ctx, "UPDATE notifications SET due = $2"+waits+" AND refused_at IS NULL AND (NOT unclear OR deadline IS NULL OR deadline <= $2)", target, stamp(now))
	_, err2 := tx.exec(ctx, "UPDATE notifications SET due = "+at+waits+" AND refused_at >= $4 AND due > "+at+" AND (NOT unclear OR deadline IS NULL OR deadline <= $2)",
		target, stamp(now), int64(refused.Pause), bound(refused.Since, earliest))
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("hasten notifications for %s: %w", target, err)
	}
	tx.waits(target)
	return nil
}

// Refused says whether another row than that of id waits at a target because it was refused for good.
func (tx *Tx) Refused(ctx context.Context, target string, id int64) (bool, error) {
	_, found, err := first(ctx, tx, func(r row, id *int64) error { return r.Scan(id) },
		"SELECT id FROM notifications WHERE state = 'pending' AND target = $1 AND refused_at IS NOT NULL AND id <> $2 LIMIT 1", target, id)
	if err != nil {
		return false, fmt.Errorf("read what %s refused: %w", target, err)
	}
	return found, nil
}

// UntoldMessages are the messages to a target of which none is known to have arrived, and whose incident is resolved meanwhile. Oldest
// first.
func (tx *Tx) UntoldMessages(ctx context.Context, target string) ([]incident.Notification, error) {
	all, err := list(ctx, tx, scanNotification, selectUntold, target)
	if err != nil {
		return nil, fmt.Errorf("read untold messages for %s: %w", target, err)
	}
	return all, nil
}

// UnsettledCalls are the calls that were sent or may be on their way, of incidents that are open or acknowledged: what a pager
// is asked about. Oldest first.
func (tx *Tx) UnsettledCalls(ctx context.Context) ([]incident.Notification, error) {
	all, err := list(ctx, tx, scanNotification, selectUnsettled)
	if err != nil {
		return nil, fmt.Errorf("read unsettled calls: %w", err)
	}
	return all, nil
}

// UnheardCalls are the calls of open incidents, at other targets than fallback, that no provider has accepted yet and for
// which fallback was not called in the same round. Oldest first.
func (tx *Tx) UnheardCalls(ctx context.Context, fallback string) ([]incident.Notification, error) {
	all, err := list(ctx, tx, scanNotification, selectUnheard, fallback)
	if err != nil {
		return nil, fmt.Errorf("read unheard calls: %w", err)
	}
	return all, nil
}

// UnheardPosts are the posts of open incidents, at other targets than fallback, by which a step of a policy calls somebody, that no
// provider has accepted yet, and that fallback does not say in their place. Oldest first.
func (tx *Tx) UnheardPosts(ctx context.Context, fallback string) ([]incident.Notification, error) {
	all, err := list(ctx, tx, scanNotification, selectUnheardPosts, fallback)
	if err != nil {
		return nil, fmt.Errorf("read unheard posts: %w", err)
	}
	return all, nil
}

// CallWaits says whether a call of an open incident, or a post by which a step of its policy calls somebody, that was made until then
// waits at a target for its provider to accept it.
func (tx *Tx) CallWaits(ctx context.Context, target string, until time.Time) (bool, error) {
	for _, text := range []string{selectWaitingCall, selectWaitingPost} {
		_, found, err := first(ctx, tx, func(r row, id *int64) error { return r.Scan(id) }, text, target, stamp(until))
		if err != nil {
			return false, fmt.Errorf("read calls that wait at %s: %w", target, err)
		}
		if found {
			return true, nil
		}
	}
	return false, nil
}

// ToldElsewhere says whether another row than that of id, one that was tried, has the pager's key, or the receipt: what a provider shows
// under it is then this store's own and of no earlier life.
func (tx *Tx) ToldElsewhere(ctx context.Context, id int64, key, receipt string) (bool, error) {
	_, found, err := first(ctx, tx, func(r row, id *int64) error { return r.Scan(id) },
		"SELECT id FROM notifications WHERE id <> $1 AND (attempts > 0 OR sent_at IS NOT NULL) AND (kind = 'call' AND key = $2 AND $2 <> '' OR receipt = $3 AND $3 <> '') LIMIT 1", id, key, receipt)
	if err != nil {
		return false, fmt.Errorf("read whose receipt %s is: %w", receipt, err)
	}
	return found, nil
}

// WaitingTargets are the targets that have a row that is not yet sent or cancelled, by name.
func (tx *Tx) WaitingTargets(ctx context.Context) ([]string, error) {
	all, err := list(ctx, tx, func(r row, s *string) error { return r.Scan(s) },
		"SELECT DISTINCT target FROM notifications WHERE state IN ('pending', 'inflight') ORDER BY target")
	if err != nil {
		return nil, fmt.Errorf("read waiting targets: %w", err)
	}
	return all, nil
}

// CountNotifications counts the outbox rows by state.
func (tx *Tx) CountNotifications(ctx context.Context) (map[incident.NotificationState]int, error) {
	counts := map[incident.NotificationState]int{}
	_, err := list(ctx, tx, func(r row, _ *struct{}) error {
		var state incident.NotificationState
		var n int
		err := r.Scan((*string)(&state), &n)
		counts[state] = n
		return err
	}, "SELECT state, count(*) FROM notifications GROUP BY state")
	if err != nil {
		return nil, fmt.Errorf("count notifications: %w", err)
	}
	return counts, nil
}
