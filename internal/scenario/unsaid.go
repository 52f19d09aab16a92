package scenario

import "time"

// restartsUnsaid has tide run for three minutes, need too much memory and be started again, for an hour: no line of its own, no back-off, only the kubelet's
// starts.
func restartsUnsaid(w *world) {
	w.background(ordinary{pace: sparse, silent: []string{"tide"}})
	tide := w.component("tide")
	pod := podOf("tide", tide.pods[0])
	w.chatter(tide, pod.name, sparse, w.Start, w.Fault)
	for t := w.Fault; t.Before(w.Fault.Add(time.Hour)); t = t.Add(w.between(3*time.Minute, 4*time.Minute)) {
		w.happens(t, pod, "Pulled", `Container image "gcr.io/k8s-prow/tide" already present on machine`)
		w.happens(t.Add(time.Second), pod, "Created", "Created container tide")
		w.happens(t.Add(2*time.Second), pod, "Started", "Started container tide")
	}
	w.chatter(tide, pod.name, sparse, w.Fault.Add(time.Hour), w.End)
}

// mapMissing gives crier a pod that is started with a config map which is not there.
func mapMissing(w *world) {
	w.background(ordinary{pace: sparse})
	pod := podOf("crier", w.pod("crier"))
	for t := range w.every(time.Minute, w.Fault, w.End, usual) {
		w.warns(t, pod, "Failed", `Error: configmap "plugins" not found`)
	}
}

// webhooksRefused has hook refuse all that GitHub sends: the secret was rotated on one side only.
func webhooksRefused(w *world) {
	end := w.Fault.Add(time.Hour)
	w.background(ordinary{pace: sparse, unsent: span{w.Fault, end}})
	for t := range w.every(8*time.Second, w.Fault, end, usual) {
		w.request(t, 403, "response_sent_by_backend", 5*time.Millisecond)
	}
}

// noMorePods lets a quota refuse the pods that plank makes.
func noMorePods(w *world) {
	w.background(ordinary{pace: sparse})
	for t := range w.every(30*time.Second, w.Fault, w.Fault.Add(time.Hour), usual) {
		w.says(t, "plank", w.pods("plank")[0], "error", "error executing pod sync", fields{
			"error": `pods "abc" is forbidden: exceeded quota: compute-resources, requested: pods=1, used: pods=5000, limited: pods=5000`,
		})
	}
}

// githubSilentForLong has no webhook for two hours and a half of a working day, but for a stray one now and then; hook is well.
func githubSilentForLong(w *world) {
	w.background(ordinary{pace: sparse, unsent: span{w.Fault, w.Fault.Add(150 * time.Minute)}})
	for t := range w.every(45*time.Minute, w.Fault, w.Fault.Add(150*time.Minute), usual) {
		w.request(t, 200, "response_sent_by_backend", 20*time.Millisecond)
	}
}
