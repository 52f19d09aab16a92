package app

import (
	"cmp"
	"os"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/heartbeat"
)

// ownMetrics reads where tocsin's own metrics are written.
func (l *loading) ownMetrics() {
	n := l.file.OwnMetrics
	if n.IsZero() {
		return
	}
	s := heartbeat.PointsDefaults()
	errs := config.Decode(n, &s)
	l.errs = append(l.errs, errs...)
	if s.Project = cmp.Or(s.Project, l.file.Project); s.Project == "" {
		l.errs = append(l.errs, n.Position().Errorf("own_metrics need a project: set `project` here, or that of the configuration"))
	}
	if len(errs) == 0 {
		l.plan.OwnMetrics = &s
	}
}

// newPoints makes what writes tocsin's own metrics; nil if nothing is to be.
func (a *App) newPoints(plan *Plan) *heartbeat.Points {
	if plan.OwnMetrics == nil {
		return nil
	}
	task, err := os.Hostname()
	if err != nil || task == "" {
		task = "tocsin"
	}
	return heartbeat.NewPoints(a.store, heartbeat.PointsOptions{Settings: *plan.OwnMetrics, Namespace: plan.File.Project, Task: task, Values: a.points,
		Client: a.google(plan.OwnMetrics.Endpoint), Log: a.o.Log})
}

// alive is how old the last audit may be for tocsin to count as alive.
const alive = 30 * time.Second

// points are tocsin's own metrics now; none while no audit could be run and written, so that silence says so. The heartbeat is 1 while nothing
// holds it back, and 0 while something does.
func (a *App) points(now time.Time) []heartbeat.Point {
	l, last := a.leading(), a.watch.audit.Last()
	if l == nil || now.Sub(last.At) > alive {
		return nil
	}
	well := 1.0
	if len(last.Findings) > 0 || len(a.ailments(now)) > 0 {
		well = 0
	}
	out := []heartbeat.Point{{Metric: "heartbeat", Value: well}}
	for source, s := range l.engine.Seen() {
		lag := 0.0
		if !s.CaughtUp && !s.Clock.IsZero() {
			lag = max(0, now.Sub(s.Clock).Seconds())
		}
		out = append(out, heartbeat.Point{Metric: "source_lag_seconds", Labels: map[string]string{"source": source}, Value: lag})
	}
	if canary := a.generationNow().canary; canary != nil {
		for source, s := range canary.States() {
			if !s.ReturnedAt.IsZero() {
				out = append(out, heartbeat.Point{Metric: "canary_latency_seconds", Labels: map[string]string{"source": source}, Value: s.After.Seconds()})
			}
		}
	}
	return out
}
