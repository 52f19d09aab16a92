package scenario

import (
	"slices"
	"time"
)

// span is a stretch of time; the zero span holds nothing.
type span struct{ from, to time.Time }

func (s span) holds(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// ordinary is how the traffic of a day differs from the usual.
type ordinary struct {
	// pace is how often each pod says something.
	pace time.Duration
	// silent are components that say nothing here; whoever tells of them writes their lines.
	silent []string
	// down is when no request and no probe gets through; whoever tells of it writes those entries.
	down span
	// mute is when no component says anything, unsent when GitHub sends nothing.
	mute, unsent span
}

// background writes what a healthy Prow leaves: its chatter, GitHub's webhooks, the probe, and the noise that means nothing.
func (w *world) background(o ordinary) {
	for _, c := range w.components {
		if slices.Contains(o.silent, c.name) {
			continue
		}
		for _, pod := range c.pods {
			if o.mute == (span{}) {
				w.chatter(c, pod, o.pace, w.Start, w.End)
				continue
			}
			w.chatter(c, pod, o.pace, w.Start, o.mute.from)
			w.chatter(c, pod, o.pace, o.mute.to, w.End)
		}
	}
	for t := range w.always(8 * time.Second) {
		if !o.down.holds(t) && !o.unsent.holds(t) {
			w.request(t, 200, "response_sent_by_backend", 20*time.Millisecond)
		}
	}
	for t := range w.every(probeEvery, w.Start, w.End, probeJitter) {
		if !o.down.holds(t) {
			w.probed(t, 405, 80*time.Millisecond)
		}
	}
	w.noise(o)
}

// How often the probe asks, and how exactly.
const (
	probeEvery  = 30 * time.Second
	probeJitter = 0.02
)

// chatter is what a pod says while it is well.
func (w *world) chatter(c component, pod string, pace time.Duration, start, end time.Time) {
	for t := range w.every(pace, start, end, usual) {
		w.says(t, c.name, pod, "info", pick(w, c.chatter...), fields{
			"org": "kubernetes", "repo": pick(w, "kubernetes", "test-infra", "website", "enhancements"), "pr": 1 + w.rand.IntN(120000),
			"event-GUID": w.hex(64),
		})
	}
}

// noise is what happens on every day and is nobody's business: a request that failed, a pod that was slow.
func (w *world) noise(o ordinary) {
	loud := slices.DeleteFunc([]string{"tide", "crier", "hook"}, func(c string) bool { return slices.Contains(o.silent, c) })
	for t := range w.always(15 * time.Minute) {
		if o.mute.holds(t) {
			continue
		}
		c := pick(w, loud...)
		w.says(t, c, w.pods(c)[0], "error", pick(w, "Error handling IssueCommentEvent.", "failed to report", "Searching for open PRs."), fields{
			"error": pick(w, `status code 404 not one of [200], body: {"message": "Not Found"}`, "unexpected status: 502 Bad Gateway", "context deadline exceeded"),
		})
	}
	for t := range w.always(30 * time.Minute) {
		w.happens(t, w.job(""), "Scheduled", "Successfully assigned test-pods/x to node")
	}
	for t := range w.always(90 * time.Minute) {
		if !o.unsent.holds(t) {
			w.request(t, 502, cutOff, 20*time.Millisecond)
		}
	}
	for t := range w.always(2 * time.Hour) {
		w.warns(t, podOf("deck", w.pods("deck")[0]), "Unhealthy",
			"Readiness probe failed: Get http://10.0.0.7:8081/healthz/ready: context deadline exceeded")
	}
}

// cutOff is what the load balancer says when the pod that had a request went away.
const cutOff = "backend_connection_closed_before_data_sent_to_client"

// job is the pod of some job.
func (w *world) job(container string) object {
	return object{kind: "Pod", name: w.jobPod(), namespace: jobs, container: container}
}

// jobPod makes up the name of a job's pod: a UUID.
func (w *world) jobPod() string { return w.hex(64) + w.hex(64) }

func quietDay(w *world) { w.background(ordinary{pace: 30 * time.Second}) }
