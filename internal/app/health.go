package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/web"
	"tocsin/internal/web/client"
	"tocsin/notifiers"
)

// trouble is since when each step has been failing, and what the fallback was told of it.
type trouble struct {
	since map[string]time.Time
	// asked is when the fallback was called last, call what it has taken; nil if nothing.
	asked time.Time
	call  *notifiers.Notice
}

// unwritable is how long the store may refuse until the fallback hears of it, past all queues.
const unwritable = 30 * time.Second

// stepFailed notes that a step could not do its work. With the store out of reach for unwritable one page goes straight to the
// fallback: it is the one thing that is told without a row.
func (a *App) stepFailed(ctx context.Context, name string, err error) {
	a.o.Log.Error("step failed: trying again", "step", name, "error", err)
	if store.Broken(err) {
		select {
		case a.broken <- err:
		default: // it is known
		}
		return
	}
	a.mu.Lock()
	if a.failing.since == nil {
		a.failing.since = map[string]time.Time{}
	}
	if a.failing.since[name].IsZero() {
		a.failing.since[name] = time.Now()
	}
	since := a.failing.since[name]
	tell := time.Since(since) >= unwritable && a.failing.call == nil && time.Since(a.failing.asked) >= unwritable
	if tell {
		a.failing.asked = time.Now()
	}
	g := a.current
	a.mu.Unlock()
	if !tell {
		return
	}
	if call := a.cannotWrite(ctx, g, since, since, err); call != nil {
		a.mu.Lock()
		a.failing.call = call
		a.mu.Unlock()
	}
}

// stepDone notes that a step did its work. Once all do, what the fallback was told past all queues is taken back, and kept as a trouble
// that is over.
func (a *App) stepDone(ctx context.Context, name string) {
	a.mu.Lock()
	delete(a.failing.since, name)
	call := a.failing.call
	well := len(a.failing.since) == 0
	if well {
		a.failing = trouble{}
	}
	g := a.current
	a.mu.Unlock()
	if !well || call == nil {
		return
	}
	now := time.Now()
	text := fmt.Sprintf("%s, until %s", call.Incident.Title, now.UTC().Format(time.TimeOnly))
	a.report(ctx, store.Trouble{Kind: "store_unwritable", At: now, Severity: "CRITICAL", Text: text},
		store.Trouble{Kind: "store_unwritable", At: now, Over: true, Text: "it can be written again"})
	t, ok := g.targets[call.Target]
	if !ok || !t.Traits.Pages {
		return
	}
	over := *call
	over.Kind, over.Reason, over.Rings, over.Now, over.Incident.State, over.Incident.ResolvedAt = incident.CallResolve, incident.ReasonResolved, false, now, incident.Resolved, now
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if _, err := t.Notifier.Send(limited, over); err != nil {
		a.o.Log.Warn("cannot take back the call that tocsin cannot write", "receiver", call.Target, "error", err)
	}
}

// breakOff ends the process's work without another try to write: what a failed disk says it has kept cannot be believed. The fallback
// hears of it, under one key an hour however often the process is started again.
func (a *App) breakOff(ctx context.Context, cause error) {
	a.o.Log.Error("the disk of the store failed: ending", "error", cause)
	a.cannotWrite(ctx, a.generationNow(), time.Now(), time.Now().Truncate(time.Hour), cause)
	a.mu.Lock()
	a.stopping = true
	a.mu.Unlock()
	_ = a.server.Close() // pages that are being read are cut
}

// awayTold calls the fallback for a database that is away while tocsin starts.
func (a *App) awayTold(ctx context.Context, plan *Plan, since time.Time, cause error) *notifiers.Notice {
	targets, err := plan.targets()
	if err != nil {
		a.o.Log.Error("tocsin cannot write, and cannot tell the fallback", "error", err)
		return nil
	}
	return a.cannotWrite(ctx, generation{plan: plan, targets: targets}, since, since.Truncate(time.Hour), cause)
}

// cannotWrite calls the fallback past all queues, under a key made of the time keyed, and returns what it has taken; nil if it has not.
func (a *App) cannotWrite(ctx context.Context, g generation, since, keyed time.Time, cause error) *notifiers.Notice {
	t, ok := g.targets[g.plan.File.Fallback]
	if !ok {
		a.o.Log.Error("tocsin cannot write, and there is no fallback to tell")
		return nil
	}
	key := incident.Key{Rule: "tocsin-cannot-write", Group: "{}"}
	title := fmt.Sprintf("tocsin cannot write since %s: %v", since.UTC().Format(time.TimeOnly), cause)
	id := incident.NewID(keyed, key, "")
	inc := incident.Incident{ID: id, State: incident.Open, Severity: incident.Critical, Title: title, Headline: key, FirstEntry: since, OpenedAt: since,
		Labels: incident.Labels{"service": "tocsin", "severity": "critical", "rule": key.Rule},
		Alerts: []incident.Alert{{Key: key, Incident: id, State: incident.Firing, Severity: incident.Critical, First: since, Last: since, FiredAt: since,
			Annotations: map[string]string{"summary": title}, FirstLine: incident.Line{Time: since, Text: cause.Error(), Service: "tocsin"}}}}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	call := notifiers.Notice{Incident: inc, Now: time.Now(), Notification: incident.Notification{Incident: id, Target: g.plan.File.Fallback,
		Kind: incident.Call, Round: 1, Key: id, Reason: incident.ReasonOpened, Text: title, Rings: true}}
	if _, err := t.Notifier.Send(limited, call); err != nil {
		a.o.Log.Error("cannot tell the fallback that tocsin cannot write", "error", err)
		return nil
	}
	return &call
}

// healthy says whether the process is worth keeping.
func (a *App) healthy() error {
	if stalled := a.watch.stalled(); len(stalled) > 0 {
		return errors.New(stalled[0])
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, since := range a.failing.since {
		if time.Since(since) > 5*time.Minute {
			return fmt.Errorf("%s has been failing since %s", name, since.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// ready says whether it does its work.
func (a *App) ready() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		return errors.New("stopping")
	}
	for name := range a.failing.since {
		return fmt.Errorf("%s is failing", name)
	}
	return nil
}

// status is how the service is, beyond what the store says.
func (a *App) status() web.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.current
	st := web.Status{Version: a.o.Version, StartedAt: a.started, Rules: len(g.plan.configured()),
		Config: client.Configuration{File: g.plan.File.Path, Revision: g.plan.revision(), LoadedAt: g.loadedAt,
			ReloadError: a.reload.failure, ReloadFailedAt: a.reload.failedAt}}
	if a.store.Several() {
		st.Replica = &client.Replica{Epoch: a.store.Epoch(), Leads: a.turn != nil, Leader: a.leader}
	}
	for name, kind := range g.plan.Kinds {
		s := client.Source{Name: name, Kind: kind}
		for _, r := range []*reader{a.takers[name], a.readers[name]} {
			if r != nil && r.err != nil {
				s.Error = r.err.Error()
			}
		}
		st.Sources = append(st.Sources, s)
	}
	if len(a.pruned) > 0 {
		st.Pruned = maps.Clone(a.pruned)
	}
	last := a.watch.audit.Last()
	if a.turn != nil {
		st.Audit = &client.Audit{At: last.At}
	} else {
		last.Findings = nil
	}
	for _, f := range last.Findings {
		st.Audit.Findings = append(st.Audit.Findings, f.Text)
	}
	if g.beat != nil {
		h := g.beat.Status()
		st.Heartbeat = &client.Heartbeat{SentAt: h.SentAt, Blocked: h.Blocked, Failure: h.Failure}
		if a.turn == nil {
			st.Heartbeat.Blocked = []string{"the process that leads sends it"}
		}
	}
	slices.SortFunc(st.Sources, func(x, y client.Source) int { return strings.Compare(x.Name, y.Name) })
	return st
}

// revision names what is in force: it changes with the configuration and with any rule.
func (p *Plan) revision() string {
	h := sha256.New()
	h.Write(p.File.Root.JSON())
	for _, r := range p.Rules.Rules {
		fmt.Fprintf(h, "%s %s %s %s\n", r.Name, r.Hash, r.Severity, r.Mode)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}
