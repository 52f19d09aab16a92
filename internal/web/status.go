package web

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// patience is how long a notification may wait before it counts as trouble: by then the second path has its turn.
const patience = time.Minute

// reloadTrouble begins the trouble of a reload that was refused; the overview shows that one whole instead.
const reloadTrouble = "The new configuration was refused, the old one is still in force"

// status is how the service is: what Options.Status knows, filled up from the store, and judged.
func (s *server) status(ctx context.Context) (Status, error) {
	is := s.Status()
	is.Version, is.Now = s.Version, s.Now().UTC()
	if err := s.Healthy(); err != nil {
		is.Unhealthy = err.Error()
	}
	if err := s.Ready(); err != nil {
		is.NotReady = err.Error()
	}
	var unsent []incident.Notification
	var standing []store.Trouble
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		states, err := tx.Sources(ctx)
		if err != nil {
			return err
		}
		spans, err := tx.BlindSpans(ctx, spansRead)
		if err != nil {
			return err
		}
		is.Sources = fillSources(is.Sources, states, spans)
		if is.Incidents, err = tx.CountIncidents(ctx); err != nil {
			return err
		}
		if is.Notifications, err = tx.CountNotifications(ctx); err != nil {
			return err
		}
		if standing, err = tx.Standing(ctx); err != nil {
			return err
		}
		unsent, err = neverSent(ctx, tx, is.Now)
		return err
	})
	if err != nil {
		return is, fmt.Errorf("read status: %w", err)
	}
	is.OldestUnsent = oldest(unsent, is.Now).Seconds()
	is.Troubles = troubles(is, unsent, standing)
	is.Well = len(is.Troubles) == 0
	return is, nil
}

// spansRead is how many of the newest blind spans are looked at, spansShown how many of a source are shown.
const (
	spansRead  = 200
	spansShown = 5
)

// withUnread adds to the states of sources those that are blind and of which nothing was ever read: they have none.
func withUnread(states []store.SourceState, spans []store.BlindSpan) []store.SourceState {
	for _, b := range spans {
		known := func(st store.SourceState) bool { return st.Name == b.Source }
		if b.Until.IsZero() && !slices.ContainsFunc(states, known) {
			states = append(states, store.SourceState{Name: b.Source, Blind: true})
		}
	}
	return states
}

// fillSources adds to the configured sources what the store knows of them. Without any, it is the store's sources: those of
// earlier configurations too.
func fillSources(configured []client.Source, states []store.SourceState, spans []store.BlindSpan) []client.Source {
	states = withUnread(states, spans)
	known := make(map[string]store.SourceState, len(states))
	for _, st := range states {
		known[st.Name] = st
	}
	all := make([]client.Source, 0, max(len(configured), len(states)))
	all = append(all, configured...)
	if len(configured) == 0 {
		for _, st := range states {
			all = append(all, client.Source{Name: st.Name})
		}
	}
	for i := range all {
		to, st := &all[i], known[all[i].Name]
		to.Clock, to.ReceivedAt, to.CaughtUp, to.Blind = st.Clock, st.ReceivedAt, st.CaughtUp, st.Blind
		to.Entries, to.Matches, to.Broken, to.Late = st.Entries, st.Matches, st.Broken, st.Late
		to.Backlog, to.Passed = st.Backlog, st.Passed
		for _, b := range spans {
			if b.Source == to.Name && len(to.BlindSpans) < spansShown {
				to.BlindSpans = append(to.BlindSpans, client.BlindSpan{Since: b.Since, Until: b.Until, Why: b.Why})
			}
		}
	}
	return all
}

// neverSent are the notifications, a thousand at most, that wait or are on their way and that nobody has got yet. An edit of
// a message that was sent is not among them.
func neverSent(ctx context.Context, tx *store.Tx, now time.Time) ([]incident.Notification, error) {
	waiting, err := tx.DueNotifications(ctx, now.AddDate(10, 0, 0), "", 1000)
	if err != nil {
		return nil, err
	}
	kept := waiting[:0]
	for _, n := range waiting {
		if n.SentAt.IsZero() && n.SentRevision == 0 && (n.State == incident.Pending || n.State == incident.InFlight) {
			kept = append(kept, n)
		}
	}
	return kept, nil
}

// oldest is the age of the oldest of them; 0 if there is none.
func oldest(waiting []incident.Notification, now time.Time) time.Duration {
	var age time.Duration
	for _, n := range waiting {
		age = max(age, now.Sub(n.CreatedAt))
	}
	return age
}

// about is what a trouble is about: its labels' values in brackets.
func about(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	var of []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		of = append(of, labels[name])
	}
	return " (" + strings.Join(of, ", ") + ")"
}

// troubles says what is wrong with the service itself, the worst first.
func troubles(is Status, unsent []incident.Notification, standing []store.Trouble) []string {
	var all []string
	say := func(format string, args ...any) { all = append(all, clean(fmt.Sprintf(format, args...), 1000)) }
	if is.Unhealthy != "" {
		say("It is not healthy: %s", is.Unhealthy)
	}
	if is.NotReady != "" && is.NotReady != is.Unhealthy {
		say("It is not ready: %s", is.NotReady)
	}
	targets := map[string]bool{}
	for _, n := range unsent {
		age := is.Now.Sub(n.CreatedAt)
		if age < patience || targets[n.Target] {
			continue
		}
		targets[n.Target] = true
		why := ""
		if n.LastError != "" {
			why = ": " + n.LastError
		}
		say("%s has not got what waits for it since %s (%s)%s", n.Target, span(age), tries(n.Attempts), why)
	}
	for _, src := range is.Sources {
		switch {
		case src.Error != "":
			say("Source %s cannot be read: %s", src.Name, src.Error)
		case src.Blind:
			say("Source %s is blind: it cannot see what it watches", src.Name)
		}
	}
	if is.Audit != nil {
		for _, f := range is.Audit.Findings {
			say("The audit fails: %s", f)
		}
	}
	if is.Heartbeat != nil && is.Heartbeat.Failure != "" {
		say("The heartbeat is not taken: %s", is.Heartbeat.Failure)
	}
	for _, t := range standing {
		switch t.Kind {
		case "audit_failed", "heartbeat_failed", "source_blind", "reload_failed": // said as they are now
		default:
			say("%s%s: %s", strings.ReplaceAll(t.Kind, "_", " "), about(t.Labels), t.Text)
		}
	}
	if is.Config.ReloadError != "" {
		first, rest, _ := strings.Cut(strings.TrimSpace(is.Config.ReloadError), "\n")
		if rest != "" {
			first += " (and more)"
		}
		say("%s: %s", reloadTrouble, first)
	}
	return all
}
