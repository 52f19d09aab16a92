package app

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/engine"
	"tocsin/internal/logs"
	"tocsin/internal/sources"
	"tocsin/internal/store"
	"tocsin/rules"
)

// TestProbePoints: what a probe writes as its entry is understood: an answer with its phases, a status that is not well, no answer at all.
func TestProbePoints(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(server.Close)
	settings := sources.Kinds["http_probe"]().(*sources.HTTPProbe)
	settings.URL = server.URL
	ask := func() store.ProbePoint {
		t.Helper()
		src, err := settings.New("hook", sources.Env{Project: "p"})
		if err != nil {
			t.Fatal(err)
		}
		out := make(chan logs.Batch, 1)
		go func() { _ = src.Read(t.Context(), "", out) }() // ends with the test
		p, ok := probePoint("hook", (<-out).Data)
		if !ok {
			t.Fatal("the entry is none of a probe's")
		}
		return p
	}
	p := ask()
	if p.Probes != 1 || p.Answered != 1 || p.Failed != 0 || p.Status != 200 || p.Latency <= 0 || p.Latency != p.Slowest || p.FirstByte <= 0 || p.FirstByte > p.Latency || p.Error != "" {
		t.Errorf("well: %+v", p)
	}
	if !p.At.Equal(p.Newest.Truncate(5*time.Minute)) || time.Since(p.Newest) > time.Minute {
		t.Errorf("at %s of %s", p.Newest, p.At)
	}
	status = http.StatusInternalServerError
	if p = ask(); p.Answered != 1 || p.Failed != 1 || p.Status != 500 || p.Error != "status 500 Internal Server Error, healthy is 200" {
		t.Errorf("not well: %+v", p)
	}
	server.Close()
	if p = ask(); p.Answered != 0 || p.Failed != 1 || p.Status != 0 || p.Latency != 0 || p.Error == "" {
		t.Errorf("no answer: %+v", p)
	}
	blind := `{"timestamp":"2026-11-22T12:00:01Z","httpRequest":{"latency":"1s"},"jsonPayload":{"blind":true,"error":"the control target fails too","phases":{}}}`
	if p, ok := probePoint("hook", []byte(blind)); !ok || p.Blind != 1 || p.Failed != 0 || p.Error != "" {
		t.Errorf("blind: %+v", p)
	}
	for _, bad := range []string{"", "{", "[]", `{"jsonPayload":{"success":true}}`, `{"timestamp":"2026-11-22T12:00:01Z","jsonPayload":{"phases":{"dns":"x"}}}`} {
		if p, ok := probePoint("hook", []byte(bad)); ok {
			t.Errorf("%q gives %+v", bad, p)
		}
	}
}

// TestKeepSeries: what came in a minute is one row of a probe and one of a rule; what cannot be written waits for the next minute, and is counted once.
func TestKeepSeries(t *testing.T) {
	ctx := t.Context()
	broken := false
	s, err := store.Open(ctx, ":memory:", store.Options{Fault: func(at string) error {
		if broken && at == "commit" {
			return errors.New("the disk is full")
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	held, _, err := s.Acquire(ctx, engineLease)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(ctx, held, engine.Options{Program: engine.Program{Evaluator: &rules.Evaluator{Set: rules.NewSet(nil)}}})
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	a := &App{store: s, o: Options{Log: slog.New(slog.DiscardHandler)}}
	plan := &Plan{Sources: map[string]sources.Spec{"hook": &sources.HTTPProbe{}, "logs": &sources.File{}}}
	probed := func(name, timestamp string) {
		a.series.probed(plan, logs.Batch{Source: name, Data: []byte(`{"timestamp":"` + timestamp + `","httpRequest":{"status":200,"latency":"0.1s"},"jsonPayload":{"success":true}}` + "\n")})
	}
	read := func() (probes []store.ProbePoint, all []store.RulePoint) {
		t.Helper()
		err := s.View(ctx, func(tx *store.Tx) (err error) {
			if probes, err = tx.ProbePoints(ctx, "hook", noon, store.ProbeSpan); err == nil {
				all, err = tx.RulePoints(ctx, "", noon)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return probes, all
	}
	step := a.keepSeries(&lead{held: held, engine: e})
	at := func(now time.Time) {
		t.Helper()
		next, err := step(ctx, now)
		if err != nil || !next.Equal(now.Add(time.Minute)) {
			t.Fatalf("next at %s, %v", next, err)
		}
	}
	at(noon)
	if err := e.Offer(ctx, logs.Batch{Source: "logs", Data: []byte("{\"a\":1}\n{\"a\":2}\n"), Received: noon}); err != nil {
		t.Fatal(err)
	}
	probed("hook", "2026-11-22T12:00:10Z")
	probed("logs", "2026-11-22T12:00:10Z") // what a log says is no probe's
	probed("hook", "2026-11-22T12:00:40Z")
	broken = true
	at(noon.Add(time.Minute))
	broken = false
	if probes, _ := read(); len(probes) != 0 {
		t.Errorf("written though it failed: %+v", probes)
	}
	probed("hook", "2026-11-22T12:01:10Z")
	probed("hook", "2026-11-22T12:05:10Z")
	at(noon.Add(2 * time.Minute))
	at(noon.Add(3 * time.Minute))
	probes, all := read()
	if len(probes) != 2 || probes[0].Probes != 3 || probes[0].Latency != 300*time.Millisecond || probes[1].Probes != 1 {
		t.Errorf("of the probe: %+v", probes)
	}
	if diff := cmp.Diff([]store.RulePoint{{At: noon, Matches: 2}}, all, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Spent" }, cmp.Ignore())); diff != "" {
		t.Errorf("of all rules (-want +got):\n%s", diff)
	}
	if a.series.newest["hook"].Newest.Minute() != 5 {
		t.Errorf("the newest is %+v", a.series.newest)
	}
}
