package web

import (
	"context"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// scrapeTime bounds how long a scrape may read the store.
const scrapeTime = 5 * time.Second

// Metrics are the figures that stand in the store, read at each scrape: so they go on after a restart, and are the same from
// every replica.
type Metrics struct {
	store   *store.Store
	version string
	now     func() time.Time
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tocsin_"+name, help, labels, nil)
}

var (
	descBuild         = describe("build_info", "Always 1; the labels say what is running.", "version", "goversion")
	descIncidents     = describe("incidents", "Incidents by state.", "state")
	descNotifications = describe("notifications", "Notifications in the outbox by state.", "state")
	descOldest        = describe("outbox_oldest_pending_seconds",
		"Age of the oldest notification that nobody has got yet; 0 if there is none. Edits of a sent message do not count.")
	descClock    = describe("source_clock_seconds", "Up to when the source has been seen, as Unix time.", "source")
	descEntries  = describe("source_entries_total", "Entries read from the source.", "source")
	descMatches  = describe("source_matches_total", "Entries of the source that matched a rule.", "source")
	descBroken   = describe("source_broken_total", "Entries of the source that were not what their form promises; kept as text.", "source")
	descLate     = describe("source_late_total", "Entries of the source that came too late to count.", "source")
	descBacklog  = describe("source_backlog_total", "Entries of the source that are of a time that was not watched as it happened.", "source")
	descPassed   = describe("source_passed_total", "Entries that came from the source and were left out: they had come before, or were to come again.", "source")
	descUnseen   = describe("source_blind_seconds", "For how long the source could not see what it watches, in all that is kept.", "source")
	descBlind    = describe("source_blind", "1 while the source cannot see what it watches.", "source")
	descCaughtUp = describe("source_caught_up", "1 while nothing newer waits at the source.", "source")
	descLag      = describe("source_lag_seconds", "How far the source is behind: 0 once it has caught up.", "source")
	descPending  = describe("outbox_pending", "Notifications that wait or are on their way, by receiver.", "receiver")
	descTroubles = describe("troubles", "Troubles of tocsin's own that stand, by kind.", "kind")
)

// Describe tells all of them.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descBuild, descIncidents, descNotifications, descOldest, descClock, descEntries,
		descMatches, descBroken, descLate, descBacklog, descPassed, descUnseen, descBlind, descCaughtUp, descLag, descPending, descTroubles} {
		to <- d
	}
}

// Collect reads them. A store that cannot be read makes the scrape say so.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	// A label that is not UTF-8 would panic in a goroutine of the registry's, and end the process.
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		for i := range labels {
			labels[i] = strings.ToValidUTF8(labels[i], "\ufffd")
		}
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, n int64, label string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), strings.ToValidUTF8(label, "\ufffd"))
	}
	gauge(descBuild, 1, m.version, runtime.Version())
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	f, err := m.read(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(descIncidents, err)
		return
	}
	for _, state := range []incident.State{incident.Open, incident.Acknowledged, incident.Resolved, incident.Merged} {
		gauge(descIncidents, float64(f.incidents[state]), string(state))
	}
	for _, state := range []incident.NotificationState{incident.Pending, incident.InFlight, incident.Sent, incident.Cancelled} {
		gauge(descNotifications, float64(f.notifications[state]), string(state))
	}
	gauge(descOldest, f.oldest.Seconds())
	for target, n := range f.pending {
		gauge(descPending, float64(n), target)
	}
	for kind, n := range f.troubles {
		gauge(descTroubles, float64(n), kind)
	}
	for _, src := range f.sources {
		switch lag := m.now().Sub(src.Clock); {
		case src.CaughtUp:
			gauge(descLag, 0, src.Name)
		case !src.Clock.IsZero(): // else nobody knows
			gauge(descLag, max(0, lag.Seconds()), src.Name)
		}
		if !src.Clock.IsZero() {
			gauge(descClock, float64(src.Clock.UnixNano())/1e9, src.Name)
		}
		count(descEntries, src.Entries, src.Name)
		count(descMatches, src.Matches, src.Name)
		count(descBroken, src.Broken, src.Name)
		count(descLate, src.Late, src.Name)
		count(descBacklog, src.Backlog, src.Name)
		count(descPassed, src.Passed, src.Name)
		gauge(descUnseen, f.blindness[src.Name].Seconds(), src.Name)
		gauge(descBlind, oneIf(src.Blind), src.Name)
		gauge(descCaughtUp, oneIf(src.CaughtUp), src.Name)
	}
}

// figures are what one scrape reads, from one snapshot.
type figures struct {
	incidents     map[incident.State]int
	notifications map[incident.NotificationState]int
	oldest        time.Duration
	sources       []store.SourceState
	pending       map[string]int
	troubles      map[string]int
	blindness     map[string]time.Duration
}

func (m *Metrics) read(ctx context.Context) (f figures, err error) {
	err = m.store.View(ctx, func(tx *store.Tx) error {
		if f.incidents, err = tx.CountIncidents(ctx); err != nil {
			return err
		}
		if f.notifications, err = tx.CountNotifications(ctx); err != nil {
			return err
		}
		now := m.now()
		unsent, err := neverSent(ctx, tx, now)
		if err != nil {
			return err
		}
		f.oldest = oldest(unsent, now)
		if f.pending, err = tx.PendingByTarget(ctx); err != nil {
			return err
		}
		standing, err := tx.Standing(ctx)
		if err != nil {
			return err
		}
		f.troubles = map[string]int{}
		for _, t := range standing {
			f.troubles[t.Kind]++
		}
		if f.blindness, err = tx.Blindness(ctx, now); err != nil {
			return err
		}
		states, err := tx.Sources(ctx)
		if err != nil {
			return err
		}
		spans, err := tx.BlindSpans(ctx, spansRead)
		f.sources = withUnread(states, spans)
		return err
	})
	return f, err
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
