package rules

import (
	"testing"
	"time"

	"tocsin/internal/incident"
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

// A group that is listed and never spoke is due since ever. While its source is not in sight its time begins at the present, and not at one
// window after another since 1970, which took minutes of a step.
func TestAListedGroupOfASourceThatIsNotSeenYet(t *testing.T) {
	list, errs := Read("r.yaml", []byte(`rules:
  - name: silent
    filter: severity="INFO"
    group_by: {service: resource.labels.container_name}
    detect: {absence: {after: 10m, groups: [{service: tide}]}}
    severity: high
    annotations: {summary: silent}
`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	asked := 0
	e := &Evaluator{Set: NewSet(list), Lateness: time.Minute}
	key := incident.Key{Rule: "silent", Group: incident.Labels{"service": "tide"}.Text()}
	out, err := e.Step(Slice{Due: []Waiting{{Key: key, At: time.Unix(0, 1)}}, Watermark: day,
		Load: func(incident.Key) (*State, error) { return &State{Group: incident.Labels{"service": "tide"}}, nil },
		Sight: func(string) (time.Time, bool) {
			asked++
			return time.Time{}, false
		}})
	if err != nil {
		t.Fatal(err)
	}
	if due, want := e.NextDue(list[0], out.States[key]), day.Add(10*time.Minute); asked != 1 || !due.Equal(want) || len(out.Changes) > 0 {
		t.Errorf("asked %d times, due at %s, want once and %s: %v", asked, due, want, out.Changes)
	}
}
