package rules

import (
	"testing"
	"time"
)

// An absence tells where it is, since when there has been nothing, and the last words.
func TestSilenceTellsTheLastWords(t *testing.T) {
	p := newPlayer(t, `rules:
  - name: silent
    filter: severity="INFO"
    group_by: {service: resource.labels.container_name}
    detect: {absence: {after: 10m}}
    severity: high
    annotations: {summary: 'silent since {{ .First.Format "15:04" }}'}
`)
	p.take(entry(0, 0, "a", "tide", "INFO"), entry(time.Minute, time.Minute, "b", "tide", "INFO"))
	p.until(12 * time.Minute)
	p.take(entry(20*time.Minute, 20*time.Minute, "c", "tide", "INFO"))
	p.until(32 * time.Minute)
	var fired []Change
	for _, c := range p.changes {
		if c.Kind == Fired {
			fired = append(fired, c)
		}
	}
	if len(fired) != 2 {
		t.Fatalf("%d alerts, want 2", len(fired))
	}
	for i, since := range []time.Duration{time.Minute, 20 * time.Minute} {
		a := fired[i].Alert
		if a.Labels["project"] != "p" || a.Labels["cluster"] != "prow" || a.Labels["service"] != "tide" {
			t.Errorf("alert %d is of %v", i, a.Labels)
		}
		if !a.First.Equal(day.Add(since)) || a.FirstLine.Text != "x" || a.FirstLine.Service != "tide" || len(a.Lines) == 0 {
			t.Errorf("alert %d begins at %s with %+v and %d lines", i, a.First, a.FirstLine, len(a.Lines))
		}
		if want := "silent since " + day.Add(since).Format("15:04"); a.Annotations["summary"] != want {
			t.Errorf("alert %d says %q, want %q", i, a.Annotations["summary"], want)
		}
	}
}
