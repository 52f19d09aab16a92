// Package heartbeat watches the watcher. The audit looks, never off, whether what must always hold does in the live store; the beat
// tells a dead man's switch outside that all is well, only while it is: silence is what raises the alarm there.
package heartbeat

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

const (
	// AuditEvery is how often the audit is run.
	AuditEvery = 10 * time.Second
	// overdueFor is how long a step that is due may wait for its turn.
	overdueFor = 2 * time.Minute
	// fresh is how old an audit may be to be believed.
	fresh = 3 * AuditEvery
)

// The checks of the audit, by their names in the trouble audit_failed. Reliability's numbers: I1, I5, I5, I7, I13.
const (
	CheckCursors  = "cursors"
	CheckPages    = "pages"
	CheckMessages = "messages"
	CheckEnds     = "ends"
	CheckNextStep = "next_step"
)

// Checks are all of them.
var Checks = []string{CheckCursors, CheckPages, CheckMessages, CheckEnds, CheckNextStep}

// Finding is something that does not hold.
type Finding struct {
	Check string
	// Text says it in a line, IDs the rows: of incidents, of notifications, or sources by name.
	Text string
	IDs  []string
}

// AuditOptions are what an audit is made of beside its store.
type AuditOptions struct {
	// Traits are those of the receivers in force, by name.
	Traits func() map[string]incident.Traits
	// Log hears of findings, with their ids; nil: nobody does.
	Log *slog.Logger
	// Since is when this process began: what was overdue before is not its fault, for a while.
	Since time.Time
}

// Audit checks the live store.
type Audit struct {
	store *store.Store
	o     AuditOptions

	mu      sync.Mutex
	last    Outcome
	sources map[string]store.SourceState
}

// Outcome is what an audit came to.
type Outcome struct {
	// At is when it was run; zero for never. An audit that could not be run or written has not been.
	At       time.Time
	Findings []Finding
	// OldestCall is when the oldest call was made that nobody has got yet; zero for none.
	OldestCall time.Time
	// Incidents counts them by state.
	Incidents map[incident.State]int
}

// NewAudit makes an audit of a store.
func NewAudit(s *store.Store, o AuditOptions) *Audit {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Traits == nil {
		o.Traits = func() map[string]incident.Traits { return nil }
	}
	return &Audit{store: s, o: o, sources: map[string]store.SourceState{}}
}

// Last is what the last audit came to.
func (a *Audit) Last() Outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// Step audits once: it reads one snapshot, then writes what it found as troubles of tocsin's own, one a check, and, in any case, that
// it was run: a store that cannot be written has not been audited. It is due again at next.
func (a *Audit) Step(ctx context.Context, now time.Time) (next time.Time, err error) {
	out := Outcome{At: now}
	states := map[string]store.SourceState{}
	err = a.store.View(ctx, func(tx *store.Tx) (err error) {
		out.Findings = nil
		clear(states)
		if out.Findings, err = a.look(ctx, tx, now, states); err != nil {
			return err
		}
		if out.OldestCall, err = tx.OldestCall(ctx); err != nil {
			return err
		}
		out.Incidents, err = tx.CountIncidents(ctx)
		return err
	})
	if err != nil {
		return now, fmt.Errorf("audit: %w", err)
	}
	err = a.store.Update(ctx, func(tx *store.Tx) error {
		for _, check := range Checks {
			t := store.Trouble{Kind: "audit_failed", At: now, Severity: "CRITICAL", Labels: map[string]string{"check": check}}
			if i := slices.IndexFunc(out.Findings, func(f Finding) bool { return f.Check == check }); i >= 0 {
				t.Text = out.Findings[i].Text
			} else {
				t.Over, t.Severity, t.Text = true, "", "it holds again"
			}
			if err := tx.Report(ctx, t); err != nil {
				return err
			}
		}
		return tx.SetFact(ctx, "audited_at", now.UTC().Format(time.RFC3339))
	})
	if err != nil {
		return now, fmt.Errorf("audit: %w", err)
	}
	for _, f := range out.Findings {
		a.o.Log.Error("audit failed", "check", f.Check, "what", f.Text, "ids", strings.Join(f.IDs, " "))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last, a.sources = out, states
	return now.Add(AuditEvery), nil
}

// look runs the checks on one snapshot.
func (a *Audit) look(ctx context.Context, tx *store.Tx, now time.Time, states map[string]store.SourceState) ([]Finding, error) {
	var found []Finding
	add := func(check, text string, ids []string) {
		if len(ids) > 0 {
			found = append(found, Finding{Check: check, Text: fmt.Sprintf("%s: %s", text, strings.Join(ids, ", ")), IDs: ids})
		}
	}
	back, err := a.movedBack(ctx, tx, states)
	if err != nil {
		return nil, err
	}
	add(CheckCursors, "what was read of a source has gone back", back)
	ids, err := tx.Uncalled(ctx)
	if err != nil {
		return nil, err
	}
	add(CheckPages, "an open incident was to be paged for, and no page is there", ids)
	if ids, err = a.untold(ctx, tx); err != nil {
		return nil, err
	}
	add(CheckMessages, "a receiver of an open incident was never told", ids)
	if ids, err = tx.Misended(ctx); err != nil {
		return nil, err
	}
	add(CheckEnds, "a page ended though nobody had it", ids)
	if now.Sub(a.o.Since) >= overdueFor { // a process that just began may have much to make up for
		if ids, err = tx.Overdue(ctx, now.Add(-overdueFor)); err != nil {
			return nil, err
		}
		add(CheckNextStep, "an open incident waits for no next step, or for one that is overdue", ids)
	}
	return found, nil
}

// movedBack are the sources of which less is known than at the audit before: the clock and the counts of a source only rise. What it
// read is written to states.
func (a *Audit) movedBack(ctx context.Context, tx *store.Tx, states map[string]store.SourceState) ([]string, error) {
	all, err := tx.Sources(ctx)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	before := a.sources
	a.mu.Unlock()
	for _, s := range all {
		states[s.Name] = s
	}
	var back []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		b, s := before[name], states[name]
		if s.Clock.Before(b.Clock) || s.Entries < b.Entries || s.Matches < b.Matches || b.Cursor != "" && s.Cursor == "" {
			back = append(back, name)
		}
	}
	return back, nil
}

// untold are the incidents of which a receiver that should have a message has no notification at all.
func (a *Audit) untold(ctx context.Context, tx *store.Tx) ([]string, error) {
	rows, err := tx.Untold(ctx)
	if err != nil {
		return nil, err
	}
	traits := a.o.Traits()
	var ids []string
	for _, n := range rows {
		t, known := traits[n.Target]
		if known && !t.Pages && len(ids) < 20 {
			ids = append(ids, n.Incident+" at "+n.Target)
		}
	}
	return ids, nil
}
