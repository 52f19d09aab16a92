package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/store"
)

// clusters has an incident per cluster.
const clusters = `
rules:
  - name: stands
    filter: jsonPayload.msg="bad"
    group_by: {cluster: resource.labels.cluster_name}
    detect: {threshold: {count: 1, window: 1h}}
    resolves: by_hand
    max_groups: 100000
    severity: warning
`

// BenchmarkOpen is what it costs to open an incident while so many are open: it must not grow with them.
func BenchmarkOpen(b *testing.B) {
	for _, open := range []int{100, 10_000} {
		b.Run(fmt.Sprint(open), func(b *testing.B) {
			db, err := store.Open(context.Background(), ":memory:", store.Options{Now: func() time.Time { return day }})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			l := beginOn(b, db, ":memory:", clusters)
			n := 0
			fire := func(count int) {
				var lines strings.Builder
				for range count {
					n++
					fmt.Fprintf(&lines, `{"insertId":"%d","timestamp":%q,"resource":{"labels":{"cluster_name":"c%d"}},"jsonPayload":{"msg":"bad"}}`+"\n", n, day.Format(time.RFC3339Nano), n)
				}
				l.offer(logs.Batch{Source: "s", Data: []byte(lines.String()), Received: day, CaughtUp: true})
				l.step(day)
			}
			for range open / 100 {
				fire(100)
			}
			for b.Loop() {
				fire(1)
			}
			b.StopTimer()
			if err := db.View(context.Background(), func(tx *store.Tx) error {
				counts, err := tx.CountIncidents(context.Background())
				if err == nil && counts[incident.Open] != n {
					err = fmt.Errorf("%d incidents are open, of %d", counts[incident.Open], n)
				}
				return err
			}); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkFlood is what a line costs that is one more of an incident.
func BenchmarkFlood(b *testing.B) {
	db, err := store.Open(context.Background(), ":memory:", store.Options{Now: func() time.Time { return day }})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	l := beginOn(b, db, ":memory:", clusters)
	const lines = 10_000
	n := 0
	for b.Loop() {
		var data strings.Builder
		for range lines {
			n++
			fmt.Fprintf(&data, `{"insertId":"%d","timestamp":%q,"resource":{"labels":{"cluster_name":"c"}},"jsonPayload":{"msg":"bad"}}`+"\n", n, day.Add(time.Duration(n)*10*time.Microsecond).Format(time.RFC3339Nano))
		}
		l.offer(logs.Batch{Source: "s", Data: []byte(data.String()), Received: day, CaughtUp: true})
		l.step(day)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/line")
}
