package cloudlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	logtype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/internal/engine"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/store"
	"tocsin/rules"
)

// dayRules count every entry that is wanted, in groups of ten minutes of it.
const dayRules = `rules:
  - name: wanted
    filter: resource.type="k8s_container" severity>=ERROR
    group_by: {slot: labels.slot}
    detect: {threshold: {count: 1, window: 10m}}
    resolves: by_hand
    severity: warning
    mode: shadow
`

// day is one day of a service that reads from a stand-in, with the product's own engine and store.
type day struct {
	*world
	chance *rand.Rand
	wanted map[string]int64 // by slot: how many entries are to be counted
	n      int
	db     *store.Store
	engine *engine.Engine
	set    *rules.Set
	over   chan struct{}
}

// TestADay lets the tail end each hour, break off fifty times and leave entries out twenty times, in a day of entries that come late,
// twice, out of order and as payloads that nobody can read: each that a rule wants is evaluated once, and the ledger adds up.
func TestADay(t *testing.T) {
	for _, seed := range daysInTest {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			restarts := 0
			if seed%2 == 1 {
				restarts = 8
			}
			aDay(t, seed, restarts)
		})
	}
}

func aDay(t *testing.T, seed uint64, restarts int) {
	list, errs := rules.Read("day.yaml", []byte(dayRules))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	chance := rand.New(rand.NewPCG(seed, 24))
	bubble(t, nil, func(w *world) {
		d := &day{world: w, chance: chance, wanted: map[string]int64{}, set: rules.NewSet(list)}
		d.server.Tails.Life = time.Hour
		served := rand.New(rand.NewPCG(seed, 25)) // the server's goroutines take turns under its mutex
		d.server.Tails.Late = func() time.Duration { return time.Duration(served.ExpFloat64() * float64(2*time.Second)) }
		d.server.Tails.Twice = func() bool { return served.IntN(20) == 0 }
		d.server.ListLate = func() time.Duration {
			return min(50*time.Second, time.Duration(served.ExpFloat64()*float64(3*time.Second)))
		}
		w.filter.Store(lql.Cover(d.set.Filters("prow", func(string) bool { return false }), maxFilter))
		var err error
		if d.db, err = store.Open(w.t.Context(), ":memory:", store.Options{}); err != nil {
			w.t.Fatal(err)
		}
		defer d.db.Close()
		d.start()
		troubles := d.schedule(restarts)
		for began := time.Now(); time.Since(began) < 24*time.Hour; {
			for len(troubles) > 0 && time.Since(began) >= troubles[0].at {
				troubles[0].do()
				troubles = troubles[1:]
			}
			d.write()
			w.wait(time.Duration(1 + d.chance.IntN(int(12*time.Second))))
		}
		w.wait(10 * time.Minute)
		d.judge(restarts)
		d.end()
		w.cancel = nil
	})
}

// trouble is something that happens to the tail.
type trouble struct {
	at time.Duration
	do func()
}

// schedule throws fifty breaks, twenty suppressions and the restarts over the day.
func (d *day) schedule(restarts int) []trouble {
	ways := []codes.Code{codes.Unavailable, codes.Internal, codes.ResourceExhausted, codes.DeadlineExceeded, codes.OutOfRange, codes.PermissionDenied, codes.Unavailable}
	kinds := make([]func(), 0, 70+restarts)
	for i := range 50 {
		kinds = append(kinds, func() {
			d.burst(d.chance.IntN(20))
			d.server.Break(ways[i%len(ways)], "broken off")
			if d.chance.IntN(2) == 0 {
				d.server.FailTails(d.chance.IntN(5), ways[i%len(ways)], "not yet")
			}
			if d.chance.IntN(3) == 0 {
				d.server.Fail(d.chance.IntN(6), codes.Unavailable, "away")
			}
			d.burst(d.chance.IntN(20))
		})
	}
	for i := range 20 {
		kinds = append(kinds, func() {
			d.server.Suppress(1+d.chance.IntN(30), loggingpb.TailLogEntriesResponse_SuppressionInfo_Reason(1+i%2))
			d.burst(d.chance.IntN(40))
		})
	}
	for range restarts {
		kinds = append(kinds, func() {
			d.burst(d.chance.IntN(20))
			d.end()
			d.burst(d.chance.IntN(20))
			d.start()
		})
	}
	d.chance.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	out := make([]trouble, len(kinds))
	for i, do := range kinds {
		out[i] = trouble{at: time.Duration(i)*24*time.Hour/time.Duration(len(kinds)) + time.Duration(d.chance.IntN(int(15*time.Minute))), do: do}
	}
	return out
}

// start begins a life of the service from what was committed.
func (d *day) start() {
	ctx, cancel := context.WithCancel(d.t.Context())
	e, err := engine.New(ctx, d.db, engine.Options{Program: engine.Program{Evaluator: &rules.Evaluator{Set: d.set, Lateness: time.Minute}, Desk: &store.Desk{}, Project: "p"}})
	if err != nil {
		d.t.Fatal(err)
	}
	var from logs.Cursor
	if err := d.db.View(ctx, func(tx *store.Tx) error {
		st, err := tx.Source(ctx, "prow")
		from = st.Cursor
		return err
	}); err != nil {
		d.t.Fatal(err)
	}
	out := make(chan logs.Batch, 4)
	over := make(chan struct{})
	d.engine, d.cancel, d.over, d.ended = e, cancel, over, make(chan error, 1)
	go func() { d.ended <- d.src.Read(ctx, from, out) }()
	go func() {
		defer close(over)
		for {
			select {
			case <-ctx.Done():
				return
			case b := <-out:
				if err := e.Offer(context.Background(), b); err != nil {
					d.t.Error(err)
				}
				for next := time.Now(); !next.IsZero() && !next.After(time.Now()); {
					if next, err = e.Step(context.Background(), time.Now()); err != nil {
						d.t.Error(err)
						return
					}
				}
			}
		}
	}()
}

// end ends it as a kill does: what was handed over and not committed is gone.
func (d *day) end() {
	d.cancel()
	if err := <-d.ended; err != nil {
		d.t.Error(err)
	}
	<-d.over
}

// burst writes entries within a few seconds.
func (d *day) burst(n int) {
	for range n {
		d.write()
		d.wait(time.Duration(d.chance.IntN(int(400 * time.Millisecond))))
	}
}

// write lets an entry come: wanted or not, late, with another's insertId, twice.
func (d *day) write() {
	d.n++
	now := time.Now()
	happened := now.Add(-time.Duration(d.chance.ExpFloat64() * float64(time.Second)))
	if d.chance.IntN(30) == 0 {
		happened = now.Add(-time.Duration(d.chance.IntN(int(8 * time.Minute))))
	}
	slot := fmt.Sprint(d.n / 50)
	e := &loggingpb.LogEntry{LogName: "projects/p/logs/stderr", InsertId: fmt.Sprint("e", d.n), Timestamp: timestamppb.New(happened),
		ReceiveTimestamp: timestamppb.New(now.Add(-time.Duration(d.chance.IntN(int(2 * time.Second))))), Severity: logtype.LogSeverity_ERROR,
		Resource: &monitoredres.MonitoredResource{Type: "k8s_container"}, Labels: map[string]string{"slot": slot}}
	switch d.chance.IntN(6) {
	case 0:
		e.Payload = &loggingpb.LogEntry_ProtoPayload{ProtoPayload: &anypb.Any{TypeUrl: "type.googleapis.com/nobody.knows.It", Value: []byte{8, 1, 255}}}
	case 1:
		e.Payload = &loggingpb.LogEntry_TextPayload{TextPayload: "bad\xff"[:3]}
	case 2:
		e.Payload = &loggingpb.LogEntry_JsonPayload{JsonPayload: &structpb.Struct{Fields: map[string]*structpb.Value{"msg": structpb.NewStringValue("bad")}}}
	case 3:
		e.Severity = logtype.LogSeverity_INFO
		d.server.AddEntries(e)
		return
	}
	d.wanted[slot]++
	d.server.AddEntries(e)
	switch d.chance.IntN(30) {
	case 0:
		d.server.AddEntries(e) // the same once more
	case 1:
		e.Timestamp = timestamppb.New(happened.Add(-time.Second)) // another that has the same insertId
		d.wanted[slot]++
		d.server.AddEntries(e)
	}
}

// judge compares what was counted with what came, and the ledger with what was sent.
func (d *day) judge(restarts int) {
	got := map[string]int64{}
	var st store.SourceState
	if err := d.db.View(d.t.Context(), func(tx *store.Tx) (err error) {
		for slot := range d.wanted {
			a, ok, err := tx.FiringAlert(d.t.Context(), incident.Key{Rule: "wanted", Group: incident.Labels{"slot": slot}.Text()})
			if err != nil {
				return err
			}
			if ok {
				got[slot] = a.Count
			}
		}
		st, err = tx.Source(d.t.Context(), "prow")
		return err
	}); err != nil {
		d.t.Fatal(err)
	}
	if diff := cmp.Diff(d.wanted, got); diff != "" {
		d.t.Errorf("entries counted by slot (-wanted +got):\n%s", diff)
	}
	total := int64(0)
	for _, n := range d.wanted {
		total += n
	}
	f, sent := d.src.Figures(), d.server.Sent()
	d.t.Logf("%d wanted; ledger: %d evaluated, %d passed by, %d late, %d caught up; %+v; the stand-in: %+v", total, st.Entries, st.Passed, st.Late, st.Backlog, f, sent)
	if f.Missed != 0 || sent.Suppressed == 0 || f.Breaks < 25 {
		d.t.Errorf("%+v, %+v", f, sent)
	}
	if restarts > 0 {
		return // what was under way to the life before is in nobody's ledger
	}
	if st.Entries != total || st.Late != 0 {
		d.t.Errorf("%d evaluated, %d of them late, want %d", st.Entries, st.Late, total)
	}
	if came := f.Tailed + f.Listed; st.Entries+st.Passed != came || f.Passed != st.Passed || int(came) != sent.Tailed+sent.Listed || int(f.Suppressed) != sent.Suppressed {
		d.t.Errorf("it does not add up: %d evaluated and %d passed by of %d that came; %d were sent, %d suppressed of %d", st.Entries, st.Passed, came,
			sent.Tailed+sent.Listed, f.Suppressed, sent.Suppressed)
	}
}
