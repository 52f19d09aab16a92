package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// Sizes of a rule's record: since when unless asked, how many firings are counted, and how many are listed.
const (
	usualRecord  = 7 * 24 * time.Hour
	mostFirings  = 2000
	shownFirings = 50
)

// getRecord answers what a rule did: ?since= a time, seven days ago if it is left out.
func (s *server) getRecord(w http.ResponseWriter, r *http.Request) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid("the query cannot be read: " + clean(err.Error(), 200))
	}
	rec := client.RuleRecord{Rule: r.PathValue("rule"), Since: s.Now().Add(-usualRecord).UTC(), Firings: []client.Firing{}}
	for name, given := range values {
		if name != "since" {
			return invalid(fmt.Sprintf("parameter %q is not known: there is since", clean(name, 50)))
		}
		if rec.Since, err = time.Parse(time.RFC3339, given[0]); err != nil {
			return invalid(fmt.Sprintf("since %q is not a time: write it as 2026-11-23T09:00:00Z", clean(given[0], 50)))
		}
	}
	known := slices.ContainsFunc(s.Rules(), func(one Rule) bool { return one.Name == rec.Rule })
	err = s.Store.View(r.Context(), func(tx *store.Tx) error {
		if !known { // it may have been once
			ever, err := tx.Firings(r.Context(), rec.Rule, time.Time{}, 1)
			if known = len(ever) > 0; err != nil || !known {
				return err
			}
		}
		return record(r.Context(), tx, &rec)
	})
	if err == nil && !known {
		return &refusal{http.StatusNotFound, client.NotFound, fmt.Sprintf("no rule %s is loaded, and none of that name has fired", clean(rec.Rule, 100))}
	}
	if err != nil {
		return fmt.Errorf("read the record of rule %s: %w", clean(rec.Rule, 100), err)
	}
	writeJSON(w, http.StatusOK, rec)
	return nil
}

// record fills in what is on record of a rule.
func record(ctx context.Context, tx *store.Tx, rec *client.RuleRecord) error {
	all, err := tx.Firings(ctx, rec.Rule, rec.Since, mostFirings+1)
	if err != nil {
		return err
	}
	if rec.Recorded, err = tx.FirstFiring(ctx); err != nil {
		return err
	}
	if len(all) > mostFirings {
		all, rec.More = all[:mostFirings], true
	}
	groups, incidents := map[string]bool{}, map[string]bool{}
	for i, f := range all {
		groups[f.Group] = true
		if i < shownFirings {
			rec.Firings = append(rec.Firings, client.Firing{At: f.At, Group: f.Group, Mode: f.Mode, Incident: f.Incident})
		}
		if f.Incident == "" || incidents[f.Incident] {
			continue
		}
		incidents[f.Incident] = true
		told, err := tx.Notifications(ctx, f.Incident)
		if err != nil {
			return err
		}
		said, called := false, false
		for _, n := range told {
			sent := !n.SentAt.IsZero() || n.SentRevision > 0
			said = said || sent && n.Kind == incident.Message
			called = called || sent && n.Kind == incident.Call
		}
		if said {
			rec.Told++
		}
		if called {
			rec.Paged++
		}
	}
	rec.Fired, rec.Groups, rec.Incidents = len(all), len(groups), len(incidents)
	return nil
}
