package logs

import (
	"strings"
	"testing"
	"time"
)

func TestEntriesClock(t *testing.T) {
	received := time.Date(2019, 1, 23, 12, 1, 0, 0, time.UTC)
	b := Batch{Source: "s", File: "f", Offset: 1000, Received: received, Data: []byte(strings.Join([]string{
		`before any`,
		``,
		`{"timestamp":"2019-01-23T12:00:10Z","textPayload":"timestamp alone"}`,
		"  \r",
		`{"timestamp":"2019-01-23T12:00:00Z","receiveTimestamp":"2019-01-23T12:00:20Z","textPayload":"received"}`,
		`{"timestamp":"2019-01-23T12:00:15Z","textPayload":"late"}`,
		`{"timestamp":"2019-01-24T12:01:01Z","textPayload":"more than a day ahead"}`,
		`no time`,
		`{"timestamp":"2019-01-24T12:01:00Z","textPayload":"a day ahead"}`,
	}, "\n"))}
	var got []string
	p := b.Entries(time.Time{}, func(e *Entry) bool {
		if e.Source != "s" || e.File != "f" || string(b.Data[e.Offset-1000:][:len(e.Raw)]) != string(e.Raw) {
			t.Errorf("%q says it is from %s %s %d", e.Raw, e.Source, e.File, e.Offset)
		}
		got = append(got, e.Clock.Format("02T15:04:05"))
		return true
	})
	want := "23T12:01:00 23T12:00:10 23T12:00:20 23T12:00:20 23T12:00:20 23T12:00:20 24T12:01:00"
	if strings.Join(got, " ") != want {
		t.Errorf("clocks are\n%v, want\n%s", got, want)
	}
	if p.Entries != 7 || p.Future != 1 || p.Broken != 0 || !p.Clock.Equal(received.Add(24*time.Hour)) {
		t.Errorf("progress is %+v", p)
	}
	p = b.Entries(received.Add(time.Hour), func(e *Entry) bool {
		if !e.Clock.Equal(received.Add(time.Hour)) {
			t.Errorf("the clock went back to %v", e.Clock)
		}
		return false
	})
	if p.Entries != 1 {
		t.Errorf("it went on for %d entries after yield said no", p.Entries)
	}
}

// TestEntriesMayBeKept would find members of one entry in another if they shared the decoder's memory.
func TestEntriesMayBeKept(t *testing.T) {
	b := Batch{Data: []byte(`{"a":{"b":[1,2]}}` + "\n" + `{"a":{"b":[3,4]}}` + "\n")}
	var kept []*Entry
	b.Entries(time.Time{}, func(e *Entry) bool {
		kept = append(kept, e)
		return true
	})
	if got := string(kept[0].Root.AppendJSON(nil)); got != `{"jsonPayload":{"a":{"b":[1,2]}}}` {
		t.Errorf("the first entry became %s", got)
	}
}

var benchLine = []byte(`{"insertId":"1a2b3c4d5e6f7g8h","jsonPayload":{"component":"hook","event-GUID":"7c77cca0-41db-11e9-83d0-bbff3a601bc3","event-type":"pull_request","file":"prow/plugins/trigger/trigger.go:210","func":"k8s.io/test-infra/prow/plugins/trigger.handlePR","level":"info","msg":"Starting all jobs for updated PR.","org":"kubernetes","pr":11702,"repo":"test-infra"},"labels":{"compute.googleapis.com/resource_name":"gke-prow-default-pool-cf4891d4-0178","k8s-pod/app":"hook","k8s-pod/pod-template-hash":"587bd464fc","logging.gke.io/top_level_controller_name":"hook","logging.gke.io/top_level_controller_type":"Deployment"},"logName":"projects/k8s-prow/logs/stderr","receiveTimestamp":"2019-03-08T19:51:01.491289557Z","resource":{"labels":{"cluster_name":"prow","container_name":"hook","location":"us-central1-f","namespace_name":"default","pod_name":"hook-587bd464fc-pgdwd","project_id":"k8s-prow"},"type":"k8s_container"},"severity":"INFO","timestamp":"2019-03-08T19:50:59.491289557Z"}` + "\n")

func BenchmarkWalk(b *testing.B) {
	batch := Batch{Data: []byte(strings.Repeat(string(benchLine), 256))}
	b.SetBytes(int64(len(batch.Data)))
	b.ReportAllocs()
	for b.Loop() {
		batch.Walk(time.Time{}, func(*Entry) bool { return true })
	}
}
