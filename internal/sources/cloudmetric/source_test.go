package cloudmetric

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"github.com/google/go-cmp/cmp"
	metricpb "google.golang.org/genproto/googleapis/api/metric"
	"google.golang.org/grpc/codes"

	"tocsin/internal/fakes"
	"tocsin/internal/setting"
)

// The shape of an entry is a contract: rules are written for it.
func TestTheEntry(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.add("500", time.Minute, 17, time.Minute)
		w.read("")
		w.until(10 * time.Minute)
		got := string(w.sent[len(w.sent)-1].Data)
		for _, b := range w.sent {
			if len(b.Data) > 0 {
				got = string(b.Data)
			}
		}
		want := `{"logName":"projects/prow/logs/tocsin%2Fmetric","resource":{"type":"https_lb_rule","labels":{"project_id":"prow","url_map_name":"hook"}},"labels":{"metric":"lb"},` +
			`"severity":"INFO","jsonPayload":{"metric":"loadbalancing.googleapis.com/https/request_count","labels":{"response_code_class":"500"},"value":17,` +
			`"start":"2000-01-02T00:00:00Z","end":"2000-01-02T00:01:00Z"},"timestamp":"2000-01-02T00:01:00Z","insertId":"ID"}` + "\n"
		_, id, _ := strings.Cut(w.ids()[0], " ")
		if diff := cmp.Diff(want, strings.Replace(got, id, "ID", 1)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// An interval is given once it is complete by what the metric says of its delay, and not again; what comes late is given when it comes.
func TestLatePoints(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.add("500", time.Minute, 5, 3*time.Minute)
		w.add("200", time.Minute, 900, 3*time.Minute)
		w.add("500", 2*time.Minute, 6, 5*time.Minute)
		w.add("404", time.Minute, 1, 8*time.Minute) // three minutes and a half too late
		w.read("")
		w.until(4 * time.Minute)
		w.want("before it is complete")
		w.until(5 * time.Minute)
		w.want("the first minute", "1m0s 200 900", "1m0s 500 5")
		w.until(7 * time.Minute)
		w.want("the second", "1m0s 200 900", "1m0s 500 5", "2m0s 500 6")
		w.until(30 * time.Minute)
		w.want("the late one", "1m0s 200 900", "1m0s 500 5", "2m0s 500 6", "1m0s 404 1")
		if c := w.src.Counts(); c["point"] != 4 || c["late_point"] != 1 || c["revised_point"] != 0 {
			t.Errorf("counts %v", c)
		}
		if b := w.last(); !b.CaughtUp || b.Blind {
			t.Errorf("the last batch is %+v", b)
		}
		if said := w.told(); len(said) != 0 {
			t.Errorf("told %q", said)
		}
	})
}

// What a late point of one series changes of a sum is given with the new value, as the same entry.
func TestARevisedSum(t *testing.T) {
	bubble(t, func(s *Settings) {
		s.Reducer, s.GroupBy = "REDUCE_SUM", []string{"resource.labels.url_map_name"}
	}, func(w *world) {
		w.add("500", time.Minute, 5, 3*time.Minute)
		w.add("502", time.Minute, 2, 7*time.Minute)
		w.read("")
		w.until(30 * time.Minute)
		w.want("the sum", "1m0s  5", "1m0s  7")
		if ids := w.ids(); len(ids) != 2 || ids[0] != ids[1] {
			t.Errorf("identities %q: a rule would count the interval twice", ids)
		}
		if c := w.src.Counts(); c["revised_point"] != 1 || c["late_point"] != 0 {
			t.Errorf("counts %v", c)
		}
	})
}

// After a restart reading goes on at the cursor, and what is read again has the identities of before.
func TestRestart(t *testing.T) {
	bubble(t, nil, func(w *world) {
		for minute := range 120 {
			end := time.Duration(minute) * time.Minute
			w.add("500", end, int64(minute), end+210*time.Second)
		}
		w.read("")
		w.until(20*time.Minute + 10*time.Second)
		before := w.ids()
		cursor := w.stop()
		w.until(100 * time.Minute)
		w.read(cursor)
		w.until(101 * time.Minute)
		all := map[string]int{}
		for _, id := range slices.Concat(before, w.ids()) {
			all[id]++
		}
		if len(all) != 98 { // the minutes that end at 0 to 97 are complete
			t.Errorf("%d points, want 98", len(all))
		}
		again := 0
		for _, n := range all {
			again += n - 1
		}
		if again != 10 {
			t.Errorf("%d points came again, want those of ten minutes", again)
		}
		got := w.got()
		if !strings.HasSuffix(got[0], "backlog") || strings.HasSuffix(got[len(got)-1], "backlog") {
			t.Errorf("what came while nobody watched is no backlog, or what came since is: %s, %s", got[0], got[len(got)-1])
		}
		if c := w.src.Counts(); c["late_point"] != 0 {
			t.Errorf("counts %v", c)
		}
	})
}

// A backlog of days is read slice by slice, and the source has caught up with the last alone.
func TestBacklog(t *testing.T) {
	bubble(t, func(s *Settings) { s.Start = setting.Duration(20 * time.Hour) }, func(w *world) {
		for hour := range 20 {
			w.add("500", -time.Duration(hour)*time.Hour-5*time.Minute, int64(hour), 0)
		}
		w.read("")
		w.until(2 * time.Minute)
		if n := len(w.got()); n != 20 {
			t.Errorf("%d points, want 20", n)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for i, b := range w.sent {
			if last := i >= 19; b.CaughtUp && !last {
				t.Errorf("batch %d says that it has caught up", i)
			}
		}
	})
}

// Where nothing is set a gauge is asked for its mean, another for its newest value.
func TestGauges(t *testing.T) {
	bubble(t, func(s *Settings) { s.Filter = `metric.type="custom.googleapis.com/up"` }, func(w *world) {
		w.server.Describe(&metricpb.MetricDescriptor{Type: "custom.googleapis.com/up", MetricKind: metricpb.MetricDescriptor_GAUGE, ValueType: metricpb.MetricDescriptor_BOOL})
		w.server.Add("projects/prow", fakes.Series("custom.googleapis.com/up", "global", fakes.Bool(w.began.Add(30*time.Second), true)), time.Time{})
		w.read("")
		w.until(10 * time.Minute)
		var data string
		for _, b := range w.sent {
			data += string(b.Data)
		}
		if !strings.Contains(data, `"value":true`) {
			t.Errorf("given %s", data)
		}
		if a := w.server.Requests()[0].GetAggregation(); a.GetPerSeriesAligner() != monitoringpb.Aggregation_ALIGN_NEXT_OLDER {
			t.Errorf("asked with %s", a.GetPerSeriesAligner())
		}
	})
}

// What is wrong is told with its mend, at once where it does not pass by itself; the source is blind after half a minute, and sees again.
func TestTroubles(t *testing.T) {
	for _, tt := range []struct {
		code    codes.Code
		message string
		want    string
		atOnce  bool
	}{
		{codes.PermissionDenied, "Permission monitoring.timeSeries.list denied (or the resource may not exist).", "access denied, grant roles/monitoring.viewer on it", true},
		{codes.InvalidArgument, `Field aggregation.perSeriesAligner had an invalid value of "ALIGN_MEAN"`, "the request was refused, look at aligner:", true},
		{codes.NotFound, "Cannot find metric(s) that match type", "look at metric.type in filter", true},
		{codes.ResourceExhausted, "Quota exceeded for quota metric 'Time series queries'", "the quota is used up", false},
		{codes.Unavailable, "connection refused", "monitoring.googleapis.com:443", false},
	} {
		bubble(t, nil, func(w *world) {
			w.add("500", -20*time.Minute, 1, 0)
			w.read("")
			w.until(5 * time.Second)
			w.server.Fail(1000, tt.code, tt.message)
			w.until(35 * time.Second)
			if said := w.told(); tt.atOnce != (len(said) == 1) {
				t.Errorf("%s: at first it says %q", tt.code, said)
			}
			w.until(90 * time.Second)
			said := w.told()
			if len(said) != 1 || !strings.Contains(said[0], tt.want) || !strings.Contains(said[0], "source lb: read metric "+requestCount+" of projects/prow: ") || !strings.Contains(said[0], tt.message) {
				t.Errorf("%s: it says %q, want once %q", tt.code, said, tt.want)
			}
			if !w.last().Blind {
				t.Errorf("%s: it is not blind", tt.code)
			}
			w.server.Recover()
			w.until(5 * time.Minute)
			if said := w.told(); len(said) != 2 || said[1] != "<nil>" || w.last().Blind {
				t.Errorf("%s: well again, it says %q", tt.code, said)
			}
		})
	}
}

// More points than are held are no crash but a message.
func TestTooManyPoints(t *testing.T) {
	bubble(t, func(s *Settings) { s.Delay = setting.Duration(time.Minute) }, func(w *world) {
		w.src.most = 100
		for i := range 101 {
			w.add(fmt.Sprint(i), -time.Minute, 1, 0)
		}
		w.read("")
		w.until(20 * time.Second)
		if said := w.told(); len(said) != 1 || !strings.Contains(said[0], "more than 100 in") || !strings.Contains(said[0], "narrow the filter, or put series together") {
			t.Errorf("it says %q", said)
		}
	})
}

func TestValidate(t *testing.T) {
	bad := Settings{ResourceName: "k8s-infra-prow", Filter: `resource.type="https_lb_rule"`, Period: setting.Duration(90*time.Second + 1), Aligner: "ALIGN_SUMM", Reducer: "SUM",
		GroupBy: []string{"url_map_name"}, Delay: -1, Overlap: 1, Every: 1, Start: -1, Endpoint: "https://x"}
	var got []string
	for _, e := range bad.Validate() {
		got = append(got, e.Path+": "+e.Text)
	}
	want := []string{
		`resource_name: "k8s-infra-prow" is no resource: projects/P, folders/N or organizations/N; do you mean projects/k8s-infra-prow?`,
		`filter: it must name one metric, as metric.type="..."; for several make several sources`,
		`period: 1m30.000000001s is no number of whole seconds`,
		`aligner: unknown aligner "ALIGN_SUMM": did you mean "ALIGN_SUM"?`,
	}
	if len(got) != 11 {
		t.Fatalf("%d mistakes: %q", len(got), got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("it says %s, want %s", got[i], want[i])
		}
	}
	if d := Defaults(); len(d.Validate()) != 1 {
		t.Errorf("the defaults alone: %v", d.Validate())
	}
}
