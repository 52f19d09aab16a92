package cloudlog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/internal/fakes"
	"tocsin/internal/logs"
	"tocsin/internal/setting"
)

func TestReads(t *testing.T) {
	withoutTail(t, nil, func(w *world) {
		w.filter.Store(`insertId!="unwanted" -- those`)
		w.server.SetRefuse(func(filter string) error {
			if !strings.HasSuffix(filter, " AND (insertId!=\"unwanted\" -- those\n)") {
				return fmt.Errorf("filter %q", filter)
			}
			return nil
		})
		w.add("too old", 16*time.Minute)
		w.add("old", 14*time.Minute)
		w.add("now", 0)
		w.add("unwanted", 0)
		w.read("")
		w.want("old", "now")
		if !w.last().CaughtUp || w.last().Source != "prow" || w.last().Form != logs.Proto {
			t.Errorf("last batch %+v", w.last())
		}
		w.add("next", 0)
		w.wait(9 * time.Second)
		w.want("old", "now")
		w.wait(time.Second) // every 10 s
		w.want("old", "now", "next")
		w.add("listed late", 55*time.Second) // within the overlap
		w.add("too late", 75*time.Second)
		w.wait(10 * time.Second)
		w.want("old", "now", "next", "listed late")
		w.wait(time.Hour)
		w.want("old", "now", "next", "listed late")
		if len(w.told()) > 0 {
			t.Errorf("told %q", w.told())
		}
		req := w.server.Requests()[0]
		if req.GetOrderBy() != "timestamp asc" || req.GetPageSize() != 1000 || !slices.Equal(req.GetResourceNames(), []string{"projects/p"}) {
			t.Errorf("request %v", req)
		}
	})
}

// What was received while nobody read is read after the restart; only the overlap comes again.
func TestResumes(t *testing.T) {
	withoutTail(t, nil, func(w *world) {
		w.add("a", time.Minute)
		w.read("")
		w.wait(10 * time.Minute)
		w.add("b", 0)
		w.wait(10 * time.Second)
		w.want("a", "b")
		cursor := w.stop()
		w.wait(8 * time.Hour)
		for i := range 24 {
			w.add(fmt.Sprintf("c%02d", i), time.Duration(24-i)*20*time.Minute)
		}
		w.read(cursor)
		w.wait(5 * time.Minute)
		var want []string
		for i := range 24 {
			want = append(want, fmt.Sprintf("c%02d", i))
		}
		w.want(append([]string{"b"}, want...)...)
		for i, b := range w.batches() {
			if b.CaughtUp != (i == len(w.batches())-1) && len(b.Data) > 0 {
				t.Errorf("batch %d of %d: caught up is %v", i, len(w.batches()), b.CaughtUp)
			}
		}
		// Wherever it ends, going on from that cursor misses nothing.
		for i, b := range w.batches() {
			if b.Cursor == "" {
				continue
			}
			before := map[string]bool{}
			var p position
			if err := json.Unmarshal([]byte(b.Cursor), &p); err != nil || p.Kind != "cloud_logging" {
				t.Fatalf("cursor %q: %v", b.Cursor, err)
			}
			for _, x := range w.batches()[:i+1] {
				for line := range lines(x) {
					before[line] = true
				}
			}
			for _, x := range w.batches() {
				for line := range lines(x) {
					var e struct{ ReceiveTimestamp time.Time }
					if err := json.Unmarshal([]byte(line), &e); err != nil {
						t.Fatal(err)
					}
					if !before[line] && e.ReceiveTimestamp.Before(p.Received) {
						t.Errorf("batch %d's cursor %v passes by %s", i, p.Received, line)
					}
				}
			}
		}
	})
}

func TestIdleMovesTheCursor(t *testing.T) {
	withoutTail(t, nil, func(w *world) {
		w.read("")
		w.wait(time.Hour)
		var p position
		if err := json.Unmarshal([]byte(w.stop()), &p); err != nil {
			t.Fatal(err)
		}
		if behind := time.Since(p.Received); behind > 3*time.Minute {
			t.Errorf("after an idle hour the cursor is %v behind", behind)
		}
		if len(w.batches()) > 70 {
			t.Errorf("%d batches in an idle hour", len(w.batches()))
		}
	})
}

// A day of backlog, large pages: in receive order, all of it, once each, with the cursor moving, and within the quota.
func TestBacklogWithinTheQuota(t *testing.T) {
	withoutTail(t, func(s *Settings) { s.PageSize, s.Start = 25, setting.Duration(20*time.Hour) }, func(w *world) {
		const n = 5000
		for i := range n {
			w.add(fmt.Sprint(i), 20*time.Hour-time.Duration(i)*12*time.Second)
		}
		w.read("")
		stamps := []time.Time{}
		for range 20 * 60 {
			calls := w.server.Calls()
			for range w.server.Calls() - len(stamps) {
				stamps = append(stamps, time.Now())
			}
			if calls != len(stamps) {
				t.Fatal("calls and stamps differ")
			}
			w.wait(time.Second)
		}
		for i := range stamps {
			if j := i + 61; j < len(stamps) && stamps[j].Sub(stamps[i]) < time.Minute-time.Second {
				t.Fatalf("62 calls within %v", stamps[j].Sub(stamps[i]))
			}
		}
		ids := w.ids()
		if len(ids) != n {
			t.Errorf("%d entries, want %d", len(ids), n)
		}
		for i, id := range ids {
			if id != fmt.Sprint(i) {
				t.Errorf("entry %d is %s: out of receive order", i, id)
				break
			}
		}
		cursors := map[logs.Cursor]bool{}
		for _, b := range w.batches() {
			cursors[b.Cursor] = true
			if len(b.Data) > batchBytes {
				t.Errorf("a batch of %d bytes", len(b.Data))
			}
		}
		if len(cursors) < 50 {
			t.Errorf("the cursor moved %d times in a backlog of 20 h", len(cursors))
		}
		if !w.last().CaughtUp {
			t.Error("not caught up in the end")
		}
	})
}

// More than fits into memory at once is read in smaller slices.
func TestFlood(t *testing.T) {
	withoutTail(t, func(s *Settings) { s.CallsPerMinute = 6000 }, func(w *world) {
		const n, size = 150, 256 << 10 // 38 MiB within a minute
		at := time.Now().Add(-50 * time.Second)
		pad := strings.Repeat("x", size)
		for i := range n {
			w.server.AddEntries(&loggingpb.LogEntry{LogName: "projects/p/logs/stderr", InsertId: fmt.Sprint(i), ReceiveTimestamp: timestamppb.New(at.Add(time.Duration(i) * 200 * time.Millisecond)),
				Payload: &loggingpb.LogEntry_TextPayload{TextPayload: pad}})
		}
		w.read("")
		w.wait(2 * time.Minute)
		ids := w.ids()
		slices.Sort(ids)
		if total := len(ids); total != n || len(slices.Compact(ids)) != n {
			t.Errorf("%d entries, %d of them different, want %d", total, len(slices.Compact(ids)), n)
		}
		if !w.last().CaughtUp {
			t.Error("not caught up in the end")
		}
	})
}

func TestOutage(t *testing.T) {
	tests := map[string]struct {
		code    codes.Code
		message string
		within  time.Duration // how soon it tells
		want    []string      // what it tells of
		back    time.Duration // how soon it is back when the outage ends
	}{
		"unavailable":   {codes.Unavailable, "try again", 95 * time.Second, []string{"source prow: read entries of projects/p: no answer", "logging.googleapis.com:443", "try again"}, 31 * time.Second},
		"no permission": {codes.PermissionDenied, "caller lacks logging.logEntries.list", time.Second, []string{"roles/logging.viewer", "projects/p", "caller lacks"}, 31 * time.Second},
		"no account":    {codes.Unauthenticated, "no token", time.Second, []string{"roles/logging.viewer", "no token"}, 31 * time.Second},
		"quota":         {codes.ResourceExhausted, "Quota exceeded", 150 * time.Second, []string{"quota is used up", "calls_per_minute"}, 121 * time.Second},
		"bad filter":    {codes.InvalidArgument, "Unparseable filter", time.Second, []string{"the request was refused", "Unparseable filter", `receiveTimestamp>=`, "severity>=DEFAULT"}, 31 * time.Second},
		"no project":    {codes.NotFound, "Project does not exist", time.Second, []string{"it does not exist", "resource_names"}, 31 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			withoutTail(t, func(s *Settings) { s.Filter = "severity>=DEFAULT" }, func(w *world) {
				w.read("")
				w.wait(time.Minute)
				w.server.Fail(100000, tt.code, tt.message)
				w.wait(11 * time.Second)
				if w.last().Blind {
					t.Error("blind at once")
				}
				w.wait(tt.within)
				if len(w.told()) != 1 {
					t.Fatalf("told %q", w.told())
				}
				for _, part := range tt.want {
					if !strings.Contains(w.told()[0], part) {
						t.Errorf("told %q, want it to say %q", w.told()[0], part)
					}
				}
				w.wait(5 * time.Minute)
				if b := w.last(); !b.Blind || b.CaughtUp || b.Cursor != "" || b.Data != nil {
					t.Errorf("after five minutes: %+v", b)
				}
				w.add("meanwhile", 4*time.Minute)
				calls := w.server.Calls()
				w.wait(10 * time.Minute)
				if n := w.server.Calls() - calls; n > 40 {
					t.Errorf("%d calls in ten minutes of outage", n)
				}
				w.server.Recover()
				w.wait(tt.back)
				w.want("meanwhile")
				if b := w.last(); b.Blind || !b.CaughtUp {
					t.Errorf("after the outage: %+v", b)
				}
				if len(w.told()) != 2 || w.told()[1] != "<nil>" {
					t.Errorf("told %q", w.told())
				}
			})
		})
	}
}

// A blip is nobody's business.
func TestBlip(t *testing.T) {
	withoutTail(t, nil, func(w *world) {
		w.server.Fail(3, codes.Unavailable, "try again")
		w.add("a", 0)
		w.read("")
		w.wait(15 * time.Second)
		w.want("a")
		if len(w.told()) > 0 {
			t.Errorf("told %q", w.told())
		}
	})
}

// One rule's filter that the API does not take must not blind the rest.
func TestRulesFilterRefused(t *testing.T) {
	withoutTail(t, nil, func(w *world) {
		w.filter.Store("odd")
		w.src.Asked = func() []Asked {
			asked := []Asked{{"odd-rule", "odd"}}
			for i := range 500 {
				asked = append(asked, Asked{fmt.Sprint("rule-", i), fmt.Sprintf("jsonPayload.msg=\"this is %d, and long enough that not all fit into one request\"", i)})
			}
			return slices.Concat(asked[1:300], asked[:1], asked[300:])
		}
		w.server.SetRefuse(func(filter string) error {
			if strings.Contains(filter, "odd") {
				return fmt.Errorf("what is odd?")
			}
			return nil
		})
		w.add("a", 0)
		w.read("")
		w.wait(time.Minute)
		w.want("a")
		if len(w.told()) != 1 || !strings.Contains(w.told()[0], "the filter of rule odd-rule was refused, so everything is read: Unparseable filter: what is odd?; it is: odd") {
			t.Errorf("told %q", w.told())
		}
		w.server.Fail(2, codes.Unavailable, "try again")
		w.wait(time.Minute)
		w.filter.Store("severity>=DEFAULT")
		w.wait(10 * time.Second)
		if w.told()[len(w.told())-1] != "<nil>" || len(w.told()) != 2 {
			t.Errorf("told %q, want once and that it is over", w.told())
		}
		last := w.server.Requests()[w.server.Calls()-1]
		if !strings.Contains(last.GetFilter(), "(severity>=DEFAULT\n)") {
			t.Errorf("filter %q", last.GetFilter())
		}
		// One that is longer than asked for is not sent.
		w.filter.Store(strings.Repeat("x", maxFilter))
		w.add("b", 0)
		w.wait(10 * time.Second)
		w.want("a", "b")
	})
}

// The rules' filter may be as long as a request has room for, beside the setting's and the bounds of time: it is asked for in that length, so
// that it is sent, whatever is long.
func TestLongestFilter(t *testing.T) {
	for name, own := range map[string]string{"the rules'": "", "the setting's too": strings.Repeat("severity>=DEFAULT ", 500)} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(s *Settings) { s.Filter = own }, func(w *world) {
				rules := ""
				w.src.Filter = func(most int) string {
					rules = `textPayload:"` + strings.Repeat("ä", most-len(`textPayload:""`)) + `"`
					return rules
				}
				w.read("")
				w.wait(time.Minute)
				last := w.server.Requests()[w.server.Calls()-1].GetFilter()
				if n := utf8.RuneCountInString(last); n > maxFilter || n < maxFilter-400 || !strings.Contains(last, rules) {
					t.Errorf("a filter of %d characters was sent, that of the rules has %d", n, utf8.RuneCountInString(rules))
				}
				if told := w.told(); len(told) > 0 {
					t.Errorf("told %q", told)
				}
			})
		})
	}
}

func TestForeignCursor(t *testing.T) {
	for _, cursor := range []logs.Cursor{"{", `{"kind":"file","files":[]}`, `{"kind":"cloud_logging","received":"2999-01-01T00:00:00Z"}`, "null"} {
		withoutTail(t, nil, func(w *world) {
			w.read(cursor)
			w.add("a", 0)
			w.wait(10 * time.Second)
			w.want("a")
			if told := len(w.told()) > 0; told != (cursor == "{") {
				t.Errorf("cursor %q: told %q", cursor, w.told())
			}
		})
	}
}

// The real client over a real connection.
func TestOverLoopback(t *testing.T) {
	server, err := fakes.NewCloudLogging()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	line := `{"logName":"projects/p/logs/stderr","insertId":"a","severity":"ERROR","resource":{"type":"k8s_container","labels":{"cluster_name":"prow"}},"jsonPayload":{"msg":"Error loading config."}}`
	if err := server.Add([]byte(line)); err != nil {
		t.Fatal(err)
	}
	s := Defaults()
	s.ResourceNames, s.Endpoint = []string{"projects/p"}, server.Addr()
	if errs := s.Validate(); errs != nil {
		t.Fatal(errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := make(chan logs.Batch), make(chan error, 1)
	go func() { ended <- New("prow", s, Options{}).Read(ctx, "", out) }()
	b := <-out
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(strings.Join(slices.Collect(lines(b)), ""), `"insertId":"a"`) || b.Cursor == "" || !b.CaughtUp {
		t.Errorf("batch %+v with %s", b, b.Data)
	}
}
