package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/incident"
)

// TestNearIsEnough: an alert does to the incidents that are near it what it would do among all of its project's.
func TestNearIsEnough(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		rapid.Check(t, func(t *rapid.T) {
			have := someIncidents(t)
			a := someAlert(t, "new")
			since := day.Add(-incident.ReopenWithin)
			err := s.Update(context.Background(), func(tx *Tx) error {
				ctx := context.Background()
				for _, table := range []string{"alerts", "incidents"} {
					if _, err := tx.exec(ctx, "DELETE FROM "+table); err != nil {
						return err
					}
				}
				for i := range have {
					if err := tx.SaveIncident(ctx, &have[i]); err != nil {
						return err
					}
				}
				all, err := tx.Related(ctx, a.Labels["project"], since)
				if err != nil {
					return err
				}
				near, err := tx.Near(ctx, &a, since)
				if err != nil {
					return err
				}
				if diff := cmp.Diff(after(all, a), after(near, a)); diff != "" {
					t.Fatalf("among all, and among %d of %d that are near (-all +near):\n%s", len(near), len(all), diff)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	})
}

// after are the incidents that an alert changes, as they are then.
func after(have []incident.Incident, a incident.Alert) []*incident.Incident {
	b := incident.NewBook(day, have)
	b.Fire(a)
	return b.Changed()
}

// someAlert is one of few rules, services and clusters, so that many belong together.
func someAlert(t *rapid.T, name string) incident.Alert {
	pick := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name+" "+what) }
	l := incident.Labels{"project": pick("project", "p", "p", "p", "q")}
	if c := pick("cluster", "", "a", "b", "b"); c != "" {
		l["cluster"] = c
	}
	if v := pick("service", "", "hook", "deck", "tide", "sinker"); v != "" {
		l["service"] = v
	}
	a := incident.Alert{Key: incident.Key{Rule: pick("rule", "x", "y", "z", "w", "v"), Group: pick("group", "1", "2", "3", "4")}, State: incident.Firing, Labels: l,
		Severity: rapid.SampledFrom([]incident.Severity{incident.Warning, incident.High, incident.Critical}).Draw(t, name+" severity"), Mode: incident.Page, Identity: name,
		First: day.Add(-time.Duration(rapid.IntRange(0, 300).Draw(t, name+" ago")) * time.Second)}
	a.Last = a.First
	if a.Rule == "y" {
		a.SymptomOf = []string{"x"}
	}
	return a
}

func someIncidents(t *rapid.T) []incident.Incident {
	var have []incident.Incident
	for i := range rapid.IntRange(0, 6).Draw(t, "incidents") {
		first := someAlert(t, fmt.Sprint(i))
		id := incident.NewID(first.First, first.Key, first.Identity)
		inc := incident.Incident{ID: id, Project: first.Labels["project"], Cluster: first.Labels["cluster"], State: incident.Open, FirstEntry: first.First,
			OpenedAt: day.Add(-time.Minute), Labels: incident.Labels{}, Severity: first.Severity}
		if rapid.IntRange(0, 3).Draw(t, "over") == 0 {
			inc.State, inc.ResolvedAt, first.State = incident.Resolved, day.Add(-time.Hour), incident.AlertResolved
		}
		first.Incident = id
		inc.Alerts = []incident.Alert{first}
		have = append(have, inc)
	}
	return have
}
