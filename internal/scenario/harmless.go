package scenario

import (
	"fmt"
	"time"
)

// jobFlood has jobs print what Prow says when it fails, from pods that call themselves Prow's too, and a build cluster do the same.
func jobFlood(w *world) {
	w.background(ordinary{pace: sparse})
	last := []fields{
		{"component": "hook", "level": "error", "msg": "Error loading config.", "error": "duplicated preset label : preset-aws-credential"},
		{"component": "hook", "level": "fatal", "msg": "Error starting config agent.", "error": "duplicated preset label : preset-aws-credential"},
		{"component": "tide", "level": "fatal", "msg": "Error getting GitHub client.", "error": "unexpected status: 502 Bad Gateway"},
		{"component": "tide", "level": "error", "msg": "Error syncing.", "error": "sleep time for token reset exceeds max sleep time (3m > 2m0s)"},
		{"component": "hook", "level": "error", "msg": "Error handling PullRequestEvent.", "plugin": "config-updater", "error": "update config map err: Too long"},
	}
	one := w.jobPod()
	for t := range w.every(500*time.Millisecond, w.Fault, w.Fault.Add(40*time.Minute), usual) { // one error, thousands of times, of one pod
		e := w.container("test", one, jobs, "ERROR")
		e.JSONPayload = pick(w, last...)
		w.add(t, w.logs(), e)
	}
	for t := range w.every(20*time.Second, w.Fault, w.End, usual) {
		e := w.container(pick(w, "hook", "tide", "boskos", "test"), w.jobPod(), jobs, "CRITICAL")
		if e.JSONPayload = pick(w, last...); w.rand.IntN(3) == 0 {
			e.JSONPayload, e.TextPayload = nil, pick(w, "panic: runtime error: index out of range", "flag provided but not defined: -x", "Usage of /hook:")
		}
		w.add(t, w.logs(), e)
		other := w.container("hook", w.pod("hook"), services, "CRITICAL")
		other.Resource.Labels["cluster_name"] = "prow-build"
		other.JSONPayload = pick(w, last...)
		w.add(t, w.logs(), other)
		o := w.job(pick(w, "hook", "boskos", "test"))
		switch w.rand.IntN(4) {
		case 0:
			w.warns(t, o, "BackOff", fmt.Sprintf("%s %s in pod %s_test-pods(x)", backedOff, o.container, o.name))
		case 1:
			w.warns(t, o, "FailedMount", `MountVolume.SetUp failed for volume "service" : secret "service-account" not found`)
		case 2:
			w.warns(t, o, "FailedScheduling", "0/40 nodes are available: 40 Insufficient memory.")
		default:
			w.warns(t, o, "BackOff", `Back-off pulling image "gcr.io/k8s-testimages/nosuch:latest"`)
		}
	}
}

// refusals are what hook, deck and the load balancer rightly refuse, by the thousand.
func refusals(w *world) {
	w.background(ordinary{pace: sparse})
	for t := range w.every(2*time.Second, w.Fault, w.End, usual) {
		switch w.rand.IntN(4) {
		case 0:
			w.asked(t, "GET", webhooks, "curl/8.7.1", 405, "response_sent_by_backend", 5*time.Millisecond)
		case 1:
			w.asked(t, "POST", webhooks, "python-requests/2.25.1", pick(w, 400, 403), "response_sent_by_backend", 5*time.Millisecond)
		case 2:
			w.asked(t, "GET", "https://prow.k8s.io/wp-login.php", "Mozilla/5.0", 404, "response_sent_by_backend", 5*time.Millisecond)
		default:
			w.asked(t, "POST", "https://testgrid.k8s.io/hook", hookshot, 502, "failed_to_pick_backend", time.Millisecond)
		}
	}
	for t := range w.every(40*time.Second, w.Fault, w.End, usual) { // one repository whose secret is wrong
		w.request(t, 403, "response_sent_by_backend", 5*time.Millisecond)
	}
}

// sundayNight is a night on which hardly anybody works.
func sundayNight(w *world) {
	w.background(ordinary{pace: 2 * time.Minute, unsent: span{w.Start, w.End}})
	for t := range w.always(2 * time.Minute) {
		w.request(t, 200, "response_sent_by_backend", 20*time.Millisecond)
	}
}

// earlyDay has two rollouts in the years in which every line was of severity ERROR.
func earlyDay(w *world) {
	w.background(ordinary{pace: sparse})
	w.rollout(w.Start.Add(90 * time.Minute))
	w.rollout(w.Start.Add(4 * time.Hour))
}
