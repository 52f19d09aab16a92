package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/rules"
)

// slice is what one transaction did.
type slice struct {
	used     int
	complete []*offered
	fired    map[string]int
	late     int
	// aside are the rules that were put aside before it was written; a scan beside it may put aside more, for the next.
	aside map[string]rules.Aside
	// sources are as they are stored with it: as of the batches that are complete, not of all that were offered.
	sources map[string]store.SourceState
	// due is when the next state has something due; zero for never.
	due time.Time
}

// slice evaluates what is there up to now, and writes what came of it.
func (e *Engine) slice(ctx context.Context, tx *store.Tx, now time.Time) (slice, error) {
	done := slice{fired: map[string]int{}}
	ev := e.o.Program.Evaluator
	in := rules.Slice{Hits: e.queue, Watermark: e.watermark(now), Sight: e.sight,
		Load:   func(key incident.Key) (*rules.State, error) { return e.load(ctx, tx, key) },
		Groups: func(rule string) (int, error) { return tx.CountStates(ctx, rule) }}
	if e.o.Virtual {
		in.Until = now
	} else {
		in.Gone, in.Ahead = e.gone, e.ahead
		in.Clock = func(name string) (time.Time, error) { return e.clockOf(ctx, tx, name, now) }
	}
	if len(in.Hits) > maxSlice {
		in.Hits = in.Hits[:maxSlice]
		if last := in.Hits[maxSlice-1].Entry.Clock; last.Before(in.Watermark) {
			in.Watermark = last
		}
	}
	var err error
	if in.Due, err = e.due(ctx, tx, in.Watermark, now, &done); err != nil {
		return done, err
	}
	out, err := ev.Step(in)
	if err != nil {
		return done, err
	}
	done.aside = ev.Set.Aside()
	if err := e.ownTroubles(ctx, tx, done.aside, now); err != nil {
		return done, err
	}
	if err := e.folded(ctx, tx, out.Folded, now); err != nil {
		return done, err
	}
	for _, err := range out.Afresh {
		e.o.Log.Error("a state of detection cannot be read: its group begins anew", "error", err)
	}
	for i := range out.Changes {
		c := &out.Changes[i]
		if !e.o.Virtual {
			c.At = now
		}
		if err := e.apply(ctx, tx, c, &done); err != nil {
			return done, err
		}
	}
	for key, st := range out.States {
		if err := e.save(ctx, tx, key, st, now); err != nil {
			return done, err
		}
	}
	done.used = out.Used
	for _, n := range out.Late {
		done.late += n
	}
	if err := e.finish(ctx, tx, &done, out.Late); err != nil {
		return done, err
	}
	done.due, err = tx.NextStateDue(ctx)
	return done, err
}

// due lists what waits up to the watermark; after the clock was set right, what waited for the wrong one to pass too. What belongs to a rule that is gone is ended here.
func (e *Engine) due(ctx context.Context, tx *store.Tx, mark, now time.Time, done *slice) ([]rules.Waiting, error) {
	most := 500
	if e.review.After(mark) {
		most = 0
	}
	states, err := tx.DueStates(ctx, later(mark, e.review), most)
	if err != nil {
		return nil, err
	}
	var list []rules.Waiting
	for _, s := range states {
		if e.o.Program.Evaluator.Set.IsAside(s.Key.Rule) { // else it would be due for ever
			s.Due = now.Add(time.Minute)
			if err := tx.SaveState(ctx, s); err != nil {
				return nil, err
			}
			continue
		}
		if e.o.Program.Evaluator.Set.Rule(s.Key.Rule) != nil {
			if s.Due.After(mark) { // it is only looked at anew
				s.Due = mark
			}
			list = append(list, rules.Waiting{Key: s.Key, At: s.Due})
			continue
		}
		if s.Due.After(mark) {
			continue
		}
		if err := e.endOrphan(ctx, tx, s.Key, now); err != nil {
			return nil, err
		}
	}
	rules.SortWaiting(list)
	return list, nil
}

// load reads a state. One that an older form of its rule left starts afresh; the alert that it left open stays.
func (e *Engine) load(ctx context.Context, tx *store.Tx, key incident.Key) (*rules.State, error) {
	row, ok, err := tx.State(ctx, key)
	if err != nil || !ok {
		return nil, err
	}
	st, err := rules.DecodeState(row.Body)
	if err != nil { // one group begins anew rather than that all stop
		e.o.Log.Error("a state of detection cannot be read: its group begins anew", "rule", key.Rule, "group", key.Group, "error", err)
		return e.afresh(ctx, tx, key)
	}
	if r := e.o.Program.Evaluator.Set.Rule(key.Rule); r != nil && r.Hash != row.Hash {
		st = &rules.State{Group: st.Group, Source: st.Source, Alert: st.Alert}
	}
	return st, e.endedByHand(ctx, tx, st, key)
}

// endedByHand lets a group know that somebody has ended its alert: where nothing else does, or while its rule was gone or another. A group that
// took it for firing would only count what comes, and call nobody.
func (e *Engine) endedByHand(ctx context.Context, tx *store.Tx, st *rules.State, key incident.Key) error {
	set := e.o.Program.Evaluator.Set
	r := set.Rule(key.Rule)
	if st.Alert == nil || r == nil {
		return nil
	}
	_, fires, err := tx.FiringAlert(ctx, key)
	if err == nil && !fires {
		r.Over(st)
	}
	return err
}

// afresh is the state of a group of which only the alert that fires is known, if one does.
func (e *Engine) afresh(ctx context.Context, tx *store.Tx, key incident.Key) (*rules.State, error) {
	st := &rules.State{Group: incident.Labels{}}
	if err := json.Unmarshal([]byte(key.Group), &st.Group); err != nil {
		return nil, fmt.Errorf("read group %s of rule %s: %w", key.Group, key.Rule, err)
	}
	a, ok, err := tx.FiringAlert(ctx, key)
	if ok {
		st.Alert = &a
	}
	return st, err
}

func (e *Engine) save(ctx context.Context, tx *store.Tx, key incident.Key, st *rules.State, now time.Time) error {
	r := e.o.Program.Evaluator.Set.Rule(key.Rule)
	due := e.o.Program.Evaluator.NextDue(r, st)
	if st.Empty() && due.IsZero() {
		if len(st.Folded) > 0 && !e.o.Virtual {
			if err := tx.Report(ctx, store.Trouble{Kind: "groups_folded", Labels: map[string]string{"rule": key.Rule}, At: now, Over: true,
				Text: "its groups are few again"}); err != nil {
				return err
			}
		}
		return tx.DeleteState(ctx, key)
	}
	body, err := st.Encode()
	if err != nil { // one group begins anew rather than that all stop
		e.o.Log.Error("a state of detection cannot be kept: its group begins anew", "rule", key.Rule, "group", key.Group, "error", err)
		begins := rules.State{Group: st.Group, Source: st.Source, Alert: st.Alert}
		if body, err = begins.Encode(); err != nil {
			return err
		}
	}
	return tx.SaveState(ctx, store.GroupState{Key: key, Hash: r.Hash, Body: body, Due: due, Firing: st.Alert != nil})
}

// folded reports the rules that have more groups than they may.
func (e *Engine) folded(ctx context.Context, tx *store.Tx, texts map[string]string, now time.Time) error {
	if e.o.Virtual {
		return nil
	}
	for _, rule := range slices.Sorted(maps.Keys(texts)) {
		t := store.Trouble{Kind: "groups_folded", Labels: map[string]string{"rule": rule}, At: now, Severity: "WARNING", Text: texts[rule]}
		if err := tx.Report(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// finish moves the cursors of the sources whose batches are complete with this slice.
func (e *Engine) finish(ctx context.Context, tx *store.Tx, done *slice, late map[string]int) error {
	for _, o := range e.offered {
		if o.end <= done.used {
			done.complete = append(done.complete, o)
		}
	}
	if e.o.Virtual {
		return nil
	}
	done.sources = map[string]store.SourceState{}
	for name, n := range late {
		if src := e.sources[name]; src != nil {
			st := src.stored
			st.Late += int64(n)
			done.sources[name] = st
		}
	}
	for _, o := range done.complete {
		src := e.sources[o.batch.Source]
		if src == nil {
			continue
		}
		st, ok := done.sources[o.batch.Source]
		if !ok {
			st = src.stored
		}
		if o.batch.Cursor == "" && len(o.batch.Data) == 0 && o.batch.CaughtUp == st.CaughtUp && o.batch.Blind == st.Blind {
			continue // a mere sign of life, which need not be kept
		}
		done.sources[o.batch.Source] = counted(st, o)
	}
	for _, st := range done.sources {
		if err := tx.SaveSource(ctx, st); err != nil {
			return err
		}
	}
	return nil
}

// counted is a source's stored state after one more batch.
func counted(st store.SourceState, o *offered) store.SourceState {
	if o.batch.Cursor != "" {
		st.Cursor = o.batch.Cursor
	}
	st.Clock = later(st.Clock, o.progress.Clock)
	st.ReceivedAt = later(st.ReceivedAt, o.batch.Received)
	st.CaughtUp, st.Blind = o.batch.CaughtUp, o.batch.Blind
	st.Entries += int64(o.progress.Entries)
	st.Broken += int64(o.progress.Broken)
	st.Matches += int64(o.hits)
	st.Passed += int64(o.batch.Passed)
	if o.batch.Backlog {
		st.Backlog += int64(o.progress.Entries)
	}
	return st
}

// apply turns a change of an alert into one of incidents.
func (e *Engine) apply(ctx context.Context, tx *store.Tx, c *rules.Change, done *slice) error {
	a := c.Alert
	if a.Labels["project"] == "" {
		a.Labels["project"] = e.o.Program.Project
	}
	a.FiredAt = c.At
	switch {
	case c.Kind == rules.Fired:
		done.fired[a.Rule]++
	case c.Kind == rules.Resolved:
		done.fired[a.Rule]--
	}
	if c.Kind == rules.Fired {
		if !e.o.Virtual {
			t := store.Trouble{Kind: "template_failed", At: c.At, Severity: "WARNING", Labels: map[string]string{"rule": a.Rule}, Text: c.Spoiled}
			if t.Over = c.Spoiled == ""; t.Over {
				t.Severity = ""
			}
			if err := tx.Report(ctx, t); err != nil {
				return err
			}
		}
		return e.fired(ctx, tx, c, a)
	}
	cur, ok, err := tx.FiringAlert(ctx, a.Key)
	if err != nil || !ok {
		return err
	}
	if c.Kind == rules.Counted {
		cur.Last, cur.Count, cur.About, cur.Lines, cur.List = a.Last, cur.Count+c.Added, a.About, a.Lines, a.List
		if a.First.Before(cur.First) {
			cur.First, cur.FirstLine = a.First, a.FirstLine
		}
		if c.Recaused {
			cur.Annotations, cur.FirstLine = a.Annotations, a.FirstLine
		}
		if !c.Doubled && !c.Recaused || cur.Incident == "" {
			return tx.SaveAlert(ctx, &cur)
		}
		return e.within(ctx, tx, cur, c, func(b *incident.Book) { b.Count(cur, true) })
	}
	cur.State, cur.ResolvedAt = incident.AlertResolved, c.At
	if e.o.Changed != nil {
		e.o.Changed(*c, cur.Incident)
	}
	if cur.Incident == "" {
		return tx.SaveAlert(ctx, &cur)
	}
	return e.within(ctx, tx, cur, c, func(b *incident.Book) { b.Clear(cur.Incident, cur.Key, c.How) })
}

func (e *Engine) fired(ctx context.Context, tx *store.Tx, c *rules.Change, a incident.Alert) error {
	if a.Mode == incident.Shadow {
		if e.o.Changed != nil {
			e.o.Changed(*c, "")
		}
		if err := tx.SaveAlert(ctx, &a); err != nil {
			return err
		}
		return tx.AddFiring(ctx, store.Firing{Key: a.Key, At: c.At, Mode: a.Mode})
	}
	if err := noteChanges(ctx, tx, &a); err != nil {
		return err
	}
	near, err := tx.Near(ctx, &a, c.At.Add(-incident.ReopenWithin))
	if err != nil {
		return err
	}
	book := incident.NewBook(c.At, near)
	book.Damp(e.o.Program.Desk.Damping)
	inc := book.Fire(a)
	if e.o.Changed != nil {
		e.o.Changed(*c, inc.ID)
	}
	if err := tx.AddFiring(ctx, store.Firing{Key: a.Key, At: c.At, Mode: a.Mode, Incident: inc.ID}); err != nil {
		return err
	}
	return e.o.Program.Desk.Settle(ctx, tx, c.At, book)
}

// within lets something happen to the incident of an alert, which concerns no other, and settles it.
func (e *Engine) within(ctx context.Context, tx *store.Tx, a incident.Alert, c *rules.Change, do func(b *incident.Book)) error {
	var its []incident.Incident // none, if it is not there any more: that must not stop everything
	switch inc, err := tx.Incident(ctx, a.Incident); {
	case err == nil:
		its = append(its, inc)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	book := incident.NewBook(c.At, its)
	book.Damp(e.o.Program.Desk.Damping)
	do(book)
	return e.o.Program.Desk.Settle(ctx, tx, c.At, book)
}
