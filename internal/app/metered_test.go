package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/internal/fakes"
)

const meteredVigil = `
project: prow
sources:
  requests:
    cloud_monitoring:
      filter: 'metric.type="loadbalancing.googleapis.com/https/request_count" AND resource.type="https_lb_rule"'
      reducer: REDUCE_SUM
      group_by: [resource.labels.url_map_name, metric.labels.response_code_class]
      endpoint: "metrics:1"
rules: ["builtin:gke/*.yaml"]
receivers: {ops: {slack: {channel: "#ops", token_file: t}}}
fallback: ops
route: {receiver: ops}
`

// A load balancer's share of failed requests is told by its metric, read as docs/gke.md writes the source, though each class of response is one
// point a minute.
func TestAShareOfAMetric(t *testing.T) {
	keepVigil(t, meteredVigil, func(v *vigil) {
		answers := func(class, zone string, n int64) {
			end := time.Now().Truncate(time.Minute)
			v.metrics.Add("projects/prow", fakes.Series(fmt.Sprintf(`%s {"response_code_class": %q}`, requestCounts.GetType(), class),
				fmt.Sprintf(`https_lb_rule {"project_id": "prow", "url_map_name": "shop", "backend_scope": %q}`, zone), fakes.Int(end.Add(-time.Minute), end, n)), time.Now())
		}
		minutes := func(n int, failed int64) {
			for range n {
				v.pass(time.Minute)
				answers("200", "a", 400)
				answers("200", "b", 500)
				answers("500", "a", failed)
			}
		}
		minutes(6, 9)
		if said := v.heard(); said != "" {
			t.Errorf("one in a hundred fails, and it says:\n%s", said)
		}
		minutes(12, 100)
		if said := v.heard(); strings.Count(said, "ops told:") != 1 || !strings.Contains(said, "Of the requests to shop more than one in twenty fails") {
			t.Errorf("one in ten fails, and it says:\n%s", said)
		}
	})
}
