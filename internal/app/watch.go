package app

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/engine"
	"tocsin/internal/heartbeat"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/setting"
	"tocsin/internal/sources"
	"tocsin/internal/sources/probe"
	"tocsin/internal/store"
)

const (
	// stalled is how long a loop may take for a step.
	stalled = time.Minute
	// blindFor is how long a source may be unreadable or blind until somebody hears of it: with the time that it takes a source to find
	// out, and the audit to look, less than two minutes.
	blindFor = 50 * time.Second
	// behind is how far a source may be behind while heartbeats go out.
	behind = 5 * time.Minute
	// steady is how long the clock must go as it should for a jump of it to be over.
	steady = 10 * time.Minute
)

// watch is what tocsin knows of its own work beyond the store.
type watch struct {
	audit *heartbeat.Audit
	began time.Time // by a clock that nobody sets

	mu      sync.Mutex
	steps   map[string]time.Time // of each loop, the newest
	clock   heartbeat.Clock
	jumped  time.Time     // when the clock did last
	owed    time.Duration // by how much what waits is still to be set back; the audit's loop alone has it
	unseen  map[string]unseen
	full    string   // why there is no reserve on the disk; "" if there is
	outcome []string // what was last said of the sources
}

// unseen is a source that cannot be read, or not see, since when, and why.
type unseen struct {
	since time.Time
	why   string
}

func (a *App) newWatch() *watch {
	return &watch{began: time.Now(), steps: map[string]time.Time{}, unseen: map[string]unseen{},
		audit: heartbeat.NewAudit(a.store, heartbeat.AuditOptions{Log: a.o.Log, Since: a.started,
			Traits: func() map[string]incident.Traits { return a.generationNow().desk.Traits }})}
}

// stepped notes that a loop goes on.
func (w *watch) stepped(loop string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps[loop] = time.Now()
}

// ended notes that a loop is no more.
func (w *watch) ended(loop string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.steps, loop)
}

// stalled are the loops that do not go on, a line each.
func (w *watch) stalled() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, loop := range slices.Sorted(maps.Keys(w.steps)) {
		if ago := time.Since(w.steps[loop]); ago > stalled {
			out = append(out, fmt.Sprintf("%s has not done a step for %s", loop, ago.Round(time.Second)))
		}
	}
	return out
}

// auditLoop looks, never off, whether what must always hold does, and whether tocsin sees and tells the time.
func (a *App) auditLoop(ctx context.Context) {
	a.every(ctx, "audit", newBell(), a.alone(func(ctx context.Context, now time.Time) (time.Time, error) {
		off := a.clockOff(now)
		if err := a.setBack(ctx, now, off); err != nil {
			return now, err
		}
		troubles := slices.Concat(a.lookAtSources(now), a.lookAtClock(now, off), a.lookAtLines(now), []store.Trouble{a.lookAtDisk(now)})
		if err := a.store.Update(ctx, func(tx *store.Tx) error {
			gone, err := a.goneSources(ctx, tx, now)
			if err != nil {
				return err
			}
			for _, t := range append(gone, troubles...) {
				if err := tx.Report(ctx, t); err != nil {
					return err
				}
			}
			return a.keepBlind(ctx, tx, now)
		}); err != nil {
			return now, err
		}
		return a.watch.audit.Step(ctx, now)
	}))
}

// reserve is kept beside the database for the last pages on a full disk: a page with all that belongs to it is less than 100 KiB.
const reserve = 8 << 20

// lookAtDisk says that the reserve beside the database was needed and that there is no room to take it again, or that there is.
func (a *App) lookAtDisk(now time.Time) store.Trouble {
	t := store.Trouble{Kind: "disk_full", At: now, Over: true, Text: "there is room again"}
	full := ""
	if err := a.store.KeepReserve(); err != nil {
		t.Over, t.Severity, t.Text, full = false, "CRITICAL", err.Error(), err.Error()
	}
	a.watch.mu.Lock()
	defer a.watch.mu.Unlock()
	a.watch.full = full
	return t
}

// clockOff is by how much the wall clock was set since the last look.
func (a *App) clockOff(now time.Time) time.Duration {
	w := a.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock.Look(now, now.Sub(w.began))
}

// setBack lets nothing that waits come late because the clock was set back. Of several processes the others' clocks go on.
func (a *App) setBack(ctx context.Context, now time.Time, off time.Duration) error {
	w := a.watch
	if off < 0 && !a.store.Several() {
		w.owed -= off
	}
	if w.owed == 0 {
		return nil
	}
	if err := a.escalation.SetBack(ctx, now, w.owed); err != nil {
		return err
	}
	w.owed = 0
	a.wakeSteps.ring()
	a.wakeTargets()
	return nil
}

// lookAtClock says that the wall clock was set.
func (a *App) lookAtClock(now time.Time, off time.Duration) []store.Trouble {
	w := a.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	t := store.Trouble{Kind: "clock_jump", At: now}
	switch {
	case off > 0:
		t.Text = fmt.Sprintf("the wall clock went ahead by %s", off.Round(time.Second))
	case off < 0:
		t.Text = fmt.Sprintf("the wall clock went back by %s", (-off).Round(time.Second))
	case now.Sub(w.jumped) < steady:
		return nil
	default:
		t.Over, t.Text = true, "it goes as it should"
		return []store.Trouble{t}
	}
	w.jumped = now
	a.o.Log.Error("the clock jumped", "by", off)
	return []store.Trouble{t}
}

// lookAtSources says which sources cannot be read or not see, those that can again, and keeps what holds the heartbeat back. It looks
// at those that are read here.
func (a *App) lookAtSources(now time.Time) []store.Trouble {
	l := a.leading()
	if l == nil {
		return nil
	}
	seen := l.engine.Seen()
	a.mu.Lock()
	all := make(map[string]unseen, len(a.readers))
	for name, r := range a.readers {
		s, heard := seen[name]
		if r.down && heard && !s.Down && s.Spoke.After(r.at) {
			r.err, r.down = nil, false
		}
		u := unseen{since: r.since}
		if r.err != nil {
			u.why = r.err.Error()
		} else if u.why = unwell(s, heard, a.current.plan.Sources[name], r.began, now); u.why != "" {
			u.since = now
		}
		all[name] = u
	}
	a.mu.Unlock()
	w := a.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.unseen
	w.unseen, w.outcome = map[string]unseen{}, nil
	var out []store.Trouble
	for _, name := range slices.Sorted(maps.Keys(all)) {
		u, s := all[name], seen[name]
		t := store.Trouble{Kind: "source_blind", At: now, Labels: map[string]string{"source": name}}
		if u.why == "" {
			t.Over, t.Text = true, "it can be read again"
			out = append(out, t)
			if !s.CaughtUp && !s.Clock.IsZero() && now.Sub(s.Clock) > behind {
				w.outcome = append(w.outcome, fmt.Sprintf("source %s is behind by %s", name, now.Sub(s.Clock).Round(time.Second)))
			}
			continue
		}
		if was, ok := before[name]; ok && was.since.Before(u.since) {
			u.since = was.since
		}
		w.unseen[name] = u
		if now.Sub(u.since) >= blindFor {
			t.Text = fmt.Sprintf("%s (since %s UTC)", inShort(name, u.why), u.since.UTC().Format("15:04:05"))
			out = append(out, t)
			w.outcome = append(w.outcome, fmt.Sprintf("source %s: %s", name, u.why))
		}
	}
	return out
}

// grpcWords begin an error of gRPC's.
var grpcWords = regexp.MustCompile(`rpc error: code = (\w+) desc = `)

// inShort is why a source is not well as it is told of the source: without its name, and without gRPC's words around the API's.
func inShort(source, why string) string {
	return grpcWords.ReplaceAllString(strings.TrimPrefix(why, "source "+source+": "), "$1: ")
}

// keepBlind takes down which of the sources that are read here cannot see.
func (a *App) keepBlind(ctx context.Context, tx *store.Tx, now time.Time) error {
	if a.leading() == nil {
		return nil
	}
	a.watch.mu.Lock()
	blind := make(map[string]store.BlindSpan, len(a.watch.unseen))
	for name, u := range a.watch.unseen {
		blind[name] = store.BlindSpan{Source: name, Since: u.since, Why: u.why}
	}
	a.watch.mu.Unlock()
	return tx.KeepBlind(ctx, now, blind)
}

// goneSources ends the troubles of sources, and of what else is listened to, that the configuration has no more.
func (a *App) goneSources(ctx context.Context, tx *store.Tx, now time.Time) ([]store.Trouble, error) {
	all, err := tx.Standing(ctx)
	if err != nil {
		return nil, err
	}
	have := a.generationNow().plan.Sources
	out := append(a.goneCanaries(all, now), a.goneLines(all, now)...)
	for _, t := range all {
		if name := t.Labels["source"]; t.Kind == "source_blind" && name != logs.OwnSource && have[name] == nil {
			out = append(out, store.Trouble{Kind: t.Kind, Labels: t.Labels, At: now, Over: true, Text: "it is no longer in the configuration"})
		}
	}
	return out, nil
}

// unwell says why a source that reports no error is not well all the same; "" if it is.
func unwell(s engine.Seen, heard bool, spec sources.Spec, began, now time.Time) string {
	if s.Blind {
		return "it is blind: it cannot see what it watches"
	}
	speaker, ok := spec.(sources.Speaker)
	if !ok {
		return ""
	}
	if !heard || s.Spoke.Before(began) {
		s.Spoke = began
	}
	if quiet := now.Sub(s.Spoke); quiet > 2*speaker.Speaks()+time.Minute {
		return fmt.Sprintf("nothing was heard of it for %s", quiet.Round(time.Second))
	}
	return ""
}

// ailments are what is wrong with the service, beside what the audit finds, a line each: while there is one no heartbeat goes out.
func (a *App) ailments(time.Time) []string {
	out := a.watch.stalled()
	if err := a.ready(); err != nil {
		out = append(out, err.Error())
	}
	a.mu.Lock()
	failure := a.reload.failure
	a.mu.Unlock()
	if l := a.leading(); l != nil {
		if aside := l.engine.Aside(); len(aside) > 0 {
			out = append(out, "rules are put aside because they panicked: "+strings.Join(aside, ", "))
		}
	}
	if failure != "" {
		out = append(out, "the configuration that should be in force was refused")
	}
	a.watch.mu.Lock()
	defer a.watch.mu.Unlock()
	if a.watch.full != "" {
		out = append(out, a.watch.full)
	}
	return append(out, a.watch.outcome...)
}

// heartbeat reads where it is told that tocsin lives.
func (l *loading) heartbeat() {
	if l.file.Heartbeat.IsZero() {
		return
	}
	s := heartbeat.Defaults()
	l.errs = append(l.errs, config.Decode(l.file.Heartbeat, &s)...)
	if u, err := url.Parse(s.URL); err == nil && probe.Denied(u.Hostname()) != nil {
		l.errs = append(l.errs, l.file.Heartbeat.Locate(setting.FieldError{Path: "url",
			Text: u.Hostname() + " is never asked: link-local and metadata addresses would tell a cloud's secrets"})...)
	}
	l.resolve(&s)
	l.plan.Heartbeat = &s
}

// newBeat makes the heartbeat of a plan; nil if it has none.
func (a *App) newBeat(plan *Plan) *heartbeat.Beat {
	if plan.Heartbeat == nil {
		return nil
	}
	return heartbeat.NewBeat(a.store, heartbeat.BeatOptions{Settings: *plan.Heartbeat, Audit: a.watch.audit, Ailments: a.ailments, Summary: a.summary,
		Transport: probe.Guarded(), Log: a.o.Log})
}

// summary is what a heartbeat says.
func (a *App) summary() string {
	g, last := a.generationNow(), a.watch.audit.Last()
	return fmt.Sprintf("tocsin %s, up for %s\n%s, %s, revision %s\nincidents: %d open, %d acknowledged\naudit clean at %s", a.o.Version,
		time.Since(a.started).Round(time.Second), plural(len(g.plan.Sources), "source"), plural(len(g.plan.configured()), "rule"), g.plan.revision(),
		last.Incidents[incident.Open], last.Incidents[incident.Acknowledged], last.At.UTC().Format(time.RFC3339))
}

// announceStop tells whoever takes the heartbeat that the end that follows is meant.
func (a *App) announceStop(ctx context.Context) {
	beat := a.generationNow().beat
	if beat == nil || a.leading() == nil { // whoever leads goes on
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if err := beat.Stopping(ctx, time.Now()); err != nil {
		a.o.Log.Warn("the planned stop could not be announced", "error", err)
	}
}
