package app

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/internal/engine"
	"tocsin/internal/logs"
	"tocsin/internal/sources"
	"tocsin/internal/store"
	"tocsin/internal/web"
)

// seriesEvery is how often what the charts are drawn of is written, all in one transaction. A process that ends loses what came since.
const seriesEvery = time.Minute

// series is what is still to be written for the charts.
type series struct {
	mu      sync.Mutex
	waiting map[string][]store.ProbePoint // by probe; the last one's span may go on
	newest  map[string]store.ProbePoint   // what each has seen last
}

// probed takes down what a probe has seen; of other sources nothing.
func (s *series) probed(plan *Plan, b logs.Batch) {
	if _, ok := plan.Sources[b.Source].(*sources.HTTPProbe); !ok {
		return
	}
	for line := range strings.Lines(string(b.Data)) {
		p, ok := probePoint(b.Source, []byte(line))
		if !ok {
			continue
		}
		s.mu.Lock()
		if s.newest == nil {
			s.newest = map[string]store.ProbePoint{}
		}
		s.newest[b.Source] = p
		s.add(p)
		s.mu.Unlock()
	}
}

// add adds a point to what waits. s.mu is held.
func (s *series) add(p store.ProbePoint) {
	if s.waiting == nil {
		s.waiting = map[string][]store.ProbePoint{}
	}
	all := s.waiting[p.Source]
	if n := len(all); n > 0 && all[n-1].At.Equal(p.At) {
		all[n-1].Add(p)
		return
	}
	s.waiting[p.Source] = append(all, p)
}

// take is what waits, which then does not wait any more.
func (s *series) take() []store.ProbePoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []store.ProbePoint
	for _, name := range slices.Sorted(maps.Keys(s.waiting)) {
		out = append(out, s.waiting[name]...)
	}
	s.waiting = nil
	return out
}

// probeEntry is as much as the charts need of a probe's entry.
type probeEntry struct {
	Timestamp   time.Time `json:"timestamp"`
	HTTPRequest struct {
		Status  int    `json:"status"`
		Latency string `json:"latency"`
	} `json:"httpRequest"`
	JSONPayload struct {
		Success     *bool              `json:"success"`
		Error       string             `json:"error"`
		TLSDaysLeft *int               `json:"tlsDaysLeft"`
		Phases      map[string]float64 `json:"phases"` // in milliseconds
	} `json:"jsonPayload"`
}

// probePoint is one entry of a probe as a point; false if it is none.
func probePoint(source string, line []byte) (store.ProbePoint, bool) {
	var e probeEntry
	if json.Unmarshal(line, &e) != nil || e.Timestamp.IsZero() {
		return store.ProbePoint{}, false
	}
	p := store.ProbePoint{Source: source, At: e.Timestamp.UTC().Truncate(store.ProbeSpan), Newest: e.Timestamp.UTC(), Probes: 1, Status: e.HTTPRequest.Status, Days: e.JSONPayload.TLSDaysLeft}
	switch {
	case e.JSONPayload.Success == nil:
		p.Blind = 1
	case !*e.JSONPayload.Success:
		p.Failed, p.Error = 1, e.JSONPayload.Error
	}
	if p.Status == 0 {
		return p, true
	}
	phase := func(name string) time.Duration {
		return time.Duration(e.JSONPayload.Phases[name] * float64(time.Millisecond))
	}
	p.Answered = 1
	p.Phases = store.Phases{DNS: phase("dns"), Connect: phase("connect"), TLS: phase("tls"), FirstByte: phase("firstByte"), Transfer: phase("transfer")}
	p.Latency, _ = time.ParseDuration(e.HTTPRequest.Latency)
	p.Slowest = p.Latency
	return p, true
}

// keepSeries is the step that writes what the charts are drawn of. What cannot be written waits for the next time.
func (a *App) keepSeries(l *lead) func(ctx context.Context, now time.Time) (time.Time, error) {
	var due time.Time
	tallies := map[string]engine.Tally{}
	return func(ctx context.Context, now time.Time) (time.Time, error) {
		if due.IsZero() || due.Sub(now) > seriesEvery { // the clock may have been set back
			due = now.Add(seriesEvery)
		}
		if now.Before(due) {
			return due, nil
		}
		due = now.Add(seriesEvery)
		for rule, t := range l.engine.Tallies() {
			before := tallies[rule]
			tallies[rule] = engine.Tally{Matches: before.Matches + t.Matches, Spent: before.Spent + t.Spent}
		}
		points := a.series.take()
		if len(points)+len(tallies) == 0 {
			return due, nil
		}
		err := l.held.Update(ctx, func(tx *store.Tx) error {
			for _, p := range points {
				if err := tx.AddProbePoint(ctx, p); err != nil {
					return err
				}
			}
			at := now.UTC().Truncate(store.RuleSpan)
			for _, rule := range slices.Sorted(maps.Keys(tallies)) {
				if err := tx.AddRulePoint(ctx, store.RulePoint{Rule: rule, At: at, Matches: tallies[rule].Matches, Spent: tallies[rule].Spent}); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			clear(tallies)
			return due, nil
		}
		a.series.putBack(points)
		if !errors.Is(err, store.ErrFenced) { // the others that write say so louder
			a.o.Log.Warn("what the charts are drawn of is not written", "error", err)
		}
		return due, nil
	}
}

// waitingMost is how many points of a probe wait while the store cannot be written: those of a day.
const waitingMost = int(24 * time.Hour / store.ProbeSpan)

// putBack lets points wait again, before those that came meanwhile.
func (s *series) putBack(points []store.ProbePoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	later := s.waiting
	s.waiting = nil
	for _, p := range points {
		s.add(p)
	}
	for _, name := range slices.Sorted(maps.Keys(later)) {
		for _, p := range later[name] {
			s.add(p)
		}
	}
	for name, all := range s.waiting {
		s.waiting[name] = all[max(0, len(all)-waitingMost):]
	}
}

// probes are the probes that are configured, and what each has seen last if it is this process that asks.
func (a *App) probes() []web.Probe {
	plan, leads := a.generationNow().plan, a.leading() != nil
	a.series.mu.Lock()
	defer a.series.mu.Unlock()
	var out []web.Probe
	for _, name := range slices.Sorted(maps.Keys(plan.Kinds)) {
		settings, ok := plan.Sources[name].(*sources.HTTPProbe)
		if !ok {
			continue
		}
		p := web.Probe{Name: name, Every: settings.Every.Std(), Timeout: settings.Timeout.Std()}
		if u, err := url.Parse(settings.URL); err == nil { // what is in a query may be a secret
			p.URL = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
		}
		if newest, seen := a.series.newest[name]; seen && leads {
			p.Newest = &newest
		}
		out = append(out, p)
	}
	return out
}
