package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
)

var incidentColumns = columns{
	"id", "project", "cluster", "state", "severity", "title", "headline_rule", "headline_grp", "labels", "first_entry", "opened_at",
	"updated_at", "revision", "acknowledgement", "resolved_at", "resolved_by", "held_until", "merged_into", "receivers", "policy",
	"round", "escalation", "due", "paged_severity", "told", "holds", "apart",
}

// lively are the incidents that something may still join or open again. $2 is the earliest time of a resolve.
const lively = "(state IN ('open', 'acknowledged') OR state = 'resolved' AND resolved_at >= $2)"

var (
	selectIncidents      = "SELECT " + incidentColumns.list() + " FROM incidents"
	selectIncident       = selectIncidents + " WHERE id = $1"
	selectIncidentPrefix = selectIncidents + " WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 20"
	selectRelated        = selectIncidents + " WHERE project = $1 AND " + lively + " ORDER BY first_entry, id"
	// What of it is too old or of another project is left out by the reader: said here, it would lead the planner through all that are open.
	selectNear = selectIncidents + " WHERE id IN (SELECT id FROM incidents WHERE project = $1 AND cluster IN ($3, '') AND " + lively +
		" UNION SELECT incident FROM alerts WHERE rule = $4 AND grp = $5) ORDER BY first_entry, id"
	selectDueIncidents    = selectIncidents + " WHERE due IS NOT NULL AND due <= $1 ORDER BY due, id LIMIT $2"
	selectLastDue         = selectIncidents + " WHERE due IS NOT NULL AND due <= $1 ORDER BY due DESC, id DESC LIMIT $2"
	selectNextIncident    = "SELECT due FROM incidents WHERE due IS NOT NULL ORDER BY due LIMIT 1"
	selectIncidentsNewest = selectIncidents + " ORDER BY opened_at DESC, id DESC LIMIT $1"
	selectIncidentsAfter  = selectIncidents + " WHERE (opened_at, id) < ($2, $3) ORDER BY opened_at DESC, id DESC LIMIT $1"
	selectIncidentsState  = selectIncidents + " WHERE state IN ($4, $5, $6, $7) AND (opened_at, id) < ($2, $3) ORDER BY opened_at DESC, id DESC LIMIT $1"
	upsertIncident        = incidentColumns.upsert("incidents", "id")
)

func scanIncident(r row, i *incident.Incident) error {
	i.Labels = incident.Labels{}
	var ack incident.Acknowledgement
	err := r.Scan(&i.ID, &i.Project, &i.Cluster, (*string)(&i.State), severityInto{&i.Severity}, &i.Title, &i.Headline.Rule,
		&i.Headline.Group, nestedInto{&i.Labels}, stampInto{&i.FirstEntry}, stampInto{&i.OpenedAt}, stampInto{&i.UpdatedAt}, &i.Revision,
		nestedInto{&ack}, stampInto{&i.ResolvedAt}, &i.ResolvedBy, stampInto{&i.HeldUntil}, &i.MergedInto, nestedInto{&i.Receivers},
		&i.Policy, &i.Round, nestedInto{&i.Escalation}, stampInto{&i.Due}, severityInto{&i.PagedSeverity}, &i.Told, nestedInto{&i.Holds}, nestedInto{&i.Apart})
	if ack.By != "" || !ack.At.IsZero() {
		i.Acknowledgement = &ack
	}
	return err
}

// Incident is the incident of that id, with its alerts, oldest first.
func (tx *Tx) Incident(ctx context.Context, id string) (incident.Incident, error) {
	all, err := tx.incidents(ctx, selectIncident, id)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return incident.Incident{}, fmt.Errorf("incident %s: %w", id, err)
	}
	return all[0], nil
}

// FindIncident is the incident whose id begins with prefix, in any case: at least six characters unless it is the whole id.
// It wraps ErrAmbiguous, and says which, when several do.
func (tx *Tx) FindIncident(ctx context.Context, prefix string) (incident.Incident, error) {
	inc, err := tx.Incident(ctx, prefix)
	if !errors.Is(err, ErrNotFound) {
		return inc, err
	}
	if len(prefix) < 6 {
		return inc, fmt.Errorf("incident %s: %w: give at least the first 6 characters of its id", prefix, ErrNotFound)
	}
	from := strings.ToUpper(prefix)
	all, err := tx.incidents(ctx, selectIncidentPrefix, from, from+"~")
	switch {
	case err != nil:
		return inc, fmt.Errorf("incident %s: %w", prefix, err)
	case len(all) == 0:
		return inc, fmt.Errorf("incident %s: %w", prefix, ErrNotFound)
	case len(all) > 1:
		return inc, fmt.Errorf("incident %s: %w: %s; give more of the id", prefix, ErrAmbiguous, several(all))
	}
	return all[0], nil
}

// several names the incidents that a prefix fits, those first that are not over: it is one of these that is mostly meant.
func several(all []incident.Incident) string {
	const most, titled = 6, 60
	over := func(i incident.Incident) int {
		if i.State == incident.Open || i.State == incident.Acknowledged {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(all, func(a, b incident.Incident) int { return over(a) - over(b) })
	var names []string
	for _, i := range all[:min(len(all), most)] {
		title := i.Title
		if len(title) > titled {
			title = strings.ToValidUTF8(title[:titled], "") + "…"
		}
		names = append(names, fmt.Sprintf("%s (%s: %s)", i.ID, i.State, title))
	}
	text := strings.Join(names, ", ")
	if len(all) > most {
		text += " and others"
	}
	return text
}

// incidents reads incidents with their alerts.
func (tx *Tx) incidents(ctx context.Context, text string, args ...any) ([]incident.Incident, error) {
	all, err := list(ctx, tx, scanIncident, text, args...)
	if err != nil {
		return nil, err
	}
	if len(all) < someIDs/10 {
		for i := range all {
			if all[i].Alerts, err = list(ctx, tx, scanAlert, selectAlertsOf, all[i].ID); err != nil {
				return nil, fmt.Errorf("read alerts of %s: %w", all[i].ID, err)
			}
		}
		return all, nil
	}
	at := make(map[string]*incident.Incident, len(all))
	ids := make([]string, len(all))
	for i := range all {
		ids[i], at[all[i].ID] = all[i].ID, &all[i]
	}
	alerts, err := ofSome(ctx, tx, scanAlert, selectAlertsOfSome, ids)
	if err != nil {
		return nil, fmt.Errorf("read their alerts: %w", err)
	}
	for _, a := range alerts {
		at[a.Incident].Alerts = append(at[a.Incident].Alerts, a)
	}
	return all, nil
}

// Related are the incidents of a project that an alert may join or open again: those that are open or acknowledged, and those
// resolved at or after since; with their alerts, by the time of the first entry, then by id.
func (tx *Tx) Related(ctx context.Context, project string, since time.Time) ([]incident.Incident, error) {
	all, err := tx.incidents(ctx, selectRelated, project, bound(since, earliest))
	if err != nil {
		return nil, fmt.Errorf("read incidents of project %s: %w", project, err)
	}
	return all, nil
}

// Near are those of Related that an alert can concern: with thousands open, all but a few are of other clusters. Where one without
// cluster is among them, whose place depends on all others, they are all of Related.
func (tx *Tx) Near(ctx context.Context, a *incident.Alert, since time.Time) ([]incident.Incident, error) {
	project, cluster := a.Labels["project"], a.Labels["cluster"]
	if cluster == "" {
		return tx.Related(ctx, project, since)
	}
	all, err := tx.incidents(ctx, selectNear, project, bound(since, earliest), cluster, a.Rule, a.Group)
	if err != nil {
		return nil, fmt.Errorf("read incidents near rule %s: %w", a.Rule, err)
	}
	all = slices.DeleteFunc(all, func(inc incident.Incident) bool {
		return inc.Project != project || inc.State == incident.Merged || inc.State == incident.Resolved && inc.ResolvedAt.Before(since)
	})
	for i := range all {
		if all[i].Cluster == "" && all[i].State != incident.Resolved {
			return tx.Related(ctx, project, since)
		}
	}
	return all, nil
}

// bound is a time to compare with, instead where it is zero.
func bound(t, instead time.Time) any {
	if t.IsZero() {
		t = instead
	}
	return stamp(t)
}

// SaveIncident writes the incident and all its alerts; alerts that it no longer has are deleted.
func (tx *Tx) SaveIncident(ctx context.Context, inc *incident.Incident) error {
	if err := tx.saveIncident(ctx, inc); err != nil {
		return fmt.Errorf("save incident %s: %w", inc.ID, err)
	}
	return nil
}

func (tx *Tx) saveIncident(ctx context.Context, inc *incident.Incident) error {
	if inc.ID == "" {
		return errors.New("it has no id")
	}
	labels, err1 := nested(inc.Labels, len(inc.Labels) == 0)
	ack, err2 := nested(inc.Acknowledgement, inc.Acknowledgement == nil)
	receivers, err3 := nested(inc.Receivers, len(inc.Receivers) == 0)
	esc, err4 := nested(inc.Escalation, false)
	holds, err5 := nested(inc.Holds, len(inc.Holds) == 0)
	apart, err6 := nested(inc.Apart, len(inc.Apart) == 0)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return err
	}
	_, err := tx.exec(ctx, upsertIncident, inc.ID, inc.Project, inc.Cluster, string(inc.State), inc.Severity.String(), inc.Title,
		inc.Headline.Rule, inc.Headline.Group, labels, stamp(inc.FirstEntry), stamp(inc.OpenedAt), stamp(inc.UpdatedAt), inc.Revision, ack,
		stamp(inc.ResolvedAt), inc.ResolvedBy, stamp(inc.HeldUntil), inc.MergedInto, receivers, inc.Policy, inc.Round, esc, stamp(inc.Due),
		inc.PagedSeverity.String(), inc.Told, holds, apart)
	if err != nil {
		return err
	}
	tx.left.Steps = tx.left.Steps || !inc.Due.IsZero()
	keep := make(map[incident.Key]bool, len(inc.Alerts))
	for i := range inc.Alerts {
		keep[inc.Alerts[i].Key] = true
		if err := tx.saveAlert(ctx, inc.ID, &inc.Alerts[i]); err != nil {
			return err
		}
	}
	return tx.dropAlerts(ctx, inc.ID, keep)
}

// DueIncidents are at most limit incidents (0: all) for which something is due at until, the earliest first, then by id.
func (tx *Tx) DueIncidents(ctx context.Context, until time.Time, limit int) ([]incident.Incident, error) {
	all, err := tx.incidents(ctx, selectDueIncidents, stamp(until), most(limit))
	if err != nil {
		return nil, fmt.Errorf("read due incidents: %w", err)
	}
	return all, nil
}

// LastDueIncidents are at most limit incidents for which something is due at until, the latest first, then the latest id.
func (tx *Tx) LastDueIncidents(ctx context.Context, until time.Time, limit int) ([]incident.Incident, error) {
	all, err := tx.incidents(ctx, selectLastDue, stamp(until), limit)
	if err != nil {
		return nil, fmt.Errorf("read incidents due last: %w", err)
	}
	return all, nil
}

// RecheckOpen makes each incident that is open or acknowledged due at a time, if it is not before: it is then routed anew.
func (tx *Tx) RecheckOpen(ctx context.Context, at time.Time) error {
	_, err := tx.exec(ctx, "UPDATE incidents SET due = $1 WHERE state IN ('open', 'acknowledged') AND (due IS NULL OR due > $1)", stamp(at))
	if err != nil {
		return fmt.Errorf("make open incidents due: %w", err)
	}
	tx.left.Steps = true
	return nil
}

// recheck makes an incident due at a time, if it is not before: it is then routed anew.
func (tx *Tx) recheck(ctx context.Context, id string, at time.Time) error {
	if _, err := tx.exec(ctx, "UPDATE incidents SET due = $1 WHERE id = $2 AND (due IS NULL OR due > $1)", stamp(at), id); err != nil {
		return fmt.Errorf("make incident %s due: %w", id, err)
	}
	tx.left.Steps = true
	return nil
}

// NextIncidentDue is when the next incident is due, or the next silence, or a schedule is to be looked at for a change of shift: what the escalation step has to do. Zero when none waits.
func (tx *Tx) NextIncidentDue(ctx context.Context) (time.Time, error) {
	at, err := tx.least(ctx, selectNextIncident)
	if err != nil {
		return time.Time{}, fmt.Errorf("read next due incident: %w", err)
	}
	silence, err := tx.least(ctx, selectNextSilence)
	if err != nil {
		return time.Time{}, fmt.Errorf("read next due silence: %w", err)
	}
	shift, err := tx.least(ctx, "SELECT min(due) FROM shifts")
	if err != nil {
		return time.Time{}, fmt.Errorf("read next shift: %w", err)
	}
	for _, other := range []time.Time{silence, shift} {
		if at.IsZero() || !other.IsZero() && other.Before(at) {
			at = other
		}
	}
	return at, nil
}

// IncidentFilter says which incidents to list.
type IncidentFilter struct {
	// States are those wanted; none means all.
	States []incident.State
	// Limit is the most to list; 0 for all.
	Limit int
	// Before is the id of the incident behind which to go on, the last of the page before; empty for the first page.
	Before string
}

// Incidents are the incidents that f asks for, with their alerts, the newest first (by OpenedAt, then id).
func (tx *Tx) Incidents(ctx context.Context, f IncidentFilter) ([]incident.Incident, error) {
	from, id := stamp(latest), "~"
	if f.Before != "" {
		before, err := tx.Incident(ctx, f.Before)
		if err != nil {
			return nil, err
		}
		from, id = stamp(before.OpenedAt), before.ID
	}
	var all []incident.Incident
	var err error
	switch {
	case len(f.States) > 0:
		args := []any{most(f.Limit), from, id}
		for i := range 4 { // there are four states; a short list repeats its first
			s := f.States[0]
			if i < len(f.States) {
				s = f.States[i]
			}
			args = append(args, string(s))
		}
		all, err = tx.incidents(ctx, selectIncidentsState, args...)
	case f.Before != "":
		all, err = tx.incidents(ctx, selectIncidentsAfter, most(f.Limit), from, id)
	default:
		all, err = tx.incidents(ctx, selectIncidentsNewest, most(f.Limit))
	}
	if err != nil {
		return nil, fmt.Errorf("read incidents: %w", err)
	}
	return all, nil
}

// CountIncidents counts the incidents by state.
func (tx *Tx) CountIncidents(ctx context.Context) (map[incident.State]int, error) {
	counts := map[incident.State]int{}
	_, err := list(ctx, tx, func(r row, _ *struct{}) error {
		var state incident.State
		var n int
		err := r.Scan((*string)(&state), &n)
		counts[state] = n
		return err
	}, "SELECT state, count(*) FROM incidents GROUP BY state")
	if err != nil {
		return nil, fmt.Errorf("count incidents: %w", err)
	}
	return counts, nil
}
