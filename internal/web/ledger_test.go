package web

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// A source's ledger is on the first page, in the API and in the metrics: what was caught up with, left out and late, and when it was blind.
func TestLedger(t *testing.T) {
	server, c, s := serve(t, nil)
	src := watched()[0]
	src.Backlog, src.Passed = 1200, 77
	fill(t, s, nil, nil, nil, src)
	blind := func(now time.Time, all map[string]store.BlindSpan) {
		t.Helper()
		if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.KeepBlind(context.Background(), now, all) }); err != nil {
			t.Fatal(err)
		}
	}
	const evil = "<b>denied</b>\x1b[2J"
	blind(noon.Add(-time.Hour), map[string]store.BlindSpan{"prow-logs": {Since: noon.Add(-time.Hour), Why: evil}})
	blind(noon.Add(-50*time.Minute), nil)
	blind(noon.Add(-time.Minute), map[string]store.BlindSpan{"prow-logs": {Since: noon.Add(-2 * time.Minute), Why: "away"}})
	_, page := ask(t, server.Config.Handler, "GET", "/", "")
	expect(t, page, "1,200 caught up", "prow-logs blind since 2 min ago: away", "prow-logs was blind for 10 min until 50 min ago: <b>denied</b>␛")
	is, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []client.BlindSpan{{Since: noon.Add(-2 * time.Minute), Why: "away"}, {Since: noon.Add(-time.Hour), Until: noon.Add(-50 * time.Minute), Why: evil}}
	if diff := cmp.Diff(want, is.Sources[0].BlindSpans); diff != "" || is.Sources[0].Backlog != 1200 || is.Sources[0].Passed != 77 {
		t.Errorf("%+v: %s", is.Sources[0], diff)
	}
}

// A source that could not be read since the database was made is blind, and how far it is behind nobody knows.
func TestNeverRead(t *testing.T) {
	h, s, _ := filled(t, func(o *Options) {
		status := o.Status
		o.Status = func() Status {
			is := status()
			is.Sources = append(is.Sources, client.Source{Name: "dark", Kind: "cloud_logging"})
			return is
		}
	})
	if err := s.Update(t.Context(), func(tx *store.Tx) error {
		return tx.KeepBlind(t.Context(), noon, map[string]store.BlindSpan{"dark": {Since: noon.Add(-time.Minute), Why: "no credentials"}})
	}); err != nil {
		t.Fatal(err)
	}
	_, text := ask(t, h, "GET", "/metrics", "")
	expect(t, text, `tocsin_source_blind{source="dark"} 1`, `tocsin_source_caught_up{source="dark"} 0`, `tocsin_source_blind_seconds{source="dark"} 60`)
	if strings.Contains(text, `tocsin_source_lag_seconds{source="dark"}`) {
		t.Error("a lag is given that nobody knows")
	}
	_, text = ask(t, h, "GET", "/sources", "")
	expect(t, text, "unknown")
	_, text = ask(t, h, "GET", "/api/v1/status", "")
	expect(t, text, `"name":"dark","kind":"cloud_logging","caught_up":false,"blind":true`)
}
