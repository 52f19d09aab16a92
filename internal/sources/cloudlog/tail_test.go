package cloudlog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"

	"tocsin/internal/logs"
	"tocsin/internal/setting"
)

// once says whether each of n entries, named by their numbers, was read once.
func (w *world) once(n int) {
	w.t.Helper()
	times := map[string]int{}
	for _, id := range w.ids() {
		times[id]++
	}
	for i := range n {
		if got := times[fmt.Sprint(i)]; got != 1 {
			w.t.Errorf("entry %d was read %d times", i, got)
		}
	}
}

// A tail gives an entry after its buffer window, not after the next listing; listing then only goes over what the tail gave.
func TestTailIsPrompt(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.read("")
		w.wait(5 * time.Minute)
		calls := w.server.Calls()
		for i := range 60 {
			w.add(fmt.Sprint(i), 0)
			w.wait(2100 * time.Millisecond)
			if got := w.ids(); len(got) != i+1 {
				t.Fatalf("%d entries 2.1 s after the %dth came", len(got), i+1)
			}
			w.wait(58 * time.Second)
		}
		if n := w.server.Calls() - calls; n > 122 {
			t.Errorf("%d lists in an hour of a steady tail", n)
		}
		w.once(60)
		if f := w.src.Figures(); f.Tailed != 60 || f.Passed < 59 || f.Missed != 0 || f.Breaks != 0 {
			t.Errorf("%+v", f)
		}
		if b := w.last(); !b.CaughtUp {
			t.Errorf("%+v", b)
		}
	})
}

// The hourly end of a session is no break: another has taken over before it.
func TestHourlyEnd(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.server.Tails.Life = time.Hour
		w.read("")
		w.wait(time.Minute)
		const n = 5 * 3600
		for i := range n {
			w.add(fmt.Sprint(i), 0)
			w.wait(time.Second)
		}
		w.wait(time.Minute)
		w.once(n)
		f, sent := w.src.Figures(), w.server.Sent()
		if f.Sessions != 6 || f.Breaks != 0 || f.Missed != 0 || sent.Open != 1 {
			t.Errorf("%+v, %+v", f, sent)
		}
		if int(f.Tailed) > sent.Tailed || int(f.Listed) != sent.Listed || f.Tailed+f.Listed != n+f.Passed {
			t.Errorf("%+v do not add up to %+v and %d entries", f, sent, n)
		}
		if len(w.told()) > 0 {
			t.Errorf("told %q", w.told())
		}
	})
}

// What a session loses is listed, and comes once; a session that ends before its time is no error.
func TestTailBreaks(t *testing.T) {
	for _, code := range []codes.Code{codes.Unavailable, codes.Internal, codes.OutOfRange, codes.DeadlineExceeded, codes.ResourceExhausted, codes.PermissionDenied} {
		t.Run(code.String(), func(t *testing.T) {
			bubble(t, nil, func(w *world) {
				w.read("")
				w.wait(3 * time.Minute)
				const n = 600
				for i := range n {
					w.add(fmt.Sprint(i), 0)
					w.wait(500 * time.Millisecond)
					if i == n/2 {
						w.server.Break(code, "broken off")
						w.server.FailTails(2, code, "not yet")
					}
				}
				w.wait(time.Minute)
				w.once(n)
				planned := code == codes.OutOfRange || code == codes.DeadlineExceeded
				if f := w.src.Figures(); (f.Breaks == 0) != planned || f.Missed != 0 {
					t.Errorf("%+v", f)
				}
				if w.server.Sent().Open != 1 || len(w.told()) > 0 {
					t.Errorf("%+v, told %q", w.server.Sent(), w.told())
				}
			})
		})
	}
}

// What the API leaves out of a tail is listed within seconds.
func TestSuppression(t *testing.T) {
	for _, why := range []loggingpb.TailLogEntriesResponse_SuppressionInfo_Reason{1, 2} {
		bubble(t, nil, func(w *world) {
			w.read("")
			w.wait(3 * time.Minute)
			w.server.Suppress(7, why)
			for i := range 10 {
				w.add(fmt.Sprint(i), 0)
			}
			w.wait(4 * time.Second)
			w.once(10)
			if f := w.src.Figures(); f.Suppressed != 7 || f.Missed != 0 {
				t.Errorf("%+v", f)
			}
		})
	}
}

// A session that gives nothing is noticed by what is listed, and another opened.
func TestDeafSession(t *testing.T) {
	bubble(t, nil, func(w *world) {
		deaf := 1
		w.server.Tails.Deaf = func() bool { deaf--; return deaf >= 0 }
		w.read("")
		w.wait(3 * time.Minute)
		w.add("0", 0)
		w.wait(135 * time.Second)
		w.once(1)
		if f := w.src.Figures(); f.Missed != 1 || f.Sessions != 2 {
			t.Errorf("%+v", f)
		}
		w.add("1", 0)
		w.wait(3 * time.Second)
		w.once(2)
	})
}

// What was received long before is handed on first, whatever the tail gives meanwhile.
func TestBacklogBeforeTail(t *testing.T) {
	bubble(t, func(s *Settings) { s.PageSize, s.Start = 10, setting.Duration(8*time.Hour) }, func(w *world) {
		const n = 8*60 + 120
		for i := range 8 * 60 {
			w.add(fmt.Sprint(i), 8*time.Hour-time.Duration(i)*time.Minute)
		}
		w.read("")
		for i := 8 * 60; i < n; i++ {
			w.add(fmt.Sprint(i), 0)
			w.wait(time.Second)
		}
		w.wait(3 * time.Minute)
		w.once(n)
		for i, id := range w.ids()[:480] {
			if id != fmt.Sprint(i) {
				t.Errorf("entry %d is %s: out of receive order", i, id)
				break
			}
		}
		for _, b := range w.batches() {
			for line := range lines(b) {
				before := slices.ContainsFunc([]string{"d\":\"0\"", "\"479\""}, func(id string) bool { return strings.Contains(line, id) })
				if after := strings.Contains(line, "\"480\""); before && !b.Backlog || after && b.Backlog {
					t.Errorf("backlog is %v for %s", b.Backlog, line)
				}
			}
		}
	})
}

// More matches than can be listed beside the tail: it is believed as long as it says that it leaves nothing out.
func TestMoreThanCanBeListed(t *testing.T) {
	bubble(t, func(s *Settings) { s.PageSize, s.CallsPerMinute = 100, 6 }, func(w *world) {
		w.read("")
		w.wait(3 * time.Minute)
		calls := w.server.Calls()
		const n = 600 * 20
		for i := range n {
			w.add(fmt.Sprint(i), 0)
			w.wait(100 * time.Millisecond)
		}
		w.wait(3 * time.Minute)
		w.once(n)
		if f := w.src.Figures(); f.Trusted < 30 || f.Missed != 0 {
			t.Errorf("%+v", f)
		}
		if n := w.server.Calls() - calls; n > 40 {
			t.Errorf("%d lists", n)
		}
		if behind := time.Since(received(t, w.stop())); behind > 4*time.Minute {
			t.Errorf("the cursor is %v behind", behind)
		}
	})
}

// A tail that is full from the start: what is younger than it need not be listed for the source to catch up.
func TestFullFromTheStart(t *testing.T) {
	bubble(t, func(s *Settings) { s.PageSize, s.CallsPerMinute = 10, 60 }, func(w *world) { // 10 a second can be listed
		w.read("")
		w.wait(time.Second)
		const n = 10 * 600
		for i := range n {
			w.add(fmt.Sprint(i), 0)
			w.wait(100 * time.Millisecond)
		}
		w.wait(3 * time.Minute)
		w.once(n)
		if f := w.src.Figures(); f.Trusted == 0 || f.Missed != 0 {
			t.Errorf("%+v", f)
		}
		if b := w.last(); !b.CaughtUp {
			t.Errorf("%+v", b)
		}
		if behind := time.Since(received(t, w.stop())); behind > 4*time.Minute {
			t.Errorf("the cursor is %v behind", behind)
		}
	})
}

// Another filter is taken up by another session, before the one that has the old is ended.
func TestFilterChanges(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.filter.Store(`insertId="0"`)
		w.read("")
		w.wait(3 * time.Minute)
		w.filter.Store(`insertId="0" OR insertId="1"`)
		w.wait(20 * time.Second)
		w.add("0", 0)
		w.add("1", 0)
		w.add("2", 0)
		w.wait(3 * time.Second)
		w.want("0", "1")
		w.wait(5 * time.Minute)
		w.want("0", "1")
		if f := w.src.Figures(); f.Sessions != 2 || f.Missed != 0 || f.Breaks != 0 {
			t.Errorf("%+v", f)
		}
	})
}

// The tail without lists: the source sees, and it is told that what it sees may not be all.
func TestListsRefused(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.read("")
		w.wait(3 * time.Minute)
		w.server.Fail(100000, codes.ResourceExhausted, "Quota exceeded")
		for i := range 20 {
			w.add(fmt.Sprint(i), 0)
			w.wait(30 * time.Second)
		}
		w.once(20)
		for _, b := range w.batches() {
			if b.Blind {
				t.Errorf("blind: %+v", b)
			}
		}
		if len(w.told()) != 1 || !strings.Contains(w.told()[0], "the quota is used up") {
			t.Errorf("told %q", w.told())
		}
		w.server.Recover()
		w.wait(3 * time.Minute)
		w.once(20)
	})
}

func received(t *testing.T, c logs.Cursor) time.Time {
	t.Helper()
	r := newReading(New("x", Defaults(), Options{}), nil, nil, time.Now())
	if err := r.begin(c, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	return r.reached
}

func TestResourceNames(t *testing.T) {
	const bucket = "projects/p/locations/global/buckets/_Default"
	for name, want := range map[string]string{
		"projects/p": "", "folders/1": "", "organizations/1": "", "billingAccounts/0A-1B": "", bucket + "/views/_AllLogs": "",
		"k8s-infra-prow": "; do you mean projects/k8s-infra-prow?",
		"projects/p/":    "; do you mean projects/p?",
		bucket:           "; do you mean " + bucket + "/views/_AllLogs?",
		"//logging.googleapis.com/organizations/1": "; do you mean organizations/1?",
		"project/p": "V",
	} {
		s := Defaults()
		s.ResourceNames = []string{"projects/q", name}
		errs := s.Validate()
		switch {
		case want == "" && len(errs) == 0:
		case want == "" || len(errs) != 1 || errs[0].Path != "resource_names.1" || !strings.HasSuffix(errs[0].Text, "/views/V"+strings.TrimPrefix(want, "V")):
			t.Errorf("%s: %v, want it to end with %q", name, errs, want)
		}
	}
}
