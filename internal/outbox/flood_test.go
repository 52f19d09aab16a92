package outbox_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"tocsin/internal/engine"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/notifiers"
	"tocsin/rules"
)

// flood is how many matching lines come, 100,000 a second. A minute of it: go test ./internal/outbox -run Flood -flood 6000000
var flood = flag.Int("flood", 20_000, "matching lines of TestAFloodIsOnePage")

const floodRule = `
rules:
  - name: hook-down
    filter: resource.labels.cluster_name="prow" resource.labels.namespace_name="default" jsonPayload.msg="cannot answer"
    group_by: {cluster: resource.labels.cluster_name, service: resource.labels.container_name}
    detect: {threshold: {count: 3, window: 10m}}
    resolves: {on_quiet: {after: 15m}}
    severity: critical
    mode: page
`

// TestAFloodIsOnePage: of 100,000 matches a second there is one page, every line is counted, and memory does not grow with them.
func TestAFloodIsOnePage(t *testing.T) {
	ctx, day := context.Background(), time.Date(2019, 1, 23, 12, 0, 0, 0, time.UTC)
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "tocsin.db"), store.Options{Now: func() time.Time { return day.Add(-24 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, errs := rules.Read("flood.yaml", []byte(floodRule))
	plan, wrong := escalation.NewPlan(escalation.Policy{Steps: []escalation.Step{{Notify: []string{"oncall"}}}}, escalation.Known{Receivers: []string{"oncall"}})
	if len(errs) > 0 || len(wrong) > 0 {
		t.Fatal(errs, wrong)
	}
	desk := &store.Desk{Traits: map[string]incident.Traits{"oncall": {Pages: true}, "ops": {Edits: true}},
		Direct: func(*incident.Incident, time.Time) incident.Direction {
			return incident.Direction{Receivers: []string{"ops"}, Policy: "page"}
		}}
	e, err := engine.New(ctx, s, engine.Options{Program: engine.Program{Evaluator: &rules.Evaluator{Set: rules.NewSet(list), Lateness: time.Minute}, Desk: desk, Project: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	esc := escalation.New(s, func() escalation.Program {
		return escalation.Program{Plans: map[string]*escalation.Plan{"page": plan}, Fallback: "ops", Desk: desk}
	}, nil)
	oncall, ops := &provider{}, &provider{}
	box := outbox.New(s, outbox.Options{Fallback: "ops", Targets: map[string]outbox.Target{
		"oncall": {Notifier: oncall, Traits: notifiers.Traits{Pages: true}}, "ops": {Notifier: ops, Traits: notifiers.Traits{Edits: true}}}})
	const each = 5_000 // a twentieth of a second
	began, most, before := time.Now(), uint64(0), heap()
	for n := 0; n < *flood; n += each {
		now := day.Add(time.Duration(n/each+1) * time.Second / 20)
		if err := e.Offer(ctx, floodBatch(n, each, now)); err != nil {
			t.Fatal(err)
		}
		for _, step := range []func(context.Context, time.Time) (time.Time, error){e.Step, esc.Step, box.Step} {
			for next := now; !next.IsZero() && !next.After(now); {
				if next, err = step(ctx, now); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n%(100*each) == 0 {
			most = max(most, heap())
		}
	}
	most = max(most, heap())
	t.Logf("%d lines in %s, heap %d KiB before and %d KiB at the most", *flood, time.Since(began).Round(time.Millisecond), before>>10, most>>10)
	if calls := oncall.calls(); len(calls) != 1 {
		t.Errorf("%d pages, want 1", len(calls))
	}
	if grown := int64(most) - int64(before); grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	counts := e.Counts()
	err = s.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Incidents(ctx, store.IncidentFilter{})
		if err != nil || len(all) != 1 || len(all[0].Alerts) != 1 {
			return fmt.Errorf("%d incidents, %w", len(all), err)
		}
		a := all[0].Alerts[0]
		if counts.Entries != *flood || int(a.Count)+counts.Late != *flood {
			t.Errorf("%d of %d lines were read, %d counted (about: %v), %d were late: what is dropped must be recorded", counts.Entries, *flood, a.Count, a.About, counts.Late)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if n := len(ops.took()); n > 60 {
		t.Errorf("%d messages and edits", n)
	}
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func floodBatch(from, n int, now time.Time) logs.Batch {
	var b bytes.Buffer
	at := now.UTC().Format(time.RFC3339Nano)
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&b, `{"logName":"projects/p/logs/stderr","insertId":"l%d","timestamp":%q,"receiveTimestamp":%[2]q,"severity":"ERROR","resource":{"type":"k8s_container",`+
			`"labels":{"project_id":"p","cluster_name":"prow","namespace_name":"default","container_name":"hook"}},"jsonPayload":{"msg":"cannot answer","n":%[1]d}}`+"\n", i, at)
	}
	return logs.Batch{Source: "src", Data: b.Bytes(), Cursor: logs.Cursor(fmt.Sprint(from + n)), Received: now, CaughtUp: true}
}
