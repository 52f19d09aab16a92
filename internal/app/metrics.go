package app

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/access"
	"tocsin/internal/heartbeat"
	"tocsin/internal/store"
)

// ownMetrics are the figures of this process: how it watches itself. What the store says the pages' own metrics tell.
type ownMetrics struct{ a *App }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tocsin_"+name, help, labels, nil)
}

var (
	descAudit   = describe("audit_last_seconds", "When the last audit was run and written, as Unix time.")
	descFailed  = describe("audit_failed", "1 while a check of the audit fails.", "check")
	descBeat    = describe("heartbeat_last_sent_seconds", "When the last heartbeat was taken, as Unix time; not there before the first.")
	descBlocked = describe("heartbeat_blocked", "How many things hold the heartbeat back.")
	descPruned  = describe("pruned_total", "Rows that this process has deleted because they were over for long enough.", "table")
	descBytes   = describe("store_bytes", "Size of the database file with its log; not there for a server.")
	descEvents  = describe("source_events_total", "What this process did to read the source, by what it was.", "source", "event")
	descCanary  = describe("canary_last_returned_seconds", "When the last line was written to a log that came back through the source, as Unix time; not there before the first.", "source")
	descStep    = describe("loop_last_step_seconds", "When the loop did its last step, as Unix time.", "loop")
)

// Describe tells all of them.
func (ownMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descAudit, descFailed, descBeat, descBlocked, descPruned, descBytes, descEvents, descCanary, descStep} {
		to <- d
	}
}

// Collect reads them.
func (m ownMetrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	unix := func(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }
	leads := m.a.leading() != nil // the others have nothing to say of it
	if last := m.a.watch.audit.Last(); leads && !last.At.IsZero() {
		gauge(descAudit, unix(last.At))
		for _, check := range heartbeat.Checks {
			failed := slices.ContainsFunc(last.Findings, func(f heartbeat.Finding) bool { return f.Check == check })
			gauge(descFailed, map[bool]float64{true: 1}[failed], check)
		}
	}
	if beat := m.a.generationNow().beat; beat != nil && leads {
		h := beat.Status()
		if !h.SentAt.IsZero() {
			gauge(descBeat, unix(h.SentAt))
		}
		gauge(descBlocked, float64(len(h.Blocked)))
	}
	if canary := m.a.generationNow().canary; canary != nil && leads {
		for source, s := range canary.States() {
			if !s.ReturnedAt.IsZero() {
				gauge(descCanary, unix(s.ReturnedAt), source)
			}
		}
	}
	forgotten := m.a.forgotten()
	for _, what := range store.Prunable {
		to <- prometheus.MustNewConstMetric(descPruned, prometheus.CounterValue, float64(forgotten[what]), what)
	}
	if size, ok := m.a.store.Bytes(); ok {
		gauge(descBytes, float64(size))
	}
	for source, counts := range m.a.counts() {
		for event, n := range counts {
			to <- prometheus.MustNewConstMetric(descEvents, prometheus.CounterValue, float64(n), source, event)
		}
	}
	m.a.watch.mu.Lock()
	steps := maps.Clone(m.a.watch.steps)
	m.a.watch.mu.Unlock()
	for loop, at := range steps {
		gauge(descStep, unix(at), loop)
	}
}

// newReturned is the histogram of a canary's latencies.
func newReturned() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tocsin_canary_seconds", Help: "How long lines took that were written to a log until they had come back through the source and were judged.",
		Buckets: []float64{1, 2, 3, 5, 10, 20, 30, 60, 120, 300}}, []string{"source"})
}

// metricsServer serves health and metrics where a kubelet and a scraper reach them, and nothing else: nobody signs in there.
func (a *App) metricsServer() *http.Server {
	mux := http.NewServeMux()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			scraper := access.Identity{Way: "listener of metrics", Role: access.Viewer}
			a.server.Handler.ServeHTTP(w, r.WithContext(access.With(r.Context(), scraper)))
		})
	}
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(a.o.Log.Handler(), slog.LevelWarn)}
}

// counts are what the sources count that are read here, by their names.
func (a *App) counts() map[string]map[string]int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]map[string]int64{}
	for _, readers := range []map[string]*reader{a.readers, a.takers} {
		for name, r := range readers {
			if r.counter != nil {
				out[name] = r.counter.Counts()
			}
		}
	}
	return out
}
