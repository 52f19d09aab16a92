package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/detectors"
	"tocsin/internal/setting"
	"tocsin/internal/store"
	"tocsin/rules"
)

// faulty is a detector that panics at its second entry.
type faulty struct{ detectors.Threshold }

type faultyGroup struct {
	detectors.Detector
	seen *int
}

func (f *faulty) New(state json.RawMessage) (detectors.Detector, error) {
	d, err := f.Threshold.New(state)
	return faultyGroup{d, new(int)}, err
}

func (g faultyGroup) Observe(m detectors.Match) {
	if *g.seen++; *g.seen > 1 {
		panic("index out of range [2] with length 2")
	}
	g.Detector.Observe(m)
}

const withFaulty = ruleFile + `
  - name: bad-one
    filter: resource.labels.cluster_name="prow" jsonPayload.msg="bad"
    detect: {faulty: {}}
    severity: high
  - name: worded-badly
    filter: resource.labels.cluster_name="prow" jsonPayload.msg="bad"
    detect: {threshold: {count: 1, window: 10m}}
    severity: info
    annotations: {summary: '{{ .Entry.jsonPayload.msg | reReplaceAll "(" "" }}'}
`

// standing are the troubles that stand: kind and rule.
func (l *life) standing() []string {
	l.t.Helper()
	var out []string
	err := l.db.View(context.Background(), func(tx *store.Tx) error {
		all, err := tx.Standing(context.Background())
		for _, t := range all {
			out = append(out, t.Kind+" "+t.Labels["rule"])
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// A rule that panics is put aside and reported, and the others go on as if nothing were; another program tries it again. Words that
// fail are reported as well, and told all the same.
func TestARuleThatPanics(t *testing.T) {
	detectors.Kinds["faulty"] = func() detectors.Spec {
		return &faulty{detectors.Threshold{Count: 3, Window: setting.Duration(10 * time.Minute)}}
	}
	defer delete(detectors.Kinds, "faulty")
	l := begin(t, ":memory:", withFaulty)
	defer l.db.Close()
	var log strings.Builder
	l.e.o.Log = slog.New(slog.NewTextHandler(&log, nil))
	l.offer(batch(5*time.Minute, "1", true, fives(1, 5)...))
	l.step(day.Add(5 * time.Minute))
	wantStory(t, l, "five", "count 5", "call oncall round 1", "worded-badly")
	if diff := cmp.Diff([]string{"rule_quarantined bad-one", "template_failed worded-badly"}, l.standing()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if strings.Count(log.String(), "rule=bad-one") != 1 || !strings.Contains(log.String(), "faultyGroup") {
		t.Errorf("the log does not say once which rule, and where:\n%s", log.String())
	}
	for i := range 30 { // nothing of it is due for ever, and nothing is said twice
		at := 6*time.Minute + time.Duration(i)*time.Minute
		l.offer(batch(at, fmt.Sprint(i+2), true))
		l.step(day.Add(at))
	}
	if n := strings.Count(log.String(), "rule=bad-one"); n != 1 {
		t.Errorf("said %d times", n)
	}
	p := l.e.o.Program
	p.Evaluator = &rules.Evaluator{Set: read(t, ruleFile), Lateness: time.Minute}
	if err := l.e.Swap(t.Context(), p, day.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	l.step(day.Add(time.Hour))
	if got := l.standing(); len(got) > 0 {
		t.Errorf("other rules are in force, and %q stands", got)
	}
}
