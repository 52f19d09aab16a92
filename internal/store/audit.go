package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"tocsin/internal/incident"
)

// auditMost bounds what one check lists: a few are enough to say that it does not hold.
const auditMost = 20

// knownCause says that a call was cancelled for one of the causes for which it may be.
const knownCause = "(n.cause IN ('acknowledged', 'resolved', 'superseded', 'merged', 'held', 'operator') OR n.cause LIKE 'superseded by %')"

var (
	// selectOverdue finds incidents that are open, have a policy, and wait for nothing, or for what should have come.
	selectOverdue = "SELECT id FROM incidents WHERE state = 'open' AND policy <> '' AND (due IS NULL OR due < $1 OR escalation NOT LIKE '%\"next\":%') " +
		"ORDER BY opened_at, id LIMIT $2"
	// selectUncalled finds incidents for which a page was asked and no call is there. One that nobody needed any more is one.
	selectUncalled = "SELECT id FROM incidents i WHERE state = 'open' AND paged_severity <> '' AND NOT EXISTS " +
		"(SELECT 1 FROM notifications n WHERE n.incident = i.id AND n.kind = 'call') ORDER BY opened_at, id LIMIT $1"
	// selectMisended finds calls of open incidents that ended in no way in which a call may end.
	selectMisended = "SELECT n.id FROM notifications n JOIN incidents i ON i.id = n.incident WHERE i.state IN ('open', 'acknowledged') AND n.kind = 'call' AND (" +
		"n.state NOT IN ('pending', 'inflight', 'sent', 'cancelled') OR n.state = 'sent' AND n.sent_at IS NULL OR n.state = 'cancelled' AND NOT " + knownCause +
		") ORDER BY n.id LIMIT $1"
	selectOldestCall = "SELECT created_at FROM notifications WHERE kind = 'call' AND state IN ('pending', 'inflight') ORDER BY created_at, id LIMIT 1"
)

func scanID(r row, id *string) error { return r.Scan(id) }

// Overdue are incidents that are open and have an escalation policy, but no next step, or one that was due before a time: nobody
// would be called any more. At most 20, the oldest first.
func (tx *Tx) Overdue(ctx context.Context, before time.Time) ([]string, error) {
	return audited(list(ctx, tx, scanID, selectOverdue, stamp(before), auditMost))
}

// Uncalled are open incidents that say that somebody was paged for them, while no call says so. At most 20, the oldest first.
func (tx *Tx) Uncalled(ctx context.Context) ([]string, error) {
	return audited(list(ctx, tx, scanID, selectUncalled, auditMost))
}

// Misended are the ids of calls, of incidents that are open or acknowledged, that ended otherwise than sent or cancelled for a known
// cause. At most 20, the oldest first.
func (tx *Tx) Misended(ctx context.Context) ([]string, error) {
	return audited(list(ctx, tx, func(r row, id *string) error {
		var n int64
		err := r.Scan(&n)
		*id = strconv.FormatInt(n, 10)
		return err
	}, selectMisended, auditMost))
}

func audited(ids []string, err error) ([]string, error) {
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return ids, nil
}

// Untold are receivers of incidents that are open or acknowledged, each as incident and receiver, for which there is no notification
// of any kind, in any state. A pager has none until a policy calls it.
func (tx *Tx) Untold(ctx context.Context) ([]incident.Notification, error) {
	type told struct{ incident, target string }
	rows, err := list(ctx, tx, func(r row, t *told) error { return r.Scan(&t.incident, &t.target) },
		"SELECT DISTINCT n.incident, n.target FROM notifications n JOIN incidents i ON i.id = n.incident WHERE i.state IN ('open', 'acknowledged') AND i.receivers <> ''")
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	have := make(map[told]bool, len(rows))
	for _, t := range rows {
		have[t] = true
	}
	type open struct {
		id        string
		receivers []string
	}
	incidents, err := list(ctx, tx, func(r row, i *open) error { return r.Scan(&i.id, nestedInto{&i.receivers}) },
		"SELECT id, receivers FROM incidents WHERE state IN ('open', 'acknowledged') AND receivers <> '' ORDER BY opened_at, id")
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var out []incident.Notification
	for _, i := range incidents {
		for _, r := range i.receivers {
			if !have[told{i.id, r}] {
				out = append(out, incident.Notification{Incident: i.id, Target: r})
			}
		}
	}
	return out, nil
}

// OldestCall is when the oldest call was made that nobody has got yet; zero if there is none.
func (tx *Tx) OldestCall(ctx context.Context) (time.Time, error) {
	t, err := tx.least(ctx, selectOldestCall)
	if err != nil {
		return t, fmt.Errorf("read oldest call: %w", err)
	}
	return t, nil
}

// PendingByTarget counts, by receiver, the notifications that wait or are on their way.
func (tx *Tx) PendingByTarget(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	_, err := list(ctx, tx, func(r row, _ *struct{}) error {
		var target string
		var n int
		err := r.Scan(&target, &n)
		counts[target] = n
		return err
	}, "SELECT target, count(*) FROM notifications WHERE state IN ('pending', 'inflight') GROUP BY target")
	if err != nil {
		return nil, fmt.Errorf("count notifications by receiver: %w", err)
	}
	return counts, nil
}
