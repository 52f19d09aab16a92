package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/incident"
)

var alertColumns = columns{
	"incident", "rule", "grp", "state", "labels", "annotations", "severity", "mode", "impact", "symptom_of", "first", "last", "identity",
	"fired_at", "resolved_at", "count", "about", "first_line", "lines", "list", "orphaned", "flap",
}

var (
	selectAlerts   = "SELECT " + alertColumns.list() + " FROM alerts"
	selectAlertsOf = selectAlerts + " WHERE incident = $1 ORDER BY first, rule, grp"
	// selectAlertsOfSome is selectAlertsOf of many.
	selectAlertsOfSome = selectAlerts + " WHERE incident IN (" + someList + ") ORDER BY incident, first, rule, grp"
	selectFiring       = selectAlerts + " WHERE rule = $1 AND grp = $2 AND state = 'firing' ORDER BY fired_at DESC, incident DESC LIMIT 1"
	selectAllFiring    = selectAlerts + " WHERE state = 'firing' ORDER BY rule, grp, fired_at, incident"
	selectShadowed     = selectAlerts + " WHERE incident = '' AND last >= $1 ORDER BY last DESC, rule, grp LIMIT 1000"
	selectAlertsBy     = selectAlerts + " WHERE rule = $1 ORDER BY last DESC, incident DESC, grp LIMIT $2"
	upsertAlert        = alertColumns.upsert("alerts", "incident", "rule", "grp")
)

func scanAlert(r row, a *incident.Alert) error {
	a.Labels, a.Annotations = incident.Labels{}, map[string]string{}
	return r.Scan(&a.Incident, &a.Rule, &a.Group, (*string)(&a.State), nestedInto{&a.Labels}, nestedInto{&a.Annotations},
		severityInto{&a.Severity}, (*string)(&a.Mode), &a.Impact, nestedInto{&a.SymptomOf}, stampInto{&a.First}, stampInto{&a.Last},
		&a.Identity, stampInto{&a.FiredAt}, stampInto{&a.ResolvedAt}, &a.Count, &a.About, nestedInto{&a.FirstLine}, nestedInto{&a.Lines},
		nestedInto{&a.List}, &a.Orphaned, nestedInto{&a.Flap})
}

// SaveAlert writes one alert, known by its incident, rule and group.
func (tx *Tx) SaveAlert(ctx context.Context, a *incident.Alert) error {
	if err := tx.saveAlert(ctx, a.Incident, a); err != nil {
		return fmt.Errorf("save %w", err)
	}
	return nil
}

// saveAlert writes an alert as a member of that incident.
func (tx *Tx) saveAlert(ctx context.Context, id string, a *incident.Alert) error {
	labels, err1 := nested(a.Labels, len(a.Labels) == 0)
	annotations, err2 := nested(a.Annotations, len(a.Annotations) == 0)
	symptomOf, err3 := nested(a.SymptomOf, len(a.SymptomOf) == 0)
	firstLine, err4 := nested(a.FirstLine, a.FirstLine == incident.Line{})
	lines, err5 := nested(a.Lines, len(a.Lines) == 0)
	values, err6 := nested(a.List, len(a.List) == 0)
	flap, err7 := nested(a.Flap, a.Flap == nil)
	err := errors.Join(err1, err2, err3, err4, err5, err6, err7)
	if err == nil {
		_, err = tx.exec(ctx, upsertAlert, id, a.Rule, a.Group, string(a.State), labels, annotations, a.Severity.String(), string(a.Mode),
			a.Impact, symptomOf, stamp(a.First), stamp(a.Last), a.Identity, stamp(a.FiredAt), stamp(a.ResolvedAt), a.Count, a.About,
			firstLine, lines, values, a.Orphaned, flap)
	}
	if err != nil {
		return fmt.Errorf("alert of rule %s: %w", a.Rule, err)
	}
	return nil
}

// dropAlerts deletes the alerts of an incident that are not to be kept.
func (tx *Tx) dropAlerts(ctx context.Context, id string, keep map[incident.Key]bool) error {
	have, err := list(ctx, tx, func(r row, k *incident.Key) error { return r.Scan(&k.Rule, &k.Group) },
		"SELECT rule, grp FROM alerts WHERE incident = $1", id)
	if err != nil {
		return fmt.Errorf("read its alerts: %w", err)
	}
	for _, k := range have {
		if keep[k] {
			continue
		}
		if _, err := tx.exec(ctx, "DELETE FROM alerts WHERE incident = $1 AND rule = $2 AND grp = $3", id, k.Rule, k.Group); err != nil {
			return fmt.Errorf("delete alert of rule %s: %w", k.Rule, err)
		}
	}
	return nil
}

// FiringAlert is the alert of that (rule, group) that fires, in an incident or in none; false when none does.
func (tx *Tx) FiringAlert(ctx context.Context, key incident.Key) (incident.Alert, bool, error) {
	a, ok, err := first(ctx, tx, scanAlert, selectFiring, key.Rule, key.Group)
	if err != nil {
		return a, false, fmt.Errorf("read firing alert of rule %s: %w", key.Rule, err)
	}
	return a, ok, nil
}

// FiringAlerts are all alerts that fire, by rule and group.
func (tx *Tx) FiringAlerts(ctx context.Context) ([]incident.Alert, error) {
	all, err := list(ctx, tx, scanAlert, selectAllFiring)
	if err != nil {
		return nil, fmt.Errorf("read firing alerts: %w", err)
	}
	return all, nil
}

// RuleAlerts are the alerts of a rule whose entries are the newest, the newest first, at most limit.
func (tx *Tx) RuleAlerts(ctx context.Context, rule string, limit int) ([]incident.Alert, error) {
	all, err := list(ctx, tx, scanAlert, selectAlertsBy, rule, limit)
	if err != nil {
		return nil, fmt.Errorf("read alerts of rule %s: %w", rule, err)
	}
	return all, nil
}

// Shadowed are the alerts of rules in mode shadow whose newest entry is of since or later, the newest first, at most a thousand.
func (tx *Tx) Shadowed(ctx context.Context, since time.Time) ([]incident.Alert, error) {
	all, err := list(ctx, tx, scanAlert, selectShadowed, stamp(since))
	if err != nil {
		return nil, fmt.Errorf("read alerts in no incident: %w", err)
	}
	return all, nil
}
